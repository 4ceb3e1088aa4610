//! `kube_storageclass_*`: storage.k8s.io `StorageClass`.

use serde::Deserialize;

use super::shared::created;
use super::{Key, Needs, Resource, Scope, Version};
use crate::family::{Gauge, Open};
use crate::object::{Meta, objects};
use crate::rendered::Samples;

pub(super) static STORAGECLASSES: Resource<StorageClass> = Resource {
    plural: "storageclasses",
    versions: &[Version::new("storage.k8s.io", "v1")],
    scope: Scope::Cluster,
    default: true,
    needs: Needs::Everything,
    key: Key::Name("storageclass"),
    families: &[
        &Open::annotations(
            "kube_storageclass_annotations",
            "The storage class's annotations that were chosen, as labels.",
        ),
        &Gauge::new(
            "kube_storageclass_created",
            "When the storage class was created, in seconds since 1970.",
            [],
            created,
        )
        .stable(),
        &Gauge::new(
            "kube_storageclass_info",
            "1, with how the storage class makes, binds and gives up volumes.",
            ["provisioner", "reclaim_policy", "volume_binding_mode"],
            info,
        )
        .stable(),
        &Open::labels(
            "kube_storageclass_labels",
            "The storage class's labels that were chosen, as labels.",
        )
        .stable(),
    ],
};

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct StorageClass {
    metadata: Meta,
    provisioner: String,
    reclaim_policy: Option<String>,
    volume_binding_mode: Option<String>,
}

objects!(StorageClass);

/// What is not said is what the API takes it for.
fn info(class: &StorageClass, out: &mut Samples<'_, 3>) {
    let reclaim = class.reclaim_policy.as_deref().unwrap_or("Delete");
    let binding = class.volume_binding_mode.as_deref().unwrap_or("Immediate");
    out.sample((&class.provisioner, reclaim, binding), 1_u8);
}
