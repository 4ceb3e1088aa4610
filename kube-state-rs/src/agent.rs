//! The metrics port: what Prometheus scrapes, and the page for people.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Instant, SystemTime};

use exporter_toolkit::Format;
use exporter_toolkit::web::{
    Answer, Body, Cell, Landing, Member, Packer, Refusal, Scrape, Source, Visit,
};
use http::{Request, Response, StatusCode};
use kube_informer::{Client, RequestError, Status};
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use crate::group::{Families, Group, Part};

/// The resources that are answered now; replaced as a whole when settings or shards change.
#[derive(Default)]
pub struct Shown(Mutex<Groups>);

/// What is answered, in its order.
pub type Groups = Arc<[Arc<Group>]>;

impl Shown {
    pub fn get(&self) -> Groups {
        Arc::clone(&self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub fn set(&self, groups: Groups) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = groups;
    }

    /// The first parts that are not complete yet, for a person.
    pub fn ready(&self) -> Result<(), String> {
        let groups = self.get();
        let parts =
            groups.iter().flat_map(|group| group.parts.iter().map(move |part| (group, part)));
        let missing: Vec<String> = parts
            .filter(|(_, part)| !part.is_ready())
            .map(|(group, part)| match part.status() {
                None => group.resource.clone(),
                Some(status) => format!("{} ({status})", group.resource),
            })
            .collect();
        match missing.as_slice() {
            [] if groups.is_empty() => Err("Nothing is followed yet.".to_owned()),
            [] => Ok(()),
            some => Err(format!("Not listed yet: {}.", some.join(", "))),
        }
    }
}

/// What is served on the metrics port.
pub struct Agent {
    pub shown: Arc<Shown>,
    client: Client,
    end: Option<Member>,
    took: Histogram,
}

/// Bounds in seconds, as the peer has them.
const BUCKETS: [f64; 11] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

impl Agent {
    pub fn new(shown: Arc<Shown>, client: Client) -> Self {
        // Six bytes always compress.
        let end = Packer::default().pack(b"# EOF\n").ok();
        Self { shown, client, end, took: Histogram::new(BUCKETS) }
    }

    /// Adds the agent's long-lived counters.
    pub fn register(&self, registry: &mut Registry) {
        let labels = [("handler", "metrics"), ("method", "get")];
        let labels = labels.map(|(name, value)| (name.into(), value.into()));
        registry.sub_registry_with_labels(labels.into_iter()).register(
            "http_request_duration_seconds",
            "How long it took until the answer to a scrape was ready to be sent",
            self.took.clone(),
        );
    }
}

impl Source for Agent {
    async fn scrape(&self, request: Scrape) -> Result<Answer, Refusal> {
        let start = Instant::now();
        let wanted = Wanted::of(&request.query);
        let groups = self.shown.get();
        let mut families = Families::default();
        for group in groups.iter().filter(|group| wanted.holds(group)) {
            group.answer(request.format, &mut families).await;
        }
        let mut members: Vec<Member> = families.into_members().collect();
        if request.format == Format::OpenMetrics {
            members.extend(self.end.clone());
        }
        self.took.observe(start.elapsed().as_secs_f64());
        Ok(Answer::packed(request.format, members))
    }

    fn ready(&self) -> Result<(), String> {
        self.shown.ready()
    }

    fn landing(&self, page: &mut Landing) {
        page.name("kube-state-rs")
            .description("The state of Kubernetes objects.")
            .version(crate::options::BUILD)
            .link(
                "/metrics",
                "Metrics",
                "what Prometheus scrapes; ?resources=pods,nodes takes some",
            )
            .link("/healthz", "Health", "whether the process answers")
            .link("/livez", "Liveness", "whether the API server answers")
            .link("/readyz", "Readiness", "whether all that is served has been listed");
        describe(&self.shown.get(), page);
    }

