//! A Consul server on 127.0.0.1 with a data directory of its own.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rustix::process::Signal;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::agent::local;
use crate::http::{Request, Response};
use crate::{Server, free_port, wait_until};

/// A start and an election take their time on a busy machine.
const START: Duration = Duration::from_mins(2);
/// After a fault's end everything is right within this; a start of Consul takes its time on a busy machine.
pub const CONVERGED: Duration = Duration::from_mins(3);

/// One server; dropping it kills it and removes its data.
#[derive(Debug)]
pub struct Consul {
    pub server: Server,
    pub address: SocketAddr,
    /// Where servers of one cluster find each other.
    pub serf: SocketAddr,
    program: PathBuf,
    folder: TempDir,
    token: Option<String>,
}

impl Consul {
    /// A single server that leads itself.
    pub fn start(program: &Path) -> Result<Self> {
        Self::with(program, &json!({}))
    }

    /// A server with more in its configuration, whose leader is not waited for.
    pub fn spawn(program: &Path, more: &Value) -> Result<Self> {
        let folder = tempfile::tempdir().context("no temporary folder")?;
        let ports = [free_port()?, free_port()?, free_port()?];
        let mut config = json!({
            "server": true, "bootstrap_expect": 1, "bind_addr": "127.0.0.1", "client_addr": "127.0.0.1",
            "node_name": format!("consul-{}", ports[0]), "data_dir": folder.path().join("data"),
            "disable_update_check": true, "performance": {"raft_multiplier": 1}, "log_level": "warn",
            "ports": {"http": ports[0], "server": ports[1], "serf_lan": ports[2], "serf_wan": -1, "dns": -1, "grpc": -1},
        });
        for (name, value) in more.as_object().into_iter().flatten() {
            match (config[name].as_object_mut(), value.as_object()) {
                // Further ports stand beside those that are told to the test.
                (Some(known), Some(more)) => known.extend(more.clone()),
                _ => config[name] = value.clone(),
            }
        }
        std::fs::write(folder.path().join("consul.json"), config.to_string())?;
        let server = started(program, folder.path())?;
        let (address, serf) = (local(ports[0]), local(ports[2]));
        let token = more["acl"]["tokens"]["master"].as_str().map(str::to_owned);
        Ok(Self { server, address, serf, program: program.to_owned(), folder, token })
    }

    /// As [`Consul::spawn`], with its leader.
    pub fn with(program: &Path, more: &Value) -> Result<Self> {
        let consul = Self::spawn(program, more)?;
        consul.wait()?;
        Ok(consul)
    }

    /// Waits until it has a leader and answers from the catalog, where its own node is.
    pub fn wait(&self) -> Result<()> {
        wait_until("leader of Consul", START, || {
            let nodes = self.get("/v1/catalog/nodes")?;
            let any = nodes.as_array().is_some_and(|nodes| !nodes.is_empty());
            ensure!(any, "no node yet");
            Ok(())
        })
    }

    /// Ends it at once; its data stays.
    pub fn kill(&mut self) -> Result<()> {
        self.server.signal(Signal::KILL)?;
        self.server.wait(START).map(drop)
    }

    /// Starts it again after [`Consul::kill`], where wanted without what it knew. Its leader is not waited for.
    pub fn again(&mut self, without_data: bool) -> Result<()> {
        if without_data {
            std::fs::remove_dir_all(self.folder.path().join("data"))?;
        }
        self.server = started(&self.program, self.folder.path())?;
        Ok(())
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// A request with the management token, where there is one.
    pub fn request(&self, path: &str) -> Request {
        let request = Request::new(self.address, path);
        match &self.token {
            Some(token) => request.header("X-Consul-Token", token),
            None => request,
        }
    }

    /// JSON of a path.
    pub fn get(&self, path: &str) -> Result<Value> {
        json_of(path, &self.request(path).send()?)
    }

    /// Writes, and gives the answer's JSON.
    pub fn put(&self, path: &str, body: &Value) -> Result<Value> {
        let request = self.request(path);
        let request = request.sending("PUT", "application/json", body.to_string().into_bytes());
        json_of(path, &request.send()?)
    }

    /// `host:port` of a service's instances that a cluster registered, sorted.
    pub fn instances(&self, service: &str, cluster: &str) -> Result<Vec<String>> {
        let path = format!("/v1/health/service/{service}?tag=cluster%3D{cluster}");
        let answer = self.get(&path)?;
        let rows = answer.as_array().into_iter().flatten().map(|row| &row["Service"]);
        let place = |row: &Value| {
            format!("{}:{}", row["Address"].as_str().unwrap_or_default(), row["Port"])
        };
        let mut rows: Vec<String> = rows.map(place).collect();
        rows.sort();
        Ok(rows)
    }

    /// Waits until exactly these instances are there, in this order.
    pub fn expect(&self, service: &str, cluster: &str, wanted: &[String]) -> Result<()> {
        wait_until(&format!("instances of {service} in Consul"), CONVERGED, || {
            let found = self.instances(service, cluster)?;
            ensure!(
                found == wanted,
                "{} instead of {}: {found:?} instead of {wanted:?}",
                found.len(),
                wanted.len()
            );
            Ok(())
        })
    }
}

fn json_of(path: &str, answer: &Response) -> Result<Value> {
    let text = answer.text()?;
    ensure!(answer.status == 200, "{path}: {}: {}", answer.status, text.trim());
    serde_json::from_str(&text).with_context(|| path.to_owned())
}

fn started(program: &Path, folder: &Path) -> Result<Server> {
    let mut command = Command::new(program);
    Server::start("consul", command.args(["agent", "-config-file"]).arg(folder.join("consul.json")))
}
