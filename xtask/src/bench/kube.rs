//! `cargo xtask bench kube`: the release build of kube-state-rs on clusters that [`e2e::apiserver`] generates.
//!
//! The API server is a process of its own and every body is unpacked and counted here, so that the agent's CPU time is all
//! that is measured. kube-state-metrics runs beside it with `--peer`; otherwise the table shows what was recorded of it.

pub(super) mod cluster;
mod curve;
mod measure;
mod program;
mod recorded;
mod report;

use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};

use super::machine;
use crate::binary::{self, Profile};
use cluster::Cluster;
use measure::Figures;
use program::Program;

#[derive(clap::Args)]
pub(crate) struct Options {
    /// Sizes of the clusters to generate
    #[arg(long, value_delimiter = ',', default_values_t = [2_000, 10_000, 100_000])]
    pods: Vec<usize>,
    /// Measure on the cluster of this file instead; nothing is changed in it
    #[arg(long, value_name = "FILE")]
    kubeconfig: Option<PathBuf>,
    /// Measure this program instead of building one
    #[arg(long, value_name = "PATH")]
    binary: Option<PathBuf>,
    /// kube-state-metrics, to be measured as well
    #[arg(long, value_name = "PATH")]
    peer: Option<PathBuf>,
    /// Refuse streaming lists, as API servers before 1.32 do: the agent lists in pages
    #[arg(long)]
    pages: bool,
    /// UIDs and container ids that count up: they compress better than a real cluster's random ones
    #[arg(long)]
    counted_ids: bool,
    /// Seconds of each run under 500 changes a second; 0 leaves them out
    #[arg(long, default_value_t = 30)]
    churn: u64,
    /// Measure 1,000 to 200,000 pods and write the table and the plot to kube-state-rs/docs
    #[arg(long)]
    curve: bool,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    let ours = match &options.binary {
        Some(path) => path.clone(),
        None => binary::kube_state_rs(Profile::Release)?,
    };
    println!("{}", machine::line());
    if options.curve {
        return curve::run(options, &ours);
    }
    if let Some(file) = &options.kubeconfig {
        let flag = [format!("--kubeconfig={}", file.display())];
        let figures = measure::unchanged(Program::start(&ours, &flag)?)?;
        let peer = options.peer.as_deref();
        let peer = peer.map(|peer| measure::unchanged(Program::start(peer, &flag)?)).transpose()?;
        print!("{}", report::table(&figures, peer.as_ref()));
        return Ok(());
    }
    for &pods in &options.pods {
        ensure!(pods > 0, "--pods is at least 1");
        let figures = on_generated(options, &ours, pods)?;
        let peer = options.peer.as_deref();
        let peer = peer.map(|peer| on_generated(options, peer, pods)).transpose()?;
        print!("{}", report::table(&figures, peer.as_ref()));
    }
    Ok(())
}

/// Measures a program on a fresh cluster of so many pods.
fn on_generated(options: &Options, program: &Path, pods: usize) -> Result<Figures> {
    let cluster = Cluster::start(pods, options.pages, options.counted_ids)?;
    let program = Program::start(program, &[cluster.flag()])?;
    measure::all(program, &cluster, options.churn)
}
