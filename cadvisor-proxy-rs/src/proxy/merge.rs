//! Several exporters as one: all are asked at once, their families are grouped, each sample says whose it is.
//!
//! What a target sends is held until it is whole, so that one which dies in mid-body gives nothing of it. How much is held
//! is bounded: by the limit of one body, the number of targets and that of merges at the same time.

mod index;
mod write;

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use exporter_toolkit::client::{self, Client, ClientError, Received};
use exporter_toolkit::labels::escape;
use exporter_toolkit::web::{Refusal, Scrape};
use exporter_toolkit::{Exposition, Format, Gauge, Merger};
use futures_util::future::join_all;
use http::header::CONTENT_TYPE;
use http::{Response, StatusCode};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::yield_now;
use tokio::time::{Instant, timeout_at};

use super::ask::{is_packed, said};
use super::gzip::Unpacking;
use super::{Proxy, Totals};
use crate::rewrite::Counts;
use index::{Dialect, Index};
use write::{Merged, Part};

/// The label that tells whose a sample is.
const LABEL: &[u8] = b"exporter";
/// Merges at the same time; further ones wait.
const TURNS: usize = 4;
/// What is unpacked before other clients get their turn.
const PIECE_BYTES: usize = 64 * 1024;
/// Left of the scrape's time for what is done once all have answered, or a quarter of it where that is less.
const MARGIN: Duration = Duration::from_secs(1);

// Prometheus' own `up` is about this agent; another of that name would be counted with it.
static UP: Gauge<1> = Gauge::new(
    "cadvisor_proxy_target_up",
    "Whether a target gave its metrics, whole and in time.",
    ["exporter"],
);
static DURATION: Gauge<1> = Gauge::new(
    "cadvisor_proxy_target_scrape_duration_seconds",
    "How long a target took to give its metrics, or not to.",
    ["exporter"],
);
static SAMPLES: Gauge<1> = Gauge::new(
    "cadvisor_proxy_target_samples",
    "Samples that a target gave, before any was dropped.",
    ["exporter"],
);
/// Those of a target that is such a proxy itself are left out.
const OWN_FAMILIES: [&[u8]; 3] = [
    b"cadvisor_proxy_target_up",
    b"cadvisor_proxy_target_scrape_duration_seconds",
    b"cadvisor_proxy_target_samples",
];

/// One of the exporters, and what it is called.
#[derive(Debug)]
struct Target {
    name: String,
    client: Client,
}

/// The exporters that are merged.
#[derive(Debug)]
pub struct Merge {
    targets: Vec<Target>,
    /// Bytes of one body, unpacked.
    limit: usize,
    turns: Arc<Semaphore>,
}

/// What came of one target.
struct Outcome<'m> {
    name: &'m str,
    took: Duration,
    got: Result<(Vec<u8>, Dialect, Index), Failure>,
}

/// Why a target gave nothing.
struct Failure {
    late: bool,
    reason: String,
}

impl Failure {
    fn new(reason: impl Into<String>) -> Self {
        Self { late: false, reason: reason.into() }
    }
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        Self { late: error.is_late(), reason: error.to_string() }
    }
}

impl Merge {
    /// Of targets and their names, of which no two are the same.
    pub fn new(targets: Vec<(String, Client)>, limit: usize) -> Self {
        let targets = targets.into_iter().map(|(name, client)| Target { name, client });
        Self { targets: targets.collect(), limit, turns: Arc::new(Semaphore::new(TURNS)) }
    }

    /// The merged body, and what is wrong with some targets; a refusal where all of them gave nothing.
    pub(super) async fn gathered(
        &self,
        proxy: &Proxy,
        request: &Scrape,
    ) -> Result<(Merged, Option<String>), Refusal> {
        let end = Instant::from_std(request.deadline);
        let left = end.saturating_duration_since(Instant::now());
        let deadline = end - MARGIN.min(left / 4);
        let turn = timeout_at(deadline, Arc::clone(&self.turns).acquire_owned()).await;
        let Ok(Ok(turn)) = turn else {
            return Err(Refusal::unavailable("other merges took all the time"));
        };
        let asked = self.targets.iter().map(|target| self.ask(target, proxy, request, deadline));
        let outcomes = join_all(asked).await;
        put_together(outcomes, &proxy.totals, turn)
    }

