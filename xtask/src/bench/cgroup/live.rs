//! Cgroups of this machine's own kernel with a sleeping process in each: what its files cost to be written and read.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result};
use e2e::servers;

const ROOT: &str = "/sys/fs/cgroup";
const HIERARCHIES: [&str; 5] = ["cpu", "cpuacct", "memory", "blkio", "pids"];

/// Cgroups that go with their guard.
pub(super) struct Live {
    folders: Vec<PathBuf>,
    processes: Vec<Child>,
}

impl Live {
    /// `None` where this is not root, or the machine has no cgroup v1.
    pub(super) fn start(count: usize) -> Result<Option<Self>> {
        let mut roots: Vec<PathBuf> = HIERARCHIES
            .iter()
            .filter_map(|name| fs::canonicalize(Path::new(ROOT).join(name)).ok())
            .collect();
        // Where systemd mounts them, `cpu` and `cpuacct` are one.
        roots.sort();
        roots.dedup();
        if roots.is_empty() || !servers::is_root() {
            return Ok(None);
        }
        let mut live = Self { folders: Vec::new(), processes: Vec::new() };
        let top = format!("bench-{}", std::process::id());
        for root in &roots {
            live.make(root.join(&top))?;
        }
        for number in 0..count {
            let process = Command::new("sleep")
                .arg("100000")
                .stdin(Stdio::null())
                .spawn()
                .context("sleep")?;
            let pid = process.id().to_string();
            live.processes.push(process);
            for root in &roots {
                let folder = root.join(&top).join(format!("{number:064x}"));
                let procs = folder.join("cgroup.procs");
                live.make(folder)?;
                fs::write(&procs, &pid).with_context(|| procs.display().to_string())?;
            }
        }
        Ok(Some(live))
    }

    fn make(&mut self, folder: PathBuf) -> Result<()> {
        fs::create_dir(&folder).with_context(|| folder.display().to_string())?;
        self.folders.push(folder);
        Ok(())
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        for process in &mut self.processes {
            // Both fail only where it has ended already.
            _ = process.kill();
            _ = process.wait();
        }
        // What is below goes first.
        for folder in self.folders.iter().rev() {
            if let Err(error) = fs::remove_dir(folder) {
                eprintln!("{}: {error}", folder.display());
            }
        }
    }
}
