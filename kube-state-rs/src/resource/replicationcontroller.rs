//! `kube_replicationcontroller_*`: core/v1 `ReplicationController`.

use serde::Deserialize;

use super::shared::{created, generation, owners};
use super::{Key, Needs, Resource, Scope, Version};
use crate::family::Gauge;
use crate::object::{Meta, objects};

pub(super) static REPLICATIONCONTROLLERS: Resource<ReplicationController> = Resource {
    plural: "replicationcontrollers",
    versions: &[Version::new("", "v1")],
    scope: Scope::Namespaced,
    default: true,
    needs: Needs::Everything,
    key: Key::NamespaceName("replicationcontroller"),
    families: &[
        &Gauge::new(
            "kube_replicationcontroller_created",
            "When the controller was created, in seconds since 1970.",
            [],
            created,
        )
        .stable(),
        &Gauge::new(
            "kube_replicationcontroller_metadata_generation",
            "How often the wanted state was changed.",
            [],
            generation,
        )
        .stable(),
        &Gauge::new(
            "kube_replicationcontroller_owner",
            "1 for each object that owns the controller.",
            ["owner_kind", "owner_name", "owner_is_controller"],
            owners,
        ),
        &Gauge::new(
            "kube_replicationcontroller_spec_replicas",
            "Pods that are wanted.",
            [],
            |controller: &ReplicationController, out| out.maybe((), controller.spec.replicas),
        )
        .stable(),
        &Gauge::new(
            "kube_replicationcontroller_status_available_replicas",
            "Pods that have been ready for long enough.",
            [],
            |controller, out| out.sample((), status(controller).available_replicas),
        )
        .stable(),
        &Gauge::new(
            "kube_replicationcontroller_status_fully_labeled_replicas",
            "Pods that carry all labels of the template.",
            [],
            |controller, out| out.sample((), status(controller).fully_labeled_replicas),
        )
        .stable(),
        &Gauge::new(
            "kube_replicationcontroller_status_observed_generation",
            "The generation that the controller has acted on.",
            [],
            |controller, out| out.sample((), status(controller).observed_generation),
        )
        .stable(),
        &Gauge::new(
            "kube_replicationcontroller_status_ready_replicas",
            "Pods that are ready.",
            [],
            |controller, out| out.sample((), status(controller).ready_replicas),
        )
        .stable(),
        &Gauge::new(
            "kube_replicationcontroller_status_replicas",
            "Pods that there are.",
            [],
            |controller, out| out.sample((), status(controller).replicas),
        )
        .stable(),
    ],
};

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct ReplicationController {
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
    available_replicas: i64,
    fully_labeled_replicas: i64,
    ready_replicas: i64,
}

objects!(ReplicationController);

fn status(controller: &ReplicationController) -> &Status {
    &controller.status
}
