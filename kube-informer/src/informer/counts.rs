//! What one informer did, for the agent's own telemetry.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Shared and read at any time; everything counts from the informer's start.
#[derive(Debug, Default)]
pub struct Counts {
    /// Lists that came whole, streamed or in pages, and those that failed.
    pub lists: Outcomes,
    /// Watches that the API server opened, and those it refused or cut by an error.
    pub watches: Outcomes,
    /// Lists that had to be made again, as the API server no longer knew the version that a watch stood at.
    pub relists: Tally,
    /// Objects of the last list that came whole.
    pub objects: Tally,
    /// Changes that watches told: objects that came, changed or went.
    pub events: Tally,
    /// Bookmarks: signs of life of a quiet watch, about one a minute.
    pub bookmarks: Tally,
    /// Watches that were silent too long and were replaced; some are normal where nothing changes.
    pub silent: Tally,
    /// Objects that could not be read.
    pub broken: Tally,
    /// When the last list was complete.
    pub last_list: Moment,
    /// When a watch last said anything, bookmarks included.
    pub last_event: Moment,
}

/// How often something came to either end.
#[derive(Debug, Default)]
pub struct Outcomes {
    pub success: Tally,
    pub error: Tally,
}

/// A number that many may read while one writes.
#[derive(Debug, Default)]
pub struct Tally(AtomicU64);

impl Tally {
    pub fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }

    pub(crate) fn one(&self) {
        self.0.fetch_add(1, Relaxed);
    }

    pub(crate) fn set(&self, value: u64) {
        self.0.store(value, Relaxed);
    }
}

/// A point in time, or never.
#[derive(Debug, Default)]
pub struct Moment(AtomicU64);

impl Moment {
    /// Time since the Unix epoch, to the millisecond; `None` before it happened first.
    pub fn get(&self) -> Option<Duration> {
        let millis = self.0.load(Relaxed);
        (millis > 0).then(|| Duration::from_millis(millis))
    }

    pub(crate) fn is_now(&self) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        self.0.store(u64::try_from(now.as_millis()).unwrap_or(u64::MAX), Relaxed);
    }
}
