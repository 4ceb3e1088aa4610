//! Node exporters and Node objects for tests of what a Prometheus discovers.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use e2e::cluster::{Api, Cluster};
use e2e::{Agent, agent};
use serde_json::json;

/// How long any change may take to be seen, on a machine that does much else.
pub(crate) const PATIENCE: Duration = Duration::from_mins(3);

/// The registrar in a mode, on a free port.
pub(crate) fn registrar(mode: &str, cluster: &str, flags: &[String]) -> Agent {
    let mut all = vec![mode.to_owned(), format!("--cluster-name={cluster}")];
    all.extend_from_slice(flags);
    Agent::start(&agent::consul_registrar().unwrap(), &all).unwrap()
}

/// A node exporter on an address of the loopback network.
pub(crate) fn exporter(ip: &str, port: u16) -> Agent {
    let program = agent::node_exporter_rs().unwrap();
    let address: SocketAddr = format!("{ip}:{port}").parse().unwrap();
    let mut command = Command::new(program);
    command.args(["--collector.disable-defaults", "--collector.cpu"]);
    Agent::start_at(address, command).unwrap()
}

/// Node objects that no machine stands behind; they go with their guard.
pub(crate) struct Nodes<'c> {
    cluster: &'c Cluster,
    api: Api,
    /// A label that these nodes have and no others.
    pub(crate) label: String,
}

impl<'c> Nodes<'c> {
    pub(crate) fn new(cluster: &'c Cluster, test: &str) -> Self {
        let label = format!("e2e-{test}-{}", std::process::id());
        Self { cluster, api: cluster.api(), label }
    }

    pub(crate) fn name(&self, number: u8) -> String {
        format!("{}-{number}", self.label)
    }

    /// A node whose address is 127.0.77.`number`. Nothing is scheduled to it.
    pub(crate) fn add(&self, number: u8) {
        let name = self.name(number);
        let node = json!({
            "apiVersion": "v1", "kind": "Node",
            "metadata": {"name": name, "labels": {&self.label: ""}},
            "spec": {"unschedulable": true},
        });
        self.api.post("/api/v1/nodes", &node).unwrap();
        let addresses = json!([{"type": "InternalIP", "address": ip(number)}]);
        let status = json!({"status": {"addresses": addresses}});
        self.api.patch(&format!("/api/v1/nodes/{name}/status"), &status).unwrap();
    }

    pub(crate) fn remove(&self, number: u8) {
        self.api.delete(&format!("/api/v1/nodes/{}", self.name(number))).unwrap();
    }

    /// A rules file that takes these nodes, and the flags that make the registrar follow it.
    pub(crate) fn flags(&self, folder: &Path, port: u16) -> Vec<String> {
        let rules = folder.join("rules.yaml");
        let text = format!(
            "- {{service: node-exporter, source: node, selector: {}, port: {port}}}\n",
            self.label
        );
        std::fs::write(&rules, text).unwrap();
        vec![
            format!("--rules={}", rules.display()),
            format!("--kubeconfig={}", self.cluster.kubeconfig.display()),
        ]
    }
}

impl Drop for Nodes<'_> {
    fn drop(&mut self) {
        let delete = ["delete", "nodes", "--wait=false", "--selector", &self.label];
        if let Err(error) = self.cluster.kubectl(&delete) {
            eprintln!("{error:#}");
        }
    }
}

pub(crate) fn ip(number: u8) -> String {
    format!("127.0.77.{number}")
}

/// As [`e2e::Consul::instances`] gives them.
pub(crate) fn instances(numbers: &[u8], port: u16) -> Vec<String> {
    numbers.iter().map(|number| format!("{}:{port}", ip(*number))).collect()
}
