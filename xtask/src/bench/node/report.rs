//! The table.

use super::{Block, Costs};
use crate::table::{bytes, columns};

pub(crate) fn table(ours: &Costs, peer: &Costs) -> String {
    let mut rows = vec![
        ["", "node-exporter-rs", "node_exporter", "ratio"].map(str::to_owned).to_vec(),
        timed("CPU per scrape", &ours.blocks, &peer.blocks, |block| block.cpu),
        timed("answer time, median", &ours.blocks, &peer.blocks, |block| block.latency),
        timed("CPU without gzip", &ours.uncompressed, &peer.uncompressed, |block| block.cpu),
    ];
    let sizes = [
        ("RSS before the first scrape", ours.fresh, peer.fresh),
        ("RSS after the last", ours.idle, peer.idle),
        ("RSS peak", ours.peak, peer.peak),
        ("answer, plain", ours.plain as f64, peer.plain as f64),
        ("answer, gzip", ours.gzip as f64, peer.gzip as f64),
    ];
    for (what, ours, peer) in sizes {
        rows.push(vec![what.to_owned(), bytes(ours), bytes(peer), ratio(ours / peer)]);
    }
    let (one, other) = (ours.series as f64, peer.series as f64);
    rows.push(vec!["series".to_owned(), one.to_string(), other.to_string(), ratio(one / other)]);
    columns(&rows, &[1, 2, 3])
}

/// Minimum and median over the rounds, and the lowest and highest ratio of a round's pair.
fn timed(what: &str, ours: &[Block], peer: &[Block], of: impl Fn(&Block) -> f64) -> Vec<String> {
    let sorted = |values: Vec<f64>| {
        let mut values = values;
        values.sort_by(f64::total_cmp);
        values
    };
    let all = |blocks: &[Block]| sorted(blocks.iter().map(&of).collect());
    let pairs = ours.iter().zip(peer).map(|(one, other)| of(one) / of(other));
    let pairs = sorted(pairs.collect());
    let ends = |values: &[f64]| {
        let at = |i| values.get(i).copied().unwrap_or(f64::NAN);
        (at(0), at(values.len() / 2), at(values.len().saturating_sub(1)))
    };
    let text = |values: &[f64]| {
        let (least, middle, _) = ends(values);
        format!("{} ms (min {})", milliseconds(middle), milliseconds(least))
    };
    let (least, middle, most) = ends(&pairs);
    let pairs = format!("{} ({} to {})", ratio(middle), ratio(least), ratio(most));
    vec![what.to_owned(), text(&all(ours)), text(&all(peer)), pairs]
}

fn milliseconds(seconds: f64) -> String {
    format!("{:.2}", seconds * 1000.0)
}

/// `1/8.0` for an eighth, `1.50` where ours is more.
fn ratio(value: f64) -> String {
    if value < 0.95 { format!("1/{:.1}", 1.0 / value) } else { format!("{value:.2}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_are_of_each_pair_and_read_as_fractions() {
        let blocks = |cpu: [f64; 3]| cpu.map(|cpu| Block { cpu, latency: 1.0 });
        let row =
            timed("x", &blocks([0.001, 0.002, 0.003]), &blocks([0.008, 0.008, 0.03]), |b| b.cpu);
        assert_eq!(
            row,
            ["x", "2.00 ms (min 1.00)", "8.00 ms (min 8.00)", "1/8.0 (1/10.0 to 1/4.0)"]
        );
        assert_eq!(ratio(1.5), "1.50");
    }
}
