//! `kube_role_*`: rbac.authorization.k8s.io Role, of which only the metadata is read.

use super::shared::{Bare, created, exists, resource_version};
use super::{Key, Needs, Resource, Scope, Version};
use crate::family::{Gauge, Open};

pub(super) static ROLES: Resource<Bare> = Resource {
    plural: "roles",
    versions: &[Version::new("rbac.authorization.k8s.io", "v1")],
    scope: Scope::Namespaced,
    default: false,
    needs: Needs::Metadata,
    key: Key::NamespaceName("role"),
    families: &[
        &Open::annotations(
            "kube_role_annotations",
            "The role's annotations that were chosen, as labels.",
        ),
        &Gauge::new(
            "kube_role_created",
            "When the role was created, in seconds since 1970.",
            [],
            created,
        ),
        &Gauge::new("kube_role_info", "1 for each role.", [], exists),
        &Open::labels("kube_role_labels", "The role's labels that were chosen, as labels."),
        &Gauge::new(
            "kube_role_metadata_resource_version",
            "The resource version of the role as a number.",
            [],
            resource_version,
        ),
    ],
};
