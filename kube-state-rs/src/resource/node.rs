//! `kube_node_*`: core/v1 Node.

use serde::Deserialize;

use super::amount::{ResourceName, Unit};
use super::shared::{conditions, created, deletion, one_of};
use super::{Key, Needs, Resource, Scope, Version};
use crate::family::{Gauge, Open};
use crate::object::{Condition, List, Map, Meta, objects};
use crate::quantity::Quantity;
use crate::rendered::Samples;

pub(super) static NODES: Resource<Node> = Resource {
    plural: "nodes",
    versions: &[Version::new("", "v1")],
    scope: Scope::Cluster,
    default: true,
    needs: Needs::Everything,
    key: Key::Name("node"),
    families: &[
        &Open::annotations(
            "kube_node_annotations",
            "The node's annotations that were chosen, as labels.",
        ),
        &Gauge::new(
            "kube_node_created",
            "When the node was created, in seconds since 1970.",
            [],
            created,
        )
        .stable(),
        &Gauge::new(
            "kube_node_deletion_timestamp",
            "When the node is to be gone, if it is being deleted, in seconds since 1970.",
            [],
            deletion,
        ),
        &Gauge::new(
            "kube_node_info",
            "1 for each node, with its versions and addresses.",
            [
                "kernel_version",
                "os_image",
                "container_runtime_version",
                "kubelet_version",
                "kubeproxy_version",
                "provider_id",
                "pod_cidr",
                "system_uuid",
                "internal_ip",
            ],
            info,
        )
        .stable(),
        &Open::labels("kube_node_labels", "The node's labels that were chosen, as labels.")
            .stable(),
        &Gauge::new("kube_node_role", "1 for each role of the node.", ["role"], roles),
        &Gauge::new(
            "kube_node_spec_pod_cidrs",
            "1 for each range of addresses that the pods of the node are given.",
            ["pod_cidr"],
            pod_cidrs,
        ),
        &Gauge::new(
            "kube_node_spec_taint",
            "1 for each taint of the node.",
            ["key", "value", "effect"],
            taints,
        )
        .stable(),
        &Gauge::new(
            "kube_node_spec_unschedulable",
            "1 if the node takes no new pods, else 0.",
            [],
            unschedulable,
        )
        .stable(),
        &Gauge::new(
            "kube_node_status_addresses",
            "1 for each address of the node.",
            ["type", "address"],
            addresses,
        ),
        &Gauge::new(
            "kube_node_status_allocatable",
            "How much of a resource pods can use, in the unit given.",
            ["resource", "unit"],
            |node: &Node, out| amounts(&node.status.allocatable, out),
        )
        .stable(),
        &Gauge::new(
            "kube_node_status_allocatable_cpu_cores",
            "How many CPU cores pods can use.",
            [],
            |node: &Node, out| amount(&node.status.allocatable, "cpu", out),
        )
        .compat(),
        &Gauge::new(
            "kube_node_status_allocatable_memory_bytes",
            "How many bytes of memory pods can use.",
            [],
            |node: &Node, out| amount(&node.status.allocatable, "memory", out),
        )
        .compat(),
        &Gauge::new(
            "kube_node_status_allocatable_pods",
            "How many pods can be placed on the node.",
            [],
            |node: &Node, out| amount(&node.status.allocatable, "pods", out),
        )
        .compat(),
        &Gauge::new(
            "kube_node_status_capacity",
            "How much of a resource the node has, in the unit given.",
            ["resource", "unit"],
            |node: &Node, out| amounts(&node.status.capacity, out),
        )
        .stable(),
        &Gauge::new(
            "kube_node_status_capacity_cpu_cores",
            "How many CPU cores the node has.",
            [],
            |node: &Node, out| amount(&node.status.capacity, "cpu", out),
        )
        .compat(),
        &Gauge::new(
            "kube_node_status_capacity_memory_bytes",
            "How many bytes of memory the node has.",
            [],
            |node: &Node, out| amount(&node.status.capacity, "memory", out),
        )
        .compat(),
        &Gauge::new(
            "kube_node_status_capacity_pods",
            "How many pods the node can hold.",
            [],
            |node: &Node, out| amount(&node.status.capacity, "pods", out),
        )
        .compat(),
        &Gauge::new(
            "kube_node_status_condition",
            "1 for the status that the condition has, 0 for the others.",
            ["condition", "status"],
            |node: &Node, out| conditions(&node.status.conditions, out),
        )
        .stable(),
        &Gauge::new(
            "kube_node_status_phase",
            "1 for the phase the node is in, 0 for the others.",
            ["phase"],
            phase,
        )
        .compat(),
    ],
};

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Node {
    metadata: Meta,
    spec: Spec,
    status: Status,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Spec {
    #[serde(rename = "podCIDR")]
    pod_cidr: String,
    #[serde(rename = "podCIDRs")]
    pod_cidrs: List<String>,
    #[serde(rename = "providerID")]
    provider_id: String,
    taints: List<Taint>,
    unschedulable: bool,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Taint {
    key: String,
    value: String,
    effect: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Status {
    addresses: List<Address>,
    allocatable: Map<Quantity>,
    capacity: Map<Quantity>,
    conditions: List<Condition>,
    node_info: Info,
    phase: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Address {
    #[serde(rename = "type")]
    kind: String,
    address: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Info {
    container_runtime_version: String,
    kernel_version: String,
    kubelet_version: String,
    os_image: String,
    #[serde(rename = "systemUUID")]
    system_uuid: String,
}

objects!(Node);

/// What a label's key starts with that gives a node a role.
const ROLE: &str = "node-role.kubernetes.io/";

fn info(node: &Node, out: &mut Samples<'_, 9>) {
    let (info, spec) = (&node.status.node_info, &node.spec);
    // The last one counts, as with the peer.
    let mut addresses = node.status.addresses.iter().rev();
    let internal = addresses.find(|address| address.kind == "InternalIP");
    let labels: [&str; 9] = [
        &info.kernel_version,
        &info.os_image,
        &info.container_runtime_version,
        &info.kubelet_version,
        // The API gives no true version of kube-proxy any more.
        "deprecated",
        &spec.provider_id,
        &spec.pod_cidr,
        &info.system_uuid,
        internal.map_or("", |address| &address.address),
    ];
    out.sample(&labels, 1_u8);
}

fn roles(node: &Node, out: &mut Samples<'_, 1>) {
    for role in node.metadata.labels.keys().filter_map(|key| key.strip_prefix(ROLE)) {
        out.sample(role, 1_u8);
    }
}

fn pod_cidrs(node: &Node, out: &mut Samples<'_, 1>) {
    for range in &node.spec.pod_cidrs {
        out.sample(range, 1_u8);
    }
}

fn taints(node: &Node, out: &mut Samples<'_, 3>) {
    for taint in &node.spec.taints {
        out.sample((&taint.key, &taint.value, &taint.effect), 1_u8);
    }
}

fn unschedulable(node: &Node, out: &mut Samples<'_, 0>) {
    out.sample((), node.spec.unschedulable);
}

fn addresses(node: &Node, out: &mut Samples<'_, 2>) {
    for address in &node.status.addresses {
        out.sample((&address.kind, &address.address), 1_u8);
    }
}

fn amounts(amounts: &Map<Quantity>, out: &mut Samples<'_, 2>) {
    for (resource, amount) in amounts {
        // Pods are nothing that a container asks for, but a node has room for some.
        let unit = if resource == "pods" { Some(Unit::Integer) } else { Unit::of(resource) };
        if let Some(unit) = unit {
            out.sample((ResourceName(resource), unit.word()), amount.as_f64());
        }
    }
}

fn amount(amounts: &Map<Quantity>, resource: &str, out: &mut Samples<'_, 0>) {
    out.maybe((), amounts.get(resource).copied().map(Quantity::as_f64));
}

fn phase(node: &Node, out: &mut Samples<'_, 1>) {
    one_of(&["Pending", "Running", "Terminated"], &node.status.phase, out);
}
