//! The table.

use super::measure::{Change, Figures};
use super::recorded::{BARS, Bar, CHURN, PEAK, PEER, Peer, START, of};
use crate::table::columns;

/// Figures beside the bars, and beside the peer's: those measured, or else those recorded.
pub(super) fn table(ours: &Figures, peer: Option<&Figures>) -> String {
    let known = match peer {
        Some(figures) => measured(figures),
        None => of(&PEER, ours.pods, |peer| peer.pods).unwrap_or_default(),
    };
    let bar = of(&BARS, ours.pods, |bar| bar.pods);
    let name = if peer.is_some() { "kube-state-metrics" } else { "its peer, recorded" };
    let head = ["", "kube-state-rs", "bar", name, "ratio"];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    start(ours, known, &mut rows);
    memory(ours, bar, known, &mut rows);
    scrapes(ours, peer, bar, known, &mut rows);
    changes(ours, peer, bar, &mut rows);
    churn(ours, peer, known, &mut rows);
    let [plain, gzip] = [ours.plain_bytes, ours.gzip_bytes].map(|bytes| size(bytes as f64));
    format!(
        "\n{} pods, {} series, {plain} of text, {gzip} with gzip\n{}",
        ours.pods,
        ours.series,
        columns(&rows, &[1, 2, 3, 4])
    )
}

/// What was measured of the peer in the form of what was recorded of it.
fn measured(figures: &Figures) -> Peer {
    Peer {
        pods: figures.pods,
        rss: Some(figures.settled.now),
        start_peak: Some(figures.started.peak),
        start: Some(figures.complete.cpu),
        plain: Some(figures.plain.cpu),
        plain_wall: Some(figures.plain.wall),
        gzip: Some(figures.gzip.cpu),
        churn: figures.churn.get(1).map(|(_, share)| *share),
    }
}

type Rows = Vec<Vec<String>>;
type Write = fn(f64) -> String;

fn row(what: &str, write: Write, ours: f64, bar: Option<f64>, peer: Option<f64>, rows: &mut Rows) {
    let or_blank = |value: Option<f64>| value.map(write).unwrap_or_default();
    let verdict = match bar {
        Some(bar) if ours > bar => "  MISSED",
        _ => "",
    };
    let ratio = peer.map(|peer| ratio(ours / peer)).unwrap_or_default();
    rows.push(vec![what.to_owned(), write(ours), or_blank(bar) + verdict, or_blank(peer), ratio]);
}

fn start(ours: &Figures, peer: Peer, rows: &mut Rows) {
    row("ready, wall", time, ours.ready.wall, None, None, rows);
    row("first complete scrape, wall", time, ours.complete.wall, None, None, rows);
    let bar = peer.start.map(|cpu| cpu * START);
    row("first complete scrape, CPU", time, ours.complete.cpu, bar, peer.start, rows);
}

fn memory(ours: &Figures, bar: Option<Bar>, peer: Peer, rows: &mut Rows) {
    row("RSS", size, ours.settled.now, bar.map(|bar| bar.rss), peer.rss, rows);
    row("RSS that is no file's", size, ours.settled.anonymous, None, None, rows);
    let most = Some(ours.settled.now * PEAK);
    row("RSS peak at the start", size, ours.started.peak, most, peer.start_peak, rows);
    row("RSS at the end", size, ours.last.now, None, None, rows);
    row("RSS peak at the end", size, ours.last.peak, None, None, rows);
}

fn scrapes(
    ours: &Figures,
    peer_now: Option<&Figures>,
    bar: Option<Bar>,
    peer: Peer,
    rows: &mut Rows,
) {
    let gzip = bar.and_then(|bar| bar.gzip);
    row("gzip scrape, CPU", time, ours.gzip.cpu, gzip, peer.gzip, rows);
    let wall = peer_now.map(|peer| peer.gzip.wall);
    row("gzip scrape, wall", time, ours.gzip.wall, None, wall, rows);
    let plain = bar.map(|bar| bar.plain);
    row("plain scrape, CPU", time, ours.plain.cpu, plain, peer.plain, rows);
    row("plain scrape, wall", time, ours.plain.wall, None, peer.plain_wall, rows);
}

fn changes(ours: &Figures, peer: Option<&Figures>, bar: Option<Bar>, rows: &mut Rows) {
    // The order of `measure::CHANGES`.
    let bars = [None, bar.and_then(|bar| bar.restarts), bar.and_then(|bar| bar.replaced)];
    for (place, (name, change)) in ours.changes.iter().enumerate() {
        let peer = |of: fn(&Change) -> f64| {
            peer.and_then(|peer| peer.changes.get(place)).map(|(_, change)| of(change))
        };
        rows.push(vec![format!("{name}:")]);
        row("  taking it in, CPU", time, change.taken_in, None, peer(|c| c.taken_in), rows);
        let bar = bars.get(place).copied().flatten();
        row("  gzip scrape, CPU", time, change.scrape.cpu, bar, peer(|c| c.scrape.cpu), rows);
        row("  gzip scrape, wall", time, change.scrape.wall, None, peer(|c| c.scrape.wall), rows);
    }
}

fn churn(ours: &Figures, peer: Option<&Figures>, known: Peer, rows: &mut Rows) {
    row("idle, of a core", percent, ours.idle, None, peer.map(|peer| peer.idle), rows);
    for (place, (name, share)) in ours.churn.iter().enumerate() {
        let measured = peer.and_then(|peer| peer.churn.get(place)).map(|(_, share)| *share);
        // What was recorded was without scrapes.
        let known = known.churn.filter(|_| place == 1);
        let bar = (place < 2).then_some(CHURN);
        row(name, percent, *share, bar, measured.or(known), rows);
    }
}

fn time(seconds: f64) -> String {
    if seconds < 0.1 { format!("{:.2} ms", seconds * 1e3) } else { format!("{seconds:.2} s") }
}

/// Powers of ten, as the bars are.
fn size(bytes: f64) -> String {
    format!("{:.1} MB", bytes / 1e6)
}

fn percent(share: f64) -> String {
    format!("{:.2} %", share * 100.0)
}

/// `1/8.0` for an eighth, `1.50` where ours is more.
fn ratio(value: f64) -> String {
    if value < 0.95 { format!("1/{:.1}", 1.0 / value) } else { format!("{value:.2}") }
}
