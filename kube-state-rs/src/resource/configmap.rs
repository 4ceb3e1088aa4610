//! `kube_configmap_*`: core/v1 `ConfigMap`, of which only the metadata is read.

use super::shared::{Bare, created, exists, resource_version};
use super::{Key, Needs, Resource, Scope, Version};
use crate::family::{Gauge, Open};

pub(super) static CONFIGMAPS: Resource<Bare> = Resource {
    plural: "configmaps",
    versions: &[Version::new("", "v1")],
    scope: Scope::Namespaced,
    default: true,
    needs: Needs::Metadata,
    key: Key::NamespaceName("configmap"),
    families: &[
        &Open::annotations(
            "kube_configmap_annotations",
            "The config map's annotations that were chosen, as labels.",
        ),
        &Gauge::new(
            "kube_configmap_created",
            "When the config map was created, in seconds since 1970.",
            [],
            created,
        )
        .stable(),
        &Gauge::new("kube_configmap_info", "1 for each config map.", [], exists).stable(),
        &Open::labels(
            "kube_configmap_labels",
            "The config map's labels that were chosen, as labels.",
        )
        .stable(),
        &Gauge::new(
            "kube_configmap_metadata_resource_version",
            "The resource version of the config map as a number.",
            [],
            resource_version,
        ),
    ],
};
