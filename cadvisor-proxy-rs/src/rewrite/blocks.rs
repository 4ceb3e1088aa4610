//! Labels that come again, found by comparing bytes.
//!
//! cAdvisor writes a container's labels on each of its series, in some hundred families of one order, with a few labels of
//! the family's own between them (`cpu`, `device`, `state`). The former are a block, whose [`Fate`] is worked out once; the
//! next line is most often about the block that followed the last time, which one comparison proves.

use std::borrow::Cow;
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher as _};

use memchr::memchr3;

use super::fate::Fate;
use super::options::Subject;
use super::scan::Label;
use crate::identity::Quick;

/// Bytes of all blocks at most: those of some thousand containers.
const LIMIT: usize = 4 << 20;
/// A longer block is not remembered.
const LONGEST: usize = 16 << 10;
/// Beside its text, about.
const OVERHEAD: usize = 256;
/// Families leave out some containers: so many blocks are tried in their order.
const AHEAD: usize = 8;

/// A label as it stands in a label set: `text[from..to]` is `name="value"`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Span {
    pub(super) from: usize,
    /// Where the name ends.
    equals: usize,
    pub(super) to: usize,
    /// How many labels of the block stand before it.
    pub(super) before: usize,
}

impl Span {
    /// The label that begins at `from`, where it is written without blanks and without quotes around its name.
    fn read(text: &[u8], from: usize) -> Option<Self> {
        let rest = text.get(from..)?;
        let equals = rest.iter().position(|b| !b.is_ascii_alphanumeric() && *b != b'_')?;
        if rest.first()?.is_ascii_digit() || equals == 0 {
            return None;
        }
        let value = rest.get(equals..)?.strip_prefix(b"=\"")?;
        let to = from + equals + 2 + closing(value)? + 1;
        Some(Self { from, equals: from + equals, to, before: 0 })
    }

    pub(super) fn name<'t>(&self, text: &'t [u8]) -> &'t [u8] {
        text.get(self.from..self.equals).unwrap_or_default()
    }

    pub(super) fn value<'t>(&self, text: &'t [u8]) -> &'t [u8] {
        text.get(self.equals + 2..self.to - 1).unwrap_or_default()
    }
}

/// Where the quote is that ends a value; `None` where its line ends before.
fn closing(value: &[u8]) -> Option<usize> {
    let mut from = 0;
    loop {
        let at = from + memchr3(b'"', b'\\', b'\n', value.get(from..)?)?;
        match value.get(at..)? {
            [b'"', ..] => return Some(at),
            [b'\\', escaped, ..] if *escaped != b'\n' => from = at + 2,
            _ => return None,
        }
    }
}

/// Whether a label belongs to a block: what tells whose a series is, and what may be added or filled in. With others the
/// fate of a block has nothing to do.
pub(super) fn is_of_block(name: &[u8], subject: Subject) -> bool {
    let is_own = || {
        matches!(name, b"id" | b"image" | b"name")
            || name.starts_with(b"container_label_")
            || name.starts_with(b"container_env_")
    };
    matches!(
        name,
        b"container"
            | b"container_name"
            | b"namespace"
            | b"node"
            | b"owner_kind"
            | b"owner_name"
            | b"pod"
            | b"pod_ip"
            | b"pod_name"
            | b"pod_uid"
    ) || name.starts_with(b"label_")
        || name.starts_with(b"exported_")
        || subject == Subject::Cgroups && is_own()
}

#[derive(Debug)]
struct Block {
    /// Its labels with commas between, as they stand in the body.
    text: Box<[u8]>,
    /// Where each label ends.
    ends: Box<[usize]>,
    next: usize,
    fate: Fate,
}

