//! Pods as the API has them (core/v1 Pod): what the kubelet's `/pods`, the API server and `kubectl get pods -o json` say.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::cgroup::is_id;
use super::{Container, ContainerFacts, Facts, Pod, PodFacts, PodLabels};

/// On the mirror of a static pod in the API; its presence makes it one.
const MIRROR: &str = "kubernetes.io/config.mirror";
/// The uid that the static pod has on its node.
const HASH: &str = "kubernetes.io/config.hash";

/// Of a pod, what identity needs.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ApiPod {
    metadata: Metadata,
    spec: Spec,
    status: Status,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Metadata {
    name: String,
    namespace: String,
    uid: String,
    labels: Option<BTreeMap<String, String>>,
    annotations: Option<BTreeMap<String, String>>,
    owner_references: Option<Vec<Owner>>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Owner {
    kind: String,
    name: String,
    controller: Option<bool>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Spec {
    node_name: Option<String>,
    host_network: Option<bool>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Status {
    phase: Option<String>,
    #[serde(rename = "podIP")]
    pod_ip: Option<String>,
    #[serde(rename = "hostIP")]
    host_ip: Option<String>,
    container_statuses: Option<Vec<ContainerStatus>>,
    init_container_statuses: Option<Vec<ContainerStatus>>,
    ephemeral_container_statuses: Option<Vec<ContainerStatus>>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct ContainerStatus {
    name: String,
    #[serde(rename = "containerID")]
    container_id: Option<String>,
    image: Option<String>,
    state: Option<ContainerState>,
    last_state: Option<ContainerState>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct ContainerState {
    running: Option<serde::de::IgnoredAny>,
    terminated: Option<Terminated>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Terminated {
    #[serde(rename = "containerID")]
    container_id: Option<String>,
}

/// What is taken from where a pod itself does not tell.
#[derive(Clone, Debug, Default)]
pub(super) struct Defaults {
    pub(super) labels: PodLabels,
    /// For pods in the host's network whose status has no address: the kubelet gives static pods none.
    pub(super) host_ip: Option<String>,
}

impl ApiPod {
    /// `None` for what has no name or no uid.
    pub(super) fn facts(self, defaults: &Defaults) -> Option<(PodFacts, Vec<ContainerFacts>)> {
        let Self { metadata, spec, mut status } = self;
        if metadata.uid.is_empty() || metadata.name.is_empty() {
            return None;
        }
        let annotation = |name: &str| metadata.annotations.as_ref()?.get(name).cloned();
        let hash = annotation(MIRROR).and(annotation(HASH)).filter(|hash| *hash != metadata.uid);
        let label = |name: &str| metadata.labels.as_ref()?.get(name).map(String::as_str);
        let host_network = spec.host_network.unwrap_or_default();
        let owner = metadata.owner_references.unwrap_or_default();
        let owner = owner.into_iter().find(|owner| owner.controller == Some(true));
        let host_ip = || given(status.host_ip.take()).or_else(|| defaults.host_ip.clone());
        let pod = Pod {
            ip: given(status.pod_ip.take()).or_else(|| host_network.then(host_ip)?),
            namespace: metadata.namespace,
            name: metadata.name,
            node: given(spec.node_name),
            host_network,
            owner: owner.map(|owner| (owner.kind, owner.name)),
            labels: defaults.labels.of(label),
            ended: matches!(status.phase.as_deref(), Some("Succeeded" | "Failed")),
            uid: metadata.uid,
        };
        let uid = hash.clone().unwrap_or_else(|| pod.uid.clone());
        let all = [
            status.init_container_statuses,
            status.container_statuses,
            status.ephemeral_container_statuses,
        ];
        let all = all.into_iter().flatten().flatten();
        let containers = all.flat_map(|status| status.facts(&uid)).collect();
        Some((PodFacts { pod, hash, lost: false }, containers))
    }
}

impl ContainerStatus {
    /// The container of now, and the one before.
    fn facts(self, uid: &str) -> impl Iterator<Item = ContainerFacts> + use<> {
        let running = self.state.as_ref().is_some_and(|state| state.running.is_some());
        let ended = |state: Option<ContainerState>| state?.terminated?.container_id;
        let ids = [
            (self.container_id, running),
            (ended(self.state), false),
            (ended(self.last_state), false),
        ];
        let (name, image, uid) = (self.name, given(self.image), uid.to_owned());
        let mut seen: Option<String> = None;
        ids.into_iter().filter_map(move |(id, running)| {
            let id = bare(&id?)?;
            if seen.as_ref() == Some(&id) {
                return None;
            }
            seen = Some(id.clone());
            let (name, image) = (name.clone(), image.clone());
            let container = Container { id, name, image, running, ..Container::default() };
            Some(ContainerFacts { container, pod: Some(uid.clone()) })
        })
    }
}

/// The id of `docker://ID`, `containerd://ID`, `cri-o://ID`.
fn bare(id: &str) -> Option<String> {
    let bare = id.split_once("://").map_or(id, |(_, id)| id);
    is_id(bare.as_bytes()).then(|| bare.to_owned())
}

fn given(text: Option<String>) -> Option<String> {
    text.filter(|text| !text.is_empty())
}

/// All pods of a list. What cannot be read of one pod is no reason to leave out the others.
pub(super) fn facts(pods: impl IntoIterator<Item = ApiPod>, defaults: &Defaults) -> Facts {
    let mut facts = Facts::default();
    for (pod, containers) in pods.into_iter().filter_map(|pod| pod.facts(defaults)) {
        facts.pods.push(pod);
        facts.containers.extend(containers);
    }
    facts
}

#[cfg(test)]
mod tests;
