//! Follows the sources of identity and prints each directory they make: what a node's pods and containers are taken for.
//!
//! `identity [--identity=docker,api] [--identity.node=NAME] …`, the flags of the proxy.
#![expect(clippy::print_stdout, reason = "a program for a person at a terminal")]

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use cadvisor_proxy_rs::cgroup::Paths;
use cadvisor_proxy_rs::identity::{Directory, IdentityOptions, start};
use exporter_toolkit::log::LogOptions;

#[derive(clap::Args)]
struct Options {
    #[command(flatten)]
    identity: IdentityOptions,
    #[command(flatten)]
    log: LogOptions,
}

/// A line for each pod and container.
fn lines(directory: &Directory) -> BTreeSet<String> {
    let ip = |ip: &Option<String>| ip.clone().unwrap_or_else(|| "-".to_owned());
    let pods = directory.pods.values().map(|pod| {
        let state = if pod.ended { "ended" } else { "there" };
        let network = if pod.host_network { " host" } else { "" };
        let owner = pod.owner.as_ref().map_or("", |(_, name)| name.as_str());
        format!(
            "pod {}/{} {} {}{network} {state} {owner}",
            pod.namespace,
            pod.name,
            pod.uid,
            ip(&pod.ip)
        )
    });
    let containers = directory.containers.values().map(|container| {
        let pod = container.pod.as_ref().map_or("", |pod| pod.name.as_str());
        let own =
            ip(&container.pod.as_ref().map_or_else(|| container.ip.clone(), |pod| pod.ip.clone()));
        let id = container.id.get(..12).unwrap_or_default();
        format!("container {id} {} of {pod:?} {own} running={}", container.name, container.running)
    });
    pods.chain(containers).collect()
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let command = clap::Command::new("identity");
    let parsed =
        exporter_toolkit::options::parse::<Options>(command, "CADVISOR_PROXY", std::env::args_os());
    let (options, _) = parsed.unwrap_or_else(|error| error.exit());
    exporter_toolkit::log::start(&options.log, "identity")?;
    let below = |name: &str| std::path::Path::new("/").join(name);
    let paths = Paths {
        procfs: options.identity.procfs.clone(),
        sysfs: below("sys"),
        cgroup: below("sys/fs/cgroup"),
        rootfs: below(""),
    };
    let host = (paths, true);
    let (shared, _tasks) = start(&options.identity, "identity/1", None, host)?;
    let (start, mut last, mut generation) = (Instant::now(), BTreeSet::new(), 0);
    loop {
        let directory = shared.load();
        if directory.generation != generation {
            generation = directory.generation;
            let now = lines(&directory);
            let at = start.elapsed().as_secs_f64();
            last.difference(&now).for_each(|line| println!("{at:8.3} - {line}"));
            now.difference(&last).for_each(|line| println!("{at:8.3} + {line}"));
            last = now;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
