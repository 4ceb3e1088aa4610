//! A way to the API server that can be cut, or made slow: TCP passed on byte by byte.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use e2e::agent::local;

const PART: usize = 16 << 10;

/// Listens on a port of its own and passes on what comes.
pub(crate) struct Gate {
    pub(crate) address: SocketAddr,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    /// The gate is gone.
    closed: AtomicBool,
    /// Nobody is let through.
    shut: AtomicBool,
    /// Bytes a second of each connection's answers; 0: as fast as they come.
    rate: AtomicU64,
    open: Mutex<Vec<TcpStream>>,
}

impl Gate {
    pub(crate) fn before(server: SocketAddr) -> Self {
        let listener = TcpListener::bind(local(0)).unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::<State>::default();
        let passed = Arc::clone(&state);
        std::thread::spawn(move || {
            for client in listener.incoming() {
                if passed.closed.load(Ordering::Relaxed) {
                    return;
                }
                if passed.shut.load(Ordering::Relaxed) {
                    continue;
                }
                // Whatever goes wrong here is to the client a connection that broke.
                _ = client.and_then(|client| pass(client, server, &passed));
            }
        });
        Self { address, state }
    }

    /// The flag that leads kube-state-rs through it.
    pub(crate) fn flag(&self) -> String {
        format!("--apiserver=https://{}", self.address)
    }

    /// Breaks all connections; the next ones are passed on again. Returns how many there were.
    pub(crate) fn cut(&self) -> usize {
        let open = std::mem::take(&mut *self.state.open.lock().unwrap());
        // One that has ended already cannot be shut down.
        open.iter().filter(|stream| stream.shutdown(Shutdown::Both).is_ok()).count()
    }

    /// Breaks all connections and lets nobody through until it is opened.
    pub(crate) fn shut(&self) {
        self.state.shut.store(true, Ordering::Relaxed);
        self.cut();
    }

    pub(crate) fn open(&self) {
        self.state.shut.store(false, Ordering::Relaxed);
    }

    /// Answers come at this many bytes a second from now on; 0 is as fast as they can.
    pub(crate) fn slow(&self, rate: u64) {
        self.state.rate.store(rate, Ordering::Relaxed);
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.state.closed.store(true, Ordering::Relaxed);
        self.cut();
        // Wakes the thread that accepts.
        _ = TcpStream::connect(self.address);
    }
}

fn pass(client: TcpStream, server: SocketAddr, state: &Arc<State>) -> io::Result<()> {
    let server = TcpStream::connect(server)?;
    state.open.lock().unwrap().push(client.try_clone()?);
    let (from, to) = (client.try_clone()?, server.try_clone()?);
    std::thread::spawn(move || pump(from, to, |_| {}));
    let state = Arc::clone(state);
    std::thread::spawn(move || {
        pump(server, client, |bytes| {
            let rate = state.rate.load(Ordering::Relaxed);
            if rate > 0 {
                std::thread::sleep(Duration::from_secs_f64(bytes as f64 / rate as f64));
            }
        });
    });
    Ok(())
}

/// Passes bytes on until one side ends, then ends both.
fn pump(mut from: TcpStream, mut to: TcpStream, wait: impl Fn(usize)) {
    let mut part = vec![0; PART];
    while let Ok(count @ 1..) = from.read(&mut part) {
        wait(count);
        if to.write_all(part.get(..count).unwrap_or_default()).is_err() {
            break;
        }
    }
    for stream in [from, to] {
        // It may be shut down already.
        _ = stream.shutdown(Shutdown::Both);
    }
}
