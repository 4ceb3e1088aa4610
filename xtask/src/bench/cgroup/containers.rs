//! Containers of docker, in pairs as pods have them: one that holds a network, one that works in it. Most are idle.

use std::process::Command;

use anyhow::{Context, Result, ensure};

const IMAGE: &str = "testbed/busybox:1";
/// Those that do something: every so many.
const BUSY: usize = 10;
/// A little CPU, memory and disk, once a second.
const WORK: &str = "while :; do dd if=/dev/zero of=/x bs=64k count=8 2>/dev/null; sleep 1; done";

pub(super) struct Containers(Vec<String>);

impl Containers {
    /// `None` without docker or the image.
    pub(super) fn start(count: usize) -> Result<Option<Self>> {
        let known = Command::new("docker").args(["image", "inspect", IMAGE]).output();
        if !known.is_ok_and(|output| output.status.success()) {
            return Ok(None);
        }
        let mut containers = Self(Vec::new());
        let name = |number: usize| format!("bench-{}-{number}", std::process::id());
        for number in 0..count {
            let mut flags = vec![format!("--name={}", name(number)), "--stop-timeout=0".to_owned()];
            if number % 2 == 1 {
                flags.push(format!("--network=container:{}", name(number - 1)));
                flags.extend(["--memory=64m", "--cpu-quota=50000"].map(str::to_owned));
            }
            let work = number % BUSY == 1;
            let script = if work { WORK } else { "exec sleep 100000" };
            let mut command = Command::new("docker");
            command.args(["run", "--detach"]).args(&flags).args([IMAGE, "sh", "-c", script]);
            let output = command.output().context("docker run")?;
            containers.0.push(name(number));
            ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        }
        Ok(Some(containers))
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }
}

impl Drop for Containers {
    fn drop(&mut self) {
        let removed = Command::new("docker").args(["rm", "--force"]).args(&self.0).output();
        if !removed.is_ok_and(|output| output.status.success()) {
            eprintln!("containers stay: {}", self.0.join(" "));
        }
    }
}
