//! The fields of `/proc/zoneinfo` that become families (`zoneinfo_show_print` of mm/vmstat.c).

use exporter_toolkit::family::{CounterMark, GaugeMark};
use exporter_toolkit::{Described, Gauge};

use crate::collector::fields::{Field, describe, describe_plain};

const LABELS: [&str; 2] = ["node", "zone"];

const fn gauge(
    name: &'static str,
    family: &'static str,
    help: &'static str,
) -> Field<GaugeMark, 2> {
    Field::new(name, family, LABELS, help)
}

const fn counter(
    name: &'static str,
    family: &'static str,
    help: &'static str,
) -> Field<CounterMark, 2> {
    Field::new(name, family, LABELS, help)
}

#[rustfmt::skip]
pub(super) static GAUGES: [Field<GaugeMark, 2>; 26] = [
    gauge("nr_free_pages", "node_zoneinfo_nr_free_pages", "Free pages of the zone."),
    gauge("min", "node_zoneinfo_min_pages", "Below so many free pages only urgent requests get memory, after reclaiming some."),
    gauge("low", "node_zoneinfo_low_pages", "Below so many free pages the zone's memory is reclaimed in the background."),
    gauge("high", "node_zoneinfo_high_pages", "At so many free pages reclaiming in the background stops."),
    gauge("scanned", "node_zoneinfo_scanned_pages", "Pages looked at since the last reclaim; only old kernels say it."),
    gauge("spanned", "node_zoneinfo_spanned_pages", "Pages from the zone's start to its end, holes included."),
    gauge("present", "node_zoneinfo_present_pages", "Pages of the zone that exist: without the holes."),
    gauge("managed", "node_zoneinfo_managed_pages", "Pages of the zone that are given out: without those reserved at boot."),
    gauge("nr_active_anon", "node_zoneinfo_nr_active_anon_pages", "Pages of processes without a file behind them that were used lately."),
    gauge("nr_inactive_anon", "node_zoneinfo_nr_inactive_anon_pages", "Pages of processes without a file behind them that were not used lately."),
    gauge("nr_isolated_anon", "node_zoneinfo_nr_isolated_anon_pages", "Pages without a file behind them that are being moved or reclaimed."),
    gauge("nr_anon_pages", "node_zoneinfo_nr_anon_pages", "Mapped pages without a file behind them."),
    gauge("nr_anon_transparent_hugepages", "node_zoneinfo_nr_anon_transparent_hugepages", "Transparent huge pages without a file behind them."),
    gauge("nr_active_file", "node_zoneinfo_nr_active_file_pages", "Pages of cached files that were used lately."),
    gauge("nr_inactive_file", "node_zoneinfo_nr_inactive_file_pages", "Pages of cached files that were not used lately."),
    gauge("nr_isolated_file", "node_zoneinfo_nr_isolated_file_pages", "Pages of files that are being moved or reclaimed."),
    gauge("nr_file_pages", "node_zoneinfo_nr_file_pages", "Pages of cached files."),
    gauge("nr_slab_reclaimable", "node_zoneinfo_nr_slab_reclaimable_pages", "Pages of the kernel's object caches that can be reclaimed."),
    gauge("nr_slab_unreclaimable", "node_zoneinfo_nr_slab_unreclaimable_pages", "Pages of the kernel's object caches that cannot be reclaimed."),
    gauge("nr_mlock_stack", "node_zoneinfo_nr_mlock_stack_pages", "Locked pages found while reclaiming; only old kernels say it."),
    gauge("nr_kernel_stack", "node_zoneinfo_nr_kernel_stacks", "Kernel stacks of tasks, in KiB on today's kernels."),
    gauge("nr_mapped", "node_zoneinfo_nr_mapped_pages", "Pages of files that processes have mapped."),
    gauge("nr_dirty", "node_zoneinfo_nr_dirty_pages", "Pages that wait to be written."),
    gauge("nr_writeback", "node_zoneinfo_nr_writeback_pages", "Pages that are being written."),
    gauge("nr_unevictable", "node_zoneinfo_nr_unevictable_pages", "Pages that cannot be reclaimed, as locked ones."),
    gauge("nr_shmem", "node_zoneinfo_nr_shmem_pages", "Pages of shared memory, with tmpfs."),
];

#[rustfmt::skip]
pub(super) static COUNTERS: [Field<CounterMark, 2>; 8] = [
    counter("nr_dirtied", "node_zoneinfo_nr_dirtied_total", "Pages that became dirty since boot."),
    counter("nr_written", "node_zoneinfo_nr_written_total", "Pages written since boot."),
    counter("numa_hit", "node_zoneinfo_numa_hit_total", "Pages that were wanted on this node and came from it."),
    counter("numa_miss", "node_zoneinfo_numa_miss_total", "Pages that came from this node, though wanted on another."),
    counter("numa_foreign", "node_zoneinfo_numa_foreign_total", "Pages that were wanted on this node, and came from another."),
    counter("numa_interleave", "node_zoneinfo_numa_interleave_total", "Pages that came from this node as interleaving wanted it."),
    counter("numa_local", "node_zoneinfo_numa_local_total", "Pages given to a CPU of this same node."),
    counter("numa_other", "node_zoneinfo_numa_other_total", "Pages given to a CPU of another node."),
];

/// By zone that the request may have been for: no kernel has more than six kinds of zones (`MAX_NR_ZONES`).
#[rustfmt::skip]
pub(super) static PROTECTION: [Gauge<2>; 6] = [
    Gauge::new("node_zoneinfo_protection_0", "Pages kept back from requests that the first kind of zone would do for.", LABELS),
    Gauge::new("node_zoneinfo_protection_1", "Pages kept back from requests that the second kind of zone would do for.", LABELS),
    Gauge::new("node_zoneinfo_protection_2", "Pages kept back from requests that the third kind of zone would do for.", LABELS),
    Gauge::new("node_zoneinfo_protection_3", "Pages kept back from requests that the fourth kind of zone would do for.", LABELS),
    Gauge::new("node_zoneinfo_protection_4", "Pages kept back from requests that the fifth kind of zone would do for.", LABELS),
    Gauge::new("node_zoneinfo_protection_5", "Pages kept back from requests that the sixth kind of zone would do for.", LABELS),
];

const COUNT: usize = GAUGES.len() + COUNTERS.len() + PROTECTION.len();
pub(super) static FAMILIES: [&dyn Described; COUNT] = {
    let list: [&dyn Described; COUNT] = [&PROTECTION[0]; COUNT];
    let list = describe(list, 0, &GAUGES);
    let list = describe(list, GAUGES.len(), &COUNTERS);
    describe_plain(list, GAUGES.len() + COUNTERS.len(), &PROTECTION)
};
