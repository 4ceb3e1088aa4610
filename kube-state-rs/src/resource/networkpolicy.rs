//! `kube_networkpolicy_*`: networking.k8s.io `NetworkPolicy`.

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::{Key, Needs, Resource, Scope, Version};
use crate::family::{Gauge, Open};
use crate::object::{List, Meta, Time, objects};
use crate::rendered::Samples;

pub(super) static NETWORKPOLICIES: Resource<NetworkPolicy> = Resource {
    plural: "networkpolicies",
    versions: &[Version::new("networking.k8s.io", "v1")],
    scope: Scope::Namespaced,
    default: true,
    needs: Needs::Everything,
    key: Key::NamespaceName("networkpolicy"),
    families: &[
        &Open::annotations(
            "kube_networkpolicy_annotations",
            "The network policy's annotations that were chosen, as labels.",
        ),
        &Gauge::new(
            "kube_networkpolicy_created",
            "When the network policy was created, in seconds since 1970.",
            [],
            created,
        ),
        &Open::labels(
            "kube_networkpolicy_labels",
            "The network policy's labels that were chosen, as labels.",
        ),
        &Gauge::new(
            "kube_networkpolicy_spec_egress_rules",
            "How many rules for outgoing traffic the network policy has.",
            [],
            egress,
        ),
        &Gauge::new(
            "kube_networkpolicy_spec_ingress_rules",
            "How many rules for incoming traffic the network policy has.",
            [],
            ingress,
        ),
    ],
};

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct NetworkPolicy {
    metadata: Meta,
    spec: Spec,
}

/// The rules are counted, not read.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Spec {
    ingress: List<IgnoredAny>,
    egress: List<IgnoredAny>,
}

objects!(NetworkPolicy);

fn created(policy: &NetworkPolicy, out: &mut Samples<'_, 0>) {
    out.sample((), Time::seconds_of(policy.metadata.creation_timestamp));
}

fn egress(policy: &NetworkPolicy, out: &mut Samples<'_, 0>) {
    out.sample((), policy.spec.egress.len());
}

fn ingress(policy: &NetworkPolicy, out: &mut Samples<'_, 0>) {
    out.sample((), policy.spec.ingress.len());
}
