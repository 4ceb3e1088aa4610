//! Man pages and shell completions, from the program that knows all agents' flags.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use crate::binary::{self, Profile, workspace};

/// Path and text of each man page.
pub(crate) fn pages() -> Result<Vec<(PathBuf, String)>> {
    let folder = tempfile::tempdir().context("no temporary folder")?;
    write("man", folder.path())?;
    let mut pages = Vec::new();
    for entry in std::fs::read_dir(folder.path())? {
        let entry = entry?;
        let text = std::fs::read_to_string(entry.path())?;
        pages.push((workspace().join("docs/man").join(entry.file_name()), text));
    }
    pages.sort();
    Ok(pages)
}

/// Writes `man` or `completions` below a folder.
pub(crate) fn write(what: &str, folder: &Path) -> Result<()> {
    let program = binary::manual(Profile::Dev)?;
    let status = Command::new(program).arg(what).arg(folder).status().context("manual")?;
    ensure!(status.success(), "manual {what} failed");
    Ok(())
}
