//! `node_bcachefs_*`: space, counters and devices of each bcachefs, from `/sys/fs/bcachefs/UUID`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use exporter_toolkit::name::{LabelName, MetricName};
use exporter_toolkit::{Counter, Described, Exposition, Gauge, Kind};

use super::{CollectError, Collector, Spec};
use crate::host::{Host, attribute, names, number, read_text};

mod text;

const BY_ALGORITHM: [&str; 2] = ["uuid", "algorithm"];
const BY_DEVICE: [&str; 2] = ["uuid", "device"];

static INFO: Gauge<1> = Gauge::new("node_bcachefs_info", "1 for each mounted bcachefs.", ["uuid"]);
static BTREE_CACHE: Gauge<1> = Gauge::new(
    "node_bcachefs_btree_cache_size_bytes",
    "Memory that holds nodes of the index.",
    ["uuid"],
);
static COMPRESSED: Gauge<2> = Gauge::new(
    "node_bcachefs_compression_compressed_bytes",
    "Space that data takes as this algorithm left it.",
    BY_ALGORITHM,
);
static UNCOMPRESSED: Gauge<2> = Gauge::new(
    "node_bcachefs_compression_uncompressed_bytes",
    "Length of that data before it was compressed.",
    BY_ALGORITHM,
);
static ERRORS: Counter<2> = Counter::new(
    "node_bcachefs_errors_total",
    "Inconsistencies found in the file system since it was made.",
    ["uuid", "error_type"],
);
static BTREE_WRITES: Counter<2> = Counter::new(
    "node_bcachefs_btree_writes_total",
    "Writes of index nodes, by what caused them.",
    ["uuid", "type"],
);
static BTREE_WRITE_SIZE: Gauge<2> = Gauge::new(
    "node_bcachefs_btree_write_average_size_bytes",
    "Average length of these writes.",
    ["uuid", "type"],
);
static DEVICE_INFO: Gauge<4> = Gauge::new(
    "node_bcachefs_device_info",
    "1 for each device; brackets mark the state that it is in.",
    ["uuid", "device", "label", "state"],
);
static BUCKET_SIZE: Gauge<2> = Gauge::new(
    "node_bcachefs_device_bucket_size_bytes",
    "Length of a bucket, the unit in which space of the device is given out.",
    BY_DEVICE,
);
static BUCKETS: Gauge<2> =
    Gauge::new("node_bcachefs_device_buckets", "Buckets of the device.", BY_DEVICE);
static DURABILITY: Gauge<2> = Gauge::new(
    "node_bcachefs_device_durability",
    "How many copies one on this device counts for; 0 for a mere cache.",
    BY_DEVICE,
);
static IO_DONE: Counter<4> = Counter::new(
    "node_bcachefs_device_io_done_bytes_total",
    "Bytes read from and written to the device, by what they hold.",
    ["uuid", "device", "operation", "data_type"],
);
static IO_ERRORS: Counter<3> = Counter::new(
    "node_bcachefs_device_io_errors_total",
    "Errors of the device since the file system was made.",
    ["uuid", "device", "type"],
);

static UUID: LabelName = LabelName::fixed("uuid");

pub static SPEC: Spec = Spec {
    name: "bcachefs",
    enabled: true,
    about: "Space, counters and devices of each bcachefs, from /sys/fs/bcachefs.",
    flags: &[],
    families: FAMILIES,
    build: |setup| Ok(Box::new(Bcachefs { host: setup.host.clone(), name: MetricName::default() })),
};

const FAMILIES: &[&dyn Described] = &[
    &INFO,
    &BTREE_CACHE,
    &COMPRESSED,
    &UNCOMPRESSED,
    &ERRORS,
    &BTREE_WRITES,
    &BTREE_WRITE_SIZE,
    &DEVICE_INFO,
    &BUCKET_SIZE,
    &BUCKETS,
    &DURABILITY,
    &IO_DONE,
    &IO_ERRORS,
];

struct Bcachefs {
    host: Host,
    name: MetricName,
}

/// A mounted file system and its folder.
struct Fs {
    uuid: String,
    path: PathBuf,
}

/// A device of one.
struct Device<'a> {
    fs: &'a Fs,
    name: String,
    path: PathBuf,
}

impl Collector for Bcachefs {
    fn collect(&mut self, out: &mut Exposition) -> Result<(), CollectError> {
        let folder = self.host.sys("fs/bcachefs");
        let with_path = |uuid: String| Fs { path: folder.join(&uuid), uuid };
        let mut list: Vec<Fs> = names(&folder)?.into_iter().map(with_path).collect();
        list.retain(|fs| fs.path.is_dir());
        if list.is_empty() {
            return Err(CollectError::NoData("no bcachefs is mounted"));
        }
        write_totals(&list, out);
        self.write_counters(&list, out);
        let devices = devices(&list);
        write_devices(&devices, out);
        write_io(&devices, out);
        Ok(())
    }
}

impl Fs {
    /// One of its files, with all lines that it has; empty where there is none.
    fn text(&self, file: &str) -> String {
        read_text(&self.path.join(file)).unwrap_or_default()
    }
}