    async fn ask<'m>(
        &self,
        target: &'m Target,
        proxy: &Proxy,
        request: &Scrape,
        deadline: Instant,
    ) -> Outcome<'m> {
        let began = Instant::now();
        let got = self.body(&target.client, proxy, request, deadline).await;
        let totals = &proxy.totals;
        let count = match &got {
            Ok(_) => &totals.answered,
            Err(failure) if failure.late => &totals.late,
            Err(_) => &totals.failed,
        };
        count.fetch_add(1, Relaxed);
        Outcome { name: &target.name, took: began.elapsed(), got }
    }

    /// A target's whole body, taken apart.
    async fn body(
        &self,
        client: &Client,
        proxy: &Proxy,
        request: &Scrape,
        deadline: Instant,
    ) -> Result<(Vec<u8>, Dialect, Index), Failure> {
        let (path, headers) = proxy.question(client, request, Format::Text);
        let response = client.get(&path, headers, deadline).await?;
        if response.status() != StatusCode::OK {
            let status = response.status();
            let text = said(response.into_body(), deadline).await;
            return Err(Failure::new(format!("{} answered {status}: {text}", client.target())));
        }
        let wrong = |problem: &str| Failure::new(format!("{}: {problem}", client.target()));
        let packed = is_packed(response.headers()).map_err(|problem| wrong(&problem))?;
        let dialect = dialect(&response);
        let text = self.whole(response.into_body(), packed, client).await?;
        let index = timeout_at(deadline, Index::of(&text, dialect)).await;
        let late = |_| Failure { late: true, reason: format!("{}: too late", client.target()) };
        let index = index.map_err(late)?.map_err(wrong)?;
        Ok((text, dialect, index))
    }

    /// All of a body, unpacked; its own deadline ends it.
    async fn whole(
        &self,
        mut body: Received,
        packed: bool,
        client: &Client,
    ) -> Result<Vec<u8>, Failure> {
        let wrong = |problem: &str| Failure::new(format!("{}: {problem}", client.target()));
        let long = || wrong("its body is longer than --merge.body-limit");
        let (mut text, mut unpacking) = (Vec::new(), packed.then(Unpacking::new));
        while let Some(chunk) = body.chunk().await {
            let mut chunk = &*chunk?;
            while let Some(unpacking) = unpacking.as_mut().filter(|_| !chunk.is_empty()) {
                let mut piece = Vec::with_capacity(PIECE_BYTES);
                let taken = unpacking.unpack(chunk, &mut piece).map_err(wrong)?;
                chunk = chunk.get(taken..).unwrap_or_default();
                text.extend_from_slice(&piece);
                if text.len() > self.limit {
                    return Err(long());
                }
                yield_now().await;
            }
            text.extend_from_slice(chunk);
            if text.len() > self.limit {
                return Err(long());
            }
        }
        if unpacking.is_some_and(|unpacking| !unpacking.is_whole()) {
            return Err(wrong("its gzip breaks off"));
        }
        Ok(text)
    }
}

fn put_together(
    outcomes: Vec<Outcome<'_>>,
    totals: &Totals,
    turn: OwnedSemaphorePermit,
) -> Result<(Merged, Option<String>), Refusal> {
    let own = own(&outcomes);
    let (mut parts, mut failures) = (Vec::new(), Vec::new());
    let mut lost = Counts::default();
    for Outcome { name, got, .. } in outcomes {
        match got {
            Ok((text, dialect, index)) => {
                lost.malformed += index.malformed;
                let mut part = Part { name: Vec::new(), text, dialect, index };
                escape(name.as_bytes(), &mut part.name);
                parts.push(part);
            }
            Err(failure) => failures.push((name.to_owned(), failure)),
        }
    }
    totals.add(&lost);
    let told = failures.iter().map(|(name, failure)| format!("{name}: {}", failure.reason));
    let problem = told.collect::<Vec<_>>().join("; ");
    if parts.is_empty() {
        let late = failures.iter().all(|(_, failure)| failure.late);
        let status = if late { StatusCode::GATEWAY_TIMEOUT } else { StatusCode::BAD_GATEWAY };
        return Err(Refusal::new(status, problem));
    }
    let (merged, conflicts) = Merged::new(own, parts, Some(turn));
    totals.conflicts.fetch_add(conflicts, Relaxed);
    Ok((merged, (!failures.is_empty()).then_some(problem)))
}

/// Takes `NAME=URL` or `URL` apart; what stands before a `=` is a name unless it looks like the beginning of an address.
pub fn named(text: &str) -> Result<(Option<&str>, client::Target), ClientError> {
    match text.split_once('=') {
        Some((name, url)) if !name.contains([':', '/']) => Ok((Some(name), url.parse()?)),
        _ => Ok((None, text.parse()?)),
    }
}

/// What a target sends, whatever it was asked for.
fn dialect(response: &Response<Received>) -> Dialect {
    let kind = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    if kind.is_some_and(|kind| kind.starts_with("application/openmetrics-text")) {
        Dialect::OpenMetrics
    } else {
        Dialect::Text
    }
}

/// How the targets stand, as text.
fn own(outcomes: &[Outcome<'_>]) -> Vec<u8> {
    let mut out = Exposition::new(Format::Text);
    for Outcome { name, took, got } in outcomes {
        out.family(&UP).sample(*name, u8::from(got.is_ok()));
        out.family(&DURATION).sample(*name, took.as_secs_f64());
        let samples = got.as_ref().ok().map(|(_, _, index)| index.samples);
        out.family(&SAMPLES).maybe(*name, samples);
    }
    let mut text = Vec::new();
    Merger::default().merge(&[&out], Format::Text, &mut text);
    text
}
