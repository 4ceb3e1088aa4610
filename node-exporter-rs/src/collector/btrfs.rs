//! `node_btrfs_*`: space, commits and devices of each btrfs, from `/sys/fs/btrfs/UUID` and, for the devices' errors and
//! free space, from ioctls on its mount points.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::fmt::Write as _;
use std::fs::File;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use exporter_toolkit::name::{LabelName, MetricName};
use exporter_toolkit::{Counter, Described, Exposition, Gauge, Kind};

use super::filesystem::mounts::MountInfo;
use super::{CollectError, Collector, Spec};
use crate::host::{Host, attribute, names, number};

mod ioctl;
mod mounts;

const BY_TYPE: [&str; 2] = ["uuid", "block_group_type"];
const BY_MODE: [&str; 3] = ["uuid", "block_group_type", "mode"];

static INFO: Gauge<2> =
    Gauge::new("node_btrfs_info", "1 for each mounted btrfs, with its label.", ["uuid", "label"]);
static GLOBAL_RESERVE: Gauge<1> = Gauge::new(
    "node_btrfs_global_rsv_size_bytes",
    "Metadata space kept free for operations that must not fail, such as deleting files.",
    ["uuid"],
);
static COMMITS: Counter<1> = Counter::new(
    "node_btrfs_commits_total",
    "Transactions committed since it was mounted.",
    ["uuid"],
);
static LAST_COMMIT: Gauge<1> =
    Gauge::new("node_btrfs_last_commit_seconds", "How long the latest commit took.", ["uuid"]);
static MAX_COMMIT: Gauge<1> =
    Gauge::new("node_btrfs_max_commit_seconds", "How long the slowest commit took.", ["uuid"]);
static COMMIT_TIME: Counter<1> = Counter::new(
    "node_btrfs_commit_seconds_total",
    "Time that all commits together took.",
    ["uuid"],
);
static RESERVED: Gauge<2> = Gauge::new(
    "node_btrfs_reserved_bytes",
    "Space that running operations have reserved, by what is stored there.",
    BY_TYPE,
);
static USED: Gauge<3> = Gauge::new(
    "node_btrfs_used_bytes",
    "Space taken by what is stored, copies not counted.",
    BY_MODE,
);
static SIZE: Gauge<3> = Gauge::new(
    "node_btrfs_size_bytes",
    "Space set aside for what is stored, copies not counted.",
    BY_MODE,
);
static RATIO: Gauge<3> = Gauge::new(
    "node_btrfs_allocation_ratio",
    "Bytes on the devices for each byte stored in this mode.",
    BY_MODE,
);
/// Without `btrfs_dev_uuid` where the devices cannot be asked themselves.
static DEVICE_SIZE: Gauge<3> = Gauge::new(
    "node_btrfs_device_size_bytes",
    "Size of a device of the file system.",
    ["uuid", "device", "btrfs_dev_uuid"],
);
static DEVICE_UNUSED: Gauge<3> = Gauge::new(
    "node_btrfs_device_unused_bytes",
    "Part of the device that no block group takes.",
    ["uuid", "device", "btrfs_dev_uuid"],
);
static DEVICE_ERRORS: Counter<4> = Counter::new(
    "node_btrfs_device_errors_total",
    "Errors of the device since its counters were last reset; they outlive mounts.",
    ["uuid", "type", "device", "btrfs_dev_uuid"],
);

/// In the order of `enum btrfs_dev_stat_values`.
const ERROR_TYPES: [&str; ioctl::ERROR_KINDS] =
    ["write", "read", "flush", "corruption", "generation"];
/// `mixed` stands instead of data and metadata on small file systems.
const BLOCK_GROUP_TYPES: [&str; 4] = ["data", "metadata", "system", "mixed"];

static UUID: LabelName = LabelName::fixed("uuid");
static DEVICE: LabelName = LabelName::fixed("device");
static DEVICE_UUID: LabelName = LabelName::fixed("btrfs_dev_uuid");

pub static SPEC: Spec = Spec {
    name: "btrfs",
    enabled: true,
    about: "Space, commits and devices of each btrfs, from /sys/fs/btrfs and its mount points.",
    flags: &[],
    families: &[
        &INFO,
        &GLOBAL_RESERVE,
        &COMMITS,
        &LAST_COMMIT,
        &MAX_COMMIT,
        &COMMIT_TIME,
        &RESERVED,
        &USED,
        &SIZE,
        &RATIO,
        &DEVICE_SIZE,
        &DEVICE_UNUSED,
        &DEVICE_ERRORS,
    ],
    build: |setup| {
        Ok(Box::new(Btrfs {
            host: setup.host.clone(),
            mounts: MountInfo::new(&setup.host),
            device_size: MetricName::sanitize(&[DEVICE_SIZE.name()]),
        }))
    },
};

struct Btrfs {
    host: Host,
    mounts: MountInfo,
    device_size: MetricName,
}

