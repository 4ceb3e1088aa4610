//! `kube_pod_*`: core/v1 Pod.

use serde::Deserialize;

use super::{Key, Needs, Resource, Scope, Version};
use crate::family::{Counter, Gauge, Open};
use crate::object::{List, Meta, objects};
use crate::rendered::Samples;

pub(super) static PODS: Resource<Pod> = Resource {
    plural: "pods",
    versions: &[Version::new("", "v1")],
    scope: Scope::Namespaced,
    default: true,
    needs: Needs::Everything,
    key: Key::NamespaceNameUid("pod"),
    families: &[
        &Open::annotations("kube_pod_annotations", "The pod's annotations that were chosen, as labels."),
        &Counter::new(
            "kube_pod_container_status_restarts_total",
            "How often the container was restarted.",
            ["container"],
            restarts,
        )
        .stable(),
        &Gauge::new("kube_pod_created", "When the pod object was created.", [], created).stable(),
        &Open::labels("kube_pod_labels", "The pod's labels that were chosen, as labels.").stable(),
        &Gauge::new(
            "kube_pod_status_phase",
            "1 for the phase the pod is in, 0 for the others.",
            ["phase"],
            phase,
        )
        .stable(),
    ],
};

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Pod {
    metadata: Meta,
    status: Status,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Status {
    phase: String,
    container_statuses: List<ContainerStatus>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct ContainerStatus {
    name: String,
    restart_count: i64,
}

objects!(Pod);

fn restarts(pod: &Pod, out: &mut Samples<'_, 1>) {
    for container in &pod.status.container_statuses {
        out.sample(&container.name, container.restart_count);
    }
}

fn created(pod: &Pod, out: &mut Samples<'_, 0>) {
    out.maybe((), pod.metadata.creation_timestamp.map(crate::object::Time::seconds));
}

fn phase(pod: &Pod, out: &mut Samples<'_, 1>) {
    if pod.status.phase.is_empty() {
        return;
    }
    for phase in ["Pending", "Succeeded", "Failed", "Unknown", "Running"] {
        out.sample(phase, phase == pod.status.phase);
    }
}
