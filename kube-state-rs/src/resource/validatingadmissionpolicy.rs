//! `kube_validatingadmissionpolicy_*`: admissionregistration.k8s.io `ValidatingAdmissionPolicy`.

use super::admission::{Policy, VERSIONS, policy_info};
use super::shared::created;
use super::{Key, Needs, Resource, Scope};
use crate::family::Gauge;

pub(super) static VALIDATINGADMISSIONPOLICIES: Resource<Policy> = Resource {
    plural: "validatingadmissionpolicies",
    versions: VERSIONS,
    scope: Scope::Cluster,
    default: true,
    needs: Needs::Everything,
    key: Key::NamespaceName("validatingadmissionpolicy"),
    families: &[
        &Gauge::new(
            "kube_validatingadmissionpolicy_created",
            "When the validating admission policy was created, in seconds since 1970.",
            [],
            created,
        ),
        &Gauge::new(
            "kube_validatingadmissionpolicy_info",
            "1, with the kind of the policy's parameters and what a failure of it means.",
            ["param_api_version", "param_kind", "failure_policy"],
            policy_info,
        ),
    ],
};
