//! `kube_statefulset_*`: apps/v1 `StatefulSet`.

use serde::Deserialize;

use super::shared::{created, deletion, generation};
use super::{Key, Needs, Resource, Scope, Version};
use crate::family::{Gauge, Open};
use crate::object::{Meta, objects};
use crate::rendered::Samples;

pub(super) static STATEFULSETS: Resource<StatefulSet> = Resource {
    plural: "statefulsets",
    versions: &[Version::new("apps", "v1")],
    scope: Scope::Namespaced,
    default: true,
    needs: Needs::Everything,
    key: Key::NamespaceName("statefulset"),
    families: &[
        &Open::annotations(
            "kube_statefulset_annotations",
            "The stateful set's annotations that were chosen, as labels.",
        )
        .stable(),
        &Gauge::new(
            "kube_statefulset_created",
            "When the stateful set was created, in seconds since 1970.",
            [],
            created,
        )
        .stable(),
        &Gauge::new(
            "kube_statefulset_deletion_timestamp",
            "When the stateful set is to be deleted, in seconds since 1970.",
            [],
            deletion,
        )
        .stable(),
        &Open::labels(
            "kube_statefulset_labels",
            "The stateful set's labels that were chosen, as labels.",
        )
        .stable(),
        &Gauge::new(
            "kube_statefulset_metadata_generation",
            "How often the wanted state was changed.",
            [],
            generation,
        )
        .stable(),
        &Gauge::new(
            "kube_statefulset_ordinals_start",
            "The number that the first pod's name ends in.",
            [],
            ordinals_start,
        )
        .stable(),
        &Gauge::new(
            "kube_statefulset_persistentvolumeclaim_retention_policy",
            "1, with what becomes of the volume claims when the set is deleted or scaled down.",
            ["when_deleted", "when_scaled"],
            retention_policy,
        )
        .stable(),
        &Gauge::new(
            "kube_statefulset_replicas",
            "Pods that are wanted.",
            [],
            |set: &StatefulSet, out| out.maybe((), set.spec.replicas),
        )
        .stable(),
        &Gauge::new(
            "kube_statefulset_status_current_revision",
            "1, with the revision of the pods that were not updated yet.",
            ["revision"],
            |set: &StatefulSet, out| out.sample(&set.status.current_revision, 1_u8),
        )
        .stable(),
        &Gauge::new(
            "kube_statefulset_status_observed_generation",
            "The generation that the controller has acted on.",
            [],
            |set: &StatefulSet, out| out.sample((), set.status.observed_generation),
        )
        .stable(),
        &Gauge::new(
            "kube_statefulset_status_replicas",
            "Pods that there are.",
            [],
            |set: &StatefulSet, out| out.sample((), set.status.replicas),
        )
        .stable(),
        &Gauge::new(
            "kube_statefulset_status_replicas_available",
            "Pods that have been ready for long enough.",
            [],
            |set: &StatefulSet, out| out.sample((), set.status.available_replicas),
        )
        .stable(),
        &Gauge::new(
            "kube_statefulset_status_replicas_current",
            "Pods of the current revision.",
            [],
            |set: &StatefulSet, out| out.sample((), set.status.current_replicas),
        )
        .stable(),
        &Gauge::new(
            "kube_statefulset_status_replicas_ready",
            "Pods that are ready.",
            [],
            |set: &StatefulSet, out| out.sample((), set.status.ready_replicas),
        )
        .stable(),
        &Gauge::new(
            "kube_statefulset_status_replicas_updated",
            "Pods of the revision that is rolled out.",
            [],
            |set: &StatefulSet, out| out.sample((), set.status.updated_replicas),
        )
        .stable(),
        &Gauge::new(
            "kube_statefulset_status_update_revision",
            "1, with the revision that is rolled out.",
            ["revision"],
            |set: &StatefulSet, out| out.sample(&set.status.update_revision, 1_u8),
        )
        .stable(),
    ],
};

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct StatefulSet {
    metadata: Meta,
    spec: Spec,
    status: Status,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Spec {
    replicas: Option<i64>,
    ordinals: Option<Ordinals>,
    persistent_volume_claim_retention_policy: RetentionPolicy,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Ordinals {
    start: i64,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct RetentionPolicy {
    when_deleted: String,
    when_scaled: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Status {
    observed_generation: i64,
    replicas: i64,
    available_replicas: i64,
    current_replicas: i64,
    ready_replicas: i64,
    updated_replicas: i64,
    current_revision: String,
    update_revision: String,
}

objects!(StatefulSet);

fn ordinals_start(set: &StatefulSet, out: &mut Samples<'_, 0>) {
    out.maybe((), set.spec.ordinals.as_ref().map(|ordinals| ordinals.start));
}

fn retention_policy(set: &StatefulSet, out: &mut Samples<'_, 2>) {
    let RetentionPolicy { when_deleted, when_scaled } =
        &set.spec.persistent_volume_claim_retention_policy;
    if !when_deleted.is_empty() || !when_scaled.is_empty() {
        out.sample((when_deleted, when_scaled), 1_u8);
    }
}
