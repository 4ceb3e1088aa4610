//! The programs of the demo: started, looked after, ended together.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use e2e::agent::{START, local};
use e2e::http::get;
use e2e::sample::Sample;
use e2e::site::Site;
use e2e::{Agent, free_port};
use rustix::process::Signal;
use serde_json::json;
use tempfile::TempDir;

use super::found::{Found, Objects};
use crate::binary::{Programs, workspace};

/// How long a cluster's API server may take before the sample takes its place.
const CLUSTER: Duration = Duration::from_secs(15);
/// How long programs may take to end by themselves.
const GRACE: Duration = Duration::from_secs(5);

/// All that was started. Dropping it ends it.
pub(crate) struct Parts {
    running: Vec<Part>,
    /// What stands in the file for the registrar, and where it came from.
    targets: Vec<Listed>,
    /// What was found and what was not, in sentences.
    notes: Vec<Note>,
    registrar: Option<SocketAddr>,
    prometheus: Option<SocketAddr>,
    usual: bool,
    /// Ports that are given already, though nobody may listen there yet.
    given: BTreeSet<u16>,
    folder: TempDir,
    /// Serves for as long as it is kept.
    sample: Option<Site>,
}

struct Part {
    name: &'static str,
    agent: Agent,
    told: bool,
}

struct Listed {
    service: &'static str,
    address: SocketAddr,
    origin: String,
}

#[derive(Clone)]
pub(crate) struct Note {
    pub(crate) about: &'static str,
    pub(crate) text: String,
    /// Whether there is something of the kind.
    pub(crate) there: bool,
}

/// The port that everybody expects where it is wanted and free, else any.
pub(crate) fn address(usual: u16, wanted: bool) -> Result<SocketAddr> {
    let usual = local(usual);
    if wanted && TcpListener::bind(usual).is_ok() {
        return Ok(usual);
    }
    Ok(local(free_port()?))
}

impl Parts {
    pub(crate) fn start(programs: &Programs, found: &Found, usual: bool) -> Result<Self> {
        let mut parts = Self {
            running: Vec::new(),
            targets: Vec::new(),
            notes: Vec::new(),
            registrar: None,
            prometheus: None,
            usual,
            given: BTreeSet::new(),
            folder: tempfile::tempdir().context("no temporary folder")?,
            sample: None,
        };
        parts.node(&programs.node)?;
        parts.containers(&programs.proxy, found)?;
        parts.objects(&programs.kube, &found.cluster)?;
        parts.registrar(&programs.registrar, found)?;
        parts.prometheus(found)?;
        parts.list()?;
        parts.wait();
        Ok(parts)
    }

    pub(crate) fn notes(&self) -> &[Note] {
        &self.notes
    }

    pub(crate) fn registrar_address(&self) -> Option<SocketAddr> {
        self.registrar
    }

    pub(crate) fn prometheus_address(&self) -> Option<SocketAddr> {
        self.prometheus
    }

    /// The targets that are the demo's own, as `host:port`.
    pub(crate) fn expected(&self) -> impl Iterator<Item = String> {
        self.targets.iter().map(|target| target.address.to_string())
    }

    /// Where each of them came from.
    pub(crate) fn origins(&self) -> BTreeMap<String, String> {
        let of = |target: &Listed| (target.address.to_string(), target.origin.clone());
        self.targets.iter().map(of).collect()
    }

    /// A sentence for each program that has ended since the last call.
    pub(crate) fn ended(&mut self) -> Vec<String> {
        let mut sentences = Vec::new();
        for part in self.running.iter_mut().filter(|part| !part.told) {
            if let Ok(Some(status)) = part.agent.server.ended() {
                part.told = true;
                let log = part.agent.server.log();
                let last: Vec<&str> = log.lines().rev().take(3).collect();
                let last: Vec<&str> = last.into_iter().rev().collect();
                sentences.push(format!("{} ended with {status}:\n{}", part.name, last.join("\n")));
            }
        }
        sentences
    }

    fn address(&mut self, port: u16) -> Result<SocketAddr> {
        loop {
            let address = address(port, self.usual)?;
            // A usual port is nobody else's.
            if address.port() == port || self.given.insert(address.port()) {
                return Ok(address);
            }
        }
    }

