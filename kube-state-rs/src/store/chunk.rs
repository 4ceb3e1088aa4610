//! The text of some objects, family by family, each as one gzip member that is sent as it is.

use std::sync::Arc;

use exporter_toolkit::web::{Member, Packer, Unpacker};

/// How many objects share a chunk at most. Fewer are compressed worse, more are made again for one that changes.
pub(super) const OBJECTS: usize = 128;

/// One family's lines of the objects of a chunk, object after object.
#[derive(Debug)]
pub(super) struct Block {
    pub(super) member: Member,
    lengths: Lengths,
}

/// How long each object's part of a block is.
#[derive(Debug)]
enum Lengths {
    Short(Box<[u16]>),
    Long(Box<[u32]>),
}

impl Lengths {
    fn new(lengths: &[u32]) -> Self {
        let short: Option<Box<[u16]>> =
            lengths.iter().map(|&length| u16::try_from(length).ok()).collect();
        short.map_or_else(|| Self::Long(lengths.into()), Self::Short)
    }

    /// That of the object at `place`: 0 where the block is older than the object.
    fn of(&self, place: usize) -> usize {
        match self {
            Self::Short(lengths) => lengths.get(place).copied().map_or(0, usize::from),
            Self::Long(lengths) => lengths.get(place).map_or(0, |&length| length as usize),
        }
    }
}

/// The blocks of a chunk by family; a family without a line has none.
#[derive(Clone, Debug, Default)]
pub(super) struct Chunk {
    pub(super) blocks: Vec<Option<Arc<Block>>>,
}

impl Chunk {
    /// What its members take, compressed.
    pub(super) fn bytes(&self) -> usize {
        self.blocks.iter().flatten().map(|block| block.member.gzip().len()).sum()
    }
}

/// New text of one object in one family.
#[derive(Clone, Copy, Debug)]
pub(super) struct Part<'a> {
    pub(super) family: usize,
    /// The object's place in its chunk.
    pub(super) place: usize,
    pub(super) text: &'a [u8],
}

/// Makes blocks again, with memory that is reused.
#[derive(Default)]
pub(super) struct Mill {
    packer: Packer,
    unpacker: Unpacker,
    new: Vec<u8>,
    lengths: Vec<u32>,
}

/// A block could not be inflated or compressed: memory is damaged, or a part is longer than 4 GiB.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("a block of metrics could not be made again")]
pub(super) struct Damaged;

