//! How many lists are made at once, and which API servers have streaming lists.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::Instant;

/// An API server may be upgraded: one that refused streaming lists is asked again after this time.
const REMEMBERED: Duration = Duration::from_hours(1);

/// Shared by all informers: a list takes much of the API server and of our memory, so few are made at once.
#[derive(Clone, Debug)]
pub struct Lists {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    permits: Semaphore,
    /// API groups whose server has no streaming lists, and since when that is known: aggregated API servers differ.
    refused: Mutex<HashMap<String, Instant>>,
}

impl Lists {
    /// At least one.
    pub fn at_most(lists: usize) -> Self {
        let permits = Semaphore::new(lists.max(1));
        Self { inner: Arc::new(Inner { permits, refused: Mutex::default() }) }
    }

    pub(crate) async fn permit(&self) -> Option<SemaphorePermit<'_>> {
        // It is never closed.
        self.inner.permits.acquire().await.ok()
    }

    pub(crate) fn may_stream(&self, group: &str) -> bool {
        let refused = self.inner.refused.lock().unwrap_or_else(PoisonError::into_inner);
        refused.get(group).is_none_or(|since| since.elapsed() > REMEMBERED)
    }

    pub(crate) fn refuses_streaming(&self, group: &str) {
        let mut refused = self.inner.refused.lock().unwrap_or_else(PoisonError::into_inner);
        refused.insert(group.to_owned(), Instant::now());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_server_that_refused_streaming_lists_is_asked_again_after_an_hour() {
        let lists = Lists::at_most(0);
        assert!(lists.may_stream("apps"));
        lists.refuses_streaming("apps");
        assert!(!lists.may_stream("apps"));
        assert!(lists.may_stream("metrics.k8s.io"));
        tokio::time::advance(REMEMBERED + Duration::from_secs(1)).await;
        assert!(lists.may_stream("apps"));
    }
}
