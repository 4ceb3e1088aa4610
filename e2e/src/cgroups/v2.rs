//! The unified hierarchy: one folder a cgroup, all controllers on (`cgroup-v2.rst` of the kernel).

use std::path::Path;

use anyhow::Result;

use super::facts::{Facts, PERIOD, Pressure};
use super::{lines, put};

pub(super) fn write(root: &Path, path: &str, facts: &Facts, pids: &[u32]) -> Result<()> {
    let folder = root.join(path.trim_start_matches('/'));
    put(
        &folder,
        &[
            ("cgroup.controllers", "cpuset cpu io memory hugetlb pids rdma misc".to_owned()),
            ("cgroup.subtree_control", "cpu io memory pids".to_owned()),
            ("cgroup.procs", lines(pids)),
            ("cgroup.stat", "nr_descendants 0\nnr_dying_descendants 0".to_owned()),
            ("cpu.stat", cpu(facts)),
            ("memory.stat", memory(facts)),
            ("io.stat", io(facts)),
            ("cpu.pressure", pressure(facts.pressure[0])),
            ("memory.pressure", pressure(facts.pressure[1])),
            ("io.pressure", pressure(facts.pressure[2])),
        ],
    )?;
    // The root has neither limits nor current values.
    if path == "/" {
        return Ok(());
    }
    let or_max = |limit: Option<u64>| limit.map_or("max".to_owned(), |limit| limit.to_string());
    let events = format!(
        "low 0\nhigh 0\nmax {}\noom {k}\noom_kill {k}\noom_group_kill 0",
        facts.failures,
        k = facts.oom_kills
    );
    put(
        &folder,
        &[
            ("cgroup.type", "domain".to_owned()),
            ("cgroup.events", format!("populated {}\nfrozen 0", u8::from(!pids.is_empty()))),
            ("cpu.max", format!("{} {PERIOD}", or_max(facts.quota))),
            ("cpu.max.burst", "0".to_owned()),
            ("cpu.weight", facts.weight().to_string()),
            ("memory.current", facts.memory.to_string()),
            ("memory.peak", facts.peak.to_string()),
            ("memory.min", facts.reservation.to_string()),
            ("memory.low", "0".to_owned()),
            ("memory.high", "max".to_owned()),
            ("memory.max", or_max(facts.memory_limit)),
            ("memory.swap.current", facts.swap.to_string()),
            ("memory.swap.max", or_max(facts.memory_limit)),
            ("memory.events", events.clone()),
            ("memory.events.local", events),
            ("pids.current", facts.threads.to_string()),
            ("pids.max", or_max(facts.threads_limit)),
        ],
    )
}

fn cpu(facts: &Facts) -> String {
    let Facts { user, system, periods, throttled_periods, throttled, .. } = facts;
    format!(
        "usage_usec {}\nuser_usec {user}\nsystem_usec {system}\nnice_usec 0\ncore_sched.force_idle_usec 0\n\
         nr_periods {periods}\nnr_throttled {throttled_periods}\nthrottled_usec {throttled}\nnr_bursts 0\nburst_usec 0",
        facts.usage()
    )
}

fn io(facts: &Facts) -> String {
    lines(facts.devices.iter().map(|d| {
        format!(
            "{}:{} rbytes={} wbytes={} rios={} wios={} dbytes=0 dios=0",
            d.major, d.minor, d.read_bytes, d.write_bytes, d.reads, d.writes
        )
    }))
}

fn pressure(of: Pressure) -> String {
    let line = |kind, total| format!("{kind} avg10=0.00 avg60=0.12 avg300=0.03 total={total}");
    lines([line("some", of.some), line("full", of.full)])
}

/// As long as that of a kernel of today.
fn memory(facts: &Facts) -> String {
    let known = [
        ("anon", facts.anonymous),
        ("file", facts.file),
        ("kernel", facts.kernel),
        ("kernel_stack", 65_536),
        ("pagetables", 131_072),
        ("sec_pagetables", 0),
        ("percpu", 1_200),
        ("sock", 0),
        ("vmalloc", 0),
        ("shmem", 8_192),
        ("zswap", 0),
        ("zswapped", 0),
        ("file_mapped", facts.mapped),
        ("file_dirty", facts.dirty),
        ("file_writeback", facts.writeback),
        ("swapcached", 0),
        ("anon_thp", 0),
        ("file_thp", 0),
        ("shmem_thp", 0),
        ("inactive_anon", facts.anonymous),
        ("active_anon", 8_192),
        ("inactive_file", facts.inactive_file),
        ("active_file", facts.active_file),
        ("unevictable", 0),
        ("slab_reclaimable", 4_096),
        ("slab_unreclaimable", 12_288),
        ("slab", 16_384),
    ];
    let events = [
        ("workingset_refault_anon", 1),
        ("workingset_refault_file", 2),
        ("workingset_activate_anon", 0),
        ("workingset_activate_file", 0),
        ("workingset_restore_anon", 0),
        ("workingset_restore_file", 0),
        ("workingset_nodereclaim", 0),
        ("pgdemote_kswapd", 0),
        ("pgdemote_direct", 0),
        ("pgscan", 5),
        ("pgsteal", 4),
        ("pgscan_kswapd", 3),
        ("pgscan_direct", 2),
        ("pgsteal_kswapd", 2),
        ("pgsteal_direct", 2),
        ("pgfault", facts.page_faults),
        ("pgmajfault", facts.major_faults),
        ("pgrefill", 0),
        ("pgactivate", 9),
        ("pgdeactivate", 0),
        ("pglazyfree", 0),
        ("pglazyfreed", 0),
        ("zswpin", 0),
        ("zswpout", 0),
        ("thp_fault_alloc", 0),
        ("thp_collapse_alloc", 0),
    ];
    lines(known.into_iter().chain(events).map(|(name, value)| format!("{name} {value}")))
}