    async fn route(&self, visit: Visit<'_>) -> Option<Response<Body>> {
        if visit.path != "/livez" {
            return None;
        }
        let asked = tokio::time::timeout_at(visit.deadline.into(), livez(&self.client)).await;
        let (status, text) = match asked {
            Ok(Ok(())) => (StatusCode::OK, "OK\n".to_owned()),
            Ok(Err(error)) => {
                (StatusCode::SERVICE_UNAVAILABLE, format!("The API server is not alive: {error}\n"))
            }
            Err(_) => {
                (StatusCode::SERVICE_UNAVAILABLE, "The API server did not answer in time.\n".into())
            }
        };
        let mut response = Response::new(Body::full(text));
        *response.status_mut() = status;
        Some(response)
    }
}

/// Asks the API server for its health.
async fn livez(client: &Client) -> Result<(), RequestError> {
    let request = Request::get("/livez").body(Vec::new());
    let request = request.map_err(|error| RequestError::Unreadable(error.to_string()))?;
    client.bytes(request, 64 << 10).await.map(drop)
}

/// The resources that a scrape asks for: `?resources=pods,nodes`, `?exclude_resources=secrets`.
#[derive(Debug, Default)]
struct Wanted<'q> {
    only: Option<HashSet<&'q str>>,
    without: HashSet<&'q str>,
}

impl<'q> Wanted<'q> {
    fn of(query: &'q [(String, String)]) -> Self {
        let mut wanted = Self::default();
        for (name, value) in query {
            let names = value.split(',').map(str::trim).filter(|name| !name.is_empty());
            match name.as_str() {
                "resources" => wanted.only.get_or_insert_default().extend(names),
                "exclude_resources" => wanted.without.extend(names),
                _ => {}
            }
        }
        wanted
    }

    fn holds(&self, group: &Group) -> bool {
        let is_in = |names: &HashSet<&str>| names.iter().any(|name| group.is(name));
        self.only.as_ref().is_none_or(is_in) && !is_in(&self.without)
    }
}

/// A table of the resources and how they stand.
pub fn describe(groups: &[Arc<Group>], page: &mut Landing) {
    let columns =
        ["Resource", "Namespace", "State", "Objects", "Bytes", "Last list", "Last event", "Why"];
    let table = page.table("Resources", &columns);
    for group in groups {
        for part in &group.parts {
            let size = part.store.size();
            let (state, why) = state(part);
            table.row([
                Cell::plain(&group.resource),
                Cell::plain(part.namespace.as_deref().unwrap_or("all")),
                state,
                Cell::plain(size.objects),
                Cell::plain(size.bytes),
                Cell::plain(ago(part.counts.last_list.get())),
                Cell::plain(ago(part.counts.last_event.get())),
                Cell::plain(why),
            ]);
        }
    }
}

fn state(part: &Part) -> (Cell, String) {
    match part.status() {
        None => (Cell::faint("starting"), String::new()),
        Some(Status::Following) => (Cell::good("following"), String::new()),
        Some(Status::NotServed { .. }) => {
            (Cell::faint("not served"), "this API server does not know it".to_owned())
        }
        Some(Status::Forbidden { message, .. }) => (Cell::bad("forbidden"), message),
        Some(Status::Failing { error, .. }) => (Cell::bad("failing"), error),
    }
}

fn ago(at: Option<std::time::Duration>) -> String {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    at.map_or_else(
        || "never".to_owned(),
        |at| format!("{} s ago", now.saturating_sub(at).as_secs()),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holds(query: &[(&str, &str)], resource: &str) -> bool {
        let query: Vec<(String, String)> =
            query.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect();
        let group = Group::new(resource.to_owned(), &[], Vec::new()).unwrap();
        Wanted::of(&query).holds(&group)
    }

    #[test]
    fn a_scrape_asks_for_some_resources_and_not_for_others() {
        assert!(holds(&[], "pods"));
        let some = [("resources", "pods, nodes"), ("resources", "secrets"), ("x", "y")];
        assert!(["pods", "nodes", "secrets"].iter().all(|name| holds(&some, name)));
        assert!(!holds(&some, "jobs"));
        let both = [("resources", "pods,jobs"), ("exclude_resources", "pods")];
        assert!(holds(&both, "jobs") && !holds(&both, "pods"));
        assert!(!holds(&[("resources", "")], "pods"));
    }

    #[test]
    fn custom_resources_are_asked_for_by_their_plural_too() {
        assert!(holds(&[("resources", "widgets")], "widgets.v1.example.com"));
        assert!(holds(&[("resources", "widgets.v1.example.com")], "widgets.v1.example.com"));
        assert!(!holds(&[("exclude_resources", "widgets")], "widgets.v1.example.com"));
    }
}
