//! Every series that the peer's own end-to-end run expects of the collectors we have, by name, labels and value.
//!
//! `CONFORMANCE_ONLY=arp,cpu` looks at some collectors only; `cargo xtask conformance node` asks the whole program.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test, whose helpers are part of it"
)]

#[path = "support/data.rs"]
mod data;

use std::collections::BTreeSet;

use exporter_toolkit::golden::{self, Options};
use exporter_toolkit::{Exposition, Format, Merger};
use node_exporter_rs::collector::{COLLECTORS, CollectError, Setup, Spec};
use node_exporter_rs::flags::Flags;
use node_exporter_rs::host::Host;

/// The options of the peer's run (README of the data).
const FLAGS: &[(&str, &str)] = &[
    ("collector.cpu.info", "true"),
    ("collector.cpu.info.bugs-include", "^(cpu_meltdown|spectre_.*|mds)$"),
    ("collector.cpu.info.flags-include", "^(aes|avx.?|constant_tsc)$"),
    ("collector.arp.device-exclude", "nope"),
    ("collector.arp.netlink", "false"),
    ("collector.bcache.priorityStats", "true"),
    ("collector.hwmon.chip-include", "(applesmc|asus_nb_wmi|coretemp|hwmon4|ieee80211|nct6779)"),
    ("collector.netclass.ignore-invalid-speed", "true"),
    ("collector.netclass.ignored-devices", "(dmz|int)"),
    ("collector.netdev.device-include", "lo"),
    ("collector.stat.softirq", "true"),
    ("collector.sysctl.include-info", "kernel.seccomp.actions_avail"),
    ("collector.sysctl.include", "fs.file-nr"),
    ("collector.sysctl.include", "fs.file-nr:total,current,max"),
    ("collector.sysctl.include", "kernel.threads-max"),
    ("collector.textfile.directory", "collector/fixtures/textfile/two_metric_files/"),
];

/// Families whose values belong to the machine and the moment: the peer's run leaves their samples out too.
const MOVING: &[&str] = &[
    "node_textfile_mtime_seconds",
    "node_time_seconds",
    "node_time_zone_offset_seconds",
    "node_network_receive_bytes_total",
    "node_network_receive_packets_total",
    "node_network_transmit_bytes_total",
    "node_network_transmit_packets_total",
];

/// What the collector writes in its second run, as kept files and caches show there, and its verdict.
fn exposition(spec: &Spec) -> (String, Result<(), CollectError>) {
    let below = |folder: &str| format!("collector/fixtures/{folder}");
    let host = Host::new(below("proc"), below("sys"), "collector/fixtures", below("udev/data"));
    let mut collector = (spec.build)(&Setup { host, flags: Flags::of(FLAGS) }).unwrap();
    let mut out = Exposition::default();
    let mut verdict = Ok(());
    for _ in 0..2 {
        out.restart(Format::Text);
        verdict = collector.collect(&mut out);
    }
    let mut text = Vec::new();
    Merger::default().merge(&[&out], Format::Text, &mut text);
    (String::from_utf8(text).unwrap(), verdict)
}

/// The name of a series written as `name{a="1"}`.
fn family(series: &str) -> &str {
    series.split('{').next().unwrap_or(series)
}

#[test]
fn every_expected_series_is_there_with_its_value() {
    let Some((data, _folder)) = data::unpacked() else { return };
    let expected = std::fs::read_to_string(data.join("e2e-output.txt")).unwrap();
    let index = std::fs::read_to_string(data.join("families.tsv")).unwrap();
    let only = std::env::var("CONFORMANCE_ONLY").unwrap_or_default();
    let (mut found, mut wrong) = (0, Vec::new());
    for spec in COLLECTORS {
        let rows = index.lines().map(|row| row.split('\t').collect::<Vec<_>>());
        let families: BTreeSet<&str> =
            rows.filter(|row| row[0] == spec.name).map(|row| row[2]).collect();
        let chosen = only.is_empty() || only.split(',').any(|name| name == spec.name);
        if families.is_empty() || !chosen {
            continue;
        }
        let (actual, verdict) = exposition(spec);
        let others =
            |series: &str| !families.contains(family(series)) || MOVING.contains(&family(series));
        let options = Options { skip: &others, ..Options::default() };
        let comparison = golden::compare(&expected, &actual, &options);
        println!("{:18} {:4} series", spec.name, comparison.common);
        found += comparison.common;
        if !comparison.is_same() || verdict.is_err() {
            wrong.push(format!("{}: {verdict:?}\n{comparison}", spec.name));
        }
    }
    println!("{:18} {found:4} series", "all");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
