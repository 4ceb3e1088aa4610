//! The native reader as what a scrape asks: it reads on a thread that may wait, one scrape after another.

use std::sync::Arc;

use exporter_toolkit::web::{Refusal, Scrape};
use http::StatusCode;
use tokio::sync::Mutex;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, timeout_at};

use crate::cgroup::{Enabled, Reader, Snapshot, Totals, Written};
use crate::identity::Shared;

/// The reader, and what is remembered of the last scrape's memory.
#[derive(Debug)]
pub struct Native {
    reader: Arc<Mutex<Reader>>,
    enabled: Enabled,
    pub totals: Arc<Totals>,
}

impl Native {
    pub fn new(reader: Reader, enabled: Enabled) -> Self {
        let totals = reader.totals();
        Self { reader: Arc::new(Mutex::new(reader)), enabled, totals }
    }

    /// All cgroups as text. A file that hangs in the kernel costs the scrapes until it answers, and no more.
    pub(super) async fn written(
        &self,
        shared: &Arc<Shared>,
        request: &Scrape,
    ) -> Result<Written, Refusal> {
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
        let snapshot = snapshot.map_err(|error| {
            Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, format!("reading cgroups: {error}"))
        })?;
        Ok(Written::new(snapshot, self.enabled))
    }
}
