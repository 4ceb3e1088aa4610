//! An agent under valgrind's callgrind, which says of each function whether it ran.

use std::collections::HashSet;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use e2e::{Agent, agent, free_port};
use rustix::process::Signal;

/// An end under valgrind writes what was found.
const END: Duration = Duration::from_mins(1);

/// Where the agents give the pages of their code back (`exporter_toolkit::memory`): what ran before is seldom run again.
const GIVE_BACK: &str = "*6memory9give_back";

/// Waiting for a lock: valgrind runs one thread at a time, so that nobody waits.
const WAITS: &[&str] =
    &["__lll_lock_wait", "__lll_lock_wait_private", "__lll_lock_wake", "__lll_lock_wake_private"];

/// One run: the functions that ran after the agent last gave memory back, and those that ran only before, at its start.
pub(super) struct Run {
    pub(super) name: &'static str,
    pub(super) work: HashSet<String>,
    pub(super) start: HashSet<String>,
}

/// Starts the agent, has it do its work, and ends it.
pub(super) fn run(
    name: &'static str,
    program: &Path,
    flags: &[String],
    act: impl FnOnce(&Agent) -> Result<()>,
) -> Result<Run> {
    let folder = tempfile::tempdir().context("no temporary folder")?;
    // Each part but the last has a number behind this name.
    let file = folder.path().join("functions");
    let mut command = Command::new("valgrind");
    command.args(["--tool=callgrind", "--demangle=no", &format!("--dump-before={GIVE_BACK}")]);
    command.arg(format!("--callgrind-out-file={}", file.display()));
    command.arg(program).args(flags);
    let mut agent = Agent::start_at(agent::local(free_port()?), command)
        .context("valgrind, Debian's package of this name")?;
    act(&agent)?;
    agent.server.signal(Signal::TERM)?;
    let status = agent.server.wait(END)?;
    ensure!(status.success(), "it ended with {status}:\n{}", agent.server.log());
    let mut work: HashSet<String> = WAITS.iter().map(|&name| name.to_owned()).collect();
    let mut start = HashSet::new();
    for entry in std::fs::read_dir(folder.path())? {
        let path = entry?.path();
        let text = std::fs::read(&path).with_context(|| path.display().to_string())?;
        let set = if path == file { &mut work } else { &mut start };
        set.extend(names(&String::from_utf8_lossy(&text)));
    }
    ensure!(!start.is_empty(), "{GIVE_BACK} was not seen:\n{}", agent.server.log());
    start.retain(|name| !work.contains(name));
    Ok(Run { name, work, start })
}

/// `fn=(ID) NAME`, and `cfn=` for one that is called, where an ID comes for the first time.
fn names(text: &str) -> impl Iterator<Item = String> {
    text.lines().filter_map(|line| {
        let line = line.strip_prefix('c').unwrap_or(line);
        let (_, name) = line.strip_prefix("fn=(")?.split_once(") ")?;
        // Behind it a number tells recursions apart.
        Some(name.split('\'').next()?.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stand_where_their_numbers_come_first() {
        let text = "events: Ir\nfn=(1) main\n0 5\ncfn=(2) walk'2\ncalls=1 0\n0 7\n\nfn=(2)\n0 9\n";
        assert_eq!(names(text).collect::<Vec<_>>(), ["main", "walk"]);
    }
}
