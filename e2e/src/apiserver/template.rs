//! An object's JSON with places to be filled, cut once into literals and fields.

use super::fields::{FIELDS, Write};
use super::objects::Object;

/// A text with `$FIELD`s. Blanks that JSON does not need are left out.
#[derive(Debug)]
pub(super) struct Template {
    parts: Vec<(Vec<u8>, Option<Write>)>,
}

impl Template {
    /// Cuts JSON text. A name that no field has stays as it is.
    fn new(json: &[u8]) -> Self {
        let (mut parts, mut literal, mut rest) = (Vec::new(), Vec::new(), json);
        while let Some((&byte, after)) = rest.split_first() {
            if byte == b'$' {
                let is_name = |b: &u8| b.is_ascii_uppercase() || *b == b'_';
                let end = after.iter().position(|b| !is_name(b)).unwrap_or(after.len());
                let (name, after) = after.split_at(end);
                if let Some(field) = field(name) {
                    parts.push((std::mem::take(&mut literal), Some(field)));
                    rest = after;
                    continue;
                }
            }
            literal.push(byte);
            rest = after;
        }
        parts.push((literal, None));
        Self { parts }
    }

    pub(super) fn write(&self, object: &Object<'_>, out: &mut Vec<u8>) {
        for (literal, field) in &self.parts {
            out.extend_from_slice(literal);
            if let Some(write) = field {
                write(object, out);
            }
        }
    }
}

fn field(name: &[u8]) -> Option<Write> {
    FIELDS.iter().find(|(field, _)| field.as_bytes() == name).map(|(_, write)| *write)
}

/// A kind's template, in the two parts that are wanted apart.
#[derive(Debug)]
pub(super) struct Whole {
    /// `{...}`.
    pub(super) metadata: Template,
    /// What follows it in the object: `,"spec":{...},"status":{...}}`.
    pub(super) rest: Template,
}

impl Whole {
    /// Of an object whose first member is `metadata`.
    pub(super) fn new(json: &str) -> Self {
        let json = minify(json);
        let inner = json.strip_prefix(br#"{"metadata":"#).unwrap_or(&json);
        let (metadata, rest) = inner.split_at(object_end(inner));
        Self { metadata: Template::new(metadata), rest: Template::new(rest) }
    }
}

/// A template of anything else.
pub(super) fn plain(json: &str) -> Template {
    Template::new(&minify(json))
}

/// The text without the blanks outside of its strings.
fn minify(json: &str) -> Vec<u8> {
    let mut strings = Strings::default();
    json.bytes().filter(|&byte| strings.inside(byte) || !byte.is_ascii_whitespace()).collect()
}

/// The length of the object with which the text begins.
fn object_end(json: &[u8]) -> usize {
    let (mut strings, mut depth) = (Strings::default(), 0_u32);
    for (at, &byte) in json.iter().enumerate() {
        match (strings.inside(byte), byte) {
            (false, b'{') => depth += 1,
            (false, b'}') if depth == 1 => return at + 1,
            (false, b'}') => depth -= 1,
            _ => {}
        }
    }
    json.len()
}

/// Follows which bytes of a JSON text are inside of strings.
#[derive(Default)]
struct Strings {
    inside: bool,
    escaped: bool,
}

impl Strings {
    fn inside(&mut self, byte: u8) -> bool {
        let was = self.inside;
        if self.escaped {
            self.escaped = false;
        } else if byte == b'\\' {
            self.escaped = true;
        } else if byte == b'"' {
            self.inside = !self.inside;
        }
        was || self.inside
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blanks_go_but_those_in_strings_stay() {
        assert_eq!(minify("{ \"a b\\\" \" :\n 1 }"), b"{\"a b\\\" \":1}");
    }

    #[test]
    fn the_metadata_ends_where_its_brace_is_closed() {
        assert_eq!(object_end(br#"{"a":"}{","b":{}},"spec":{}}"#), 17);
    }
}
