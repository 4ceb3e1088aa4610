//! What a scrape answers with: blocks of text, each of which is compressed at most once.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;

use super::body::Body;
use super::packed::Member;
use crate::{Exposition, Format, Merger};

/// Text of one answer is cut into blocks of this many bytes; each is a gzip member of its own.
pub const BLOCK_BYTES: usize = 64 * 1024;

/// A part of an exposition that stays as it is. Shared between answers, it is never compressed twice.
#[derive(Debug)]
pub struct Block {
    text: Bytes,
    gzip: OnceLock<Bytes>,
}

impl Block {
    /// A block of at most [`BLOCK_BYTES`] is compressed in well under a millisecond; a larger one delays others.
    pub fn new(text: impl Into<Bytes>) -> Self {
        Self { text: text.into(), gzip: OnceLock::new() }
    }

    pub fn text(&self) -> &Bytes {
        &self.text
    }

    /// The gzip member of this block, where it has been asked for before.
    pub fn gzip(&self) -> Option<&Bytes> {
        self.gzip.get()
    }

    pub(crate) fn gzip_or(&self, compress: impl FnOnce(&[u8]) -> Option<Bytes>) -> Option<&Bytes> {
        if self.gzip.get().is_none() {
            let member = compress(&self.text)?;
            return Some(self.gzip.get_or_init(|| member));
        }
        self.gzip.get()
    }
}

/// A successful scrape.
#[derive(Debug)]
pub struct Answer {
    pub(crate) content_type: &'static str,
    pub(crate) content: Content,
}

#[derive(Debug)]
pub(crate) enum Content {
    Blocks(Vec<Arc<Block>>),
    Packed(Vec<Member>),
    Stream { body: Body, gzip: bool },
}

impl Answer {
    /// An answer that is needed once: `text` is the whole exposition, with the end mark where the format has one.
    pub fn whole(format: Format, text: impl Into<Bytes>) -> Self {
        Self::blocks(format, cut(text.into()))
    }

    /// An answer that is needed once, of families as they were written: those of one name are brought together.
    pub fn of(exposition: &Exposition, format: Format) -> Self {
        let mut text = Vec::new();
        Merger::default().merge(&[exposition], format, &mut text);
        Self::whole(format, text)
    }

    /// An answer made of blocks that other answers may share.
    pub fn blocks(format: Format, blocks: Vec<Arc<Block>>) -> Self {
        Self { content_type: format.content_type(), content: Content::Blocks(blocks) }
    }

    /// An answer that is kept compressed: a client that takes gzip gets the members, another one their text.
    pub fn packed(format: Format, members: Vec<Member>) -> Self {
        Self { content_type: format.content_type(), content: Content::Packed(members) }
    }

    /// An answer that is written while it is sent. `gzip` says that the stream is compressed already, which it may be
    /// only where [`super::Scrape::gzip`] is set.
    pub fn stream(format: Format, body: Body, gzip: bool) -> Self {
        Self { content_type: format.content_type(), content: Content::Stream { body, gzip } }
    }
}

/// Cuts `text` into blocks without copying it.
pub fn cut(mut text: Bytes) -> Vec<Arc<Block>> {
    let mut blocks = Vec::with_capacity(text.len().div_ceil(BLOCK_BYTES));
    while !text.is_empty() {
        let piece = text.split_to(text.len().min(BLOCK_BYTES));
        blocks.push(Arc::new(Block::new(piece)));
    }
    blocks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_into_blocks_that_make_it_up_again() {
        for size in [0, 1, BLOCK_BYTES, BLOCK_BYTES + 1, 3 * BLOCK_BYTES - 1] {
            let text = Bytes::from(vec![b'x'; size]);
            let blocks = cut(text.clone());
            assert!(blocks.iter().all(|block| block.text().len() <= BLOCK_BYTES));
            let joined: Vec<u8> = blocks.iter().flat_map(|block| block.text().to_vec()).collect();
            assert_eq!(joined, text);
        }
    }

    #[test]
    fn a_block_is_compressed_once() {
        let block = Block::new("x");
        assert_eq!(block.gzip(), None);
        assert_eq!(block.gzip_or(|_| Some(Bytes::from("1"))).unwrap(), "1");
        assert_eq!(block.gzip_or(|_| Some(Bytes::from("2"))).unwrap(), "1");
        assert_eq!(block.gzip().unwrap(), "1");
    }
}
