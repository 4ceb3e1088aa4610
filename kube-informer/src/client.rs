//! The way to the API server: requests that are bounded in time and size, with credentials that stay fresh.

mod access;
mod error;
mod kubeconfig;
mod proxy;
mod token;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, RETRY_AFTER};
use http::{HeaderValue, Request, Response};
use http_body_util::BodyExt as _;
use kube::client::Body;
use serde::de::DeserializeOwned;
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};
use tracing::dispatcher::Dispatch;
use tracing::instrument::WithSubscriber as _;

pub use access::Access;
use access::Link;
pub(crate) use error::ApiStatus;
pub use error::{ConnectError, RequestError};

/// DNS, TCP and TLS together.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a short answer may take. The API server itself ends requests after a minute.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(65);
/// Credentials are read anew no more often, exec plugins included.
const REBUILD_INTERVAL: Duration = Duration::from_secs(30);
/// How long an exec plugin may run.
const REBUILD_TIMEOUT: Duration = Duration::from_mins(1);
/// A Status of the API has a few hundred bytes.
const STATUS_LIMIT: usize = 64 << 10;

/// A connection to one API server, cheap to clone. Tokens in files are read for each request; a kubeconfig, its
/// certificates and its exec plugin again after a request was refused for its credentials or found no server.
#[derive(Clone)]
pub struct Client {
    inner: Arc<Inner>,
}

struct Inner {
    access: Access,
    current: Mutex<Current>,
    /// The last request met a server that refused the credentials, or none at all.
    stale: AtomicBool,
}

struct Current {
    link: Arc<Link>,
    built: Instant,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").field("access", &self.inner.access).finish_non_exhaustive()
    }
}

impl Client {
    async fn new(access: Access) -> Result<Self, ConnectError> {
        let link = Arc::new(build(&access).await?);
        tracing::info!(server = link.server, "API server");
        let current = Mutex::new(Current { link, built: Instant::now() });
        Ok(Self { inner: Arc::new(Inner { access, current, stale: AtomicBool::new(false) }) })
    }

    /// The URL that requests go to.
    pub async fn server(&self) -> String {
        self.link().await.server.clone()
    }

    /// The namespace of the pod or of the kubeconfig's context; `default` where neither tells.
    pub async fn namespace(&self) -> String {
        self.link().await.namespace.clone()
    }

    /// Sends one request and decodes its JSON answer of at most `limit` bytes. The URI is a path with query.
    pub async fn json<T: DeserializeOwned>(
        &self,
        request: Request<Vec<u8>>,
        limit: usize,
    ) -> Result<T, RequestError> {
        let bytes = self.bytes(request, limit).await?;
        serde_json::from_slice(&bytes).map_err(|error| RequestError::Unreadable(error.to_string()))
    }

    /// Sends one request and returns its answer of at most `limit` bytes, as for `/livez`.
    pub async fn bytes(
        &self,
        request: Request<Vec<u8>>,
        limit: usize,
    ) -> Result<Bytes, RequestError> {
        let answer = self.send(request, ANSWER_TIMEOUT).await?;
        Chunks::new(answer.into_body(), ANSWER_TIMEOUT).collect(limit).await
    }

    /// `GET` of a path with query; the answer is a success, and its body has not been read.
    pub(crate) async fn get(
        &self,
        path: &str,
        accept: &'static str,
        wait: Duration,
    ) -> Result<Response<Body>, RequestError> {
        let request = Request::get(path)
            .header(ACCEPT, accept)
            .body(Vec::new())
            .map_err(|error| RequestError::Unreadable(format!("{path}: {error}")))?;
        self.send(request, wait).await
    }

