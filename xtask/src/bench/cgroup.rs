//! `cargo xtask bench cgroup`: the release build of cadvisor-proxy-rs as a reader of cgroups, and `cAdvisor`, on the same
//! containers of docker at the same time; and the curve over generated nodes.
//!
//! `cAdvisor` reads cgroups all the time, not only when it is asked. So both are scraped as Prometheus would, by turns, and
//! all CPU time that they take in between counts.

mod containers;
mod curve;
mod live;
mod report;
mod subject;

use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use e2e::servers;

use super::machine;
use crate::binary::{self, Profile};
use containers::Containers;
use subject::Subject;

#[derive(clap::Args)]
pub(crate) struct Options {
    /// How long both are scraped
    #[arg(long, default_value_t = 2)]
    minutes: u32,
    /// Seconds from scrape to scrape
    #[arg(long, default_value_t = 10)]
    interval: u32,
    /// Containers of docker
    #[arg(long, default_value_t = 92)]
    containers: usize,
    /// Measure this program instead of building one
    #[arg(long, value_name = "PATH")]
    binary: Option<PathBuf>,
    /// Measure on generated nodes of 50 to 500 containers instead, into cadvisor-proxy-rs/docs
    #[arg(long)]
    curve: bool,
}

/// What one program cost.
#[derive(Clone, Copy, Debug, Default)]
struct Figures {
    /// Seconds of CPU for each scrape, with all that was done in between.
    cpu: f64,
    /// Seconds until the whole answer was there, the median.
    wall: f64,
    /// Bytes of memory at the end, and at the highest.
    memory: f64,
    peak: f64,
    series: usize,
    bytes: usize,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    ensure!(options.minutes > 0 && options.interval > 1, "--minutes and --interval: more");
    let ours = match &options.binary {
        Some(path) => path.clone(),
        None => binary::cadvisor_proxy_rs(Profile::Release)?,
    };
    println!("{}", machine::line());
    if options.curve { curve::run(&ours) } else { beside(options, &ours) }
}

/// Beside the peer, on containers that run.
fn beside(options: &Options, ours: &Path) -> Result<()> {
    let Some(peer) = servers::find("cadvisor") else {
        println!("SKIPPED: cadvisor: it is neither in the testbed nor on the path (E2E_CADVISOR)");
        return Ok(());
    };
    let Some(containers) = Containers::start(options.containers)? else {
        println!("SKIPPED: no docker, or no image of the testbed in it");
        return Ok(());
    };
    let mut subjects = [Subject::ours(ours, &[])?, Subject::peer(&peer)?];
    for subject in &mut subjects {
        subject.know(&containers)?;
    }
    let scrapes = (options.minutes * 60 / options.interval).max(1);
    println!(
        "{} containers, {scrapes} scrapes of each, one every {} s, by turns.\n",
        options.containers, options.interval
    );
    let [ours, peer] = by_turns(&mut subjects, scrapes, options.interval)?;
    print!("{}", report::table(ours, peer));
    Ok(())
}

/// Scrapes both, half an interval apart.
fn by_turns(subjects: &mut [Subject; 2], scrapes: u32, interval: u32) -> Result<[Figures; 2]> {
    let step = Duration::from_secs(interval.into()) / 2;
    for subject in &mut *subjects {
        subject.begin()?;
    }
    let mut next = Instant::now();
    for _ in 0..scrapes {
        for subject in &mut *subjects {
            subject.scrape()?;
            next += step;
            sleep(next.saturating_duration_since(Instant::now()));
        }
    }
    let [ours, peer] = subjects;
    Ok([ours.end()?, peer.end()?])
}

/// How long anything may take.
const PATIENCE: Duration = Duration::from_mins(3);
