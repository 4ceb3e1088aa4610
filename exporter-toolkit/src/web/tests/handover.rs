//! The end of a process while clients come: alone on its address, and with a newer process beside it.

use std::io::Write as _;
use std::net::{SocketAddr, TcpStream as StdTcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use super::agent::{Agent, Running, exposition, options, start};
use super::client::{Received, ask, connect, get, is_closed, receive};
use crate::web::{Landing, ServeError, WebOptions, serve};

const REQUEST: &[u8] = b"GET /metrics?lines=500 HTTP/1.1\r\nHost: x\r\n\r\n";
const LINES: usize = 500;
/// A test that hangs is to fail, however slow the machine.
const PATIENCE: Duration = Duration::from_mins(2);

/// Options of a process that shares `address`, with this time to leave.
fn shared(address: SocketAddr, farewell: Duration) -> WebOptions {
    let mut options = options(&["--web.reuse-port"]);
    options.listen_addresses = vec![address.to_string()];
    options.limits.farewell = farewell;
    options.limits.drain = PATIENCE;
    options
}

fn first(farewell: Duration) -> Running {
    start(shared("127.0.0.1:0".parse().unwrap(), farewell)).unwrap()
}

/// A client that the server's queue holds, as nothing is awaited here.
fn waiting(address: SocketAddr) -> TcpStream {
    let mut stream = StdTcpStream::connect(address).unwrap();
    stream.write_all(REQUEST).unwrap();
    stream.set_nonblocking(true).unwrap();
    TcpStream::from_std(stream).unwrap()
}

#[tokio::test]
async fn those_who_wait_to_be_accepted_are_served_before_the_end() {
    let mut server = start(options(&[])).unwrap();
    let address = server.address();
    let mut clients: Vec<_> = (0..100).map(|_| waiting(address)).collect();
    server.stop();
    for client in &mut clients {
        let received = receive(client, true).await.expect("an answer");
        assert_eq!(received.text(), exposition(LINES));
        assert_eq!(received.header("connection"), Some("close"));
    }
    server.ended().await;
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn those_who_wait_at_a_unix_socket_are_served_before_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("agent.sock");
    let mut options = options(&[]);
    options.listen_addresses = vec![format!("unix:{}", path.display())];
    let mut server = start(options).unwrap();
    let mut stream = std::os::unix::net::UnixStream::connect(&path).unwrap();
    stream.write_all(REQUEST).unwrap();
    stream.set_nonblocking(true).unwrap();
    let mut stream = tokio::net::UnixStream::from_std(stream).unwrap();
    server.stop();
    assert_eq!(receive(&mut stream, true).await.expect("an answer").text(), exposition(LINES));
    server.ended().await;
    assert!(!path.exists());
}

#[tokio::test]
async fn a_kept_connection_has_one_more_answer_and_is_told_that_it_was_the_last() {
    let mut older = first(PATIENCE);
    let address = older.address();
    let mut kept = connect(address).await;
    assert_eq!(ask(&mut kept, "GET /healthz HTTP/1.1").await.header("connection"), None);
    let newer = start(shared(address, PATIENCE)).unwrap();
    older.stop();
    // A new client finds the newer one.
    while newer.stats.accepted.get() == 0 {
        assert_eq!(get(address, "/healthz").await.status, 200);
    }
    let received = ask(&mut kept, "GET /metrics HTTP/1.1").await;
    assert_eq!((received.status, received.header("connection")), (200, Some("close")));
    assert!(is_closed(&mut kept).await);
}

#[tokio::test]
async fn an_idle_connection_is_closed_when_the_farewell_is_over() {
    let mut older = first(Duration::from_millis(1));
    let address = older.address();
    let mut kept = connect(address).await;
    assert_eq!(ask(&mut kept, "GET /healthz HTTP/1.1").await.status, 200);
    older.stop();
    assert!(is_closed(&mut kept).await);
    older.ended().await;
    assert!(TcpStream::connect(address).await.is_err());
}

/// What clients count together.
#[derive(Default)]
struct Tally {
    ends: AtomicBool,
    answers: AtomicUsize,
    again: AtomicUsize,
}

impl Tally {
    fn right(&self, received: &Received) {
        assert_eq!(received.status, 200);
        assert_eq!(received.text(), exposition(LINES));
        self.answers.fetch_add(1, Ordering::Relaxed);
    }

    /// A connection for each scrape: each one is answered.
    async fn with_new_connections(&self, address: SocketAddr) {
        while !self.ends.load(Ordering::Relaxed) {
            let mut stream = TcpStream::connect(address).await.expect("a connection");
            stream.write_all(REQUEST).await.expect("a request sent");
            self.right(&receive(&mut stream, true).await.expect("an answer"));
        }
    }

    /// As scrapers do: a kept connection that closes before a byte of an answer is replaced, and only that one.
    async fn with_kept_connections(&self, address: SocketAddr) {
        let mut kept = None;
        while !self.ends.load(Ordering::Relaxed) {
            if let Some(mut stream) = kept.take()
                && let Some(received) = Self::kept(&mut stream).await
            {
                self.right(&received);
                kept = (received.header("connection") != Some("close")).then_some(stream);
                continue;
            }
            let mut stream = TcpStream::connect(address).await.expect("a connection");
            stream.write_all(REQUEST).await.expect("a request sent");
            let received = receive(&mut stream, true).await.expect("an answer");
            self.right(&received);
            self.again.fetch_add(1, Ordering::Relaxed);
            kept = (received.header("connection") != Some("close")).then_some(stream);
        }
    }

    async fn ended(&self, clients: Vec<JoinHandle<()>>) {
        self.ends.store(true, Ordering::Relaxed);
        for client in clients {
            // Its server is on this thread.
            while !client.is_finished() {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            client.join().unwrap();
        }
    }

    async fn kept(stream: &mut TcpStream) -> Option<Received> {
        stream.write_all(REQUEST).await.ok()?;
        if stream.peek(&mut [0]).await.ok()? == 0 {
            return None;
        }
        Some(receive(stream, true).await.expect("the rest of an answer"))
    }
}

/// A client with a thread and a runtime of its own, so that it comes at any moment.
fn client<F: Future<Output = ()>>(run: impl FnOnce() -> F + Send + 'static) -> JoinHandle<()> {
    std::thread::spawn(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.unwrap().block_on(run());
    })
}

#[tokio::test]
async fn fifty_updates_in_a_row_fail_no_scrape() {
    const UPDATES: usize = 50;
    let mut older = first(Duration::from_millis(20));
    let address = older.address();
    let tally = Arc::<Tally>::default();
    let mut clients = Vec::new();
    for _ in 0..3 {
        let (new, kept) = (Arc::clone(&tally), Arc::clone(&tally));
        clients.push(client(move || async move { new.with_new_connections(address).await }));
        clients.push(client(move || async move { kept.with_kept_connections(address).await }));
    }
    for _ in 0..UPDATES {
        let newer = start(shared(address, Duration::from_millis(20))).unwrap();
        let before = tally.answers.load(Ordering::Relaxed);
        while tally.answers.load(Ordering::Relaxed) < before + 16 {
            assert!(!clients.iter().any(JoinHandle::is_finished), "a client has failed");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        older.stop();
        older.ended().await;
        older = newer;
    }
    tally.ended(clients).await;
    assert!(tally.answers.load(Ordering::Relaxed) >= UPDATES * 16);
    assert!(tally.again.load(Ordering::Relaxed) >= UPDATES, "kept connections moved on");
}

#[tokio::test]
async fn an_update_that_is_taken_back_fails_no_scrape() {
    let older = first(PATIENCE);
    let address = older.address();
    let tally = Arc::<Tally>::default();
    let clients: Vec<_> = (0..3)
        .map(|_| {
            let tally = Arc::clone(&tally);
            client(move || async move { tally.with_new_connections(address).await })
        })
        .collect();
    for _ in 0..10 {
        let mut newer = start(shared(address, Duration::from_millis(20))).unwrap();
        newer.stop();
        newer.ended().await;
        let before = older.stats.accepted.get();
        while older.stats.accepted.get() < before + 16 {
            assert!(!clients.iter().any(JoinHandle::is_finished), "a client has failed");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
    tally.ended(clients).await;
}

/// An agent that calls itself by another name.
struct Other;

impl crate::web::Source for Other {
    async fn scrape(
        &self,
        _: crate::web::Scrape,
    ) -> Result<crate::web::Answer, crate::web::Refusal> {
        Err(crate::web::Refusal::unavailable("nothing"))
    }

    fn landing(&self, page: &mut Landing) {
        page.name("other");
    }
}

#[tokio::test]
async fn another_agent_does_not_take_a_part_of_the_port() {
    let running = first(PATIENCE);
    let options = shared(running.address(), PATIENCE);
    let served = serve(Arc::new(Other), options, ":0", std::future::pending()).await;
    let error = served.unwrap_err();
    assert!(matches!(error, ServeError::Another { .. }), "{error}");
    let text = error.to_string();
    assert!(text.starts_with("demo serves on 127.0.0.1:"), "{text}");
    // One of the same name does.
    let again = shared(running.address(), Duration::from_millis(1));
    serve(Arc::<Agent>::default(), again, ":0", std::future::ready(())).await.unwrap();
    assert_eq!(get(running.address(), "/healthz").await.status, 200);
}
