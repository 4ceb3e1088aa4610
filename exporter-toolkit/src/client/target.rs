//! Where a client goes: `http://`, `https://` or a unix socket, and the path there.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use http::uri::{Authority, Uri};

use super::ClientError;

/// The longest address that is taken.
const LIMIT_BYTES: usize = 4096;

/// An address as it is given to an agent: `http://host:port/path`, `https://[::1]:port`, `unix:/run/app.sock` or
/// `unix:/run/app.sock:/path`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Target {
    pub(crate) place: Place,
    path: String,
}

/// What is connected to.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Place {
    Tcp { authority: Authority, host: String, port: u16, tls: bool },
    Unix(PathBuf),
}

impl Target {
    /// The path and query that the address ends with; `/` where it has none.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The same place with another path.
    #[must_use]
    pub fn with_path(&self, path: &str) -> Self {
        Self { place: self.place.clone(), path: path.to_owned() }
    }

    /// Whether what is sent can be read on the way.
    pub fn is_plain(&self) -> bool {
        matches!(self.place, Place::Tcp { tls: false, .. })
    }

    /// Whether the address is this machine's: a unix socket, `localhost` or a loopback address.
    pub fn is_local(&self) -> bool {
        match &self.place {
            Place::Unix(_) => true,
            Place::Tcp { host, .. } => {
                host == "localhost"
                    || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
            }
        }
    }

    /// What is connected to, as a person calls it: `host:port`, or the path of a socket.
    pub fn endpoint(&self) -> String {
        match &self.place {
            Place::Tcp { host, port, .. } if host.contains(':') => format!("[{host}]:{port}"),
            Place::Tcp { host, port, .. } => format!("{host}:{port}"),
            Place::Unix(path) => path.display().to_string(),
        }
    }

    /// What the `Host` header says.
    pub(crate) fn host_header(&self) -> &str {
        match &self.place {
            Place::Tcp { authority, .. } => authority.as_str(),
            Place::Unix(_) => "localhost",
        }
    }
}

/// Without the path, which may hold what a log should not.
impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Place::Tcp { authority, tls, .. } => {
                write!(f, "{}://{authority}", if *tls { "https" } else { "http" })
            }
            Place::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

impl FromStr for Target {
    type Err = ClientError;

    fn from_str(text: &str) -> Result<Self, ClientError> {
        let wrong = |problem| ClientError::Target { text: shortened(text), problem };
        if text.len() > LIMIT_BYTES {
            return Err(wrong("it is too long"));
        }
        match text.strip_prefix("unix:") {
            Some(rest) => unix(rest).map_err(wrong),
            None => tcp(text).map_err(wrong),
        }
    }
}

fn unix(text: &str) -> Result<Target, &'static str> {
    let (socket, path) = match text.split_once(":/") {
        Some((socket, path)) => (socket, format!("/{path}")),
        None => (text, "/".to_owned()),
    };
    let socket = socket.strip_prefix("//").unwrap_or(socket);
    if !Path::new(socket).is_absolute() {
        return Err("a socket is given as 'unix:/run/app.sock' or 'unix:/run/app.sock:/metrics'");
    }
    if path.parse::<Uri>().is_err() {
        return Err("what follows the socket is no path of HTTP");
    }
    Ok(Target { place: Place::Unix(PathBuf::from(socket)), path })
}

fn tcp(text: &str) -> Result<Target, &'static str> {
    let form =
        "an address is 'http://host:port/path', 'https://host:port/path' or 'unix:/run/app.sock'";
    let uri: Uri = text.parse().map_err(|_| form)?;
    let tls = match uri.scheme_str() {
        Some("http") => false,
        Some("https") => true,
        _ => return Err(form),
    };
    let authority = uri.authority().ok_or(form)?.clone();
    if authority.as_str().contains('@') {
        return Err("credentials in an address end in logs: give them by file");
    }
    let bare = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
    let port = match authority.port() {
        Some(port) => port.as_u16(),
        None if authority.as_str().len() > authority.host().len() => {
            return Err("the port is not a number");
        }
        None if tls => 443,
        None => 80,
    };
    if bare.is_empty() {
        return Err(form);
    }
    let path = uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
    Ok(Target { place: Place::Tcp { authority, host: bare, port, tls }, path })
}

/// The text for an error: credentials do not get into it, nor much else.
fn shortened(text: &str) -> String {
    let text =
        text.rsplit_once('@').map_or_else(|| text.to_owned(), |(_, rest)| format!("…@{rest}"));
    text.chars().take(100).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<Target, String> {
        text.parse().map_err(|error: ClientError| error.to_string())
    }

    #[test]
    fn an_address_is_taken_apart() {
        for (text, shown, path, local) in [
            ("http://127.0.0.1:8080/metrics?x=1", "http://127.0.0.1:8080", "/metrics?x=1", true),
            ("https://node-1:10250", "https://node-1:10250", "/", false),
            ("https://[::1]:10250/a", "https://[::1]:10250", "/a", true),
            ("http://localhost", "http://localhost", "/", true),
            ("unix:/run/app.sock", "unix:/run/app.sock", "/", true),
            ("unix:///run/app.sock", "unix:/run/app.sock", "/", true),
            ("unix:/run/app.sock:/metrics", "unix:/run/app.sock", "/metrics", true),
        ] {
            let target = parsed(text).unwrap();
            assert_eq!((target.to_string().as_str(), target.path()), (shown, path), "{text}");
            assert_eq!(target.is_local(), local, "{text}");
        }
        for (text, endpoint) in [
            ("https://[fe80::1]", "[fe80::1]:443"),
            ("http://node-1/a", "node-1:80"),
            ("unix:/run/app.sock:/metrics", "/run/app.sock"),
        ] {
            assert_eq!(parsed(text).unwrap().endpoint(), endpoint);
        }
    }

    #[test]
    fn a_wrong_address_says_what_is_right() {
        for (text, problem) in [
            ("node-1:10250", "http://host:port"),
            ("ftp://x/", "http://host:port"),
            ("http://", "http://host:port"),
            ("http://x:http/", "port"),
            ("unix:run/app.sock", "unix:/run/app.sock"),
            ("https://me:secret@x/", "by file"),
        ] {
            let error = parsed(text).unwrap_err();
            assert!(error.contains(problem) && !error.contains("secret"), "{error}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_it_panic(text: String, close in "(https?://|unix:)[\\[\\]:/0-9a-z@?#%]{0,20}") {
            let _any = (parsed(&text).is_ok(), parsed(&close).is_ok());
        }
    }
}