fn write_totals(list: &[Fs], out: &mut Exposition) {
    let mut family = out.family(&INFO);
    for fs in list {
        family.sample(&fs.uuid, 1_u8);
    }
    let mut family = out.family(&BTREE_CACHE);
    for fs in list {
        let size = attribute(&fs.path.join("btree_cache_size"));
        family.maybe(&fs.uuid, size.and_then(|text| text::human(&text)));
    }
    let texts: Vec<String> = list.iter().map(|fs| fs.text("compression_stats")).collect();
    write_column(list, &texts, |row| row.1, out.family(&COMPRESSED));
    write_column(list, &texts, |row| row.2, out.family(&UNCOMPRESSED));
    let mut family = out.family(&ERRORS);
    for fs in list {
        for (kind, count) in text::errors(&fs.text("errors")) {
            family.sample((&fs.uuid, kind), count);
        }
    }
    let texts: Vec<String> = list.iter().map(|fs| fs.text("btree_write_stats")).collect();
    write_column(list, &texts, |row| row.1, out.family(&BTREE_WRITES));
    write_column(list, &texts, |row| row.2, out.family(&BTREE_WRITE_SIZE));
}

/// A column of a table that each file system has.
fn write_column(
    list: &[Fs],
    texts: &[String],
    column: fn(&(&str, f64, f64)) -> f64,
    mut family: exporter_toolkit::exposition::Samples<'_, 2>,
) {
    for (fs, text) in list.iter().zip(texts) {
        for row in text::table(text) {
            family.sample((&fs.uuid, row.0), column(&row));
        }
    }
}

impl Bcachefs {
    /// A family for each file in `counters`; a name that the families above have is left to them.
    fn write_counters(&mut self, list: &[Fs], out: &mut Exposition) {
        let mut found = BTreeMap::new();
        for fs in list {
            for file in names(&fs.path.join("counters")).unwrap_or_default() {
                self.name.set(&["node_bcachefs_", &file, "_total"]);
                found.entry(self.name.as_str().to_owned()).or_insert(file);
            }
        }
        found.retain(|name, _| FAMILIES.iter().all(|family| family.name() != name));
        for (name, file) in &found {
            self.name.set(&[name]);
            let help =
                format_args!("Counter {file} of the kernel, since the file system was made.");
            let mut family = out.dynamic(&self.name, Kind::Counter, help);
            for fs in list {
                let text = attribute(&fs.path.join("counters").join(file)).unwrap_or_default();
                if let Some(count) = text::since_creation(&text) {
                    family.sample([(&UUID, &fs.uuid)], count);
                }
            }
        }
    }
}

fn devices(list: &[Fs]) -> Vec<Device<'_>> {
    let mut devices = Vec::new();
    for fs in list {
        for folder in names(&fs.path).unwrap_or_default() {
            if let Some(name) = folder.strip_prefix("dev-") {
                devices.push(Device { fs, name: name.to_owned(), path: fs.path.join(&folder) });
            }
        }
    }
    devices
}

fn write_devices(devices: &[Device<'_>], out: &mut Exposition) {
    let mut family = out.family(&DEVICE_INFO);
    for device in devices {
        // A device that is gone has no state any more; one without a label has an empty one.
        let Some(state) = attribute(&device.path.join("state")) else { continue };
        let label = attribute(&device.path.join("label")).unwrap_or_default();
        family.sample((&device.fs.uuid, &device.name, label, state), 1_u8);
    }
    let mut family = out.family(&BUCKET_SIZE);
    for device in devices {
        let size = attribute(&device.path.join("bucket_size"));
        let size = size.and_then(|text| text::human(&text));
        family.maybe((&device.fs.uuid, &device.name), size);
    }
    for (family, file) in [(&BUCKETS, "nbuckets"), (&DURABILITY, "durability")] {
        let mut family = out.family(family);
        for device in devices {
            let value: Option<u64> = number(&device.path.join(file));
            family.maybe((&device.fs.uuid, &device.name), value);
        }
    }
}

fn write_io(devices: &[Device<'_>], out: &mut Exposition) {
    let mut family = out.family(&IO_DONE);
    for device in devices {
        let text = attribute(&device.path.join("io_done")).unwrap_or_default();
        for (operation, kind, bytes) in text::io_done(&text) {
            family.sample((&device.fs.uuid, &device.name, operation, kind), bytes);
        }
    }
    let mut family = out.family(&IO_ERRORS);
    for device in devices {
        let text = attribute(&device.path.join("io_errors")).unwrap_or_default();
        for (kind, count) in text::io_errors(&text) {
            family.sample((&device.fs.uuid, &device.name, kind), count);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collector::testing::{collect, tree};

    #[test]
    fn without_a_mounted_bcachefs_there_is_no_data() {
        let (_, result) = collect(&SPEC, tree(&[]).path(), &[]);
        assert!(result.unwrap_err().is_no_data());
        let (_, result) = collect(&SPEC, tree(&[("sys/fs/bcachefs/version", "1\n")]).path(), &[]);
        assert!(result.unwrap_err().is_no_data());
    }

    #[test]
    fn a_counter_named_like_a_family_of_ours_is_left_to_it() {
        let counter = "since filesystem creation: 5\n";
        let folder = tree(&[
            ("sys/fs/bcachefs/u/counters/errors", counter),
            ("sys/fs/bcachefs/u/counters/a-b", counter),
            ("sys/fs/bcachefs/u/counters/a_b", counter),
            ("sys/fs/bcachefs/u/counters/new", "since mount: 5\n"),
        ]);
        let (samples, _) = collect(&SPEC, folder.path(), &[]);
        let due = ["node_bcachefs_info{uuid=\"u\"} 1", "node_bcachefs_a_b_total{uuid=\"u\"} 5"];
        assert_eq!(samples, due);
    }
}
