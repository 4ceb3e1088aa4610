//! The metrics port: a scrape asks upstream, and gets what comes, rewritten while it comes.

mod ask;
mod gzip;
mod merge;
mod native;
mod stream;
#[cfg(test)]
mod tests;

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use clap::ValueEnum;
use exporter_toolkit::Format;
use exporter_toolkit::client::{Client, ClientError, Received};
use exporter_toolkit::web::{Answer, Body, Landing, Refusal, Scrape, Source, StreamError};
use http::header::CONTENT_TYPE;
use http::{Response, StatusCode};
use tokio::time::Instant;

use crate::cgroup::Filler;
use crate::identity::Shared;
use crate::options::BUILD;
use crate::rewrite::{Counts, Workshop};
pub use ask::Passes;
use ask::{is_packed, said};
pub use merge::{Merge, named};
pub use native::Native;
use stream::Rewritten;

/// What is asked for metrics.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub enum SourceKind {
    /// The kubelet of this node: /metrics/cadvisor, /metrics, /metrics/resource, /metrics/probes.
    Kubelet,
    /// A cAdvisor of its own, as on machines without Kubernetes.
    Cadvisor,
    /// Any application's metrics, from beside it in its pod.
    Exporter,
    /// Nobody: the kernel's cgroups are read.
    Cgroup,
}

/// What completes upstream's answer.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub enum FillKind {
    /// The kernel's cgroups.
    Cgroup,
}

/// What upstream did, as the agent's own metrics tell it.
#[derive(Debug, Default)]
pub struct Totals {
    counts: Mutex<Counts>,
    pub(crate) answered: AtomicU64,
    pub(crate) refused: AtomicU64,
    pub(crate) failed: AtomicU64,
    pub(crate) late: AtomicU64,
    /// Bodies that broke off after their beginning had been passed on.
    pub(crate) aborted: AtomicU64,
    pub(crate) completed: AtomicU64,
    /// Families whose type the merged targets did not agree on.
    pub(crate) conflicts: AtomicU64,
    last: Mutex<Option<String>>,
}

impl Totals {
    pub(crate) fn counts(&self) -> Counts {
        *self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn add(&self, counts: &Counts) {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner).add(counts);
    }

    /// Why the last scrape failed; `None` where it did not, or there was none.
    pub(crate) fn problem(&self) -> Option<String> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn set_problem(&self, problem: Option<String>) {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = problem;
    }
}

/// Whom a scrape asks.
#[derive(Debug)]
pub enum Upstream {
    One(Client),
    Several(Merge),
    Cgroups(Native),
}

/// What completes an answer, and why it cannot be completed.
type Filling = (Option<Filler>, Option<String>);

/// What answers on the metrics port.
pub struct Proxy {
    pub kind: SourceKind,
    pub upstream: Upstream,
    /// What upstream's answer lacks comes from here.
    pub fill: Option<Native>,
    pub passes: Passes,
    pub workshop: Arc<Workshop>,
    pub shared: Arc<Shared>,
    pub totals: Arc<Totals>,
    /// Whether clients that take gzip get it.
    pub gzip: bool,
    pub body_limit: u64,
}

impl Proxy {
    fn failed(&self, error: &ClientError) -> Refusal {
        let (count, status) = if error.is_late() {
            (&self.totals.late, StatusCode::GATEWAY_TIMEOUT)
        } else {
            (&self.totals.failed, StatusCode::BAD_GATEWAY)
        };
        count.fetch_add(1, Relaxed);
        self.refusal(status, error.to_string())
    }

    fn refusal(&self, status: StatusCode, reason: String) -> Refusal {
        self.note(&reason);
        Refusal::new(status, reason)
    }

    /// Says what is wrong, once as long as it stays the same.
    fn note(&self, reason: &str) {
        if self.totals.problem().as_deref() != Some(reason) {
            tracing::warn!(reason, "upstream gave no metrics");
        }
        self.totals.set_problem(Some(reason.to_owned()));
    }

    /// What upstream said instead of metrics, and what helps.
    async fn refused(
        &self,
        client: &Client,
        response: Response<Received>,
        deadline: Instant,
    ) -> Refusal {
        self.totals.refused.fetch_add(1, Relaxed);
        let (target, status) = (client.target(), response.status());
        let text = said(response.into_body(), deadline).await;
        let mut reason = format!("{target} answered {status}: {text}");
        if self.kind == SourceKind::Kubelet {
            reason.push_str(match status {
                StatusCode::UNAUTHORIZED => {
                    "; the kubelet does not know the token or certificate: give --target.token-file, and let the kubelet \
                     run with --authentication-token-webhook"
                }
                StatusCode::FORBIDDEN if target.path() != "/" => {
                    "; grant the account the verb get on nodes/proxy by a ClusterRole and its binding"
                }
                StatusCode::FORBIDDEN => {
                    "; grant the account the verb get on nodes/metrics by a ClusterRole and its binding"
                }
                _ => "",
            });
            return self.refusal(StatusCode::BAD_GATEWAY, reason);
        }
        // Beside an app the scraper sees what the app says.
        let is_error = status.is_client_error() || status.is_server_error();
        self.refusal(if is_error { status } else { StatusCode::BAD_GATEWAY }, reason)
    }

