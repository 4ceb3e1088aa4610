use super::*;
use crate::collector::testing::{collect, tree};
use exporter_toolkit::Format;

fn line(minor: u32, name: &str, reads: u64) -> String {
    format!("8 {minor} {name} {reads} 2 3 4 5 6 7 8 9 10 11\n")
}

#[test]
fn devices_that_come_and_go_mix_up_no_counts() {
    let folder = tree(&[("proc/diskstats", "")]);
    let setup = Setup { host: Host::below(folder.path()), ..Setup::default() };
    let mut collector = (SPEC.build)(&setup).unwrap();
    let mut reads = |devices: &[(u32, &str, u64)]| {
        let text: String = devices.iter().map(|(minor, name, n)| line(*minor, name, *n)).collect();
        std::fs::write(folder.path().join("proc/diskstats"), text).unwrap();
        let mut out = Exposition::new(Format::Text);
        collector.collect(&mut out).unwrap();
        std::str::from_utf8(out.text())
            .unwrap()
            .lines()
            .filter_map(|line| line.strip_prefix("node_disk_reads_completed_total"))
            .map(str::to_owned)
            .collect::<Vec<_>>()
            .concat()
    };
    let (a, b, c) = ((0, "sda", 1), (16, "sdb", 2), (32, "sdc", 3));
    assert_eq!(reads(&[a, b, c]), r#"{device="sda"} 1{device="sdb"} 2{device="sdc"} 3"#);
    assert_eq!(reads(&[b, c]), r#"{device="sdb"} 2{device="sdc"} 3"#);
    assert_eq!(reads(&[c, a, b]), r#"{device="sdc"} 3{device="sda"} 1{device="sdb"} 2"#);
    assert_eq!(reads(&[a, a, (48, "sda", 9), (1, "sda1", 7)]), r#"{device="sda"} 1"#);
}

#[test]
fn a_disk_that_takes_anothers_place_is_looked_at_anew() {
    let rotational = "sys/block/sda/queue/rotational";
    let folder = tree(&[("proc/diskstats", &line(0, "sda", 10)), (rotational, "1\n")]);
    let setup = Setup { host: Host::below(folder.path()), ..Setup::default() };
    let mut collector = (SPEC.build)(&setup).unwrap();
    let mut spins = |reads| {
        std::fs::write(folder.path().join("proc/diskstats"), line(0, "sda", reads)).unwrap();
        let mut out = Exposition::new(Format::Text);
        collector.collect(&mut out).unwrap();
        String::from_utf8_lossy(out.text()).contains("rotational=\"1\"")
    };
    assert!(spins(10));
    std::fs::write(folder.path().join(rotational), "0\n").unwrap();
    assert!(spins(11));
    assert!(!spins(3));
}

#[test]
fn a_malformed_line_is_named() {
    let folder = tree(&[("proc/diskstats", "8 0 sda 1 2 three\n")]);
    let error = collect(&SPEC, folder.path(), &[]).1.unwrap_err().to_string();
    assert!(error.ends_with("diskstats: not a device: \"8 0 sda 1 2 three\""), "{error}");
}

#[test]
fn a_name_that_is_not_utf_8_costs_nothing() {
    let folder = tree(&[("proc/diskstats", "")]);
    let mut text = line(0, "sda", 1).into_bytes();
    text.extend_from_slice(b"9 127 md_\xff 1 2 3 4 5 6 7 8 9 10 11\n");
    std::fs::write(folder.path().join("proc/diskstats"), text).unwrap();
    let (samples, result) = collect(&SPEC, folder.path(), &[]);
    assert!(result.is_ok());
    assert_eq!(samples[1], "node_disk_reads_completed_total{device=\"md_\u{fffd}\"} 1");
}

#[test]
fn an_include_pattern_and_the_former_name_of_exclude_are_heard() {
    let text = line(0, "sda", 1) + &line(1, "sda1", 2);
    let devices = |flag: (&str, &str)| {
        let folder = tree(&[("proc/diskstats", &text)]);
        collect(&SPEC, folder.path(), &[flag]).0.len() / 12
    };
    assert_eq!(devices(("collector.diskstats.device-include", "sda")), 2);
    assert_eq!(devices(("collector.diskstats.ignored-devices", "sda")), 0);
    assert_eq!(devices(("collector.diskstats.device-exclude", "^sda$")), 1);
}
