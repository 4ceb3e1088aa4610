//! `kube_rolebinding_*`: rbac.authorization.k8s.io `RoleBinding`.

use serde::Deserialize;

use super::shared::{created, resource_version};
use super::{Key, Needs, Resource, Scope, Version};
use crate::family::{Gauge, Open};
use crate::object::{Meta, objects};
use crate::rendered::Samples;

pub(super) static ROLEBINDINGS: Resource<RoleBinding> = Resource {
    plural: "rolebindings",
    versions: &[Version::new("rbac.authorization.k8s.io", "v1")],
    scope: Scope::Namespaced,
    default: false,
    needs: Needs::Everything,
    key: Key::NamespaceName("rolebinding"),
    families: &[
        &Open::annotations(
            "kube_rolebinding_annotations",
            "The role binding's annotations that were chosen, as labels.",
        ),
        &Gauge::new(
            "kube_rolebinding_created",
            "When the role binding was created, in seconds since 1970.",
            [],
            created,
        ),
        &Gauge::new(
            "kube_rolebinding_info",
            "1, with the role that the role binding gives.",
            ["roleref_kind", "roleref_name"],
            info,
        ),
        &Open::labels(
            "kube_rolebinding_labels",
            "The role binding's labels that were chosen, as labels.",
        ),
        &Gauge::new(
            "kube_rolebinding_metadata_resource_version",
            "The resource version of the role binding as a number.",
            [],
            resource_version,
        ),
    ],
};

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct RoleBinding {
    metadata: Meta,
    role_ref: RoleRef,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct RoleRef {
    kind: String,
    name: String,
}

objects!(RoleBinding);

pub(super) fn info(binding: &RoleBinding, out: &mut Samples<'_, 2>) {
    let RoleRef { kind, name } = &binding.role_ref;
    out.sample((kind, name), 1_u8);
}
