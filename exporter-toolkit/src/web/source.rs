//! What an agent is to the server in front of it.

use std::future::{Future, ready};
use std::time::Instant;

use http::{HeaderMap, HeaderValue, Method, Response, StatusCode};

use super::answer::Answer;
use super::body::Body;
use super::landing::Landing;
use crate::Format;

/// An agent: what it answers when it is scraped, asked for its health or looked at.
///
/// Nothing here may block: the methods run on the reactor that serves every connection.
pub trait Source: Send + Sync + 'static {
    /// Answers one scrape. The future is dropped when the client goes away or is much too late.
    fn scrape(&self, request: Scrape) -> impl Future<Output = Result<Answer, Refusal>> + Send;

    /// Whether the data is complete, for `/readyz`; the error is the reason that a person reads there.
    fn ready(&self) -> Result<(), String> {
        Ok(())
    }

    /// Fills the page that a person sees on `/`.
    fn landing(&self, page: &mut Landing);

    /// Called after SIGHUP, once `--web.config.file` is read again.
    fn reload(&self) {}

    /// Further paths that are scraped like the telemetry path: limited, timed and counted.
    fn scrapes(&self, _path: &str) -> bool {
        false
    }

    /// Answers paths that are none of the server's own; `None` is a 404.
    fn route(&self, _visit: Visit<'_>) -> impl Future<Output = Option<Response<Body>>> + Send {
        ready(None)
    }
}

/// One scrape, as the agent needs to know it.
#[derive(Clone, Debug)]
pub struct Scrape {
    /// The telemetry path, or one of those that [`Source::scrapes`] names.
    pub path: String,
    /// The decoded query, in its order: `collect[]=cpu` is `("collect[]", "cpu")`.
    pub query: Vec<(String, String)>,
    pub format: Format,
    /// Whether the client takes gzip. Blocks are compressed by the server; only a stream needs to know.
    pub gzip: bool,
    /// The client's `Authorization`, for agents that ask another server on its behalf; `None` where it was meant for this
    /// one, which then has a list of users.
    pub authorization: Option<HeaderValue>,
    /// When the answer must be complete: the scraper's timeout less a margin for the way back.
    pub deadline: Instant,
}

/// A scrape that is not answered with metrics.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Refusal {
    pub status: StatusCode,
    /// Shown to the client as it is: one plain sentence without secrets.
    pub reason: String,
}

impl Refusal {
    pub fn new(status: StatusCode, reason: impl Into<String>) -> Self {
        Self { status, reason: reason.into() }
    }

    /// The client asked for something that does not exist or is contradictory.
    pub fn bad_request(reason: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, reason)
    }

    /// The data cannot be had at the moment.
    pub fn unavailable(reason: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, reason)
    }
}

/// A request for a path of the agent's own.
#[derive(Clone, Copy, Debug)]
pub struct Visit<'a> {
    pub method: &'a Method,
    pub path: &'a str,
    pub query: &'a [(String, String)],
    /// Credentials are taken out before an agent sees the headers.
    pub headers: &'a HeaderMap,
    pub deadline: Instant,
}

/// Decodes a query string as forms are: `+` is a space, `%XX` a byte, bytes that are not UTF-8 are replaced.
pub(crate) fn query_pairs(query: Option<&str>) -> Vec<(String, String)> {
    let pairs = query.unwrap_or_default().split('&').filter(|pair| !pair.is_empty());
    let split = pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    split.map(|(name, value)| (decoded(name), decoded(value))).collect()
}

fn decoded(text: &str) -> String {
    let text = text.replace('+', " ");
    percent_encoding::percent_decode_str(&text).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_decoded_in_its_order() {
        let pairs = query_pairs(Some("collect[]=cpu&collect%5B%5D=a+b%26&flag&&x=%ff"));
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(
            pairs,
            [
                pair("collect[]", "cpu"),
                pair("collect[]", "a b&"),
                pair("flag", ""),
                pair("x", "\u{fffd}")
            ]
        );
        assert_eq!(query_pairs(None), []);
    }
}
