//! The synthetic large host, made by `e2e/testbed/gen_host.py` from the fixtures of the conformance data.

use std::process::Command;

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;

use crate::binary::{unpack_fixtures, workspace};

/// A folder with its `proc` and `sys`.
pub(crate) fn make() -> Result<TempDir> {
    let fixtures = unpack_fixtures()?;
    let tree = tempfile::tempdir().context("no temporary folder")?;
    eprintln!("Writing the large host's files ...");
    let status = Command::new("python3")
        .arg(workspace().join("e2e/testbed/gen_host.py"))
        .arg(tree.path())
        .arg(fixtures.path().join("collector/fixtures/proc"))
        .status()
        .context("python3")?;
    ensure!(status.success(), "gen_host.py: {status}");
    Ok(tree)
}
