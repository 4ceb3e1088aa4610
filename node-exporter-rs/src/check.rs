//! Whether we see the host, or the container that we run in: the mistakes of deployments, each with what to do about it.
//!
//! Where nothing can be found out, as other users' processes are hidden, nothing is said.

mod mounts;

use std::collections::BTreeSet;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Instant;

use exporter_toolkit::{Exposition, Format};

use crate::collector::BuildError;
use crate::host::{Host, attribute, read_text};
use crate::options::Given;
use crate::scrape::{Scraper, Selection, Standing, State};
use mounts::Mounts;

/// How much is wrong.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Severity {
    Good,
    /// Something is missing that some hosts lack for a reason.
    Advice,
    /// Samples will be those of something else than the host.
    Problem,
}

impl Severity {
    fn word(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Advice => "advice",
            Self::Problem => "problem",
        }
    }
}

/// What was found of one thing.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Finding {
    pub topic: &'static str,
    pub severity: Severity,
    pub text: String,
}

impl Finding {
    fn good(topic: &'static str, text: impl Into<String>) -> Self {
        Self { topic, severity: Severity::Good, text: text.into() }
    }

    fn advice(topic: &'static str, text: impl Into<String>) -> Self {
        Self { topic, severity: Severity::Advice, text: text.into() }
    }

    fn problem(topic: &'static str, text: impl Into<String>) -> Self {
        Self { topic, severity: Severity::Problem, text: text.into() }
    }

    /// Says it in the log, where it is worth a line.
    pub fn log(&self) {
        let Self { topic, severity, text } = self;
        match severity {
            Severity::Good => tracing::debug!(topic, "{text}"),
            Severity::Advice => tracing::info!(topic, "{text}"),
            Severity::Problem => tracing::warn!(topic, "{text}"),
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:8} {:11} {}", self.severity.word(), self.topic, self.text)
    }
}

/// Whose processes procfs shows.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Processes {
    Host,
    Container,
    Hidden,
    Nobody,
}

/// The host as the flags name it, and ourselves as `/proc/self` shows us.
#[derive(Debug)]
pub struct Look<'a> {
    host: &'a Host,
    own: PathBuf,
}

impl<'a> Look<'a> {
    pub fn at(host: &'a Host) -> Self {
        Self { host, own: PathBuf::from("/proc/self") }
    }

    /// Everything that can be found out by reading a few small files; `disks` where disks are reported.
    pub fn findings(&self, disks: bool) -> Vec<Finding> {
        if !cfg!(target_os = "linux") {
            return Vec::new();
        }
        let processes = self.processes();
        let mut findings = vec![self.procfs(processes), self.sysfs()];
        findings.extend(self.root(processes));
        if processes == Processes::Host {
            findings.extend(self.network());
            findings.extend(self.names());
        }
        findings.extend(disks.then(|| self.udev()));
        findings
    }

    /// Process 2 of the first process namespace is the kernel's own, and only there.
    fn processes(&self) -> Processes {
        let name = |process: &str| attribute(&self.host.proc(process).join("comm"));
        match (name("2").as_deref(), name("1")) {
            (Some("kthreadd"), _) => Processes::Host,
            (_, Some(_)) => Processes::Container,
            _ if self.host.proc("stat").exists() => Processes::Hidden,
            _ => Processes::Nobody,
        }
    }

    fn procfs(&self, processes: Processes) -> Finding {
        const TOPIC: &str = "procfs";
        let path = shown(&self.host.proc(""));
        match processes {
            Processes::Host => Finding::good(TOPIC, format!("{path} shows the host's processes")),
            Processes::Hidden => Finding::good(
                TOPIC,
                format!(
                    "{path} hides the processes of others (hidepid): whose it is cannot be told"
                ),
            ),
            Processes::Container => Finding::problem(
                TOPIC,
                format!(
                    "{path} shows the processes and mounts of a container, not the host's: set hostPID: true (docker: \
                     --pid=host), or mount the host's /proc and name it by --path.procfs"
                ),
            ),
            Processes::Nobody => Finding::problem(
                TOPIC,
                format!(
                    "{path} is no procfs: mount the host's /proc there, or name it by --path.procfs"
                ),
            ),
        }
    }

    fn sysfs(&self) -> Finding {
        let path = shown(&self.host.sys(""));
        if self.host.sys("class").is_dir() {
            return Finding::good("sysfs", format!("{path} is there"));
        }
        let text = "is no sysfs: mount the host's /sys there, or name it by --path.sysfs";
        Finding::problem("sysfs", format!("{path} {text}"))
    }

