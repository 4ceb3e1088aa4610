//! The course of a measurement.

use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use super::cluster::Cluster;
use super::program::{Encoding, Program};
use crate::bench::usage::Memory;

/// What was measured. Times are in seconds, sizes in bytes, shares of one core.
#[derive(Clone, Debug)]
pub(super) struct Figures {
    pub(super) pods: u64,
    pub(super) series: u64,
    pub(super) plain_bytes: u64,
    pub(super) gzip_bytes: u64,
    /// From the start until it says that it is ready.
    pub(super) ready: Cost,
    /// From the start until the first complete scrape is read.
    pub(super) complete: Cost,
    /// After the first scrape; its peak is that of the start.
    pub(super) started: Memory,
    /// When it has come to rest.
    pub(super) settled: Memory,
    pub(super) gzip: Cost,
    pub(super) plain: Cost,
    pub(super) idle: f64,
    pub(super) changes: Vec<(&'static str, Change)>,
    pub(super) churn: Vec<(&'static str, f64)>,
    /// At the end.
    pub(super) last: Memory,
}

/// CPU and wall time.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Cost {
    pub(super) cpu: f64,
    pub(super) wall: f64,
}

/// What a change of many pods costs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Change {
    /// CPU until it has come to rest.
    pub(super) taken_in: f64,
    /// Of the next scrape.
    pub(super) scrape: Cost,
}

/// What is done to the cluster before a scrape, and how often this is measured.
const CHANGES: [(&str, &str, u32); 3] = [
    ("nothing that families show", "touch?share=0.01", 3),
    ("restarts in 1 % of the pods", "restart?share=0.01", 5),
    ("all pods replaced", "replace?share=1", 2),
];

/// Changes a second, and whether it is scraped meanwhile.
const CHURN: [(&str, &str, bool); 3] = [
    ("500 changes/s that no family shows", "touch", false),
    ("500 restarts/s", "restart", false),
    ("500 restarts/s, scrapes every 15 s", "restart", true),
];

/// Measures what needs no change in the cluster.
pub(super) fn unchanged(mut program: Program) -> Result<Figures> {
    quiet(&mut program, None)
}

/// Measures everything; `seconds` is the length of each run of churn, 0 for none.
pub(super) fn all(mut program: Program, cluster: &Cluster, seconds: u64) -> Result<Figures> {
    let mut figures = quiet(&mut program, Some(cluster.pods))?;
    for (name, command, times) in CHANGES {
        figures.changes.push((name, change(&mut program, cluster, command, times)?));
    }
    for (name, what, scraped) in CHURN {
        if seconds > 0 {
            figures.churn.push((name, churn(&mut program, cluster, what, scraped, seconds)?));
        }
    }
    program.complete(Some(cluster.pods))?;
    figures.last = program.memory()?;
    Ok(figures)
}

fn quiet(program: &mut Program, pods: Option<u64>) -> Result<Figures> {
    let start = Instant::now();
    let so_far = |program: &Program| -> Result<Cost> {
        Ok(Cost { cpu: program.cpu()?.as_secs_f64(), wall: start.elapsed().as_secs_f64() })
    };
    program.ready()?;
    let ready = so_far(program)?;
    let gzip_bytes = program.scrape(Encoding::Gzip)?.bytes;
    let complete = so_far(program)?;
    let started = program.memory()?;
    program.forget_peak()?;
    let tally = program.complete(pods)?;
    program.rest()?;
    sleep(Duration::from_secs(3));
    let settled = program.memory()?;
    let idle = share(program, 10, |_| Ok(()))?;
    let gzip = scrapes(program, Encoding::Gzip)?;
    let plain = scrapes(program, Encoding::Plain)?;
    let plain_bytes = program.scrape(Encoding::Plain)?.bytes;
    ensure!(plain_bytes == tally.bytes, "plain and gzip differ: {plain_bytes}, {}", tally.bytes);
    Ok(Figures {
        pods: tally.counted,
        series: tally.series,
        plain_bytes,
        gzip_bytes,
        ready,
        complete,
        started,
        settled,
        gzip,
        plain,
        idle,
        changes: Vec::new(),
        churn: Vec::new(),
        last: program.memory()?,
    })
}

/// The median of three blocks of scrapes, each long enough for the kernel's clock of 10 ms.
fn scrapes(program: &mut Program, encoding: Encoding) -> Result<Cost> {
    program.scrape(encoding)?;
    let mut blocks = Vec::new();
    for _ in 0..3 {
        let (before, mut wall, mut count) = (program.cpu()?, Duration::ZERO, 0);
        while count == 0 || (program.cpu_since(before)? < Duration::from_millis(300) && count < 200)
        {
            wall += program.scrape(encoding)?.wall;
            count += 1;
        }
        let cpu = program.cpu_since(before)? / count;
        blocks.push(Cost { cpu: cpu.as_secs_f64(), wall: (wall / count).as_secs_f64() });
    }
    blocks.sort_by(|one, other| one.cpu.total_cmp(&other.cpu));
    Ok(blocks[1])
}

/// The mean over some changes.
fn change(program: &mut Program, cluster: &Cluster, command: &str, times: u32) -> Result<Change> {
    let (mut taken_in, mut cpu, mut wall) = (Duration::ZERO, Duration::ZERO, Duration::ZERO);
    for _ in 0..times {
        let before = program.cpu()?;
        cluster.does(command)?;
        program.rest()?;
        taken_in += program.cpu_since(before)?;
        let rested = program.cpu()?;
        wall += program.scrape(Encoding::Gzip)?.wall;
        cpu += program.cpu_since(rested)?;
        let pods = program.tally()?.counted;
        ensure!(pods == cluster.pods, "{pods} pods after {command}");
    }
    let mean = |sum: Duration| (sum / times).as_secs_f64();
    Ok(Change { taken_in: mean(taken_in), scrape: Cost { cpu: mean(cpu), wall: mean(wall) } })
}

fn churn(
    program: &mut Program,
    cluster: &Cluster,
    what: &str,
    scraped: bool,
    seconds: u64,
) -> Result<f64> {
    cluster.does(&format!("churn?what={what}&rate=500&seconds={seconds}"))?;
    let share = share(program, seconds, |program| {
        if scraped { program.scrape(Encoding::Gzip).map(drop) } else { Ok(()) }
    })?;
    program.rest()?;
    program.scrape(Encoding::Gzip)?;
    Ok(share)
}

/// The share of a core that it takes for so many seconds, `each` being done at the end of every 15.
fn share(
    program: &mut Program,
    seconds: u64,
    mut each: impl FnMut(&mut Program) -> Result<()>,
) -> Result<f64> {
    let (start, before) = (Instant::now(), program.cpu()?);
    for second in 1..=seconds {
        let due = Duration::from_secs(second);
        sleep(due.saturating_sub(start.elapsed()));
        if second % 15 == 0 {
            each(program)?;
        }
    }
    Ok(program.cpu_since(before)?.as_secs_f64() / start.elapsed().as_secs_f64())
}
