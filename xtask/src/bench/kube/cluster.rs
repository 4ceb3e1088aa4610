//! A generated cluster in a process of its own.

use std::net::SocketAddr;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use e2e::http::Request;
use e2e::{Server, agent, free_port, wait_until};

pub(in crate::bench) struct Cluster {
    _server: Server,
    address: SocketAddr,
    pub(in crate::bench) pods: u64,
}

impl Cluster {
    pub(in crate::bench) fn start(pods: usize, pages: bool, counted_ids: bool) -> Result<Self> {
        let address = agent::local(free_port()?);
        let mut command = Command::new(std::env::current_exe().context("where is this program?")?);
        command.arg("apiserver");
        command.args(["--pods", &pods.to_string(), "--port", &address.port().to_string()]);
        if pages {
            command.args(["--streaming", "refused"]);
        }
        if counted_ids {
            command.arg("--counted-ids");
        }
        let server = Server::start("apiserver", &mut command)?;
        wait_until("API server", agent::START, || Request::new(address, "/livez").send())?;
        Ok(Self { _server: server, address, pods: pods as u64 })
    }

    pub(in crate::bench) fn flag(&self) -> String {
        format!("--apiserver=http://{}", self.address)
    }

    /// Has it do something, `restart?share=0.01`.
    pub(in crate::bench) fn does(&self, command: &str) -> Result<()> {
        let request = Request::new(self.address, &format!("/control/{command}")).post();
        let response = request.timeout(Duration::from_mins(2)).send()?;
        ensure!(response.status == 200, "{command}: {}", response.text()?);
        Ok(())
    }
}
