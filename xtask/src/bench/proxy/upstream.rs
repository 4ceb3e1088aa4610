//! A server that says one body, and takes and forgets what vmagent writes.

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context, Result};

/// It runs until the process ends.
pub(super) struct Upstream {
    pub(super) address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    body: Vec<u8>,
    served: AtomicU32,
}

impl Upstream {
    pub(super) fn start(body: Vec<u8>) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no free port")?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared { body, served: AtomicU32::new(0) });
        let served = Arc::clone(&shared);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let shared = Arc::clone(&served);
                // A client that goes away ends its connection, and nothing else.
                std::thread::spawn(move || _ = shared.answer(&stream));
            }
        });
        Ok(Self { address, shared })
    }

    pub(super) fn bytes(&self) -> usize {
        self.shared.body.len()
    }

    /// Bodies that were read to their end.
    pub(super) fn served(&self) -> u32 {
        self.shared.served.load(Ordering::SeqCst)
    }
}

impl Shared {
    /// Answers the requests of one connection.
    fn answer(&self, stream: &TcpStream) -> io::Result<()> {
        let mut reader = BufReader::new(stream);
        let mut writer = stream;
        loop {
            let (mut line, mut length, mut first) = (String::new(), 0, String::new());
            while line != "\r\n" {
                line.clear();
                if reader.read_line(&mut line)? == 0 {
                    return Ok(());
                }
                if first.is_empty() {
                    first.clone_from(&line);
                }
                if let Some((name, value)) = line.split_once(':')
                    && name.eq_ignore_ascii_case("content-length")
                {
                    length = value.trim().parse().unwrap_or(0);
                }
            }
            io::copy(&mut (&mut reader).take(length), &mut io::sink())?;
            if first.starts_with("GET ") {
                let head = "HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4\r\n";
                write!(writer, "{head}Content-Length: {}\r\n\r\n", self.body.len())?;
                writer.write_all(&self.body)?;
                self.served.fetch_add(1, Ordering::SeqCst);
            } else {
                writer.write_all(b"HTTP/1.1 204 No Content\r\n\r\n")?;
            }
        }
    }
}
