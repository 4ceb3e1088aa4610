//! The Linux collectors against sysinfo on this very host, in one moment. Where a sandbox hides `/proc` or `/sys` from
//! either, the comparison of what is hidden says that it was skipped.

use std::collections::BTreeMap;

use super::*;
use crate::collector::{COLLECTORS, Setup};
use exporter_toolkit::Format;
use exporter_toolkit::line::{self, Line};

type Series = BTreeMap<String, f64>;

fn collect(specs: &[&'static Spec], name: &str) -> Option<Series> {
    let spec = specs.iter().find(|spec| spec.name == name).unwrap();
    let mut out = Exposition::new(Format::Text);
    if let Err(error) = (spec.build)(&Setup::default()).unwrap().collect(&mut out) {
        eprintln!("skipped: {name}: {error}");
        return None;
    }
    let lines = out.text().split(|&byte| byte == b'\n');
    let samples = lines.filter_map(|line| match Line::parse(line) {
        Some(Line::Sample(sample)) => {
            let key = String::from_utf8(line::series_key(&sample)).unwrap();
            Some((key, sample.number().unwrap()))
        }
        _ => None,
    });
    Some(samples.collect())
}

/// Every series that the oracle gives and we give too agrees within `share` of its value or `slack`; returns how many.
fn agree(name: &str, share: f64, slack: f64) -> usize {
    let (Some(ours), Some(oracle)) = (collect(COLLECTORS, name), collect(PORTABLE, name)) else {
        return usize::MAX;
    };
    let mut compared = 0;
    for (key, theirs) in &oracle {
        if let Some(value) = ours.get(key) {
            let allowed = (theirs.abs() * share).max(slack);
            assert!((value - theirs).abs() <= allowed, "{key}: {value} here, {theirs} by sysinfo");
            compared += 1;
        }
    }
    compared
}

#[test]
fn memory_agrees_with_sysinfo() {
    assert!(agree("meminfo", 0.05, f64::from(256 << 20)) >= 5);
}

#[test]
fn load_agrees_with_sysinfo() {
    assert!(agree("loadavg", 0.2, 1.0) >= 3);
}

#[test]
fn the_boot_time_agrees_with_sysinfo() {
    assert!(agree("stat", 0.0, 5.0) >= 1);
}

#[test]
fn file_systems_agree_with_sysinfo() {
    // Containers and minimal hosts may show sysinfo no disk at all.
    let compared = agree("filesystem", 0.01, f64::from(512 << 20));
    if compared == 0 {
        eprintln!("skipped: no file system that both know");
    }
}

#[test]
fn network_counters_agree_with_sysinfo() {
    assert!(agree("netdev", 0.05, 1e7) >= 6);
}

#[test]
fn sysinfo_counts_as_many_cpus() {
    let mut system = System::new().unwrap();
    system.refresh_cpu_list(sysinfo::CpuRefreshKind::nothing());
    let Some(ours) = collect(COLLECTORS, "cpu") else { return };
    let idle = ours
        .keys()
        .filter(|key| key.starts_with("node_cpu_seconds_total,") && key.contains("mode=\"idle\""));
    assert_eq!(idle.count(), system.cpus().len());
}
