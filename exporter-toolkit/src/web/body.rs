//! The body of an answer: pieces that are in memory, or a stream that an agent writes.

use std::collections::VecDeque;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Frame, SizeHint};

/// Why a streamed body broke off; the connection is then aborted, so the reader cannot take it for complete.
pub type StreamError = Box<dyn std::error::Error + Send + Sync>;

type Stream = Pin<Box<dyn http_body::Body<Data = Bytes, Error = StreamError> + Send>>;

/// The body of a response. Its length is known unless it is a stream of unknown length.
pub struct Body {
    content: Content,
    /// Dropped when the last byte is handed to the connection or the connection is gone.
    held: Vec<Box<dyn Send>>,
}

enum Content {
    Pieces(VecDeque<Bytes>),
    Stream(Stream),
}

impl Body {
    pub fn empty() -> Self {
        Self::pieces([])
    }

    /// A body in one piece.
    pub fn full(bytes: impl Into<Bytes>) -> Self {
        Self::pieces([bytes.into()])
    }

    /// A body that is the concatenation of `pieces`.
    pub fn pieces(pieces: impl IntoIterator<Item = Bytes>) -> Self {
        let pieces = pieces.into_iter().filter(|piece| !piece.is_empty()).collect();
        Self { content: Content::Pieces(pieces), held: Vec::new() }
    }

    /// A body that is written while it is sent; an error aborts the connection.
    pub fn stream<B>(body: B) -> Self
    where
        B: http_body::Body<Data = Bytes, Error = StreamError> + Send + 'static,
    {
        Self { content: Content::Stream(Box::pin(body)), held: Vec::new() }
    }

    /// Keeps `value` alive until the body is sent.
    pub(crate) fn hold(&mut self, value: impl Send + 'static) {
        self.held.push(Box::new(value));
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.content {
            Content::Pieces(pieces) => write!(f, "Body({} pieces)", pieces.len()),
            Content::Stream(_) => f.write_str("Body(stream)"),
        }
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = StreamError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, StreamError>>> {
        Poll::Ready(match &mut self.content {
            Content::Pieces(pieces) => pieces.pop_front().map(|piece| Ok(Frame::data(piece))),
            Content::Stream(stream) => ready!(stream.as_mut().poll_frame(cx)),
        })
    }

    fn is_end_stream(&self) -> bool {
        match &self.content {
            Content::Pieces(pieces) => pieces.is_empty(),
            Content::Stream(stream) => stream.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.content {
            Content::Pieces(pieces) => {
                SizeHint::with_exact(pieces.iter().map(|piece| piece.len() as u64).sum())
            }
            Content::Stream(stream) => stream.size_hint(),
        }
    }
}