impl Block {
    /// Whether a label set has just these labels of a block; where it ends, and its other labels in `others`.
    fn matches(&self, text: &[u8], others: &mut Vec<Span>, subject: Subject) -> Option<usize> {
        others.clear();
        let (mut at, mut number, mut from) = (0, 0, 0);
        loop {
            // All that is left of the block, else its next label, else one that is not the block's.
            let rest = text.get(at..)?;
            let label = || self.text.get(from..*self.ends.get(number)?);
            let left = self.text.get(from..).filter(|left| !left.is_empty());
            if let Some(left) = left.filter(|left| rest.starts_with(left)) {
                (at, number, from) = (at + left.len(), self.ends.len(), self.text.len());
            } else if let Some(label) = label().filter(|label| rest.starts_with(label)) {
                (at, number, from) = (at + label.len(), number + 1, from + label.len() + 1);
            } else {
                let other = Span { before: number, ..Span::read(text, at)? };
                if is_of_block(other.name(text), subject) {
                    return None;
                }
                at = other.to;
                others.push(other);
            }
            match text.get(at)? {
                b',' => at += 1,
                b'}' => return (number == self.ends.len()).then_some(at),
                _ => return None,
            }
        }
    }
}

/// The blocks that were met.
#[derive(Debug)]
pub(super) struct Blocks {
    subject: Subject,
    all: Vec<Block>,
    /// By the hash of their text. Of two with one hash the later is found: a hit is compared with all bytes.
    by_hash: HashMap<u64, usize, BuildHasherDefault<Quick>>,
    last: usize,
    bytes: usize,
    /// Labels of the line that are not the block's.
    pub(super) others: Vec<Span>,
    text: Vec<u8>,
    ends: Vec<usize>,
}

/// What was found: whose fate, and where the label set's closing brace is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Found {
    block: usize,
    pub(super) close: usize,
}

impl Blocks {
    pub(super) fn new(subject: Subject) -> Self {
        Self {
            subject,
            all: Vec::new(),
            by_hash: HashMap::default(),
            last: 0,
            bytes: 0,
            others: Vec::new(),
            text: Vec::new(),
            ends: Vec::new(),
        }
    }

    pub(super) fn clear(&mut self) {
        *self = Self::new(self.subject);
    }

    /// Before a body: a full memory holds what once was, so it begins anew.
    pub(super) fn renew(&mut self) {
        if self.bytes > LIMIT {
            self.clear();
        }
    }

    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn fate(&self, found: Found) -> Option<&Fate> {
        self.all.get(found.block).map(|block| &block.fate)
    }

    pub(super) fn fate_mut(&mut self, found: Found) -> Option<&mut Fate> {
        self.all.get_mut(found.block).map(|block| &mut block.fate)
    }

    /// The block of a line whose label set begins with `text`.
    pub(super) fn find(&mut self, text: &[u8]) -> Option<Found> {
        let last = self.all.get(self.last)?;
        let mut candidate = last.next;
        for number in 0..AHEAD {
            let block = self.all.get(candidate)?;
            if let Some(close) = block.matches(text, &mut self.others, self.subject) {
                self.last = candidate;
                return Some(Found { block: candidate, close });
            }
            // The second is the last one again: a family may have several series of a container.
            candidate = match number {
                0 => self.last,
                1 => self.all.get(last.next)?.next,
                _ => block.next,
            };
        }
        let close = self.search(text)?;
        let block = *self.by_hash.get(&hash(&self.text))?;
        if *self.all.get(block)?.text != *self.text {
            return None;
        }
        self.follow(block);
        Some(Found { block, close })
    }

    /// Notes that a block came behind the last one.
    fn follow(&mut self, block: usize) {
        if let Some(last) = self.all.get_mut(self.last) {
            last.next = block;
        }
        self.last = block;
    }

    /// Puts the block of a label set into `text` and `ends`, and what else it has into `others`; answers where it ends.
    fn search(&mut self, text: &[u8]) -> Option<usize> {
        self.others.clear();
        self.text.clear();
        self.ends.clear();
        let mut at = 0;
        loop {
            let label = Span::read(text, at)?;
            at = label.to;
            if is_of_block(label.name(text), self.subject) {
                if !self.ends.is_empty() {
                    self.text.push(b',');
                }
                self.text.extend_from_slice(text.get(label.from..label.to)?);
                self.ends.push(self.text.len());
            } else {
                self.others.push(Span { before: self.ends.len(), ..label });
            }
            match text.get(at)? {
                b',' => at += 1,
                b'}' => return Some(at),
                _ => return None,
            }
        }
    }

