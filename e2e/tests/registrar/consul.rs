//! What a Consul has of a registrar that feeds it from a file.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};
use e2e::agent::{Agent, consul_registrar, local};
pub(crate) use e2e::consul::{CONVERGED, Consul};
use e2e::{free_port, servers};
use serde_json::{Value, json};

/// The owner of all rows, and their cluster.
pub(crate) const CLUSTER: &str = "bj-1";
pub(crate) const NODE: &str = "registrar.bj-1";

/// `None` where there is no Consul, and the test is skipped.
pub(crate) fn start(test: &str) -> Option<Consul> {
    let program = servers::need(test, "consul")?;
    Some(Consul::start(&program).unwrap())
}

/// The rows of our node by id, and the index.
pub(crate) fn rows(consul: &Consul) -> Result<(BTreeMap<String, Value>, String)> {
    let answer = consul.request(&format!("/v1/catalog/node-services/{NODE}")).send()?;
    let index = answer.header("x-consul-index").unwrap_or_default().to_owned();
    let list: Value = serde_json::from_str(&answer.text()?)?;
    let services = list["Services"].as_array().cloned().unwrap_or_default();
    let id = |service: &Value| service["ID"].as_str().unwrap_or_default().to_owned();
    Ok((services.into_iter().map(|service| (id(&service), service)).collect(), index))
}

/// Waits until Consul has these hosts and no other of ours.
pub(crate) fn has(consul: &Consul, hosts: impl Iterator<Item = u32>) {
    let mut wanted: Vec<String> = hosts.map(|n| format!("{}:9100", host(n))).collect();
    wanted.sort();
    consul.expect("node-exporter", CLUSTER, &wanted).unwrap();
}

pub(crate) fn host(n: u32) -> String {
    format!("10.1.{}.{}", n / 200, n % 200 + 1)
}

pub(crate) fn id(n: u32) -> String {
    format!("bj-1/node-exporter/{}:9100", host(n))
}

/// Writes the file that the registrar follows, as a whole.
pub(crate) fn targets(folder: &Path, hosts: impl Iterator<Item = u32>) -> PathBuf {
    let path = folder.join("targets.json");
    let targets: Vec<String> = hosts.map(|n| format!("{}:9100", host(n))).collect();
    let text = json!([{"targets": targets, "labels": {"job": "node-exporter"}}]).to_string();
    let beside = folder.join("beside");
    std::fs::write(&beside, text).unwrap();
    std::fs::rename(beside, &path).unwrap();
    path
}

/// Starts a registrar that feeds this Consul from this file, without a wait.
pub(crate) fn registrar(consul: &Consul, file: &Path) -> Result<Agent> {
    let address = local(free_port()?);
    let mut command = Command::new(consul_registrar()?);
    command
        .args(["static", "--cluster-name=bj-1", "--group-size=100"])
        .arg(format!("--consul={}", consul.url()))
        .arg(format!("--file={}", file.display()))
        .arg(format!("--web.listen-address={address}"));
    Agent::spawn(address, &mut command).context("registrar")
}
