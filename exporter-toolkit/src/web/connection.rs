//! Accepting connections and speaking HTTP/1.1 on them.

use std::convert::Infallible;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderValue;
use http::header::CONNECTION;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio_rustls::TlsAcceptor;

use super::config::Keeper;
use super::listen::{BACKLOG, Listener};
use super::routes::Front;
use super::socket::Socket;
use super::source::Source;
use super::stats::Stats;
use super::watched::{Life, Surroundings, Watched};

/// A client that was refused while it was still sending gets this long, and this many bytes, to read why.
const LINGER: Duration = Duration::from_secs(1);
const LINGER_BYTES: usize = 2 * 1024 * 1024;

/// How far the process is on its way out.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Stage {
    Serving,
    /// No new connections, no further request on the open ones.
    Draining,
    /// What is still open is dropped.
    Ended,
}

async fn reached(stage: &mut watch::Receiver<Stage>, wanted: Stage) {
    // The sender is gone only when the server is, which is the end too.
    let _gone = stage.wait_for(|stage| *stage >= wanted).await.is_err();
}

/// What the accepting loops share.
pub(crate) struct Hub<S> {
    pub(crate) front: Front<S>,
    pub(crate) around: Arc<Surroundings>,
    pub(crate) keeper: Arc<Keeper>,
    pub(crate) places: Arc<Semaphore>,
    /// Whether another process may serve on our addresses.
    pub(crate) shares: bool,
    pub(crate) stage: watch::Receiver<Stage>,
}

impl<S> Hub<S> {
    /// Resolves when a connection without a request is to be closed: between two requests nobody can be told.
    ///
    /// Beside a newer process everybody has the time to ask once more and to read that the answer was the last, and who has
    /// not asked yet has all the time that the drain has. Else only who has just come has a moment.
    async fn leaving(&self, life: &Life) {
        let farewell = self.around.limits.farewell;
        reached(&mut self.stage.clone(), Stage::Draining).await;
        if self.shares {
            tokio::time::sleep(farewell).await;
        }
        match life.fresh_since() {
            Some(_) if self.shares => std::future::pending().await,
            Some(since) => tokio::time::sleep_until(since + farewell).await,
            None => {}
        }
    }

    fn is_draining(&self) -> bool {
        *self.stage.borrow() >= Stage::Draining
    }
}

/// Accepts until the process ends, and then those who wait: to close the socket is to reset their connections.
///
/// Where a newer process serves on this address, new connections go there from the beginning of the end on. Those whose
/// handshake is under way still come to this socket, which therefore stays open for a moment.
pub(crate) async fn accept<S: Source>(hub: Arc<Hub<S>>, mut listener: Listener) {
    let draining = async { reached(&mut hub.stage.clone(), Stage::Draining).await };
    let mut held = accept_until(&hub, &listener, None, draining).await;
    if listener.hand_over() {
        let farewell = tokio::time::sleep(hub.around.limits.farewell);
        held = accept_until(&hub, &listener, held, farewell).await;
    }
    let waiting = listener.into_waiting();
    // As many as can have waited; who comes after them could come for ever.
    for _ in 0..=BACKLOG {
        let Some(socket) = held.take().or_else(|| waiting.next()) else { return };
        let Ok(place) = place(&hub).await else { return };
        tokio::spawn(serve(Arc::clone(&hub), socket, place));
    }
}

/// Accepts until `end`, beginning with who is `held`; returns who was accepted and has found no place by then.
async fn accept_until<S: Source>(
    hub: &Arc<Hub<S>>,
    listener: &Listener,
    mut held: Option<Socket>,
    end: impl Future<Output = ()>,
) -> Option<Socket> {
    let mut end = pin!(end);
    loop {
        let socket = if let Some(socket) = held.take() {
            socket
        } else {
            tokio::select! {
                socket = next(hub, listener) => socket,
                () = &mut end => return None,
            }
        };
        tokio::select! {
            place = place(hub) => {
                tokio::spawn(serve(Arc::clone(hub), socket, place.ok()?));
            }
            () = &mut end => return Some(socket),
        }
    }
}

/// The next connection, whatever fails before it comes.
async fn next<S>(hub: &Hub<S>, listener: &Listener) -> Socket {
    let mut failures = 0;
    loop {
        match listener.accept().await {
            Ok(socket) => return socket,
            Err(error) => {
                hub.around.stats.accept_errors.one();
                failures += 1;
                back_off(listener, &error, failures).await;
            }
        }
    }
}

/// Waits for a place among the open connections, and asks the longest idle one for its own.
async fn place<S>(hub: &Hub<S>) -> Result<OwnedSemaphorePermit, tokio::sync::AcquireError> {
    if let Ok(place) = Arc::clone(&hub.places).try_acquire_owned() {
        return Ok(place);
    }
    hub.around.room.notify_one();
    Arc::clone(&hub.places).acquire_owned().await
}

