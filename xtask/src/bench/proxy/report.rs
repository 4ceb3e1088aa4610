//! The table of one body.

use std::fmt::Write as _;

use super::{Costs, Figures};
use crate::table::{bytes, columns};

pub(super) fn table(figures: &Figures) -> String {
    let heads = ["", "CPU per scrape", "to the first byte", "RSS peak", "body out"];
    let mut rows = vec![heads.map(str::to_owned).to_vec()];
    let rules = "cadvisor-proxy-rs, kube-prometheus-stack";
    rows.push(row("cadvisor-proxy-rs, no rules", &figures.none));
    rows.push(row(rules, &figures.rules));
    rows.push(row("cadvisor-proxy-rs, no rules, gzip", &figures.gzip));
    if let Some(seconds) = figures.gzip_alone {
        rows.push(vec!["gzip -1 of that alone".to_owned(), milliseconds(seconds)]);
    }
    if let Some(peer) = &figures.peer {
        rows.push(row("vmagent, the same rules", peer));
    }
    let mut text = format!("A body of {}, {}:\n", figures.size, bytes(figures.bytes as f64));
    text.push_str(&columns(&rows, &[1, 2, 3, 4]));
    if let Some(peer) = &figures.peer {
        let (cpu, peak) =
            (median(&peer.cpu) / median(&figures.rules.cpu), peer.peak / figures.rules.peak);
        // Writing to a String cannot fail.
        _ = writeln!(
            text,
            "  vmagent takes {cpu:.1} times the CPU and {peak:.1} times the memory."
        );
    }
    text.push('\n');
    text
}

fn row(what: &str, costs: &Costs) -> Vec<String> {
    let least = costs.cpu.iter().copied().fold(f64::INFINITY, f64::min);
    let cpu = format!("{} (min {})", milliseconds(median(&costs.cpu)), milliseconds(least));
    let first = if costs.first_byte.is_empty() {
        String::new()
    } else {
        milliseconds(median(&costs.first_byte))
    };
    let out = if costs.bytes == 0 { String::new() } else { bytes(costs.bytes as f64) };
    vec![what.to_owned(), cpu, first, bytes(costs.peak), out]
}

fn median(values: &[f64]) -> f64 {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

fn milliseconds(seconds: f64) -> String {
    format!("{:.1} ms", seconds * 1000.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_has_what_was_measured_and_nothing_else() {
        let costs = |cpu: [f64; 3], peak| Costs { cpu: cpu.to_vec(), peak, ..Costs::default() };
        let figures = Figures {
            size: "1x2".to_owned(),
            rules: costs([0.02, 0.01, 0.03], 1024.0),
            peer: Some(costs([0.2, 0.1, 0.3], 4096.0)),
            ..Figures::default()
        };
        let text = table(&figures);
        assert!(text.contains("20.0 ms (min 10.0 ms)"), "{text}");
        assert!(text.ends_with("10.0 times the CPU and 4.0 times the memory.\n\n"), "{text}");
        assert!(!text.contains("gzip -1"), "{text}");
    }
}
