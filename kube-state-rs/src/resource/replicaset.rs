//! `kube_replicaset_*`: apps/v1 `ReplicaSet`.

use serde::Deserialize;

use super::shared::{created, generation, owners};
use super::{Key, Needs, Resource, Scope, Version};
use crate::family::{Gauge, Open};
use crate::object::{Meta, objects};

pub(super) static REPLICASETS: Resource<ReplicaSet> = Resource {
    plural: "replicasets",
    versions: &[Version::new("apps", "v1")],
    scope: Scope::Namespaced,
    default: true,
    needs: Needs::Everything,
    key: Key::NamespaceName("replicaset"),
    families: &[
        &Open::annotations(
            "kube_replicaset_annotations",
            "The replica set's annotations that were chosen, as labels.",
        ),
        &Gauge::new(
            "kube_replicaset_created",
            "When the replica set was created, in seconds since 1970.",
            [],
            created,
        )
        .stable(),
        &Open::labels(
            "kube_replicaset_labels",
            "The replica set's labels that were chosen, as labels.",
        )
        .stable(),
        &Gauge::new(
            "kube_replicaset_metadata_generation",
            "How often the wanted state was changed.",
            [],
            generation,
        )
        .stable(),
        &Gauge::new(
            "kube_replicaset_owner",
            "1 for each object that owns the replica set.",
            ["owner_kind", "owner_name", "owner_is_controller"],
            owners,
        )
        .stable(),
        &Gauge::new(
            "kube_replicaset_spec_replicas",
            "Pods that are wanted.",
            [],
            |set: &ReplicaSet, out| out.maybe((), set.spec.replicas),
        )
        .stable(),
        &Gauge::new(
            "kube_replicaset_status_fully_labeled_replicas",
            "Pods that carry all labels of the template.",
            [],
            |set: &ReplicaSet, out| out.sample((), set.status.fully_labeled_replicas),
        )
        .stable(),
        &Gauge::new(
            "kube_replicaset_status_observed_generation",
            "The generation that the controller has acted on.",
            [],
            |set: &ReplicaSet, out| out.sample((), set.status.observed_generation),
        )
        .stable(),
        &Gauge::new(
            "kube_replicaset_status_ready_replicas",
            "Pods that are ready.",
            [],
            |set: &ReplicaSet, out| out.sample((), set.status.ready_replicas),
        )
        .stable(),
        &Gauge::new(
            "kube_replicaset_status_replicas",
            "Pods that there are.",
            [],
            |set: &ReplicaSet, out| out.sample((), set.status.replicas),
        )
        .stable(),
        &Gauge::new(
            "kube_replicaset_status_terminating_replicas",
            "Pods that are going away.",
            [],
            |set: &ReplicaSet, out| out.maybe((), set.status.terminating_replicas),
        ),
    ],
};

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct ReplicaSet {
    metadata: Meta,
    spec: Spec,
    status: Status,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Spec {
    replicas: Option<i64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Status {
    observed_generation: i64,
    replicas: i64,
    fully_labeled_replicas: i64,
    ready_replicas: i64,
    terminating_replicas: Option<i64>,
}

objects!(ReplicaSet);
