//! `cargo xtask bench registrar`: the release build of consul-registrar on a real Consul server with a data directory, both
//! on this machine, beside a client that registers the same rows one by one as consul-k8s does. Nothing is gated.

mod changes;
mod measure;
mod peer;
mod program;
mod report;

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use e2e::{Consul, servers};
use serde_json::json;

use super::kube::cluster::Cluster;
use super::machine;
use crate::binary::{self, Profile};

#[derive(clap::Args)]
pub(crate) struct Options {
    /// Targets, of a file and as pods of a generated cluster
    #[arg(long, default_value_t = 10_000)]
    targets: usize,
    /// Pods that come one after another, each timed until a watcher of Consul sees it
    #[arg(long, default_value_t = 100)]
    changes: usize,
    /// Seconds over which the CPU time at rest is measured
    #[arg(long, default_value_t = 60)]
    idle: u64,
    /// Targets of the run without Consul, whose sinks are a file and HTTP
    #[arg(long, default_value_t = 100_000)]
    large: usize,
    /// Measure this program instead of building one
    #[arg(long, value_name = "PATH")]
    binary: Option<PathBuf>,
    /// Leave out the client that registers one by one
    #[arg(long)]
    no_peer: bool,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    ensure!(options.targets > 0 && options.large > 0, "--targets and --large are at least 1");
    let program = match &options.binary {
        Some(path) => path.clone(),
        None => binary::consul_registrar(Profile::Release)?,
    };
    let server = servers::find("consul")
        .context("no consul: put it on the path, or let e2e/testbed/install fetch it")?;
    println!("{}", machine::line());
    let folder = tempfile::tempdir()?;
    let file = targets(folder.path(), options.targets)?;
    let consul = Consul::start(&server)?;
    let idle = Duration::from_secs(options.idle);
    let from_file = measure::from_file(&program, &consul, &file, options.targets, idle)?;
    drop(consul);
    let consul = Consul::start(&server)?;
    let cluster = Cluster::start(options.targets, false, false)?;
    let pods = measure::from_pods(&program, &consul, &cluster, folder.path(), options.changes)?;
    drop((consul, cluster));
    let peer = if options.no_peer {
        None
    } else {
        let consul = Consul::start(&server)?;
        Some(peer::one_by_one(&consul, options.targets)?)
    };
    let file = targets(folder.path(), options.large)?;
    let large = measure::without_consul(&program, folder.path(), &file, options.large)?;
    print!("{}", report::table(options.targets, &from_file, &pods, peer.as_ref()));
    print!("{}", report::large(options.large, &large));
    Ok(())
}

/// The `n`th host.
fn host(n: usize) -> String {
    format!("10.{}.{}.{}", 1 + n / 50_000, n / 250 % 200, n % 250 + 1)
}

/// A file of targets on a node each.
fn targets(folder: &Path, count: usize) -> Result<PathBuf> {
    let path = folder.join(format!("targets-{count}.json"));
    let hosts: Vec<String> = (0..count).map(|n| format!("{}:9100", host(n))).collect();
    let list = json!([{"targets": hosts, "labels": {"job": "node-exporter", "zone": "eu-1a"}}]);
    std::fs::write(&path, list.to_string())?;
    Ok(path)
}