/// A mounted file system.
struct Fs {
    uuid: String,
    label: String,
    global_reserve: Option<u64>,
    commits: Commits,
    groups: Vec<Group>,
    /// Names and sizes, from sysfs.
    devices: Vec<(String, Option<u64>)>,
    /// From the file system itself, where it could be asked.
    asked: Option<Vec<ioctl::Device>>,
}

/// Number, and milliseconds of the latest, of the slowest and of all.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
struct Commits([Option<u64>; 4]);

/// What is stored in one kind of block groups.
struct Group {
    kind: &'static str,
    reserved: Option<u64>,
    modes: Vec<Mode>,
}

/// Single, mirrored, striped: each is a folder.
struct Mode {
    name: String,
    used: Option<u64>,
    size: Option<u64>,
    ratio: Option<f64>,
}

impl Collector for Btrfs {
    fn collect(&mut self, out: &mut Exposition) -> Result<(), CollectError> {
        let folder = self.host.sys("fs/btrfs");
        let mut found = match names(&folder) {
            Ok(found) => found,
            // As the peer has it: no btrfs is no error.
            Err(error) if error.is_no_data() => return Ok(()),
            Err(error) => return Err(error),
        };
        // Beside the file systems lies the folder of features.
        found.retain(|name| name.contains('-'));
        if found.is_empty() {
            return Ok(());
        }
        let mut asked = self.ask();
        let mut seen = HashSet::new();
        let mut list = Vec::new();
        for fsid in &found {
            let mut fs = Fs::read(&folder.join(fsid));
            let known = asked.iter().position(|(id, _)| id == fsid);
            fs.asked = known.map(|at| asked.swap_remove(at).1);
            // A clone that is mounted beside its original has its metadata UUID.
            if fs.uuid.is_empty() || !seen.insert(fs.uuid.clone()) {
                fs.uuid.clone_from(fsid);
            }
            list.push(fs);
        }
        write_totals(&list, out);
        write_groups(&list, out);
        self.write_sizes(&list, out);
        write_asked(&list, out);
        Ok(())
    }
}

impl Btrfs {
    /// Asks each file system for its devices through the first mount point that answers; gives them by `fsid`.
    fn ask(&mut self) -> Vec<(String, Vec<ioctl::Device>)> {
        let mut found: Vec<(String, Vec<ioctl::Device>)> = Vec::new();
        if let Err(error) = self.mounts.read() {
            tracing::debug!(%error, "no btrfs is asked for its devices");
            return found;
        }
        for mount in mounts::of_btrfs(self.mounts.text()) {
            let path = below_root(&self.host, &mounts::unescape(mount));
            let Ok(folder) = File::open(&path) else { continue };
            let Ok(fs) = ioctl::fs_info(&folder) else { continue };
            let fsid = dashed(&fs.fsid);
            if found.iter().any(|(known, _)| *known == fsid) {
                continue;
            }
            match ioctl::devices(&folder, &fs) {
                Ok(devices) => found.push((fsid, devices)),
                Err(error) => tracing::debug!(path = %path.display(), %error, "btrfs devices"),
            }
        }
        found
    }

    fn write_sizes(&self, list: &[Fs], out: &mut Exposition) {
        let mut family = out.dynamic(&self.device_size, Kind::Gauge, DEVICE_SIZE.help());
        for fs in list {
            let uuid = (&UUID, fs.uuid.as_bytes());
            let Some(devices) = &fs.asked else {
                for (name, size) in &fs.devices {
                    if let Some(size) = size {
                        family.sample([uuid, (&DEVICE, name.as_bytes())], *size);
                    }
                }
                continue;
            };
            for device in devices {
                let id = dashed(&device.uuid);
                let labels =
                    [uuid, (&DEVICE, device.name.as_slice()), (&DEVICE_UUID, id.as_bytes())];
                family.sample(labels, device.total_bytes);
            }
        }
    }
}

impl Fs {
    fn read(path: &Path) -> Self {
        let mut devices = Vec::new();
        for name in names(&path.join("devices")).unwrap_or_default() {
            let sectors: Option<u64> = number(&path.join("devices").join(&name).join("size"));
            devices.push((name, sectors.and_then(|count| count.checked_mul(512))));
        }
        let group = |kind| Group::read(&path.join("allocation").join(kind), kind, devices.len());
        let commits = attribute(&path.join("commit_stats"));
        Self {
            uuid: attribute(&path.join("metadata_uuid")).unwrap_or_default(),
            label: attribute(&path.join("label")).unwrap_or_default(),
            global_reserve: number(&path.join("allocation/global_rsv_size")),
            // Before Linux 6.0 nobody counted; the peer shows zeros then, and its alerts rely on the series.
            commits: commits.map_or(Commits([Some(0); 4]), |text| Commits::parse(&text)),
            groups: BLOCK_GROUP_TYPES.into_iter().filter_map(group).collect(),
            devices,
            asked: None,
        }
    }
}

impl Commits {
    fn parse(text: &str) -> Self {
        let value = |name: &str| {
            let mut lines = text.lines().filter_map(|line| line.split_once(' '));
            lines.find(|(key, _)| *key == name)?.1.trim().parse().ok()
        };
        Self(["commits", "last_commit_ms", "max_commit_ms", "total_commit_ms"].map(value))
    }
}

