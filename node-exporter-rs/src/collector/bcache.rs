//! `node_bcache_*`: SSDs that cache slower disks, from `/sys/fs/bcache/UUID` (Documentation/admin-guide/bcache.rst).

use std::path::PathBuf;

use exporter_toolkit::family::{Family, TypeMark};
use exporter_toolkit::{Counter, Exposition, Gauge};

use super::{CollectError, Collector, Spec};
use crate::flags::Flag;
use crate::host::{Host, attribute, names};

mod text;

use text::{Writeback, dehumanize, percent};

static PRIORITY_STATS: Flag<bool> = Flag::new(
    "collector.bcache.priorityStats",
    "false",
    "Read priority_stats as well, for which the kernel walks all buckets of the cache.",
);

/// A family of `N` labels and the attribute that it comes from, below the folder of what it describes.
type Attributes<K, const N: usize, const ROWS: usize> = [(Family<K, N>, &'static str); ROWS];

type Gauges<const N: usize, const ROWS: usize> =
    Attributes<exporter_toolkit::family::GaugeMark, N, ROWS>;
type Counters<const N: usize, const ROWS: usize> =
    Attributes<exporter_toolkit::family::CounterMark, N, ROWS>;

const OF_SET: [&str; 1] = ["uuid"];
const OF_BACKING: [&str; 2] = ["uuid", "backing_device"];
const OF_CACHE: [&str; 2] = ["uuid", "cache_device"];

static SET_GAUGES: Gauges<1, 8> = [
    (
        Gauge::new(
            "node_bcache_average_key_size_sectors",
            "Sectors of data that one key of the index describes, on average.",
            OF_SET,
        ),
        "average_key_size",
    ),
    (
        Gauge::new(
            "node_bcache_btree_cache_size_bytes",
            "Memory that holds nodes of the index.",
            OF_SET,
        ),
        "btree_cache_size",
    ),
    (
        Gauge::new(
            "node_bcache_cache_available_percent",
            "Share of the cache that is free of dirty data, so that writes can go there.",
            OF_SET,
        ),
        "cache_available_percent",
    ),
    (
        Gauge::new(
            "node_bcache_congested",
            "How far the cache is behind its latency threshold; above 0 it is bypassed.",
            OF_SET,
        ),
        "congested",
    ),
    (
        Gauge::new(
            "node_bcache_root_usage_percent",
            "Share of the index's root node in use; a full one deepens the index.",
            OF_SET,
        ),
        "root_usage_percent",
    ),
    (Gauge::new("node_bcache_tree_depth", "Levels of the index.", OF_SET), "tree_depth"),
    (
        Gauge::new(
            "node_bcache_active_journal_entries",
            "Journal entries that the index on disk does not have yet.",
            OF_SET,
        ),
        "internal/active_journal_entries",
    ),
    (Gauge::new("node_bcache_btree_nodes", "Nodes of the index.", OF_SET), "internal/btree_nodes"),
];
/// The file's unit is microseconds; the peer takes it for nanoseconds, and its dashboards know that scale.
static BTREE_READ: Gauge<1> = Gauge::new(
    "node_bcache_btree_read_average_duration_seconds",
    "Average time to read an index node; a thousandth of the true value, as node_exporter has it.",
    OF_SET,
);
static SET_COUNTERS: Counters<1, 1> = [(
    Counter::new(
        "node_bcache_cache_read_races_total",
        "Reads whose bucket was reused before they ended, so that they were repeated.",
        OF_SET,
    ),
    "internal/cache_read_races",
)];

static DIRTY_DATA: Gauges<2, 1> = [(
    Gauge::new(
        "node_bcache_dirty_data_bytes",
        "Data in the cache that the backing device does not have yet.",
        OF_BACKING,
    ),
    "dirty_data",
)];
static WRITEBACK: [Gauge<2>; 5] = [
    Gauge::new(
        "node_bcache_dirty_target_bytes",
        "How much dirty data the writeback controller aims at.",
        OF_BACKING,
    ),
    Gauge::new(
        "node_bcache_writeback_rate",
        "Bytes a second that are written back to the backing device.",
        OF_BACKING,
    ),
    Gauge::new(
        "node_bcache_writeback_rate_proportional_term",
        "Part of the writeback rate that follows the distance from the target.",
        OF_BACKING,
    ),
    Gauge::new(
        "node_bcache_writeback_rate_integral_term",
        "Part of the writeback rate that follows the distance over time.",
        OF_BACKING,
    ),
    Gauge::new(
        "node_bcache_writeback_change",
        "Last change of the writeback rate, in bytes a second.",
        OF_BACKING,
    ),
];
static BACKING_COUNTERS: Counters<2, 6> = [
    (
        Counter::new(
            "node_bcache_bypassed_bytes_total",
            "Bytes read and written past the cache.",
            OF_BACKING,
        ),
        "stats_total/bypassed",
    ),
    (
        Counter::new(
            "node_bcache_cache_hits_total",
            "Requests that the cache answered.",
            OF_BACKING,
        ),
        "stats_total/cache_hits",
    ),
    (
        Counter::new(
            "node_bcache_cache_misses_total",
            "Requests that the backing device had to answer.",
            OF_BACKING,
        ),
        "stats_total/cache_misses",
    ),
    (
        Counter::new(
            "node_bcache_cache_bypass_hits_total",
            "Requests meant to go past the cache whose data was in it.",
            OF_BACKING,
        ),
        "stats_total/cache_bypass_hits",
    ),
    (
        Counter::new(
            "node_bcache_cache_bypass_misses_total",
            "Requests meant to go past the cache whose data was not in it.",
            OF_BACKING,
        ),
        "stats_total/cache_bypass_misses",
    ),
    (
        Counter::new(
            "node_bcache_cache_miss_collisions_total",
            "Times data read after a miss was in the cache already, put there by a write meanwhile.",
            OF_BACKING,
        ),
        "stats_total/cache_miss_collisions",
    ),
];
static READAHEADS: Counter<2> = Counter::new(
    "node_bcache_cache_readaheads_total",
    "Reads ahead of what was asked for; shown once there was one, as newer kernels have none.",
    OF_BACKING,
);

static CACHE_GAUGES: Gauges<2, 1> = [(
    Gauge::new(
        "node_bcache_io_errors",
        "Errors of the cache device, halved after every io_error_halflife requests.",
        OF_CACHE,
    ),
    "io_errors",
)];
static CACHE_COUNTERS: Counters<2, 2> = [
    (
        Counter::new(
            "node_bcache_metadata_written_bytes_total",
            "Index nodes and other metadata written to the cache device.",
            OF_CACHE,
        ),
        "metadata_written",
    ),
    (
        Counter::new(
            "node_bcache_written_bytes_total",
            "Data written to the cache device.",
            OF_CACHE,
        ),
        "written",
    ),
];
static PRIORITY: [(Gauge<2>, &str); 2] = [
    (
        Gauge::new(
            "node_bcache_priority_stats_unused_percent",
            "Share of the cache without any data.",
            OF_CACHE,
        ),
        "Unused:",
    ),
    (
        Gauge::new(
            "node_bcache_priority_stats_metadata_percent",
            "Share of the cache that metadata takes.",
            OF_CACHE,
        ),
        "Metadata:",
    ),
];

pub static SPEC: Spec = Spec {
    name: "bcache",
    enabled: true,
    about: "Caches on SSDs, from /sys/fs/bcache.",
    flags: &[&PRIORITY_STATS],
    families: &[
        &SET_GAUGES[0].0,
        &SET_GAUGES[1].0,
        &SET_GAUGES[2].0,
        &SET_GAUGES[3].0,
        &SET_GAUGES[4].0,
        &SET_GAUGES[5].0,
        &SET_GAUGES[6].0,
        &SET_GAUGES[7].0,
        &BTREE_READ,
        &SET_COUNTERS[0].0,
        &DIRTY_DATA[0].0,
        &WRITEBACK[0],
        &WRITEBACK[1],
        &WRITEBACK[2],
        &WRITEBACK[3],
        &WRITEBACK[4],
        &BACKING_COUNTERS[0].0,
        &BACKING_COUNTERS[1].0,
        &BACKING_COUNTERS[2].0,
        &BACKING_COUNTERS[3].0,
        &BACKING_COUNTERS[4].0,
        &BACKING_COUNTERS[5].0,
        &READAHEADS,
        &CACHE_GAUGES[0].0,
        &CACHE_COUNTERS[0].0,
        &CACHE_COUNTERS[1].0,
        &PRIORITY[0].0,
        &PRIORITY[1].0,
    ],
    build: |setup| {
        let priority_stats = setup.flags.get(&PRIORITY_STATS)?;
        Ok(Box::new(Bcache { host: setup.host.clone(), priority_stats }))
    },
};

struct Bcache {
    host: Host,
    priority_stats: bool,
}

/// A backing or cache device of a set.
struct Device {
    uuid: String,
    name: String,
    path: PathBuf,
}

impl Collector for Bcache {
    fn collect(&mut self, out: &mut Exposition) -> Result<(), CollectError> {
        let folder = self.host.sys("fs/bcache");
        let mut sets = match names(&folder) {
            Ok(names) => names,
            // As the peer has it: no bcache is no error.
            Err(error) if error.is_no_data() => return Ok(()),
            Err(error) => return Err(error),
        };
        sets.retain(|name| name.contains('-'));
        let sets: Vec<(String, PathBuf)> =
            sets.into_iter().map(|uuid| (uuid.clone(), folder.join(uuid))).collect();
        write_sets(&sets, out);
        write_backing(&devices(&sets, "bdev"), out);
        self.write_caches(&devices(&sets, "cache"), out);
        Ok(())
    }
}

/// The devices `KIND0`, `KIND1`, … of all sets.
fn devices(sets: &[(String, PathBuf)], kind: &str) -> Vec<Device> {
    let mut devices = Vec::new();
    for (uuid, folder) in sets {
        let mut found = names(folder).unwrap_or_default();
        found.retain(|name| {
            name.strip_prefix(kind).is_some_and(|n| n.starts_with(|c: char| c.is_ascii_digit()))
        });
        devices.extend(found.into_iter().map(|name| Device {
            uuid: uuid.clone(),
            path: folder.join(&name),
            name,
        }));
    }
    devices
}

fn write_sets(sets: &[(String, PathBuf)], out: &mut Exposition) {
    fn table<K: TypeMark>(
        table: &'static [(Family<K, 1>, &'static str)],
        sets: &[(String, PathBuf)],
        out: &mut Exposition,
    ) {
        for (family, file) in table {
            let mut family = out.family(family);
            for (uuid, path) in sets {
                family.maybe(uuid, number(path.join(file)));
            }
        }
    }
    table(&SET_GAUGES, sets, out);
    let mut family = out.family(&BTREE_READ);
    for (uuid, path) in sets {
        let duration = number(path.join("internal/btree_read_average_duration_us"));
        family.maybe(uuid, duration.map(|value| value * 1e-9));
    }
    table(&SET_COUNTERS, sets, out);
}

