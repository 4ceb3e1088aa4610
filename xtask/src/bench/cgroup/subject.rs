//! One of the programs, and what it is asked.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow, ensure};
use e2e::http::{Connection, Request};
use e2e::{Agent, Server, Tally, agent, free_port, wait_until};

use super::containers::Containers;
use super::{Figures, PATIENCE};
use crate::bench::usage::{cpu_time, memory};

pub(super) struct Subject {
    server: Server,
    request: Request,
    connection: Connection,
    /// CPU time before the first scrape that counts.
    before: Duration,
    walls: Vec<f64>,
    figures: Figures,
}

impl Subject {
    pub(super) fn ours(program: &Path, flags: &[String]) -> Result<Self> {
        let mut all = vec![
            "--source=cgroup".to_owned(),
            format!("--telemetry.listen-address=127.0.0.1:{}", free_port()?),
        ];
        all.extend_from_slice(flags);
        let Agent { server, address } = Agent::start(program, &all)?;
        Ok(Self::of(server, Request::new(address, "/metrics")))
    }

    /// With its own defaults, as its image starts it.
    pub(super) fn peer(program: &Path) -> Result<Self> {
        let port = free_port()?;
        let mut command = Command::new(program);
        command.args(["-listen_ip=127.0.0.1", &format!("-port={port}")]);
        let mut server = Server::start("cadvisor", &mut command)?;
        let address = agent::local(port);
        // The inner error ends the wait: what has ended does not become ready.
        wait_until("cAdvisor's start", PATIENCE, || match server.ended()? {
            Some(status) => Ok(Err(anyhow!("it ended with {status}:\n{}", server.log()))),
            None => e2e::http::get(address, "/healthz").map(Ok).map_err(anyhow::Error::from),
        })??;
        Ok(Self::of(server, Request::new(address, "/metrics")))
    }

    fn of(server: Server, request: Request) -> Self {
        Self {
            server,
            request: request.timeout(PATIENCE),
            connection: Connection::default(),
            before: Duration::ZERO,
            walls: Vec::new(),
            figures: Figures::default(),
        }
    }

    /// Waits until it tells of all containers.
    pub(super) fn know(&mut self, containers: &Containers) -> Result<()> {
        wait_until("containers in its answer", PATIENCE, || {
            let text = self.text()?;
            let missing =
                containers.names().find(|name| !text.contains(&format!("name=\"{name}\"")));
            ensure!(missing.is_none(), "no {}", missing.unwrap_or_default());
            Ok(())
        })
    }

    fn text(&mut self) -> Result<String> {
        let mut body = Vec::new();
        let answer =
            self.connection.stream(&self.request, &mut |part| body.extend_from_slice(part))?;
        ensure!(answer.status == 200, "status {}:\n{}", answer.status, self.server.log());
        Ok(String::from_utf8(body)?)
    }

    pub(super) fn begin(&mut self) -> Result<()> {
        self.text()?;
        self.before = cpu_time(self.server.pid())?;
        self.walls.clear();
        Ok(())
    }

    pub(super) fn scrape(&mut self) -> Result<()> {
        let begin = Instant::now();
        let text = self.text()?;
        self.walls.push(begin.elapsed().as_secs_f64());
        let mut tally = Tally::default();
        tally.add(text.as_bytes());
        (self.figures.bytes, self.figures.series) = (text.len(), usize::try_from(tally.series)?);
        Ok(())
    }

    pub(super) fn end(&mut self) -> Result<Figures> {
        let pid = self.server.pid();
        let cpu = cpu_time(pid)?.saturating_sub(self.before);
        let scrapes = u32::try_from(self.walls.len())?;
        self.walls.sort_by(f64::total_cmp);
        let held = memory(pid)?;
        Ok(Figures {
            cpu: (cpu / scrapes.max(1)).as_secs_f64(),
            wall: self.walls.get(self.walls.len() / 2).copied().unwrap_or(f64::NAN),
            memory: held.now,
            peak: held.peak,
            ..self.figures
        })
    }
}
