//! `kube_poddisruptionbudget_*`: policy/v1 `PodDisruptionBudget`; before Kubernetes 1.21 policy/v1beta1.

use serde::Deserialize;

use super::shared::{created, deletion};
use super::{Key, Needs, Resource, Scope, Version};
use crate::family::{Gauge, Open};
use crate::object::{Meta, objects};

pub(super) static PODDISRUPTIONBUDGETS: Resource<Budget> = Resource {
    plural: "poddisruptionbudgets",
    versions: &[Version::new("policy", "v1"), Version::new("policy", "v1beta1")],
    scope: Scope::Namespaced,
    default: true,
    needs: Needs::Everything,
    key: Key::NamespaceName("poddisruptionbudget"),
    families: &[
        &Open::annotations(
            "kube_poddisruptionbudget_annotations",
            "The budget's annotations that were chosen, as labels.",
        ),
        &Gauge::new(
            "kube_poddisruptionbudget_created",
            "When the budget was created, in seconds since 1970.",
            [],
            created,
        )
        .stable(),
        &Gauge::new(
            "kube_poddisruptionbudget_deletion_timestamp",
            "When the budget is to be deleted, in seconds since 1970.",
            [],
            deletion,
        ),
        &Open::labels(
            "kube_poddisruptionbudget_labels",
            "The budget's labels that were chosen, as labels.",
        ),
        &Gauge::new(
            "kube_poddisruptionbudget_status_current_healthy",
            "Pods that are healthy.",
            [],
            |budget: &Budget, out| out.sample((), budget.status.current_healthy),
        )
        .stable(),
        &Gauge::new(
            "kube_poddisruptionbudget_status_desired_healthy",
            "Pods that have to stay healthy.",
            [],
            |budget: &Budget, out| out.sample((), budget.status.desired_healthy),
        )
        .stable(),
        &Gauge::new(
            "kube_poddisruptionbudget_status_expected_pods",
            "Pods that the budget counts.",
            [],
            |budget: &Budget, out| out.sample((), budget.status.expected_pods),
        )
        .stable(),
        &Gauge::new(
            "kube_poddisruptionbudget_status_observed_generation",
            "The generation that the controller has acted on.",
            [],
            |budget: &Budget, out| out.sample((), budget.status.observed_generation),
        )
        .stable(),
        &Gauge::new(
            "kube_poddisruptionbudget_status_pod_disruptions_allowed",
            "Pods that may be evicted now.",
            [],
            |budget: &Budget, out| out.sample((), budget.status.disruptions_allowed),
        )
        .stable(),
    ],
};

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Budget {
    metadata: Meta,
    status: Status,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Status {
    observed_generation: i64,
    current_healthy: i64,
    desired_healthy: i64,
    disruptions_allowed: i64,
    expected_pods: i64,
}

objects!(Budget);
