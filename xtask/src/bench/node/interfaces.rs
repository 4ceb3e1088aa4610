//! A network namespace with many interfaces, and a /sys that shows them: what a node with thousands of pods has, and all of
//! it the kernel's.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

use crate::namespace;

/// Runs this command once more in such a namespace, on the same program.
pub(super) fn enter(count: u32, rounds: usize, scrapes: u32, program: &Path) -> Result<()> {
    let status =
        namespace::again(&["bench", "node", "--inside", "--interfaces", &count.to_string()])?
            .args(["--rounds", &rounds.to_string(), "--scrapes", &scrapes.to_string()])
            .env("NODE_EXPORTER_RS", program)
            .status()
            .context("unshare (util-linux)")?;
    ensure!(status.success(), "{}", namespace::NEEDS);
    Ok(())
}

/// Pairs of veth, which is what nodes have most of.
pub(super) fn make(count: u32) -> Result<()> {
    namespace::settle()?;
    let mut commands = String::new();
    for pair in 0..count / 2 {
        writeln!(commands, "link add a{pair} type veth peer name b{pair}")?;
        writeln!(commands, "link set a{pair} up\nlink set b{pair} up")?;
    }
    let mut ip = Command::new("ip").args(["-batch", "-"]).stdin(Stdio::piped()).spawn()?;
    ip.stdin.take().context("no input")?.write_all(commands.as_bytes())?;
    ensure!(ip.wait()?.success(), "ip -batch");
    Ok(())
}