    /// The root of process 1 and the one that `--path.rootfs` names are one file system where their devices are the same.
    fn root(&self, processes: Processes) -> Vec<Finding> {
        const TOPIC: &str = "rootfs";
        let path = self.host.root_path();
        let shown = shown(path);
        let what = "file systems and the distribution are the container's: mount the host's / read-only and name the \
                    place by --path.rootfs";
        let own = read_text(&self.own.join("mountinfo")).unwrap_or_default();
        let own = Mounts(&own);
        let is_slash = path == Path::new("/");
        let Some(mount) = own.around(path) else { return Vec::new() };
        if !is_slash && processes != Processes::Host {
            // Whether it is the host's cannot be told, but something must be mounted there.
            let mounted = mount.point != "/";
            return (!mounted)
                .then(|| Finding::problem(TOPIC, format!("nothing is mounted at {shown}; {what}")))
                .into_iter()
                .collect();
        }
        let of_init = self.host.read_proc("1/mountinfo").unwrap_or_default();
        let of_init = Mounts(&of_init).around(Path::new("/")).map(|mount| mount.device.to_owned());
        let same = match (processes, of_init) {
            (Processes::Host, Some(device)) => device == mount.device,
            (Processes::Container, _) => false,
            _ => return Vec::new(),
        };
        if !same {
            let text = format!("{shown} is not the host's root; {what}");
            return vec![Finding::problem(TOPIC, text)];
        }
        let mut findings = vec![Finding::good(TOPIC, format!("{shown} is the host's root"))];
        if !is_slash && !mount.follows {
            let text = format!(
                "mounts that the host makes from now on will not appear below {shown}: set mountPropagation: \
                 HostToContainer (docker: -v /:{shown}:ro,rslave)"
            );
            findings.push(Finding::advice("propagation", text));
        }
        findings
    }

    /// Namespaces are told by their numbers, or, where we may not see those of process 1, by the interfaces in them.
    fn network(&self) -> Option<Finding> {
        const TOPIC: &str = "network";
        let same = self.same_namespace("net").or_else(|| {
            let [of_init, own] = [self.host.proc("1/net/dev"), self.own.join("net/dev")];
            let (of_init, own) = (read_text(&of_init).ok()?, read_text(&own).ok()?);
            let [of_init, own] = [interfaces(&of_init), interfaces(&own)];
            (!of_init.is_empty()).then(|| of_init == own)
        })?;
        Some(if same {
            Finding::good(TOPIC, "the network is the host's")
        } else {
            let text = "interfaces, sockets and protocols are those of a container, not the host's: set hostNetwork: true \
                        (docker: --net=host)";
            Finding::problem(TOPIC, text)
        })
    }

    fn names(&self) -> Option<Finding> {
        const TOPIC: &str = "hostname";
        Some(if self.same_namespace("uts")? {
            Finding::good(TOPIC, "the name is the host's")
        } else {
            let text = "node_uname_info has the container's name, not the host's: set hostNetwork: true, which brings the \
                        host's name (docker: --uts=host)";
            Finding::advice(TOPIC, text)
        })
    }

    /// `None` where it cannot be told.
    fn same_namespace(&self, kind: &str) -> Option<bool> {
        let of_init = std::fs::read_link(self.host.proc("1/ns").join(kind)).ok()?;
        let own = std::fs::read_link(self.own.join("ns").join(kind)).ok()?;
        Some(of_init == own)
    }

    fn udev(&self) -> Finding {
        let path = shown(&self.host.udev(""));
        if self.host.udev("").is_dir() {
            return Finding::good("udev", format!("{path} is there"));
        }
        let text = format!(
            "{path} is not there: serial numbers, models and other facts of disks stay empty; mount the host's \
             /run/udev/data and name it by --path.udev.data, unless the host has no udev"
        );
        Finding::advice("udev", text)
    }
}

/// Why the check could not be made.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    #[error(transparent)]
    Build(#[from] BuildError),
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Looks at the host, runs every collector once, and writes what was found. True where nothing is wrong.
pub fn run(given: &Given, out: &mut impl io::Write) -> Result<bool, CheckError> {
    let setup = given.setup();
    let mut scraper = Scraper::new(&given.enabled, &setup, &given.labels)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    let deadline = Instant::now() + given.options.web.scrape_timeout;
    let (none, mut text) = (Exposition::default(), Vec::new());
    runtime.block_on(scraper.scrape(
        &Selection::default(),
        Format::Text,
        deadline,
        &none,
        &mut text,
    ));
    let findings = Look::at(&setup.host).findings(given.runs("diskstats"));
    Ok(report(&findings, scraper.standings(), out)?)
}

/// A path without the slash that an empty name leaves behind it.
fn shown(path: &Path) -> String {
    path.components().collect::<PathBuf>().display().to_string()
}

/// The names of the interfaces in `/proc/net/dev`.
fn interfaces(text: &str) -> BTreeSet<&str> {
    text.lines().filter_map(|line| Some(line.split_once(':')?.0.trim())).collect()
}

/// Writes the findings, and every collector that gave nothing or not all. True where nothing is wrong.
pub fn report(
    findings: &[Finding],
    standings: &[Standing],
    out: &mut impl io::Write,
) -> io::Result<bool> {
    for finding in findings {
        writeln!(out, "{finding}")?;
    }
    let mut good = !findings.iter().any(|finding| finding.severity == Severity::Problem);
    writeln!(out)?;
    let fine = standings.iter().filter(|standing| standing.state == State::Fine).count();
    writeln!(out, "{fine} of {} collectors give samples", standings.len())?;
    for standing in standings {
        let (word, why) = match &standing.state {
            State::Fine | State::NotYetRun => continue,
            State::NoData(why) => ("no data", why.to_string()),
            State::Failed(why) => ("failed", why.to_string()),
            State::Late => ("late", "it did not end in time".to_owned()),
            State::Panicked => ("panicked", "a programming error: please report it".to_owned()),
        };
        good &= word == "no data";
        writeln!(out, "{word:8} {:19} {why}", standing.name)?;
    }
    Ok(good)
}

#[cfg(test)]
mod tests;
