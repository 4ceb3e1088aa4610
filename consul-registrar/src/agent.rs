//! What the agent answers: `/metrics`, `/targets` (`http_sd`), `/debug/plan` and the page for people.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::fmt::Write as _;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use exporter_toolkit::telemetry::Telemetry;
use exporter_toolkit::web::{Answer, Body, Landing, Refusal, Scrape, Source, StreamError, Visit};
use exporter_toolkit::{Exposition, Gauge};
use http::header::{CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use http::{HeaderValue, Response, StatusCode};
use http_body::Frame;
use tokio::sync::watch;

use crate::catalog::Published;
use crate::consul::follow::View;
use crate::row::{Identity, Row};
use crate::sink::text::{self, Form};
use crate::target::Subscription;

static TARGETS: Gauge<1> =
    Gauge::new("consul_registrar_targets", "Targets that are shown, by service.", ["service"]);
static GROUPS: Gauge<1> =
    Gauge::new("consul_registrar_group_targets", "Targets that are shown, by group.", ["group"]);
static HELD: Gauge<0> = Gauge::new(
    "consul_registrar_targets_held",
    "What sources found and what is not shown, such as a pod with a bad port.",
    [],
);
static DELETES_HELD: Gauge<0> = Gauge::new(
    "consul_registrar_deletes_held",
    "Rows that no source has any more and that stay until their absence is certain.",
    [],
);
static SYNCED: Gauge<1> = Gauge::new(
    "consul_registrar_source_synced",
    "Whether the source vouches for its list.",
    ["source"],
);
static CONSUL_ROWS: Gauge<0> =
    Gauge::new("consul_registrar_consul_rows", "Rows of ours in Consul.", []);
static CONSUL_BLOCKED: Gauge<0> =
    Gauge::new("consul_registrar_consul_blocked", "Rows that Consul does not take.", []);
static CONSUL_UP: Gauge<0> = Gauge::new(
    "consul_registrar_consul_settled",
    "Whether Consul is as it should be, as far as is known.",
    [],
);

/// So many rows are in `/debug/plan`.
const MOST_SHOWN: usize = 1000;

/// What is served.
pub struct Agent {
    pub identity: Arc<Identity>,
    pub sources: Vec<Subscription>,
    pub published: watch::Receiver<Arc<Published>>,
    /// `None` where Consul is no sink.
    pub view: Option<watch::Receiver<View>>,
    /// What is wrong with the files.
    pub files: watch::Receiver<Option<String>>,
    pub file_names: Vec<String>,
    pub telemetry: Telemetry,
}

impl Agent {
    fn published(&self) -> Arc<Published> {
        Arc::clone(&self.published.borrow())
    }

    fn write(&self, out: &mut Exposition) {
        let published = self.published();
        let mut services: BTreeMap<&str, u64> = BTreeMap::new();
        let mut groups: BTreeMap<String, u64> = BTreeMap::new();
        for row in &published.rows {
            *services.entry(&row.target.key.service).or_default() += 1;
            if let Some(group) = row.group {
                *groups.entry(group.to_string()).or_default() += 1;
            }
        }
        let mut family = out.family(&TARGETS);
        for (service, count) in services {
            family.sample(service, count);
        }
        let mut family = out.family(&GROUPS);
        for (group, count) in &groups {
            family.sample(group, *count);
        }
        out.family(&HELD).sample((), published.held.len() as u64);
        out.family(&DELETES_HELD).sample((), published.kept as u64);
        let mut family = out.family(&SYNCED);
        for source in &self.sources {
            family.sample(&*source.name, u8::from(source.state.borrow().unsynced.is_none()));
        }
        if let Some(view) = &self.view {
            let view = view.borrow();
            out.family(&CONSUL_ROWS).sample((), view.rows as u64);
            out.family(&CONSUL_BLOCKED).sample((), view.blocked.len() as u64);
            let settled = view.error.is_none() && view.settled.is_some();
            out.family(&CONSUL_UP).sample((), u8::from(settled));
        }
    }

    /// `http_sd`: an `ETag` tells whether anything has changed.
    fn targets(&self, visit: Visit<'_>) -> Response<Body> {
        let published = self.published();
        if !published.complete {
            return plain(StatusCode::SERVICE_UNAVAILABLE, "No source has been read yet.\n".into());
        }
        let wanted = |name: &str| -> Option<String> {
            let of_name = |(key, _): &&(String, String)| key == name;
            visit.query.iter().find(of_name).map(|(_, value)| value.clone())
        };
        let filter = Filter { service: wanted("service"), group: wanted("group") };
        let tag = published.rows.iter().filter(|row| filter.takes(row)).fold(0_u64, |tag, row| {
            (tag.rotate_left(5) ^ row.digest).wrapping_mul(0x9e37_79b9_7f4a_7c15)
        });
        let tag = format!("\"{tag:016x}\"");
        let known = visit.headers.get(IF_NONE_MATCH).and_then(|value| value.to_str().ok());
        let mut response = if known.is_some_and(|known| known.contains(&tag)) {
            let mut response = Response::new(Body::empty());
            *response.status_mut() = StatusCode::NOT_MODIFIED;
            response
        } else {
            let identity = Arc::clone(&self.identity);
            Response::new(Body::stream(List {
                identity,
                published,
                filter,
                at: 0,
                empty: true,
                done: false,
            }))
        };
        let headers = response.headers_mut();
        // Prometheus takes exactly this type.
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if let Ok(tag) = HeaderValue::from_str(&tag) {
            headers.insert(ETAG, tag);
        }
        response
    }

    fn plan(&self) -> String {
        let published = self.published();
        let mut out = String::new();
        let rows = published.rows.len();
        // Writing to memory cannot fail.
        _ = writeln!(
            out,
            "{rows} rows published, {} deletions allowed, {} held",
            published.released.len(),
            published.kept
        );
        if let Some(why) = &published.kept_why {
            _ = writeln!(out, "held: {why}");
        }
        for id in published.released.iter().take(MOST_SHOWN) {
            _ = writeln!(out, "- {id}");
        }
        if let Some(view) = &self.view {
            let view = view.borrow();
            _ = writeln!(
                out,
                "consul: {} rows, {} differ from what is published",
                view.rows,
                view.found.len()
            );
            for found in view.found.iter().take(MOST_SHOWN) {
                _ = writeln!(out, "~ {}", found.id);
            }
            for (id, why) in &view.blocked {
                _ = writeln!(out, "! {id}: {why}");
            }
        }
        out
    }
}

impl Source for Agent {
    async fn scrape(&self, request: Scrape) -> Result<Answer, Refusal> {
        let mut out = Exposition::new(request.format);
        self.telemetry.write(&mut out);
        self.write(&mut out);
        Ok(Answer::of(&out, request.format))
    }

    fn ready(&self) -> Result<(), String> {
        let published = self.published();
        if let Some(unsynced) = &published.unsynced {
            return Err(unsynced.clone());
        }
        if !published.complete {
            return Err("No source has been read yet.".to_owned());
        }
        if let Some(view) = &self.view {
            let view = view.borrow();
            if let Some(error) = &view.error {
                return Err(format!("Consul: {error}"));
            }
            if view.settled.is_none() {
                return Err("Consul is not written yet.".to_owned());
            }
        }
        self.files.borrow().clone().map_or(Ok(()), Err)
    }

    fn landing(&self, page: &mut Landing) {
        page.name("consul-registrar")
            .description("Puts every target of a cluster where Prometheus discovers it.")
            .version(crate::options::BUILD)
            .link("/targets", "Targets", "as http_sd gives them; ?service= and ?group= take some")
            .link("/metrics", "Metrics", "about the agent")
            .link("/debug/plan", "Plan", "what is about to change")
            .link("/readyz", "Readiness", "whether all sources are read and all sinks written");
        crate::page::describe(self, &self.published(), page);
    }

    async fn route(&self, visit: Visit<'_>) -> Option<Response<Body>> {
        match visit.path {
            "/targets" => Some(self.targets(visit)),
            "/debug/plan" => Some(plain(StatusCode::OK, self.plan())),
            _ => None,
        }
    }
}

/// Which rows are asked for.
struct Filter {
    service: Option<String>,
    group: Option<String>,
}

impl Filter {
    fn takes(&self, row: &Row) -> bool {
        let service = self.service.as_ref().is_none_or(|name| **name == *row.target.key.service);
        let group = |wanted: &String| row.group.is_some_and(|group| group.to_string() == *wanted);
        service && self.group.as_ref().is_none_or(group)
    }
}

/// The list, written while it is sent: a hundred thousand targets are never in memory as text.
struct List {
    identity: Arc<Identity>,
    published: Arc<Published>,
    filter: Filter,
    at: usize,
    empty: bool,
    done: bool,
}

/// Rows in one piece of the answer.
const PIECE: usize = 256;

impl List {
    fn piece(&mut self) -> Option<Bytes> {
        if self.done {
            return None;
        }
        let mut out = Vec::with_capacity(64 * 1024);
        let rows = self.published.rows.get(self.at..).unwrap_or_default();
        for row in rows.iter().take(PIECE).filter(|row| self.filter.takes(row)) {
            text::start(Form::Json, self.empty, &mut out);
            text::one(Form::Json, &self.identity, row, &mut out);
            self.empty = false;
        }
        self.at += PIECE;
        if self.at >= self.published.rows.len() {
            text::end(Form::Json, self.empty, &mut out);
            self.done = true;
        }
        Some(out.into())
    }
}

impl http_body::Body for List {
    type Data = Bytes;
    type Error = StreamError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, StreamError>>> {
        let piece = self.piece().map(Ok::<_, Infallible>);
        Poll::Ready(piece.map(|Ok(bytes)| Ok(Frame::data(bytes))))
    }
}

fn plain(status: StatusCode, text: String) -> Response<Body> {
    let mut response = Response::new(Body::full(text));
    *response.status_mut() = status;
    let kind = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}
