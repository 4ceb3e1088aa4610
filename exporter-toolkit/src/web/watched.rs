//! A connection under the clock: whoever asks too slowly, reads too slowly or idles too long is cut.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
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
pub(crate) struct Life(Mutex<Moment>);

#[derive(Debug)]
struct Moment {
    phase: Phase,
    /// The connection's task, where it waits for a byte while a request is being answered.
    waiting: Option<Waker>,
    /// Whether a request came with a body, which nobody reads.
    unread: bool,
}

#[derive(Clone, Copy, Debug)]
enum Phase {
    /// No request has come yet. A scraper asks at once, so this may not take long.
    Fresh { since: Instant },
    /// Between two requests.
    Idle { since: Instant },
    /// A request's head is arriving.
    Asking { since: Instant },
    /// A request is being answered.
    Answering,
    /// Its answer is being sent.
    Sending { until: Instant },
}

impl Life {
    pub(crate) fn new() -> Arc<Self> {
        let phase = Phase::Fresh { since: Instant::now() };
        Arc::new(Self(Mutex::new(Moment { phase, waiting: None, unread: false })))
    }

    /// A request has come. Its answer is handed over when the guard is dropped.
    pub(crate) fn answering(self: &Arc<Self>) -> Answering {
        self.moment().phase = Phase::Answering;
        Answering(Arc::clone(self))
    }

    /// Since when a first request is waited for.
    pub(crate) fn fresh_since(&self) -> Option<Instant> {
        match self.moment().phase {
            Phase::Fresh { since } => Some(since),
            _ => None,
        }
    }

    /// Whether the client may still be sending what nobody reads.
    pub(crate) fn has_unread(&self) -> bool {
        self.moment().unread
    }

    fn moment(&self) -> MutexGuard<'_, Moment> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the connection does; who asks because no byte came is woken when an answer is done.
    fn phase_of_silence(&self, cx: &Context<'_>) -> Phase {
        let mut moment = self.moment();
        if matches!(moment.phase, Phase::Answering | Phase::Sending { .. }) {
            moment.waiting = Some(cx.waker().clone());
        }
        moment.phase
    }
}

/// An answer that is not yet handed to the connection.
#[derive(Debug)]
pub(crate) struct Answering(Arc<Life>);

impl Answering {
    /// The request has a body that will not be read.
    pub(crate) fn leaves_body(&self) {
        self.0.moment().unread = true;
    }

    /// The answer is ready; its last byte must be gone after `limit`.
    pub(crate) fn sends_within(&self, limit: Duration) {
        self.0.moment().phase = Phase::Sending { until: Instant::now() + limit };
    }
}

impl Drop for Answering {
    /// From here on the connection counts as idle, and hyper may not look at it again by itself.
    fn drop(&mut self) {
        let mut moment = self.0.moment();
        moment.phase = Phase::Idle { since: Instant::now() };
        let waiting = moment.waiting.take();
        drop(moment);
        if let Some(waker) = waiting {
            waker.wake();
        }
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
    /// Whether the room was not listened for because of them.
    deaf: bool,
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
            deaf: false,
            room: None,
        }
    }

    pub(crate) fn into_socket(self) -> Socket {
        self.socket
    }

    /// No byte has come: whether to go on waiting, to end the connection as if the client had, or to cut it.
    fn poll_silence(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let limits = &self.around.limits;
        let (deadline, idle) = match self.life.phase_of_silence(cx) {
            Phase::Fresh { since } | Phase::Asking { since } => (since + limits.request, false),
            Phase::Idle { since } => (since + limits.idle, true),
            Phase::Answering | Phase::Sending { .. } => return Poll::Pending,
        };
        self.deaf = idle && self.unsent;
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
        let mut moment = self.life.moment();
        moment.phase = match moment.phase {
            Phase::Fresh { since } => Phase::Asking { since },
            Phase::Idle { .. } => Phase::Asking { since: Instant::now() },
            same => same,
        };
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
        let deadline = match self.life.moment().phase {
            Phase::Sending { until } => stall.min(until),
            // hyper holds the end of the answer itself.
            Phase::Idle { since } => stall.min(since + limits.answer),
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
        if self.deaf && !self.unsent {
            cx.waker().wake_by_ref();
        }
        self.watch_write(cx, outcome)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let outcome = Pin::new(&mut self.socket).poll_shutdown(cx);
        self.watch_write(cx, outcome)
    }
}
