//! The demo as a process, and the processes below it.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};

use e2e::agent;
use e2e::{Server, cargo, wait_until};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::PATIENCE;

/// Which process, and its name.
pub(crate) type Process = (u32, String);

/// A demo that runs. Dropping it asks it to end as Ctrl-C does.
pub(crate) struct Demo {
    pub(crate) server: Server,
    pub(crate) url: String,
    pub(crate) address: SocketAddr,
    _folder: TempDir,
}

/// What a demo that has ended has said, and which of its processes it has left.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    pub(crate) out: String,
    pub(crate) err: String,
    pub(crate) left: Vec<String>,
}

/// `cargo demo` with the agents that are to be tested, and no cluster where none is given.
fn command(folder: &Path) -> Command {
    let mut command = cargo();
    command.arg("demo").current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
    // Where the demo keeps its files, so that the programs that use them can be told from others.
    command.env("TMPDIR", folder).env("KUBECONFIG", folder.join("no-such-file"));
    let programs: [(&str, anyhow::Result<PathBuf>); 4] = [
        ("NODE_EXPORTER_RS", agent::node_exporter_rs()),
        ("KUBE_STATE_RS", agent::kube_state_rs()),
        ("CADVISOR_PROXY_RS", agent::cadvisor_proxy_rs()),
        ("CONSUL_REGISTRAR", agent::consul_registrar()),
    ];
    for (variable, program) in programs {
        command.env(variable, program.unwrap());
    }
    command
}

/// Runs `cargo demo --once` to its end.
pub(crate) fn once(variables: &[(&str, &str)]) -> Ended {
    let folder = tempfile::tempdir().unwrap();
    let mut command = command(folder.path());
    let output = command.arg("--once").envs(variables.iter().copied()).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ended {
        status: output.status,
        out: text(&output.stdout),
        err: text(&output.stderr),
        left: started_with(folder.path()),
    }
}

impl Demo {
    pub(crate) fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut command = command(folder.path());
        // The usual ports may be those of other programs here: any free one will do for the page.
        command.arg(format!("--port={}", e2e::free_port().unwrap()));
        let mut server = Server::start("cargo demo", &mut command).unwrap();
        let url = wait_until("demo's report", PATIENCE * 3, || {
            if let Some(status) = server.ended()? {
                anyhow::bail!("it ended with {status}: {}", server.log());
            }
            let log = server.log();
            let url = log.split_once("live: ").and_then(|(_, rest)| rest.lines().next());
            url.map(str::to_owned).ok_or_else(|| anyhow::anyhow!("{log}"))
        })
        .unwrap();
        let address = url.trim_start_matches("http://").trim_end_matches('/').parse().unwrap();
        Self { server, url, address, _folder: folder }
    }
}

impl Demo {
    /// Where a target's metrics are, from the report.
    pub(crate) fn url_of(&self, service: &str) -> Option<String> {
        let log = self.server.log();
        let row = log.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
        let mut up = row.filter(|row| row.first() == Some(&"up") && row.get(1) == Some(&service));
        Some((*up.next()?.get(2)?).to_owned())
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        // Both fail only where it has ended already.
        _ = self.server.signal(Signal::INT);
        _ = self.server.wait(PATIENCE);
    }
}

pub(crate) fn kill(process: u32) {
    let pid = Pid::from_raw(process.try_into().unwrap()).unwrap();
    kill_process(pid, Signal::KILL).unwrap();
}

/// All children of a process and theirs.
pub(crate) fn processes_below(parent: u32) -> Vec<Process> {
    let all: Vec<(u32, u32, String)> = numbers().filter_map(parent_and_name).collect();
    let mut below = Vec::new();
    let mut parents = vec![parent];
    while let Some(parent) = parents.pop() {
        for (process, _, name) in all.iter().filter(|(_, of, _)| *of == parent) {
            below.push((*process, name.clone()));
            parents.push(*process);
        }
    }
    below
}

/// Those that still run.
pub(crate) fn alive(processes: &[Process]) -> Vec<String> {
    assert!(processes.len() >= 3, "{processes:?}");
    let runs = |(process, name): &&Process| {
        parent_and_name(*process).is_some_and(|(_, _, now)| now == *name)
    };
    processes.iter().filter(runs).map(|(process, name)| format!("{name} ({process})")).collect()
}

/// Programs whose environment names the folder: all that a demo started.
fn started_with(folder: &Path) -> Vec<String> {
    let entry = format!("TMPDIR={}", folder.display());
    let named = |process: &u32| {
        let environment = std::fs::read(format!("/proc/{process}/environ")).unwrap_or_default();
        environment.split(|byte| *byte == 0).any(|variable| variable == entry.as_bytes())
    };
    let found = numbers().filter(named).filter_map(parent_and_name);
    found.map(|(process, _, name)| format!("{name} ({process})")).collect()
}

fn numbers() -> impl Iterator<Item = u32> {
    let entries = std::fs::read_dir("/proc").unwrap();
    entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
}

/// From `PID (NAME) STATE PPID ...`; a zombie has ended.
fn parent_and_name(process: u32) -> Option<(u32, u32, String)> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    let (name, rest) = stat.split_once('(')?.1.rsplit_once(") ")?;
    let mut fields = rest.split(' ');
    if fields.next()? == "Z" {
        return None;
    }
    Some((process, fields.next()?.parse().ok()?, name.to_owned()))
}
