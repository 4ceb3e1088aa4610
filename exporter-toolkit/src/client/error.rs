//! Why a server could not be asked. No error quotes a token or a key.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use rustls::{CertificateError, Error as TlsError};

use crate::files::FileError;

/// Why there is no answer, with the address and what to do about it.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    #[error("'{text}' is no address: {problem}")]
    Target { text: String, problem: &'static str },
    #[error("'{name}' is no name or address that a certificate can carry")]
    Name { name: String },
    #[error(transparent)]
    File(#[from] FileError),
    #[error("{}: {problem}", path.display())]
    Content { path: PathBuf, problem: String },
    #[error("TLS: {problem}")]
    Tls { problem: String },
    #[error("cannot connect to {address}: {source}")]
    Connect { address: String, source: io::Error },
    #[error("{address}: TLS handshake failed: {source}{}", remedy(source))]
    Handshake { address: String, source: io::Error },
    /// The deadline came while `doing`.
    #[error("{address}: {doing} took longer than {:.1} s", after.as_secs_f64())]
    Late { address: String, doing: Doing, after: Duration },
    #[error("{address}: {doing} failed: {}", deepest(source))]
    Broken { address: String, doing: Doing, source: hyper::Error },
    #[error("{address}: the answer is longer than {limit} bytes")]
    TooLong { address: String, limit: usize },
    #[error("{address}: all {connections} connections stayed in use")]
    Busy { address: String, connections: usize },
}

/// What a client was at.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Doing {
    Connecting,
    /// Sending the request, and waiting for the answer's headers.
    Asking,
    /// Reading the answer's body.
    Reading,
}

impl std::fmt::Display for Doing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Connecting => "connecting",
            Self::Asking => "waiting for the answer",
            Self::Reading => "reading the answer",
        })
    }
}

impl ClientError {
    /// Whether the time was up, so that the answer may well have come later.
    pub fn is_late(&self) -> bool {
        matches!(self, Self::Late { .. } | Self::Busy { .. })
    }
}

/// hyper's own text says only that something is wrong; what is wrong is further down.
fn deepest(error: &hyper::Error) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(deeper) = source {
        text = format!("{text}: {deeper}");
        source = deeper.source();
    }
    text
}

/// What to do about a certificate that was refused.
fn remedy(error: &io::Error) -> &'static str {
    let tls = error.get_ref().and_then(|error| error.downcast_ref::<TlsError>());
    let Some(TlsError::InvalidCertificate(wrong)) = tls else { return "" };
    match wrong {
        CertificateError::UnknownIssuer | CertificateError::BadSignature => {
            "; give the CA that signed the server's certificate, or pin the certificate itself"
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "; give the name that the server's certificate carries, or pin the certificate itself"
        }
        CertificateError::ApplicationVerificationFailure => {
            "; the server shows another certificate than the pinned file holds"
        }
        _ => "",
    }
}
