//! Blocks as gzip members: each is compressed once, together they are one valid gzip file (RFC 1952, section 2.2).

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;

use super::answer::Block;
use super::packed::Packer;

/// Answers below this many bytes are sent as they are: headers outweigh what gzip saves.
pub(crate) const WORTHWHILE_BYTES: usize = 512;

/// The compressor and the memory it writes to, made at the first use and kept.
#[derive(Default)]
pub(crate) struct Gzip(Mutex<Option<Packer>>);

impl Gzip {
    /// The members of `blocks` in their order, or `None` where one cannot be compressed.
    ///
    /// Level 1 takes about 0.2 ms for a block, less than handing it to another thread and back would delay the answer.
    /// Between blocks the other connections have their turn.
    pub(crate) async fn members(&self, blocks: &[Arc<Block>]) -> Option<Vec<Bytes>> {
        let mut members = Vec::with_capacity(blocks.len());
        for block in blocks {
            let fresh = block.gzip().is_none();
            members.push(block.gzip_or(|text| self.member(text))?.clone());
            if fresh && members.len() < blocks.len() {
                tokio::task::yield_now().await;
            }
        }
        Some(members)
    }

    fn member(&self, text: &[u8]) -> Option<Bytes> {
        let mut packer = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let member = packer.get_or_insert_default().pack(text);
        member.ok().map(|member| member.gzip().clone())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;
    use crate::web::answer::{BLOCK_BYTES, cut};

    fn unpacked(members: &[Bytes]) -> Vec<u8> {
        let mut text = Vec::new();
        let packed = members.concat();
        flate2::read::MultiGzDecoder::new(&packed[..]).read_to_end(&mut text).unwrap();
        text
    }

    #[tokio::test]
    async fn the_members_together_are_the_text() {
        let text: Vec<u8> =
            (0..40_000_u32).flat_map(|n| format!("a_total {n}\n").into_bytes()).collect();
        let blocks = cut(text.clone().into());
        let members = Gzip::default().members(&blocks).await.unwrap();
        assert_eq!(members.len(), text.len().div_ceil(BLOCK_BYTES));
        assert_eq!(unpacked(&members), text);
        assert!(members.iter().map(Bytes::len).sum::<usize>() < text.len() / 3);
    }

    #[tokio::test]
    async fn an_unchanged_block_is_the_same_memory_in_the_next_answer() {
        let gzip = Gzip::default();
        let blocks = cut(Bytes::from_static(b"a_total 1\n"));
        let first = gzip.members(&blocks).await.unwrap();
        let second = gzip.members(&blocks).await.unwrap();
        assert_eq!(first[0].as_ptr(), second[0].as_ptr());
    }

    #[tokio::test]
    async fn what_cannot_be_made_smaller_still_fits() {
        let mut state = 1_u64;
        let noise: Vec<u8> = std::iter::repeat_with(|| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            state.to_be_bytes()[0]
        })
        .take(BLOCK_BYTES)
        .collect();
        let members = Gzip::default().members(&cut(noise.clone().into())).await.unwrap();
        assert_eq!(unpacked(&members), noise);
    }
}
