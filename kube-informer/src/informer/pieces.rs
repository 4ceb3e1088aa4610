//! Bodies taken apart while they arrive: the objects of a list, the lines of a watch. What is held is one object at most.

use bytes::{Buf as _, Bytes, BytesMut};

use crate::json::{Skip, is_space};

/// No object of the API comes near it: etcd takes 1.5 MB by default.
pub(crate) const OBJECT_LIMIT: usize = 32 << 20;
/// What is kept of an object over the limit, to know its name.
const HEAD: usize = 16 << 10;
/// A buffer that grew beyond it for one object is given back.
const BUFFER_KEPT: usize = 256 << 10;
/// Members of a list beside its items: its metadata, a table's columns.
const KEY_LIMIT: usize = 256;

/// The text of one object, or as much of it as is kept of one over the limit.
#[derive(Debug, Eq, PartialEq)]
pub(crate) enum Text {
    Whole(Bytes),
    Head(Bytes),
}

/// Puts together what arrived in pieces, up to a limit.
#[derive(Debug)]
struct Held {
    bytes: BytesMut,
    limit: usize,
    over: bool,
}

impl Held {
    fn new(limit: usize) -> Self {
        Self { bytes: BytesMut::new(), limit, over: false }
    }

    fn push(&mut self, piece: &[u8]) {
        if self.over || self.bytes.len() + piece.len() > self.limit {
            self.over = true;
            self.bytes.truncate(HEAD.min(self.limit));
            let room = HEAD.min(self.limit) - self.bytes.len();
            self.bytes.extend_from_slice(piece.get(..room).unwrap_or(piece));
        } else {
            self.bytes.extend_from_slice(piece);
        }
    }

    /// The whole, with its last piece; that alone is not copied.
    fn finish(&mut self, last: Bytes) -> Text {
        if self.bytes.is_empty() && !self.over && last.len() <= self.limit {
            return Text::Whole(last);
        }
        self.push(&last);
        let text = self.bytes.split().freeze();
        if text.len() > BUFFER_KEPT {
            self.bytes = BytesMut::new();
        }
        if std::mem::take(&mut self.over) { Text::Head(text) } else { Text::Whole(text) }
    }
}

/// The lines of a watch, one event each.
#[derive(Debug)]
pub(crate) struct Lines {
    chunk: Bytes,
    held: Held,
}

impl Lines {
    pub(crate) fn new(limit: usize) -> Self {
        Self { chunk: Bytes::new(), held: Held::new(limit) }
    }

    /// Takes the next chunk of the body; the last one must have been read to its end.
    pub(crate) fn push(&mut self, chunk: Bytes) {
        self.chunk = chunk;
    }

    /// The next line without its end; `None` where the rest of it has not arrived.
    pub(crate) fn next(&mut self) -> Option<Text> {
        loop {
            let Some(end) = memchr::memchr(b'\n', &self.chunk) else {
                self.held.push(&self.chunk);
                self.chunk.clear();
                return None;
            };
            let line = self.chunk.split_to(end);
            self.chunk.advance(1);
            match self.held.finish(line) {
                Text::Whole(blank) if blank.trim_ascii().is_empty() => {}
                text => return Some(text),
            }
        }
    }
}

/// Part of a list.
#[derive(Debug, Eq, PartialEq)]
pub(crate) enum Piece {
    /// What stands beside the items: `metadata`, `columnDefinitions`, …
    Member { name: String, value: Bytes },
    /// One of `items`, or of the `rows` of a table.
    Item(Text),
}