    fn run(
        &mut self,
        name: &'static str,
        address: SocketAddr,
        command: &mut Command,
    ) -> Result<()> {
        let agent = Agent::spawn(address, command)?;
        self.running.push(Part { name, agent, told: false });
        Ok(())
    }

    fn target(&mut self, service: &'static str, address: SocketAddr, origin: impl Into<String>) {
        self.targets.push(Listed { service, address, origin: origin.into() });
    }

    fn note(&mut self, about: &'static str, there: bool, text: impl Into<String>) {
        self.notes.push(Note { about, text: text.into(), there });
    }

    fn node(&mut self, program: &Path) -> Result<()> {
        let address = self.address(9100)?;
        let mut command = Command::new(program);
        command.arg(listen(address));
        self.run("node-exporter-rs", address, &mut command)?;
        self.target("node-exporter", address, "/proc and /sys of this machine");
        Ok(())
    }

    fn containers(&mut self, program: &Path, found: &Found) -> Result<()> {
        if !found.cgroups {
            self.note(
                "Containers",
                false,
                "no cgroups here: cadvisor-proxy-rs has nothing to read",
            );
            return Ok(());
        }
        let (address, own) = (self.address(4194)?, self.address(4195)?);
        let mut command = Command::new(program);
        command.arg(listen(address)).arg("--source=cgroup");
        command.arg(format!("--telemetry.listen-address={own}"));
        let identity = if found.docker.is_ok() { "docker" } else { "cgroup" };
        command.arg(format!("--identity={identity}"));
        self.run("cadvisor-proxy-rs", address, &mut command)?;
        let origin = if found.docker.is_ok() { "cgroups, names by docker" } else { "cgroups" };
        self.target("cadvisor-proxy", address, origin);
        self.target("cadvisor-proxy-self", own, "cadvisor-proxy-rs about itself");
        self.note("Containers", true, "read from the cgroups of this machine, without a cAdvisor");
        Ok(())
    }

    fn objects(&mut self, program: &Path, objects: &Objects) -> Result<()> {
        let without = match objects {
            Objects::File(file) => return self.of_file(program, file, ""),
            Objects::Nothing => "there is no kubeconfig".to_owned(),
            Objects::Kubeconfig(file) => match self.of_cluster(program, file) {
                Ok(()) => return Ok(()),
                Err(error) => format!("{}: {error:#}", file.display()),
            },
        };
        let sample = workspace().join("xtask/src/demo/cluster.yaml");
        self.of_file(program, &sample, &format!("a sample, as {without}: "))
    }

