//! The old hierarchies, mounted as systemd does: `cpu` and `cpuacct` are one folder by two names.

use std::os::unix::fs::symlink;
use std::path::Path;

use anyhow::{Context, Result};

use super::facts::{Facts, PERIOD};
use super::{lines, put};

/// What a limit says that is none.
const UNLIMITED: u64 = 0x7fff_ffff_ffff_f000;
/// Ticks of `cpuacct.stat` in a second.
const TICKS: u64 = 100;

pub(super) fn write(root: &Path, path: &str, facts: &Facts, pids: &[u32]) -> Result<()> {
    let inside = path.trim_start_matches('/');
    let procs = lines(pids);
    let both = root.join("cpu,cpuacct");
    put(&both.join(inside), &cpu(facts))?;
    put(&root.join("memory").join(inside), &memory(facts))?;
    put(&root.join("blkio").join(inside), &blkio(facts))?;
    if !inside.is_empty() {
        let max = facts.threads_limit.map_or("max".to_owned(), |limit| limit.to_string());
        let current = facts.threads.to_string();
        put(&root.join("pids").join(inside), &[("pids.current", current), ("pids.max", max)])?;
    }
    for hierarchy in ["cpu,cpuacct", "memory", "blkio", "pids", "systemd"] {
        put(&root.join(hierarchy).join(inside), &[("cgroup.procs", &procs), ("tasks", &procs)])?;
    }
    for name in ["cpu", "cpuacct"] {
        let link = root.join(name);
        if !link.exists() {
            symlink("cpu,cpuacct", &link).with_context(|| link.display().to_string())?;
        }
    }
    Ok(())
}

fn cpu(facts: &Facts) -> Vec<(&'static str, String)> {
    let Facts { periods, throttled_periods, .. } = facts;
    let quota = facts.quota.map_or("-1".to_owned(), |quota| quota.to_string());
    let ticks = |microseconds: u64| microseconds * TICKS / 1_000_000;
    vec![
        ("cpu.shares", facts.shares.to_string()),
        ("cpu.cfs_quota_us", quota),
        ("cpu.cfs_period_us", PERIOD.to_string()),
        (
            "cpu.stat",
            format!(
                "nr_periods {periods}\nnr_throttled {throttled_periods}\nthrottled_time {}\nnr_bursts 0\nburst_time 0",
                facts.throttled * 1000
            ),
        ),
        ("cpuacct.usage", (facts.usage() * 1000).to_string()),
        ("cpuacct.usage_percpu", format!("{} {}", facts.user * 1000, facts.system * 1000)),
        ("cpuacct.usage_user", (facts.user * 1000).to_string()),
        ("cpuacct.usage_sys", (facts.system * 1000).to_string()),
        (
            "cpuacct.usage_all",
            format!("cpu user system\n0 {} 0\n1 0 {}", facts.user * 1000, facts.system * 1000),
        ),
        ("cpuacct.stat", format!("user {}\nsystem {}", ticks(facts.user), ticks(facts.system))),
    ]
}

fn memory(facts: &Facts) -> Vec<(&'static str, String)> {
    let limit = facts.memory_limit.unwrap_or(UNLIMITED);
    let swap_limit = facts.memory_limit.map_or(UNLIMITED, |limit| limit * 2);
    vec![
        ("memory.usage_in_bytes", facts.memory.to_string()),
        ("memory.max_usage_in_bytes", facts.peak.to_string()),
        ("memory.limit_in_bytes", limit.to_string()),
        ("memory.soft_limit_in_bytes", facts.reservation.to_string()),
        ("memory.failcnt", facts.failures.to_string()),
        ("memory.memsw.usage_in_bytes", (facts.memory + facts.swap).to_string()),
        ("memory.memsw.limit_in_bytes", swap_limit.to_string()),
        ("memory.kmem.usage_in_bytes", facts.kernel.to_string()),
        ("memory.kmem.limit_in_bytes", UNLIMITED.to_string()),
        ("memory.use_hierarchy", "1".to_owned()),
        (
            "memory.oom_control",
            format!("oom_kill_disable 0\nunder_oom 0\noom_kill {}", facts.oom_kills),
        ),
        ("memory.stat", stat(facts, limit, swap_limit)),
    ]
}

fn stat(facts: &Facts, limit: u64, swap_limit: u64) -> String {
    let own = [
        ("cache", facts.file),
        ("rss", facts.anonymous),
        ("rss_huge", 0),
        ("shmem", 8_192),
        ("mapped_file", facts.mapped),
        ("dirty", facts.dirty),
        ("writeback", facts.writeback),
        ("workingset_refault_anon", 1),
        ("workingset_refault_file", 2),
        ("swap", facts.swap),
        ("swapcached", 0),
        ("pgpgin", 100),
        ("pgpgout", 50),
        ("pgfault", facts.page_faults),
        ("pgmajfault", facts.major_faults),
        ("inactive_anon", facts.anonymous),
        ("active_anon", 8_192),
        ("inactive_file", facts.inactive_file),
        ("active_file", facts.active_file),
        ("unevictable", 0),
    ];
    let limits = [
        ("hierarchical_memory_limit".to_owned(), limit),
        ("hierarchical_memsw_limit".to_owned(), swap_limit),
    ];
    let total = own.map(|(name, value)| (format!("total_{name}"), value));
    let own = own.map(|(name, value)| (name.to_owned(), value));
    let rows = own.into_iter().chain(limits).chain(total);
    lines(rows.map(|(name, value)| format!("{name} {value}")))
}

fn blkio(facts: &Facts) -> Vec<(&'static str, String)> {
    let bytes = operations(facts, |device| (device.read_bytes, device.write_bytes));
    let counts = operations(facts, |device| (device.reads, device.writes));
    vec![
        ("blkio.throttle.io_service_bytes", bytes.clone()),
        ("blkio.throttle.io_service_bytes_recursive", bytes),
        ("blkio.throttle.io_serviced", counts.clone()),
        ("blkio.throttle.io_serviced_recursive", counts),
    ]
}

fn operations(facts: &Facts, of: fn(&super::Device) -> (u64, u64)) -> String {
    let mut all = 0;
    let devices: Vec<String> = facts
        .devices
        .iter()
        .flat_map(|device| {
            let (read, write) = of(device);
            all += read + write;
            let rows = [
                ("Read", read),
                ("Write", write),
                ("Sync", read + write),
                ("Async", 0),
                ("Discard", 0),
                ("Total", read + write),
            ];
            let (major, minor) = (device.major, device.minor);
            rows.map(|(name, value)| format!("{major}:{minor} {name} {value}"))
        })
        .collect();
    lines(devices) + &format!("Total {all}\n")
}
