//! `kube_endpoint_*`: core/v1 Endpoints, which endpoint slices follow.

use serde::Deserialize;

use super::shared::{created, exists};
use super::{Key, Needs, Resource, Scope, Version};
use crate::family::{Gauge, Open};
use crate::object::{List, Meta, objects};
use crate::rendered::Samples;

pub(super) static ENDPOINTS: Resource<Endpoints> = Resource {
    plural: "endpoints",
    versions: &[Version::new("", "v1")],
    scope: Scope::Namespaced,
    default: false,
    needs: Needs::Everything,
    key: Key::NamespaceName("endpoint"),
    families: &[
        &Gauge::new(
            "kube_endpoint_address",
            "1 for each port of each address, with whether it is ready.",
            ["port_protocol", "port_number", "port_name", "ip", "ready"],
            address,
        )
        .stable(),
        &Gauge::new(
            "kube_endpoint_address_available",
            "How many pairs of a port and a ready address there are.",
            [],
            available,
        )
        .compat(),
        &Gauge::new(
            "kube_endpoint_address_not_ready",
            "How many pairs of a port and an address that is not ready there are.",
            [],
            not_ready,
        )
        .compat(),
        &Open::annotations(
            "kube_endpoint_annotations",
            "The endpoints' annotations that were chosen, as labels.",
        ),
        &Gauge::new(
            "kube_endpoint_created",
            "When the endpoints were created, in seconds since 1970.",
            [],
            created,
        )
        .stable(),
        &Gauge::new("kube_endpoint_info", "1 for each endpoints object.", [], exists).stable(),
        &Open::labels("kube_endpoint_labels", "The endpoints' labels that were chosen, as labels.")
            .stable(),
        &Gauge::new(
            "kube_endpoint_ports",
            "1 for each port of the endpoints.",
            ["port_name", "port_protocol", "port_number"],
            ports,
        )
        .stable()
        .deprecated("v2.14.0"),
    ],
};

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Endpoints {
    metadata: Meta,
    subsets: List<Subset>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Subset {
    addresses: List<Address>,
    not_ready_addresses: List<Address>,
    ports: List<Port>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Address {
    ip: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Port {
    name: String,
    #[serde(rename = "port")]
    number: i32,
    protocol: String,
}

objects!(Endpoints);

fn address(endpoints: &Endpoints, out: &mut Samples<'_, 5>) {
    for subset in &endpoints.subsets {
        for Port { name, number, protocol } in &subset.ports {
            for Address { ip } in &subset.addresses {
                out.sample((protocol, number, name, ip, "true"), 1_u8);
            }
            for Address { ip } in &subset.not_ready_addresses {
                out.sample((protocol, number, name, ip, "false"), 1_u8);
            }
        }
    }
}

fn available(endpoints: &Endpoints, out: &mut Samples<'_, 0>) {
    let pairs = |subset: &Subset| subset.ports.len() * subset.addresses.len();
    out.sample((), endpoints.subsets.iter().map(pairs).sum::<usize>());
}

fn not_ready(endpoints: &Endpoints, out: &mut Samples<'_, 0>) {
    let pairs = |subset: &Subset| subset.ports.len() * subset.not_ready_addresses.len();
    out.sample((), endpoints.subsets.iter().map(pairs).sum::<usize>());
}

fn ports(endpoints: &Endpoints, out: &mut Samples<'_, 3>) {
    for Port { name, number, protocol } in endpoints.subsets.iter().flat_map(|subset| &subset.ports)
    {
        out.sample((name, protocol, number), 1_u8);
    }
}
