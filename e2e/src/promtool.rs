//! Prometheus' own linter.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

/// What `promtool check metrics` says of a text: its complaints, and nothing but complaints.
pub fn complaints(promtool: &Path, text: &str) -> Result<BTreeSet<String>> {
    let mut child = Command::new(promtool)
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| promtool.display().to_string())?;
    child.stdin.take().context("no input")?.write_all(text.as_bytes())?;
    let output = child.wait_with_output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    // 0: clean. 3: complaints. 1: it could not read the text.
    ensure!(matches!(output.status.code(), Some(0 | 3)), "{}: {said}", output.status);
    Ok(said.lines().map(str::to_owned).collect())
}
