//! A Consul server on 127.0.0.1 and a registrar that feeds it from a file.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use e2e::agent::{Agent, consul_registrar, local};
use e2e::http::{Request, get};
use e2e::{Server, free_port, servers, wait_until};
use serde_json::{Value, json};

/// After a fault's end everything is right within this; a start of Consul takes its time on a busy machine.
pub(crate) const CONVERGED: Duration = Duration::from_mins(3);
pub(crate) const NODE: &str = "registrar.bj-1";

/// A single server; dropping it kills it.
pub(crate) struct Consul {
    pub server: Server,
    pub address: SocketAddr,
    program: PathBuf,
    config: PathBuf,
}

impl Consul {
    /// `None` where there is no Consul, and the test is skipped.
    pub(crate) fn start(test: &str, folder: &Path) -> Option<Self> {
        let program = servers::need(test, "consul")?;
        let ports: Vec<u16> = (0..3).map(|_| free_port().unwrap()).collect();
        let config = json!({
            "server": true, "bootstrap_expect": 1, "bind_addr": "127.0.0.1", "client_addr": "127.0.0.1",
            "data_dir": folder.join("data"), "disable_update_check": true,
            "performance": {"raft_multiplier": 1},
            "ports": {"http": ports[0], "server": ports[1], "serf_lan": ports[2], "serf_wan": -1, "dns": -1, "grpc": -1},
        });
        let path = folder.join("consul.json");
        std::fs::write(&path, config.to_string()).unwrap();
        let server = started(&program, &path).unwrap();
        let consul = Self { server, address: local(ports[0]), program, config: path };
        consul.wait().unwrap();
        Some(consul)
    }

    /// Kills it and starts it again, where wanted without what it knew.
    pub(crate) fn restart(&mut self, folder: &Path, without_data: bool) {
        self.server.signal(rustix::process::Signal::KILL).unwrap();
        self.server.wait(CONVERGED).unwrap();
        if without_data {
            std::fs::remove_dir_all(folder.join("data")).unwrap();
        }
        self.server = started(&self.program, &self.config).unwrap();
        self.wait().unwrap();
    }

    fn wait(&self) -> Result<()> {
        wait_until("leader of Consul", CONVERGED, || {
            let answer = get(self.address, "/v1/catalog/nodes")?;
            ensure!(answer.status == 200 && answer.text()?.contains("Node"), "no leader yet");
            Ok(())
        })
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The rows of our node by id, and the index.
    pub(crate) fn rows(&self) -> Result<(BTreeMap<String, Value>, String)> {
        let answer = get(self.address, &format!("/v1/catalog/node-services/{NODE}"))?;
        let index = answer.header("x-consul-index").unwrap_or_default().to_owned();
        let list: Value = serde_json::from_str(&answer.text()?)?;
        let services = list["Services"].as_array().cloned().unwrap_or_default();
        let id = |service: &Value| service["ID"].as_str().unwrap_or_default().to_owned();
        Ok((services.into_iter().map(|service| (id(&service), service)).collect(), index))
    }

    pub(crate) fn put(&self, path: &str, body: &Value) {
        let request = Request::new(self.address, path);
        let request = request.sending("PUT", "application/json", body.to_string().into_bytes());
        let answer = request.send().unwrap();
        assert_eq!(answer.status, 200, "{}", answer.text().unwrap());
    }

    /// Waits until our node has these hosts' rows and no other of ours.
    pub(crate) fn has(&self, hosts: impl Iterator<Item = u32> + Clone) -> Result<()> {
        wait_until("rows", CONVERGED, || {
            let (rows, _) = self.rows()?;
            let ours = rows.into_iter().filter(|(_, row)| row["Meta"]["owner"] == "bj-1");
            let ids: Vec<String> = ours.map(|(id, _)| id).collect();
            let mut wanted: Vec<String> = hosts.clone().map(id).collect();
            wanted.sort();
            ensure!(ids == wanted, "{} rows instead of {}", ids.len(), wanted.len());
            Ok(())
        })
    }
}

fn started(program: &Path, config: &Path) -> Result<Server> {
    Server::start("consul", Command::new(program).args(["agent", "-config-file"]).arg(config))
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
