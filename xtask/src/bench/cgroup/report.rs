//! The table, with the bars.

use super::Figures;
use crate::table::{bytes, columns};

/// Of the peer's CPU.
const CPU: f64 = 1.0 / 15.0;
/// Bytes of memory.
const MEMORY: f64 = 8e6;

pub(super) fn table(ours: Figures, peer: Figures) -> String {
    let head = ["", "cadvisor-proxy-rs", "cAdvisor", "ratio", "bar"];
    let verdict =
        |bar: &str, met: bool| if met { bar.to_owned() } else { format!("{bar}  MISSED") };
    let row = |what: &str, write: fn(f64) -> String, ours: f64, peer: f64, bar: String| {
        vec![what.to_owned(), write(ours), write(peer), ratio(ours, peer), bar]
    };
    let rows = [
        head.map(str::to_owned).to_vec(),
        row(
            "CPU per scrape, all of it",
            time,
            ours.cpu,
            peer.cpu,
            verdict("1/15", ours.cpu <= peer.cpu * CPU),
        ),
        row("scrape, wall", time, ours.wall, peer.wall, String::new()),
        row("RSS", size, ours.memory, peer.memory, String::new()),
        row("RSS peak", size, ours.peak, peer.peak, verdict("8 MB", ours.peak <= MEMORY)),
        row("series", whole, ours.series as f64, peer.series as f64, String::new()),
        row("body", bytes, ours.bytes as f64, peer.bytes as f64, String::new()),
    ];
    columns(&rows, &[1, 2, 3, 4])
}

fn ratio(ours: f64, peer: f64) -> String {
    if ours < peer { format!("1/{:.1}", peer / ours) } else { format!("{:.2}", ours / peer) }
}

fn time(seconds: f64) -> String {
    format!("{:.2} ms", seconds * 1e3)
}

fn size(bytes: f64) -> String {
    format!("{:.1} MB", bytes / 1e6)
}

fn whole(number: f64) -> String {
    format!("{number}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_that_is_missed_says_so() {
        let peer = Figures { cpu: 0.15, peak: 48e6, ..Figures::default() };
        let ours = Figures { cpu: 0.009, peak: 8.1e6, ..Figures::default() };
        let text = table(ours, peer);
        let line = |start: &str| text.lines().find(|line| line.trim_start().starts_with(start));
        assert!(line("CPU").is_some_and(|line| line.ends_with("1/16.7          1/15")), "{text}");
        assert!(line("RSS peak").is_some_and(|line| line.ends_with("8 MB  MISSED")), "{text}");
    }
}
