//! Where the sources' facts come together: one directory of them, what is gone kept for a while, and questions about
//! what is unknown.

mod past;
mod unknown;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, mpsc, watch};
use tokio::time::{Instant, sleep, sleep_until};

use super::facts::Merged;
use super::shared::{Shared, WAITING};
use super::{Directory, Facts};
use past::Past;
use unknown::Unknown;

/// Changes that follow each other so closely make one directory.
const GATHER: Duration = Duration::from_millis(20);
/// What is gone is looked for again after so long.
const TIDY: Duration = Duration::from_secs(30);
/// A source is asked to look again no more often.
const PACE: Duration = Duration::from_secs(1);

/// Puts together what the sources tell. The order in which sources are added is the order in which they win.
#[derive(Debug)]
pub struct Hub {
    shared: Arc<Shared>,
    sources: Vec<watch::Receiver<Arc<Facts>>>,
    news: Arc<Notify>,
    unknown: mpsc::Receiver<Box<[u8]>>,
    demand: watch::Sender<u64>,
}

impl Default for Hub {
    fn default() -> Self {
        let (sender, unknown) = mpsc::channel(WAITING);
        Self {
            shared: Arc::new(Shared::new(sender)),
            sources: Vec::new(),
            news: Arc::default(),
            unknown,
            demand: watch::Sender::new(0),
        }
    }
}

impl Hub {
    pub fn shared(&self) -> Arc<Shared> {
        Arc::clone(&self.shared)
    }

    pub fn add_source(&mut self, name: &'static str) -> Reporter {
        let (facts, receiver) = watch::channel(Arc::default());
        self.sources.push(receiver);
        Reporter {
            name,
            index: self.shared.add_source(name),
            facts,
            news: Arc::clone(&self.news),
            shared: Arc::clone(&self.shared),
            demand: self.demand.subscribe(),
            last: None,
        }
    }

    /// Runs until it is dropped.
    pub async fn run(mut self) {
        let mut state = State::default();
        let mut unknown = Unknown::default();
        let mut tidy = Instant::now() + TIDY;
        loop {
            tokio::select! {
                () = self.news.notified() => {
                    sleep(GATHER).await;
                    self.renew(&mut state);
                }
                Some(id) = self.unknown.recv() => {
                    self.shared.looked_at(&id);
                    let directory = self.shared.load();
                    if !is_known(&directory, &id) && unknown.is_due(&id, Instant::now()) {
                        self.demand.send_modify(|count| *count += 1);
                    }
                }
                () = sleep_until(tidy) => {
                    tidy = Instant::now() + TIDY;
                    unknown.tidy(Instant::now());
                    if state.past.forget(Instant::now()) {
                        self.renew(&mut state);
                    }
                }
            }
        }
    }

    fn renew(&mut self, state: &mut State) {
        let facts: Vec<Arc<Facts>> =
            self.sources.iter_mut().map(|source| Arc::clone(&source.borrow_and_update())).collect();
        let merged = Merged::of(facts.iter().map(AsRef::as_ref));
        state.past.remember(&state.present, &merged, Instant::now());
        state.present = merged;
        state.generation += 1;
        self.shared.store(state.present.directory(state.past.merged(), state.generation));
    }
}

#[derive(Debug, Default)]
struct State {
    present: Merged,
    past: Past,
    generation: u64,
}

fn is_known(directory: &Directory, id: &[u8]) -> bool {
    directory.container(id).is_some() || directory.pod(id).is_some()
}

/// One source's end: it tells what it knows, and is told when something is missed.
#[derive(Debug)]
pub struct Reporter {
    name: &'static str,
    index: usize,
    facts: watch::Sender<Arc<Facts>>,
    news: Arc<Notify>,
    shared: Arc<Shared>,
    demand: watch::Receiver<u64>,
    last: Option<Instant>,
}

impl Reporter {
    /// All that the source knows now, in place of what it told before. That it can tell means that it works.
    pub fn tell(&mut self, facts: Facts) {
        self.works();
        self.shared.told(self.index, &facts);
        self.last = Some(Instant::now());
        self.correct(facts);
    }

    /// The same while the source does not work: what it told is wrong by now.
    pub fn correct(&self, facts: Facts) {
        let changed = self.facts.send_if_modified(|known| {
            let changed = **known != facts;
            if changed {
                *known = Arc::new(facts);
            }
            changed
        });
        if changed {
            self.news.notify_one();
        }
    }

    /// Why the source cannot say anything new. What it told before holds on.
    pub fn fails(&self, problem: &str) {
        if self.shared.failed(self.index, problem) {
            tracing::warn!(source = self.name, problem, "no news of identity");
        } else {
            tracing::debug!(source = self.name, problem, "no news of identity");
        }
    }

    pub fn works(&self) {
        if let Some(problem) = self.shared.worked(self.index) {
            tracing::info!(source = self.name, problem, "works again");
        }
    }

    /// Resolves when something was missed since the last call, and at most once a second.
    pub async fn asked(&mut self) {
        if self.demand.changed().await.is_err() {
            // Nobody is left who could ask.
            std::future::pending::<()>().await;
        }
        if let Some(last) = self.last {
            sleep_until(last + PACE).await;
        }
        self.last = Some(Instant::now());
        self.demand.mark_unchanged();
    }
}

#[cfg(test)]
mod tests;
