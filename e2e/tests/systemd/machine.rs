//! A systemd of our own, in namespaces of its own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use e2e::{Server, agent, servers, wait_until};

/// For what a slow machine may need.
const PATIENCE: Duration = Duration::from_mins(3);

pub(crate) const AGENTS: [&str; 4] =
    ["node-exporter-rs", "kube-state-rs", "cadvisor-proxy-rs", "consul-registrar"];

/// Dropping it ends all that runs in it.
pub(crate) struct Machine {
    server: Option<Server>,
    folder: tempfile::TempDir,
    /// Its systemd.
    pid: u32,
}

/// A machine with the agents, their units and accounts; `None`, and a line about it, where none can run.
pub(crate) fn machine(test: &str, settings: &[(&str, &str)]) -> Option<Machine> {
    if !servers::is_root() {
        servers::skip(test, "not root");
        return None;
    }
    for program in ["/lib/systemd/systemd", "/usr/bin/unshare", "/usr/bin/nsenter"] {
        if !Path::new(program).exists() {
            servers::skip(test, &format!("no {program}"));
            return None;
        }
    }
    match Machine::boot(settings) {
        Ok(machine) => Some(machine),
        Err(error) if format!("{error:#}").contains("cannot mount") => {
            servers::skip(test, &format!("{error:#}"));
            None
        }
        Err(error) => panic!("{error:#}"),
    }
}

impl Machine {
    fn boot(settings: &[(&str, &str)]) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        install(&folder.path().join("add"), settings)?;
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("testbed/boot");
        let server = Server::start("systemd", Command::new(script).arg(folder.path()))?;
        let pid = server.pid();
        let mut machine = Self { server: Some(server), folder, pid };
        machine.pid = wait_until("systemd", PATIENCE, || machine.find(pid))?;
        wait_until("its units", PATIENCE, || {
            let state = machine.said("systemctl", &["is-active", "up.target"])?;
            ensure!(state == "active", "{state}");
            Ok::<_, anyhow::Error>(())
        })?;
        machine.said("systemd-sysusers", &[])?;
        Ok(machine)
    }

    /// The first process in the namespaces, once it is systemd.
    fn find(&mut self, parent: u32) -> Result<u32> {
        let server = self.server.as_mut().context("it runs")?;
        if let Some(status) = server.ended()? {
            let log = server.log();
            let word = if log.contains("mount:") { "cannot mount" } else { "it ended" };
            bail!("{word} ({status}): {log}");
        }
        let children = fs::read_to_string(format!("/proc/{parent}/task/{parent}/children"))?;
        let child: u32 = children.trim().parse().context("no process yet")?;
        let name = fs::read_to_string(format!("/proc/{child}/comm"))?;
        ensure!(name.trim() == "systemd", "it is {name}");
        Ok(child)
    }

    /// A command in it.
    pub(crate) fn run(&self, program: &str, args: &[&str]) -> Result<Output> {
        let mut command = Command::new("nsenter");
        command.arg(format!("--target={}", self.pid));
        command.args(["--pid", "--mount", "--uts", "--ipc", "--net", "--root", "--wd=/", program]);
        command.args(args).output().with_context(|| program.to_owned())
    }

    /// What a command prints.
    pub(crate) fn said(&self, program: &str, args: &[&str]) -> Result<String> {
        let output = self.run(program, args)?;
        let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        let problem = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "{program} {args:?}: {text} {problem}");
        Ok(text)
    }

    /// A property of a unit.
    pub(crate) fn property(&self, unit: &str, name: &str) -> Result<String> {
        self.said("systemctl", &["show", "--value", "--property", name, unit])
    }

    /// Where its files are found from outside.
    pub(crate) fn path(&self, file: &str) -> PathBuf {
        PathBuf::from(format!("/proc/{}/root{file}", self.pid))
    }

    /// A line of the status of a unit's main process.
    pub(crate) fn status(&self, unit: &str, name: &str) -> Result<String> {
        let pid = self.property(unit, "MainPID")?;
        let status = fs::read_to_string(self.path(&format!("/proc/{pid}/status")))?;
        let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        Ok(line.with_context(|| name.to_owned())?.trim().to_owned())
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        // What runs in the namespaces ends with their first process, which the kernel needs a moment for.
        self.server = None;
        let hierarchy = self.folder.path().join("hierarchy");
        let name = fs::read_to_string(self.folder.path().join("cgroup")).unwrap_or_default();
        let group = hierarchy.join(name.trim());
        if group != hierarchy {
            _ = wait_until("end of its groups", PATIENCE, || remove(&group));
        }
        _ = Command::new("umount").arg(&hierarchy).status();
    }
}

/// A control group is removed from its leaves up.
fn remove(group: &Path) -> std::io::Result<()> {
    for entry in fs::read_dir(group)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            remove(&entry.path())?;
        }
    }
    fs::remove_dir(group)
}

/// The files as `images/README.md` says where they go.
fn install(root: &Path, settings: &[(&str, &str)]) -> Result<()> {
    let units = Path::new(env!("CARGO_MANIFEST_DIR")).join("../images/systemd");
    for folder in ["usr/local/bin", "etc/systemd/system", "etc/default", "usr/lib/sysusers.d"] {
        fs::create_dir_all(root.join(folder))?;
    }
    for entry in fs::read_dir(&units)? {
        let name = entry?.file_name().into_string().unwrap_or_default();
        let place = match name.rsplit_once('.') {
            Some((_, "service" | "socket")) => root.join("etc/systemd/system").join(&name),
            Some((agent, "default")) => root.join("etc/default").join(agent),
            _ => root.join("usr/lib/sysusers.d").join(&name),
        };
        fs::copy(units.join(&name), place)?;
    }
    for (agent, text) in settings {
        fs::write(root.join("etc/default").join(agent), text)?;
    }
    let programs = [
        agent::node_exporter_rs()?,
        agent::kube_state_rs()?,
        agent::cadvisor_proxy_rs()?,
        agent::consul_registrar()?,
    ];
    for (agent, program) in AGENTS.iter().zip(programs) {
        fs::copy(program, root.join("usr/local/bin").join(agent))?;
    }
    Ok(())
}
