//! What of an object is read; everything else is passed over.

use serde::Deserialize;

use super::rules::Pairs;

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Metadata {
    labels: Option<Pairs>,
    annotations: Option<Pairs>,
    deletion_timestamp: Option<serde::de::IgnoredAny>,
}

impl Metadata {
    /// Labels and annotations; Go writes `null` for an empty map.
    pub fn pairs(&mut self) -> (Pairs, Pairs) {
        (self.labels.take().unwrap_or_default(), self.annotations.take().unwrap_or_default())
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Node {
    pub metadata: Metadata,
    status: Option<NodeStatus>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct NodeStatus {
    addresses: Option<Vec<NodeAddress>>,
}

#[derive(Debug, Deserialize)]
struct NodeAddress {
    #[serde(rename = "type", default)]
    kind: String,
    #[serde(default)]
    address: String,
}

impl Node {
    pub(super) fn has_address(&self) -> bool {
        self.status.iter().flat_map(|status| &status.addresses).flatten().next().is_some()
    }

    /// The first address of a type, such as `InternalIP`.
    pub fn address(&self, kind: &str) -> Option<&str> {
        let mut addresses = self.status.iter().flat_map(|status| &status.addresses).flatten();
        let found = addresses.find(|address| address.kind == kind && !address.address.is_empty());
        found.map(|address| address.address.as_str())
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Pod {
    pub metadata: Metadata,
    spec: Option<PodSpec>,
    status: Option<PodStatus>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct PodSpec {
    node_name: Option<String>,
    containers: Option<Vec<Container>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Container {
    ports: Option<Vec<ContainerPort>>,
}

#[derive(Debug, Deserialize)]
struct ContainerPort {
    name: Option<String>,
    #[serde(rename = "containerPort")]
    number: i64,
    protocol: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct PodStatus {
    phase: Option<String>,
    #[serde(rename = "podIP")]
    pod_ip: Option<String>,
    container_statuses: Option<Vec<ContainerStatus>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ContainerStatus {
    state: Option<ContainerState>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ContainerState {
    terminated: Option<serde::de::IgnoredAny>,
}

impl Pod {
    pub fn node(&self) -> &str {
        self.spec.as_ref().and_then(|spec| spec.node_name.as_deref()).unwrap_or_default()
    }

    /// The address while the pod has one and has not ended. A pod that is being deleted is scraped until its last
    /// container has exited.
    pub fn ip(&self) -> Option<&str> {
        let status = self.status.as_ref()?;
        let ended = matches!(status.phase.as_deref(), Some("Succeeded" | "Failed"));
        let exited = |one: &ContainerStatus| {
            one.state.as_ref().is_some_and(|state| state.terminated.is_some())
        };
        let containers = status.container_statuses.as_deref().unwrap_or_default();
        let gone = self.metadata.deletion_timestamp.is_some()
            && !containers.is_empty()
            && containers.iter().all(exited);
        status.pod_ip.as_deref().filter(|ip| !ip.is_empty() && !ended && !gone)
    }

    /// Name and number of the TCP ports that containers declare.
    pub fn ports(&self) -> impl Iterator<Item = (&str, i64)> {
        let containers = self.spec.iter().flat_map(|spec| &spec.containers).flatten();
        let ports = containers.flat_map(|container| &container.ports).flatten();
        let tcp = ports.filter(|port| port.protocol.as_deref().is_none_or(|p| p == "TCP"));
        tcp.map(|port| (port.name.as_deref().unwrap_or_default(), port.number))
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Service {
    pub metadata: Metadata,
    spec: Option<ServiceSpec>,
    status: Option<ServiceStatus>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct ServiceSpec {
    #[serde(rename = "clusterIP")]
    cluster_ip: Option<String>,
    #[serde(rename = "externalIPs")]
    external_ips: Option<Vec<String>>,
    ports: Option<Vec<NumberedPort>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct ServiceStatus {
    load_balancer: Option<LoadBalancer>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct LoadBalancer {
    ingress: Option<Vec<Ingress>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Ingress {
    ip: Option<String>,
    hostname: Option<String>,
}

/// A port of a service, of Endpoints or of an `EndpointSlice`.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(default)]
pub struct NumberedPort {
    name: Option<String>,
    port: Option<i64>,
    protocol: Option<String>,
}

impl NumberedPort {
    fn tcp(ports: Option<&Vec<Self>>) -> impl Iterator<Item = (&str, i64)> {
        let tcp = |port: &&Self| port.protocol.as_deref().is_none_or(|p| p == "TCP");
        let ports = ports.into_iter().flatten().filter(tcp);
        ports.filter_map(|port| Some((port.name.as_deref().unwrap_or_default(), port.port?)))
    }

    pub fn pairs(ports: &[Self]) -> impl Iterator<Item = (&str, i64)> {
        let tcp = |port: &&Self| port.protocol.as_deref().is_none_or(|p| p == "TCP");
        let ports = ports.iter().filter(tcp);
        ports.filter_map(|port| Some((port.name.as_deref().unwrap_or_default(), port.port?)))
    }
}

impl Service {
    /// Empty for a headless service.
    pub fn cluster_ip(&self) -> Option<&str> {
        let ip = self.spec.as_ref()?.cluster_ip.as_deref()?;
        (!ip.is_empty() && ip != "None").then_some(ip)
    }

    /// What load balancers gave, and `externalIPs`.
    pub fn external(&self) -> impl Iterator<Item = &str> {
        let status = self.status.iter().flat_map(|status| &status.load_balancer);
        let ingress = status.flat_map(|balancer| &balancer.ingress).flatten();
        let given = ingress.filter_map(|one| one.ip.as_deref().or(one.hostname.as_deref()));
        let set = self.spec.iter().flat_map(|spec| &spec.external_ips).flatten();
        given.chain(set.map(String::as_str))
    }

    pub fn ports(&self) -> impl Iterator<Item = (&str, i64)> {
        NumberedPort::tcp(self.spec.as_ref().and_then(|spec| spec.ports.as_ref()))
    }
}
