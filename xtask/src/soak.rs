//! `cargo xtask soak`: node-exporter-rs scraped ten times a second while devices, mounts and processes come and go, for as
//! long as wanted. Memory that grows, descriptors that stay open and collectors that fail are errors.
//!
//! It runs in a network and a mount namespace of its own, with a /sys of that network, so that nothing of what comes and
//! goes is the machine's, and nothing of the machine's comes and goes here.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use e2e::Agent;
use e2e::http::Connection;

use crate::bench::usage::memory;
use crate::binary::{self, Profile};
use crate::namespace::{self, tool};

#[derive(clap::Args)]
pub(crate) struct Options {
    /// How long
    #[arg(long, default_value_t = 3600)]
    seconds: u64,
    /// Soak this program instead of building one
    #[arg(long, value_name = "PATH")]
    binary: Option<PathBuf>,
    /// What the command calls itself with in its namespaces
    #[arg(long, hide = true)]
    inside: bool,
}

/// Between two scrapes.
const EVERY: Duration = Duration::from_millis(100);
/// So many devices, mounts and processes of ours are there at a time.
const ALIVE: usize = 20;
/// What the memory may grow by after the first twelfth, five minutes of an hour.
const GROWTH: f64 = 1e6;
/// Descriptors that a moment may have more of than another, by the devices that come and go between two looks.
const DESCRIPTORS: usize = 10;

pub(crate) fn run(options: &Options) -> Result<()> {
    let program = match &options.binary {
        Some(path) => path.clone(),
        None => binary::node_exporter_rs(Profile::Release)?,
    };
    if options.inside {
        return soak(&program, Duration::from_secs(options.seconds));
    }
    let seconds = options.seconds.to_string();
    let inside = namespace::again(&["soak", "--inside", "--seconds", &seconds, "--binary"])?
        .arg(program)
        .status()
        .context("unshare (util-linux)")?;
    ensure!(inside.success(), "the soak failed; {}", namespace::NEEDS);
    Ok(())
}

fn soak(program: &Path, time: Duration) -> Result<()> {
    namespace::settle()?;
    let agent = Agent::start(program, &["--log.level=warn"])?;
    let before = quiet(&agent)?;
    let (over, changes) = (AtomicBool::new(false), AtomicUsize::new(0));
    let report = thread::scope(|scope| {
        let churn = scope.spawn(|| churn(&over, &changes));
        let report = watch(&agent, time);
        over.store(true, Ordering::Relaxed);
        let churned = churn.join().unwrap_or_else(|_| bail!("the churn panicked"));
        report.and_then(|report| churned.map(|()| report))
    })?;
    let changes = changes.load(Ordering::Relaxed);
    println!("{} scrapes, {changes} devices, mounts and processes came and went", report.scrapes);
    let after = quiet(&agent)?;
    println!("descriptors: {before} before the first came, {after} after the last went");
    ensure!(after <= before + DESCRIPTORS, "descriptors of what is gone stay open");
    report.judge()
}

/// Descriptors that are open when nothing comes and goes.
fn quiet(agent: &Agent) -> Result<usize> {
    for _scrape in 0..5 {
        agent.scrape("/metrics")?;
    }
    descriptors(agent.server.pid())
}

fn descriptors(pid: u32) -> Result<usize> {
    Ok(fs::read_dir(format!("/proc/{pid}/fd"))?.count())
}

/// What was seen at each tick, a hundredth of the time.
#[derive(Default)]
struct Report {
    scrapes: usize,
    resident: Vec<f64>,
    descriptors: Vec<usize>,
    /// Collectors that had no data in the first scrape.
    nothing_here: BTreeSet<String>,
    /// Failed scrapes by collector, of those that had.
    failed: BTreeMap<String, usize>,
}

