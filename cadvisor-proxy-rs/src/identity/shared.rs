//! What a scrape holds of all this: the directory as it is now, and a way to say what it misses.

use std::hash::Hasher as _;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::ArcSwap;
use tokio::sync::mpsc;

use super::map::Quick;
use super::{Directory, Facts};

/// Ids that wait to be looked at; what comes beyond is met again at the next scrape.
pub(super) const WAITING: usize = 256;

/// The directory, swapped in whole whenever something changed.
#[derive(Debug)]
pub struct Shared {
    directory: ArcSwap<Directory>,
    unknown: mpsc::Sender<Box<[u8]>>,
    /// Hashes of ids that wait, so that an id that stands on each line is told once.
    told: [AtomicU64; WAITING],
    sources: Mutex<Vec<SourceStatus>>,
}

/// How a source of identity stands, for a person and for the proxy's own telemetry.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SourceStatus {
    /// `docker`, `kubelet`, `api`, `environment`, `file`.
    pub name: &'static str,
    /// Why it says nothing new; `None` while it works.
    pub problem: Option<String>,
    /// It has told all it knows at least once.
    pub complete: bool,
    pub pods: usize,
    pub containers: usize,
    pub failures: u64,
}

impl Shared {
    pub(super) fn new(unknown: mpsc::Sender<Box<[u8]>>) -> Self {
        Self {
            directory: ArcSwap::default(),
            unknown,
            told: [const { AtomicU64::new(0) }; WAITING],
            sources: Mutex::default(),
        }
    }

    /// One that never changes, as for a file that is rewritten offline.
    pub fn fixed(directory: Directory) -> Self {
        let (unknown, _) = mpsc::channel(1);
        let shared = Self::new(unknown);
        shared.directory.store(Arc::new(directory));
        shared
    }

    /// What is known now. A scrape keeps it to its end, so that one body has one answer.
    pub fn load(&self) -> Arc<Directory> {
        self.directory.load_full()
    }

    /// Says that a container's id, or a pod's uid, was met and is not known: the sources that can look will, soon. Never
    /// blocks, and costs nothing for an id that waits already.
    pub fn unknown(&self, id: &[u8]) {
        let (slot, hash) = self.slot(id);
        if slot.swap(hash, Relaxed) != hash && self.unknown.try_send(id.into()).is_err() {
            slot.store(0, Relaxed);
        }
    }

    pub(super) fn looked_at(&self, id: &[u8]) {
        self.slot(id).0.store(0, Relaxed);
    }

    fn slot(&self, id: &[u8]) -> (&AtomicU64, u64) {
        let mut hasher = Quick::default();
        hasher.write(id);
        let hash = hasher.finish() | 1;
        // The remainder is below the length.
        (&self.told[(hash >> 1) as usize % WAITING], hash)
    }

    pub(crate) fn store(&self, directory: Directory) {
        self.directory.store(Arc::new(directory));
    }

    /// In the order in which they win over each other.
    pub fn sources(&self) -> Vec<SourceStatus> {
        self.statuses().clone()
    }

    /// Whether each source knows whom it is to know; the error is the reason.
    pub fn ready(&self) -> Result<(), String> {
        match self.sources().into_iter().find(|source| !source.complete) {
            None => Ok(()),
            Some(source) => {
                let problem =
                    source.problem.unwrap_or_else(|| "it has not answered yet".to_owned());
                Err(format!("identity source {}: {problem}", source.name))
            }
        }
    }

    fn statuses(&self) -> MutexGuard<'_, Vec<SourceStatus>> {
        self.sources.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn add_source(&self, name: &'static str) -> usize {
        let mut sources = self.statuses();
        sources.push(SourceStatus { name, ..SourceStatus::default() });
        sources.len() - 1
    }

    /// Returns whether the problem is a new one.
    pub(super) fn failed(&self, source: usize, problem: &str) -> bool {
        let mut sources = self.statuses();
        let Some(status) = sources.get_mut(source) else { return false };
        status.failures += 1;
        let known = status.problem.as_deref() == Some(problem);
        status.problem = Some(problem.to_owned());
        !known
    }

    /// Returns the problem that is over.
    pub(super) fn worked(&self, source: usize) -> Option<String> {
        self.statuses().get_mut(source)?.problem.take()
    }

    pub(super) fn told(&self, source: usize, facts: &Facts) {
        if let Some(status) = self.statuses().get_mut(source) {
            status.complete = true;
            (status.pods, status.containers) = (facts.pods.len(), facts.containers.len());
        }
    }
}
