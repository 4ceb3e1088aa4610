//! An update of each agent, as `kubectl rollout restart` makes it, and what scrapers see of it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{JoinHandle, sleep, spawn};
use std::time::{Duration, Instant};

use e2e::http::Request;
use e2e::storage::value;

use crate::found::{both, every_target_is_up};
use crate::stage::{PATIENCE, SPACE, Stage};

/// Kind, name, port and path of what is scraped, job.
const UPDATES: [(&str, &str, u16, &str, &str); 4] = [
    ("daemonset", "node-exporter-rs", 9100, "/metrics", "node-exporter"),
    ("daemonset", "cadvisor-proxy-rs", 4194, "/metrics/cadvisor", "cadvisor-proxy"),
    ("deployment", "kube-state-rs", 10241, "/metrics", "kube-state"),
    ("deployment", "consul-registrar", 10243, "/metrics", "consul-registrar"),
];

/// A scraper that notes from when to when nothing whole was answered.
struct Watcher {
    ends: Arc<AtomicBool>,
    thread: JoinHandle<(usize, Duration)>,
}

impl Watcher {
    fn start(address: SocketAddr, path: &'static str) -> Self {
        let ends = Arc::<AtomicBool>::default();
        let ended = Arc::clone(&ends);
        let thread = spawn(move || {
            let (mut scrapes, mut longest, mut whole) = (0, Duration::ZERO, Instant::now());
            while !ended.load(Ordering::Relaxed) {
                let request = Request::new(address, path).timeout(PATIENCE);
                let answered = request.send().is_ok_and(|answer| answer.status == 200);
                if answered {
                    whole = Instant::now();
                } else {
                    longest = longest.max(whole.elapsed());
                }
                scrapes += 1;
                sleep(Duration::from_millis(50));
            }
            (scrapes, longest)
        });
        Self { ends, thread }
    }

    /// How often it asked, and for how long it got nothing at worst.
    fn finish(self) -> (usize, Duration) {
        self.ends.store(true, Ordering::Relaxed);
        self.thread.join().unwrap()
    }
}

/// All four at once, with the node's ports as the only ones there are. Deployments share them with the pod before, and lose
/// nothing; of `DaemonSet`s, which Kubernetes 1.20 updates by deleting first, what is lost is measured, and nothing stays lost.
pub(crate) fn an_update_of_every_agent_is_seen_through(stage: &Stage) {
    let watchers = UPDATES.map(|(kind, name, port, path, job)| {
        (kind, name, job, Watcher::start(format!("{}:{port}", stage.ip).parse().unwrap(), path))
    });
    let start = Instant::now();
    for (kind, name, ..) in UPDATES {
        let what = format!("{kind}/{name}");
        stage.cluster.kubectl(&["rollout", "restart", &what, "--namespace", SPACE]).unwrap();
    }
    for (kind, name, ..) in UPDATES {
        stage.rolls_out(SPACE, kind, name);
    }
    every_target_is_up(stage);
    let window = start.elapsed().as_secs() + 1;
    for (kind, name, job, watcher) in watchers {
        let shares = kind == "deployment";
        let (scrapes, longest) = watcher.finish();
        assert!(!shares || longest.is_zero(), "{name}: nothing for {longest:.1?}");
        println!("{name}: nothing for {longest:.1?} at worst, of {scrapes} scrapes");
        for (how, asked) in both(stage) {
            let sum = |query: &str| {
                let series = asked.series(query).unwrap();
                series.iter().map(|one| value(one).unwrap()).sum::<f64>()
            };
            let all = sum(&format!("count_over_time(up{{job={job:?}}}[{window}s])"));
            let whole = sum(&format!("sum_over_time(up{{job={job:?}}}[{window}s])"));
            println!("{name}: {} of {all} scrapes lost, {how}", all - whole);
            assert!(whole > 0.0, "{name}: no scrape at all, {how}");
            assert!(!shares || whole >= all, "{name}: scrapes lost, {how}");
        }
    }
}
