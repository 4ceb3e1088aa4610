//! `kube_persistentvolumeclaim_*`: core/v1 `PersistentVolumeClaim`.

use serde::Deserialize;

use super::shared::{conditions, created, deletion, one_of};
use super::{Key, Needs, Resource, Scope, Version};
use crate::family::{Gauge, Open};
use crate::object::{Condition, List, Map, Meta, objects};
use crate::quantity::Quantity;
use crate::rendered::Samples;

pub(super) static PERSISTENT_VOLUME_CLAIMS: Resource<Claim> = Resource {
    plural: "persistentvolumeclaims",
    versions: &[Version::new("", "v1")],
    scope: Scope::Namespaced,
    default: true,
    needs: Needs::Everything,
    key: Key::NamespaceName("persistentvolumeclaim"),
    families: &[
        &Gauge::new(
            "kube_persistentvolumeclaim_access_mode",
            "1 for each access mode that the claim asks for.",
            ["access_mode"],
            access_modes,
        )
        .stable(),
        &Open::annotations(
            "kube_persistentvolumeclaim_annotations",
            "The claim's annotations that were chosen, as labels.",
        ),
        &Gauge::new(
            "kube_persistentvolumeclaim_created",
            "When the claim was created, in seconds since 1970.",
            [],
            created,
        ),
        &Gauge::new(
            "kube_persistentvolumeclaim_deletion_timestamp",
            "When the claim is to be gone, if it is being deleted, in seconds since 1970.",
            [],
            deletion,
        ),
        &Gauge::new(
            "kube_persistentvolumeclaim_info",
            "1 for each claim, with its storage class, volume and volume mode.",
            ["storageclass", "volumename", "volumemode"],
            info,
        )
        .stable(),
        &Open::labels(
            "kube_persistentvolumeclaim_labels",
            "The claim's labels that were chosen, as labels.",
        )
        .stable(),
        &Gauge::new(
            "kube_persistentvolumeclaim_resource_requests_storage_bytes",
            "How much storage the claim asks for, in bytes.",
            [],
            requested,
        )
        .stable(),
        &Gauge::new(
            "kube_persistentvolumeclaim_status_condition",
            "1 for the status that the condition has, 0 for the others.",
            ["condition", "status"],
            |claim: &Claim, out| conditions(&claim.status.conditions, out),
        ),
        &Gauge::new(
            "kube_persistentvolumeclaim_status_phase",
            "1 for the phase the claim is in, 0 for the others.",
            ["phase"],
            phase,
        )
        .stable(),
    ],
};

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Claim {
    metadata: Meta,
    spec: Spec,
    status: Status,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Spec {
    access_modes: List<String>,
    resources: Resources,
    storage_class_name: Option<String>,
    volume_mode: Option<String>,
    volume_name: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Resources {
    requests: Map<Quantity>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Status {
    conditions: List<Condition>,
    phase: String,
}

objects!(Claim);

/// Where a claim named its storage class before there was a field for it; it still comes first.
const STORAGE_CLASS: &str = "volume.beta.kubernetes.io/storage-class";

fn access_modes(claim: &Claim, out: &mut Samples<'_, 1>) {
    for mode in &claim.spec.access_modes {
        out.sample(mode, 1_u8);
    }
}

fn info(claim: &Claim, out: &mut Samples<'_, 3>) {
    let spec = &claim.spec;
    let class = claim.metadata.annotations.get(STORAGE_CLASS).or(spec.storage_class_name.as_ref());
    let class = class.map_or("", String::as_str);
    out.sample((class, &spec.volume_name, spec.volume_mode.as_deref().unwrap_or_default()), 1_u8);
}

fn requested(claim: &Claim, out: &mut Samples<'_, 0>) {
    let storage = claim.spec.resources.requests.get("storage");
    out.maybe((), storage.copied().map(Quantity::value));
}

fn phase(claim: &Claim, out: &mut Samples<'_, 1>) {
    one_of(&["Lost", "Bound", "Pending"], &claim.status.phase, out);
}
