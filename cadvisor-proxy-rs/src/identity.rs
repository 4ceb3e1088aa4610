//! Whose a container is: what the sources of identity have found out, as one map that a scrape reads without waiting.
//!
//! Sources (docker, kubelet, API server, environment, file) tell their [`Facts`] when something changed; the [`Hub`]
//! makes a new [`Directory`] of them and swaps it in whole; a scrape keeps the one it began with.

mod api;
pub mod cgroup;
mod chain;
mod docker;
mod environment;
mod facts;
mod file;
mod hub;
mod kubelet;
mod map;
mod netns;
mod options;
mod pause;
mod podlist;
mod sandboxes;
mod shared;

use std::collections::BTreeMap;
use std::sync::Arc;

pub use cgroup::{Cgroup, RuntimeName};
pub use chain::{ChainError, start};
pub use facts::{ContainerFacts, Facts, PodFacts};
pub use file::{FileError, read as read_file};
pub use hub::{Hub, Reporter};
pub use kubelet::{Kubelet, KubeletOptions, pod_token};
pub use map::{Map, Quick};
pub use options::{ContainerLabels, IdentityOptions, PodLabels, SourceName};
pub use shared::{Shared, SourceStatus};

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
    /// Its phase is Succeeded or Failed, or it is gone.
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
    /// The runtime's labels that are asked for, by the label names they get.
    pub labels: BTreeMap<String, String>,
    /// A plain container's own address; of a pod's container what the pod had while it ran.
    pub ip: Option<String>,
    /// A plain container in the host's network: its network series are the host's.
    pub host_network: bool,
    /// False for one that its runtime says has ended, or that is gone.
    pub running: bool,
}

/// All that is known at one moment.
#[derive(Clone, Debug, Default)]
pub struct Directory {
    /// By container id.
    pub containers: Map<Arc<Container>>,
    /// By pod uid; a static pod also by its `kubernetes.io/config.hash`.
    pub pods: Map<Arc<Pod>>,
    /// By namespace, then name: pods that are there, never those that are gone.
    pub names: Map<Map<Arc<Pod>>>,
    /// The pod that the proxy itself runs in, told by its environment: whose all series of an app beside it are. Never
    /// that of a node's cgroups.
    pub own: Option<Arc<Pod>>,
    /// Counts up with each change, so that what was made from a directory knows when it is stale.
    pub generation: u64,
}

impl Directory {
    pub fn container(&self, id: &[u8]) -> Option<&Arc<Container>> {
        self.containers.get(id)
    }

    pub fn pod(&self, uid: &[u8]) -> Option<&Arc<Pod>> {
        self.pods.get(uid)
    }

    /// For series that have no `id`. Where an `id` holds a uid that is not known, the name may be that of a pod which
    /// is gone: then this is not to be asked.
    pub fn named(&self, namespace: &[u8], name: &[u8]) -> Option<&Arc<Pod>> {
        self.names.get(namespace)?.get(name)
    }

    /// The container of a cgroup, and its pod: by the container's id, else by the uid.
    pub fn find(&self, cgroup: &Cgroup<'_>) -> (Option<&Arc<Container>>, Option<&Arc<Pod>>) {
        let container = cgroup.container.and_then(|id| self.container(id));
        let pod = container.and_then(|container| container.pod.as_ref());
        let uid = || cgroup.pod.as_ref().and_then(|uid| self.pod(uid.as_bytes()));
        (container, pod.or_else(uid))
    }
}
