//! Finding where JSON values begin and end, without decoding them.

use memchr::memchr2;

/// Passes over one JSON value that may arrive in pieces. It trusts that brackets match: what is wrong inside a value is
/// found by whoever decodes it.
#[derive(Debug, Default)]
pub(crate) struct Skip {
    at: At,
    depth: usize,
}

#[derive(Clone, Copy, Debug, Default)]
enum At {
    #[default]
    Start,
    Scalar,
    Text,
    Escape,
    Nested,
}

impl Skip {
    /// Passes over what of `bytes` belongs to the value; `Some(length)` where it ends in them. The first byte of the
    /// first call is the value's first.
    pub(crate) fn feed(&mut self, bytes: &[u8]) -> Option<usize> {
        let mut next = 0;
        while let Some(rest) = bytes.get(next..).filter(|rest| !rest.is_empty()) {
            match self.at {
                At::Start => next += self.start(rest),
                At::Scalar => return scalar(rest).map(|end| next + end),
                At::Text => next += self.text(rest),
                At::Escape => {
                    self.at = At::Text;
                    next += 1;
                }
                At::Nested => next += self.nested(rest),
            }
            if matches!(self.at, At::Nested) && self.depth == 0 {
                return Some(next);
            }
        }
        None
    }

    fn start(&mut self, bytes: &[u8]) -> usize {
        match bytes.first() {
            Some(b'"') => self.at = At::Text,
            Some(b'{' | b'[') => {
                self.at = At::Nested;
                self.depth = 1;
            }
            _ => {
                self.at = At::Scalar;
                return 0;
            }
        }
        1
    }

    /// Inside a string; its end is `Nested` again, at depth 0 where the string is the value.
    fn text(&mut self, bytes: &[u8]) -> usize {
        let Some(found) = memchr2(b'"', b'\\', bytes) else { return bytes.len() };
        self.at = if bytes.get(found) == Some(&b'"') { At::Nested } else { At::Escape };
        found + 1
    }

    fn nested(&mut self, bytes: &[u8]) -> usize {
        for (index, byte) in bytes.iter().enumerate() {
            match byte {
                b'"' => {
                    self.at = At::Text;
                    return index + 1;
                }
                b'{' | b'[' => self.depth += 1,
                b'}' | b']' => {
                    self.depth -= 1;
                    if self.depth == 0 {
                        return index + 1;
                    }
                }
                _ => {}
            }
        }
        bytes.len()
    }
}

/// A number, `true`, `false` or `null` ends before what cannot be part of it.
fn scalar(bytes: &[u8]) -> Option<usize> {
    bytes.iter().position(|&byte| matches!(byte, b',' | b'}' | b']' | b':') || is_space(byte))
}

pub(crate) fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\n' | b'\r' | b'\t')
}

/// The members of the object `text`, in order: names without quotes, values as they stand. Ends at the first thing that
/// is no JSON; a value that is cut off comes as far as it goes.
pub(crate) fn members(text: &str) -> Members<'_> {
    let rest = text.trim_ascii_start().strip_prefix('{').unwrap_or_default();
    Members { rest }
}

/// The value of one member of the object `text`.
pub(crate) fn member<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    members(text).find_map(|(found, value)| (found == name).then_some(value))
}

pub(crate) struct Members<'a> {
    rest: &'a str,
}

impl<'a> Iterator for Members<'a> {
    type Item = (&'a str, &'a str);

    fn next(&mut self) -> Option<Self::Item> {
        let rest = self.rest.trim_ascii_start();
        let rest = rest.strip_prefix(',').unwrap_or(rest).trim_ascii_start();
        let (name, rest) = value(rest)?;
        let name = name.strip_prefix('"')?.strip_suffix('"')?;
        let rest = rest.trim_ascii_start().strip_prefix(':')?.trim_ascii_start();
        let (value, rest) = value(rest)?;
        self.rest = rest;
        Some((name, value))
    }
}

fn value(text: &str) -> Option<(&str, &str)> {
    let end = Skip::default().feed(text.as_bytes()).unwrap_or(text.len());
    text.split_at_checked(end).filter(|(value, _)| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_come_in_order_with_their_values_as_they_stand() {
        let text = r#" { "kind" : "Pod", "n":-1.5e3 ,"o":{"a":["}",{}]},"last":"\"}" } "#;
        let found: Vec<_> = members(text).collect();
        let expected = [
            ("kind", r#""Pod""#),
            ("n", "-1.5e3"),
            ("o", r#"{"a":["}",{}]}"#),
            ("last", r#""\"}""#),
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn what_is_cut_off_comes_as_far_as_it_goes() {
        let found: Vec<_> = members(r#"{"kind":"Pod","metadata":{"name":"a","#).collect();
        assert_eq!(found, [("kind", r#""Pod""#), ("metadata", r#"{"name":"a","#)]);
        for broken in ["", "{", "[]", "{,", "null", r#"{"a"}"#, "{1:2}"] {
            assert_eq!(members(broken).count(), 0, "{broken}");
        }
    }

    #[test]
    fn a_value_ends_at_the_same_byte_wherever_it_is_cut() {
        let text = br#"{"a\\":"x\"]}","b":[1,[2,"\u007d"],{}],"c":null} , "next""#;
        let end = text.iter().rposition(|&byte| byte == b'}').map(|last| last + 1);
        assert_eq!(Skip::default().feed(text), end);
        for cut in 1..end.unwrap_or_default() {
            let mut skip = Skip::default();
            assert_eq!(skip.feed(&text[..cut]), None, "cut at {cut}");
            assert_eq!(skip.feed(&text[cut..]).map(|rest| cut + rest), end, "cut at {cut}");
        }
    }
}