    /// Remembers the block of a line that was read in the long way, and its fate. `text` is its label set with the brace.
    pub(super) fn learn(&mut self, text: &[u8], fate: impl FnOnce(Vec<Label<'_>>) -> Fate) {
        if self.bytes > LIMIT || self.search(text).is_none() || self.text.len() > LONGEST {
            return;
        }
        let hash = hash(&self.text);
        let known = self.by_hash.get(&hash).and_then(|at| self.all.get(*at));
        if known.is_some_and(|block| *block.text == *self.text) {
            return;
        }
        let fate = fate(labels(&self.text, &self.ends));
        self.bytes += self.text.len() + fate.bytes() + OVERHEAD;
        let (text, ends) = (self.text.as_slice().into(), self.ends.as_slice().into());
        // The first one follows the last one: each family begins where the one before began.
        self.all.push(Block { text, ends, next: 0, fate });
        self.by_hash.insert(hash, self.all.len() - 1);
        self.follow(self.all.len() - 1);
    }
}

/// The labels of a block's text.
fn labels<'t>(text: &'t [u8], ends: &[usize]) -> Vec<Label<'t>> {
    let starts = std::iter::once(0).chain(ends.iter().map(|end| end + 1));
    let spans = starts.zip(ends).filter_map(|(from, _)| Span::read(text, from));
    let label = |span: Span| Label {
        name: Cow::Borrowed(span.name(text)),
        value: Cow::Borrowed(span.value(text)),
    };
    spans.map(label).collect()
}

fn hash(text: &[u8]) -> u64 {
    let mut hasher = Quick::default();
    hasher.write(text);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rewrite::{Settings, tests::options};

    fn learned(sets: &[&[u8]]) -> Blocks {
        let settings = Settings::new(&options(&[]), Subject::Cgroups).unwrap();
        let mut blocks = Blocks::new(Subject::Cgroups);
        for set in sets {
            blocks.learn(set, |labels| Fate::of(&settings, None, labels, 0));
        }
        blocks
    }

    #[test]
    fn a_block_is_found_wherever_labels_of_the_family_stand() {
        let mut blocks = learned(&[
            br#"container="c",id="/a",pod="p"} 1"#,
            br#"container="",id="/b",pod=""} 1"#,
        ]);
        for set in [
            r#"container="c",id="/a",pod="p"}"#,
            r#"a="}",container="c",cpu="total",id="/a",interface="x\"",pod="p",state=""}"#,
        ] {
            let found = blocks.find(set.as_bytes()).unwrap();
            assert_eq!((found.block, found.close), (0, set.len() - 1), "{set}");
        }
        let before: Vec<usize> = blocks.others.iter().map(|other| other.before).collect();
        assert_eq!(before, [0, 1, 2, 3]);
        for set in [
            r#"container="c",id="/a",pod="p2"}"#,
            r#"container="c",id="/a"}"#,
            r#"container="c",id="/a",pod="p",pod_ip="x"}"#,
            r#"container="c", id="/a",pod="p"}"#,
            r#"container="c",id="/a",pod="p",}"#,
            "container=\"c\",id=\"/a\",x=\"\n\",pod=\"p\"}",
            r#"container="c",id="/a",pod="p""#,
        ] {
            assert!(blocks.find(set.as_bytes()).is_none(), "{set}");
        }
    }

    #[test]
    fn two_blocks_of_one_hash_are_not_taken_for_each_other() {
        let (one, other) = (br#"id="/a"}"#, br#"id="/b"}"#);
        let mut blocks = learned(&[one]);
        blocks.by_hash.insert(hash(br#"id="/b""#), 0);
        assert!(blocks.find(one).is_some());
        assert!(blocks.find(other).is_none());
    }
}
