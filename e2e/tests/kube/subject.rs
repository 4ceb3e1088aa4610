//! kube-state-rs as it is tested.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use e2e::agent::{self, local};
use e2e::process::held;
use e2e::{Agent, Scrape, exposition, free_port, wait_until};

use crate::resources;
use e2e::cluster::Cluster;

/// How long a start may take, the first lists included.
const START: Duration = Duration::from_mins(2);

/// Flags that say which metrics there are: `render` takes them too.
pub(crate) type Choice = Vec<String>;

/// All that there can be, of all resources.
pub(crate) fn everything() -> Choice {
    let names: Vec<&str> = resources::ALL.iter().map(|resource| resource.plural).collect();
    let mut choice = vec![format!("--resources={}", names.join(","))];
    let more = [
        "--metric-labels-allowlist=*=[*]",
        "--metric-annotations-allowlist=*=[*]",
        "--metric-opt-in-list=.*",
        "--compat=v1.4",
    ];
    choice.extend(more.map(str::to_owned));
    choice
}

/// Some resources, with what is given of them by default.
pub(crate) fn only(names: &str) -> Choice {
    vec![format!("--resources={names}")]
}

/// A running kube-state-rs.
pub(crate) struct Subject {
    pub(crate) agent: Agent,
    pub(crate) choice: Choice,
    own: SocketAddr,
}

impl Subject {
    /// Started with all metrics as the cluster's administrator, and ready.
    pub(crate) fn start(cluster: &Cluster) -> Self {
        Self::with(&cluster.kubeconfig, everything(), &[])
    }

    /// Started and ready.
    pub(crate) fn with(kubeconfig: &Path, choice: Choice, flags: &[&str]) -> Self {
        let subject = Self::spawn(kubeconfig, choice, flags);
        subject.is_ready();
        subject
    }

    pub(crate) fn spawn(kubeconfig: &Path, choice: Choice, flags: &[&str]) -> Self {
        let (metrics, own) = (local(free_port().unwrap()), local(free_port().unwrap()));
        let mut command = Command::new(agent::kube_state_rs().unwrap());
        command.arg(format!("--kubeconfig={}", kubeconfig.display()));
        for (prefix, address) in [("", metrics), ("telemetry-", own)] {
            command.arg(format!("--{prefix}host={}", address.ip()));
            command.arg(format!("--{prefix}port={}", address.port()));
        }
        command.args(&choice).args(flags);
        Self { agent: Agent::spawn(metrics, &mut command).unwrap(), choice, own }
    }

    pub(crate) fn is_ready(&self) {
        wait_until("readiness", START, || ready(self.agent.address)).unwrap();
    }

    pub(crate) fn scrape(&self) -> Result<Scrape> {
        self.agent.scrape("/metrics")
    }

    /// What it says about itself.
    pub(crate) fn own(&self) -> Result<Scrape> {
        let response = e2e::http::get(self.own, "/metrics")?;
        Scrape::parse(&response.text()?)
    }

    /// A number that it tells about a resource; of lists and watches, those that succeeded.
    pub(crate) fn of(&self, metric: &str, resource: &str) -> Result<f64> {
        of(&self.own()?, metric, resource)
    }

    /// Waits until it tells the reason why it does not follow a resource; "" is none.
    pub(crate) fn tells(&self, resource: &str, reason: &str) {
        let metric = "kube_state_metrics_resource_available";
        wait_until("availability", Duration::from_mins(2), || {
            let own = self.own()?;
            let (key, value) = own
                .of(metric)
                .find(|(key, _)| exposition::label(key, "resource").as_deref() == Some(resource))
                .with_context(|| format!("no {metric} of {resource}"))?;
            let told = exposition::label(key, "reason").unwrap_or_default();
            ensure!(told == reason, "{resource}: {told:?} instead of {reason:?}");
            ensure!((value == 1.0) == reason.is_empty(), "{resource}: {value}");
            Ok::<_, anyhow::Error>(())
        })
        .unwrap();
    }

    /// Resident memory in bytes, now and at its highest.
    pub(crate) fn memory(&self) -> (u64, u64) {
        let of = |field| held(self.agent.server.pid(), field).unwrap();
        (of("VmRSS"), of("VmHWM"))
    }

    /// Lines of its log with both texts.
    pub(crate) fn logged(&self, level: &str, text: &str) -> Vec<String> {
        let log = self.agent.server.log();
        let lines = log.lines().filter(|line| line.contains(level) && line.contains(text));
        lines.map(str::to_owned).collect()
    }
}

pub(crate) fn ready(address: SocketAddr) -> Result<()> {
    let response = e2e::http::get(address, "/readyz")?;
    if response.status != 200 {
        bail!("{} {}", response.status, response.text()?);
    }
    Ok(())
}

/// A metric's value for a resource; of lists and watches, those that succeeded.
pub(crate) fn of(own: &Scrape, metric: &str, resource: &str) -> Result<f64> {
    let is = |key: &str, name: &str, value: &str| {
        exposition::label(key, name).is_none_or(|found| found == value)
    };
    own.of(metric)
        .find(|(key, _)| is(key, "resource", resource) && is(key, "result", "success"))
        .map(|(_, value)| value)
        .with_context(|| format!("no {metric} of {resource}"))
}
