//! `node_dmmultipath_*`: disks that are reached by several paths (device mapper), from `/sys/block/dm-*`.
//!
//! Most device mapper disks are no multipath disks (LVM, LUKS), and which are does not change while they exist. So the
//! list is made anew only when block devices come or go.

use std::hash::{DefaultHasher, Hasher};
use std::path::PathBuf;

use exporter_toolkit::{Exposition, Gauge};

use super::sysclass::{Folder, integer};
use super::{CollectError, Collector, Spec};

static INFO: Gauge<3> = Gauge::new(
    "node_dmmultipath_device_info",
    "Always 1: the device mapper's identifier of the disk.",
    ["device", "sysfs_name", "uuid"],
);
static ACTIVE: Gauge<2> = Gauge::new(
    "node_dmmultipath_device_active",
    "1 where the disk takes requests, 0 where it is suspended.",
    ["device", "sysfs_name"],
);
static SIZE: Gauge<2> = Gauge::new(
    "node_dmmultipath_device_size_bytes",
    "Size of the disk in bytes.",
    ["device", "sysfs_name"],
);
static PATHS: Gauge<2> = Gauge::new(
    "node_dmmultipath_device_paths",
    "Paths by which the disk can be reached, working or not.",
    ["device", "sysfs_name"],
);
static PATHS_ACTIVE: Gauge<2> = Gauge::new(
    "node_dmmultipath_device_paths_active",
    "Paths whose device works (SCSI running, NVMe live).",
    ["device", "sysfs_name"],
);
static PATHS_FAILED: Gauge<2> = Gauge::new(
    "node_dmmultipath_device_paths_failed",
    "Paths whose device is in any other state.",
    ["device", "sysfs_name"],
);
static PATH_STATE: Gauge<3> = Gauge::new(
    "node_dmmultipath_path_state",
    "Always 1: the state of the device behind this path.",
    ["device", "path", "state"],
);

pub static SPEC: Spec = Spec {
    name: "dmmultipath",
    enabled: true,
    about: "Disks reached by several paths (device mapper), from /sys/block/dm-*.",
    flags: &[],
    families: &[&INFO, &ACTIVE, &SIZE, &PATHS, &PATHS_ACTIVE, &PATHS_FAILED, &PATH_STATE],
    build: |setup| {
        let block = setup.host.sys("block");
        Ok(Box::new(Dmmultipath { block, fingerprint: None, disks: Vec::new() }))
    },
};

struct Dmmultipath {
    block: PathBuf,
    fingerprint: Option<u64>,
    /// Kernel name and identifier of each multipath disk.
    disks: Vec<[String; 2]>,
}

struct Disk<'a> {
    /// The device mapper's name and the kernel's: `mpatha`, `dm-5`.
    labels: [String; 2],
    uuid: &'a str,
    /// 0 or 1.
    suspended: Option<i128>,
    sectors: Option<f64>,
    /// Each path's device and its state where that can be read.
    paths: Vec<(String, Option<String>)>,
}

impl Collector for Dmmultipath {
    fn collect(&mut self, out: &mut Exposition) -> Result<(), CollectError> {
        let block = Folder::open(&self.block)?;
        let mut hasher = DefaultHasher::new();
        block.fingerprint(&mut hasher);
        let now = Some(hasher.finish());
        if self.fingerprint != now {
            self.disks = multipath_disks(&block);
            self.fingerprint = now;
        }
        let disks: Vec<Disk<'_>> =
            self.disks.iter().filter_map(|[name, uuid]| Disk::read(&block, name, uuid)).collect();
        write(&disks, out);
        Ok(())
    }
}

fn multipath_disks(block: &Folder) -> Vec<[String; 2]> {
    let mut names = block.names();
    names.retain(|name| name.starts_with("dm-"));
    let with_uuid = |name: String| {
        let uuid = block.below(&name)?.text("dm/uuid")?;
        uuid.starts_with("mpath-").then_some([name, uuid])
    };
    names.into_iter().filter_map(with_uuid).collect()
}

