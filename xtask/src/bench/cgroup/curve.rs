//! The curve over generated nodes: a table for programs and a plot for people, in cadvisor-proxy-rs/docs.
//!
//! The files are a disk's, not the kernel's own: what it costs the kernel to write them is not in it.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context, Result};
use e2e::cgroups::{Driver, Node, Shape, Version};

use super::Figures;
use super::subject::Subject;
use crate::bench::plot::{Line, Plot, svg};
use crate::binary::workspace;
use crate::table::{bytes, columns};

const CONTAINERS: [usize; 6] = [50, 100, 200, 300, 400, 500];
/// One after another: CPU time is counted in hundredths of a second.
const SCRAPES: u32 = 100;

struct Point {
    version: Version,
    containers: usize,
    figures: Figures,
}

pub(super) fn run(program: &Path) -> Result<()> {
    let mut points = Vec::new();
    for version in [Version::V2, Version::V1] {
        for containers in CONTAINERS {
            let figures = measure(program, version, containers)?;
            points.push(Point { version, containers, figures });
        }
    }
    print!("{}", shown(&points));
    let docs = workspace().join("cadvisor-proxy-rs/docs");
    std::fs::create_dir_all(&docs).with_context(|| docs.display().to_string())?;
    for (name, text) in [("cgroup.tsv", table(&points)), ("cgroup.svg", svg(&plots(&points)))] {
        let path = docs.join(name);
        std::fs::write(&path, text).with_context(|| path.display().to_string())?;
        println!("{}", path.display());
    }
    Ok(())
}

fn measure(program: &Path, version: Version, containers: usize) -> Result<Figures> {
    let node = Node::generate(Shape { version, driver: Driver::Systemd, containers })?;
    let flags = [
        "--identity=none".to_owned(),
        format!("--path.procfs={}", node.proc().display()),
        format!("--path.sysfs={}", node.sys().display()),
    ];
    let mut subject = Subject::ours(program, &flags)?;
    subject.begin()?;
    for _ in 0..SCRAPES {
        subject.scrape()?;
    }
    subject.end()
}

/// A column: its name, and its value in seconds, bytes, or a number of things.
type Column = (&'static str, fn(&Point) -> f64);

const COLUMNS: [Column; 7] = [
    ("cgroup_version", |p| if p.version == Version::V1 { 1.0 } else { 2.0 }),
    ("containers", |p| p.containers as f64),
    ("series", |p| p.figures.series as f64),
    ("body_bytes", |p| p.figures.bytes as f64),
    ("cpu_seconds", |p| p.figures.cpu),
    ("wall_seconds", |p| p.figures.wall),
    ("rss_peak_bytes", |p| p.figures.peak),
];

fn table(points: &[Point]) -> String {
    let mut out = COLUMNS.map(|(name, _)| name).join("\t") + "\n";
    for point in points {
        let cells = COLUMNS.map(|(_, value)| number(value(point)));
        // Writing to a String cannot fail.
        _ = writeln!(out, "{}", cells.join("\t"));
    }
    out
}

/// No more digits than were measured.
fn number(value: f64) -> String {
    if value.fract() == 0.0 { format!("{value}") } else { format!("{value:.5}") }
}

fn shown(points: &[Point]) -> String {
    let head = ["cgroup", "containers", "CPU per scrape", "wall", "RSS peak", "series", "body"];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    rows.extend(points.iter().map(|Point { version, containers, figures: f }| {
        let ms = |seconds: f64| format!("{:.2} ms", seconds * 1e3);
        let (size, body) = (bytes(f.peak), bytes(f.bytes as f64));
        let name = format!("{version:?}").to_lowercase();
        let count = containers.to_string();
        vec![name, count, ms(f.cpu), ms(f.wall), size, f.series.to_string(), body]
    }));
    columns(&rows, &[1, 2, 3, 4, 5, 6])
}

fn plots(points: &[Point]) -> [Plot; 2] {
    let line = |name, colour, version, value: fn(&Figures) -> f64| Line {
        name,
        colour,
        dashed: version == Version::V1,
        points: points
            .iter()
            .filter(|point| point.version == version)
            .map(|point| (point.containers as f64, value(&point.figures)))
            .collect(),
    };
    [
        Plot {
            title: "Resident memory at its peak, bytes",
            across: "containers",
            lines: vec![
                line("cgroup v2", "#0b6e4f", Version::V2, |f| f.peak),
                line("cgroup v1", "#1d4e89", Version::V1, |f| f.peak),
            ],
        },
        Plot {
            title: "CPU per scrape, seconds",
            across: "containers",
            lines: vec![
                line("cgroup v2", "#0b6e4f", Version::V2, |f| f.cpu),
                line("cgroup v1", "#1d4e89", Version::V1, |f| f.cpu),
            ],
        },
    ]
}
