//! `cargo xtask bench proxy`: the release build of cadvisor-proxy-rs and vmagent with the same rules on the same bodies.
//!
//! Upstream is a thread of this process, so that the agents' CPU time is all that is measured: what the kernel does for
//! their sockets is part of it.

mod body;
mod ours;
mod peer;
mod report;
mod upstream;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Result, ensure};
use e2e::servers;

use super::machine;
use crate::binary::{self, Profile};
use body::Size;
use upstream::Upstream;

#[derive(clap::Args)]
pub(crate) struct Options {
    /// Alternating rounds; each gives one figure for each program
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Scrapes in each round
    #[arg(long, default_value_t = 10)]
    scrapes: u32,
    /// Bodies as pods x containers
    #[arg(long, value_delimiter = ',', default_values = ["110x2", "250x3"])]
    bodies: Vec<Size>,
    /// Measure this program instead of building one
    #[arg(long, value_name = "PATH")]
    binary: Option<PathBuf>,
}

/// What one program cost with one set of rules.
#[derive(Debug, Default)]
struct Costs {
    /// Seconds of CPU per scrape, one a round.
    cpu: Vec<f64>,
    /// Seconds to the first byte of the body, the median of each round; empty where nobody saw it.
    first_byte: Vec<f64>,
    /// Bytes of memory at the highest.
    peak: f64,
    /// Bytes of the last body.
    bytes: u64,
}

/// All programs on one body.
#[derive(Debug, Default)]
struct Figures {
    size: String,
    bytes: usize,
    none: Costs,
    rules: Costs,
    gzip: Costs,
    /// Seconds of CPU that `gzip -1` takes for what goes out without rules; `None` where there is none.
    gzip_alone: Option<f64>,
    peer: Option<Costs>,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    ensure!(options.rounds > 0 && options.scrapes > 0, "--rounds and --scrapes are at least 1");
    let ours = match &options.binary {
        Some(path) => path.clone(),
        None => binary::cadvisor_proxy_rs(Profile::Release)?,
    };
    let vmagent = servers::find("vmagent");
    if vmagent.is_none() {
        println!("SKIPPED: vmagent: it is neither in the testbed nor on the path (E2E_VMAGENT)");
    }
    println!("{}", machine::line());
    println!("{} rounds of {} scrapes, alternating.\n", options.rounds, options.scrapes);
    for size in &options.bodies {
        let Some(body) = size.generate()? else {
            println!("SKIPPED: {size}: no python3, which generates the bodies");
            continue;
        };
        let upstream = Upstream::start(body)?;
        let mut figures =
            Figures { size: size.to_string(), bytes: upstream.bytes(), ..Figures::default() };
        for _ in 0..options.rounds {
            let round = |flags: &[&str], costs: &mut Costs, encoding| {
                ours::round(&ours, flags, &upstream, options.scrapes, encoding, costs)
            };
            round(&[], &mut figures.none, "identity")?;
            round(&[RULES], &mut figures.rules, "identity")?;
            round(&["--web.gzip"], &mut figures.gzip, "gzip")?;
            if let Some(vmagent) = &vmagent {
                let costs = figures.peer.get_or_insert_default();
                peer::round(vmagent, &upstream, options.scrapes, costs)?;
            }
        }
        figures.gzip_alone = body::gzip(&ours::body(&ours, &upstream)?)?;
        print!("{}", report::table(&figures));
    }
    Ok(())
}

const RULES: &str = "--profile=kube-prometheus-stack";

/// How long anything may take.
const PATIENCE: Duration = Duration::from_mins(2);
