//! What stands between an agent and its server, and lets through what a test wants.

use std::io::{Read as _, Write as _, copy};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// How connections are treated, those that are open included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Manner {
    Passes,
    /// Each request is answered with 429.
    TooMany,
    /// Each connection ends before its request is read.
    Breaks,
    /// Nothing is answered.
    Hangs,
    /// Each connection breaks once it has carried so many bytes to the server.
    Halts(u64),
}

#[derive(Debug)]
struct State {
    manner: Manner,
    open: Vec<TcpStream>,
    count: usize,
    most: usize,
}

#[derive(Debug)]
pub(crate) struct Wall {
    pub(crate) address: SocketAddr,
    state: Arc<Mutex<State>>,
}

impl Wall {
    /// It ends with the test's process.
    pub(crate) fn before(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let state = State { manner: Manner::Passes, open: Vec::new(), count: 0, most: 0 };
        let state = Arc::new(Mutex::new(state));
        let shared = Arc::clone(&state);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let state = Arc::clone(&shared);
                std::thread::spawn(move || carry(&stream, server, &state));
            }
        });
        Self { address, state }
    }

    /// From now on; connections of before are closed.
    pub(crate) fn turn(&self, manner: Manner) {
        let mut state = self.state.lock().unwrap();
        state.manner = manner;
        for stream in state.open.drain(..) {
            // It may be closed already.
            _ = stream.shutdown(Shutdown::Both);
        }
    }

    /// Connections at the same time, at most so far.
    pub(crate) fn most(&self) -> usize {
        self.state.lock().unwrap().most
    }
}

fn carry(stream: &TcpStream, server: SocketAddr, state: &Mutex<State>) {
    let manner = {
        let mut state = state.lock().unwrap();
        state.open.push(stream.try_clone().unwrap());
        state.count += 1;
        state.most = state.most.max(state.count);
        state.manner
    };
    // A broken connection is what this is about.
    _ = treat(stream, server, manner);
    _ = stream.shutdown(Shutdown::Both);
    state.lock().unwrap().count -= 1;
}

fn treat(mut stream: &TcpStream, server: SocketAddr, manner: Manner) -> std::io::Result<()> {
    let mut piece = [0; 4096];
    match manner {
        Manner::Passes => {
            let mut there = TcpStream::connect(server)?;
            let (mut back, mut to) = (there.try_clone()?, stream.try_clone()?);
            let answers = std::thread::spawn(move || {
                // Whoever ends first ends both.
                _ = copy(&mut back, &mut to);
                _ = to.shutdown(Shutdown::Both);
            });
            let sent = copy(&mut stream, &mut there);
            there.shutdown(Shutdown::Both)?;
            answers.join().unwrap();
            sent.map(drop)
        }
        Manner::Halts(bytes) => {
            let mut there = TcpStream::connect(server)?;
            let (mut back, mut to) = (there.try_clone()?, stream.try_clone()?);
            // It ends with the connection.
            std::thread::spawn(move || copy(&mut back, &mut to));
            copy(&mut stream.take(bytes), &mut there)?;
            there.shutdown(Shutdown::Both)
        }
        Manner::TooMany => loop {
            if stream.read(&mut piece)? == 0 {
                return Ok(());
            }
            stream.write_all(b"HTTP/1.1 429 Too Many Requests\r\ncontent-length: 4\r\n\r\nlate")?;
        },
        // What is not read makes the end a reset.
        Manner::Breaks => stream.read(&mut [0]).map(drop),
        Manner::Hangs => {
            while stream.read(&mut piece)? > 0 {}
            Ok(())
        }
    }
}
