//! `kube_clusterrolebinding_*`: rbac.authorization.k8s.io `ClusterRoleBinding`.

use super::rolebinding::{RoleBinding, info};
use super::shared::{created, resource_version};
use super::{Key, Needs, Resource, Scope, Version};
use crate::family::{Gauge, Open};

pub(super) static CLUSTERROLEBINDINGS: Resource<RoleBinding> = Resource {
    plural: "clusterrolebindings",
    versions: &[Version::new("rbac.authorization.k8s.io", "v1")],
    scope: Scope::Cluster,
    default: false,
    needs: Needs::Everything,
    key: Key::Name("clusterrolebinding"),
    families: &[
        &Open::annotations(
            "kube_clusterrolebinding_annotations",
            "The cluster role binding's annotations that were chosen, as labels.",
        ),
        &Gauge::new(
            "kube_clusterrolebinding_created",
            "When the cluster role binding was created, in seconds since 1970.",
            [],
            created,
        ),
        &Gauge::new(
            "kube_clusterrolebinding_info",
            "1, with the role that the cluster role binding gives.",
            ["roleref_kind", "roleref_name"],
            info,
        ),
        &Open::labels(
            "kube_clusterrolebinding_labels",
            "The cluster role binding's labels that were chosen, as labels.",
        ),
        &Gauge::new(
            "kube_clusterrolebinding_metadata_resource_version",
            "The resource version of the cluster role binding as a number.",
            [],
            resource_version,
        ),
    ],
};
