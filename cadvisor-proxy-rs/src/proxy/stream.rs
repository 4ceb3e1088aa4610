//! The body on its way through: unpacked, rewritten, packed, a piece at a time.

use std::io::Write as _;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, Bytes};
use exporter_toolkit::web::StreamError;
use flate2::Compression;
use flate2::write::GzEncoder;
use http_body::{Body, Frame};

use super::Totals;
use super::gzip::Unpacking;
use crate::cgroup::Filler;
use crate::rewrite::Rewriter;

/// What is unpacked at once, and about what goes out at once.
const PIECE_BYTES: usize = 64 * 1024;

/// Upstream's body while it is passed on. An error ends it, and with it the client's connection.
pub(super) struct Rewritten<B> {
    upstream: B,
    rewriter: Rewriter,
    totals: Arc<Totals>,
    left: u64,
    input: Bytes,
    unpacking: Option<(Unpacking, Vec<u8>)>,
    /// What adds to the body, and what it makes of a piece.
    filling: Option<(Box<Filler>, Vec<u8>)>,
    packing: Option<GzEncoder<Vec<u8>>>,
    out: Vec<u8>,
    done: bool,
    /// What is wrong all the same.
    problem: Option<String>,
}

impl<B> Rewritten<B> {
    pub(super) fn new(upstream: B, rewriter: Rewriter, totals: Arc<Totals>, limit: u64) -> Self {
        Self {
            upstream,
            rewriter,
            totals,
            left: limit,
            input: Bytes::new(),
            unpacking: None,
            filling: None,
            packing: None,
            out: Vec::new(),
            done: false,
            problem: None,
        }
    }

    pub(super) fn unpacking(mut self, packed: bool) -> Self {
        self.unpacking = packed.then(|| (Unpacking::new(), Vec::with_capacity(PIECE_BYTES)));
        self
    }

    pub(super) fn filling(mut self, filler: Option<Filler>) -> Self {
        self.filling = filler.map(|filler| (Box::new(filler), Vec::new()));
        self
    }

    pub(super) fn packing(mut self, gzip: bool) -> Self {
        self.packing = gzip.then(|| GzEncoder::new(Vec::new(), Compression::fast()));
        self
    }

    /// What is wrong with upstream though all of this body comes.
    pub(super) fn despite(mut self, problem: Option<String>) -> Self {
        self.problem = problem;
        self
    }

    /// Works on a piece of what has come.
    fn step(&mut self) -> Result<(), StreamError> {
        let rewritten = match &mut self.unpacking {
            None => {
                let piece = self.input.split_to(self.input.len().min(PIECE_BYTES));
                filled(&mut self.filling, &piece, &mut self.rewriter, &mut self.out);
                piece.len()
            }
            Some((unpacking, piece)) => {
                piece.clear();
                let taken = unpacking.unpack(&self.input, piece)?;
                self.input.advance(taken);
                filled(&mut self.filling, piece, &mut self.rewriter, &mut self.out);
                piece.len()
            }
        };
        self.left = self.left.checked_sub(rewritten as u64).ok_or("upstream's body is too long")?;
        self.pack()
    }

    fn pack(&mut self) -> Result<(), StreamError> {
        if let Some(packing) = &mut self.packing {
            packing.write_all(&self.out)?;
            self.out.clear();
            std::mem::swap(&mut self.out, packing.get_mut());
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<(), StreamError> {
        self.done = true;
        if self.unpacking.as_ref().is_some_and(|(unpacking, _)| !unpacking.is_whole()) {
            return Err("upstream's gzip breaks off".into());
        }
        // Nothing is added to what is no metrics.
        if let Some((mut filler, mut text)) = self.filling.take()
            && self.rewriter.counts().series > 0
        {
            text.clear();
            filler.finish(&mut text);
            self.rewriter.push(&text, &mut self.out);
        }
        self.rewriter.finish(&mut self.out);
        let counts = self.rewriter.counts();
        // A page for people is no exposition without samples: the target would be up.
        if counts.series == 0 && counts.malformed + counts.too_long > 0 {
            return Err("upstream's body holds no metrics".into());
        }
        self.pack()?;
        if let Some(packing) = self.packing.take() {
            self.out.append(&mut packing.finish()?);
        }
        self.totals.completed.fetch_add(1, Relaxed);
        self.totals.set_problem(self.problem.take());
        Ok(())
    }

    fn failed(&mut self, error: StreamError) -> Poll<Option<Result<Frame<Bytes>, StreamError>>> {
        self.done = true;
        self.totals.aborted.fetch_add(1, Relaxed);
        self.totals.set_problem(Some(error.to_string()));
        tracing::warn!(%error, "body broken off: the client's connection is aborted");
        Poll::Ready(Some(Err(error)))
    }
}

/// A piece on its way to the rewriter, completed where it is to be.
fn filled(
    filling: &mut Option<(Box<Filler>, Vec<u8>)>,
    piece: &[u8],
    rewriter: &mut Rewriter,
    out: &mut Vec<u8>,
) {
    match filling {
        None => rewriter.push(piece, out),
        Some((filler, text)) => {
            text.clear();
            filler.push(piece, text);
            rewriter.push(text, out);
        }
    }
}

impl<B> Rewritten<B>
where
    B: Body<Data = Bytes, Error: Into<StreamError>> + Unpin,
{
    fn poll_input(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), StreamError>> {
        Poll::Ready(match ready!(Pin::new(&mut self.upstream).poll_frame(cx)) {
            Some(Ok(frame)) => {
                self.input = frame.into_data().unwrap_or_default();
                Ok(())
            }
            Some(Err(error)) => Err(error.into()),
            None => self.finish(),
        })
    }
}

impl<B> Drop for Rewritten<B> {
    fn drop(&mut self) {
        self.totals.add(&self.rewriter.counts());
    }
}

impl<B> Body for Rewritten<B>
where
    B: Body<Data = Bytes, Error: Into<StreamError>> + Unpin,
{
    type Data = Bytes;
    type Error = StreamError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, StreamError>>> {
        let this = self.get_mut();
        loop {
            if !this.out.is_empty()
                && (this.done || this.input.is_empty() || this.out.len() >= PIECE_BYTES)
            {
                let room = this.out.len();
                let out = std::mem::replace(&mut this.out, Vec::with_capacity(room));
                return Poll::Ready(Some(Ok(Frame::data(out.into()))));
            }
            if this.done {
                return Poll::Ready(None);
            }
            let worked =
                if this.input.is_empty() { ready!(this.poll_input(cx)) } else { this.step() };
            if let Err(error) = worked {
                return this.failed(error);
            }
        }
    }
}
