//! The curve over generated nodes: a table for programs and a plot for people, in cadvisor-proxy-rs/docs.
//!
//! The files of a generated node are a disk's: they are opened anew each time, and the kernel does not have to write them.
//! So there is a third line, of cgroups of this machine's kernel.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context, Result};
use e2e::cgroups::{Driver, Node, Shape, Version};

use super::Figures;
use super::live::Live;
use super::subject::Subject;
use crate::bench::plot::{Line, Plot, svg};
use crate::binary::workspace;
use crate::table::{bytes, columns};

const CONTAINERS: [usize; 6] = [50, 100, 200, 300, 400, 500];
/// One after another: CPU time is counted in hundredths of a second.
const SCRAPES: u32 = 100;

/// Whose files are read.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Files {
    Generated(Version),
    Kernel,
}

impl Files {
    fn name(self) -> &'static str {
        match self {
            Self::Generated(Version::V2) => "v2, generated",
            Self::Generated(Version::V1) => "v1, generated",
            Self::Kernel => "v1, this kernel",
        }
    }
}

struct Point {
    files: Files,
    containers: usize,
    figures: Figures,
}

pub(super) fn run(program: &Path) -> Result<()> {
    let mut points = Vec::new();
    for files in [Files::Generated(Version::V2), Files::Generated(Version::V1), Files::Kernel] {
        for containers in CONTAINERS {
            let figures = match files {
                Files::Generated(version) => Some(generated(program, version, containers)?),
                Files::Kernel => kernels(program, containers)?,
            };
            points.extend(figures.map(|figures| Point { files, containers, figures }));
        }
    }
    if points.iter().all(|point| point.files != Files::Kernel) {
        println!("SKIPPED: cgroups of this kernel: they take root and cgroup v1");
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

fn generated(program: &Path, version: Version, containers: usize) -> Result<Figures> {
    let node = Node::generate(Shape { version, driver: Driver::Systemd, containers })?;
    let flags = [
        "--identity=none".to_owned(),
        format!("--path.procfs={}", node.proc().display()),
        format!("--path.sysfs={}", node.sys().display()),
        format!("--path.rootfs={}", node.root().display()),
    ];
    measure(program, &flags)
}

fn kernels(program: &Path, containers: usize) -> Result<Option<Figures>> {
    let live = Live::start(containers)?;
    live.map(|_live| measure(program, &["--identity=none".to_owned()])).transpose()
}

fn measure(program: &Path, flags: &[String]) -> Result<Figures> {
    let mut subject = Subject::ours(program, flags)?;
    subject.begin()?;
    for _ in 0..SCRAPES {
        subject.scrape()?;
    }
    subject.end()
}

/// A column: its name, and its value in seconds, bytes, or a number of things.
type Column = (&'static str, fn(&Point) -> f64);

const COLUMNS: [Column; 6] = [
    ("containers", |p| p.containers as f64),
    ("series", |p| p.figures.series as f64),
    ("body_bytes", |p| p.figures.bytes as f64),
    ("cpu_seconds", |p| p.figures.cpu),
    ("wall_seconds", |p| p.figures.wall),
    ("rss_peak_bytes", |p| p.figures.peak),
];

fn table(points: &[Point]) -> String {
    let mut out = "cgroup\t".to_owned() + &COLUMNS.map(|(name, _)| name).join("\t") + "\n";
    for point in points {
        let cells = COLUMNS.map(|(_, value)| number(value(point)));
        // Writing to a String cannot fail.
        _ = writeln!(out, "{}\t{}", point.files.name(), cells.join("\t"));
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
    rows.extend(points.iter().map(|Point { files, containers, figures: f }| {
        let ms = |seconds: f64| format!("{:.2} ms", seconds * 1e3);
        let (size, body) = (bytes(f.peak), bytes(f.bytes as f64));
        let count = containers.to_string();
        vec![
            files.name().to_owned(),
            count,
            ms(f.cpu),
            ms(f.wall),
            size,
            f.series.to_string(),
            body,
        ]
    }));
    columns(&rows, &[1, 2, 3, 4, 5, 6])
}

fn plots(points: &[Point]) -> [Plot; 2] {
    let line = |files: Files, colour, value: fn(&Figures) -> f64| Line {
        name: files.name(),
        colour,
        dashed: files != Files::Kernel,
        points: points
            .iter()
            .filter(|point| point.files == files)
            .map(|point| (point.containers as f64, value(&point.figures)))
            .collect(),
    };
    let lines = |value: fn(&Figures) -> f64| {
        vec![
            line(Files::Kernel, "#0b6e4f", value),
            line(Files::Generated(Version::V2), "#1d4e89", value),
            line(Files::Generated(Version::V1), "#e08e45", value),
        ]
    };
    [
        Plot {
            title: "Resident memory at its peak, bytes",
            across: "containers",
            lines: lines(|f| f.peak),
        },
        Plot { title: "CPU per scrape, seconds", across: "containers", lines: lines(|f| f.cpu) },
    ]
}
