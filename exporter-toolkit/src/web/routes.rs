//! From a request to its answer: who may ask, what is asked for, which headers go with it.

use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::header::{
    ALLOW, AUTHORIZATION, CONNECTION, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE,
    VARY, WWW_AUTHENTICATE, X_CONTENT_TYPE_OPTIONS,
};
use http::request::Parts;
use http::{HeaderValue, Method, Request, Response, StatusCode};

use super::answer::{Answer, Block, Content};
use super::auth::{CHALLENGE, Verdict};
use super::body::Body;
use super::compress::{Gzip, WORTHWHILE_BYTES};
use super::config::{Keeper, Secured};
use super::landing::Landing;
use super::limits::{Gate, budget, scrape_timeout};
use super::negotiate;
use super::options::WebOptions;
use super::packed::Inflating;
use super::source::{Refusal, Scrape, Source, Visit, query_pairs};
use super::stats::Stats;
use super::watched::Answering;

/// The agent and everything that stands between it and a client.
pub(crate) struct Front<S> {
    source: Arc<S>,
    gate: Gate,
    gzip: Gzip,
    keeper: Arc<Keeper>,
    stats: Arc<Stats>,
    telemetry_path: String,
    scrape_timeout: Duration,
    answer_limit: Duration,
}

impl<S: Source> Front<S> {
    pub(crate) fn new(
        source: Arc<S>,
        options: &WebOptions,
        keeper: Arc<Keeper>,
        stats: Arc<Stats>,
    ) -> Self {
        Self {
            source,
            gate: Gate::new(options.max_requests, Arc::clone(&stats)),
            gzip: Gzip::default(),
            keeper,
            stats,
            telemetry_path: options.telemetry_path.clone(),
            scrape_timeout: options.scrape_timeout,
            answer_limit: options.limits.answer,
        }
    }

