//! `manual man DIR` and `manual completions DIR`: what `cargo xtask` asks for. A program of its own, so that neither the
//! agents nor xtask carry it.

mod completions;
mod page;

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use clap::Command;
use exporter_toolkit::options::{Word, prepared};

/// An agent, and what its documents are made from.
struct Agent {
    /// With the flags that it takes without a word.
    command: Command,
    words: &'static [Word],
    /// Of its environment variables.
    prefix: &'static str,
    /// What stands beside its name in an index of pages.
    summary: &'static str,
}

fn agents() -> [Agent; 4] {
    [
        Agent {
            command: prepared::<node_exporter_rs::options::Options>(
                node_exporter_rs::options::command(),
            ),
            words: node_exporter_rs::options::WORDS,
            prefix: node_exporter_rs::options::PREFIX,
            summary: "host metrics from /proc and /sys for Prometheus",
        },
        Agent {
            command: prepared::<kube_state_rs::options::Options>(kube_state_rs::options::command()),
            words: kube_state_rs::options::WORDS,
            prefix: kube_state_rs::options::PREFIX,
            summary: "the state of Kubernetes objects for Prometheus",
        },
        Agent {
            command: prepared::<cadvisor_proxy_rs::options::Options>(
                cadvisor_proxy_rs::options::command(),
            ),
            words: cadvisor_proxy_rs::options::WORDS,
            prefix: cadvisor_proxy_rs::options::PREFIX,
            summary: "container metrics with pod_ip and pod_name for Prometheus",
        },
        Agent {
            command: prepared::<consul_registrar::options::Options>(
                consul_registrar::options::command(),
            ),
            words: consul_registrar::options::WORDS,
            prefix: consul_registrar::options::PREFIX,
            summary: "targets of a cluster for Consul, file_sd and http_sd",
        },
    ]
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
    let args: Vec<String> = std::env::args().skip(1).collect();
    let files = match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["man", _] => page::files(&agents()),
        ["completions", _] => completions::files(agents()),
        _ => bail!("usage: manual man|completions DIR"),
    };
    let folder = Path::new(&args[1]);
    for (name, text) in files {
        let path = folder.join(name);
        let write = || {
            std::fs::create_dir_all(path.parent().unwrap_or(folder))?;
            std::fs::write(&path, text)
        };
        write().with_context(|| path.display().to_string())?;
    }
    Ok(())
}
