//! As much of HTTP/1.1 as clients of an API server use: requests without bodies, answers of known length or in chunks.

use std::io::{self, BufRead, Read, Write};
use std::net::TcpStream;

/// Longest request head.
const HEAD: u64 = 64 << 10;
/// Bytes of a chunk before it is sent.
const CHUNK: usize = 64 << 10;

/// A request as it has come; its body is not kept.
#[derive(Debug, Default)]
pub struct Request {
    pub method: String,
    /// Without its query, not decoded.
    pub path: String,
    query: Vec<(String, String)>,
    pub accept: String,
    pub(crate) close: bool,
}

impl Request {
    /// As if it had come.
    pub(crate) fn new(method: &str, target: &str) -> Self {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        Self {
            method: method.to_owned(),
            path: path.to_owned(),
            query: pairs(query),
            ..Self::default()
        }
    }

    /// The next one of a connection; `None` at its end.
    pub(crate) fn read(stream: &mut impl BufRead) -> io::Result<Option<Self>> {
        let mut head = stream.take(HEAD);
        let Some(first) = line(&mut head)? else { return Ok(None) };
        let mut words = first.split(' ');
        let method = words.next().unwrap_or_default();
        let target = words.next().ok_or(io::ErrorKind::InvalidData)?;
        let mut request = Self::new(method, target);
        let mut length = 0;
        loop {
            let text = line(&mut head)?.ok_or(io::ErrorKind::UnexpectedEof)?;
            if text.is_empty() {
                break;
            }
            let Some((name, value)) = text.split_once(':') else { continue };
            let value = value.trim();
            match name.to_ascii_lowercase().as_str() {
                "accept" => value.clone_into(&mut request.accept),
                "connection" => request.close = value.eq_ignore_ascii_case("close"),
                "content-length" => length = value.parse().unwrap_or(0),
                _ => {}
            }
        }
        io::copy(&mut stream.take(length), &mut io::sink())?;
        Ok(Some(request))
    }

    /// A parameter of the query, if it is there and not empty.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        let found = self.query.iter().find(|(other, _)| other == name);
        found.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }

    pub fn number<T: std::str::FromStr>(&self, name: &str) -> Option<T> {
        self.parameter(name)?.parse().ok()
    }

    pub fn is_set(&self, name: &str) -> bool {
        matches!(self.parameter(name), Some("true" | "1"))
    }
}

fn line(stream: &mut impl BufRead) -> io::Result<Option<String>> {
    let mut text = String::new();
    if stream.read_line(&mut text)? == 0 {
        return Ok(None);
    }
    Ok(Some(text.trim_end().to_owned()))
}

fn pairs(query: &str) -> Vec<(String, String)> {
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(n, v)| (decode(n), decode(v)))
        .collect()
}

/// Takes back the coding of `application/x-www-form-urlencoded`.
fn decode(text: &str) -> String {
    let (mut out, mut bytes) = (Vec::new(), text.bytes());
    while let Some(byte) = bytes.next() {
        out.push(match byte {
            b'+' => b' ',
            b'%' => {
                let digit = |b: Option<u8>| b.and_then(|b| char::from(b).to_digit(16)).unwrap_or(0);
                (digit(bytes.next()) << 4 | digit(bytes.next())).to_le_bytes()[0]
            }
            byte => byte,
        });
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// Sends an answer whose length is known.
pub(crate) fn send(stream: &mut TcpStream, status: u16, json: &[u8]) -> io::Result<()> {
    send_as(stream, status, JSON, json)
}

const JSON: &str = "Content-Type: application/json\r\n";

/// As [`send`], with headers of one's own, each with its line's end.
pub(crate) fn send_as(
    stream: &mut TcpStream,
    status: u16,
    headers: &str,
    body: &[u8],
) -> io::Result<()> {
    let mut answer = head(status, &format!("{headers}Content-Length: {}", body.len()));
    answer.extend_from_slice(body);
    stream.write_all(&answer)
}

fn head(status: u16, headers: &str) -> Vec<u8> {
    // Clients may try again where the server says when.
    let later = if matches!(status, 429 | 503 | 504) { "Retry-After: 1\r\n" } else { "" };
    format!("HTTP/1.1 {status} -\r\n{later}{headers}\r\n\r\n").into_bytes()
}

/// An answer that is sent while it is made.
pub(crate) struct Chunks<'a> {
    stream: &'a mut TcpStream,
    /// What is not sent yet: the head of a chunk, whose size is written last, and its data.
    pub(crate) out: Vec<u8>,
}

const CHUNK_HEAD: &[u8] = b"00000000\r\n";

impl<'a> Chunks<'a> {
    pub(crate) fn start(stream: &'a mut TcpStream) -> io::Result<Self> {
        stream.write_all(&head(200, &format!("{JSON}Transfer-Encoding: chunked")))?;
        Ok(Self { stream, out: CHUNK_HEAD.to_vec() })
    }

    /// Sends what is there where it is enough.
    pub(crate) fn pace(&mut self) -> io::Result<()> {
        if self.out.len() < CHUNK { Ok(()) } else { self.flush() }
    }

    pub(crate) fn flush(&mut self) -> io::Result<()> {
        let size = self.out.len() - CHUNK_HEAD.len();
        if size == 0 {
            return Ok(());
        }
        self.out.splice(..8, format!("{size:08x}").bytes());
        self.out.extend_from_slice(b"\r\n");
        self.stream.write_all(&self.out)?;
        self.out.truncate(CHUNK_HEAD.len());
        Ok(())
    }

    pub(crate) fn finish(mut self) -> io::Result<()> {
        self.flush()?;
        self.stream.write_all(b"0\r\n\r\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_read_with_its_parameters_and_without_its_body() {
        let text = "GET /api/v1/pods?fieldSelector=spec.nodeName%3Dn%2B1&limit=5&continue= HTTP/1.1\r\n\
             accept: application/json\r\nContent-Length: 2\r\n\r\n{}POST /control/cut HTTP/1.1\r\nConnection: Close\r\n\r\n";
        let mut stream = text.as_bytes();
        let first = Request::read(&mut stream).unwrap().unwrap();
        assert_eq!(
            (first.path.as_str(), first.accept.as_str()),
            ("/api/v1/pods", "application/json")
        );
        assert_eq!(first.parameter("fieldSelector"), Some("spec.nodeName=n+1"));
        assert_eq!((first.number::<u64>("limit"), first.parameter("continue")), (Some(5), None));
        let second = Request::read(&mut stream).unwrap().unwrap();
        assert_eq!((second.method.as_str(), second.close), ("POST", true));
        assert!(Request::read(&mut stream).unwrap().is_none());
    }
}
