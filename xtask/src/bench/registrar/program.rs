//! The program that is measured.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use e2e::http::get;
use e2e::{Agent, agent, free_port};

use super::measure::Cost;
use crate::bench::usage::{Memory, cpu_time, memory};

/// How long anything may take.
const PATIENCE: Duration = Duration::from_mins(5);
/// Between two looks at whether it is ready: seldom enough to cost it next to nothing.
const LOOK: Duration = Duration::from_millis(20);

pub(super) struct Program {
    pub(super) agent: Agent,
    started: Instant,
}

impl Program {
    pub(super) fn start(path: &Path, mode: &str, flags: &[String]) -> Result<Self> {
        let address = agent::local(free_port()?);
        let mut command = Command::new(path);
        command.args([mode, "--cluster-name=bench", "--log.level=warn"]).args(flags);
        command.arg(format!("--web.listen-address={address}"));
        let started = Instant::now();
        Ok(Self { agent: Agent::spawn(address, &mut command)?, started })
    }

    /// Waits until all sources are read and all sinks written; what that took since the start.
    pub(super) fn ready(&mut self) -> Result<Cost> {
        while !get(self.agent.address, "/readyz").is_ok_and(|answer| answer.status == 200) {
            ensure!(self.agent.server.ended()?.is_none(), "it ended:\n{}", self.agent.server.log());
            ensure!(self.started.elapsed() < PATIENCE, "not ready:\n{}", self.agent.server.log());
            std::thread::sleep(LOOK);
        }
        Ok(Cost { wall: self.started.elapsed().as_secs_f64(), cpu: self.cpu()?.as_secs_f64() })
    }

    pub(super) fn cpu(&self) -> Result<Duration> {
        cpu_time(self.agent.server.pid())
    }

    pub(super) fn memory(&self) -> Result<Memory> {
        memory(self.agent.server.pid())
    }

    /// A sample without labels of its own metrics.
    pub(super) fn sample(&self, name: &str) -> Result<f64> {
        let text = self.agent.text("/metrics")?;
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        Ok(line.unwrap_or("NaN").parse()?)
    }
}
