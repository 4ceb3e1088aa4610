//! `cargo xtask bench node`: the release build against `node_exporter` in one run, as ratios.
//!
//! Both serve the same host at the same time and are scraped in alternating blocks, so that whatever else the machine
//! does meets both. Nothing is gated here: times on shared cores wobble, which is why every pair has its own ratio.

mod interfaces;
mod large;
mod report;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use e2e::Agent;
use e2e::http::Connection;
use tempfile::TempDir;

use super::machine;
use super::usage::{cpu_time, memory};
use crate::binary::{self, PEER_FLAGS, Profile};

#[derive(clap::Args)]
pub(crate) struct Options {
    /// Rounds; each is a block of scrapes of ours and one of the peer
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Scrapes in a block [default: 300, with --large or --interfaces 10]
    #[arg(long)]
    scrapes: Option<u32>,
    /// Measure on a synthetic host: 256 CPUs, 2,000 network devices, 600 disks, 1,000 mounts (needs python3 and the
    /// conformance data)
    #[arg(long)]
    large: bool,
    /// Measure on this host with so many interfaces of its own kernel, in a network namespace (as root)
    #[arg(long, value_name = "COUNT", conflicts_with = "large")]
    interfaces: Option<u32>,
    /// What the command calls itself with in that namespace
    #[arg(long, hide = true, requires = "interfaces")]
    inside: bool,
}

const GZIP: &str = "gzip";

/// What one program cost.
#[derive(Debug, Default)]
struct Costs {
    /// Bytes before the first scrape.
    fresh: f64,
    /// Bytes after the last one.
    idle: f64,
    /// Bytes at the highest.
    peak: f64,
    /// A block each: of scrapes as Prometheus and VictoriaMetrics send them, over one connection and with gzip.
    blocks: Vec<Block>,
    /// A block each of scrapes that ask for no compression.
    uncompressed: Vec<Block>,
    plain: usize,
    gzip: usize,
    series: usize,
}

/// One block of scrapes.
#[derive(Clone, Copy, Debug, Default)]
struct Block {
    /// Seconds of CPU per scrape.
    cpu: f64,
    /// The median answer in seconds of wall time, as a client on the same machine sees it.
    latency: f64,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    let (ours, peer) = (binary::node_exporter_rs(Profile::Release)?, binary::node_exporter()?);
    let many = options.large || options.interfaces.is_some();
    let scrapes = options.scrapes.unwrap_or(if many { 10 } else { 300 }).max(1);
    ensure!(options.rounds > 0, "--rounds is at least 1");
    match options.interfaces {
        Some(count) if !options.inside => {
            return interfaces::enter(count, options.rounds, scrapes, &ours);
        }
        Some(count) => interfaces::make(count)?,
        None => {}
    }
    let tree = options.large.then(large::make).transpose()?;
    let flags = flags(tree.as_ref());
    let peer_flags: Vec<String> =
        PEER_FLAGS.iter().map(|&flag| flag.to_owned()).chain(flags.clone()).collect();
    let pair = [Bench::start(ours, &flags)?, Bench::start(peer, &peer_flags)?];
    let [ours, peer] = measure(pair, options.rounds, scrapes)?;
    println!("{}", machine::line());
    let host = if options.large { "the synthetic large host" } else { "this host" };
    println!("{} rounds of {scrapes} default scrapes of {host}, alternating.\n", options.rounds);
    print!("{}", report::table(&ours, &peer));
    Ok(())
}

/// Where the synthetic host is; its devices exist in files only, so nothing is to be asked over netlink.
fn flags(tree: Option<&TempDir>) -> Vec<String> {
    tree.map_or_else(Vec::new, |tree| {
        let path = tree.path().display();
        vec![
            format!("--path.procfs={path}/proc"),
            format!("--path.sysfs={path}/sys"),
            "--no-collector.netdev.netlink".to_owned(),
            "--no-collector.arp.netlink".to_owned(),
        ]
    })
}

/// A program being measured.
struct Bench {
    agent: Agent,
    costs: Costs,
}

impl Bench {
    fn start(program: PathBuf, flags: &[String]) -> Result<Self> {
        let agent = Agent::start(&program, flags).with_context(|| program.display().to_string())?;
        let fresh = memory(agent.server.pid())?.now;
        Ok(Self { agent, costs: Costs { fresh, ..Costs::default() } })
    }

    fn block(&mut self, scrapes: u32, encoding: &str) -> Result<()> {
        let pid = self.agent.server.pid();
        let request = self.agent.request("/metrics").header("Accept-Encoding", encoding);
        let mut connection = Connection::default();
        let before = cpu_time(pid)?;
        let mut times = Vec::new();
        for _ in 0..scrapes {
            let start = Instant::now();
            let response = connection.send(&request)?;
            times.push(start.elapsed());
            ensure!(response.status == 200, "status {}", response.status);
        }
        let cpu = (cpu_time(pid)?.saturating_sub(before)) / scrapes;
        let blocks =
            if encoding == GZIP { &mut self.costs.blocks } else { &mut self.costs.uncompressed };
        blocks.push(Block { cpu: cpu.as_secs_f64(), latency: median(times).as_secs_f64() });
        Ok(())
    }

    fn finish(mut self) -> Result<Costs> {
        let memory = memory(self.agent.server.pid())?;
        (self.costs.idle, self.costs.peak) = (memory.now, memory.peak);
        let packed = self.agent.request("/metrics").header("Accept-Encoding", GZIP).send()?;
        let text = self.agent.text("/metrics")?;
        let samples = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
        self.costs.series = samples.count();
        (self.costs.plain, self.costs.gzip) = (text.len(), packed.body.len());
        Ok(self.costs)
    }
}

fn measure([mut ours, mut peer]: [Bench; 2], rounds: usize, scrapes: u32) -> Result<[Costs; 2]> {
    // The first scrapes open files and grow buffers; they are no one's steady state.
    for bench in [&mut ours, &mut peer] {
        bench.block(scrapes.min(5), GZIP)?;
        bench.costs.blocks.clear();
    }
    for _ in 0..rounds {
        for encoding in [GZIP, "identity"] {
            ours.block(scrapes, encoding)?;
            peer.block(scrapes, encoding)?;
        }
    }
    Ok([ours.finish()?, peer.finish()?])
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}
