//! Requests over HTTP/1.1 that notice a cut answer: what a test wants to know and most clients hide.

mod stream;

use std::fmt::Write as _;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// No exposition of a test is larger.
const LIMIT: u64 = 256 << 20;

/// Why there is no complete answer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot connect to {0}: {1}")]
    Connect(SocketAddr, #[source] io::Error),
    #[error("no answer from {0}: {1}")]
    NoAnswer(SocketAddr, #[source] io::Error),
    #[error("the answer is cut: {0}")]
    Cut(&'static str),
    #[error("not HTTP: {0}")]
    Malformed(String),
}

/// A request to be sent.
#[derive(Clone, Debug)]
pub struct Request {
    method: &'static str,
    address: SocketAddr,
    path: String,
    headers: String,
    body: Vec<u8>,
    timeout: Duration,
}

/// A complete answer; its body is as it came, less the transfer coding.
#[derive(Clone, Debug)]
pub struct Response {
    pub status: u16,
    head: String,
    pub body: Vec<u8>,
}

/// GET without further headers.
pub fn get(address: SocketAddr, path: &str) -> Result<Response, Error> {
    Request::new(address, path).send()
}

impl Request {
    pub fn new(address: SocketAddr, path: &str) -> Self {
        let timeout = Duration::from_secs(30);
        let (path, headers, body) = (path.to_owned(), String::new(), Vec::new());
        Self { method: "GET", address, path, headers, body, timeout }
    }

    /// POST instead of GET, without a body.
    #[must_use]
    pub fn post(mut self) -> Self {
        self.method = "POST";
        self.header("Content-Length", "0")
    }

    /// Another method, with a body of this type.
    #[must_use]
    pub fn sending(mut self, method: &'static str, kind: &str, body: Vec<u8>) -> Self {
        (self.method, self.body) = (method, body);
        let length = self.body.len().to_string();
        self.header("Content-Type", kind).header("Content-Length", &length)
    }

    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        // Writing to a String cannot fail.
        _ = write!(self.headers, "{name}: {value}\r\n");
        self
    }

    #[must_use]
    pub fn basic_auth(self, user: &str, password: &str) -> Self {
        let token = base64(format!("{user}:{password}").as_bytes());
        self.header("Authorization", &format!("Basic {token}"))
    }

    /// The longest wait for one read or write.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Sends it on a connection of its own.
    pub fn send(&self) -> Result<Response, Error> {
        let no_answer = |error| Error::NoAnswer(self.address, error);
        let mut stream = self.connect()?;
        stream.write_all(&self.bytes("Connection: close\r\n")).map_err(no_answer)?;
        let mut answer = Vec::new();
        match stream.take(LIMIT).read_to_end(&mut answer) {
            Ok(_) => {}
            Err(error) if answer.is_empty() => return Err(no_answer(error)),
            Err(_) => return Err(Error::Cut("the connection broke")),
        }
        if answer.is_empty() {
            return Err(no_answer(io::ErrorKind::UnexpectedEof.into()));
        }
        Response::parse(&answer)
    }

    fn connect(&self) -> Result<TcpStream, Error> {
        let connect = |error| Error::Connect(self.address, error);
        let stream = TcpStream::connect_timeout(&self.address, self.timeout).map_err(connect)?;
        stream.set_read_timeout(Some(self.timeout)).map_err(connect)?;
        stream.set_write_timeout(Some(self.timeout)).map_err(connect)?;
        Ok(stream)
    }

    fn bytes(&self, more: &str) -> Vec<u8> {
        let Self { method, path, address, headers, .. } = self;
        let head = format!("{method} {path} HTTP/1.1\r\nHost: {address}\r\n{more}{headers}\r\n");
        [head.as_bytes(), &self.body].concat()
    }
}

/// A connection that stays open from request to request, as scrapers keep theirs.
#[derive(Debug, Default)]
pub struct Connection(Option<TcpStream>);

impl Connection {
    /// Sends the request and reads its answer, which tells its own length. The first one opens the connection.
    pub fn send(&mut self, request: &Request) -> Result<Response, Error> {
        let no_answer = |error| Error::NoAnswer(request.address, error);
        let mut stream = match self.0.take() {
            Some(stream) => stream,
            None => request.connect()?,
        };
        stream.write_all(&request.bytes("")).map_err(no_answer)?;
        let (mut answer, mut part) = (Vec::new(), vec![0; 1 << 20]);
        loop {
            let count = match stream.read(&mut part) {
                // A machine that was suspended ends waits that have a limit.
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                read => read.map_err(no_answer)?,
            };
            answer.extend_from_slice(part.get(..count).unwrap_or_default());
            match Response::parse(&answer) {
                Err(Error::Cut(_)) if count > 0 && (answer.len() as u64) < LIMIT => {}
                result => {
                    self.0 = Some(stream);
                    return result;
                }
            }
        }
    }
}

impl Response {
    /// Reads a whole answer, as it came before the connection was closed.
    pub fn parse(answer: &[u8]) -> Result<Self, Error> {
        let end = answer
            .windows(4)
            .position(|four| four == b"\r\n\r\n")
            .ok_or(Error::Cut("no end of the head"))?;
        let (head, rest) = answer.split_at(end);
        let mut response = Self::head(head)?;
        let rest = rest.get(4..).unwrap_or_default();
        response.body = response.body_of(rest)?;
        Ok(response)
    }

    fn head(head: &[u8]) -> Result<Self, Error> {
        let head = String::from_utf8_lossy(head).into_owned();
        let status = head
            .split(' ')
            .nth(1)
            .and_then(|code| code.parse().ok())
            .ok_or_else(|| Error::Malformed(head.chars().take(80).collect()))?;
        Ok(Self { status, head, body: Vec::new() })
    }

    fn body_of(&self, rest: &[u8]) -> Result<Vec<u8>, Error> {
        if self.header("transfer-encoding").is_some_and(|coding| coding.contains("chunked")) {
            return unchunk(rest);
        }
        let length = self.header("content-length").and_then(|length| length.parse().ok());
        match length {
            Some(length) if rest.len() < length => Err(Error::Cut("shorter than its length")),
            Some(length) => Ok(rest.get(..length).unwrap_or_default().to_vec()),
            None => Ok(rest.to_vec()),
        }
    }

    /// A header's value; names are compared without case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head
            .lines()
            .filter_map(|line| line.split_once(':'))
            .find(|(n, _)| n.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.trim())
    }

    pub fn is_gzip(&self) -> bool {
        self.header("content-encoding") == Some("gzip")
    }

    /// The body without its gzip coding, however many members it has.
    pub fn text(&self) -> io::Result<String> {
        let mut text = String::new();
        if self.is_gzip() {
            flate2::read::MultiGzDecoder::new(&*self.body).take(LIMIT).read_to_string(&mut text)?;
        } else {
            text = String::from_utf8_lossy(&self.body).into_owned();
        }
        Ok(text)
    }
}

