//! `node_md_*`: software RAID arrays, from `/proc/mdstat` (kernel: drivers/md/md.c, `md_seq_show`) and
//! `/sys/block/md*/md` (kernel: Documentation/admin-guide/md.rst).

mod mdstat;

use std::path::{Path, PathBuf};

use exporter_toolkit::{Exposition, Gauge};

use super::sysclass::{Folder, integer};
use super::{CollectError, Collector, Spec};
use crate::host::KeptFile;
use mdstat::{Array, State};

static STATE: Gauge<2> = Gauge::new(
    "node_md_state",
    "1 for what the array does at present, 0 for the others.",
    ["device", "state"],
);
static DISKS: Gauge<2> = Gauge::new(
    "node_md_disks",
    "Disks of the array that work, have failed or stand by as spares.",
    ["device", "state"],
);
static REQUIRED: Gauge<1> =
    Gauge::new("node_md_disks_required", "Disks that the array needs to be whole.", ["device"]);
static BLOCKS: Gauge<1> =
    Gauge::new("node_md_blocks", "Size of the array in blocks of 1 KiB.", ["device"]);
static SYNCED: Gauge<1> = Gauge::new(
    "node_md_blocks_synced",
    "Blocks that a running resync, recovery or check is done with; all blocks where none runs.",
    ["device"],
);
static RAID_DISKS: Gauge<1> = Gauge::new(
    "node_md_raid_disks",
    "Disks in a fully working array of this shape, spares not counted.",
    ["device"],
);
static DEGRADED: Gauge<1> = Gauge::new(
    "node_md_degraded",
    "By how many disks the array falls short of its redundancy; 0 for levels without redundancy.",
    ["device"],
);

pub static SPEC: Spec = Spec {
    name: "mdadm",
    enabled: true,
    about: "Software RAID arrays, from /proc/mdstat and /sys/block/md*.",
    flags: &[],
    families: &[&STATE, &DISKS, &REQUIRED, &BLOCKS, &SYNCED, &RAID_DISKS, &DEGRADED],
    build: |setup| {
        let block = setup.host.sys("block");
        Ok(Box::new(Mdadm { mdstat: setup.host.keep_proc("mdstat"), block }))
    },
};

struct Mdadm {
    mdstat: KeptFile,
    block: PathBuf,
}

impl Collector for Mdadm {
    fn collect(&mut self, out: &mut Exposition) -> Result<(), CollectError> {
        let text = String::from_utf8_lossy(self.mdstat.read()?);
        let (arrays, wrong) = mdstat::parse(&text);
        let wrong = wrong.map(|(problem, line)| (problem, line.to_owned()));
        write(&arrays, out);
        write_members(&members(&self.block), out);
        match wrong {
            Some((problem, line)) => Err(CollectError::parse(self.mdstat.path(), problem, &line)),
            None => Ok(()),
        }
    }
}

fn write(arrays: &[Array<'_>], out: &mut Exposition) {
    let mut state = out.family(&STATE);
    for array in arrays {
        for (shown, word) in State::SHOWN {
            state.sample((array.name, word), array.state == shown);
        }
    }
    let mut disks = out.family(&DISKS);
    for array in arrays {
        disks.maybe((array.name, "active"), array.active);
        disks.sample((array.name, "failed"), array.failed);
        disks.sample((array.name, "spare"), array.spare);
    }
    let mut required = out.family(&REQUIRED);
    for array in arrays {
        required.maybe(array.name, array.required);
    }
    let mut blocks = out.family(&BLOCKS);
    for array in arrays {
        blocks.maybe(array.name, array.blocks);
    }
    let mut synced = out.family(&SYNCED);
    for array in arrays {
        synced.maybe(array.name, array.synced);
    }
}

/// What sysfs says of an array.
struct Members {
    device: String,
    disks: Option<i128>,
    degraded: Option<i128>,
}

fn members(block: &Path) -> Vec<Members> {
    let Ok(block) = Folder::open(block) else { return Vec::new() };
    let mut devices = Vec::new();
    block.each(|entry| {
        if entry.name.starts_with("md") {
            devices.push(entry.name.to_owned());
        }
    });
    devices.sort_unstable();
    let read = |device: String| Members::read(&block.below(&device)?.below("md")?, device);
    devices.into_iter().filter_map(read).collect()
}

impl Members {
    /// Containers and arrays without a level have no disks of their own; only levels with redundancy can lack a disk.
    fn read(folder: &Folder, device: String) -> Option<Self> {
        let level = folder.text("level")?;
        let disks = match level.as_str() {
            "" | "container" | "imsm" | "ddf" => None,
            _ => folder.read("raid_disks", first_number),
        };
        let degraded = match level.as_str() {
            "raid1" | "raid4" | "raid5" | "raid6" | "raid10" => folder.read("degraded", integer),
            _ => Some(0),
        };
        Some(Self { device, disks, degraded })
    }
}

/// While an array is being reshaped, the number it had stands behind in parentheses: `11 (10)`.
fn first_number(bytes: &[u8]) -> Option<i128> {
    integer(bytes.split(|byte| *byte == b' ').next()?)
}

fn write_members(members: &[Members], out: &mut Exposition) {
    let mut disks = out.family(&RAID_DISKS);
    for array in members {
        disks.maybe(&array.device, array.disks.and_then(|disks| u64::try_from(disks).ok()));
    }
    let mut degraded = out.family(&DEGRADED);
    for array in members {
        degraded.maybe(&array.device, array.degraded.and_then(|disks| u64::try_from(disks).ok()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collector::testing::{collect, tree};

    #[test]
    fn a_reshaping_array_has_the_disks_it_is_growing_to() {
        assert_eq!(first_number(b"11 (10)\n"), Some(11));
        assert_eq!(first_number(b"3\n"), Some(3));
        assert_eq!(first_number(b"\n"), None);
    }

    #[test]
    fn a_malformed_array_is_an_error_that_does_not_hide_the_others() {
        let mdstat = "Personalities : [raid1]\nmd1 active\n\n\
                      md0 : active raid1 sda[0]\n      8 blocks [1/1] [U]\n\nunused devices: <none>\n";
        let folder = tree(&[("proc/mdstat", mdstat)]);
        let (lines, result) = collect(&SPEC, folder.path(), &[]);
        assert!(lines.contains(&"node_md_blocks{device=\"md0\"} 8".to_owned()));
        let error = result.unwrap_err().to_string();
        assert!(error.ends_with("mdstat: no state of the array: \"md1 active\""), "{error}");
    }

    #[test]
    fn a_host_without_software_raid_has_no_data_and_lists_no_block_devices() {
        let folder = tree(&[("sys/block/md0/md/level", "raid0\n")]);
        let (lines, result) = collect(&SPEC, folder.path(), &[]);
        assert!(lines.is_empty() && result.unwrap_err().is_no_data());
    }
}
