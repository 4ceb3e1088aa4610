//! What docker's list of containers tells: labels that the kubelet (dockershim, cri-dockerd) gives its containers, names,
//! and addresses of docker's own networks.

use std::collections::HashMap;

use bollard::models::{ContainerSummary, ContainerSummaryStateEnum, EndpointSettings};

use super::Settings;
use crate::identity::cgroup::{RuntimeName, is_id};
use crate::identity::{Container, ContainerFacts, Facts, Pod, PodFacts};

/// A container as the list has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Summary {
    pub(super) id: String,
    /// Without the slash.
    name: String,
    image: Option<String>,
    labels: HashMap<String, String>,
    pub(super) running: bool,
    created: i64,
    pub(super) ip: Option<String>,
    pub(super) host_network: bool,
    /// `NetworkMode` is `container:ID`: whose network it shares.
    shares: Option<String>,
}

impl Summary {
    pub(super) fn of(summary: ContainerSummary) -> Option<Self> {
        use ContainerSummaryStateEnum::{PAUSED, RUNNING, STOPPING};
        let id = summary.id.filter(|id| is_id(id.as_bytes()))?;
        let mode = summary.host_config.and_then(|host| host.network_mode).unwrap_or_default();
        let networks = summary.network_settings.and_then(|network| network.networks);
        // Names of links stand beside the own one as `/other/alias`.
        let names = summary.names.unwrap_or_default();
        let own = names.iter().map(|name| name.trim_start_matches('/')).find(|n| !n.contains('/'));
        Some(Self {
            name: own.unwrap_or_default().to_owned(),
            id,
            image: summary.image.filter(|image| !image.is_empty()),
            labels: summary.labels.unwrap_or_default(),
            running: matches!(summary.state, Some(RUNNING | PAUSED | STOPPING)),
            created: summary.created.unwrap_or_default(),
            ip: address(&networks.unwrap_or_default()),
            host_network: mode == "host",
            shares: mode.strip_prefix("container:").map(str::to_owned),
        })
    }

    fn label(&self, name: &str) -> Option<&str> {
        self.labels.get(name).map(String::as_str).filter(|text| !text.is_empty())
    }

    /// The pause container, which holds the network of its pod.
    pub(super) fn is_sandbox(&self) -> bool {
        match self.label("io.kubernetes.docker.type") {
            Some(kind) => kind == "podsandbox",
            None => self.runtime_name().is_some_and(|name| name.container == b"POD"),
        }
    }

    fn runtime_name(&self) -> Option<RuntimeName<'_>> {
        RuntimeName::of(self.name.as_bytes())
    }

    /// Of a label, or of the runtime name where an old kubelet gives none.
    fn told(&self, label: &str, part: for<'n> fn(RuntimeName<'n>) -> &'n [u8]) -> Option<String> {
        let label = self.label(label).map(str::to_owned);
        label.or_else(|| Some(String::from_utf8_lossy(part(self.runtime_name()?)).into_owned()))
    }

    pub(super) fn pod_uid(&self) -> Option<String> {
        self.told("io.kubernetes.pod.uid", |name| name.uid)
    }

    fn pod(&self, settings: &Settings) -> Option<Pod> {
        Some(Pod {
            uid: self.pod_uid()?,
            namespace: self.told("io.kubernetes.pod.namespace", |name| name.namespace)?,
            name: self.told("io.kubernetes.pod.name", |name| name.pod)?,
            node: settings.node.clone(),
            ..Pod::default()
        })
    }
}

/// The first address in the order of docker's own choice of a gateway: by priority, then by the network's name.
fn address(networks: &HashMap<String, EndpointSettings>) -> Option<String> {
    let mut found: Vec<(i64, &String, &String)> = networks
        .iter()
        .filter_map(|(name, end)| {
            let given = |text: &&String| !text.is_empty();
            let v4 = end.ip_address.as_ref().filter(given);
            let address = v4.or(end.global_ipv6_address.as_ref().filter(given))?;
            Some((-end.gw_priority.unwrap_or_default(), name, address))
        })
        .collect();
    found.sort_unstable();
    found.first().map(|(_, _, address)| (*address).clone())
}

