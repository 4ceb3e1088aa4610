//! Containers that do one thing each.

use std::collections::BTreeSet;
use std::process::Command;

use e2e::docker::docker;

pub(super) const IMAGE: &str = "testbed/busybox:1";

/// What one container writes into its memory, and what limits it.
pub(super) const FILL: u64 = 24 << 20;
pub(super) const FILL_LIMIT: u64 = 64 << 20;
pub(super) const RESERVATION: u64 = 32 << 20;
pub(super) const PIDS: u64 = 50;
const OOM_LIMIT: u64 = 16 << 20;
/// A fiftieth of a CPU: it is used up on a machine that is busy with other things, too.
pub(super) const QUOTA: u64 = 1_000;
pub(super) const PERIOD: u64 = 50_000;
pub(super) const SHARES: u64 = 512;
pub(super) const FILES: u64 = 777;

pub(super) const IDLE: &str = "exec sleep 3600";
pub(super) const PING: &str = "exec ping -q $(ip route | awk '/default/ {print $3}')";
const BURN: &str = "while :; do :; done";
/// Without a limit, and yet not all of the machine.
const WORK: &str = "while :; do i=0; while [ $i -lt 2000 ]; do i=$((i+1)); done; sleep 0.2; done";
/// One process of it is killed, the others stay.
const OOM: &str = "sh -c 'exec tail /dev/zero'; exec sleep 3600";
const DISK: &str = "while :; do dd if=/dev/zero of=/x bs=64k count=4 oflag=direct 2>/dev/null; \
    dd if=/x of=/dev/null bs=64k iflag=direct 2>/dev/null; sleep 0.5; done";

/// Containers that go with their guard.
pub(super) struct Loads {
    prefix: String,
    pub(super) names: BTreeSet<String>,
}

impl Loads {
    pub(super) fn new(what: &str) -> Self {
        Self { prefix: format!("e2e-{what}-{}", std::process::id()), names: BTreeSet::new() }
    }

    pub(super) fn name(&self, what: &str) -> String {
        format!("{}-{what}", self.prefix)
    }

    pub(super) fn start(&mut self, what: &str, flags: &[&str], script: &str) -> String {
        let name = self.name(what);
        let mut args = vec!["run", "--detach", "--stop-timeout=1", "--name", &name];
        args.extend(flags);
        args.extend([IMAGE, "sh", "-c", script]);
        docker(&args);
        self.names.insert(name.clone());
        name
    }

    /// Whatever a container can do that is counted.
    pub(super) fn all(what: &str, disk: &str) -> Self {
        let mut loads = Self::new(what);
        let (quota, period, shares, files) = (
            format!("--cpu-quota={QUOTA}"),
            format!("--cpu-period={PERIOD}"),
            format!("--cpu-shares={SHARES}"),
            format!("--ulimit=nofile={FILES}"),
        );
        loads.start("quota", &["--label=com.example.app=burn", &quota, &period], BURN);
        loads.start("burn", &[&shares], WORK);
        let fill = [
            format!("--memory={FILL_LIMIT}"),
            format!("--memory-swap={}", FILL_LIMIT * 2),
            format!("--memory-reservation={RESERVATION}"),
            format!("--pids-limit={PIDS}"),
        ];
        let script = format!("head -c {FILL} /dev/zero > /dev/shm/fill; exec sleep 3600");
        loads.start("fill", &fill.each_ref().map(String::as_str), &script);
        let limits = [format!("--memory={OOM_LIMIT}"), format!("--memory-swap={OOM_LIMIT}")];
        loads.start("oom", &limits.each_ref().map(String::as_str), OOM);
        // The kernel counts a device's I/O only where it is to be throttled.
        let rates = ["read", "write"].map(|way| format!("--device-{way}-bps={disk}:1gb"));
        loads.start("disk", &rates.each_ref().map(String::as_str), DISK);
        loads.start("net", &[], PING);
        loads.start("idle", &[&files], IDLE);
        let beside = format!("--network=container:{}", loads.name("idle"));
        loads.start("beside", &[&beside], IDLE);
        loads.start("alone", &["--network=none"], IDLE);
        loads.start("host", &["--network=host"], IDLE);
        loads
    }

    pub(super) fn stop(&mut self, name: &str) {
        docker(&["rm", "--force", name]);
        self.names.remove(name);
    }
}

impl Drop for Loads {
    fn drop(&mut self) {
        let names = self.names.iter().map(String::as_str);
        let removed = Command::new("docker").args(["rm", "--force"]).args(names).output();
        if !removed.is_ok_and(|output| output.status.success()) {
            eprintln!("containers {} stay", self.prefix);
        }
    }
}

/// The disk that docker's containers write to; `None` where that is no device.
pub(super) fn disk() -> Option<String> {
    let root = docker(&["info", "--format={{.DockerRootDir}}"]);
    let output = Command::new("df").arg(root).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let device = text.lines().nth(1)?.split_whitespace().next()?;
    device.starts_with("/dev/").then(|| device.to_owned())
}