impl Mill {
    /// The chunk with `parts` in it, which are sorted by family and place; of two for one place the later one counts.
    pub(super) fn patched(
        &mut self,
        chunk: &Chunk,
        families: usize,
        parts: &[Part<'_>],
    ) -> Result<Chunk, Damaged> {
        let mut blocks = chunk.blocks.clone();
        blocks.resize(families, None);
        for parts in parts.chunk_by(|one, next| one.family == next.family) {
            let Some(block) = parts.first().and_then(|part| blocks.get_mut(part.family)) else {
                return Err(Damaged);
            };
            *block = self.block(block.as_deref(), parts)?.map(Arc::new);
        }
        Ok(Chunk { blocks })
    }

    fn block(&mut self, old: Option<&Block>, parts: &[Part<'_>]) -> Result<Option<Block>, Damaged> {
        let text = match old {
            Some(old) => self.unpacker.unpack(&old.member).map_err(|_| Damaged)?,
            None => &[],
        };
        let Self { new, lengths, .. } = self;
        join(text, old.map(|old| &old.lengths), parts, new, lengths)?;
        if self.new.is_empty() {
            return Ok(None);
        }
        let member = self.packer.pack(&self.new).map_err(|_| Damaged)?;
        Ok(Some(Block { member, lengths: Lengths::new(&self.lengths) }))
    }
}

/// Puts the text of a block and new parts together; `new` and `lengths` are what the block becomes.
fn join(
    mut rest: &[u8],
    known: Option<&Lengths>,
    parts: &[Part<'_>],
    new: &mut Vec<u8>,
    lengths: &mut Vec<u32>,
) -> Result<(), Damaged> {
    new.clear();
    lengths.clear();
    let mut parts = parts.iter().peekable();
    for place in 0..OBJECTS {
        let length = known.map_or(0, |known| known.of(place));
        let (mut text, after) = rest.split_at_checked(length).ok_or(Damaged)?;
        rest = after;
        while let Some(part) = parts.next_if(|part| part.place == place) {
            text = part.text;
        }
        new.extend_from_slice(text);
        lengths.push(u32::try_from(text.len()).map_err(|_| Damaged)?);
    }
    while lengths.last() == Some(&0) {
        lengths.pop();
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text(chunk: &Chunk, family: usize) -> String {
        chunk.blocks[family].as_ref().map_or_else(String::new, |block| {
            let mut unpacker = Unpacker::default();
            String::from_utf8(unpacker.unpack(&block.member).unwrap().to_vec()).unwrap()
        })
    }

    fn part(family: usize, place: usize, text: &str) -> Part<'_> {
        Part { family, place, text: text.as_bytes() }
    }

    #[test]
    fn parts_replace_what_their_object_gave_before() {
        let mut mill = Mill::default();
        let parts = [part(0, 0, "a\n"), part(0, 2, "c\n"), part(1, 1, "x\n")];
        let chunk = mill.patched(&Chunk::default(), 2, &parts).unwrap();
        assert_eq!((text(&chunk, 0), text(&chunk, 1)), ("a\nc\n".into(), "x\n".into()));
        let parts = [part(0, 0, ""), part(0, 1, "old\n"), part(0, 1, "b\n"), part(0, 127, "z\n")];
        let patched = mill.patched(&chunk, 2, &parts).unwrap();
        assert_eq!(text(&patched, 0), "b\nc\nz\n");
        assert!(Arc::ptr_eq(
            chunk.blocks[1].as_ref().unwrap(),
            patched.blocks[1].as_ref().unwrap()
        ));
    }

    #[test]
    fn a_family_without_a_line_has_no_block() {
        let mut mill = Mill::default();
        let chunk = mill.patched(&Chunk::default(), 1, &[part(0, 5, "a\n")]).unwrap();
        let emptied = mill.patched(&chunk, 1, &[part(0, 5, "")]).unwrap();
        assert!(emptied.blocks[0].is_none());
    }

    #[test]
    fn a_part_may_be_longer_than_64_kilobytes() {
        let mut mill = Mill::default();
        let long = "x".repeat(100_000);
        let chunk =
            mill.patched(&Chunk::default(), 1, &[part(0, 0, &long), part(0, 1, "b\n")]).unwrap();
        let chunk = mill.patched(&chunk, 1, &[part(0, 1, "c\n")]).unwrap();
        assert_eq!(text(&chunk, 0), format!("{long}c\n"));
    }

    proptest! {
        #[test]
        fn a_chunk_holds_what_was_said_last(
            rounds in prop::collection::vec(prop::collection::vec((0..3_usize, 0..OBJECTS, "[a-z\n]{0,6}"), 0..20), 1..6)
        ) {
            let mut mill = Mill::default();
            let mut chunk = Chunk::default();
            let mut expected = vec![vec![String::new(); OBJECTS]; 3];
            for mut round in rounds {
                round.sort_by_key(|(family, place, _)| (*family, *place));
                let parts: Vec<Part<'_>> = round.iter().map(|(f, p, t)| part(*f, *p, t)).collect();
                chunk = mill.patched(&chunk, 3, &parts).unwrap();
                for (family, place, text) in &round {
                    expected[*family][*place].clone_from(text);
                }
            }
            chunk.blocks.resize(3, None);
            for (family, parts) in expected.iter().enumerate() {
                prop_assert_eq!(text(&chunk, family), parts.concat());
            }
        }
    }
}
