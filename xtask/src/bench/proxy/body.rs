//! What upstream says: bodies as a kubelet writes them, made by the testbed's generator; and gzip's cost of one.

use std::fmt;
use std::io::{ErrorKind, Seek as _, Write as _};
use std::process::{Command, Stdio};
use std::str::FromStr;

use anyhow::{Context, Result, ensure};

use crate::bench::usage::children_time;
use crate::binary::workspace;

/// How often gzip runs: its time is counted in hundredths of a second.
const GZIPS: u32 = 10;

/// Pods, and containers in each.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Size {
    pods: u32,
    containers: u32,
}

impl FromStr for Size {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (pods, containers) = text.split_once('x').ok_or("pods x containers, as in 110x2")?;
        let number = |text: &str| text.parse().map_err(|_| "pods x containers, as in 110x2");
        Ok(Self { pods: number(pods)?, containers: number(containers)? })
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{}", self.pods, self.containers)
    }
}

impl Size {
    /// A body of this size; `None` without python3.
    pub(super) fn generate(self) -> Result<Option<Vec<u8>>> {
        let file = tempfile::NamedTempFile::new().context("no temporary file")?;
        let generator = workspace().join("e2e/testbed/gen_cadvisor.py");
        let mut command = Command::new("python3");
        command.arg(&generator).arg(self.pods.to_string()).arg(self.containers.to_string());
        match command.arg(file.path()).stdout(Stdio::null()).status() {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            status => {
                ensure!(status.context("python3")?.success(), "{} failed", generator.display());
            }
        }
        std::fs::read(file.path()).map(Some).context("the generated body")
    }
}

/// Seconds of CPU that `gzip -1` takes for a body; `None` where there is no gzip.
pub(super) fn gzip(body: &[u8]) -> Result<Option<f64>> {
    let mut file = tempfile::tempfile().context("no temporary file")?;
    file.write_all(body)?;
    let before = children_time()?;
    for _ in 0..GZIPS {
        file.rewind()?;
        let input = file.try_clone()?;
        let command =
            Command::new("gzip").args(["-1", "-c"]).stdin(input).stdout(Stdio::null()).status();
        match command {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            status => ensure!(status.context("gzip")?.success(), "gzip failed"),
        }
    }
    let time = children_time()?.saturating_sub(before) / GZIPS;
    Ok(Some(time.as_secs_f64()))
}