fn write_devices<K: TypeMark>(
    table: &'static [(Family<K, 2>, &'static str)],
    devices: &[Device],
    out: &mut Exposition,
) {
    for (family, file) in table {
        let mut family = out.family(family);
        for device in devices {
            family.maybe((&device.uuid, &device.name), number(device.path.join(file)));
        }
    }
}

fn write_backing(devices: &[Device], out: &mut Exposition) {
    write_devices(&DIRTY_DATA, devices, out);
    let file = |device: &Device| attribute(&device.path.join("writeback_rate_debug"));
    let writeback: Vec<Writeback> =
        devices.iter().map(|device| Writeback::parse(&file(device).unwrap_or_default())).collect();
    for (i, family) in WRITEBACK.iter().enumerate() {
        let mut family = out.family(family);
        for (device, writeback) in devices.iter().zip(&writeback) {
            family.maybe((&device.uuid, &device.name), writeback.0[i]);
        }
    }
    write_devices(&BACKING_COUNTERS, devices, out);
    let mut family = out.family(&READAHEADS);
    for device in devices {
        let readaheads = number(device.path.join("stats_total/cache_readaheads"));
        family.maybe((&device.uuid, &device.name), readaheads.filter(|count| *count != 0.0));
    }
}

impl Bcache {
    fn write_caches(&self, devices: &[Device], out: &mut Exposition) {
        write_devices(&CACHE_GAUGES, devices, out);
        write_devices(&CACHE_COUNTERS, devices, out);
        if !self.priority_stats {
            return;
        }
        let file = |device: &Device| attribute(&device.path.join("priority_stats"));
        let stats: Vec<String> = devices.iter().map(|d| file(d).unwrap_or_default()).collect();
        for (family, name) in &PRIORITY {
            let mut family = out.family(family);
            for (device, stats) in devices.iter().zip(&stats) {
                family.maybe((&device.uuid, &device.name), percent(stats, name));
            }
        }
    }
}

