//! `kube_persistentvolume_*`: core/v1 `PersistentVolume`.

mod source;

use serde::Deserialize;

use super::shared::{created, deletion, one_of};
use super::{Key, Needs, Resource, Scope, Version};
use crate::family::{Gauge, Open};
use crate::object::{List, Map, Meta, objects};
use crate::quantity::Quantity;
use crate::rendered::Samples;

pub(super) static PERSISTENT_VOLUMES: Resource<Volume> = Resource {
    plural: "persistentvolumes",
    versions: &[Version::new("", "v1")],
    scope: Scope::Cluster,
    default: true,
    needs: Needs::Everything,
    key: Key::Name("persistentvolume"),
    families: &[
        &Gauge::new(
            "kube_persistentvolume_access_mode",
            "1 for each access mode that the volume has.",
            ["access_mode"],
            access_modes,
        ),
        &Open::annotations(
            "kube_persistentvolume_annotations",
            "The volume's annotations that were chosen, as labels.",
        ),
        &Gauge::new(
            "kube_persistentvolume_capacity_bytes",
            "How much the volume holds, in bytes.",
            [],
            capacity,
        )
        .stable(),
        &Gauge::new(
            "kube_persistentvolume_claim_ref",
            "1 for the claim that the volume is bound to.",
            ["name", "claim_namespace"],
            claim,
        )
        .stable(),
        &Gauge::new(
            "kube_persistentvolume_created",
            "When the volume was created, in seconds since 1970.",
            [],
            created,
        ),
        &Gauge::new(
            "kube_persistentvolume_csi_attributes",
            "1 for a volume of a CSI driver, with how it is mounted.",
            ["csi_mounter", "csi_map_options"],
            csi_attributes,
        )
        .opt_in(),
        &Gauge::new(
            "kube_persistentvolume_deletion_timestamp",
            "When the volume is to be gone, if it is being deleted, in seconds since 1970.",
            [],
            deletion,
        ),
        &Gauge::new(
            "kube_persistentvolume_info",
            "1 for each volume, with its storage class and what stands behind it.",
            [
                "storageclass",
                "gce_persistent_disk_name",
                "ebs_volume_id",
                "azure_disk_name",
                "fc_wwids",
                "fc_lun",
                "fc_target_wwns",
                "iscsi_target_portal",
                "iscsi_iqn",
                "iscsi_lun",
                "iscsi_initiator_name",
                "nfs_server",
                "nfs_path",
                "csi_driver",
                "csi_volume_handle",
                "local_path",
                "local_fs",
                "host_path",
                "host_path_type",
                "reclaim_policy",
            ],
            source::info,
        )
        .stable(),
        &Open::labels(
            "kube_persistentvolume_labels",
            "The volume's labels that were chosen, as labels.",
        )
        .stable(),
        &Gauge::new(
            "kube_persistentvolume_status_phase",
            "1 for the phase the volume is in, 0 for the others.",
            ["phase"],
            phase,
        )
        .stable(),
        &Gauge::new(
            "kube_persistentvolume_volume_mode",
            "1 for the mode of the volume, Filesystem where it names none.",
            ["volumemode"],
            mode,
        ),
    ],
};

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Volume {
    metadata: Meta,
    spec: Spec,
    status: Status,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Spec {
    access_modes: List<String>,
    capacity: Map<Quantity>,
    claim_ref: Option<Reference>,
    persistent_volume_reclaim_policy: String,
    storage_class_name: String,
    volume_mode: Option<String>,
    // What stands behind the volume: one of these, as the API demands.
    gce_persistent_disk: Option<source::Gce>,
    aws_elastic_block_store: Option<source::Aws>,
    azure_disk: Option<source::Azure>,
    fc: Option<source::FibreChannel>,
    iscsi: Option<source::Iscsi>,
    nfs: Option<source::Nfs>,
    csi: Option<source::Csi>,
    local: Option<source::Local>,
    host_path: Option<source::HostPath>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Reference {
    name: String,
    namespace: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Status {
    phase: String,
}

objects!(Volume);

fn access_modes(volume: &Volume, out: &mut Samples<'_, 1>) {
    for mode in &volume.spec.access_modes {
        out.sample(mode, 1_u8);
    }
}

/// 0 without a capacity, which the API does not accept.
fn capacity(volume: &Volume, out: &mut Samples<'_, 0>) {
    out.sample((), volume.spec.capacity.get("storage").map_or(0, |storage| storage.value()));
}

fn claim(volume: &Volume, out: &mut Samples<'_, 2>) {
    if let Some(claim) = &volume.spec.claim_ref {
        out.sample((&claim.name, &claim.namespace), 1_u8);
    }
}

fn csi_attributes(volume: &Volume, out: &mut Samples<'_, 2>) {
    if let Some(csi) = &volume.spec.csi {
        let attribute = |name| csi.volume_attributes.get(name).map_or("", String::as_str);
        out.sample((attribute("mounter"), attribute("mapOptions")), 1_u8);
    }
}

fn phase(volume: &Volume, out: &mut Samples<'_, 1>) {
    let phases = ["Pending", "Available", "Bound", "Released", "Failed"];
    one_of(&phases, &volume.status.phase, out);
}

fn mode(volume: &Volume, out: &mut Samples<'_, 1>) {
    out.sample(volume.spec.volume_mode.as_deref().unwrap_or("Filesystem"), 1_u8);
}
