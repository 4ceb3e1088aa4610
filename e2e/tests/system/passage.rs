//! Ports of another address that lead to servers on 127.0.0.1, as the testbed's servers listen there alone.

use std::io::{self, copy};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Passes on what comes, until it is dropped.
#[derive(Debug)]
pub(crate) struct Passage {
    from: SocketAddr,
    closed: Arc<AtomicBool>,
}

impl Passage {
    pub(crate) fn open(from: SocketAddr, to: SocketAddr) -> Self {
        let listener = TcpListener::bind(from).unwrap_or_else(|error| panic!("{from}: {error}"));
        let closed = Arc::<AtomicBool>::default();
        let ends = Arc::clone(&closed);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if ends.load(Ordering::Relaxed) {
                    return;
                }
                // Who comes while the server is away sees a connection that broke.
                _ = stream.and_then(|stream| pass(stream, to));
            }
        });
        Self { from, closed }
    }
}

impl Drop for Passage {
    fn drop(&mut self) {
        self.closed.store(true, Ordering::Relaxed);
        // Wakes the thread that accepts.
        _ = TcpStream::connect(self.from);
    }
}

fn pass(client: TcpStream, to: SocketAddr) -> io::Result<()> {
    let server = TcpStream::connect(to)?;
    let (back, forth) = (client.try_clone()?, server.try_clone()?);
    std::thread::spawn(move || pump(&client, &server));
    std::thread::spawn(move || pump(&forth, &back));
    Ok(())
}

fn pump(mut from: &TcpStream, mut to: &TcpStream) {
    // Whoever ends first ends both.
    _ = copy(&mut from, &mut to);
    for stream in [from, to] {
        _ = stream.shutdown(Shutdown::Both);
    }
}

/// An address that this machine has for as long as the guard lives.
#[derive(Debug)]
pub(crate) struct Address(String);

impl Address {
    pub(crate) fn add(ip: &str) -> Self {
        let address = Self(format!("{ip}/32"));
        // A run that was killed may have left it.
        address.change("del");
        assert!(address.change("add"), "cannot add {ip} to lo");
        address
    }

    fn change(&self, how: &str) -> bool {
        let output = Command::new("ip").args(["address", how, &self.0, "dev", "lo"]).output();
        output.is_ok_and(|output| output.status.success())
    }
}

impl Drop for Address {
    fn drop(&mut self) {
        self.change("del");
    }
}
