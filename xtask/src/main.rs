//! The workspace's own commands. `cargo xtask --help` lists them; `cargo demo` is the first of them.

#![expect(clippy::print_stdout, reason = "its commands are for people at a terminal")]
#![expect(clippy::disallowed_methods, reason = "it reads the project's own files")]

mod apiserver;
mod bench;
mod binary;
mod compare;
mod conformance;
mod dashboards;
mod demo;
mod deny;
mod dist;
mod docs;
mod namespace;
mod order;
mod screenshots;
mod soak;
mod table;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand, ValueEnum};

#[derive(Parser)]
#[command(name = "cargo xtask", about = "The workspace's own commands")]
struct Options {
    #[command(subcommand)]
    command: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Build the agents, run them on this machine with what it has, and show all targets on one page
    Demo(demo::Options),
    /// Build the agents as they are shipped, static and small, and say where they are
    Build,
    /// Write images/order: which functions of the agents run, which the linker then puts side by side (needs valgrind and
    /// the testbed's servers)
    Order(order::Options),
    /// Compare an agent's answer on the peer's own test data with what the peer expects
    Conformance { agent: Agent },
    /// Run `node_exporter` and node-exporter-rs side by side and explain every difference
    CompareNode,
    /// Measure an agent (release build) against its peer in one run
    Bench {
        #[command(subcommand)]
        agent: bench::Agent,
    },
    /// Scrape node-exporter-rs for an hour while devices, mounts and processes come and go (as root)
    Soak(soak::Options),
    /// Write the documents that are made from tables (of collectors, of resources) and from flags, man pages included
    Docs {
        /// Write nothing; fail where a document differs from the tables
        #[arg(long)]
        check: bool,
    },
    /// Write completions for bash, zsh and fish below a folder
    Completions { folder: PathBuf },
    /// Pack the agents as they are shipped with their units, man pages and completions, and sums of all of it
    Dist(dist::Options),
    /// Write Grafana's dashboards from the tables in manifests/dashboards/source
    Dashboards {
        /// Write nothing; fail where a dashboard differs from its table
        #[arg(long)]
        check: bool,
    },
    /// Take the pictures of the documentation again: the pages of `cargo demo` and of consul-registrar in Chromium
    Screenshots,
    /// Serve a generated cluster on loopback until it is ended
    Apiserver(apiserver::Options),
    /// Check licences, duplicates and sources of the dependencies against deny.toml, without network
    Deny,
}

#[derive(Clone, Copy, ValueEnum)]
enum Agent {
    Node,
    Kube,
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    match Options::parse().command {
        Task::Demo(options) => demo::run(&options),
        Task::Soak(options) => soak::run(&options),
        Task::Build => {
            for path in binary::shipped()? {
                println!("{}", path.display());
            }
            Ok(())
        }
        Task::Order(options) => order::run(&options),
        Task::Conformance { agent: Agent::Node } => conformance::node(),
        Task::Conformance { agent: Agent::Kube } => conformance::kube(),
        Task::CompareNode => compare::run(),
        Task::Bench { agent } => bench::run(&agent),
        Task::Docs { check } => docs::run(check),
        Task::Completions { folder } => docs::manual::write("completions", &folder),
        Task::Dist(options) => dist::run(&options),
        Task::Dashboards { check } => docs::bring(dashboards::documents()?, check),
        Task::Screenshots => screenshots::run(),
        Task::Apiserver(options) => apiserver::run(&options),
        Task::Deny => deny::run(),
    }
}
