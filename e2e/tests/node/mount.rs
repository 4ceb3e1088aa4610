//! A mount whose server is dead costs its own samples and nothing else.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use e2e::agent::{local, node_exporter_rs};
use e2e::{Agent, Scrape, exposition, free_port, servers};
use rustix::process::Signal;

const TEST: &str = "hung mount";

/// A `/proc` whose first process sees one mount more: everything else is the host's.
fn proc_with_mount(folder: &Path, mount: &Path) {
    fs::create_dir_all(folder.join("1")).unwrap();
    for entry in fs::read_dir("/proc").unwrap() {
        let name = entry.unwrap().file_name();
        if name != "1" {
            symlink(Path::new("/proc").join(&name), folder.join(&name)).unwrap();
        }
    }
    let mut table = fs::read_to_string("/proc/self/mountinfo").unwrap();
    table += &format!("9999 1 0:999 / {} rw - fuse hung rw\n", mount.display());
    fs::write(folder.join("1/mountinfo"), table).unwrap();
}

fn succeeded(scrape: &Scrape) -> BTreeSet<String> {
    scrape
        .of("node_scrape_collector_success")
        .filter(|(_, success)| *success == 1.0)
        .filter_map(|(key, _)| exposition::label(key, "collector"))
        .filter(|collector| collector != "filesystem")
        .collect()
}

/// A node-exporter-rs that sees a hung mount on `folder`/hung.
fn beside_a_hung_mount(folder: &Path) -> Agent {
    let (proc, mount) = (folder.join("proc"), folder.join("hung"));
    fs::create_dir(&mount).unwrap();
    proc_with_mount(&proc, &mount);
    let mut command = Command::new("unshare");
    command
        .args(["--mount", "--propagation", "private"])
        .arg(env!("CARGO_BIN_EXE_with-hung-mount"));
    command.arg(&mount).arg(node_exporter_rs().unwrap());
    command.arg(format!("--path.procfs={}", proc.display()));
    // The mount lies in a folder for temporary files, which the defaults of some builds leave out.
    command.arg("--collector.filesystem.mount-points-exclude=^/(dev|proc|sys)($|/)");
    Agent::start_at(local(free_port().unwrap()), command).unwrap()
}

#[test]
fn every_scrape_beside_a_hung_mount_has_all_the_rest_from_the_first_one_on() {
    if !servers::is_root() || !Path::new("/dev/fuse").exists() {
        return servers::skip(TEST, "needs root and /dev/fuse");
    }
    let healthy = Agent::start(&node_exporter_rs().unwrap(), &[] as &[&str]).unwrap();
    let due = succeeded(&healthy.scrape("/metrics").unwrap());
    let folder = tempfile::tempdir().unwrap();
    let mut node = beside_a_hung_mount(folder.path());
    for round in 1..=3 {
        // What Prometheus says and does with its default timeout.
        let request = node.request("/metrics").header("X-Prometheus-Scrape-Timeout-Seconds", "10");
        let response = request.timeout(Duration::from_secs(10)).send();
        let response = response.unwrap_or_else(|error| panic!("scrape {round}: {error}"));
        let scrape = Scrape::parse(&response.text().unwrap()).unwrap();
        let missing: Vec<_> = due.difference(&succeeded(&scrape)).cloned().collect();
        assert!(missing.is_empty(), "scrape {round}: {missing:?}");
        let other_mounts = scrape.of("node_filesystem_size_bytes").count();
        assert!(other_mounts > 0, "scrape {round}: the other mounts");
        let error = scrape
            .of("node_filesystem_device_error")
            .find(|(key, value)| key.contains("/hung\"") && *value == 1.0)
            .and_then(|(key, _)| exposition::label(key, "device_error"));
        assert_eq!(error.as_deref(), Some("mountpoint timeout"), "scrape {round}");
    }
    // The thread that is stuck in the kernel does not keep the process.
    node.server.signal(Signal::TERM).unwrap();
    let status = node.server.wait(Duration::from_secs(15)).unwrap();
    assert!(status.success(), "{status}");
}
