//! The native reader as what a scrape asks: it reads on a thread that may wait, one scrape after another.

use std::sync::Arc;

use exporter_toolkit::web::{Refusal, Scrape};
use http::StatusCode;
use tokio::sync::Mutex;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, timeout_at};

use crate::cgroup::{Enabled, Reader, Snapshot, Totals, Usage, Written};
use crate::identity::Shared;

/// The reader, which one scrape has at a time.
#[derive(Debug)]
pub struct Native {
    reader: Arc<Mutex<Reader>>,
    enabled: Enabled,
    pub totals: Arc<Totals>,
    /// What is measured beside the scrapes, where that is asked for.
    pub usage: Option<Arc<Usage>>,
}

impl Native {
    pub fn new(reader: Reader, enabled: Enabled) -> Self {
        let (totals, usage) = (reader.totals(), reader.usage());
        Self { reader: Arc::new(Mutex::new(reader)), enabled, totals, usage }
    }

    pub(super) fn enabled(&self) -> Enabled {
        self.enabled
    }

    /// All cgroups as text.
    pub(super) async fn written(
        &self,
        shared: &Arc<Shared>,
        request: &Scrape,
    ) -> Result<Written, Refusal> {
        Ok(Written::new(self.snapshot(shared, request).await?, self.enabled))
    }

    /// All cgroups as they are now. A file that hangs in the kernel costs the scrapes until it answers, and no more.
    pub(super) async fn snapshot(
        &self,
        shared: &Arc<Shared>,
        request: &Scrape,
    ) -> Result<Snapshot, Refusal> {
        let deadline = Instant::from_std(request.deadline);
        let late = |what: &str| Refusal::new(StatusCode::GATEWAY_TIMEOUT, what);
        let reader = timeout_at(deadline, Arc::clone(&self.reader).lock_owned()).await;
        let mut reader = reader.map_err(|_| late("the scrape before still reads cgroups"))?;
        let directory = shared.load();
        let read = spawn_blocking(move || {
            let mut snapshot = Snapshot::default();
            reader.read(&directory, &mut snapshot);
            snapshot
        });
        let snapshot = timeout_at(deadline, read).await;
        let snapshot = snapshot.map_err(|_| late("reading cgroups took too long"))?;
        snapshot.map_err(|error| {
            Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, format!("reading cgroups: {error}"))
        })
    }
}
