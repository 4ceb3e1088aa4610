//! `kube_deployment_*`: apps/v1 Deployment.

use serde::Deserialize;

use super::shared::{created, deletion, generation};
use super::{Key, Needs, Resource, Scope, Version};
use crate::family::{Gauge, Open};
use crate::object::{Condition, IntOrString, List, Meta, objects};
use crate::rendered::Samples;

pub(super) static DEPLOYMENTS: Resource<Deployment> = Resource {
    plural: "deployments",
    versions: &[Version::new("apps", "v1")],
    scope: Scope::Namespaced,
    default: true,
    needs: Needs::Everything,
    key: Key::NamespaceName("deployment"),
    families: &[
        &Open::annotations(
            "kube_deployment_annotations",
            "The deployment's annotations that were chosen, as labels.",
        ),
        &Gauge::new(
            "kube_deployment_created",
            "When the deployment was created, in seconds since 1970.",
            [],
            created,
        )
        .stable(),
        &Gauge::new(
            "kube_deployment_deletion_timestamp",
            "When the deployment is to be deleted, in seconds since 1970.",
            [],
            deletion,
        ),
        &Open::labels(
            "kube_deployment_labels",
            "The deployment's labels that were chosen, as labels.",
        )
        .stable(),
        &Gauge::new(
            "kube_deployment_metadata_generation",
            "How often the wanted state was changed.",
            [],
            generation,
        )
        .stable(),
        &Gauge::new(
            "kube_deployment_owner",
            "1 for each object that owns the deployment.",
            ["owner_kind", "owner_name"],
            owner,
        ),
        &Gauge::new(
            "kube_deployment_spec_paused",
            "1 while changes are not rolled out.",
            [],
            |deployment: &Deployment, out| out.sample((), deployment.spec.paused),
        )
        .stable(),
        &Gauge::new(
            "kube_deployment_spec_replicas",
            "Pods that are wanted.",
            [],
            |deployment: &Deployment, out| out.maybe((), deployment.spec.replicas),
        )
        .stable(),
        &Gauge::new(
            "kube_deployment_spec_strategy_rollingupdate_max_surge",
            "Pods that a rolling update may add to those that are wanted.",
            [],
            max_surge,
        )
        .stable(),
        &Gauge::new(
            "kube_deployment_spec_strategy_rollingupdate_max_unavailable",
            "Pods that may be unavailable during a rolling update.",
            [],
            max_unavailable,
        )
        .stable(),
        &Gauge::new(
            "kube_deployment_status_condition",
            "1 for the status that a condition of the deployment has, 0 for the others.",
            ["reason", "condition", "status"],
            condition,
        )
        .stable(),
        &Gauge::new(
            "kube_deployment_status_observed_generation",
            "The generation that the controller has acted on.",
            [],
            |deployment: &Deployment, out| out.sample((), deployment.status.observed_generation),
        )
        .stable(),
        &Gauge::new(
            "kube_deployment_status_replicas",
            "Pods that there are.",
            [],
            |deployment: &Deployment, out| out.sample((), deployment.status.replicas),
        )
        .stable(),
        &Gauge::new(
            "kube_deployment_status_replicas_available",
            "Pods that have been ready for long enough.",
            [],
            |deployment: &Deployment, out| out.sample((), deployment.status.available_replicas),
        )
        .stable(),
        &Gauge::new(
            "kube_deployment_status_replicas_ready",
            "Pods that are ready.",
            [],
            |deployment: &Deployment, out| out.sample((), deployment.status.ready_replicas),
        )
        .stable(),
        &Gauge::new(
            "kube_deployment_status_replicas_unavailable",
            "Pods that still have to start or to become available.",
            [],
            |deployment: &Deployment, out| out.sample((), deployment.status.unavailable_replicas),
        )
        .stable(),
        &Gauge::new(
            "kube_deployment_status_replicas_updated",
            "Pods of the newest template.",
            [],
            |deployment: &Deployment, out| out.sample((), deployment.status.updated_replicas),
        )
        .stable(),
        &Gauge::new(
            "kube_deployment_status_terminating_replicas",
            "Pods that are going away.",
            [],
            |deployment: &Deployment, out| out.maybe((), deployment.status.terminating_replicas),
        ),
    ],
};

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Deployment {
    metadata: Meta,
    spec: Spec,
    status: Status,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Spec {
    replicas: Option<i64>,
    paused: bool,
    strategy: Strategy,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Strategy {
    rolling_update: Option<RollingUpdate>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct RollingUpdate {
    max_surge: Option<IntOrString>,
    max_unavailable: Option<IntOrString>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Status {
    observed_generation: i64,
    replicas: i64,
    available_replicas: i64,
    ready_replicas: i64,
    unavailable_replicas: i64,
    updated_replicas: i64,
    terminating_replicas: Option<i64>,
    conditions: List<Condition>,
}

objects!(Deployment);

/// Not the shared rule: the peer does not say here which owner controls.
fn owner(deployment: &Deployment, out: &mut Samples<'_, 2>) {
    let owners = &deployment.metadata.owner_references;
    if owners.is_empty() {
        out.sample(("", ""), 1_u8);
    }
    for owner in owners {
        out.sample((&owner.kind, &owner.name), 1_u8);
    }
}

fn max_surge(deployment: &Deployment, out: &mut Samples<'_, 0>) {
    out.maybe((), scaled(&deployment.spec, |update| update.max_surge.as_ref(), true));
}

fn max_unavailable(deployment: &Deployment, out: &mut Samples<'_, 0>) {
    out.maybe((), scaled(&deployment.spec, |update| update.max_unavailable.as_ref(), false));
}

/// A limit of the rolling update in pods.
fn scaled(
    spec: &Spec,
    limit: fn(&RollingUpdate) -> Option<&IntOrString>,
    round_up: bool,
) -> Option<i64> {
    limit(spec.strategy.rolling_update.as_ref()?)?.scaled(spec.replicas?, round_up)
}

/// The reasons that Kubernetes' own controller gives; any other becomes `unknown`.
const REASONS: [&str; 11] = [
    "",
    "DeploymentPaused",
    "DeploymentResumed",
    "FoundNewReplicaSet",
    "MinimumReplicasAvailable",
    "MinimumReplicasUnavailable",
    "NewReplicaSetAvailable",
    "NewReplicaSetCreated",
    "ProgressDeadlineExceeded",
    "ReplicaSetCreateError",
    "ReplicaSetUpdated",
];

fn condition(deployment: &Deployment, out: &mut Samples<'_, 3>) {
    for condition in &deployment.status.conditions {
        let reason = condition.reason.as_deref().unwrap_or_default();
        let reason = if REASONS.contains(&reason) { reason } else { "unknown" };
        for (status, current) in condition.states() {
            out.sample((reason, &condition.kind, status), current);
        }
    }
}
