//! `cargo xtask bench`: an agent's release build measured against its peer. Nothing is gated: times on shared cores wobble.

mod cgroup;
mod kube;
mod machine;
mod node;
mod plot;
mod proxy;
mod registrar;
pub(crate) mod usage;

use anyhow::Result;
use clap::Subcommand;

#[derive(Subcommand)]
pub(crate) enum Agent {
    /// node-exporter-rs and `node_exporter` on this host, in one run
    Node(node::Options),
    /// kube-state-rs on generated clusters, beside what was recorded of kube-state-metrics
    Kube(kube::Options),
    /// consul-registrar on a Consul of its own, beside registering one by one
    Registrar(registrar::Options),
    /// cadvisor-proxy-rs and vmagent with the same rules on generated bodies
    Proxy(proxy::Options),
    /// cadvisor-proxy-rs as a reader of cgroups and cAdvisor on the same containers of docker
    Cgroup(cgroup::Options),
}

pub(crate) fn run(agent: &Agent) -> Result<()> {
    match agent {
        Agent::Node(options) => node::run(options),
        Agent::Kube(options) => kube::run(options),
        Agent::Registrar(options) => registrar::run(options),
        Agent::Proxy(options) => proxy::run(options),
        Agent::Cgroup(options) => cgroup::run(options),
    }
}