/// What a sandbox's process tells of its network.
pub(super) enum Inside {
    Host,
    Own(String),
    /// Nothing yet.
    Awaited,
}

pub(super) type Look<'a> = &'a dyn Fn(&str) -> Option<Inside>;

/// `past`: what pods had, by sandbox.
pub(super) fn facts(
    list: &[Summary],
    settings: &Settings,
    inside: Look<'_>,
    past: &HashMap<String, String>,
) -> Facts {
    let mut pods: HashMap<String, (bool, i64, PodFacts)> = HashMap::new();
    for summary in list {
        let Some(pod) = summary.pod(settings) else { continue };
        let mut pod = PodFacts::from(pod);
        // Of several sandboxes of a pod the one that runs is the pod's, and the newest is rather than an older one.
        let sandbox = summary.is_sandbox();
        let rank = (sandbox && summary.running, if sandbox { summary.created } else { 0 });
        if pods.get(&pod.pod.uid).is_some_and(|(running, created, _)| (*running, *created) > rank) {
            continue;
        }
        // Without a sandbox that runs there is no network.
        pod.lost = !sandbox;
        if sandbox {
            settle(&mut pod, summary, settings, inside);
        }
        pods.insert(pod.pod.uid.clone(), (rank.0, rank.1, pod));
    }
    let by_name: HashMap<&str, &Summary> = list
        .iter()
        .flat_map(|summary| [(summary.id.as_str(), summary), (summary.name.as_str(), summary)])
        .collect();
    let containers =
        list.iter().map(|summary| container(summary, &by_name, settings, past)).collect();
    let mut pods: Vec<PodFacts> = pods.into_values().map(|(_, _, pod)| pod).collect();
    // So that the same containers give the same facts.
    pods.sort_unstable_by(|a, b| a.pod.uid.cmp(&b.pod.uid));
    Facts { pods, containers, own: None }
}

/// What the sandbox alone knows of its pod.
fn settle(facts: &mut PodFacts, summary: &Summary, settings: &Settings, inside: Look<'_>) {
    let pod = &mut facts.pod;
    pod.labels = settings.labels.of(|name| summary.label(name));
    pod.host_network = summary.host_network;
    if summary.host_network {
        pod.ip.clone_from(&settings.host_ip);
        return;
    }
    if !summary.running {
        facts.lost = true;
        return;
    }
    if summary.ip.is_some() {
        pod.ip.clone_from(&summary.ip);
        return;
    }
    match inside(&summary.id) {
        Some(Inside::Host) => {
            pod.ip.clone_from(&settings.host_ip);
            pod.host_network = true;
        }
        Some(Inside::Own(address)) => pod.ip = Some(address),
        Some(Inside::Awaited) => facts.lost = true,
        None => {}
    }
}

fn container(
    summary: &Summary,
    all: &HashMap<&str, &Summary>,
    settings: &Settings,
    past: &HashMap<String, String>,
) -> ContainerFacts {
    let pod = summary.pod_uid();
    let plain = pod.is_none();
    let network = match &summary.shares {
        Some(other) => all.get(other.as_str()).copied().unwrap_or(summary),
        None => summary,
    };
    let address = if network.host_network { settings.host_ip.clone() } else { network.ip.clone() };
    let compose =
        || summary.label("com.docker.compose.service").filter(|_| settings.compose_service);
    let name = match pod {
        Some(_) if summary.is_sandbox() => Some("POD".to_owned()),
        Some(_) => summary.told("io.kubernetes.container.name", |name| name.container),
        None => compose().map(str::to_owned).or_else(|| Some(summary.name.clone())),
    };
    let container = Container {
        id: summary.id.clone(),
        pod: None,
        name: name.unwrap_or_default(),
        runtime_name: Some(summary.name.clone()).filter(|name| !name.is_empty()),
        image: summary.image.clone(),
        labels: settings.container_labels.of(|name| summary.label(name)),
        ip: if plain {
            address.filter(|_| network.running)
        } else {
            past.get(&network.id).cloned()
        },
        host_network: plain && network.host_network,
        running: summary.running,
    };
    ContainerFacts { container, pod }
}

#[cfg(test)]
mod tests;
