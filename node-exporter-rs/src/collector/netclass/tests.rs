use super::super::testing::{collect, tree};
use super::*;
use crate::host::Host;

#[test]
fn an_interface_that_vanished_is_left_out_and_the_others_stay() {
    let folder = tree(&[("sys/class/net/eth0/mtu", "1500"), ("sys/class/net/eth1/mtu", "9000")]);
    let mut sysfs = Sysfs::new(
        Host::below(folder.path()),
        Filter::excluding(Pattern::new("^$").unwrap()),
        true,
    );
    sysfs.read().unwrap();
    assert_eq!(sysfs.interfaces().count(), 2);
    std::fs::remove_dir_all(folder.path().join("sys/class/net/eth0")).unwrap();
    sysfs.read().unwrap();
    let mtus: Vec<_> = sysfs.interfaces().map(|found| found.numbers[interface::MTU]).collect();
    assert_eq!(mtus, [Some(9000)]);
}

#[test]
fn a_name_that_another_interface_took_brings_that_interfaces_attributes() {
    let folder = tree(&[("sys/class/net/eth0/mtu", "1500"), ("sys/class/net/eth1/mtu", "9000")]);
    let mut sysfs = Sysfs::new(
        Host::below(folder.path()),
        Filter::excluding(Pattern::new("1$").unwrap()),
        true,
    );
    sysfs.read().unwrap();
    let net = folder.path().join("sys/class/net");
    std::fs::rename(net.join("eth0"), net.join("old1")).unwrap();
    std::fs::rename(net.join("eth1"), net.join("eth0")).unwrap();
    sysfs.read().unwrap();
    let mtus: Vec<_> = sysfs.interfaces().map(|found| found.numbers[interface::MTU]).collect();
    assert_eq!(mtus, [Some(9000)]);
}

#[test]
fn a_regular_file_among_the_interfaces_is_none() {
    let folder = tree(&[("sys/class/net/bonding_masters", "bond0")]);
    let (samples, result) = collect(&SPEC, folder.path(), &[]);
    assert!(samples.is_empty() && result.is_ok());
}

#[test]
fn a_host_without_the_folder_has_no_data() {
    let folder = tree(&[]);
    assert!(collect(&SPEC, folder.path(), &[]).1.unwrap_err().is_no_data());
}

#[test]
fn a_speed_of_minus_one_is_reported_unless_ignored() {
    let folder = tree(&[("sys/class/net/eth0/speed", "-1\n")]);
    let speed = |flags: &[(&str, &str)]| {
        let samples = collect(&SPEC, folder.path(), flags).0;
        samples.into_iter().find(|sample| sample.starts_with("node_network_speed_bytes"))
    };
    assert_eq!(speed(&[]).unwrap(), "node_network_speed_bytes{device=\"eth0\"} -125000");
    assert_eq!(speed(&[("collector.netclass.ignore-invalid-speed", "true")]), None);
}

#[test]
fn rtnetlink_reports_the_live_loopback_without_any_file() {
    let folder = tree(&[]);
    let flags = [
        ("collector.netclass.netlink", "true"),
        ("collector.netclass_rtnl.with-stats", "true"),
        ("collector.netclass.ignored-devices", "^[^l]"),
    ];
    let (samples, result) = collect(&SPEC, folder.path(), &flags);
    assert!(result.is_ok());
    let has = |line: &str| samples.iter().any(|sample| sample.starts_with(line));
    assert!(has("node_network_iface_id{device=\"lo\"} 1"), "{samples:?}");
    assert!(has("node_network_protocol_type{device=\"lo\"} 772"), "{samples:?}");
    assert!(has("node_network_receive_errors_total{device=\"lo\"} "), "{samples:?}");
    assert!(has("node_network_info{device=\"lo\",address=\"00:00:00:00:00:00\""), "{samples:?}");
    assert!(!has("node_network_speed_bytes"), "{samples:?}");
}
