use std::path::Path;

use exporter_toolkit::Format;

use super::*;
use crate::collector::testing::tree;
use crate::flags::Flags;
use crate::host::Host;

const GROUPS: &str =
    "groups:\n- name: web\n  rules:\n  - comm: ^nginx$\n- name: other\n  rules:\n  - exe: ^/opt/\n";

/// A process with so many ticks in each mode and so many bytes read and written.
fn process(folder: &Path, pid: u32, comm: &str, user: u64, started: u64) {
    let folder = folder.join(format!("proc/{pid}"));
    std::fs::create_dir_all(folder.join("fd")).unwrap();
    let stat =
        format!("{pid} ({comm}) S 1 1 1 0 -1 0 0 0 0 0 {user} 5 0 0 20 0 2 0 {started} 8192 3 0\n");
    std::fs::write(folder.join("stat"), stat).unwrap();
    std::fs::write(folder.join("fd/0"), "").unwrap();
    let io = format!("read_bytes: {}\nwrite_bytes: 1\n", user * 10);
    std::fs::write(folder.join("io"), io).unwrap();
    if !folder.join("exe").is_symlink() {
        std::os::unix::fs::symlink(format!("/opt/{comm}"), folder.join("exe")).unwrap();
    }
}

fn collector(folder: &Path, groups: &str) -> Box<dyn Collector> {
    let file = folder.join("groups.yml");
    std::fs::write(&file, groups).unwrap();
    let flags = Flags::of(&[("collector.process-groups", file.to_str().unwrap())]);
    (SPEC.build)(&Setup { host: Host::below(folder), flags }).unwrap()
}

fn scrape(collector: &mut dyn Collector) -> (String, Result<(), CollectError>) {
    let mut out = Exposition::new(Format::Text);
    let result = collector.collect(&mut out);
    (String::from_utf8(out.text().to_vec()).unwrap(), result)
}

/// The value of a family's sample of the group `web`.
fn web(text: &str, family: &str) -> Option<String> {
    let start = format!("node_process_group_{family}{{group=\"web\"");
    let line = text.lines().find(|line| line.starts_with(&start))?;
    Some(line.rsplit_once(' ').unwrap().1.to_owned())
}

#[test]
fn counters_go_on_though_processes_come_and_go() {
    let folder = tree(&[("proc/x", "")]);
    let path = folder.path();
    process(path, 10, "nginx", 100, 7);
    process(path, 11, "nginx", 50, 8);
    let mut collector = collector(path, GROUPS);
    let mut seen = || {
        let (text, result) = scrape(&mut *collector);
        assert!(result.is_ok(), "{result:?}");
        ["processes", "cpu_seconds_total", "read_bytes_total"]
            .map(|family| web(&text, family).unwrap())
    };
    assert_eq!(seen(), ["2", "1.5", "1500"]);
    process(path, 10, "nginx", 130, 7);
    assert_eq!(seen(), ["2", "1.8", "1800"]);
    std::fs::remove_dir_all(path.join("proc/10")).unwrap();
    assert_eq!(seen(), ["1", "1.8", "1800"]);
    // Another process has the number now, and is new.
    process(path, 10, "nginx", 20, 99);
    assert_eq!(seen(), ["2", "2", "2000"]);
    std::fs::remove_dir_all(path.join("proc/10")).unwrap();
    std::fs::remove_dir_all(path.join("proc/11")).unwrap();
    assert_eq!(seen(), ["0", "2", "2000"]);
}

#[test]
fn a_process_that_goes_by_another_name_changes_its_group() {
    let folder = tree(&[("proc/x", "")]);
    let path = folder.path();
    process(path, 10, "sh", 100, 7);
    std::fs::remove_file(path.join("proc/10/exe")).unwrap();
    std::os::unix::fs::symlink("/bin/sh", path.join("proc/10/exe")).unwrap();
    let mut collector = collector(path, GROUPS);
    let mut seen = || {
        let text = scrape(&mut *collector).0;
        ["processes", "cpu_seconds_total"].map(|family| web(&text, family).unwrap())
    };
    assert_eq!(seen(), ["0", "0"]);
    assert_eq!(seen(), ["0", "0"]);
    process(path, 10, "nginx", 103, 7);
    assert_eq!(seen(), ["1", "0.03"]);
}

#[test]
fn a_group_that_is_not_known_whole_has_no_samples() {
    let folder = tree(&[("proc/x", "")]);
    let path = folder.path();
    process(path, 10, "nginx", 100, 7);
    process(path, 11, "java", 100, 7);
    // What is no link cannot be read as one.
    std::fs::remove_file(path.join("proc/11/exe")).unwrap();
    std::fs::write(path.join("proc/11/exe"), "").unwrap();
    let (text, result) = scrape(&mut *collector(path, GROUPS));
    assert_eq!(web(&text, "processes").unwrap(), "1");
    assert!(!text.contains("\"other\""), "{text}");
    assert!(result.unwrap_err().to_string().contains("/proc/11/exe: "));
}

#[test]
fn what_storage_did_for_a_process_and_its_files_may_be_unreadable() {
    let folder = tree(&[("proc/x", "")]);
    let path = folder.path();
    process(path, 10, "nginx", 100, 7);
    process(path, 11, "nginx", 100, 7);
    std::fs::write(path.join("proc/11/io"), "no numbers").unwrap();
    std::fs::remove_dir_all(path.join("proc/11/fd")).unwrap();
    std::fs::write(path.join("proc/11/fd"), "no folder").unwrap();
    let (text, result) = scrape(&mut *collector(path, GROUPS));
    assert!(result.is_ok());
    assert_eq!(web(&text, "processes").unwrap(), "2");
    for family in ["read_bytes_total", "written_bytes_total", "open_fds"] {
        assert_eq!(web(&text, family), None);
    }
}

#[test]
fn this_very_process_is_found_by_its_file() {
    let exe = std::env::current_exe().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("groups.yml");
    let pattern = format!("^{}$", regex_lite::escape(exe.to_str().unwrap()));
    // The name comes first, so that the files of other users' processes are not asked for.
    let rule =
        format!("groups: [{{name: web, rules: [{{comm: ^node_exporter, exe: '{pattern}'}}]}}]");
    std::fs::write(&file, rule).unwrap();
    let flags = Flags::of(&[("collector.process-groups", file.to_str().unwrap())]);
    let mut collector = (SPEC.build)(&Setup { host: Host::default(), flags }).unwrap();
    let (text, _) = scrape(&mut *collector);
    for family in ["processes", "threads", "resident_bytes", "virtual_bytes", "open_fds"] {
        let value: f64 = web(&text, family).unwrap().parse().unwrap();
        assert!(value >= 1.0, "{family}: {text}");
    }
}
