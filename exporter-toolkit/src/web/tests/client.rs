//! A client that shows what is on the wire.

use std::net::SocketAddr;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// A response as it was received.
#[derive(Debug)]
pub(super) struct Received {
    pub(super) status: u16,
    pub(super) head: String,
    pub(super) body: Vec<u8>,
}

impl Received {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().filter_map(|line| line.split_once(": "));
        let mut found = lines.filter(|(n, _)| n.eq_ignore_ascii_case(name));
        found.next().map(|(_, value)| value)
    }

    pub(super) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }
}

pub(super) async fn connect(address: SocketAddr) -> TcpStream {
    TcpStream::connect(address).await.unwrap()
}

/// Sends a request and reads its answer; the connection stays open.
pub(super) async fn ask<S>(stream: &mut S, request: &str) -> Received
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let head = request.trim_end();
    stream.write_all(format!("{head}\r\nHost: x\r\n\r\n").as_bytes()).await.unwrap();
    receive(stream, !head.starts_with("HEAD")).await.unwrap()
}

/// Asks on a new connection.
pub(super) async fn fetch(address: SocketAddr, request: &str) -> Received {
    ask(&mut connect(address).await, request).await
}

pub(super) async fn get(address: SocketAddr, path: &str) -> Received {
    fetch(address, &format!("GET {path} HTTP/1.1")).await
}

/// Reads one response: by its length, its chunks or, without either, to the end.
pub(super) async fn receive<S>(stream: &mut S, with_body: bool) -> Option<Received>
where
    S: AsyncRead + Unpin,
{
    let mut bytes = Vec::new();
    while !bytes.ends_with(b"\r\n\r\n") {
        bytes.push(stream.read_u8().await.ok()?);
    }
    let head = String::from_utf8(bytes).unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    let mut received = Received { status, head, body: Vec::new() };
    if !with_body {
        return Some(received);
    }
    let length = received.header("content-length").map(|length| length.parse().unwrap());
    if let Some(length) = length {
        received.body = vec![0; length];
        stream.read_exact(&mut received.body).await.ok()?;
    } else if received.header("transfer-encoding").is_some() {
        received.body = chunks(stream).await?;
    } else {
        stream.read_to_end(&mut received.body).await.ok()?;
    }
    Some(received)
}

/// A body that ends without its last chunk is none.
async fn chunks<S: AsyncRead + Unpin>(stream: &mut S) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let mut line = Vec::new();
        while !line.ends_with(b"\r\n") {
            line.push(stream.read_u8().await.ok()?);
        }
        let size = usize::from_str_radix(std::str::from_utf8(&line).unwrap().trim(), 16).unwrap();
        let mut chunk = vec![0; size + 2];
        stream.read_exact(&mut chunk).await.ok()?;
        if size == 0 {
            return Some(body);
        }
        body.extend_from_slice(&chunk[..size]);
    }
}

/// Whether the server has closed the connection, having sent nothing more.
pub(super) async fn is_closed<S: AsyncRead + Unpin>(stream: &mut S) -> bool {
    matches!(stream.read(&mut [0]).await, Ok(0) | Err(_))
}
