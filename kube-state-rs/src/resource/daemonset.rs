//! `kube_daemonset_*`: apps/v1 `DaemonSet`.

use serde::Deserialize;

use super::shared::{created, deletion, generation};
use super::{Key, Needs, Resource, Scope, Version};
use crate::family::{Gauge, Open};
use crate::object::{Meta, objects};
use crate::rendered::Samples;

pub(super) static DAEMONSETS: Resource<DaemonSet> = Resource {
    plural: "daemonsets",
    versions: &[Version::new("apps", "v1")],
    scope: Scope::Namespaced,
    default: true,
    needs: Needs::Everything,
    key: Key::NamespaceName("daemonset"),
    families: &[
        &Open::annotations(
            "kube_daemonset_annotations",
            "The daemon set's annotations that were chosen, as labels.",
        ),
        &Gauge::new(
            "kube_daemonset_created",
            "When the daemon set was created, in seconds since 1970.",
            [],
            created,
        )
        .stable(),
        &Gauge::new(
            "kube_daemonset_deletion_timestamp",
            "When the daemon set is to be deleted, in seconds since 1970.",
            [],
            deletion,
        ),
        &Open::labels(
            "kube_daemonset_labels",
            "The daemon set's labels that were chosen, as labels.",
        )
        .stable(),
        &Gauge::new(
            "kube_daemonset_metadata_generation",
            "How often the wanted state was changed.",
            [],
            generation,
        )
        .stable(),
        &Gauge::new(
            "kube_daemonset_status_current_number_scheduled",
            "Nodes that run the daemon and should.",
            [],
            |set: &DaemonSet, out| out.sample((), set.status.current_number_scheduled),
        )
        .stable(),
        &Gauge::new(
            "kube_daemonset_status_desired_number_scheduled",
            "Nodes that should run the daemon.",
            [],
            |set: &DaemonSet, out| out.sample((), set.status.desired_number_scheduled),
        )
        .stable(),
        &Gauge::new(
            "kube_daemonset_status_number_available",
            "Nodes that should run the daemon and have one that has been ready for long enough.",
            [],
            |set: &DaemonSet, out| out.sample((), set.status.number_available),
        )
        .stable(),
        &Gauge::new(
            "kube_daemonset_status_number_misscheduled",
            "Nodes that run the daemon and should not.",
            [],
            |set: &DaemonSet, out| out.sample((), set.status.number_misscheduled),
        )
        .stable(),
        &Gauge::new(
            "kube_daemonset_status_number_ready",
            "Nodes that should run the daemon and have one that is ready.",
            [],
            |set: &DaemonSet, out| out.sample((), set.status.number_ready),
        )
        .stable(),
        &Gauge::new(
            "kube_daemonset_status_number_unavailable",
            "Nodes that should run the daemon and have none that is available.",
            [],
            |set: &DaemonSet, out| out.sample((), set.status.number_unavailable),
        )
        .stable(),
        &Gauge::new(
            "kube_daemonset_status_observed_generation",
            "The generation that the controller has acted on.",
            [],
            |set: &DaemonSet, out| out.sample((), set.status.observed_generation),
        )
        .stable(),
        &Gauge::new(
            "kube_daemonset_status_updated_number_scheduled",
            "Nodes that run a daemon of the newest template.",
            [],
            updated,
        )
        .stable(),
        &Gauge::new(
            "kube_daemonset_updated_number_scheduled",
            "Nodes that run a daemon of the newest template.",
            [],
            updated,
        )
        .compat(),
    ],
};

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct DaemonSet {
    metadata: Meta,
    status: Status,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Status {
    observed_generation: i64,
    current_number_scheduled: i64,
    desired_number_scheduled: i64,
    number_available: i64,
    number_misscheduled: i64,
    number_ready: i64,
    number_unavailable: i64,
    updated_number_scheduled: i64,
}

objects!(DaemonSet);

fn updated(set: &DaemonSet, out: &mut Samples<'_, 0>) {
    out.sample((), set.status.updated_number_scheduled);
}