    fn answer(
        &self,
        response: Response<Received>,
        filling: Filling,
        request: &Scrape,
    ) -> Result<Answer, Refusal> {
        let kind = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let open = kind.is_some_and(|kind| kind.starts_with("application/openmetrics-text"));
        let format = if open { Format::OpenMetrics } else { Format::Text };
        let packed = is_packed(response.headers()).map_err(|reason| {
            self.totals.failed.fetch_add(1, Relaxed);
            self.refusal(StatusCode::BAD_GATEWAY, reason)
        })?;
        self.totals.answered.fetch_add(1, Relaxed);
        let (filler, problem) = filling;
        if let Some(reason) = &problem {
            self.note(reason);
        }
        let body = self.rewritten(response.into_body()).unpacking(packed);
        let body = body.filling(filler).despite(problem);
        Ok(self.packed(format, body, request))
    }

    fn rewritten<B>(&self, body: B) -> Rewritten<B> {
        let (rewriter, totals) = (self.workshop.rewriter(), Arc::clone(&self.totals));
        Rewritten::new(body, rewriter, totals, self.body_limit)
    }

    fn packed<B>(&self, format: Format, body: Rewritten<B>, request: &Scrape) -> Answer
    where
        Rewritten<B>: http_body::Body<Data = Bytes, Error = StreamError> + Send + 'static,
    {
        let gzip = self.gzip && request.gzip;
        Answer::stream(format, Body::stream(body.packing(gzip)), gzip)
    }

    async fn one(&self, client: &Client, request: &Scrape) -> Result<Answer, Refusal> {
        let deadline = Instant::from_std(request.deadline);
        let (path, headers) = self.question(client, request, request.format);
        let (asked, filling) =
            tokio::join!(client.get(&path, headers, deadline), self.filling(request));
        let response = asked.map_err(|error| self.failed(&error))?;
        if response.status() == StatusCode::OK {
            return self.answer(response, filling, request);
        }
        Err(self.refused(client, response, deadline).await)
    }

    /// What upstream's answer is completed with; where that cannot be read, the answer is worth its own.
    async fn filling(&self, request: &Scrape) -> Filling {
        let Some(native) = self.fill.as_ref().filter(|_| self.fills(&request.path)) else {
            return (None, None);
        };
        match native.snapshot(&self.shared, request).await {
            Ok(snapshot) => (Some(Filler::new(snapshot, native.enabled())), None),
            Err(refusal) => (None, Some(format!("--fill-from=cgroup: {}", refusal.reason))),
        }
    }

    /// Whether containers are told at a path.
    fn fills(&self, path: &str) -> bool {
        self.kind == SourceKind::Cadvisor || path == "/metrics/cadvisor"
    }

    async fn native(&self, native: &Native, request: &Scrape) -> Result<Answer, Refusal> {
        let written = native.written(&self.shared, request).await;
        let written = written.map_err(|refusal| {
            let late = refusal.status == StatusCode::GATEWAY_TIMEOUT;
            let count = if late { &self.totals.late } else { &self.totals.failed };
            count.fetch_add(1, Relaxed);
            self.refusal(refusal.status, refusal.reason)
        })?;
        self.totals.answered.fetch_add(1, Relaxed);
        Ok(self.packed(Format::Text, self.rewritten(written), request))
    }

    async fn several(&self, merge: &Merge, request: &Scrape) -> Result<Answer, Refusal> {
        let merged = merge.gathered(self, request).await;
        let (body, problem) =
            merged.map_err(|refusal| self.refusal(refusal.status, refusal.reason))?;
        if let Some(reason) = &problem {
            self.note(reason);
        }
        let body = self.rewritten(body).despite(problem);
        Ok(self.packed(Format::Text, body, request))
    }
}

impl Source for Proxy {
    async fn scrape(&self, request: Scrape) -> Result<Answer, Refusal> {
        match &self.upstream {
            Upstream::One(client) => self.one(client, &request).await,
            Upstream::Several(merge) => self.several(merge, &request).await,
            Upstream::Cgroups(native) => self.native(native, &request).await,
        }
    }

    fn scrapes(&self, path: &str) -> bool {
        match self.kind {
            SourceKind::Kubelet => {
                matches!(
                    path,
                    "/metrics" | "/metrics/cadvisor" | "/metrics/resource" | "/metrics/probes"
                )
            }
            SourceKind::Cadvisor | SourceKind::Exporter | SourceKind::Cgroup => {
                matches!(path, "/metrics" | "/metrics/cadvisor")
            }
        }
    }

    fn ready(&self) -> Result<(), String> {
        self.shared.ready()
    }

    fn landing(&self, page: &mut Landing) {
        page.name("cadvisor-proxy-rs")
            .description("Container metrics, filtered, repaired and labelled as they stream by.")
            .version(BUILD);
        match self.kind {
            SourceKind::Kubelet => page
                .link("/metrics/cadvisor", "/metrics/cadvisor", "containers")
                .link("/metrics/resource", "/metrics/resource", "usage of pods")
                .link("/metrics/probes", "/metrics/probes", "probes")
                .link("/metrics", "/metrics", "the kubelet itself"),
            SourceKind::Cgroup => page.link("/metrics", "/metrics", "containers"),
            _ => page.link("/metrics", "/metrics", "what upstream says"),
        };
    }
}