/// A number as bcache prints it; missing where the attribute is.
fn number(path: PathBuf) -> Option<f64> {
    dehumanize(&attribute(&path)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collector::testing::{collect, tree};

    #[test]
    fn without_bcache_there_are_no_samples_and_no_error() {
        let (samples, result) = collect(&SPEC, tree(&[]).path(), &[]);
        assert!(samples.is_empty() && result.is_ok());
    }

    #[test]
    fn priority_stats_are_read_only_on_demand() {
        let folder =
            tree(&[("sys/fs/bcache/a-b/cache0/priority_stats", "Unused:\t\t97%\nMetadata:\tx%\n")]);
        assert!(collect(&SPEC, folder.path(), &[]).0.is_empty());
        let (samples, _) =
            collect(&SPEC, folder.path(), &[("collector.bcache.priorityStats", "true")]);
        let unused =
            "node_bcache_priority_stats_unused_percent{uuid=\"a-b\",cache_device=\"cache0\"} 97";
        assert_eq!(samples, [unused]);
    }

    #[test]
    fn a_kernel_without_readaheads_shows_none() {
        let file = |value: &str| {
            let folder = tree(&[("sys/fs/bcache/a-b/bdev0/stats_total/cache_readaheads", value)]);
            collect(&SPEC, folder.path(), &[]).0.len()
        };
        assert_eq!((file("0\n"), file("13\n")), (0, 1));
    }
}
