//! `cargo xtask compare-node`: `node_exporter` and node-exporter-rs on this host, side by side, every difference explained.

mod differences;
mod known;

use anyhow::{Result, bail};
use e2e::Agent;

use crate::binary::{self, PEER_FLAGS, Profile};
use differences::{Difference, Moment, Tracker};

/// A value that moves is asked for so often: a difference that is not there each time is the moment's, not ours.
const ROUNDS: usize = 8;

/// Collectors that are off by default and read what every host has.
const OFF_BY_DEFAULT: &[&str] = &[
    "--collector.buddyinfo",
    "--collector.cgroups",
    "--collector.cpu_vulnerabilities",
    "--collector.interrupts",
    "--collector.ksmd",
    "--collector.lnstat",
    "--collector.meminfo_numa",
    "--collector.mountstats",
    "--collector.network_route",
    "--collector.processes",
    "--collector.slabinfo",
    "--collector.softirqs",
    "--collector.swap",
    "--collector.sysctl",
    "--collector.sysctl.include=fs.file-nr:allocated,free,max",
    "--collector.sysctl.include=net.ipv4.tcp_rmem",
    "--collector.sysctl.include-info=kernel.seccomp.actions_avail",
    "--collector.xfrm",
    "--collector.zoneinfo",
];

pub(crate) fn run() -> Result<()> {
    let program = binary::node_exporter_rs(Profile::Dev)?;
    let peer = Agent::start(&binary::node_exporter()?, &[PEER_FLAGS, OFF_BY_DEFAULT].concat())?;
    let ours = Agent::start(&program, OFF_BY_DEFAULT)?;
    // The first scrape of each has its own costs and open files.
    peer.scrape("/metrics")?;
    ours.scrape("/metrics")?;
    let mut tracker = Tracker::default();
    for _ in 0..ROUNDS {
        tracker.add(&Moment {
            before: peer.scrape("/metrics")?,
            ours: ours.scrape("/metrics")?,
            after: peer.scrape("/metrics")?,
        });
    }
    println!("{}", tracker.summary());
    let unexplained = print(&tracker.differences());
    if unexplained > 0 {
        bail!("{unexplained} differences without an explanation (xtask/src/compare/known.tsv)");
    }
    Ok(())
}

/// Prints the differences by explanation, those without one last; gives the number of the latter.
fn print(differences: &[Difference]) -> usize {
    let explained = |d: &Difference| known::reason(d.kind.word(), &d.family);
    let mut reasons: Vec<&str> = differences.iter().filter_map(explained).collect();
    reasons.sort_unstable();
    reasons.dedup();
    for reason in reasons {
        println!("\n{reason}");
        for difference in differences.iter().filter(|d| explained(d) == Some(reason)) {
            println!("  {difference}");
        }
    }
    let open: Vec<_> = differences.iter().filter(|d| explained(d).is_none()).collect();
    if !open.is_empty() {
        println!("\nNot explained");
    }
    for difference in &open {
        println!("  {difference}");
    }
    open.len()
}
