//! Targets of a Kubernetes cluster, by rules: nodes, pods, services, what is behind services, and fixed ones.

mod evaluate;
mod follow;
mod object;
pub mod rbac;
mod reread;
pub mod rules;
mod slice;
mod store;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use kube_informer::{Access, Cluster, Informer};
use tokio::task::JoinSet;
use tokio::time::{interval, sleep};

use super::Running;
use crate::target::{Publisher, Subscription, source};
pub use evaluate::Found;
use reread::RulesFile;
use rules::{Rules, RulesError};
use store::{Kind, Standing, Store};

/// Events that come together are told together.
const GATHER: Duration = Duration::from_millis(20);
/// How often it is said that all watches are open: less than the minute that the contract allows.
const CONFIRM: Duration = Duration::from_secs(20);
/// Until credentials that cannot be read are tried again.
const RECONNECT: Duration = Duration::from_secs(10);

/// How the API server is reached, and what is taken from it.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Mode kubernetes")]
pub struct KubernetesOptions {
    /// Rules (YAML) by which objects become targets. They are read again when they change; broken ones change nothing.
    #[arg(long, value_name = "FILE")]
    pub rules: Option<PathBuf>,
    /// Kubeconfig file. Without it the pod's service account is used, with the API server that KUBERNETES_SERVICE_HOST
    /// and KUBERNETES_SERVICE_PORT name.
    #[arg(long, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
    /// Context of the kubeconfig, instead of its current one.
    #[arg(long, value_name = "NAME")]
    pub context: Option<String>,
    /// URL of the API server, instead of the one in the kubeconfig or the environment.
    #[arg(long, value_name = "URL")]
    pub apiserver: Option<String>,
}

/// The rules that the program brings, for all that a cluster usually has.
pub const SHIPPED: &str = include_str!("../../rules.yaml");

impl KubernetesOptions {
    /// The rules of `--rules`, or the shipped ones.
    pub fn load_rules(&self) -> Result<Rules, RulesError> {
        match &self.rules {
            Some(file) => Rules::load(file),
            None => Rules::shipped(),
        }
    }

    /// For a client of the API server.
    pub fn access(&self) -> Access {
        Access {
            kubeconfig: self.kubeconfig.clone(),
            context: self.context.clone(),
            apiserver: self.apiserver.clone(),
            user_agent: concat!("consul-registrar/", env!("CARGO_PKG_VERSION")).to_owned(),
        }
    }

    /// Fails where the rules do; an API server that is away is waited for.
    pub fn start(&self) -> Result<(Subscription, Running), RulesError> {
        let (rules, file) = RulesFile::open(self.rules.clone())?;
        let (publisher, subscription) = source("kubernetes");
        Ok((subscription, Box::pin(run(self.access(), rules, file, publisher))))
    }
}

impl Rules {
    pub fn shipped() -> Result<Self, RulesError> {
        let environment = |name: &str| std::env::var(name).ok().filter(|text| !text.is_empty());
        Self::parse("the shipped rules", SHIPPED, &environment)
            .map_err(|problem| RulesError::Wrong { file: "rules.yaml".into(), problem })
    }
}

/// Runs until nobody listens. With other rules everything is listed anew; until then the last list stays.
async fn run(access: Access, mut rules: Rules, mut file: RulesFile, publisher: Publisher) {
    loop {
        let store = Arc::new(Store::new(rules));
        tokio::select! {
            () = publisher.closed() => return,
            () = follow(&access, &store, &publisher) => return,
            others = file.next() => rules = others,
        }
    }
}

async fn follow(access: &Access, store: &Arc<Store>, publisher: &Publisher) {
    let kinds = Kind::needed(&store.rules);
    let mut informers = JoinSet::new();
    if !kinds.is_empty() {
        let cluster = connect(access, publisher).await;
        for kind in kinds {
            let informer = Informer::new(&cluster, follow::selection(kind));
            let mut follower = follow::Follower::new(Arc::clone(store), kind);
            informers.spawn(async move {
                informer.run(&mut follower).await;
            });
        }
    }
    let mut confirm = interval(CONFIRM);
    tell(store, publisher);
    loop {
        tokio::select! {
            () = store.news.notified() => {
                sleep(GATHER).await;
                tell(store, publisher);
            }
            _ = confirm.tick() => {
                if matches!(store.standing(), Standing::Good) {
                    publisher.confirm();
                }
            }
            // An informer ends only by a panic: what it followed would get old without a word.
            Some(ended) = informers.join_next() => {
                let reason = format!("an informer ended: {ended:?}");
                tracing::error!(reason, "the cluster is no longer followed");
                publisher.unsynced(reason);
                return std::future::pending().await;
            }
        }
    }
}

async fn connect(access: &Access, publisher: &Publisher) -> Cluster {
    loop {
        match access.clone().connect().await {
            Ok(client) => return Cluster::new(client),
            Err(error) => {
                tracing::warn!(%error, "no way to the API server yet");
                publisher.unsynced(error.to_string());
                sleep(RECONNECT).await;
            }
        }
    }
}

/// What the shipped rules find in these objects, each kind a list under its plural.
#[cfg(test)]
pub(crate) fn found(objects: &str) -> Vec<Found> {
    let environment = |name: &str| (name == "APISERVER_VIP").then(|| "10.0.0.100".to_owned());
    let store = Store::new(Rules::parse("rules.yaml", SHIPPED, &environment).unwrap());
    let objects: serde_json::Value = serde_json::from_str(objects).unwrap();
    for kind in Kind::needed(&store.rules) {
        for object in objects[kind.plural()].as_array().into_iter().flatten() {
            let text = |key: &str| object["metadata"][key].as_str().unwrap_or_default();
            let identity = (text("namespace"), text("name"));
            let content = store.read(kind, false, identity, &object.to_string()).unwrap();
            store.set(kind, format!("{}/{}", identity.0, identity.1), content);
        }
    }
    store.all()
}

fn tell(store: &Store, publisher: &Publisher) {
    match store.standing() {
        Standing::Incomplete(reason) => publisher.unsynced(reason),
        Standing::Good => publisher.publish_found(store.all()),
        Standing::Old(reason) => {
            publisher.publish_found(store.all());
            publisher.unsynced(reason);
        }
    }
}
