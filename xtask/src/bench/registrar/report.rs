//! The tables.

use super::measure::{Cold, Cost, FromFile, FromPods, Large};
use crate::table::columns;

type Rows = Vec<Vec<String>>;

pub(super) fn table(
    targets: usize,
    file: &FromFile,
    pods: &FromPods,
    peer: Option<&Cost>,
) -> String {
    let head = ["", "measured", "bar", "one by one", "ratio"];
    let mut rows: Rows = vec![head.map(str::to_owned).to_vec()];
    cold("from a file", &file.cold, peer, true, &mut rows);
    row("warm start, wall", time(file.warm.wall), None, &mut rows);
    row("warm start, CPU", time(file.warm.cpu), None, &mut rows);
    row("warm start, transactions", file.warm_writes.to_string(), None, &mut rows);
    let idle = format!("{:.3} %", file.idle * 100.0);
    let what = format!("idle for {:.0} s, of a core", file.idle_seconds);
    row(&what, idle, Some(bar("0.1 %", file.idle > 0.001)), &mut rows);
    row("calls of Consul meanwhile", file.idle_calls.to_string(), None, &mut rows);
    cold("from pods", &pods.cold, None, false, &mut rows);
    let waits = &pods.waits;
    row("a pod comes until a watcher sees it, p50", time(waits.quantile(0.5)), None, &mut rows);
    let most = waits.quantile(0.99);
    row("p99", time(most), Some(bar("250 ms", most > 0.25)), &mut rows);
    row("longest", time(waits.quantile(1.0)), None, &mut rows);
    row("CPU for each", time(waits.cpu), None, &mut rows);
    format!("\n{targets} targets\n{}", columns(&rows, &[1, 2, 3, 4]))
}

fn cold(name: &str, cold: &Cold, peer: Option<&Cost>, bars: bool, rows: &mut Rows) {
    let beside = |ours: f64, peers: fn(&Cost) -> f64, rows: &mut Rows| {
        if let (Some(peer), Some(last)) = (peer, rows.last_mut()) {
            last.extend([time(peers(peer)), format!("1/{:.1}", peers(peer) / ours)]);
        }
    };
    let bar = |text, missed| bars.then(|| bar(text, missed));
    let cost = &cold.ours;
    row(&format!("all, {name}, wall"), time(cost.wall), bar("3 s", cost.wall > 3.0), rows);
    beside(cost.wall, |peer| peer.wall, rows);
    row("own CPU", time(cost.cpu), bar("250 ms", cost.cpu > 0.25), rows);
    row("own CPU until it rests", time(cold.rested), None, rows);
    row("Consul's CPU", time(cold.consul), None, rows);
    beside(cold.consul, |peer| peer.cpu, rows);
    row("transactions", cold.transactions.to_string(), None, rows);
    let memory = cold.memory;
    row("RSS at rest", size(memory.now), bar("20 MB", memory.now > 20e6), rows);
    row("RSS that is no file's", size(memory.anonymous), None, rows);
    row("RSS peak", size(memory.peak), None, rows);
}

pub(super) fn large(targets: usize, large: &Large) -> String {
    let mut rows: Rows = Vec::new();
    row("file_sd written, wall", time(large.written.wall), None, &mut rows);
    row("own CPU", time(large.written.cpu), None, &mut rows);
    row("RSS at rest", size(large.memory.now), None, &mut rows);
    row("RSS peak", size(large.memory.peak), None, &mut rows);
    row("http_sd, wall", time(large.served.wall), None, &mut rows);
    row("http_sd, CPU", time(large.served.cpu), None, &mut rows);
    row("http_sd, bytes", size(large.bytes), None, &mut rows);
    row("http_sd unchanged (304), wall", time(large.unchanged.wall), None, &mut rows);
    row("http_sd unchanged (304), CPU", time(large.unchanged.cpu), None, &mut rows);
    format!("\n{targets} targets in file_sd and http_sd, no Consul\n{}", columns(&rows, &[1]))
}

fn bar(text: &str, missed: bool) -> String {
    format!("{text}{}", if missed { "  MISSED" } else { "" })
}

fn row(what: &str, value: String, bar: Option<String>, rows: &mut Rows) {
    rows.push(vec![what.to_owned(), value, bar.unwrap_or_default()]);
}

fn time(seconds: f64) -> String {
    if seconds < 1.0 { format!("{:.0} ms", seconds * 1e3) } else { format!("{seconds:.2} s") }
}

/// Powers of ten, as the bars are.
fn size(bytes: f64) -> String {
    format!("{:.1} MB", bytes / 1e6)
}
