//! What a process has used, from its files in `/proc` (`proc_pid_stat(5)`, `proc_pid_status(5)`).

use std::time::Duration;

use anyhow::{Context, Result};
use e2e::process::held;

/// Bytes of resident memory.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Memory {
    pub(crate) now: f64,
    pub(crate) peak: f64,
    /// What of it is no file's: the heap, stacks.
    pub(crate) anonymous: f64,
}

/// `USER_HZ`: 100 on every architecture that Linux still builds for, but Alpha and IA-64.
const TICK: Duration = Duration::from_millis(10);

/// User and system time of all its threads, also of those that have ended.
pub(crate) fn cpu_time(pid: u32) -> Result<Duration> {
    ticks(&read(pid, "stat")?, 11)
        .map(|ticks| TICK * ticks)
        .with_context(|| format!("/proc/{pid}/stat"))
}

/// User and system time of this process' children that have ended (`proc_pid_stat(5)`, `cutime` and `cstime`).
pub(crate) fn children_time() -> Result<Duration> {
    ticks(&read(std::process::id(), "stat")?, 13)
        .map(|ticks| TICK * ticks)
        .context("/proc/self/stat")
}

pub(crate) fn memory(pid: u32) -> Result<Memory> {
    let field = |name| held(pid, name).map(|bytes| bytes as f64);
    Ok(Memory { now: field("VmRSS")?, peak: field("VmHWM")?, anonymous: field("RssAnon")? })
}

/// Lets the peak begin anew (`proc_pid_clear_refs(5)`).
pub(crate) fn forget_peak(pid: u32) -> Result<()> {
    let path = format!("/proc/{pid}/clear_refs");
    std::fs::write(&path, "5").context(path)
}

fn read(pid: u32, file: &str) -> Result<String> {
    let path = format!("/proc/{pid}/{file}");
    std::fs::read_to_string(&path).context(path)
}

/// Two fields, `skip` fields behind the name: that stands in parentheses and may hold blanks.
fn ticks(stat: &str, skip: usize) -> Option<u32> {
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_whitespace().skip(skip);
    let (user, system): (u32, u32) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    Some(user + system)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_name_with_blanks_and_parentheses_does_not_shift_the_fields() {
        let stat = "7 (a) b) c) S 1 2 3 4 5 6 7 8 9 10 30 12 1 1 20 0";
        assert_eq!((ticks(stat, 11), ticks(stat, 13)), (Some(42), Some(2)));
    }
}
