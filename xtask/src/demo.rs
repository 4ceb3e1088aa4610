//! `cargo demo`: node-exporter-rs on this machine, and a page about what it found.

mod found;
mod host;

use std::net::{SocketAddr, TcpListener};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use e2e::{Agent, agent, free_port};

use crate::binary::{self, Profile};

#[derive(clap::Args)]
pub(crate) struct Options {
    /// End after the report instead of waiting for Ctrl-C
    #[arg(long)]
    once: bool,
    /// Port of 127.0.0.1 to listen on [default: 9100, or any free one]
    #[arg(long)]
    port: Option<u16>,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    eprintln!("Building node-exporter-rs (the first time takes a minute or two) ...");
    let program = binary::node_exporter_rs(Profile::Dev)?;
    let mut command = Command::new(program);
    // The log says at this level why a collector has nothing.
    command.arg("--log.level=debug");
    let mut agent = Agent::start_at(address(options)?, command)?;
    print!("{}", report(&agent)?);
    if options.once {
        return Ok(());
    }
    println!("\nCtrl-C ends it.");
    wait(&mut agent)
}

/// What was asked for; else the port that every dashboard expects, or any.
fn address(options: &Options) -> Result<SocketAddr> {
    let usual = agent::local(9100);
    match options.port {
        Some(port) => Ok(agent::local(port)),
        None if !options.once && TcpListener::bind(usual).is_ok() => Ok(usual),
        None => Ok(agent::local(free_port()?)),
    }
}

fn report(agent: &Agent) -> Result<String> {
    let scrape = agent.scrape("/metrics").context("the first scrape")?;
    let found = found::collectors(agent, &scrape)?;
    let url = agent.url("/metrics");
    Ok(format!(
        "\nnode-exporter-rs serves this machine's metrics at {url}\n\nThis machine\n{}\n{}\n{}",
        host::facts(&scrape),
        found::tables(&found, scrape.series.len()),
        next_steps(agent.address),
    ))
}

fn next_steps(address: SocketAddr) -> String {
    format!(
        "What next\n  \
         curl -s http://{address}/metrics | grep node_load\n  \
         a page for people: http://{address}/\n  \
         for Prometheus or VictoriaMetrics:\n\n    \
         scrape_configs:\n    - job_name: node\n      static_configs:\n      - targets: ['{address}']\n\n  \
         This is a development build; `cargo build --release -p node-exporter-rs` makes the small and fast one.\n"
    )
}

/// Waits for a signal or for the exporter's end; dropping the exporter ends it.
fn wait(agent: &mut Agent) -> Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        loop {
            tokio::select! {
                _ = interrupt.recv() => return Ok(()),
                _ = terminate.recv() => return Ok(()),
                () = tokio::time::sleep(Duration::from_millis(500)) => {}
            }
            if let Some(status) = agent.server.ended()? {
                bail!("node-exporter-rs ended with {status}:\n{}", agent.server.log());
            }
        }
    })
}
