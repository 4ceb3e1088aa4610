//! Scrapes while something else happens, for tests in which none may be lost.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, ensure};

use crate::http;

/// Scrapes some addresses in turn, on a connection each; the first scrape that fails ends it. Dropping it ends it too.
#[derive(Debug)]
pub struct Scraper {
    ends: Ending,
    thread: JoinHandle<Result<usize>>,
}

/// Ends the scrapes also where the test fails.
#[derive(Debug)]
struct Ending(Arc<AtomicBool>);

impl Drop for Ending {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Scraper {
    /// Every answer has to hold `expected`; `pause` is between two rounds.
    pub fn start(addresses: Vec<SocketAddr>, expected: &'static str, pause: Duration) -> Self {
        let ends = Arc::<AtomicBool>::default();
        let ended = Arc::clone(&ends);
        let thread = thread::spawn(move || {
            let mut scrapes = 0;
            while !ended.load(Ordering::Relaxed) {
                for address in &addresses {
                    scrape(*address, expected).with_context(|| format!("{address}"))?;
                    scrapes += 1;
                }
                thread::sleep(pause);
            }
            Ok(scrapes)
        });
        Self { ends: Ending(ends), thread }
    }

    /// How many scrapes were answered, or what was wrong with the one that was not.
    pub fn end(self) -> Result<usize> {
        drop(self.ends);
        self.thread.join().map_err(|_| anyhow!("the scraper panicked"))?
    }
}

fn scrape(address: SocketAddr, expected: &str) -> Result<()> {
    let response = http::get(address, "/metrics")?;
    let text = response.text()?;
    ensure!(response.status == 200 && text.contains(expected), "{}: {text}", response.status);
    Ok(())
}
