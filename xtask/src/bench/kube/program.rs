//! The program that is measured, and scrapes of it.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use e2e::http::{Connection, Request, get};
use e2e::{Server, Tally, agent, free_port, wait_until};

use crate::bench::usage::{Memory, cpu_time, forget_peak, memory};

/// How long the first list may take.
const SYNC: Duration = Duration::from_mins(10);

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Encoding {
    Gzip,
    Plain,
}

pub(super) struct Program {
    server: Server,
    address: SocketAddr,
    telemetry: SocketAddr,
    /// Stays open, as a scraper's does.
    connection: Connection,
    /// The last body where it was gzip.
    body: Vec<u8>,
}

/// A complete answer.
pub(super) struct Scraped {
    pub(super) wall: Duration,
    /// Of the body as it was sent.
    pub(super) bytes: u64,
}

impl Program {
    /// Starts it with the flags that it shares with kube-state-metrics, following pods only.
    pub(super) fn start(path: &Path, cluster: &[String]) -> Result<Self> {
        let (address, telemetry) = (agent::local(free_port()?), agent::local(free_port()?));
        let mut command = Command::new(path);
        command
            .args(cluster)
            .args(["--resources=pods", "--enable-gzip-encoding"])
            .args(["--host=127.0.0.1", "--telemetry-host=127.0.0.1"])
            .arg(format!("--port={}", address.port()))
            .arg(format!("--telemetry-port={}", telemetry.port()));
        let server = Server::start(&path.display().to_string(), &mut command)?;
        Ok(Self { server, address, telemetry, connection: Connection::default(), body: Vec::new() })
    }

    /// Waits until it says that its data is complete.
    pub(super) fn ready(&mut self) -> Result<()> {
        wait_until("first list", SYNC, || {
            if let Some(status) = self.server.ended().unwrap_or_default() {
                return Ok(Err(anyhow::anyhow!("it ended with {status}:\n{}", self.server.log())));
            }
            match get(self.telemetry, "/readyz") {
                Ok(answer) if answer.status == 200 => Ok(Ok(())),
                Ok(answer) => Err(answer.text().unwrap_or_default()),
                Err(error) => Err(error.to_string()),
            }
        })?
    }

    pub(super) fn cpu(&self) -> Result<Duration> {
        cpu_time(self.server.pid())
    }

    pub(super) fn cpu_since(&self, before: Duration) -> Result<Duration> {
        Ok(self.cpu()?.saturating_sub(before))
    }

    pub(super) fn memory(&self) -> Result<Memory> {
        memory(self.server.pid())
    }

    /// From now on the peak of its memory is that of what comes.
    pub(super) fn forget_peak(&self) -> Result<()> {
        forget_peak(self.server.pid())
    }

    pub(super) fn scrape(&mut self, encoding: Encoding) -> Result<Scraped> {
        let accept = if encoding == Encoding::Gzip { "gzip" } else { "identity" };
        let request = Request::new(self.address, "/metrics").header("Accept-Encoding", accept);
        let (start, mut bytes) = (Instant::now(), 0);
        let Self { connection, body, .. } = self;
        body.clear();
        let answer = connection.stream(&request.timeout(SYNC), &mut |part| {
            bytes += part.len() as u64;
            if encoding == Encoding::Gzip {
                body.extend_from_slice(part);
            }
        })?;
        ensure!(answer.status == 200, "status {}:\n{}", answer.status, self.server.log());
        ensure!(answer.is_gzip() == (encoding == Encoding::Gzip), "not the encoding asked for");
        Ok(Scraped { wall: start.elapsed(), bytes })
    }

    /// Counts what the last scrape with gzip held.
    pub(super) fn tally(&self) -> Result<Tally> {
        let mut tally = Tally::of("kube_pod_info");
        tally.add_gzip(&self.body).context("the body is no gzip")?;
        Ok(tally)
    }

    /// Scrapes until all pods are there: a program that is ready too soon is not believed.
    pub(super) fn complete(&mut self, pods: Option<u64>) -> Result<Tally> {
        let deadline = Instant::now() + SYNC;
        loop {
            self.scrape(Encoding::Gzip)?;
            let tally = self.tally()?;
            if pods.is_none_or(|pods| pods == tally.counted) {
                return Ok(tally);
            }
            if Instant::now() > deadline {
                bail!("{} pods instead of {pods:?}", tally.counted);
            }
            std::thread::sleep(Duration::from_millis(200));
        }
    }

    /// Waits until it does nothing any more.
    pub(super) fn rest(&self) -> Result<()> {
        let deadline = Instant::now() + SYNC;
        let mut before = self.cpu()?;
        loop {
            std::thread::sleep(Duration::from_millis(300));
            let now = self.cpu()?;
            if now.saturating_sub(before) <= Duration::from_millis(10) {
                return Ok(());
            }
            ensure!(Instant::now() < deadline, "it does not come to rest");
            before = now;
        }
    }
}