fn watch(agent: &Agent, time: Duration) -> Result<Report> {
    let mut report = Report::default();
    let request = agent.request("/metrics").header("Accept-Encoding", "gzip");
    let mut connection = Connection::default();
    let start = Instant::now();
    while start.elapsed() < time {
        let next = Instant::now() + EVERY;
        let answer = connection.send(&request)?;
        ensure!(answer.status == 200, "status {}", answer.status);
        report.scrapes += 1;
        let text = answer.text()?;
        report.failures(&text);
        if start.elapsed().as_secs_f64()
            >= time.as_secs_f64() * report.resident.len() as f64 / 100.0
        {
            let pid = agent.server.pid();
            report.resident.push(memory(pid)?.now);
            report.descriptors.push(descriptors(pid)?);
        }
        thread::sleep(next.saturating_duration_since(Instant::now()));
    }
    Ok(report)
}

impl Report {
    /// Takes note of the collectors that gave nothing in a scrape.
    fn failures(&mut self, text: &str) {
        let failed = text.lines().filter_map(|line| {
            line.strip_prefix("node_scrape_collector_success{collector=\"")?.strip_suffix("\"} 0")
        });
        if self.scrapes == 1 {
            self.nothing_here = failed.map(str::to_owned).collect();
            return;
        }
        for name in failed {
            if !self.nothing_here.contains(name) {
                *self.failed.entry(name.to_owned()).or_default() += 1;
            }
        }
    }

    /// Prints what was seen, and tells what must not be.
    fn judge(&self) -> Result<()> {
        let warm = self.resident.len() / 12;
        let most = |values: &[f64]| values.iter().copied().fold(0.0, f64::max);
        let (first, rest) = self.resident.split_at((2 * warm).min(self.resident.len()));
        let begun = most(first.get(warm..).unwrap_or_default());
        let grown = most(rest) - begun;
        println!(
            "RSS: {:.2} MB after the first twelfth, {:+.2} MB later",
            begun / 1e6,
            grown / 1e6
        );
        let (before, after) = self.descriptors.split_at(2 * self.descriptors.len() / 12);
        let open = |counts: &[usize]| counts.iter().copied().max().unwrap_or_default();
        println!("descriptors: {} at most in the first sixth, {} later", open(before), open(after));
        for (collector, times) in &self.failed {
            println!("failed: {collector} {times} times");
        }
        ensure!(grown < GROWTH, "memory grew");
        ensure!(open(after) <= open(before) + DESCRIPTORS, "descriptors stay open");
        ensure!(self.failed.is_empty(), "collectors failed");
        Ok(())
    }
}

/// A device, a mount and a process, for as long as it is kept.
struct Guest {
    number: usize,
    folder: PathBuf,
    process: Child,
}

impl Guest {
    fn new(number: usize, below: &Path) -> Result<Self> {
        let folder = below.join(number.to_string());
        fs::create_dir(&folder)?;
        tool("mount", &["-t", "tmpfs", "soak", &folder.to_string_lossy()])?;
        let (one, other) = (device(number), format!("peer{number}"));
        tool("ip", &["link", "add", &one, "type", "veth", "peer", "name", &other])?;
        let process = Command::new("sleep").arg("3600").stdin(Stdio::null()).spawn()?;
        Ok(Self { number, folder, process })
    }

    fn leave(mut self) -> Result<()> {
        self.process.kill()?;
        self.process.wait()?;
        tool("ip", &["link", "delete", &device(self.number)])?;
        tool("umount", &["--lazy", &self.folder.to_string_lossy()])?;
        Ok(fs::remove_dir(&self.folder)?)
    }
}

fn device(number: usize) -> String {
    format!("soak{number}")
}

fn churn(over: &AtomicBool, changes: &AtomicUsize) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let mut guests = VecDeque::new();
    while !over.load(Ordering::Relaxed) {
        guests.push_back(Guest::new(changes.fetch_add(1, Ordering::Relaxed), folder.path())?);
        if guests.len() > ALIVE
            && let Some(oldest) = guests.pop_front()
        {
            oldest.leave()?;
        }
        thread::sleep(Duration::from_millis(250));
    }
    guests.into_iter().try_for_each(Guest::leave)
}
