//! A network and a mount namespace of a command's own, with a /sys of that network: nothing that comes and goes there is the
//! machine's, and nothing of the machine's comes and goes there.

use std::process::Command;

use anyhow::{Context, Result, ensure};

/// What it takes, for an error.
pub(crate) const NEEDS: &str = "it needs root, ip (iproute2), mount and unshare";

/// This program once more in such namespaces; there it begins with [`settle`].
pub(crate) fn again(arguments: &[&str]) -> Result<Command> {
    let mut command = Command::new("unshare");
    command.args(["--net", "--mount", "--"]).arg(std::env::current_exe()?).args(arguments);
    Ok(command)
}

/// The loopback and /sys of the namespaces that this process is in.
pub(crate) fn settle() -> Result<()> {
    tool("ip", &["link", "set", "lo", "up"])?;
    tool("mount", &["-t", "sysfs", "xtask", "/sys"])
}

/// Runs a program that says on standard error what is wrong.
pub(crate) fn tool(name: &str, arguments: &[&str]) -> Result<()> {
    let output = Command::new(name).args(arguments).output().with_context(|| name.to_owned())?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{name} {}: {said}", arguments.join(" "));
    Ok(())
}
