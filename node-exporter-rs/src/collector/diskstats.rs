//! `node_disk_*`: what block devices did, from `/proc/diskstats` (Documentation/admin-guide/iostats.rst), and what they are,
//! from udev's data and `/sys/block`.

mod device;
mod udev;

use std::path::PathBuf;

use exporter_toolkit::{Counter, Exposition, Gauge};

use self::device::{COLUMNS, Device, Row};
use super::{BuildError, CollectError, Collector, Setup, Spec};
use crate::filter::{Filter, PatternFlag};
use crate::flags::Flag;
use crate::host::{Host, KeptFile};

const DEVICE: [&str; 1] = ["device"];

static READS: Counter<1> =
    Counter::new("node_disk_reads_completed_total", "Reads that a device has completed.", DEVICE);
static READS_MERGED: Counter<1> = Counter::new(
    "node_disk_reads_merged_total",
    "Reads that were joined to a neighbouring one before the device saw them.",
    DEVICE,
);
static READ_BYTES: Counter<1> =
    Counter::new("node_disk_read_bytes_total", "Bytes read from a device.", DEVICE);
static READ_TIME: Counter<1> = Counter::new(
    "node_disk_read_time_seconds_total",
    "Time that all reads took, added up; reads at the same time count each.",
    DEVICE,
);
static WRITES: Counter<1> =
    Counter::new("node_disk_writes_completed_total", "Writes that a device has completed.", DEVICE);
static WRITES_MERGED: Counter<1> = Counter::new(
    "node_disk_writes_merged_total",
    "Writes that were joined to a neighbouring one before the device saw them.",
    DEVICE,
);
static WRITTEN_BYTES: Counter<1> =
    Counter::new("node_disk_written_bytes_total", "Bytes written to a device.", DEVICE);
static WRITE_TIME: Counter<1> = Counter::new(
    "node_disk_write_time_seconds_total",
    "Time that all writes took, added up; writes at the same time count each.",
    DEVICE,
);
static IO_NOW: Gauge<1> =
    Gauge::new("node_disk_io_now", "Requests that a device is working on now.", DEVICE);
static IO_TIME: Counter<1> = Counter::new(
    "node_disk_io_time_seconds_total",
    "Time in which a device had work: its rate is the device's utilisation.",
    DEVICE,
);
static IO_TIME_WEIGHTED: Counter<1> = Counter::new(
    "node_disk_io_time_weighted_seconds_total",
    "Time in which a device had work, times its requests: its rate is the average queue length.",
    DEVICE,
);
static DISCARDS: Counter<1> = Counter::new(
    "node_disk_discards_completed_total",
    "Discards (TRIM) that a device has completed.",
    DEVICE,
);
static DISCARDS_MERGED: Counter<1> = Counter::new(
    "node_disk_discards_merged_total",
    "Discards that were joined to a neighbouring one before the device saw them.",
    DEVICE,
);
static DISCARDED_SECTORS: Counter<1> = Counter::new(
    "node_disk_discarded_sectors_total",
    "Sectors of 512 bytes that were discarded.",
    DEVICE,
);
static DISCARD_TIME: Counter<1> = Counter::new(
    "node_disk_discard_time_seconds_total",
    "Time that all discards took, added up.",
    DEVICE,
);
static FLUSHES: Counter<1> = Counter::new(
    "node_disk_flush_requests_total",
    "Times that a device was told to empty its write cache, and did.",
    DEVICE,
);
static FLUSH_TIME: Counter<1> = Counter::new(
    "node_disk_flush_requests_time_seconds_total",
    "Time that emptying the write cache took, added up.",
    DEVICE,
);
static INFO: Gauge<9> = Gauge::new(
    "node_disk_info",
    "Always 1: a device's numbers, its place and names as udev knows them, and whether it is a spinning disk.",
    ["device", "major", "minor", "path", "wwn", "model", "serial", "revision", "rotational"],
);
static FILESYSTEM_INFO: Gauge<5> = Gauge::new(
    "node_disk_filesystem_info",
    "Always 1: the file system that udev found on a device.",
    ["device", "type", "usage", "uuid", "version"],
);
static MAPPER_INFO: Gauge<6> = Gauge::new(
    "node_disk_device_mapper_info",
    "Always 1: what a device of the device mapper stands for, such as an LVM volume.",
    ["device", "name", "uuid", "vg_name", "lv_name", "lv_layer"],
);
static WRITE_CACHE: Gauge<1> =
    Gauge::new("node_disk_ata_write_cache", "1 for an ATA disk that has a write cache.", DEVICE);
