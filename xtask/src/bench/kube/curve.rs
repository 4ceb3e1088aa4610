//! The curve from 1,000 to 200,000 pods: a table for programs and a plot for people, in kube-state-rs/docs.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context, Result};

use super::measure::{Change, Figures};
use super::recorded::{PEER, Peer};
use super::{Options, on_generated, report};
use crate::bench::plot::{Line, Plot, svg};
use crate::binary::workspace;

const PODS: [usize; 8] = [1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000, 200_000];

pub(super) fn run(options: &Options, program: &Path) -> Result<()> {
    let mut all = Vec::new();
    for pods in PODS {
        let figures = on_generated(options, program, pods)?;
        print!("{}", report::table(&figures, None));
        all.push(figures);
    }
    let docs = workspace().join("kube-state-rs/docs");
    std::fs::create_dir_all(&docs).with_context(|| docs.display().to_string())?;
    for (name, text) in [("bench.tsv", table(&all)), ("bench.svg", svg(&plots(&all)))] {
        let path = docs.join(name);
        std::fs::write(&path, text).with_context(|| path.display().to_string())?;
        println!("{}", path.display());
    }
    Ok(())
}

/// A column: its name, and its value in seconds, bytes, or a number of things.
type Column = (&'static str, fn(&Figures) -> f64);

const COLUMNS: [Column; 15] = [
    ("pods", |f| f.pods as f64),
    ("series", |f| f.series as f64),
    ("plain_bytes", |f| f.plain_bytes as f64),
    ("gzip_bytes", |f| f.gzip_bytes as f64),
    ("start_wall_seconds", |f| f.complete.wall),
    ("start_cpu_seconds", |f| f.complete.cpu),
    ("start_peak_bytes", |f| f.started.peak),
    ("rss_bytes", |f| f.settled.now),
    ("gzip_cpu_seconds", |f| f.gzip.cpu),
    ("gzip_wall_seconds", |f| f.gzip.wall),
    ("plain_cpu_seconds", |f| f.plain.cpu),
    ("plain_wall_seconds", |f| f.plain.wall),
    ("restarts_gzip_cpu_seconds", |f| after(f, 1)),
    ("replaced_gzip_cpu_seconds", |f| after(f, 2)),
    ("replaced_taken_in_cpu_seconds", |f| changed(f, 2).map_or(f64::NAN, |c| c.taken_in)),
];

/// The change at this place of `measure::CHANGES`.
fn changed(figures: &Figures, place: usize) -> Option<Change> {
    figures.changes.get(place).map(|(_, change)| *change)
}

fn after(figures: &Figures, place: usize) -> f64 {
    changed(figures, place).map_or(f64::NAN, |change| change.scrape.cpu)
}

fn table(all: &[Figures]) -> String {
    let mut out = COLUMNS.map(|(name, _)| name).join("\t") + "\n";
    for figures in all {
        let cells = COLUMNS.map(|(_, value)| number(value(figures)));
        // Writing to a String cannot fail.
        _ = writeln!(out, "{}", cells.join("\t"));
    }
    out
}

/// No more digits than were measured.
fn number(value: f64) -> String {
    if value.fract() == 0.0 { format!("{value}") } else { format!("{value:.5}") }
}

fn plots(all: &[Figures]) -> [Plot; 2] {
    let ours = |name, colour, value: fn(&Figures) -> f64| Line {
        name,
        colour,
        dashed: false,
        points: all.iter().map(|f| (f.pods as f64, value(f))).collect(),
    };
    let peer = |name, colour, value: fn(&Peer) -> Option<f64>| Line {
        name,
        colour,
        dashed: true,
        points: PEER.iter().filter_map(|p| Some((p.pods as f64, value(p)?))).collect(),
    };
    [
        Plot {
            title: "Resident memory, bytes",
            across: "pods",
            lines: vec![
                ours("kube-state-rs", "#0b6e4f", |f| f.settled.now),
                ours("kube-state-rs, peak at the start", "#6fb98f", |f| f.started.peak),
                peer("kube-state-metrics 2.20", "#b23a48", |p| p.rss),
            ],
        },
        Plot {
            title: "CPU per scrape, seconds",
            across: "pods",
            lines: vec![
                ours("kube-state-rs, gzip", "#0b6e4f", |f| f.gzip.cpu),
                ours("kube-state-rs, gzip after restarts in 1 %", "#6fb98f", |f| after(f, 1)),
                ours("kube-state-rs, plain", "#1d4e89", |f| f.plain.cpu),
                peer("kube-state-metrics 2.20, gzip", "#b23a48", |p| p.gzip),
                peer("kube-state-metrics 2.20, plain", "#e08e45", |p| p.plain),
            ],
        },
    ]
}
