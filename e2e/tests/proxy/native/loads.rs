//! Containers that do one thing each.

use std::collections::BTreeSet;
use std::process::Command;

use e2e::docker::docker;

const IMAGE: &str = "testbed/busybox:1";

/// Of the fill's memory; a quarter of a page of any kernel divides it.
pub(super) const FILL: u64 = 24 << 20;
pub(super) const FILL_LIMIT: u64 = 64 << 20;
pub(super) const OOM_LIMIT: u64 = 16 << 20;
/// Half a CPU.
pub(super) const QUOTA: u64 = 20_000;
pub(super) const SHARES: u64 = 512;

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
        let burn = "while :; do :; done";
        let (quota, shares) = (format!("--cpu-quota={QUOTA}"), format!("--cpu-shares={SHARES}"));
        loads.start("quota", &["--label=com.example.app=burn", &quota, "--cpu-period=50000"], burn);
        // Without a limit, and yet not all of the machine.
        loads.start("burn", &[&shares], "while :; do i=0; while [ $i -lt 2000 ]; do i=$((i+1)); done; sleep 0.2; done");
        let limit = [FILL_LIMIT, FILL_LIMIT * 2].map(|bytes| bytes.to_string());
        let (memory, swap) =
            (format!("--memory={}", limit[0]), format!("--memory-swap={}", limit[1]));
        let fill = format!("head -c {FILL} /dev/zero > /dev/shm/fill; exec sleep 3600");
        loads.start("fill", &[&memory, &swap, "--memory-reservation=32m", "--pids-limit=50"], &fill);
        let oom = format!("--memory={OOM_LIMIT}");
        let script = "sh -c 'exec tail /dev/zero'; sleep 3600";
        loads.start("oom", &[&oom, &format!("--memory-swap={OOM_LIMIT}")], script);
        // The kernel counts a device's I/O only where it is to be throttled.
        let rates = ["read", "write"].map(|way| format!("--device-{way}-bps={disk}:1gb"));
        let script = "while :; do dd if=/dev/zero of=/x bs=64k count=4 oflag=direct 2>/dev/null; \
                      dd if=/x of=/dev/null bs=64k iflag=direct 2>/dev/null; sleep 0.5; done";
        loads.start("disk", &[&rates[0], &rates[1]], script);
        loads.start("net", &[], "exec ping -q $(ip route | awk '/default/ {print $3}')");
        loads.start("idle", &["--ulimit=nofile=777"], "exec sleep 3600");
        let shared = format!("--network=container:{}", loads.name("idle"));
        loads.start("shared", &[&shared], "exec sleep 3600");
        loads.start("alone", &["--network=none"], "exec sleep 3600");
        loads.start("host", &["--network=host"], "exec sleep 3600");
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