impl<'a> Disk<'a> {
    fn read(block: &Folder, name: &str, uuid: &'a str) -> Option<Self> {
        let folder = block.below(name)?;
        let slaves = folder.below("slaves").map(|slaves| slaves.names()).unwrap_or_default();
        let path = |slave: String| {
            let state = block.below(&slave).and_then(|disk| disk.text("device/state"));
            (slave, state)
        };
        Some(Self {
            labels: [folder.text("dm/name")?, name.to_owned()],
            uuid,
            suspended: folder.read("dm/suspended", integer),
            sectors: folder.number("size"),
            paths: slaves.into_iter().map(path).collect(),
        })
    }

    fn paths_that_are(&self, working: bool) -> usize {
        let states = self.paths.iter().filter_map(|(_, state)| state.as_deref());
        states.filter(|state| matches!(*state, "running" | "live") == working).count()
    }
}

fn write(disks: &[Disk<'_>], out: &mut Exposition) {
    let mut info = out.family(&INFO);
    for Disk { labels: [name, kernel], uuid, .. } in disks {
        info.sample((name, kernel, uuid), 1_u8);
    }
    let mut active = out.family(&ACTIVE);
    for disk in disks {
        active.maybe(&disk.labels, disk.suspended.map(|suspended| suspended != 1));
    }
    let mut size = out.family(&SIZE);
    for disk in disks {
        size.maybe(&disk.labels, disk.sectors.map(|sectors| sectors * 512.0));
    }
    let mut paths = out.family(&PATHS);
    for disk in disks {
        paths.sample(&disk.labels, disk.paths.len());
    }
    for (family, working) in [(&PATHS_ACTIVE, true), (&PATHS_FAILED, false)] {
        let mut samples = out.family(family);
        for disk in disks {
            samples.sample(&disk.labels, disk.paths_that_are(working));
        }
    }
    let mut state = out.family(&PATH_STATE);
    for disk in disks {
        for (path, known) in &disk.paths {
            if let Some(known) = known {
                state.sample((&disk.labels[0], path, known), 1_u8);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collector::testing::{collect, tree};

    #[test]
    fn a_path_without_state_is_neither_active_nor_failed() {
        let folder = tree(&[
            ("sys/block/dm-0/dm/uuid", "LVM-abc\n"),
            ("sys/block/dm-1/dm/uuid", "mpath-36\n"),
            ("sys/block/dm-1/dm/name", "mpatha\n"),
            ("sys/block/dm-1/slaves/sda/size", "1\n"),
            ("sys/block/dm-1/slaves/sdb/size", "1\n"),
            ("sys/block/dm-1/slaves/vda/size", "1\n"),
            ("sys/block/sda/device/state", "running\n"),
            ("sys/block/sdb/device/state", "offline\n"),
        ]);
        let (lines, result) = collect(&SPEC, folder.path(), &[]);
        result.unwrap();
        assert_eq!(
            lines,
            [
                "node_dmmultipath_device_info{device=\"mpatha\",sysfs_name=\"dm-1\",uuid=\"mpath-36\"} 1",
                "node_dmmultipath_device_paths{device=\"mpatha\",sysfs_name=\"dm-1\"} 3",
                "node_dmmultipath_device_paths_active{device=\"mpatha\",sysfs_name=\"dm-1\"} 1",
                "node_dmmultipath_device_paths_failed{device=\"mpatha\",sysfs_name=\"dm-1\"} 1",
                "node_dmmultipath_path_state{device=\"mpatha\",path=\"sda\",state=\"running\"} 1",
                "node_dmmultipath_path_state{device=\"mpatha\",path=\"sdb\",state=\"offline\"} 1",
            ]
        );
    }

    #[test]
    fn a_host_without_multipath_disks_is_a_success_without_samples() {
        let (lines, result) = collect(&SPEC, tree(&[("sys/block/sda/size", "1\n")]).path(), &[]);
        assert!(lines.is_empty() && result.is_ok());
    }
}
