//! Whose a container is: what the sources of identity have found out, as one map that a scrape reads without waiting.
//!
//! Sources (docker, kubelet, API server, environment, file) build a new [`Directory`] when something changed and swap
//! it in whole; a scrape keeps the one it began with.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// A pod as far as its series need it. What no source knows is `None` or empty, and gives no label.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pod {
    /// `metadata.uid`, in lower case with dashes.
    pub uid: String,
    pub namespace: String,
    pub name: String,
    /// `status.podIP`; for a pod in the host's network the node's address.
    pub ip: Option<String>,
    /// `spec.nodeName`.
    pub node: Option<String>,
    /// `spec.hostNetwork`: its network series are the host's.
    pub host_network: bool,
    /// The controlling owner: kind and name.
    pub owner: Option<(String, String)>,
    /// The pod's labels that are asked for, by the label names they get.
    pub labels: BTreeMap<String, String>,
    /// Its phase is Succeeded or Failed.
    pub ended: bool,
}

/// A container as far as its series need it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Container {
    /// 64 hexadecimal digits.
    pub id: String,
    /// The pod it is in; `None` for a plain docker container.
    pub pod: Option<Arc<Pod>>,
    /// Its name in the pod's specification, `POD` for a sandbox; for plain docker that of docker.
    pub name: String,
    /// As the runtime names it: `k8s_app_web-1_shop_UID_0`, or the id.
    pub runtime_name: Option<String>,
    pub image: Option<String>,
    /// A plain container's own address.
    pub ip: Option<String>,
    /// False for one that its runtime says has ended.
    pub running: bool,
}

/// All that is known at one moment.
#[derive(Clone, Debug, Default)]
pub struct Directory {
    /// By container id.
    pub containers: HashMap<String, Arc<Container>>,
    /// By pod uid; a static pod also by its `kubernetes.io/config.hash`.
    pub pods: HashMap<String, Arc<Pod>>,
    /// By namespace and name.
    pub names: HashMap<(String, String), Arc<Pod>>,
    /// Counts up with each change, so that what was made from a directory knows when it is stale.
    pub generation: u64,
}
