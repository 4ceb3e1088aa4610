//! A real mount whose server never answers: FUSE without a server, in a mount namespace of its own.
//!
//! The test runs itself once more below `unshare -m`. That child opens /dev/fuse, mounts it and never answers the kernel's
//! first request, so that statfs(2) there blocks. It ends when the child closes the descriptor, or when the child ends.
//! It needs root, `unshare` and `mount`; without them it says that it was skipped.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking; its helpers too")]

use std::fs::File;
use std::os::fd::AsRawFd;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use exporter_toolkit::{Exposition, Format};
use node_exporter_rs::collector::{COLLECTORS, Collector, Setup};
use node_exporter_rs::flags::Flags;
use node_exporter_rs::host::Host;
use rustix::io::FdFlags;

const FOLDER: &str = "HUNG_MOUNT_FOLDER";
const NAME: &str = "a_mount_whose_server_is_dead_costs_no_other";
/// Far longer than the child takes on the slowest machine.
const PATIENCE: Duration = Duration::from_mins(2);

#[test]
fn a_mount_whose_server_is_dead_costs_no_other() {
    if let Some(folder) = std::env::var_os(FOLDER) {
        return below_unshare(Path::new(&folder));
    }
    if let Some(reason) = cannot_run() {
        eprintln!("skipped: {reason}");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut child = Command::new("unshare")
        .args(["--mount", "--propagation", "private", "--"])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", NAME, "--nocapture"])
        .env(FOLDER, folder.path())
        .spawn()
        .unwrap();
    let end = Instant::now() + PATIENCE;
    let status = loop {
        match child.try_wait().unwrap() {
            Some(status) => break status,
            None if Instant::now() > end => {
                child.kill().unwrap();
                panic!("the child hangs; it was ended: {}", child.wait().unwrap());
            }
            None => std::thread::sleep(Duration::from_millis(20)),
        }
    };
    assert!(status.success(), "the child says why above: {status}");
}

fn cannot_run() -> Option<String> {
    if !rustix::process::geteuid().is_root() {
        return Some("mounting needs root".to_owned());
    }
    if let Err(error) = open_fuse() {
        return Some(format!("/dev/fuse: {error}"));
    }
    let tried = Command::new("unshare").args(["--mount", "--", "mount", "--version"]).output();
    match tried {
        Ok(output) if output.status.success() => None,
        Ok(output) => Some(String::from_utf8_lossy(&output.stderr).into_owned()),
        Err(error) => Some(format!("unshare: {error}")),
    }
}

fn open_fuse() -> std::io::Result<File> {
    File::options().read(true).write(true).open("/dev/fuse")
}

fn below_unshare(folder: &Path) {
    let hung = folder.join("hung");
    std::fs::create_dir_all(&hung).unwrap();
    std::fs::create_dir_all(folder.join("proc/1")).unwrap();
    let fuse = open_fuse().unwrap();
    mount(&fuse, &hung);
    let lines = format!(
        "1 0 8:1 / / rw - ext4 /dev/root rw\n\
         2 1 0:99 / {hung} rw - fuse dead rw\n\
         3 1 8:2 / {folder} rw - ext4 /dev/other rw\n",
        hung = hung.display(),
        folder = folder.display()
    );
    std::fs::write(folder.join("proc/1/mountinfo"), lines).unwrap();
    let spec = COLLECTORS.iter().find(|spec| spec.name == "filesystem").unwrap();
    let host = Host::new(folder.join("proc"), folder.join("sys"), "/", folder.join("udev"));
    let mut collector = (spec.build)(&Setup { host, flags: Flags::default() }).unwrap();

    let error = |text: &str| format!("fstype=\"fuse\",device_error=\"{text}\"}} 1\n");
    let first = scrape(&mut *collector, Duration::from_secs(1));
    assert!(first.contains(&error("mountpoint timeout")), "{first}");
    let sizes = first.lines().filter(|line| line.starts_with("node_filesystem_size_bytes"));
    assert_eq!(sizes.count(), 2, "{first}");
    let stuck = threads();
    for _ in 0..100 {
        let later = scrape(&mut *collector, PATIENCE);
        assert_eq!(families(&later), families(&first));
    }
    assert!(threads() <= stuck, "one thread hangs, and no other joins it");

    drop(fuse);
    let gone = error("transport endpoint is not connected");
    while !scrape(&mut *collector, PATIENCE).contains(&gone) {
        std::thread::yield_now();
    }
}

/// Mounts in this namespace; `-i` keeps `mount` from calling a helper that would answer the kernel.
fn mount(fuse: &File, hung: &Path) {
    rustix::io::fcntl_setfd(fuse, FdFlags::empty()).unwrap();
    let options = format!("fd={},rootmode=40000,user_id=0,group_id=0", fuse.as_raw_fd());
    let status =
        Command::new("mount").args(["-i", "-t", "fuse", "-o", &options, "dead"]).arg(hung).status();
    assert!(status.unwrap().success(), "mount -t fuse");
    rustix::io::fcntl_setfd(fuse, FdFlags::CLOEXEC).unwrap();
}

fn scrape(collector: &mut dyn Collector, time: Duration) -> String {
    let mut out = Exposition::new(Format::Text);
    collector.answer_by(Instant::now() + time);
    collector.collect(&mut out).unwrap();
    String::from_utf8(out.text().to_vec()).unwrap()
}

/// The series without their values, which other programs change.
fn families(text: &str) -> Vec<&str> {
    text.lines().map(|line| line.rsplit_once(' ').unwrap().0).collect()
}

fn threads() -> usize {
    std::fs::read_dir("/proc/self/task").unwrap().count()
}
