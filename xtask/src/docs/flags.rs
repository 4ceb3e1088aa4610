//! Flags as documents: what `--help` says.

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

/// The page of an agent's flags. Variables of whoever runs this have no place in it.
pub(crate) fn page(name: &str, program: &Path) -> Result<String> {
    let output = Command::new(program)
        .arg("--help")
        .env_clear()
        .output()
        .with_context(|| name.to_owned())?;
    ensure!(output.status.success(), "{name} --help failed");
    let help = String::from_utf8(output.stdout)?;
    let help: Vec<&str> = help.lines().map(str::trim_end).collect();
    Ok(format!(
        "# Flags\n\n<!-- Made by `cargo xtask docs` from what the program says: do not edit. -->\n\n\
         What `{name} --help` prints. Each flag may also stand in the file of `--config.file` under its own name.\n\n\
         ```text\n{}\n```\n",
        help.join("\n").trim_end()
    ))
}