/// A body that is no list: it must be an object, and its items an array.
#[derive(Debug, thiserror::Error, Eq, PartialEq)]
#[error("the answer is no list of the Kubernetes API: {0}")]
pub(crate) struct NoList(pub(crate) &'static str);

/// Takes a list apart that may be cut anywhere.
#[derive(Debug)]
pub(crate) struct Splitter {
    chunk: Bytes,
    place: Place,
    name: String,
    skip: Skip,
    held: Held,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Place {
    Before,
    BeforeName,
    Name,
    Colon,
    BeforeValue,
    Value,
    BeforeItem,
    Item,
    After,
}

impl Splitter {
    pub(crate) fn new(limit: usize) -> Self {
        let held = Held::new(limit);
        let (place, name, skip) = (Place::Before, String::new(), Skip::default());
        Self { chunk: Bytes::new(), place, name, skip, held }
    }

    /// Takes the next chunk of the body; the last one must have been read to its end.
    pub(crate) fn push(&mut self, chunk: Bytes) {
        self.chunk = chunk;
    }

    /// True where the list is complete.
    pub(crate) fn is_complete(&self) -> bool {
        self.place == Place::After
    }

    /// The next piece; `None` where the rest of it has not arrived.
    pub(crate) fn next(&mut self) -> Result<Option<Piece>, NoList> {
        loop {
            if matches!(self.place, Place::Name | Place::Value | Place::Item) {
                let Some(text) = self.value() else { return Ok(None) };
                if let Some(piece) = self.finished(text)? {
                    return Ok(Some(piece));
                }
                continue;
            }
            let Some(&byte) = self.chunk.first() else { return Ok(None) };
            if is_space(byte) {
                self.chunk.advance(1);
            } else {
                self.between(byte)?;
            }
        }
    }

    /// Acts on a byte that stands between values, and leaves the first byte of a value where it is.
    fn between(&mut self, byte: u8) -> Result<(), NoList> {
        let (place, passed) = match (self.place, byte) {
            (Place::Before, b'{') | (Place::BeforeName, b',') | (Place::BeforeItem, b']') => {
                (Place::BeforeName, 1)
            }
            (Place::BeforeName, b'"') => (Place::Name, 0),
            (Place::BeforeName, b'}') => (Place::After, 1),
            (Place::Colon, b':') => (Place::BeforeValue, 1),
            (Place::BeforeValue, b'[') if matches!(self.name.as_str(), "items" | "rows") => {
                (Place::BeforeItem, 1)
            }
            (Place::BeforeValue, _) => (Place::Value, 0),
            (Place::BeforeItem, b',') => (Place::BeforeItem, 1),
            (Place::BeforeItem, b'{') => (Place::Item, 0),
            (Place::Before, _) => return Err(NoList("it is no JSON object")),
            (Place::BeforeItem, _) => return Err(NoList("an item is no object")),
            (Place::After, _) => return Err(NoList("something follows its end")),
            _ => return Err(NoList("its JSON is broken")),
        };
        self.chunk.advance(passed);
        self.place = place;
        self.skip = Skip::default();
        Ok(())
    }

    fn value(&mut self) -> Option<Text> {
        if let Some(end) = self.skip.feed(&self.chunk) {
            let last = self.chunk.split_to(end);
            return Some(self.held.finish(last));
        }
        self.held.push(&self.chunk);
        self.chunk.clear();
        None
    }

    fn finished(&mut self, text: Text) -> Result<Option<Piece>, NoList> {
        match (self.place, text) {
            (Place::Name, Text::Whole(name)) if name.len() <= KEY_LIMIT => {
                let name = std::str::from_utf8(&name).map_err(|_| NoList("a name is no UTF-8"))?;
                name.trim_matches('"').clone_into(&mut self.name);
                self.place = Place::Colon;
                Ok(None)
            }
            (Place::Item, text) => {
                self.place = Place::BeforeItem;
                Ok(Some(Piece::Item(text)))
            }
            (Place::Value, Text::Whole(value)) => {
                self.place = Place::BeforeName;
                Ok(Some(Piece::Member { name: std::mem::take(&mut self.name), value }))
            }
            _ => Err(NoList("what stands beside its items is too long")),
        }
    }
}

#[cfg(test)]
mod tests;
