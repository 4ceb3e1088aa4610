//! `kube_clusterrole_*`: rbac.authorization.k8s.io `ClusterRole`, of which only the metadata is read.

use super::shared::{Bare, created, exists, resource_version};
use super::{Key, Needs, Resource, Scope, Version};
use crate::family::{Gauge, Open};

pub(super) static CLUSTERROLES: Resource<Bare> = Resource {
    plural: "clusterroles",
    versions: &[Version::new("rbac.authorization.k8s.io", "v1")],
    scope: Scope::Cluster,
    default: false,
    needs: Needs::Metadata,
    key: Key::Name("clusterrole"),
    families: &[
        &Open::annotations(
            "kube_clusterrole_annotations",
            "The cluster role's annotations that were chosen, as labels.",
        ),
        &Gauge::new(
            "kube_clusterrole_created",
            "When the cluster role was created, in seconds since 1970.",
            [],
            created,
        ),
        &Gauge::new("kube_clusterrole_info", "1 for each cluster role.", [], exists),
        &Open::labels(
            "kube_clusterrole_labels",
            "The cluster role's labels that were chosen, as labels.",
        ),
        &Gauge::new(
            "kube_clusterrole_metadata_resource_version",
            "The resource version of the cluster role as a number.",
            [],
            resource_version,
        ),
    ],
};
