//! A connection under the clock: whoever asks too slowly, reads too slowly or idles too long is cut.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::Notify;
use tokio::sync::futures::OwnedNotified;
use tokio::time::{Instant, Sleep, sleep_until};

use super::options::Limits;
use super::socket::Socket;
use super::stats::Stats;

/// What a connection is doing; the HTTP service says when a request begins and when its answer is handed over.
#[derive(Debug)]
pub(crate) struct Life(Mutex<Phase>);

#[derive(Clone, Copy, Debug)]
enum Phase {
    /// No request has come yet. A scraper asks at once, so this may not take long.
    Fresh { since: Instant },
    /// Between two requests.
    Idle { since: Instant },
    /// A request's head is arriving.
    Asking { since: Instant },
    /// A request is being answered.
    Answering { until: Instant },
}

impl Life {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self(Mutex::new(Phase::Fresh { since: Instant::now() })))
    }

    /// A request has come; its answer must be gone after `limit`. It is, when the guard is dropped.
    pub(crate) fn answering(self: &Arc<Self>, limit: Duration) -> Answering {
        self.set(Phase::Answering { until: Instant::now() + limit });
        Answering(Arc::clone(self))
    }

    fn phase(&self) -> Phase {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, phase: Phase) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = phase;
    }
}

/// An answer that is not yet handed to the connection.
#[derive(Debug)]
pub(crate) struct Answering(Arc<Life>);

impl Drop for Answering {
    fn drop(&mut self) {
        self.0.set(Phase::Idle { since: Instant::now() });
    }
}

/// What connections share.
#[derive(Debug)]
pub(crate) struct Surroundings {
    pub(crate) limits: Limits,
    /// Told once for each new connection that finds no room; one idle connection answers by closing.
    pub(crate) room: Arc<Notify>,
    pub(crate) stats: Arc<Stats>,
}

/// The stream that HTTP is spoken on.
pub(crate) struct Watched {
    socket: Socket,
    life: Arc<Life>,
    around: Arc<Surroundings>,
    reading: Alarm,
    writing: Alarm,
    /// When the client last took bytes; set while it takes none.
    stalled: Option<Instant>,
    /// Whether written bytes wait to be flushed.
    unsent: bool,
    room: Option<Pin<Box<OwnedNotified>>>,
}

impl Watched {
    pub(crate) fn new(socket: Socket, life: Arc<Life>, around: Arc<Surroundings>) -> Self {
        Self {
            socket,
            life,
            around,
            reading: Alarm(None),
            writing: Alarm(None),
            stalled: None,
            unsent: false,
            room: None,
        }
    }

    pub(crate) fn into_socket(self) -> Socket {
        self.socket
    }

    /// No byte has come: whether to go on waiting, to end the connection as if the client had, or to cut it.
    fn poll_silence(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let limits = &self.around.limits;
        let (deadline, idle) = match self.life.phase() {
            Phase::Fresh { since } | Phase::Asking { since } => (since + limits.request, false),
            Phase::Idle { since } => (since + limits.idle, true),
            Phase::Answering { .. } => return Poll::Pending,
        };
        if idle && !self.unsent && self.poll_wanted(cx) {
            self.around.stats.evicted.one();
            return Poll::Ready(Ok(()));
        }
        if !self.reading.rings(deadline, cx) {
            return Poll::Pending;
        }
        if idle {
            return Poll::Ready(Ok(()));
        }
        self.around.stats.timeouts.one();
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the request took too long")))
    }

    /// Whether this idle connection's place is wanted. Those that idle longest are asked first.
    fn poll_wanted(&mut self, cx: &mut Context<'_>) -> bool {
        let room = &self.around.room;
        let wanted = self.room.get_or_insert_with(|| Box::pin(Arc::clone(room).notified_owned()));
        wanted.as_mut().poll(cx).is_ready()
    }

    fn heard(&mut self) {
        self.room = None;
        match self.life.phase() {
            Phase::Fresh { since } => self.life.set(Phase::Asking { since }),
            Phase::Idle { .. } => self.life.set(Phase::Asking { since: Instant::now() }),
            Phase::Asking { .. } | Phase::Answering { .. } => {}
        }
    }

    /// Passes on what became of a write, unless the client has taken nothing for too long.
    fn watch_write<T>(
        &mut self,
        cx: &mut Context<'_>,
        outcome: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if outcome.is_ready() {
            self.stalled = None;
            return outcome;
        }
        let limits = &self.around.limits;
        let stall = *self.stalled.get_or_insert_with(Instant::now) + limits.stall;
        let deadline = match self.life.phase() {
            Phase::Answering { until } => stall.min(until),
            _ => stall,
        };
        if !self.writing.rings(deadline, cx) {
            return Poll::Pending;
        }
        self.around.stats.timeouts.one();
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the client reads too slowly")))
    }
}

/// A timer that exists once it is needed.
struct Alarm(Option<Pin<Box<Sleep>>>);

impl Alarm {
    /// Whether `at` has come; if not, the task is woken then.
    fn rings(&mut self, at: Instant, cx: &mut Context<'_>) -> bool {
        let sleep = self.0.get_or_insert_with(|| Box::pin(sleep_until(at)));
        if sleep.deadline() != at {
            sleep.as_mut().reset(at);
        }
        sleep.as_mut().poll(cx).is_ready()
    }
}

impl AsyncRead for Watched {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let outcome = Pin::new(&mut self.socket).poll_read(cx, buffer);
        match &outcome {
            Poll::Pending => self.poll_silence(cx),
            Poll::Ready(_) => {
                self.heard();
                outcome
            }
        }
    }
}

impl AsyncWrite for Watched {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.unsent = true;
        let outcome = Pin::new(&mut self.socket).poll_write(cx, bytes);
        self.watch_write(cx, outcome)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.unsent = true;
        let outcome = Pin::new(&mut self.socket).poll_write_vectored(cx, slices);
        self.watch_write(cx, outcome)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let outcome = Pin::new(&mut self.socket).poll_flush(cx);
        self.unsent = self.unsent && !outcome.is_ready();
        self.watch_write(cx, outcome)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let outcome = Pin::new(&mut self.socket).poll_shutdown(cx);
        self.watch_write(cx, outcome)
    }
}