    /// Answers one request. A body that came with it is not read: the connection ends after the answer.
    pub(crate) async fn answer<B: http_body::Body>(
        &self,
        request: Request<B>,
        answering: Answering,
    ) -> Response<Body> {
        let has_body = !request.body().is_end_stream();
        let (mut head, _) = request.into_parts();
        let secured = self.keeper.current();
        let mut response = if let Some(refusal) = self.refused(&head, &secured).await {
            refusal
        } else {
            let mut given = head.headers.remove(AUTHORIZATION);
            if let Some(value) = &mut given {
                value.set_sensitive(true);
            }
            self.route(&head, given.filter(|_| secured.login.is_none())).await
        };
        for (name, value) in &secured.headers {
            response.headers_mut().insert(name.clone(), value.clone());
        }
        if has_body {
            answering.leaves_body();
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        answering.sends_within(self.answer_limit);
        response.body_mut().hold(answering);
        response
    }

    /// Too often, or nobody we know: that goes for health, too, as it does with the peer.
    async fn refused(&self, head: &Parts, secured: &Secured) -> Option<Response<Body>> {
        if secured.rate.as_ref().is_some_and(|rate| !rate.allows(Instant::now())) {
            self.stats.rate_limited.one();
            return Some(plain(
                StatusCode::TOO_MANY_REQUESTS,
                "Too many requests, try again later.",
            ));
        }
        match secured.login.as_ref()?.check(&head.headers).await {
            Verdict::Welcome => None,
            Verdict::Busy => {
                let reason = "Too many passwords to check, try again later.";
                Some(plain(StatusCode::SERVICE_UNAVAILABLE, reason))
            }
            Verdict::Refused => {
                self.stats.unauthorized.one();
                let mut response = plain(StatusCode::UNAUTHORIZED, "Name and password are needed.");
                response.headers_mut().insert(WWW_AUTHENTICATE, CHALLENGE);
                Some(response)
            }
        }
    }

    async fn route(&self, head: &Parts, authorization: Option<HeaderValue>) -> Response<Body> {
        let path = head.uri.path();
        if path == self.telemetry_path || self.source.scrapes(path) {
            let response = match head.method {
                Method::GET | Method::HEAD => self.scrape(head, authorization).await,
                _ => not_allowed(),
            };
            self.stats.scraped(response.status().as_u16());
            return response;
        }
        let own: fn(&Self, &Parts) -> Response<Body> = match path {
            "/healthz" | "/-/healthy" => |_, _| plain(StatusCode::OK, "ok"),
            "/readyz" | "/-/ready" => Self::ready,
            "/" => Self::landing,
            _ => return self.further(head).await,
        };
        match head.method {
            Method::GET | Method::HEAD => own(self, head),
            _ => not_allowed(),
        }
    }

    fn ready(&self, _: &Parts) -> Response<Body> {
        match self.source.ready() {
            Ok(()) => plain(StatusCode::OK, "ok"),
            Err(reason) => plain(StatusCode::SERVICE_UNAVAILABLE, &reason),
        }
    }

    fn landing(&self, head: &Parts) -> Response<Body> {
        let mut page = Landing::new(query_pairs(head.uri.query()));
        self.source.landing(&mut page);
        let mut response = Response::new(Body::full(page.render()));
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        let policy = "default-src 'none'; style-src 'unsafe-inline'";
        headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy));
        response
    }

    async fn further(&self, head: &Parts) -> Response<Body> {
        let query = query_pairs(head.uri.query());
        let timeout = scrape_timeout(&head.headers, self.scrape_timeout);
        let visit = Visit {
            method: &head.method,
            path: head.uri.path(),
            query: &query,
            headers: &head.headers,
            deadline: Instant::now() + budget(timeout),
        };
        let answer = unless_panics(self.source.route(visit)).await;
        match answer {
            Ok(Some(response)) => response,
            Ok(None) => {
                plain(StatusCode::NOT_FOUND, "There is nothing here; / shows what there is.")
            }
            Err(Panicked) => plain(StatusCode::INTERNAL_SERVER_ERROR, "The request failed."),
        }
    }

    async fn scrape(&self, head: &Parts, authorization: Option<HeaderValue>) -> Response<Body> {
        let Some(place) = self.gate.enter() else {
            let limit = self.gate.limit();
            let reason =
                format!("Limit of concurrent requests reached ({limit}), try again later.");
            return plain(StatusCode::SERVICE_UNAVAILABLE, &reason);
        };
        let gzip = negotiate::gzip(&head.headers);
        let timeout = scrape_timeout(&head.headers, self.scrape_timeout);
        let now = Instant::now();
        let request = Scrape {
            path: head.uri.path().to_owned(),
            query: query_pairs(head.uri.query()),
            format: negotiate::format(&head.headers),
            gzip,
            authorization,
            deadline: now + budget(timeout),
        };
        let mut response = match self.gathered(request, timeout).await {
            Ok(answer) => self.encoded(answer, gzip).await,
            Err(refusal) => plain(refusal.status, &refusal.reason),
        };
        response.body_mut().hold(place);
        response
    }

    /// Asks the source, whose panic or endless wait is its failure and not the connection's.
    async fn gathered(&self, request: Scrape, timeout: Duration) -> Result<Answer, Refusal> {
        let scrape = unless_panics(self.source.scrape(request));
        let outcome = match tokio::time::timeout(timeout, scrape).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(Panicked)) => {
                let reason = "The scrape failed; the agent's log has the reason.";
                Err(Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, reason))
            }
            Err(_) => {
                tracing::warn!(?timeout, "scrape given up: it outlived the scraper's timeout");
                Err(Refusal::unavailable("The scrape took longer than the scraper waits."))
            }
        };
        if outcome.as_ref().is_err_and(|refusal| refusal.status.is_server_error()) {
            self.stats.gathering_errors.one();
        }
        outcome
    }

    async fn encoded(&self, answer: Answer, gzip: bool) -> Response<Body> {
        let (body, gzip) = match answer.content {
            Content::Stream { body, gzip } => (body, gzip),
            Content::Packed(members) if gzip && !members.is_empty() => {
                (Body::pieces(members.iter().map(|member| member.gzip().clone())), true)
            }
            Content::Packed(members) => (Body::stream(Inflating::new(members)), false),
            Content::Blocks(blocks) => match self.packed(&blocks, gzip).await {
                Some(members) => (Body::pieces(members), true),
                None => (Body::pieces(blocks.iter().map(|block| block.text().clone())), false),
            },
        };
        let mut response = Response::new(body);
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(answer.content_type));
        headers.insert(VARY, HeaderValue::from_static("accept, accept-encoding"));
        if gzip {
            headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        response
    }

    /// The blocks as gzip members, unless that is not wanted, not worthwhile or fails.
    async fn packed(&self, blocks: &[Arc<Block>], gzip: bool) -> Option<Vec<Bytes>> {
        let size: usize = blocks.iter().map(|block| block.text().len()).sum();
        if !gzip || size < WORTHWHILE_BYTES {
            return None;
        }
        let members = self.gzip.members(blocks).await;
        if members.is_none() {
            self.stats.encoding_errors.one();
        }
        members
    }
}

/// A short text for a person.
pub(crate) fn plain(status: StatusCode, text: &str) -> Response<Body> {
    let mut response = Response::new(Body::full(format!("{text}\n")));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

fn not_allowed() -> Response<Body> {
    let mut response =
        plain(StatusCode::METHOD_NOT_ALLOWED, "Only GET and HEAD are answered here.");
    response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
    response
}

/// The polled code panicked; the panic hook has said where.
struct Panicked;

async fn unless_panics<F: Future>(future: F) -> Result<F::Output, Panicked> {
    let mut future = pin!(future);
    std::future::poll_fn(move |cx| {
        // The future is not polled again after a panic, so no broken state is seen.
        let polled = std::panic::catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx)));
        match polled {
            Ok(Poll::Ready(output)) => Poll::Ready(Ok(output)),
            Ok(Poll::Pending) => Poll::Pending,
            Err(_) => Poll::Ready(Err(Panicked)),
        }
    })
    .await
}
