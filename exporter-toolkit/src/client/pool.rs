//! The connections to one server: so many at most, kept for a while after their last answer.

use std::io;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep_until, timeout_at};

use super::target::Place;
use super::tls::Secure;
use super::{ClientError, ClientSettings, Doing, Target};

/// What is read at once, and the headers of an answer at most.
const BUFFER_BYTES: usize = 256 * 1024;
const MAX_HEADERS: usize = 100;

pub(crate) struct Pool {
    target: Target,
    secure: Option<Secure>,
    connect: Duration,
    idle: Duration,
    connections: usize,
    places: Arc<Semaphore>,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    /// The longest unused one first.
    links: Vec<(Wire, Instant)>,
    is_swept: bool,
}

/// A connection, which ends when this is dropped.
struct Wire {
    sender: SendRequest<Full<Bytes>>,
    task: AbortHandle,
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A connection in use. Dropped, it is closed; [`Link::keep`] gives it back.
pub(crate) struct Link {
    wire: Wire,
    kept: bool,
    pool: Weak<Pool>,
    place: OwnedSemaphorePermit,
}

impl Link {
    /// Whether it has been used before, so that the server may have closed it.
    pub(crate) fn is_kept(&self) -> bool {
        self.kept
    }

    pub(crate) async fn send(
        &mut self,
        request: Request<Bytes>,
    ) -> Result<Response<Incoming>, hyper::Error> {
        self.wire.sender.ready().await?;
        self.wire.sender.send_request(request.map(Full::new)).await
    }

    pub(crate) fn keep(self) {
        let Self { wire, pool, place, .. } = self;
        if let Some(pool) = pool.upgrade()
            && !wire.sender.is_closed()
        {
            pool.keep(wire);
        }
        drop(place);
    }
}

impl Pool {
    pub(crate) fn new(target: Target, secure: Option<Secure>, settings: &ClientSettings) -> Self {
        let connections = settings.connections.max(1);
        Self {
            target,
            secure,
            connect: settings.connect,
            idle: settings.idle,
            connections,
            places: Arc::new(Semaphore::new(connections)),
            kept: Mutex::default(),
        }
    }

    /// A connection: a kept one, unless a `fresh` one is wanted.
    pub(crate) async fn link(
        self: &Arc<Self>,
        deadline: Instant,
        fresh: bool,
    ) -> Result<Link, ClientError> {
        let busy = || ClientError::Busy {
            address: self.target.to_string(),
            connections: self.connections,
        };
        let place = timeout_at(deadline, Arc::clone(&self.places).acquire_owned()).await;
        let place = place.ok().and_then(Result::ok).ok_or_else(busy)?;
        let found = if fresh { None } else { self.take() };
        let (wire, kept) = match found {
            Some(wire) => (wire, true),
            None => (self.connect(deadline).await?, false),
        };
        Ok(Link { wire, kept, pool: Arc::downgrade(self), place })
    }

    #[cfg(test)]
    pub(crate) fn holds(&self) -> usize {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).links.len()
    }

    /// The connection that was used last.
    fn take(&self) -> Option<Wire> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        std::iter::from_fn(|| kept.links.pop())
            .map(|(wire, _)| wire)
            .find(|w| !w.sender.is_closed())
    }

    fn keep(self: &Arc<Self>, wire: Wire) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.links.push((wire, Instant::now() + self.idle));
        if !std::mem::replace(&mut kept.is_swept, true) {
            tokio::spawn(sweep(Arc::downgrade(self), Instant::now() + self.idle));
        }
    }

    /// Closes what was kept long enough; answers when the next one is due.
    fn close_old(&self) -> Option<Instant> {
        let now = Instant::now();
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.links.retain(|(wire, until)| *until > now && !wire.sender.is_closed());
        let next = kept.links.first().map(|(_, until)| *until);
        kept.is_swept = next.is_some();
        next
    }

    async fn connect(&self, deadline: Instant) -> Result<Wire, ClientError> {
        let began = Instant::now();
        let deadline = deadline.min(began + self.connect);
        match timeout_at(deadline, self.wire()).await {
            Ok(wire) => wire,
            Err(_) => Err(ClientError::Late {
                address: self.target.to_string(),
                doing: Doing::Connecting,
                after: began.elapsed(),
            }),
        }
    }

    async fn wire(&self) -> Result<Wire, ClientError> {
        let failed = |source| ClientError::Connect { address: self.target.to_string(), source };
        match &self.target.place {
            Place::Unix(path) => self.speak(UnixStream::connect(path).await.map_err(failed)?).await,
            Place::Tcp { host, port, .. } => {
                let stream = TcpStream::connect((host.as_str(), *port)).await.map_err(failed)?;
                stream.set_nodelay(true).map_err(failed)?;
                match &self.secure {
                    None => self.speak(stream).await,
                    Some(secure) => self.speak(self.shake_hands(secure, stream).await?).await,
                }
            }
        }
    }

    async fn shake_hands(
        &self,
        secure: &Secure,
        stream: TcpStream,
    ) -> Result<tokio_rustls::client::TlsStream<TcpStream>, ClientError> {
        let failed =
            |source: io::Error| ClientError::Handshake { address: self.target.to_string(), source };
        secure.connector().connect(secure.name(), stream).await.map_err(failed)
    }

    async fn speak<S>(&self, stream: S) -> Result<Wire, ClientError>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let mut http = http1::Builder::new();
        http.max_buf_size(BUFFER_BYTES).max_headers(MAX_HEADERS);
        let (sender, connection) =
            http.handshake(TokioIo::new(stream)).await.map_err(|source| ClientError::Broken {
                address: self.target.to_string(),
                doing: Doing::Connecting,
                source,
            })?;
        let task = tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "connection to a server ended");
            }
        });
        Ok(Wire { sender, task: task.abort_handle() })
    }
}

/// Closes unused connections when their time is up, for as long as there are any.
async fn sweep(pool: Weak<Pool>, mut next: Instant) {
    loop {
        sleep_until(next).await;
        let Some(later) = pool.upgrade().and_then(|pool| pool.close_old()) else { return };
        next = later;
    }
}
