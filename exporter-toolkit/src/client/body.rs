//! The body of an answer, whose connection is kept only when all of it was read.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use tokio::time::{Instant, Sleep, sleep_until};

use super::pool::Link;
use super::{ClientError, Doing};

/// An answer's body while it arrives. Dropped before its end, it closes the connection.
pub struct Received {
    body: Incoming,
    link: Option<Link>,
    address: String,
    began: Instant,
    deadline: Pin<Box<Sleep>>,
}

impl Received {
    pub(crate) fn new(
        body: Incoming,
        link: Link,
        address: String,
        deadline: Instant,
        began: Instant,
    ) -> Self {
        let deadline = Box::pin(sleep_until(deadline));
        let mut received = Self { body, link: Some(link), address, began, deadline };
        if received.body.is_end_stream() {
            received.give_back();
        }
        received
    }

    /// The next piece of the body; `None` at its end.
    pub async fn chunk(&mut self) -> Option<Result<Bytes, ClientError>> {
        loop {
            match self.frame().await? {
                Ok(frame) => match frame.into_data() {
                    Ok(data) => return Some(Ok(data)),
                    // Trailers say nothing that is asked for here.
                    Err(_trailers) => {}
                },
                Err(error) => return Some(Err(error)),
            }
        }
    }

    /// The whole body, of at most `limit` bytes.
    pub async fn collect(mut self, limit: usize) -> Result<Bytes, ClientError> {
        let mut whole = BytesMut::new();
        while let Some(chunk) = self.chunk().await {
            let chunk = chunk?;
            if whole.len() + chunk.len() > limit {
                return Err(ClientError::TooLong { address: self.address.clone(), limit });
            }
            whole.extend_from_slice(&chunk);
        }
        Ok(whole.freeze())
    }

    fn give_back(&mut self) {
        if let Some(link) = self.link.take() {
            link.keep();
        }
    }
}

impl std::fmt::Debug for Received {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Received").field("address", &self.address).finish_non_exhaustive()
    }
}

impl Body for Received {
    type Data = Bytes;
    type Error = ClientError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, ClientError>>> {
        let this = &mut *self;
        // Time is up also for a body that always has one more byte.
        if this.deadline.as_mut().poll(cx).is_ready() {
            this.link = None;
            let (address, after) = (this.address.clone(), this.began.elapsed());
            let late = ClientError::Late { address, doing: Doing::Reading, after };
            return Poll::Ready(Some(Err(late)));
        }
        match ready!(Pin::new(&mut this.body).poll_frame(cx)) {
            Some(Ok(frame)) => Poll::Ready(Some(Ok(frame))),
            Some(Err(source)) => {
                this.link = None;
                let address = this.address.clone();
                Poll::Ready(Some(Err(ClientError::Broken {
                    address,
                    doing: Doing::Reading,
                    source,
                })))
            }
            None => {
                this.give_back();
                Poll::Ready(None)
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
