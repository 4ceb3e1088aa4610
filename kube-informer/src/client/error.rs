//! Why there is no client, and why a request failed.

use std::error::Error;
use std::path::PathBuf;
use std::time::Duration;

use kube::client::AuthError;
use serde::Deserialize;

/// Why the API server cannot be reached as configured; each says what to change.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    #[error(
        "no API server is known: in a pod KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT tell it; elsewhere name \
         a file by --kubeconfig or a URL by --apiserver"
    )]
    Unknown,
    #[error(
        "KUBERNETES_SERVICE_HOST={host} and KUBERNETES_SERVICE_PORT={port} make no URL of an API server"
    )]
    Service { host: String, port: String },
    #[error("--kubeconfig {}: {problem}", file.display())]
    Kubeconfig { file: PathBuf, problem: String },
    #[error("--apiserver {url}: not a URL such as https://10.0.0.1:6443")]
    Url { url: String },
    #[error("the user agent {0:?} cannot be sent in a header")]
    UserAgent(String),
    #[error("the service account's token cannot be read: {}: {source}", file.display())]
    Token { file: PathBuf, source: std::io::Error },
    #[error("proxy {0}: only http:// and https:// proxies can be used")]
    Proxy(String),
    /// The exec plugin, a certificate or a key of the kubeconfig.
    #[error("credentials for the API server: {0}")]
    Credentials(String),
}

/// Why a request to the API server gave nothing.
#[derive(Debug, thiserror::Error)]
pub enum RequestError {
    /// DNS, TCP, TLS, a proxy, or a connection that was cut in the middle of an answer.
    #[error("connection: {0}")]
    Connection(String),
    #[error("the API server was silent for {} s", .0.as_secs_f64())]
    Silent(Duration),
    #[error("the API server answers {code}: {message}")]
    Refused {
        /// The HTTP status code.
        code: u16,
        /// `reason` of the API's Status, such as `Expired`; empty where the answer is none.
        reason: String,
        message: String,
        /// How long the API server wants to be left alone.
        retry_after: Option<Duration>,
    },
    #[error("the answer is longer than {0} bytes")]
    TooLong(usize),
    #[error("the answer cannot be read: {0}")]
    Unreadable(String),
}

impl RequestError {
    /// The HTTP status code, where the API server gave one.
    pub fn code(&self) -> Option<u16> {
        match self {
            Self::Refused { code, .. } => Some(*code),
            _ => None,
        }
    }

    /// How long the API server wants to be left alone, where it says so.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Refused { retry_after, .. } => *retry_after,
            _ => None,
        }
    }

    pub(crate) fn connection(error: &kube::Error) -> Self {
        Self::Connection(told(error))
    }

    /// From the body of an answer that is no success: a Status of the API, or whatever a proxy on the way says.
    pub(crate) fn refused(code: u16, retry_after: Option<Duration>, body: &[u8]) -> Self {
        let status: ApiStatus = serde_json::from_slice(body).unwrap_or_default();
        let message = if status.message.is_empty() {
            String::from_utf8_lossy(body.get(..SHOWN).unwrap_or(body)).trim().to_owned()
        } else {
            status.message
        };
        let retry_after = retry_after.or_else(|| status.details?.retry_after());
        Self::Refused { code, reason: status.reason, message, retry_after }
    }
}

/// How much of an answer that nobody understands is shown.
const SHOWN: usize = 200;

/// `meta/v1` Status, which answers requests that fail and ends watches.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct ApiStatus {
    pub(crate) code: u16,
    pub(crate) reason: String,
    pub(crate) message: String,
    pub(crate) details: Option<Details>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Details {
    retry_after_seconds: u64,
}

impl Details {
    pub(crate) fn retry_after(&self) -> Option<Duration> {
        (self.retry_after_seconds > 0).then(|| Duration::from_secs(self.retry_after_seconds))
    }
}

/// An error of the client in words, without its own around the cause, and without the arguments, environment and output
/// of an exec plugin: they may hold secrets.
pub(crate) fn told(error: &kube::Error) -> String {
    let mut cause: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(error) = cause {
        match error.downcast_ref() {
            Some(AuthError::AuthExecRun { out, .. }) => {
                return format!("the kubeconfig's exec plugin failed: {}", out.status);
            }
            Some(AuthError::AuthExecParse(_)) => {
                return "the kubeconfig's exec plugin wrote no ExecCredential".to_owned();
            }
            _ => cause = error.source(),
        }
    }
    chain(error.source().unwrap_or(error))
}

/// An error and its causes; a cause that its parent's text already tells is left out.
pub(crate) fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let next = error.to_string();
        if !text.contains(&next) {
            text.push_str(": ");
            text.push_str(&next);
        }
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_tells_what_the_api_says() {
        let body = br#"{"kind":"Status","message":"too many","reason":"TooManyRequests","details":{"retryAfterSeconds":3},"code":429}"#;
        let RequestError::Refused { code, reason, message, retry_after } =
            RequestError::refused(429, None, body)
        else {
            panic!("not refused")
        };
        assert_eq!((code, reason.as_str(), message.as_str()), (429, "TooManyRequests", "too many"));
        assert_eq!(retry_after, Some(Duration::from_secs(3)));
    }

    #[test]
    fn a_refusal_that_is_no_status_shows_its_start() {
        let page = "<html>".repeat(100);
        let error = RequestError::refused(502, None, page.as_bytes());
        assert_eq!(error.code(), Some(502));
        assert_eq!(error.to_string().len(), "the API server answers 502: ".len() + SHOWN);
    }
}
