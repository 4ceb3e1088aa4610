//! Texts that changed since the blocks were made.

use super::chunk::{OBJECTS, Part};

/// What objects give now, in the order in which they said it; later entries for one place count.
#[derive(Debug, Default)]
pub(super) struct Draft {
    text: Vec<u8>,
    entries: Vec<Entry>,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    slot: u32,
    family: u32,
    start: usize,
    end: usize,
}

impl Draft {
    pub(super) fn push(&mut self, slot: u32, family: usize, text: &[u8]) {
        let start = self.text.len();
        self.text.extend_from_slice(text);
        let family = u32::try_from(family).unwrap_or(u32::MAX);
        self.entries.push(Entry { slot, family, start, end: self.text.len() });
    }

    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// What it takes in memory, about.
    pub(super) fn bytes(&self) -> usize {
        self.text.len() + self.entries.len() * size_of::<Entry>()
    }

    /// Sorts the entries so that those of a chunk, in it of a family, in it of an object follow each other in the order
    /// in which they came.
    pub(super) fn sort(&mut self) {
        self.entries.sort_by_key(|entry| (entry.slot as usize / OBJECTS, entry.family, entry.slot));
    }

    /// Drops the texts that a later one has replaced.
    pub(super) fn forget_replaced(&mut self) {
        self.sort();
        let place = |entry: &Entry| (entry.slot, entry.family);
        let last = self.entries.chunk_by(|one, next| place(one) == place(next));
        let mut kept = Self::default();
        for entry in last.filter_map(<[Entry]>::last) {
            kept.push(entry.slot, entry.family as usize, &self.text[entry.start..entry.end]);
        }
        *self = kept;
    }

    /// The parts of each chunk that has some, with the chunk's number; the draft must be sorted.
    pub(super) fn by_chunk(&self) -> impl Iterator<Item = (usize, Vec<Part<'_>>)> {
        let chunk = |entry: &Entry| entry.slot as usize / OBJECTS;
        let groups = self.entries.chunk_by(move |one, next| chunk(one) == chunk(next));
        groups.filter_map(move |entries| {
            let number = chunk(entries.first()?);
            Some((number, entries.iter().map(|entry| self.part(entry)).collect()))
        })
    }

    fn part(&self, entry: &Entry) -> Part<'_> {
        Part {
            family: entry.family as usize,
            place: entry.slot as usize % OBJECTS,
            text: &self.text[entry.start..entry.end],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_what_changed_again_and_again_the_last_is_kept() {
        let mut draft = Draft::default();
        for (slot, text) in [(200, "a"), (3, "b"), (200, "c"), (3, ""), (7, "d")] {
            draft.push(slot, 1, text.as_bytes());
        }
        draft.push(3, 0, b"e");
        let before = draft.bytes();
        draft.forget_replaced();
        assert!(draft.bytes() < before);
        let chunks: Vec<_> = draft.by_chunk().collect();
        let told = |parts: &[Part<'_>]| -> Vec<_> {
            parts.iter().map(|part| (part.family, part.place, part.text.to_vec())).collect()
        };
        assert_eq!(chunks.len(), 2);
        assert_eq!(told(&chunks[0].1), [(0, 3, b"e".into()), (1, 3, vec![]), (1, 7, b"d".into())]);
        assert_eq!(told(&chunks[1].1), [(1, 200 % OBJECTS, b"c".into())]);
    }
}