impl Group {
    fn read(path: &Path, kind: &'static str, devices: usize) -> Option<Self> {
        let is_folder = |entry: &std::fs::DirEntry| entry.file_type().is_ok_and(|t| t.is_dir());
        let entries = std::fs::read_dir(path).ok()?.filter_map(Result::ok).filter(is_folder);
        let mut names: Vec<String> =
            entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
        names.sort_unstable();
        let mode = |name: String| Mode {
            used: number(&path.join(&name).join("used_bytes")),
            size: number(&path.join(&name).join("total_bytes")),
            ratio: ratio(&name, devices),
            name,
        };
        let reserved = number(&path.join("bytes_reserved"));
        Some(Self { kind, reserved, modes: names.into_iter().map(mode).collect() })
    }
}

/// Bytes on the devices for a byte stored; parity is shared by all devices.
fn ratio(mode: &str, devices: usize) -> Option<f64> {
    let parity = |disks: usize| {
        let data = devices.checked_sub(disks).filter(|data| *data > 0)?;
        Some(devices as f64 / data as f64)
    };
    match mode {
        "single" | "raid0" => Some(1.0),
        "dup" | "raid1" | "raid10" => Some(2.0),
        "raid1c3" => Some(3.0),
        "raid1c4" => Some(4.0),
        "raid5" => parity(1),
        "raid6" => parity(2),
        _ => None,
    }
}

fn write_totals(list: &[Fs], out: &mut Exposition) {
    let mut family = out.family(&INFO);
    for fs in list {
        family.sample((&fs.uuid, &fs.label), 1_u8);
    }
    let mut family = out.family(&GLOBAL_RESERVE);
    for fs in list {
        family.maybe(&fs.uuid, fs.global_reserve);
    }
    let mut family = out.family(&COMMITS);
    for fs in list {
        family.maybe(&fs.uuid, fs.commits.0[0]);
    }
    let seconds = |fs: &Fs, at: usize| fs.commits.0[at].map(|ms| ms as f64 / 1000.0);
    for (at, family) in [(1, &LAST_COMMIT), (2, &MAX_COMMIT)] {
        let mut family = out.family(family);
        for fs in list {
            family.maybe(&fs.uuid, seconds(fs, at));
        }
    }
    let mut family = out.family(&COMMIT_TIME);
    for fs in list {
        family.maybe(&fs.uuid, seconds(fs, 3));
    }
}

/// A value of a mode.
type Column = fn(&Mode) -> Option<f64>;

fn write_groups(list: &[Fs], out: &mut Exposition) {
    let groups = || list.iter().flat_map(|fs| fs.groups.iter().map(move |group| (fs, group)));
    let mut family = out.family(&RESERVED);
    for (fs, group) in groups() {
        family.maybe((&fs.uuid, group.kind), group.reserved);
    }
    let columns: [(_, Column); 3] = [
        (&USED, |mode| mode.used.map(|bytes| bytes as f64)),
        (&SIZE, |mode| mode.size.map(|bytes| bytes as f64)),
        (&RATIO, |mode| mode.ratio),
    ];
    for (family, column) in columns {
        let mut family = out.family(family);
        for (fs, group) in groups() {
            for mode in &group.modes {
                family.maybe((&fs.uuid, group.kind, &mode.name), column(mode));
            }
        }
    }
}

fn write_asked(list: &[Fs], out: &mut Exposition) {
    let devices = || list.iter().flat_map(|fs| fs.asked.iter().flatten().map(move |d| (fs, d)));
    let mut family = out.family(&DEVICE_UNUSED);
    for (fs, device) in devices() {
        let unused = device.total_bytes.checked_sub(device.used_bytes);
        family.maybe((&fs.uuid, device.name.as_slice(), dashed(&device.uuid)), unused);
    }
    let mut family = out.family(&DEVICE_ERRORS);
    for (fs, device) in devices() {
        let id = dashed(&device.uuid);
        for (kind, count) in ERROR_TYPES.iter().zip(device.errors.iter().flatten()) {
            family.sample((&fs.uuid, *kind, device.name.as_slice(), &id), *count);
        }
    }
}

/// A mount point as we see it: one that process 1 names stands below the host's root, one of ours may begin with it.
fn below_root(host: &Host, mount: &[u8]) -> PathBuf {
    let path = Path::new(OsStr::from_bytes(mount));
    let inside = path.strip_prefix(host.root_path()).unwrap_or(path);
    host.root_path().join(inside.strip_prefix("/").unwrap_or(inside))
}

/// As btrfs and udev show it: `8-4-4-4-12` hexadecimal digits.
fn dashed(uuid: &[u8; 16]) -> String {
    let mut text = String::with_capacity(36);
    for (i, byte) in uuid.iter().enumerate() {
        let dash = if matches!(i, 4 | 6 | 8 | 10) { "-" } else { "" };
        // Writing to memory cannot fail.
        let _done = write!(text, "{dash}{byte:02x}");
    }
    text
}

#[cfg(test)]
mod tests;
