//! A small HTTP/1.1 client for what agents ask: one server each, connections that are kept, and an end to every wait.

mod body;
mod error;
mod pool;
mod target;
#[cfg(test)]
mod tests;
mod tls;
mod token;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{AUTHORIZATION, HOST};
use http::uri::Uri;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use tokio::time::{Instant, timeout_at};

pub use body::Received;
pub use error::{ClientError, Doing};
pub use target::Target;
pub use tls::TlsSettings;

use pool::{Link, Pool};
use target::Place;
use tls::Secure;
use token::TokenFile;

/// How a server is asked.
#[derive(Clone, Debug)]
pub struct ClientSettings {
    pub tls: TlsSettings,
    /// A file with a bearer token, read again when it changes and after a 401.
    pub token_file: Option<PathBuf>,
    /// Connections open at the same time at most; further requests wait for one.
    pub connections: usize,
    /// For the name, TCP and TLS together.
    pub connect: Duration,
    /// How long an unused connection is kept.
    pub idle: Duration,
}

impl Default for ClientSettings {
    fn default() -> Self {
        Self {
            tls: TlsSettings::default(),
            token_file: None,
            connections: 4,
            connect: Duration::from_secs(5),
            idle: Duration::from_secs(90),
        }
    }
}

/// A client of one server, cheap to clone. It needs a tokio runtime.
#[derive(Clone)]
pub struct Client(Arc<Inner>);

struct Inner {
    target: Target,
    host: HeaderValue,
    token: Option<TokenFile>,
    pool: Arc<Pool>,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").field("target", &self.0.target).finish_non_exhaustive()
    }
}

/// Why an attempt on one connection brought no answer.
enum Failure {
    /// The server had closed the kept connection: nothing of an answer came.
    Gone(ClientError),
    Final(ClientError),
}

impl Client {
    /// Reads the files that the settings name; connects to nobody yet.
    pub fn new(target: Target, settings: ClientSettings) -> Result<Self, ClientError> {
        let secure = match &target.place {
            Place::Tcp { host, tls: true, .. } => Some(Secure::open(settings.tls.clone(), host)?),
            _ => None,
        };
        let token = settings.token_file.clone().map(TokenFile::open).transpose()?;
        let host = HeaderValue::from_str(target.host_header())
            .map_err(|_| ClientError::Name { name: target.host_header().to_owned() })?;
        let pool = Pool::new(target.clone(), secure, &settings);
        Ok(Self(Arc::new(Inner { target, host, token, pool: Arc::new(pool) })))
    }

    pub fn target(&self) -> &Target {
        &self.0.target
    }

    /// `GET` of a path with its query. All of the answer must be there at `deadline`, its body included.
    pub async fn get(
        &self,
        path: &str,
        headers: HeaderMap,
        deadline: Instant,
    ) -> Result<Response<Received>, ClientError> {
        let mut request = Request::new(Bytes::new());
        *request.uri_mut() = path.parse::<Uri>().map_err(|_| ClientError::Target {
            text: path.chars().take(100).collect(),
            problem: "a path starts with '/' and has no blanks",
        })?;
        *request.headers_mut() = headers;
        self.send(request, deadline).await
    }

    /// Sends a request, of whose URI the path and query count. All of the answer must be there at `deadline`.
    ///
    /// A kept connection that the server closed meanwhile is replaced once. With a token file the request carries its
    /// token unless it has an `Authorization` header of its own; a 401 is answered with the file's next token, if any.
    pub async fn send(
        &self,
        mut request: Request<Bytes>,
        deadline: Instant,
    ) -> Result<Response<Received>, ClientError> {
        request.headers_mut().entry(HOST).or_insert_with(|| self.0.host.clone());
        *request.uri_mut() = origin(request.uri());
        let token =
            self.0.token.as_ref().filter(|_| !request.headers().contains_key(AUTHORIZATION));
        let Some(token) = token else { return self.answer(&request, deadline).await };
        let header = token.header();
        request.headers_mut().insert(AUTHORIZATION, header.clone());
        let response = self.answer(&request, deadline).await?;
        if response.status() != StatusCode::UNAUTHORIZED {
            return Ok(response);
        }
        let Some(other) = token.other_than(&header) else { return Ok(response) };
        drop(response);
        request.headers_mut().insert(AUTHORIZATION, other);
        self.answer(&request, deadline).await
    }

    async fn answer(
        &self,
        request: &Request<Bytes>,
        deadline: Instant,
    ) -> Result<Response<Received>, ClientError> {
        // What was sent may have been done, and only some requests may be done twice (RFC 9110, section 9.2.2).
        let repeatable = *request.method() != Method::POST && *request.method() != Method::PATCH;
        let link = self.0.pool.link(deadline, false).await?;
        let was_kept = link.is_kept();
        match self.attempt(link, request, deadline).await {
            Ok(response) => Ok(response),
            Err(Failure::Gone(_)) if was_kept && repeatable => {
                let link = self.0.pool.link(deadline, true).await?;
                self.attempt(link, request, deadline).await.map_err(Failure::into_error)
            }
            Err(failure) => Err(failure.into_error()),
        }
    }

    async fn attempt(
        &self,
        mut link: Link,
        request: &Request<Bytes>,
        deadline: Instant,
    ) -> Result<Response<Received>, Failure> {
        let began = Instant::now();
        let address = || self.0.target.to_string();
        let answer = timeout_at(deadline, link.send(request.clone())).await;
        match answer {
            Ok(Ok(response)) => Ok(self.received(response, link, deadline, began)),
            Ok(Err(source)) => {
                let gone = source.is_canceled()
                    || source.is_closed()
                    || source.is_incomplete_message()
                    || is_reset(&source);
                let error =
                    ClientError::Broken { address: address(), doing: Doing::Asking, source };
                Err(if gone { Failure::Gone(error) } else { Failure::Final(error) })
            }
            Err(_) => {
                let after = began.elapsed();
                Err(Failure::Final(ClientError::Late {
                    address: address(),
                    doing: Doing::Asking,
                    after,
                }))
            }
        }
    }

    fn received(
        &self,
        response: Response<Incoming>,
        link: Link,
        deadline: Instant,
        began: Instant,
    ) -> Response<Received> {
        let address = self.0.target.to_string();
        response.map(|body| Received::new(body, link, address, deadline, began))
    }
}

impl Failure {
    fn into_error(self) -> ClientError {
        match self {
            Self::Gone(error) | Self::Final(error) => error,
        }
    }
}

fn is_reset(error: &hyper::Error) -> bool {
    let source = std::error::Error::source(error).and_then(|e| e.downcast_ref::<std::io::Error>());
    source.is_some_and(|error| {
        use std::io::ErrorKind::{BrokenPipe, ConnectionReset, UnexpectedEof};
        matches!(error.kind(), BrokenPipe | ConnectionReset | UnexpectedEof)
    })
}

/// The form that a server is asked in: path and query alone (RFC 9112, section 3.2.1).
fn origin(uri: &Uri) -> Uri {
    let path = uri.path_and_query().cloned();
    path.map_or_else(|| Uri::from_static("/"), Uri::from)
}