    fn of_cluster(&mut self, program: &Path, kubeconfig: &Path) -> Result<()> {
        let flag = format!("--kubeconfig={}", kubeconfig.display());
        let (mut agent, own) = self.kube(program, &flag)?;
        let deadline = Instant::now() + CLUSTER;
        loop {
            let answer = get(agent.address, "/livez").map(|answer| (answer.status, answer.text()));
            match answer {
                Ok((200, _)) => break,
                Ok((_, Ok(text))) if Instant::now() > deadline => bail!("{}", text.trim()),
                _ if Instant::now() > deadline => bail!("it does not answer"),
                _ => {}
            }
            if agent.server.ended()?.is_some() {
                let log = agent.server.log();
                bail!("{}", log.lines().next_back().unwrap_or("it has ended"));
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        self.follows(agent, own, format!("the cluster of {}", kubeconfig.display()));
        Ok(())
    }

    fn of_file(&mut self, program: &Path, file: &Path, why: &str) -> Result<()> {
        let sample = Sample::read(file)?;
        let shown = file.strip_prefix(workspace()).unwrap_or(file).display().to_string();
        let text = format!("{why}{} objects of {shown}", sample.objects());
        let site = sample.serve()?;
        let (agent, own) = self.kube(program, &format!("--apiserver=http://{}", site.address()))?;
        self.sample = Some(site);
        self.follows(agent, own, text);
        Ok(())
    }

    fn kube(&mut self, program: &Path, flag: &str) -> Result<(Agent, SocketAddr)> {
        let (address, own) = (self.address(10241)?, self.address(10242)?);
        let mut command = Command::new(program);
        command.arg(flag);
        for (prefix, address) in [("", address), ("telemetry-", own)] {
            command.arg(format!("--{prefix}host={}", address.ip()));
            command.arg(format!("--{prefix}port={}", address.port()));
        }
        Ok((Agent::spawn(address, &mut command)?, own))
    }

    fn follows(&mut self, agent: Agent, own: SocketAddr, text: String) {
        self.target("kube-state", agent.address, text.clone());
        self.target("kube-state-self", own, "kube-state-rs about itself");
        self.running.push(Part { name: "kube-state-rs", agent, told: false });
        self.note("Kubernetes", !text.starts_with("a sample"), text);
    }

    fn registrar(&mut self, program: &Path, found: &Found) -> Result<()> {
        let address = self.address(10243)?;
        let mut command = Command::new(program);
        command.arg("run").arg(listen(address)).arg("--cluster-name=demo").arg("--source=static");
        command.arg(format!("--file={}", self.file().display()));
        match &found.docker {
            Ok(()) => {
                command.args(["--source=docker", "--ip=127.0.0.1", "--allow-loopback"]);
                let text = "dockerd answers; a container with the label registrar.port=PORT becomes a target";
                self.note("Docker", true, text);
            }
            Err(why) => self.note("Docker", false, why.clone()),
        }
        self.run("consul-registrar", address, &mut command)?;
        self.target("consul-registrar", address, "consul-registrar about itself");
        self.registrar = Some(address);
        Ok(())
    }

    fn prometheus(&mut self, found: &Found) -> Result<()> {
        let (program, version) = match &found.prometheus {
            Ok(found) => found,
            Err(why) => {
                self.note("Prometheus", false, why.clone());
                return Ok(());
            }
        };
        let Some(registrar) = self.registrar else { return Ok(()) };
        let address = self.address(9090)?;
        let config = self.folder.path().join("prometheus.yml");
        std::fs::write(&config, config_of_prometheus(registrar))?;
        let mut command = Command::new(program);
        command.arg(format!("--config.file={}", config.display()));
        command.arg(format!("--storage.tsdb.path={}", self.folder.path().join("data").display()));
        command.arg(listen(address));
        self.run("prometheus", address, &mut command)?;
        self.target("prometheus", address, "Prometheus about itself");
        let text =
            format!("{version} at http://{address}/ reads the registrar's list and scrapes it");
        self.note("Prometheus", true, text);
        self.prometheus = Some(address);
        Ok(())
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("targets.json")
    }

    /// Writes the file that the registrar reads, renamed into its place.
    fn list(&self) -> Result<()> {
        let node = node_name();
        let groups: Vec<_> = self
            .targets
            .iter()
            .map(|target| {
                json!({
                    "targets": [target.address.to_string()],
                    "labels": {"job": target.service, "node": node},
                })
            })
            .collect();
        let new = self.folder.path().join("targets.new");
        std::fs::write(&new, serde_json::to_vec_pretty(&groups)?)?;
        std::fs::rename(&new, self.file()).context("the targets' file")
    }

    /// Until each program is ready or has ended.
    fn wait(&mut self) {
        let deadline = Instant::now() + START;
        for part in &mut self.running {
            while Instant::now() < deadline && !part.is_ready() {
                if !matches!(part.agent.server.ended(), Ok(None)) {
                    break;
                }
                std::thread::sleep(Duration::from_millis(50));
            }
        }
    }
}

impl Part {
    fn is_ready(&self) -> bool {
        let path = if self.name == "prometheus" { "/-/ready" } else { "/readyz" };
        get(self.agent.address, path).is_ok_and(|answer| answer.status == 200)
    }
}

impl Drop for Parts {
    /// All are asked to end at once; what does not is killed by its guard.
    fn drop(&mut self) {
        for part in &self.running {
            // It fails where the program has ended already.
            _ = part.agent.server.signal(Signal::TERM);
        }
        let deadline = Instant::now() + GRACE;
        for part in &mut self.running {
            while Instant::now() < deadline && matches!(part.agent.server.ended(), Ok(None)) {
                std::thread::sleep(Duration::from_millis(20));
            }
        }
    }
}

fn listen(address: SocketAddr) -> String {
    format!("--web.listen-address={address}")
}

fn config_of_prometheus(registrar: SocketAddr) -> String {
    format!(
        "global: {{scrape_interval: 5s, scrape_timeout: 5s}}\nscrape_configs:\n- job_name: demo\n  \
         http_sd_configs:\n  - {{url: 'http://{registrar}/targets', refresh_interval: 5s}}\n"
    )
}

fn node_name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}
