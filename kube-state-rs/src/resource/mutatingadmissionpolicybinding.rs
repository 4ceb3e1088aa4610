//! `kube_mutatingadmissionpolicybinding_*`: admissionregistration.k8s.io `MutatingAdmissionPolicyBinding`.

use super::admission::{Binding, VERSIONS, binding_info};
use super::shared::created;
use super::{Key, Needs, Resource, Scope};
use crate::family::Gauge;

pub(super) static MUTATINGADMISSIONPOLICYBINDINGS: Resource<Binding> = Resource {
    plural: "mutatingadmissionpolicybindings",
    versions: VERSIONS,
    scope: Scope::Cluster,
    default: true,
    needs: Needs::Everything,
    key: Key::NamespaceName("mutatingadmissionpolicybinding"),
    families: &[
        &Gauge::new(
            "kube_mutatingadmissionpolicybinding_created",
            "When the mutating admission policy binding was created, in seconds since 1970.",
            [],
            created,
        ),
        &Gauge::new(
            "kube_mutatingadmissionpolicybinding_info",
            "1, with the policy that is bound and the parameters it is given.",
            ["policy_name", "param_name", "param_namespace", "param_not_found_action"],
            binding_info,
        ),
    ],
};