static WRITE_CACHE_ENABLED: Gauge<1> = Gauge::new(
    "node_disk_ata_write_cache_enabled",
    "1 for an ATA disk whose write cache is on.",
    DEVICE,
);
static ROTATION_RATE: Gauge<1> = Gauge::new(
    "node_disk_ata_rotation_rate_rpm",
    "Rotations a minute of an ATA disk; 0 for one without moving parts.",
    DEVICE,
);

static EXCLUDE: PatternFlag = Flag::new(
    "collector.diskstats.device-exclude",
    r"^(z?ram|loop|fd|(h|s|v|xv)d[a-z]|nvme\d+n\d+p)\d+$",
    "Devices to leave out, as a regular expression; excludes device-include.",
);
static INCLUDE: PatternFlag = Flag::new(
    "collector.diskstats.device-include",
    "",
    "The only devices to give, as a regular expression; excludes device-exclude.",
);
static IGNORED: PatternFlag = Flag::new(
    "collector.diskstats.ignored-devices",
    "",
    "Former name of --collector.diskstats.device-exclude.",
)
.hidden();

pub static SPEC: Spec = Spec {
    name: "diskstats",
    enabled: true,
    about: "Reads, writes and facts of block devices, from /proc/diskstats, udev and /sys/block.",
    flags: &[&EXCLUDE, &INCLUDE, &IGNORED],
    families: &[
        &READS,
        &READS_MERGED,
        &READ_BYTES,
        &READ_TIME,
        &WRITES,
        &WRITES_MERGED,
        &WRITTEN_BYTES,
        &WRITE_TIME,
        &IO_NOW,
        &IO_TIME,
        &IO_TIME_WEIGHTED,
        &DISCARDS,
        &DISCARDS_MERGED,
        &DISCARDED_SECTORS,
        &DISCARD_TIME,
        &FLUSHES,
        &FLUSH_TIME,
        &INFO,
        &FILESYSTEM_INFO,
        &MAPPER_INFO,
        &WRITE_CACHE,
        &WRITE_CACHE_ENABLED,
        &ROTATION_RATE,
    ],
    build: |setup| Ok(Box::new(Diskstats::new(setup)?)),
};

/// What a column counts in.
#[derive(Clone, Copy)]
enum Unit {
    Pieces,
    /// Of 512 bytes, whatever the device's own are.
    Sectors,
    Milliseconds,
}

/// The columns that are counters, in the kernel's order; the ninth, which is none, is [`IO_NOW`].
static COUNTERS: [(usize, &Counter<1>, Unit); COLUMNS - 1] = [
    (0, &READS, Unit::Pieces),
    (1, &READS_MERGED, Unit::Pieces),
    (2, &READ_BYTES, Unit::Sectors),
    (3, &READ_TIME, Unit::Milliseconds),
    (4, &WRITES, Unit::Pieces),
    (5, &WRITES_MERGED, Unit::Pieces),
    (6, &WRITTEN_BYTES, Unit::Sectors),
    (7, &WRITE_TIME, Unit::Milliseconds),
    (9, &IO_TIME, Unit::Milliseconds),
    (10, &IO_TIME_WEIGHTED, Unit::Milliseconds),
    (11, &DISCARDS, Unit::Pieces),
    (12, &DISCARDS_MERGED, Unit::Pieces),
    (13, &DISCARDED_SECTORS, Unit::Pieces),
    (14, &DISCARD_TIME, Unit::Milliseconds),
    (15, &FLUSHES, Unit::Pieces),
    (16, &FLUSH_TIME, Unit::Milliseconds),
];
const IO_NOW_COLUMN: usize = 8;

