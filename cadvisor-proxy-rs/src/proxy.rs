//! The metrics port: a scrape asks upstream, and gets what comes, rewritten while it comes.

mod gzip;
mod stream;
#[cfg(test)]
mod tests;

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};

use clap::ValueEnum;
use exporter_toolkit::Format;
use exporter_toolkit::client::{Client, ClientError, Received};
use exporter_toolkit::web::{Answer, Body, Landing, Refusal, Scrape, Source};
use http::header::{ACCEPT, ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use tokio::time::{Instant, timeout_at};

use crate::identity::Shared;
use crate::options::BUILD;
use crate::rewrite::{Counts, Workshop};
use stream::Rewritten;

/// What of an error's text is shown.
const REASON_BYTES: usize = 4096;

/// What is asked for metrics.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub enum SourceKind {
    /// The kubelet of this node: /metrics/cadvisor, /metrics, /metrics/resource, /metrics/probes.
    Kubelet,
    /// A cAdvisor of its own, as on machines without Kubernetes.
    Cadvisor,
    /// Any application's metrics, from beside it in its pod.
    Exporter,
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

/// What answers on the metrics port.
pub struct Proxy {
    pub kind: SourceKind,
    pub client: Client,
    pub workshop: Arc<Workshop>,
    pub shared: Arc<Shared>,
    pub totals: Arc<Totals>,
    /// Whether clients that take gzip get it.
    pub gzip: bool,
    pub body_limit: u64,
}

impl Proxy {
    /// What is asked for on upstream's side.
    fn path(&self, request: &Scrape) -> String {
        let base = self.client.target().path();
        match self.kind {
            SourceKind::Kubelet => format!("{}{}", base.trim_end_matches('/'), request.path),
            SourceKind::Cadvisor | SourceKind::Exporter => {
                let mut path = if base == "/" { "/metrics".to_owned() } else { base.to_owned() };
                for (name, value) in &request.query {
                    let part = |text| utf8_percent_encode(text, NON_ALPHANUMERIC);
                    let mark = if path.contains('?') { '&' } else { '?' };
                    path = format!("{path}{mark}{}={}", part(name), part(value));
                }
                path
            }
        }
    }

    fn headers(&self, request: &Scrape) -> HeaderMap {
        let accept = match (self.kind, request.format) {
            (SourceKind::Exporter, Format::OpenMetrics) => {
                "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5"
            }
            _ => "text/plain;version=0.0.4",
        };
        // On one machine compressing costs more than carrying.
        let local = self.client.target().is_local() || self.kind == SourceKind::Kubelet;
        let encoding = if local { "identity" } else { "gzip" };
        let pairs = [(ACCEPT, accept), (ACCEPT_ENCODING, encoding)];
        pairs.into_iter().map(|(name, value)| (name, HeaderValue::from_static(value))).collect()
    }

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
        if self.totals.problem().as_deref() != Some(reason.as_str()) {
            tracing::warn!(reason, "upstream gave no metrics");
        }
        self.totals.set_problem(Some(reason.clone()));
        Refusal::new(status, reason)
    }

    /// What upstream said instead of metrics, and what helps.
    async fn refused(&self, response: Response<Received>, deadline: Instant) -> Refusal {
        self.totals.refused.fetch_add(1, Relaxed);
        let status = response.status();
        let text = timeout_at(deadline, beginning(response.into_body())).await.unwrap_or_default();
        let target = self.client.target();
        let mut reason = format!("{target} answered {status}: {}", text.trim());
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

    fn answer(&self, response: Response<Received>, request: &Scrape) -> Result<Answer, Refusal> {
        let header =
            |name| response.headers().get(name).and_then(|value: &HeaderValue| value.to_str().ok());
        let open =
            header(CONTENT_TYPE).is_some_and(|t| t.starts_with("application/openmetrics-text"));
        let format = if open { Format::OpenMetrics } else { Format::Text };
        let packed = match header(CONTENT_ENCODING).map(str::trim) {
            None | Some("" | "identity") => false,
            Some("gzip" | "x-gzip") => true,
            Some(other) => {
                self.totals.failed.fetch_add(1, Relaxed);
                let reason =
                    format!("upstream sends the encoding {other:?}, which was not asked for");
                return Err(self.refusal(StatusCode::BAD_GATEWAY, reason));
            }
        };
        self.totals.answered.fetch_add(1, Relaxed);
        let gzip = self.gzip && request.gzip;
        let rewriter = self.workshop.rewriter();
        let totals = Arc::clone(&self.totals);
        let body = Rewritten::new(response.into_body(), rewriter, totals, self.body_limit)
            .unpacking(packed)
            .packing(gzip);
        Ok(Answer::stream(format, Body::stream(body), gzip))
    }
}

/// The beginning of an error's text, without what a terminal would act on.
async fn beginning(mut body: Received) -> String {
    let mut text = Vec::new();
    while let Some(Ok(chunk)) = body.chunk().await {
        text.extend_from_slice(&chunk);
        if text.len() >= REASON_BYTES {
            text.truncate(REASON_BYTES);
            break;
        }
    }
    String::from_utf8_lossy(&text).replace(|c: char| c.is_control(), " ")
}

impl Source for Proxy {
    async fn scrape(&self, request: Scrape) -> Result<Answer, Refusal> {
        let deadline = Instant::from_std(request.deadline);
        let asked = self.client.get(&self.path(&request), self.headers(&request), deadline).await;
        let response = asked.map_err(|error| self.failed(&error))?;
        if response.status() == StatusCode::OK {
            return self.answer(response, &request);
        }
        Err(self.refused(response, deadline).await)
    }

    fn scrapes(&self, path: &str) -> bool {
        match self.kind {
            SourceKind::Kubelet => {
                matches!(
                    path,
                    "/metrics" | "/metrics/cadvisor" | "/metrics/resource" | "/metrics/probes"
                )
            }
            SourceKind::Cadvisor | SourceKind::Exporter => {
                matches!(path, "/metrics" | "/metrics/cadvisor")
            }
        }
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
            _ => page.link("/metrics", "/metrics", "what upstream says"),
        };
    }
}
