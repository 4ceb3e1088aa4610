//! Answers that are kept compressed: gzip members that are sent as they are, or inflated one by one while they are sent.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use libdeflater::{CompressionError, CompressionLvl, Compressor, DecompressionError, Decompressor};

use super::body::StreamError;

/// A part of an exposition as one gzip member (RFC 1952, section 2.3). To clone it copies no text.
#[derive(Clone, Debug)]
pub struct Member(Arc<Content>);

#[derive(Debug)]
struct Content {
    gzip: Bytes,
    length: usize,
    fast: OnceLock<Fast>,
}

impl Member {
    fn new(gzip: Bytes, length: usize) -> Self {
        Self(Arc::new(Content { gzip, length, fast: OnceLock::new() }))
    }

    /// The compressed bytes.
    pub fn gzip(&self) -> &Bytes {
        &self.0.gzip
    }

    /// The bytes that it inflates to.
    pub fn length(&self) -> usize {
        self.0.length
    }
}

/// The text once more, in a form (LZ4) that inflates in a third of the time: kept for clients that do not take gzip, once
/// one has asked, as long as all of it together stays small.
#[derive(Debug)]
struct Fast(Box<[u8]>);

/// Bytes in the fast form in the whole process, and how many there may be.
static FAST_BYTES: AtomicUsize = AtomicUsize::new(0);
const FAST_LIMIT: usize = 16 << 20;

impl Fast {
    /// `None` where there is no room.
    fn new(text: &[u8]) -> Option<Self> {
        if FAST_BYTES.load(Relaxed) >= FAST_LIMIT {
            return None;
        }
        let packed = lz4_flex::block::compress(text).into_boxed_slice();
        FAST_BYTES.fetch_add(packed.len(), Relaxed);
        Some(Self(packed))
    }
}

impl Drop for Fast {
    fn drop(&mut self) {
        FAST_BYTES.fetch_sub(self.0.len(), Relaxed);
    }
}

/// Makes members, with memory that is reused from one to the next.
pub struct Packer {
    compressor: Compressor,
    scratch: Vec<u8>,
}

impl Default for Packer {
    fn default() -> Self {
        // The cheapest level that compresses; 0, which the crate calls its fastest, only stores.
        let level = CompressionLvl::new(1).unwrap_or_default();
        Self { compressor: Compressor::new(level), scratch: Vec::new() }
    }
}

impl Packer {
    /// Compresses `text`.
    pub fn pack(&mut self, text: &[u8]) -> Result<Member, CompressionError> {
        let bound = self.compressor.gzip_compress_bound(text.len());
        if self.scratch.len() < bound {
            self.scratch.resize(bound, 0);
        }
        let length = self.compressor.gzip_compress(text, &mut self.scratch)?;
        let gzip = Bytes::copy_from_slice(self.scratch.get(..length).unwrap_or_default());
        Ok(Member::new(gzip, text.len()))
    }
}

/// Reads members.
pub struct Unpacker(Decompressor);

impl Default for Unpacker {
    fn default() -> Self {
        Self(Decompressor::new())
    }
}

impl Unpacker {
    /// Appends the text of `member` to `out`.
    pub fn unpack(&mut self, member: &Member, out: &mut Vec<u8>) -> Result<(), DecompressionError> {
        let start = out.len();
        out.resize(start + member.length(), 0);
        let place = out.get_mut(start..).unwrap_or_default();
        let read = match member.0.fast.get() {
            Some(fast) => lz4_flex::block::decompress_into(&fast.0, place)
                .map_err(|_| DecompressionError::BadData)?,
            None => self.0.gzip_decompress(member.gzip(), place)?,
        };
        out.truncate(start + read);
        Ok(())
    }

    /// The text of `member`, which will be asked for again.
    fn text(&mut self, member: &Member) -> Result<Vec<u8>, DecompressionError> {
        let mut text = Vec::with_capacity(member.length());
        self.unpack(member, &mut text)?;
        if member.0.fast.get().is_none()
            && let Some(fast) = Fast::new(&text)
        {
            // Another answer may have been faster; its form is the same.
            drop(member.0.fast.set(fast));
        }
        Ok(text)
    }
}

/// A body that inflates a member when the connection asks for more, so that one at a time is in memory.
pub(crate) struct Inflating {
    members: VecDeque<Member>,
    left: u64,
    unpacker: Unpacker,
}

impl Inflating {
    pub(crate) fn new(members: Vec<Member>) -> Self {
        let members: VecDeque<_> = members.into();
        let left = members.iter().map(|member| member.length() as u64).sum();
        Self { members, left, unpacker: Unpacker::default() }
    }
}

impl http_body::Body for Inflating {
    type Data = Bytes;
    type Error = StreamError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, StreamError>>> {
        let Some(member) = self.members.pop_front() else { return Poll::Ready(None) };
        self.left -= member.length() as u64;
        let frame = self.unpacker.text(&member).map(|text| Frame::data(Bytes::from(text)));
        Poll::Ready(Some(frame.map_err(StreamError::from)))
    }

    fn is_end_stream(&self) -> bool {
        self.members.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use http_body_util::BodyExt as _;

    use super::*;

    fn members() -> (Vec<Member>, Vec<u8>) {
        let mut packer = Packer::default();
        let texts: Vec<Vec<u8>> = (0..5_usize).map(|n| vec![b'a'; n * 1000]).collect();
        let members = texts.iter().map(|text| packer.pack(text).unwrap()).collect();
        (members, texts.concat())
    }

    #[test]
    fn members_one_after_another_are_one_gzip_file() {
        let (members, expected) = members();
        let file: Vec<u8> = members.iter().flat_map(|member| member.gzip().to_vec()).collect();
        let mut text = Vec::new();
        flate2::read::MultiGzDecoder::new(&file[..]).read_to_end(&mut text).unwrap();
        assert_eq!(text, expected);
    }

    #[tokio::test]
    async fn a_client_without_gzip_gets_the_text_with_its_length() {
        let (members, expected) = members();
        let body = Inflating::new(members);
        assert_eq!(http_body::Body::size_hint(&body).exact(), Some(expected.len() as u64));
        assert_eq!(body.collect().await.unwrap().to_bytes(), expected);
    }

    #[tokio::test]
    async fn a_text_that_was_asked_for_before_comes_from_its_fast_form() {
        let (members, expected) = members();
        for _ in 0..3 {
            let body = Inflating::new(members.clone());
            assert_eq!(body.collect().await.unwrap().to_bytes(), expected);
        }
        assert!(members[4].0.fast.get().is_some());
    }

    #[tokio::test]
    async fn a_broken_member_breaks_the_answer_off() {
        let (mut members, _) = members();
        members[3] = Member::new(Bytes::from_static(b"no gzip"), 3000);
        assert!(Inflating::new(members).collect().await.is_err());
    }
}
