//! One POST over TCP or a Unix socket, with a deadline and a limit: HTTP/1.0 (RFC 1945), whose answers end with the
//! connection.

use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::flags::FlagValue;

/// More than thousands of processes need.
const LIMIT: usize = 8 << 20;

/// Where supervisord answers.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Endpoint {
    address: Address,
    host: String,
    path: String,
    /// The value of `Authorization`.
    login: Option<String>,
}

#[derive(Clone, Debug, Eq, PartialEq)]
enum Address {
    Tcp(String, u16),
    Unix(PathBuf),
}

impl FlagValue for Endpoint {
    const WORD: &str = "URL";

    fn read(text: &str) -> Result<Self, String> {
        let expected = || "expected http://HOST:PORT/PATH or unix:///PATH".to_owned();
        if let Some(path) = text.strip_prefix("unix://") {
            let address = Address::Unix(path.into());
            // The path of the question is the usual one: the URL has room for the socket's only.
            return Ok(Self { address, host: "unix".into(), path: "/RPC2".into(), login: None });
        }
        let rest = text.strip_prefix("http://").ok_or_else(expected)?;
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let (login, host) = match authority.rsplit_once('@') {
            Some((login, host)) => (Some(basic(login)), host),
            None => (None, authority),
        };
        let (name, port) = match host.rsplit_once(':') {
            Some((name, port)) if !port.ends_with(']') => {
                (name, port.parse().map_err(|_| expected())?)
            }
            _ => (host, 80),
        };
        if name.is_empty() {
            return Err(expected());
        }
        let path = if path.is_empty() { "/" } else { path };
        let name = name.trim_matches(['[', ']']).to_owned();
        let address = Address::Tcp(name, port);
        Ok(Self { address, host: host.to_owned(), path: path.to_owned(), login })
    }
}

/// Basic authentication (RFC 7617) from `USER:PASSWORD` with the escapes of a URL.
fn basic(login: &str) -> String {
    let bytes: Vec<u8> = percent_encoding::percent_decode_str(login).collect();
    format!("Basic {}", exporter_toolkit::base64::encode(&bytes))
}

impl Endpoint {
    /// Gives the answer's body.
    pub(super) fn post(&self, body: &[u8], until: Instant) -> io::Result<Vec<u8>> {
        let mut head = format!(
            "POST {} HTTP/1.0\r\nHost: {}\r\nContent-Type: text/xml\r\nContent-Length: {}\r\n",
            self.path,
            self.host,
            body.len()
        );
        if let Some(login) = &self.login {
            head.push_str("Authorization: ");
            head.push_str(login);
            head.push_str("\r\n");
        }
        head.push_str("\r\n");
        let mut question = head.into_bytes();
        question.extend_from_slice(body);
        let answer = match &self.address {
            Address::Tcp(host, port) => {
                let stream = connect(host, *port, until)?;
                exchange(stream, &question, until, TcpStream::set_read_timeout)?
            }
            Address::Unix(path) => {
                let stream = UnixStream::connect(path)?;
                stream.set_write_timeout(Some(left(until)?))?;
                exchange(stream, &question, until, UnixStream::set_read_timeout)?
            }
        };
        body_of(answer)
    }
}

/// The time that is left; an error where none is.
fn left(until: Instant) -> io::Result<Duration> {
    let left = until.saturating_duration_since(Instant::now());
    if left.is_zero() { Err(io::ErrorKind::TimedOut.into()) } else { Ok(left) }
}

/// Tries each address that the name has.
fn connect(host: &str, port: u16, until: Instant) -> io::Result<TcpStream> {
    let mut failure = io::Error::from(io::ErrorKind::NotFound);
    for address in (host, port).to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, left(until)?) {
            Ok(stream) => {
                stream.set_write_timeout(Some(left(until)?))?;
                return Ok(stream);
            }
            Err(error) => failure = error,
        }
    }
    Err(failure)
}

fn exchange<S: Read + Write>(
    mut stream: S,
    question: &[u8],
    until: Instant,
    set_timeout: fn(&S, Option<Duration>) -> io::Result<()>,
) -> io::Result<Vec<u8>> {
    stream.write_all(question)?;
    let mut answer = Vec::new();
    let mut part = [0; 4096];
    loop {
        set_timeout(&stream, Some(left(until)?))?;
        match stream.read(&mut part) {
            Ok(0) => return Ok(answer),
            Ok(count) if answer.len() + count > LIMIT => {
                return Err(io::Error::other(format!("an answer of more than {LIMIT} bytes")));
            }
            Ok(count) => answer.extend_from_slice(&part[..count]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// What follows the head of an answer of 200.
fn body_of(mut answer: Vec<u8>) -> io::Result<Vec<u8>> {
    let head = answer.windows(4).position(|four| four == b"\r\n\r\n");
    let status = answer.split(|&byte| byte == b'\r').next().unwrap_or_default();
    let status = String::from_utf8_lossy(&status[..status.len().min(80)]).into_owned();
    match head {
        Some(end) if status.split(' ').nth(1) == Some("200") => Ok(answer.split_off(end + 4)),
        _ => Err(io::Error::other(format!("not the answer expected: {status:?}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_taken_apart() {
        let local = Endpoint::read("http://localhost:9001/RPC2").unwrap();
        assert_eq!(local.address, Address::Tcp("localhost".into(), 9001));
        assert_eq!((local.host.as_str(), local.path.as_str()), ("localhost:9001", "/RPC2"));
        assert_eq!(Endpoint::read("http://[::1]").unwrap().address, Address::Tcp("::1".into(), 80));
        assert_eq!(Endpoint::read("http://a@b:1").unwrap().login.as_deref(), Some("Basic YQ=="));
        for wrong in ["", "https://localhost/", "http://", "http://:9001/", "http://a:b/"] {
            assert!(Endpoint::read(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn an_escape_in_a_login_is_its_byte_and_a_lone_percent_sign_itself() {
        assert_eq!(basic("a:%25%zz%"), "Basic YTolJXp6JQ==");
    }

    #[test]
    fn only_a_good_answer_has_a_body() {
        assert_eq!(body_of(b"HTTP/1.0 200 OK\r\nA: b\r\n\r\nx".to_vec()).unwrap(), b"x");
        let error = body_of(b"HTTP/1.0 401 Unauthorized\r\n\r\nx".to_vec()).unwrap_err();
        assert!(error.to_string().contains("401 Unauthorized"), "{error}");
        assert!(body_of(b"HTTP/1.0 200 OK\r\n".to_vec()).is_err());
        assert!(body_of(Vec::new()).is_err());
    }
}
