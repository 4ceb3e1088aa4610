//! A server of HTTP/1.1 on loopback, a thread for each connection: for what tests and `xtask` have to show.

use std::io::{self, BufReader};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use anyhow::{Context, Result};

use crate::agent;
use crate::apiserver::http;
pub use crate::apiserver::http::Request;

/// Connections at a time; further ones are closed at once.
const CONNECTIONS: usize = 256;

/// A running server. Dropping it ends the listening; a connection ends with the answer that is being sent.
#[derive(Debug)]
pub struct Site {
    address: SocketAddr,
    open: Arc<AtomicBool>,
}

/// Where an answer is written to.
#[derive(Debug)]
pub struct Reply<'a> {
    pub(crate) stream: &'a mut TcpStream,
    open: &'a Arc<AtomicBool>,
}

impl Reply<'_> {
    /// Sends an answer with headers, each with its line's end.
    pub fn send(&mut self, status: u16, headers: &str, body: &[u8]) -> io::Result<()> {
        http::send_as(self.stream, status, headers, body)
    }

    /// Says when the server is gone: an answer that never ends should end then.
    pub(crate) fn open(&self) -> Arc<AtomicBool> {
        Arc::clone(self.open)
    }
}

impl Site {
    /// Listens on a port of 127.0.0.1, 0 for any, and answers each request by the function.
    pub fn start(
        port: u16,
        answer: impl Fn(&Request, &mut Reply<'_>) -> io::Result<()> + Send + Sync + 'static,
    ) -> Result<Self> {
        let address = agent::local(port);
        let listener = TcpListener::bind(address).with_context(|| address.to_string())?;
        let address = listener.local_addr()?;
        let open = Arc::new(AtomicBool::new(true));
        let serving = Arc::clone(&open);
        let answer = Arc::new(answer);
        std::thread::Builder::new()
            .name("site".to_owned())
            .spawn(move || accept(&listener, &serving, &answer))
            .context("no thread")?;
        Ok(Self { address, open })
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        self.open.store(false, Ordering::Relaxed);
        // Wakes the thread that accepts; where nothing listens any more there is nothing to wake.
        _ = TcpStream::connect(self.address);
    }
}

fn accept<F>(listener: &TcpListener, open: &Arc<AtomicBool>, answer: &Arc<F>)
where
    F: Fn(&Request, &mut Reply<'_>) -> io::Result<()> + Send + Sync + 'static,
{
    let connections = Arc::<AtomicUsize>::default();
    for stream in listener.incoming() {
        if !open.load(Ordering::Relaxed) {
            return;
        }
        let Ok(stream) = stream else { continue };
        if connections.load(Ordering::Relaxed) >= CONNECTIONS {
            continue;
        }
        connections.fetch_add(1, Ordering::Relaxed);
        let (open, answer, count) = (Arc::clone(open), Arc::clone(answer), connections.clone());
        let started = std::thread::Builder::new().name("connection".to_owned()).spawn(move || {
            // A connection that breaks is its client's loss.
            _ = serve(stream, &open, &*answer);
            count.fetch_sub(1, Ordering::Relaxed);
        });
        if started.is_err() {
            connections.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

fn serve(
    mut stream: TcpStream,
    open: &Arc<AtomicBool>,
    answer: &impl Fn(&Request, &mut Reply<'_>) -> io::Result<()>,
) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut reader = BufReader::new(stream.try_clone()?);
    while let Some(request) = Request::read(&mut reader)? {
        answer(&request, &mut Reply { stream: &mut stream, open })?;
        if request.close || !open.load(Ordering::Relaxed) {
            break;
        }
    }
    stream.shutdown(Shutdown::Both)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::get;

    #[test]
    fn what_is_asked_for_is_answered_until_the_site_is_gone() {
        let site = Site::start(0, |request, reply| {
            reply.send(404, "X-Of: test\r\n", request.path.as_bytes())
        })
        .unwrap();
        let address = site.address();
        let answer = get(address, "/a?b=c").unwrap();
        assert_eq!((answer.status, answer.header("x-of")), (404, Some("test")));
        assert_eq!(answer.body, b"/a");
        drop(site);
        crate::wait_until("end of the site", crate::agent::START, || match get(address, "/") {
            Ok(_) => Err("it answers"),
            Err(_) => Ok(()),
        })
        .unwrap();
    }
}
