//! What stands behind a volume: a disk, a file system of another machine, a driver's volume.

use exporter_toolkit::LabelValue;
use serde::Deserialize;

use super::Volume;
use crate::object::{List, Map};
use crate::rendered::Samples;

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Gce {
    pd_name: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Aws {
    #[serde(rename = "volumeID")]
    volume: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Azure {
    disk_name: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct FibreChannel {
    #[serde(rename = "targetWWNs")]
    target_wwns: List<String>,
    lun: Option<i64>,
    wwids: List<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Iscsi {
    target_portal: String,
    iqn: String,
    lun: i64,
    initiator_name: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Nfs {
    server: String,
    path: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Csi {
    driver: String,
    volume_handle: String,
    pub(super) volume_attributes: Map<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Local {
    path: String,
    fs_type: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct HostPath {
    path: String,
    #[serde(rename = "type")]
    kind: Option<String>,
}

pub(super) fn info(volume: &Volume, out: &mut Samples<'_, 20>) {
    let spec = &volume.spec;
    let (gce, aws, azure) =
        (&spec.gce_persistent_disk, &spec.aws_elastic_block_store, &spec.azure_disk);
    let (fc, iscsi, nfs) = (spec.fc.as_ref(), spec.iscsi.as_ref(), spec.nfs.as_ref());
    let (csi, local, host) = (spec.csi.as_ref(), spec.local.as_ref(), spec.host_path.as_ref());
    let labels: [&dyn LabelValue; 20] = [
        &spec.storage_class_name,
        &gce.as_ref().map_or("", |disk| &disk.pd_name),
        &aws.as_ref().map_or("", |disk| &disk.volume),
        &azure.as_ref().map_or("", |disk| &disk.disk_name),
        &Joined(fc.map_or(&[], |fc| &fc.wwids)),
        &Number(fc.and_then(|fc| fc.lun)),
        &Joined(fc.map_or(&[], |fc| &fc.target_wwns)),
        &iscsi.map_or("", |iscsi| &iscsi.target_portal),
        &iscsi.map_or("", |iscsi| &iscsi.iqn),
        &Number(iscsi.map(|iscsi| iscsi.lun)),
        &iscsi.and_then(|iscsi| iscsi.initiator_name.as_deref()).unwrap_or_default(),
        &nfs.map_or("", |nfs| &nfs.server),
        &nfs.map_or("", |nfs| &nfs.path),
        &csi.map_or("", |csi| &csi.driver),
        &csi.map_or("", |csi| &csi.volume_handle),
        &local.map_or("", |local| &local.path),
        &local.and_then(|local| local.fs_type.as_deref()).unwrap_or_default(),
        &host.map_or("", |host| &host.path),
        &host.and_then(|host| host.kind.as_deref()).unwrap_or_default(),
        &spec.persistent_volume_reclaim_policy,
    ];
    out.sample(&labels, 1_u8);
}

/// A number, or nothing.
struct Number(Option<i64>);

impl LabelValue for Number {
    fn write(&self, out: &mut Vec<u8>) {
        if let Some(number) = self.0 {
            number.write(out);
        }
    }
}

/// Texts with commas between.
struct Joined<'a>(&'a [String]);

impl LabelValue for Joined<'_> {
    fn write(&self, out: &mut Vec<u8>) {
        for (i, text) in self.0.iter().enumerate() {
            if i > 0 {
                out.push(b',');
            }
            text.write(out);
        }
    }
}