/// Takes off the chunked transfer coding; without its last, empty chunk the answer is cut.
fn unchunk(mut rest: &[u8]) -> Result<Vec<u8>, Error> {
    let mut body = Vec::new();
    loop {
        let line_end =
            rest.windows(2).position(|two| two == b"\r\n").ok_or(Error::Cut("no last chunk"))?;
        let (line, after) = rest.split_at(line_end);
        let line = String::from_utf8_lossy(line);
        let size = line.split(';').next().unwrap_or_default().trim();
        let size = usize::from_str_radix(size, 16)
            .map_err(|_| Error::Malformed(format!("chunk size {size:?}")))?;
        let chunk = after.get(2..2 + size).ok_or(Error::Cut("in the middle of a chunk"))?;
        if size == 0 {
            return Ok(body);
        }
        body.extend_from_slice(chunk);
        rest = after.get(2 + size + 2..).ok_or(Error::Cut("no end of a chunk"))?;
    }
}

/// RFC 4648 with padding.
fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for three in bytes.chunks(3) {
        let byte = |i| u32::from(three.get(i).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for (i, shift) in [18, 12, 6, 0].into_iter().enumerate() {
            let letter = ALPHABET[(bits >> shift & 63) as usize];
            out.push(if i <= three.len() { char::from(letter) } else { '=' });
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chunked_answer_is_put_together_and_a_missing_last_chunk_is_noticed() {
        let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
        let whole = format!("{head}3\r\nabc\r\nA;x=y\r\n0123456789\r\n0\r\n\r\n");
        assert_eq!(Response::parse(whole.as_bytes()).unwrap().body, b"abc0123456789");
        for cut in [0, 1, 5, 9, 20] {
            let part = whole.get(..head.len() + cut).unwrap();
            assert!(matches!(Response::parse(part.as_bytes()), Err(Error::Cut(_))), "{cut}");
        }
    }

    #[test]
    fn one_connection_takes_several_answers_however_they_are_cut() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let server = std::thread::spawn(move || {
            let mut stream = listener.accept().unwrap().0;
            for parts in [
                ["HTTP/1.1 200 OK\r\nContent-", "Length: 3\r\n\r\nabc"],
                ["HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nd", "e\r\n0\r\n\r\n"],
            ] {
                assert!(stream.read(&mut [0; 1024]).unwrap() > 0);
                for part in parts {
                    stream.write_all(part.as_bytes()).unwrap();
                    std::thread::sleep(Duration::from_millis(20));
                }
            }
        });
        let (request, mut connection) = (Request::new(address, "/"), Connection::default());
        assert_eq!(connection.send(&request).unwrap().body, b"abc");
        assert_eq!(connection.send(&request).unwrap().body, b"de");
        server.join().unwrap();
    }

    #[test]
    fn a_body_shorter_than_its_length_is_cut() {
        let answer = b"HTTP/1.1 503 No\r\ncontent-length: 3\r\n\r\nab";
        assert!(matches!(Response::parse(answer), Err(Error::Cut(_))));
        let answer = b"HTTP/1.1 503 No\r\ncontent-length: 2\r\n\r\nab";
        assert_eq!(Response::parse(answer).unwrap().status, 503);
    }

    #[test]
    fn credentials_are_written_as_rfc_4648_says() {
        for (plain, coded) in
            [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg==")]
        {
            assert_eq!(base64(plain.as_bytes()), coded);
        }
    }
}
