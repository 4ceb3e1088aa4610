//! The addresses behind a service: `EndpointSlice` of discovery v1 and v1beta1, and core `Endpoints`.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::object::NumberedPort;
use super::rules::Pairs;

/// Addresses of one service that have the same ports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slice {
    pub service: Box<str>,
    pub ports: Vec<NumberedPort>,
    pub endpoints: Vec<Endpoint>,
}

/// One address, ready or not: what is not ready is to be seen as down, not to be gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    pub ip: Box<str>,
    /// Empty where it is not known.
    pub node: Box<str>,
    pub pod: Option<Box<str>>,
}

/// The label that names the service of a slice.
const SERVICE: &str = "kubernetes.io/service-name";
/// Where discovery v1beta1 has the node, unless a feature gate gives it `nodeName`.
const TOPOLOGY: &str = "kubernetes.io/hostname";

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct EndpointSlice {
    metadata: SliceMetadata,
    ports: Option<Vec<NumberedPort>>,
    endpoints: Option<Vec<SliceEndpoint>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct SliceMetadata {
    labels: Option<Pairs>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct SliceEndpoint {
    addresses: Option<Vec<String>>,
    node_name: Option<String>,
    topology: Option<BTreeMap<String, String>>,
    target_ref: Option<TargetRef>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct TargetRef {
    kind: Option<String>,
    name: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Endpoints {
    subsets: Option<Vec<Subset>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Subset {
    addresses: Option<Vec<Address>>,
    not_ready_addresses: Option<Vec<Address>>,
    ports: Option<Vec<NumberedPort>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Address {
    ip: String,
    node_name: Option<String>,
    target_ref: Option<TargetRef>,
}

fn pod(target: Option<TargetRef>) -> Option<Box<str>> {
    let target = target.filter(|target| target.kind.as_deref() == Some("Pod"))?;
    target.name.map(Into::into)
}

/// Of an `EndpointSlice`; empty where it belongs to no service.
pub(super) fn of_slice(raw: &str) -> Result<Vec<Slice>, serde_json::Error> {
    let slice: EndpointSlice = serde_json::from_str(raw)?;
    let service = slice.metadata.labels.and_then(|mut labels| labels.remove(SERVICE));
    let Some(service) = service else { return Ok(Vec::new()) };
    let endpoints = slice.endpoints.into_iter().flatten().filter_map(|one| {
        // Consumers take the first of the addresses, says the API.
        let ip = one.addresses?.into_iter().next()?;
        let topology = one.topology.and_then(|mut topology| topology.remove(TOPOLOGY));
        let node = one.node_name.or(topology).unwrap_or_default();
        Some(Endpoint { ip: ip.into(), node: node.into(), pod: pod(one.target_ref) })
    });
    let endpoints = endpoints.collect();
    let ports = slice.ports.unwrap_or_default();
    Ok(vec![Slice { service: service.into(), ports, endpoints }])
}

/// Of an `Endpoints` object, whose name is the service's.
pub(super) fn of_endpoints(name: &str, raw: &str) -> Result<Vec<Slice>, serde_json::Error> {
    let endpoints: Endpoints = serde_json::from_str(raw)?;
    let slices = endpoints.subsets.into_iter().flatten().map(|subset| {
        let addresses = subset.addresses.into_iter().chain(subset.not_ready_addresses).flatten();
        let endpoints = addresses.map(|address| Endpoint {
            ip: address.ip.into(),
            node: address.node_name.unwrap_or_default().into(),
            pod: pod(address.target_ref),
        });
        let ports = subset.ports.unwrap_or_default();
        Slice { service: name.into(), ports, endpoints: endpoints.collect() }
    });
    Ok(slices.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slices_of_both_versions_and_endpoints_say_the_same() {
        let old = r#"{"metadata":{"labels":{"kubernetes.io/service-name":"web"}},"addressType":"IPv4",
            "endpoints":[{"addresses":["10.0.0.1"],"conditions":{"ready":false},
            "topology":{"kubernetes.io/hostname":"w1"},"targetRef":{"kind":"Pod","name":"web-1"}}],
            "ports":[{"name":"http","port":80,"protocol":"TCP"}]}"#;
        let new = r#"{"metadata":{"labels":{"kubernetes.io/service-name":"web"}},"addressType":"IPv4",
            "endpoints":[{"addresses":["10.0.0.1"],"nodeName":"w1","targetRef":{"kind":"Pod",
            "name":"web-1"}}],"ports":[{"name":"http","port":80,"protocol":"TCP"}]}"#;
        let core = r#"{"subsets":[{"notReadyAddresses":[{"ip":"10.0.0.1","nodeName":"w1",
            "targetRef":{"kind":"Pod","name":"web-1"}}],
            "ports":[{"name":"http","port":80,"protocol":"TCP"}]}]}"#;
        let expected = of_slice(new).unwrap();
        assert_eq!(of_slice(old).unwrap(), expected);
        assert_eq!(of_endpoints("web", core).unwrap(), expected);
        assert_eq!(&*expected[0].endpoints[0].node, "w1");
    }

    #[test]
    fn what_is_null_or_missing_is_empty() {
        let null = r#"{"metadata":{"labels":{"kubernetes.io/service-name":"web"}},"endpoints":null,"ports":null}"#;
        assert!(of_slice(null).unwrap()[0].endpoints.is_empty());
        assert!(of_slice("{}").unwrap().is_empty());
        assert!(of_endpoints("web", r#"{"subsets":null}"#).unwrap().is_empty());
    }
}
