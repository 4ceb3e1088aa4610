//! `kube_volumeattachment_*`: storage.k8s.io `VolumeAttachment`.

use serde::Deserialize;

use super::shared::created;
use super::{Key, Needs, Resource, Scope, Version};
use crate::family::{Gauge, Open};
use crate::object::{Map, Meta, objects};
use crate::rendered::{OpenSamples, Samples};
use crate::selection::{Keys, Selection};

pub(super) static VOLUMEATTACHMENTS: Resource<VolumeAttachment> = Resource {
    plural: "volumeattachments",
    versions: &[Version::new("storage.k8s.io", "v1")],
    scope: Scope::Cluster,
    default: true,
    needs: Needs::Everything,
    key: Key::Name("volumeattachment"),
    families: &[
        &Gauge::new(
            "kube_volumeattachment_created",
            "When the volume attachment was created, in seconds since 1970.",
            [],
            created,
        ),
        &Gauge::new(
            "kube_volumeattachment_info",
            "1, with what attaches the volume and to which node.",
            ["attacher", "node"],
            info,
        ),
        &Open::new(
            "kube_volumeattachment_labels",
            "All labels of the volume attachment, as labels.",
            labels,
        ),
        &Gauge::new(
            "kube_volumeattachment_spec_source_persistentvolume",
            "1, with the persistent volume that is attached.",
            ["volumename"],
            volume,
        ),
        &Gauge::new(
            "kube_volumeattachment_status_attached",
            "1 where the volume is attached, 0 where it is not.",
            [],
            attached,
        ),
        &Open::new(
            "kube_volumeattachment_status_attachment_metadata",
            "1, with what the attacher said of the attached volume.",
            metadata,
        ),
    ],
};

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct VolumeAttachment {
    metadata: Meta,
    spec: Spec,
    status: Status,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Spec {
    attacher: String,
    node_name: String,
    source: Source,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Source {
    persistent_volume_name: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Status {
    attached: bool,
    attachment_metadata: Map<String>,
}

objects!(VolumeAttachment);

fn info(attachment: &VolumeAttachment, out: &mut Samples<'_, 2>) {
    out.sample((&attachment.spec.attacher, &attachment.spec.node_name), 1_u8);
}

/// The only resource whose labels the peer gives without an allowlist.
fn labels(attachment: &VolumeAttachment, _selection: &Selection, out: &mut OpenSamples<'_>) {
    out.mapped("label_", Keys::All.of(&attachment.metadata.labels));
}

fn volume(attachment: &VolumeAttachment, out: &mut Samples<'_, 1>) {
    if let Some(volume) = &attachment.spec.source.persistent_volume_name {
        out.sample(volume, 1_u8);
    }
}

fn attached(attachment: &VolumeAttachment, out: &mut Samples<'_, 0>) {
    out.sample((), attachment.status.attached);
}

fn metadata(attachment: &VolumeAttachment, _selection: &Selection, out: &mut OpenSamples<'_>) {
    out.mapped("metadata_", Keys::All.of(&attachment.status.attachment_metadata));
}
