//! `kube_namespace_*`: core/v1 Namespace.

use serde::Deserialize;

use super::shared::{conditions, created};
use super::{Key, Needs, Resource, Scope, Version};
use crate::family::{Gauge, Open};
use crate::object::{Condition, List, Meta, objects};
use crate::rendered::Samples;

pub(super) static NAMESPACES: Resource<Namespace> = Resource {
    plural: "namespaces",
    versions: &[Version::new("", "v1")],
    scope: Scope::Cluster,
    default: true,
    needs: Needs::Everything,
    key: Key::Name("namespace"),
    families: &[
        &Open::annotations(
            "kube_namespace_annotations",
            "The namespace's annotations that were chosen, as labels.",
        ),
        &Gauge::new(
            "kube_namespace_created",
            "When the namespace was created, in seconds since 1970.",
            [],
            created,
        )
        .stable(),
        &Open::labels(
            "kube_namespace_labels",
            "The namespace's labels that were chosen, as labels.",
        )
        .stable(),
        &Gauge::new(
            "kube_namespace_status_condition",
            "1 for the status that the condition has, 0 for the others.",
            ["condition", "status"],
            |namespace: &Namespace, out| conditions(&namespace.status.conditions, out),
        ),
        &Gauge::new(
            "kube_namespace_status_phase",
            "1 for the phase the namespace is in, 0 for the other.",
            ["phase"],
            phase,
        )
        .stable(),
    ],
};

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Namespace {
    metadata: Meta,
    status: Status,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Status {
    conditions: List<Condition>,
    phase: String,
}

objects!(Namespace);

/// Both samples are there without a phase, too.
fn phase(namespace: &Namespace, out: &mut Samples<'_, 1>) {
    for phase in ["Active", "Terminating"] {
        out.sample(phase, phase == namespace.status.phase);
    }
}