    async fn send(
        &self,
        mut request: Request<Vec<u8>>,
        wait: Duration,
    ) -> Result<Response<Body>, RequestError> {
        let link = self.link().await;
        // Watches are compressed event by event since Kubernetes 1.37, which costs more than it saves.
        request.headers_mut().insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        if let Some(token) = &link.token {
            request.headers_mut().insert(AUTHORIZATION, token.header());
        }
        // What the client would log of a request is told by the error, once.
        let sent = link.client.send(request.map(Body::from)).with_subscriber(Dispatch::none());
        match timeout(wait, sent).await {
            Ok(Ok(answer)) if answer.status().is_success() => Ok(answer),
            Ok(Ok(answer)) => Err(self.refused(answer).await),
            Ok(Err(error)) => {
                self.inner.stale.store(true, Relaxed);
                Err(RequestError::connection(&error))
            }
            Err(_) => {
                self.inner.stale.store(true, Relaxed);
                Err(RequestError::Silent(wait))
            }
        }
    }

    async fn refused(&self, answer: Response<Body>) -> RequestError {
        let code = answer.status().as_u16();
        if code == 401 {
            self.inner.stale.store(true, Relaxed);
        }
        let retry_after = answer
            .headers()
            .get(RETRY_AFTER)
            .and_then(|value| value.to_str().ok()?.parse().ok())
            .map(Duration::from_secs);
        let mut chunks = Chunks::new(answer.into_body(), CONNECT_TIMEOUT);
        let body = chunks.collect(STATUS_LIMIT).await.unwrap_or_default();
        RequestError::refused(code, retry_after, &body)
    }

    /// The client in use, built anew where the last one proved stale and is not brand-new.
    async fn link(&self) -> Arc<Link> {
        let mut current = self.inner.current.lock().await;
        let stale = self.inner.stale.load(Relaxed) || expired(&current.link);
        if stale && current.built.elapsed() >= REBUILD_INTERVAL {
            current.built = Instant::now();
            self.inner.stale.store(false, Relaxed);
            match build(&self.inner.access).await {
                Ok(link) => current.link = Arc::new(link),
                Err(error) => tracing::warn!(%error, "credentials are kept as they were"),
            }
        }
        Arc::clone(&current.link)
    }
}

/// Client certificates of an exec plugin say how long they are good for.
fn expired(link: &Link) -> bool {
    let valid_until = link.client.valid_until().as_ref();
    valid_until.is_some_and(|end| end.as_second() <= unix_seconds())
}

fn unix_seconds() -> i64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.map_or(0, |now| i64::try_from(now.as_secs()).unwrap_or(i64::MAX))
}

async fn build(access: &Access) -> Result<Link, ConnectError> {
    match timeout(REBUILD_TIMEOUT, access.link()).await {
        Ok(link) => link,
        Err(_) => Err(ConnectError::Credentials(format!(
            "the exec plugin of the kubeconfig did not end within {} s",
            REBUILD_TIMEOUT.as_secs()
        ))),
    }
}

/// A body, chunk by chunk; a server that is silent too long is an error.
pub(crate) struct Chunks {
    body: Body,
    wait: Duration,
}

impl Chunks {
    pub(crate) fn new(body: Body, wait: Duration) -> Self {
        Self { body, wait }
    }

    /// How long each chunk is waited for from now on.
    pub(crate) fn wait_for(&mut self, wait: Duration) {
        self.wait = wait;
    }

    /// `None` at the end of the body.
    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>, RequestError> {
        loop {
            let frame = self.body.frame().with_subscriber(Dispatch::none());
            match timeout(self.wait, frame).await {
                Err(_) => return Err(RequestError::Silent(self.wait)),
                Ok(None) => return Ok(None),
                Ok(Some(Err(error))) => return Err(RequestError::connection(&error)),
                Ok(Some(Ok(frame))) => match frame.into_data() {
                    Ok(data) if !data.is_empty() => return Ok(Some(data)),
                    _ => {}
                },
            }
        }
    }

    pub(crate) async fn collect(&mut self, limit: usize) -> Result<Bytes, RequestError> {
        let mut whole = bytes::BytesMut::new();
        while let Some(chunk) = self.next().await? {
            if whole.len() + chunk.len() > limit {
                return Err(RequestError::TooLong(limit));
            }
            whole.extend_from_slice(&chunk);
        }
        Ok(whole.freeze())
    }
}
