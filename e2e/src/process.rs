//! A server that ends with its guard, and waiting for what it does.

use std::fmt::Display;
use std::fs::File;
use std::io::{self, Read, Seek};
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use exporter_toolkit::files;
use rustix::process::{Pid, Signal, kill_process};

/// A started program. Dropping it kills that process, and shows its log where a test fails.
#[derive(Debug)]
pub struct Server {
    name: String,
    child: Child,
    log: File,
}

impl Server {
    /// Starts the command with its output kept in an unnamed file.
    pub fn start(name: &str, command: &mut Command) -> Result<Self> {
        let log = tempfile::tempfile().context("no temporary file for a log")?;
        let child = command
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log.try_clone()?)
            .spawn()
            .with_context(|| format!("cannot start {command:?}"))?;
        Ok(Self { name: name.to_owned(), child, log })
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it has printed so far.
    pub fn log(&self) -> String {
        let read = || -> io::Result<String> {
            // An own open file description: reading does not move the place where the server writes.
            let mut log = File::open(format!("/proc/self/fd/{}", raw_fd(&self.log)))?;
            log.rewind()?;
            let mut bytes = Vec::new();
            log.read_to_end(&mut bytes)?;
            Ok(String::from_utf8_lossy(&bytes).into_owned())
        };
        read().unwrap_or_else(|error| format!("(no log: {error})"))
    }

    /// Its status where it has ended.
    pub fn ended(&mut self) -> Result<Option<ExitStatus>> {
        self.child.try_wait().with_context(|| format!("cannot wait for {}", self.name))
    }

    pub fn signal(&self, signal: Signal) -> Result<()> {
        kill_process(Pid::from_child(&self.child), signal)
            .with_context(|| format!("cannot signal {}", self.name))
    }

    /// Waits for its end.
    pub fn wait(&mut self, within: Duration) -> Result<ExitStatus> {
        let name = self.name.clone();
        wait_until(&format!("end of {name}"), within, || match self.ended()? {
            Some(status) => Ok(status),
            None => bail!("it still runs"),
        })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Both fail only where the process has ended already.
        _ = self.child.kill();
        _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("--- log of {} ---\n{}---", self.name, self.log());
        }
    }
}

fn raw_fd(file: &File) -> i32 {
    use std::os::fd::AsRawFd;
    file.as_raw_fd()
}

/// Bytes of a status, far above any.
const STATUS: u64 = 64 << 10;

/// Bytes that a process has, by a field of `/proc/PID/status` (`proc_pid_status(5)`) such as `VmRSS`.
pub fn held(pid: u32, field: &str) -> Result<u64> {
    let path = format!("/proc/{pid}/status");
    let text = files::read(Path::new(&path), STATUS).with_context(|| path.clone())?;
    kibibytes(&text, field).with_context(|| format!("{path}: {field}"))
}

fn kibibytes(status: &str, field: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'))?;
    Some(line.split_whitespace().next()?.parse::<u64>().ok()? << 10)
}

/// Cargo, started from a program that cargo started: without what it was told about that program's package, on which some
/// build scripts depend, so that nothing is built twice.
pub fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") {
            command.env_remove(&name);
        }
    }
    command
}

/// A port of 127.0.0.1 that nobody listened on a moment ago.
pub fn free_port() -> Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no free port")?;
    Ok(listener.local_addr()?.port())
}

/// Tries until it succeeds; at the deadline, the last error is the reason.
pub fn wait_until<T, E: Display>(
    what: &str,
    within: Duration,
    mut attempt: impl FnMut() -> Result<T, E>,
) -> Result<T> {
    let deadline = Instant::now() + within;
    loop {
        match attempt() {
            Ok(value) => return Ok(value),
            Err(error) if Instant::now() >= deadline => {
                bail!("waited {within:?} for the {what}: {error:#}")
            }
            Err(_) => std::thread::sleep(Duration::from_millis(50)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_read_in_bytes() {
        assert_eq!(kibibytes("VmHWM:\t  2048 kB\nVmRSS:\t 1024 kB\n", "VmRSS"), Some(1_048_576));
    }

    #[test]
    fn a_guard_kills_its_process_and_knows_its_log() {
        let mut server =
            Server::start("sh", Command::new("sh").args(["-c", "echo up; exec sleep 60"])).unwrap();
        wait_until("log", Duration::from_secs(10), || match server.log().as_str() {
            "up\n" => Ok(()),
            other => Err(other.to_owned()),
        })
        .unwrap();
        assert!(server.ended().unwrap().is_none());
        server.signal(Signal::TERM).unwrap();
        assert!(!server.wait(Duration::from_secs(10)).unwrap().success());
    }

    #[test]
    fn a_wait_that_fails_tells_the_last_reason() {
        let error = wait_until("nothing", Duration::ZERO, || Err::<(), _>("never")).unwrap_err();
        assert!(error.to_string().ends_with("never"), "{error}");
    }
}
