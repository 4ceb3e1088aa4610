//! The options, checked: what is followed and what is given of it.

use std::sync::Arc;

use kube_informer::Resource;

use crate::custom::{Config, Custom};
use crate::filter::{FilterError, Filters};
use crate::options::Options;
use crate::resource::{AnyResource, BuiltIn, Scope};
use crate::shard::Shard;

/// What a fleet is started from.
#[derive(Clone, Debug)]
pub struct Settings {
    filters: Filters,
    custom: Arc<Config>,
    /// Empty: all.
    pub namespaces: Vec<String>,
    denied: Vec<String>,
    node: NodeChoice,
    pub use_cache: bool,
    pub object_limit: Option<u64>,
    /// As the command line says; a StatefulSet's number of pods can overrule it.
    pub shard: Shard,
}

/// Which pods are followed by the node they are on.
#[derive(Clone, Debug, Eq, PartialEq)]
enum NodeChoice {
    Any,
    One(String),
    None,
}

/// Why options cannot be used together.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    #[error(transparent)]
    Filter(#[from] FilterError),
    #[error("--shard={shard} is not below --total-shards={total}: shards are counted from 0")]
    Shard { shard: u32, total: u32 },
    #[error("--pod and --pod-namespace are given together or not at all")]
    Pod,
    #[error("--node and --track-unscheduled-pods contradict each other: run two instances")]
    Node,
    #[error("--namespaces-denylist leaves no namespace of --namespaces={0}")]
    NoNamespace(String),
}

impl Settings {
    /// `custom` is what is said about custom resources.
    pub fn new(options: &Options, custom: Config) -> Result<Self, SettingsError> {
        let shards = &options.shards;
        if shards.shard >= shards.total_shards {
            let (shard, total) = (shards.shard, shards.total_shards);
            return Err(SettingsError::Shard { shard, total });
        }
        if shards.pod.is_empty() != shards.pod_namespace.is_empty() {
            return Err(SettingsError::Pod);
        }
        let custom_only = options.custom.custom_resource_state_only;
        let denied = names(&options.objects.namespaces_denylist);
        let given = names(&options.objects.namespaces);
        let namespaces: Vec<String> =
            given.iter().filter(|name| !denied.contains(name)).cloned().collect();
        if namespaces.is_empty() && !given.is_empty() {
            return Err(SettingsError::NoNamespace(options.objects.namespaces.clone()));
        }
        Ok(Self {
            filters: Filters::new(&options.objects, &options.metrics, custom_only)?,
            custom: Arc::new(custom),
            namespaces,
            denied,
            node: NodeChoice::new(&shards.node, shards.track_unscheduled_pods)?,
            use_cache: options.cluster.use_apiserver_cache,
            object_limit: Some(options.cluster.object_limit).filter(|limit| *limit > 0),
            shard: Shard::new(shards.shard, shards.total_shards),
        })
    }

    /// The built-in resources that are followed, with the families that are given of each.
    pub fn built_ins(&self) -> Vec<BuiltIn> {
        self.filters.built_ins()
    }

    /// Whether custom resources are followed, where the API server serves some that are meant.
    pub fn has_custom(&self) -> bool {
        self.custom.patterns().next().is_some()
    }

    /// The custom resources among `served` that are meant.
    pub fn customs(&self, served: &[Resource]) -> Vec<Resource> {
        let meant = |resource: &&Resource| {
            self.custom.matches(&resource.gvr.group, &resource.gvr.version, &resource.kind)
        };
        served.iter().filter(meant).cloned().collect()
    }

    /// What turns objects of a custom resource into samples.
    pub fn custom(&self, resource: &Resource) -> Custom {
        let gvr = &resource.gvr;
        let wants = |family: &str| self.filters.takes(family);
        self.custom.renderer(&gvr.group, &gvr.version, &resource.kind, |header| wants(&header.name))
    }

    /// What the API server is asked to leave out of a built-in resource.
    pub fn field_selector(&self, resource: &dyn AnyResource) -> Option<String> {
        let mut terms = Vec::new();
        if resource.scope() == Scope::Namespaced {
            terms.extend(self.denied_namespaces());
        }
        if resource.plural() == "pods" {
            match &self.node {
                NodeChoice::Any => {}
                NodeChoice::One(node) => terms.push(format!("spec.nodeName={node}")),
                NodeChoice::None => terms.push("spec.nodeName=".to_owned()),
            }
        }
        (!terms.is_empty()).then(|| terms.join(","))
    }

    /// What the API server is asked to leave out of a custom resource.
    pub fn custom_field_selector(&self, resource: &Resource) -> Option<String> {
        let terms: Vec<String> =
            if resource.namespaced { self.denied_namespaces().collect() } else { Vec::new() };
        (!terms.is_empty()).then(|| terms.join(","))
    }

    /// Where namespaces are named, the denied ones are none of them.
    fn denied_namespaces(&self) -> impl Iterator<Item = String> {
        let all = self.namespaces.is_empty();
        let denied = self.denied.iter().filter(move |_| all);
        denied.map(|name| format!("metadata.namespace!={name}"))
    }
}

impl NodeChoice {
    fn new(node: &str, unscheduled: bool) -> Result<Self, SettingsError> {
        match (node, unscheduled) {
            ("", false) => Ok(Self::Any),
            ("", true) => Ok(Self::None),
            (node, false) => Ok(Self::One(node.to_owned())),
            (_, true) => Err(SettingsError::Node),
        }
    }
}

/// Names with commas between.
pub fn names(list: &str) -> Vec<String> {
    list.split(',').map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect()
}
