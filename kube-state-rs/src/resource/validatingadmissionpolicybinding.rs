//! `kube_validatingadmissionpolicybinding_*`: admissionregistration.k8s.io `ValidatingAdmissionPolicyBinding`.

use super::admission::{Binding, VERSIONS, actions, binding_info};
use super::shared::created;
use super::{Key, Needs, Resource, Scope};
use crate::family::Gauge;

pub(super) static VALIDATINGADMISSIONPOLICYBINDINGS: Resource<Binding> = Resource {
    plural: "validatingadmissionpolicybindings",
    versions: VERSIONS,
    scope: Scope::Cluster,
    default: true,
    needs: Needs::Everything,
    key: Key::NamespaceName("validatingadmissionpolicybinding"),
    families: &[
        &Gauge::new(
            "kube_validatingadmissionpolicybinding_created",
            "When the validating admission policy binding was created, in seconds since 1970.",
            [],
            created,
        ),
        &Gauge::new(
            "kube_validatingadmissionpolicybinding_info",
            "1, with the policy that is bound and the parameters it is given.",
            ["policy_name", "param_name", "param_namespace", "param_not_found_action"],
            binding_info,
        ),
        &Gauge::new(
            "kube_validatingadmissionpolicybinding_validation_action",
            "1 for each action that follows when the policy's validation fails.",
            ["action"],
            actions,
        ),
    ],
};
