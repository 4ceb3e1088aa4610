//! Every series that the peer's own end-to-end run expects of the collectors we have, by name, labels and value.
//!
//! The data lies outside the project: `$CONFORMANCE_DIR`, or `../shared/conformance` beside the checkout. Without it the
//! test says that it was skipped. `CONFORMANCE_ONLY=arp,cpu` looks at some collectors only.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use exporter_toolkit::line::{self, Keyword, Line};
use exporter_toolkit::{Exposition, Format};
use node_exporter_rs::collector::{COLLECTORS, Setup};
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

type Series = BTreeMap<String, f64>;
type Types = BTreeMap<String, String>;

fn data() -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/conformance");
    let folder =
        std::env::var_os("CONFORMANCE_DIR").map_or(beside, PathBuf::from).join("node_exporter");
    folder.join("fixtures.tar.gz").exists().then_some(folder)
}

fn read(text: &str) -> (Series, Types) {
    let (mut series, mut types) = (Series::new(), Types::new());
    for text in text.lines() {
        match Line::parse(text.as_bytes()) {
            Some(Line::Sample(sample)) => {
                let key = String::from_utf8(line::series_key(&sample)).unwrap();
                let value = sample.number().unwrap_or_else(|| panic!("no number: {text}"));
                assert!(series.insert(key, value).is_none(), "twice: {text}");
            }
            Some(Line::Header(header)) if header.keyword == Keyword::Type => {
                let word = String::from_utf8_lossy(header.text).into_owned();
                types.insert(String::from_utf8_lossy(header.family).into_owned(), word);
            }
            Some(_) => {}
            None => panic!("malformed: {text}"),
        }
    }
    (series, types)
}

fn family(key: &str) -> &str {
    key.split(',').next().unwrap()
}

#[test]
fn every_expected_series_is_there_with_its_value() {
    let Some(data) = data() else {
        eprintln!(
            "skipped: no conformance data; set CONFORMANCE_DIR to the folder that holds node_exporter/"
        );
        return;
    };
    let (expected, types) = read(&std::fs::read_to_string(data.join("e2e-output.txt")).unwrap());
    let index = std::fs::read_to_string(data.join("families.tsv")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let packed = std::fs::File::open(data.join("fixtures.tar.gz")).unwrap();
    let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(packed));
    archive.set_preserve_permissions(true);
    archive.unpack(folder.path()).unwrap();
    // The paths appear in labels, so they are relative, as in the peer's run.
    std::env::set_current_dir(folder.path()).unwrap();
    let only = std::env::var("CONFORMANCE_ONLY").unwrap_or_default();

    let (mut found, mut wanted, mut problems) = (0, 0, Vec::new());
    for spec in COLLECTORS {
        let families: BTreeSet<&str> = index
            .lines()
            .map(|row| row.split('\t').collect::<Vec<_>>())
            .filter(|row| row[0] == spec.name)
            .map(|row| row[2])
            .collect();
        if families.is_empty()
            || (!only.is_empty() && !only.split(',').any(|name| name == spec.name))
        {
            continue;
        }
        let setup = Setup {
            host: Host::new(
                "collector/fixtures/proc",
                "collector/fixtures/sys",
                "collector/fixtures",
                "collector/fixtures/udev/data",
            ),
            flags: Flags::of(FLAGS),
        };
        let mut out = Exposition::new(Format::Text);
        let mut collector = (spec.build)(&setup).unwrap();
        for _ in 0..2 {
            out.restart(Format::Text);
            if let Err(error) = collector.collect(&mut out) {
                problems.push(format!("{}: {error}", spec.name));
            }
        }
        let (got, got_types) = read(std::str::from_utf8(out.text()).unwrap());
        let due: Series = expected
            .iter()
            .filter(|(key, _)| families.contains(family(key)))
            .map(|(key, value)| (key.clone(), *value))
            .collect();
        let same = due.iter().filter(|(key, value)| got.get(*key) == Some(value)).count();
        println!("{:18} {same:4} of {:4}", spec.name, due.len());
        (found, wanted) = (found + same, wanted + due.len());
        for (key, value) in &due {
            match got.get(key) {
                Some(other) if other == value => {}
                Some(other) => {
                    problems.push(format!("{}: {key} is {other}, not {value}", spec.name))
                }
                None => problems.push(format!("{}: missing {key} {value}", spec.name)),
            }
        }
        for key in got.keys().filter(|key| !due.contains_key(*key)) {
            if !MOVING.contains(&family(key)) {
                problems.push(format!("{}: more than expected: {key}", spec.name));
            }
        }
        for (family, word) in &got_types {
            if types.get(family).is_some_and(|due| due != word) {
                problems
                    .push(format!("{}: {family} is a {word}, not a {}", spec.name, types[family]));
            }
        }
    }
    println!("{:18} {found:4} of {wanted:4}", "all");
    let lines = problems.iter().take(200).cloned().collect::<Vec<_>>().join("\n");
    assert!(problems.is_empty(), "{} problems:\n{lines}", problems.len());
}
