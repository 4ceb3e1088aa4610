use super::*;
use crate::collector::testing::tree;
use std::os::unix::fs::symlink;
use std::sync::Arc;
use std::time::Duration;

const HOST_ROOT: &str = "1 0 8:1 / / rw shared:1 - ext4 /dev/sda1 rw\n";

/// A container made as it should be: the host's trees below `host/`, our own process in `own/`.
fn good() -> tempfile::TempDir {
    let folder = tree(&[
        ("host/proc/1/comm", "systemd\n"),
        ("host/proc/2/comm", "kthreadd\n"),
        ("host/proc/stat", "cpu 1\n"),
        ("host/proc/1/mountinfo", HOST_ROOT),
        ("host/sys/class/net/lo/mtu", "1\n"),
        ("host/udev/b8:0", "\n"),
    ]);
    let root = folder.path().join("host");
    let mounted = format!(
        "1 0 0:50 / / rw - overlay overlay rw\n2 1 8:1 / {} ro master:1 - ext4 /dev/sda1 rw\n",
        root.display()
    );
    for (process, mountinfo) in [("host/proc/1", HOST_ROOT), ("own", mounted.as_str())] {
        let process = folder.path().join(process);
        std::fs::create_dir_all(process.join("ns")).unwrap();
        std::fs::write(process.join("mountinfo"), mountinfo).unwrap();
        symlink("net:[1]", process.join("ns/net")).unwrap();
        symlink("uts:[2]", process.join("ns/uts")).unwrap();
    }
    folder
}

fn findings(folder: &tempfile::TempDir) -> Vec<Finding> {
    let host = Host::below(folder.path().join("host"));
    Look { host: &host, own: folder.path().join("own") }.findings(true)
}

/// Topic and severity of what is not good.
fn wrong(folder: &tempfile::TempDir) -> Vec<(&'static str, Severity)> {
    let findings = findings(folder).into_iter();
    let bad = findings.filter(|finding| finding.severity != Severity::Good);
    bad.map(|finding| (finding.topic, finding.severity)).collect()
}

fn replace(folder: &tempfile::TempDir, path: &str, text: &str) {
    let path = folder.path().join(path);
    std::fs::write(path, text).unwrap();
}

fn relink(folder: &tempfile::TempDir, path: &str, target: &str) {
    let path = folder.path().join(path);
    std::fs::remove_file(&path).unwrap();
    symlink(target, path).unwrap();
}

#[test]
fn a_container_that_sees_the_host_has_nothing_wrong() {
    let found = findings(&good());
    assert!(found.iter().all(|finding| finding.severity == Severity::Good), "{found:?}");
    assert_eq!(found.len(), 6);
}

#[test]
fn a_procfs_without_the_kernels_process_is_a_containers() {
    let folder = good();
    replace(&folder, "host/proc/2/comm", "sh\n");
    assert_eq!(wrong(&folder), [("procfs", Severity::Problem)]);
    let text = &findings(&folder)[0].text;
    assert!(text.contains("hostPID: true") && text.contains("--path.procfs"), "{text}");
    // Where others' processes are hidden, nothing can be told.
    std::fs::remove_file(folder.path().join("host/proc/2/comm")).unwrap();
    std::fs::remove_file(folder.path().join("host/proc/1/comm")).unwrap();
    assert_eq!(wrong(&folder), []);
    std::fs::remove_file(folder.path().join("host/proc/stat")).unwrap();
    assert_eq!(wrong(&folder), [("procfs", Severity::Problem)]);
}

#[test]
fn a_root_on_another_device_than_process_ones_is_not_the_hosts() {
    let folder = good();
    replace(&folder, "own/mountinfo", "1 0 0:50 / / rw - overlay overlay rw\n");
    assert_eq!(wrong(&folder), [("rootfs", Severity::Problem)]);
    replace(&folder, "host/proc/2/comm", "sh\n");
    let both = [("procfs", Severity::Problem), ("rootfs", Severity::Problem)];
    assert_eq!(wrong(&folder), both, "nothing is mounted there");
}

#[test]
fn a_root_that_does_not_follow_the_hosts_mounts_is_worth_an_advice() {
    let folder = good();
    let own = read_text(&folder.path().join("own/mountinfo")).unwrap();
    replace(&folder, "own/mountinfo", &own.replace(" master:1", ""));
    assert_eq!(wrong(&folder), [("propagation", Severity::Advice)]);
}

#[test]
fn another_network_and_another_name_are_told() {
    let folder = good();
    relink(&folder, "own/ns/net", "net:[7]");
    relink(&folder, "own/ns/uts", "uts:[7]");
    assert_eq!(wrong(&folder), [("network", Severity::Problem), ("hostname", Severity::Advice)]);
}

#[test]
fn networks_that_may_not_be_named_are_told_by_their_interfaces() {
    let folder = good();
    std::fs::remove_file(folder.path().join("host/proc/1/ns/net")).unwrap();
    assert_eq!(wrong(&folder), [], "it cannot be told");
    for (process, interfaces) in [("host/proc/1", "lo: 1\n eth0: 2\n"), ("own", "lo: 1\n")] {
        std::fs::create_dir(folder.path().join(process).join("net")).unwrap();
        replace(&folder, &format!("{process}/net/dev"), &format!("Inter-| Receive\n{interfaces}"));
    }
    assert_eq!(wrong(&folder), [("network", Severity::Problem)]);
}

#[test]
fn missing_trees_are_named() {
    let folder = good();
    std::fs::remove_dir_all(folder.path().join("host/sys")).unwrap();
    std::fs::remove_dir_all(folder.path().join("host/udev")).unwrap();
    assert_eq!(wrong(&folder), [("sysfs", Severity::Problem), ("udev", Severity::Advice)]);
}

#[test]
fn a_report_names_the_collectors_that_give_nothing_and_says_whether_all_is_well() {
    let why: Arc<str> = "no such file".into();
    let of = |name, state| Standing::ended(name, state, Duration::ZERO);
    let quiet = [of("cpu", State::Fine), of("zfs", State::NoData(Arc::clone(&why)))];
    let print = |findings: &[Finding], standings: &[Standing]| {
        let mut text = Vec::new();
        let good = report(findings, standings, &mut text).unwrap();
        (good, String::from_utf8(text).unwrap())
    };
    let (good, text) = print(&[Finding::advice("udev", "is not there")], &quiet);
    assert!(good);
    assert_eq!(
        text,
        "advice   udev        is not there\n\n1 of 2 collectors give samples\nno data  zfs                 no such file\n"
    );
    let broken = [of("cpu", State::Failed(why))];
    assert!(!print(&[], &broken).0);
    assert!(!print(&[Finding::problem("procfs", "is not the host's")], &quiet).0);
}
