//! A scraper that asks ten times a second and takes nothing less than a whole answer.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use e2e::Scrape;
use e2e::http::Request;

use crate::subject::ready;

const INTERVAL: Duration = Duration::from_millis(100);
/// An answer that differs from the one before is counted each time, and read to the letter this often.
const READ: Duration = Duration::from_secs(1);
/// So many wrong answers say enough.
const WRONG: usize = 5;

/// Scrapes in the background until it is asked for its report.
pub(crate) struct Checker {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Report>,
}

/// What it met.
#[derive(Debug, Default)]
struct Report {
    scrapes: usize,
    /// Answers that were not, to the byte, the one before.
    different: usize,
    longest: Duration,
    wrong: Vec<String>,
}

/// Reads answers. No family may have fewer series than in the first answer: what has them is not changed meanwhile.
struct Reader {
    /// Series with this text come and go.
    changing: String,
    first: Option<BTreeMap<Vec<u8>, usize>>,
    last: Vec<u8>,
    read: Option<Instant>,
}

impl Checker {
    /// Scrapes what is ready, and leaves series that hold this text out of account.
    pub(crate) fn start(address: SocketAddr, changing: &str) -> Self {
        let stop = Arc::<AtomicBool>::default();
        let mut reader =
            Reader { changing: changing.to_owned(), first: None, last: Vec::new(), read: None };
        reader.scrape(address, &mut Report::default()).unwrap();
        let stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            let (mut report, start) = (Report::default(), Instant::now());
            while !stopped.load(Ordering::Relaxed) && report.wrong.len() < WRONG {
                let asked = Instant::now();
                if let Err(error) = reader.scrape(address, &mut report) {
                    let number = report.scrapes;
                    report.wrong.push(format!("{number} after {:?}: {error:#}", start.elapsed()));
                }
                std::thread::sleep(INTERVAL.saturating_sub(asked.elapsed()));
            }
            report
        });
        Self { stop, thread }
    }

    /// Ends it; any answer that was not whole is a failure.
    pub(crate) fn finish(self, test: &str) {
        self.stop.store(true, Ordering::Relaxed);
        let Report { scrapes, different, longest, wrong } = self.thread.join().unwrap();
        eprintln!("{test}: {scrapes} scrapes, {different} of them news, the longest {longest:?}");
        assert!(wrong.is_empty(), "answers that were not whole:\n{}", wrong.join("\n"));
        assert!(scrapes > 0, "no scrape");
    }
}

impl Reader {
    fn scrape(&mut self, address: SocketAddr, report: &mut Report) -> Result<()> {
        report.scrapes += 1;
        let asked = Instant::now();
        let request = Request::new(address, "/metrics").header("Accept-Encoding", "gzip");
        // What Prometheus waits by default.
        let response = request.timeout(Duration::from_secs(10)).send()?;
        report.longest = report.longest.max(asked.elapsed());
        ensure!(response.status == 200, "status {}", response.status);
        // What was complete once stays complete, though it may get old.
        ready(address)?;
        if response.body == self.last {
            return Ok(());
        }
        report.different += 1;
        let text = response.text()?;
        self.last = response.body;
        if self.read.is_none_or(|read| read.elapsed() >= READ) {
            Scrape::parse(&text)?;
            self.read = Some(Instant::now());
        }
        self.compare(count(&text, &self.changing))
    }

    fn compare(&mut self, now: BTreeMap<Vec<u8>, usize>) -> Result<()> {
        let first = self.first.get_or_insert_with(|| now.clone());
        for (family, count) in first {
            let left = now.get(family).copied().unwrap_or(0);
            let family = String::from_utf8_lossy(family);
            ensure!(left >= *count, "{left} series of {family} instead of {count}");
        }
        Ok(())
    }
}

/// Series by name, less those that hold a text.
fn count(text: &str, changing: &str) -> BTreeMap<Vec<u8>, usize> {
    let mut counts = BTreeMap::new();
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    for line in lines.filter(|line| changing.is_empty() || !line.contains(changing)) {
        let name = line.split(['{', ' ']).next().unwrap_or_default();
        match counts.get_mut(name.as_bytes()) {
            Some(count) => *count += 1,
            None => _ = counts.insert(name.as_bytes().to_vec(), 1),
        }
    }
    counts
}
