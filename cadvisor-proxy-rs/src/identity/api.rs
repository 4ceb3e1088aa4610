//! Identity from the API server: a watch of the node's own pods, pushed as they change.

use std::collections::BTreeMap;
use std::time::Duration;

use kube_informer::{
    Access, Cluster, Gvr, Handler, Informer, Object, Patience, Problem, Resource, Selection, Status,
};
use tokio::time::sleep;

use super::podlist::{ApiPod, Defaults};
use super::{ContainerFacts, Facts, PodFacts, Reporter};

/// Between two attempts to read credentials.
const CREDENTIALS: Duration = Duration::from_secs(30);
/// An API server that comes back is found within seconds.
const LAST_RETRY: Duration = Duration::from_secs(4);

/// How the API server is reached, and whose pods are wanted.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub(super) access: Access,
    pub(super) node: String,
    pub(super) defaults: Defaults,
}

type Pods = BTreeMap<String, (PodFacts, Vec<ContainerFacts>)>;

struct Follower {
    defaults: Defaults,
    reporter: Reporter,
    pods: Pods,
    /// The list that is under way.
    next: Option<Pods>,
}

/// Follows the API server for ever.
pub(super) async fn run(settings: Settings, reporter: Reporter) {
    let client = loop {
        match settings.access.clone().connect().await {
            Ok(client) => break client,
            Err(error) => reporter.fails(&error.to_string()),
        }
        sleep(CREDENTIALS).await;
    };
    let selection = Selection {
        field_selector: Some(format!("spec.nodeName={}", settings.node)),
        // Many nodes ask the same: the API server's cache answers.
        use_cache: true,
        ..Selection::of([Gvr::new("", "v1", "pods")])
    };
    let patience = Patience { last_retry: LAST_RETRY, ..Patience::default() };
    let informer = Informer::new(&Cluster::new(client), selection).with_patience(patience);
    let (pods, next) = (Pods::new(), None);
    let mut follower = Follower { defaults: settings.defaults, reporter, pods, next };
    match informer.run(&mut follower).await {}
}

impl Follower {
    fn tell(&mut self) {
        let mut facts = Facts::default();
        for (pod, containers) in self.pods.values() {
            facts.pods.push(pod.clone());
            facts.containers.extend_from_slice(containers);
        }
        self.reporter.tell(facts);
    }
}

impl Handler for Follower {
    async fn begin(&mut self, _: &Resource) {
        self.next = Some(Pods::new());
    }

    async fn apply(&mut self, object: Object<'_>) -> Result<(), Problem> {
        let pod: ApiPod = serde_json::from_str(object.raw)?;
        let Some(facts) = pod.facts(&self.defaults) else { return Ok(()) };
        let uid = object.uid.to_owned();
        if let Some(next) = &mut self.next {
            next.insert(uid, facts);
        } else {
            self.pods.insert(uid, facts);
            self.tell();
        }
        Ok(())
    }

    async fn delete(&mut self, object: Object<'_>) -> Result<(), Problem> {
        if let Some(next) = &mut self.next {
            next.remove(object.uid);
        } else if self.pods.remove(object.uid).is_some() {
            self.tell();
        }
        Ok(())
    }

    async fn listed(&mut self) {
        if let Some(pods) = self.next.take() {
            self.pods = pods;
            self.tell();
        }
    }

    fn status(&mut self, status: &Status) {
        match status {
            Status::Following => self.reporter.works(),
            Status::Forbidden { message, .. } => self.reporter.fails(&format!(
                "{message}; a ClusterRole with verbs list and watch on pods is needed"
            )),
            Status::Failing { .. } | Status::NotServed { .. } => {
                self.reporter.fails(&status.to_string());
            }
        }
    }
}
