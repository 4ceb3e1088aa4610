//! `kube_endpointslice_*`: discovery.k8s.io `EndpointSlice`.

use serde::Deserialize;

use super::shared::{created, truth};
use super::{Key, Needs, Resource, Scope, Version};
use crate::family::{Gauge, Open};
use crate::object::{List, Meta, objects};
use crate::rendered::Samples;

pub(super) static ENDPOINTSLICES: Resource<EndpointSlice> = Resource {
    plural: "endpointslices",
    versions: &[
        Version::new("discovery.k8s.io", "v1"),
        Version::new("discovery.k8s.io", "v1beta1"),
    ],
    scope: Scope::Namespaced,
    default: true,
    needs: Needs::Everything,
    key: Key::NamespaceName("endpointslice"),
    families: &[
        &Open::annotations(
            "kube_endpointslice_annotations",
            "The endpoint slice's annotations that were chosen, as labels.",
        ),
        &Gauge::new(
            "kube_endpointslice_created",
            "When the endpoint slice was created, in seconds since 1970.",
            [],
            created,
        ),
        &Gauge::new(
            "kube_endpointslice_endpoints",
            "1 for each address of each endpoint, with its conditions, its target and where it is.",
            [
                "ready",
                "serving",
                "hostname",
                "terminating",
                "targetref_kind",
                "targetref_name",
                "targetref_namespace",
                "endpoint_nodename",
                "endpoint_zone",
                "address",
            ],
            endpoints,
        ),
        &Gauge::new(
            "kube_endpointslice_endpoints_hints",
            "1 for each zone that should use an endpoint, which its first address names.",
            ["address", "for_zone"],
            hints,
        ),
        &Gauge::new(
            "kube_endpointslice_info",
            "1, with the type of the endpoint slice's addresses.",
            ["addresstype"],
            info,
        ),
        &Open::labels(
            "kube_endpointslice_labels",
            "The endpoint slice's labels that were chosen, as labels.",
        ),
        &Gauge::new(
            "kube_endpointslice_ports",
            "1 for each port of the endpoint slice.",
            ["port_name", "port_protocol", "port_number"],
            ports,
        ),
    ],
};

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct EndpointSlice {
    metadata: Meta,
    address_type: String,
    endpoints: List<Endpoint>,
    ports: List<Port>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Endpoint {
    addresses: List<String>,
    conditions: Conditions,
    hostname: Option<String>,
    target_ref: Option<Target>,
    node_name: Option<String>,
    zone: Option<String>,
    hints: Option<Hints>,
    /// In v1beta1 only, which has no zone and before Kubernetes 1.20 no node name.
    topology: Option<Topology>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Conditions {
    ready: Option<bool>,
    serving: Option<bool>,
    terminating: Option<bool>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Target {
    kind: String,
    name: String,
    namespace: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Hints {
    for_zones: List<Zone>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Zone {
    name: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Topology {
    #[serde(rename = "kubernetes.io/hostname")]
    node: Option<String>,
    #[serde(rename = "topology.kubernetes.io/zone")]
    zone: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Port {
    name: Option<String>,
    protocol: Option<String>,
    #[serde(rename = "port")]
    number: Option<i32>,
}

objects!(EndpointSlice);

impl Endpoint {
    fn node(&self) -> &str {
        let topology = || self.topology.as_ref()?.node.as_deref();
        self.node_name.as_deref().or_else(topology).unwrap_or_default()
    }

    fn zone(&self) -> &str {
        let topology = || self.topology.as_ref()?.zone.as_deref();
        self.zone.as_deref().or_else(topology).unwrap_or_default()
    }
}

fn endpoints(slice: &EndpointSlice, out: &mut Samples<'_, 10>) {
    for endpoint in &slice.endpoints {
        let Conditions { ready, serving, terminating } = endpoint.conditions;
        let target = endpoint.target_ref.as_ref();
        let labels = |address| {
            [
                truth(ready),
                truth(serving),
                endpoint.hostname.as_deref().unwrap_or_default(),
                truth(terminating),
                target.map_or("", |target| &target.kind),
                target.map_or("", |target| &target.name),
                target.map_or("", |target| &target.namespace),
                endpoint.node(),
                endpoint.zone(),
                address,
            ]
        };
        for address in &endpoint.addresses {
            out.sample(&labels(address), 1_u8);
        }
    }
}

fn hints(slice: &EndpointSlice, out: &mut Samples<'_, 2>) {
    for endpoint in &slice.endpoints {
        let (Some(hints), Some(address)) = (&endpoint.hints, endpoint.addresses.first()) else {
            continue;
        };
        for zone in &hints.for_zones {
            out.sample((address, &zone.name), 1_u8);
        }
    }
}

fn info(slice: &EndpointSlice, out: &mut Samples<'_, 1>) {
    out.sample(&slice.address_type, 1_u8);
}

fn ports(slice: &EndpointSlice, out: &mut Samples<'_, 3>) {
    for port in &slice.ports {
        let name = port.name.as_deref().unwrap_or_default();
        let protocol = port.protocol.as_deref().unwrap_or_default();
        match port.number {
            Some(number) => out.sample((name, protocol, number), 1_u8),
            None => out.sample((name, protocol, ""), 1_u8),
        }
    }
}