/// A connection that its client took back is no reason to wait; anything else, such as too many open files, is, as it
/// would fail again at once.
async fn back_off(listener: &Listener, error: &io::Error, failures: u32) {
    use io::ErrorKind::{ConnectionAborted, ConnectionReset, Interrupted};
    if matches!(error.kind(), ConnectionAborted | ConnectionReset | Interrupted) {
        return;
    }
    // The first failure of a row is worth a line; the counter has the others.
    if failures == 1 {
        tracing::error!(%listener, %error, "cannot accept connections, trying again");
    }
    tokio::time::sleep(Duration::from_millis(50 * u64::from(failures.min(20)))).await;
}

/// Counts a connection while it is open.
struct Open(Arc<Stats>);

impl Open {
    fn new(stats: &Arc<Stats>) -> Self {
        stats.accepted.one();
        stats.connections.up();
        Self(Arc::clone(stats))
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.connections.down();
    }
}

async fn serve<S: Source>(hub: Arc<Hub<S>>, socket: Socket, place: OwnedSemaphorePermit) {
    let _open = Open::new(&hub.around.stats);
    let mut ended = hub.stage.clone();
    let conversation = async {
        if let Some(socket) = secured(&hub, socket).await {
            converse(&hub, socket).await;
        }
    };
    tokio::select! {
        () = conversation => {}
        () = reached(&mut ended, Stage::Ended) => {}
    }
    drop(place);
}

/// The connection as it is, or inside TLS where that is configured; `None` where the handshake fails.
async fn secured<S>(hub: &Hub<S>, socket: Socket) -> Option<Socket> {
    let Some(acceptor) = hub.keeper.current().tls.clone() else { return Some(socket) };
    let handshake =
        tokio::time::timeout(hub.around.limits.handshake, shake_hands(acceptor, socket));
    match handshake.await {
        Ok(Ok(socket)) => return Some(socket),
        Ok(Err(error)) => tracing::debug!(%error, "TLS handshake failed"),
        Err(_) => tracing::debug!("TLS handshake took too long"),
    }
    hub.around.stats.handshake_errors.one();
    None
}

async fn shake_hands(acceptor: TlsAcceptor, socket: Socket) -> io::Result<Socket> {
    if !speaks_tls(&socket).await {
        explain_https(socket).await;
        return Err(io::Error::new(io::ErrorKind::InvalidData, "the client does not speak TLS"));
    }
    let stream = acceptor.accept(socket).await?;
    Ok(Socket::Tls(Box::new(stream)))
}

/// The first byte of TLS is the record type `handshake`, 22 (RFC 8446, section 5.1), which is no letter of HTTP.
async fn speaks_tls(socket: &Socket) -> bool {
    let Socket::Tcp(stream) = socket else { return true };
    let mut first = [0];
    !matches!((stream.peek(&mut first).await, first), (Ok(1), [byte]) if byte != 22)
}

/// Tells a client without TLS in its own protocol what it did wrong.
async fn explain_https(mut socket: Socket) {
    const ANSWER: &[u8] = b"HTTP/1.0 400 Bad Request\r\nContent-Type: text/plain\r\n\r\n\
        This port speaks HTTPS, the request was HTTP.\n";
    let answer = async {
        if socket.write_all(ANSWER).await.is_ok() && socket.shutdown().await.is_ok() {
            linger(socket).await;
        }
    };
    // A client that does not read its answer gets none.
    let _told = tokio::time::timeout(LINGER, answer).await;
}

/// Answers requests until either side has had enough.
async fn converse<S: Source>(hub: &Arc<Hub<S>>, socket: Socket) {
    let life = Life::new();
    let watched = Watched::new(socket, Arc::clone(&life), Arc::clone(&hub.around));
    let service = service_fn(|request| {
        let hub = Arc::clone(hub);
        let answering = life.answering();
        async move {
            let mut response = hub.front.answer(request, answering).await;
            if hub.is_draining() {
                response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
            }
            Ok::<_, Infallible>(response)
        }
    });
    let mut http = http1::Builder::new();
    // The stream keeps time itself, also between requests and while it writes.
    http.header_read_timeout(None).max_header_size(hub.around.limits.header_bytes);
    let mut connection = http.serve_connection(TokioIo::new(watched), service);
    let outcome = tokio::select! {
        outcome = &mut connection => outcome,
        () = hub.leaving(&life) => {
            Pin::new(&mut connection).graceful_shutdown();
            (&mut connection).await
        }
    };
    let was_sending = match outcome {
        Ok(()) => life.has_unread(),
        Err(error) => {
            tracing::debug!(%error, "connection ended");
            error.is_parse()
        }
    };
    if was_sending {
        linger(connection.into_parts().io.into_inner().into_socket()).await;
    }
}

/// Reads on for a moment: closing with unread bytes makes the kernel send a reset, which can destroy the answer on its
/// way (RFC 9112, section 9.6).
async fn linger(mut socket: Socket) {
    let discard = async {
        let mut left = LINGER_BYTES;
        let mut buffer = vec![0; 4096];
        while left > 0 {
            match socket.read(&mut buffer).await {
                Ok(0) | Err(_) => return,
                Ok(read) => left = left.saturating_sub(read),
            }
        }
    };
    // A client that goes on sending is cut off; it had its time.
    let _cut = tokio::time::timeout(LINGER, discard).await;
    let _closed = socket.shutdown().await;
}