struct Diskstats {
    host: Host,
    file: KeptFile,
    path: PathBuf,
    udev: PathBuf,
    filter: Filter,
    /// In the file's order, which changes only when a device comes or goes.
    devices: Vec<Device>,
}

impl Collector for Diskstats {
    fn collect(&mut self, out: &mut Exposition) -> Result<(), CollectError> {
        self.read()?;
        self.write_counts(out);
        self.write_facts(out);
        Ok(())
    }
}

impl Diskstats {
    fn new(setup: &Setup) -> Result<Self, BuildError> {
        let flags = &setup.flags;
        flags.exclusive(&IGNORED, &EXCLUDE)?;
        let exclude = if flags.given(&IGNORED) { &IGNORED } else { &EXCLUDE };
        Ok(Self {
            host: setup.host.clone(),
            file: setup.host.keep_proc("diskstats"),
            path: setup.host.proc("diskstats"),
            udev: setup.host.udev(""),
            filter: Filter::from_flags(flags, &INCLUDE, exclude)?,
            devices: Vec::new(),
        })
    }

    /// Takes over the file's counts. A device's facts are read when it appears.
    fn read(&mut self) -> Result<(), CollectError> {
        // The name of an md array may hold any bytes.
        let text = String::from_utf8_lossy(self.file.read()?);
        let wrong = |line| CollectError::parse(&self.path, "not a device", line);
        let udev = self.udev.is_dir();
        let mut count = 0;
        for line in text.lines() {
            let Some(row) = Row::parse(line).ok_or_else(|| wrong(line))? else {
                continue;
            };
            if device::place(&mut self.devices, count, &row, &self.filter, &self.host) {
                self.devices[count].update(&row, &self.host, udev);
                count += 1;
            }
        }
        self.devices.truncate(count);
        Ok(())
    }

    fn shown(&self) -> impl Iterator<Item = &Device> {
        self.devices.iter().filter(|device| device.shown)
    }

    fn write_counts(&self, out: &mut Exposition) {
        for (column, family, unit) in &COUNTERS {
            let mut samples = out.family(family);
            for device in self.shown() {
                let Some(&count) = device.columns().get(*column) else { continue };
                match unit {
                    Unit::Pieces => samples.sample(&device.name, count),
                    Unit::Sectors => samples.sample(&device.name, count as f64 * 512.0),
                    Unit::Milliseconds => samples.sample(&device.name, count as f64 * 0.001),
                }
            }
        }
        let mut now = out.family(&IO_NOW);
        for device in self.shown() {
            now.maybe(&device.name, device.columns().get(IO_NOW_COLUMN).copied());
        }
    }

    fn write_facts(&self, out: &mut Exposition) {
        let mut info = out.family(&INFO);
        for device in self.shown() {
            let udev::Told { path, wwn, model, serial, revision, .. } = &device.facts.told;
            let (name, major, minor) = (&device.name, device.major, device.minor);
            let rotational = u8::from(device.rotational);
            info.sample((name, major, minor, path, wwn, model, serial, revision, rotational), 1_u8);
        }
        let mut filesystems = out.family(&FILESYSTEM_INFO);
        for device in self.shown() {
            if let Some([kind, usage, uuid, version]) = &device.facts.told.filesystem {
                filesystems.sample((&device.name, kind, usage, uuid, version), 1_u8);
            }
        }
        let mut mapper = out.family(&MAPPER_INFO);
        for device in self.shown() {
            if let Some([name, uuid, group, volume, layer]) = &device.facts.told.mapper {
                mapper.sample((&device.name, name, uuid, group, volume, layer), 1_u8);
            }
        }
        for (i, family) in [&WRITE_CACHE, &WRITE_CACHE_ENABLED, &ROTATION_RATE].iter().enumerate() {
            let mut samples = out.family(family);
            for device in self.shown() {
                samples.maybe(&device.name, device.facts.told.ata[i]);
            }
        }
    }
}

#[cfg(test)]
mod tests;
