//! `kube_mutatingadmissionpolicy_*`: admissionregistration.k8s.io `MutatingAdmissionPolicy`.

use super::admission::{Policy, VERSIONS, reinvoked_policy_info};
use super::shared::created;
use super::{Key, Needs, Resource, Scope};
use crate::family::Gauge;

pub(super) static MUTATINGADMISSIONPOLICIES: Resource<Policy> = Resource {
    plural: "mutatingadmissionpolicies",
    versions: VERSIONS,
    scope: Scope::Cluster,
    default: true,
    needs: Needs::Everything,
    key: Key::NamespaceName("mutatingadmissionpolicy"),
    families: &[
        &Gauge::new(
            "kube_mutatingadmissionpolicy_created",
            "When the mutating admission policy was created, in seconds since 1970.",
            [],
            created,
        ),
        &Gauge::new(
            "kube_mutatingadmissionpolicy_info",
            "1, with the kind of the policy's parameters and what a failure of it means.",
            ["param_api_version", "param_kind", "failure_policy", "reinvocation_policy"],
            reinvoked_policy_info,
        ),
    ],
};
