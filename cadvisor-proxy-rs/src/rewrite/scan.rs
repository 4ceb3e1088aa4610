//! A sample's line taken apart in one pass, borrowed.

use std::borrow::Cow;

use memchr::{memchr, memchr2};

/// A label; its value is escaped as it stands in the text.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Label<'a> {
    pub(crate) name: Cow<'a, [u8]>,
    pub(crate) value: Cow<'a, [u8]>,
}

/// The parts of a line beside its labels.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Parts<'a> {
    /// As it stands before the braces, or without its quotes where `quoted`.
    pub(crate) name: &'a [u8],
    /// The name stands in quotes among the labels, as Prometheus 3 writes names that are not its old ones.
    pub(crate) quoted: bool,
    /// What stands between the braces.
    pub(crate) set: &'a [u8],
    /// Value, timestamp and exemplar.
    pub(crate) rest: &'a [u8],
}

/// The name before the braces or the first blank; empty where it stands inside.
pub(crate) fn name(line: &[u8]) -> &[u8] {
    let end = line.iter().position(|byte| matches!(byte, b'{' | b' ' | b'\t'));
    line.get(..end.unwrap_or(line.len())).unwrap_or_default()
}

/// Takes a line apart whose name is known; `None` where it is malformed. `labels` must be empty.
pub(crate) fn scan<'a>(
    line: &'a [u8],
    name: &'a [u8],
    labels: &mut Vec<Label<'a>>,
) -> Option<Parts<'a>> {
    let after = line.get(name.len()..)?.trim_ascii_start();
    let Some(text) = after.strip_prefix(b"{") else {
        let rest = after.trim_ascii_end();
        let whole = !name.is_empty() && is_value(rest);
        return whole.then_some(Parts { name, quoted: false, set: b"", rest });
    };
    let mut parts = Parts { name, quoted: false, set: b"", rest: b"" };
    let mut left = text;
    loop {
        left = left.trim_ascii_start();
        if let Some(after) = left.strip_prefix(b"}") {
            parts.set = text.get(..text.len() - left.len())?;
            parts.rest = after.trim_ascii();
            return (!parts.name.is_empty() && is_value(parts.rest)).then_some(parts);
        }
        left = one(left, labels, &mut parts)?;
    }
}

/// One label with the comma after it, or the quoted name.
fn one<'a>(text: &'a [u8], labels: &mut Vec<Label<'a>>, parts: &mut Parts<'a>) -> Option<&'a [u8]> {
    let (name, after) = if text.first() == Some(&b'"') {
        let (_, after) = quoted(text)?;
        text.split_at_checked(text.len() - after.len())?
    } else {
        text.split_at_checked(memchr(b'=', text)?)?
    };
    let Some(value) = after.trim_ascii_start().strip_prefix(b"=") else {
        // A quoted name stands there once, and in place of the one before the braces.
        if !parts.name.is_empty() {
            return None;
        }
        (parts.name, parts.quoted) = (quoted(name)?.0, true);
        return separated(after);
    };
    let (value, after) = quoted(value.trim_ascii_start())?;
    let name = name.trim_ascii_end();
    if !is_label_name(name) {
        return None;
    }
    labels.push(Label { name: Cow::Borrowed(name), value: Cow::Borrowed(value) });
    separated(after)
}

fn is_label_name(name: &[u8]) -> bool {
    name.first().is_some_and(|first| {
        *first == b'"'
            || name.iter().all(|b| b.is_ascii_alphanumeric() || *b == b'_')
                && !first.is_ascii_digit()
    })
}

fn separated(after: &[u8]) -> Option<&[u8]> {
    let after = after.trim_ascii_start();
    match after.first()? {
        b',' => after.get(1..),
        b'}' => Some(after),
        _ => None,
    }
}

/// The text between two quotes, still escaped, and what follows them.
fn quoted(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let text = text.strip_prefix(b"\"")?;
    let mut from = 0;
    loop {
        let at = from + memchr2(b'"', b'\\', text.get(from..)?)?;
        if text.get(at) == Some(&b'"') {
            return Some((text.get(..at)?, text.get(at + 1..)?));
        }
        from = at + 2;
    }
}

/// Whether a value begins here: a number has a digit, `Inf` or `NaN` has not.
fn is_value(rest: &[u8]) -> bool {
    let end = memchr2(b' ', b'\t', rest).unwrap_or(rest.len());
    let word = rest.get(..end).unwrap_or_default();
    match word.first() {
        Some(b'0'..=b'9') if word.iter().all(u8::is_ascii_digit) => true,
        Some(_) => std::str::from_utf8(word).is_ok_and(|word| word.parse::<f64>().is_ok()),
        None => false,
    }
}

/// Value and exemplar without the timestamp between them.
pub(crate) fn without_timestamp(rest: &[u8]) -> (&[u8], &[u8]) {
    let end = memchr2(b' ', b'\t', rest).unwrap_or(rest.len());
    let (value, after) = rest.split_at_checked(end).unwrap_or((rest, b""));
    (value, memchr::memmem::find(after, b" # ").and_then(|at| after.get(at..)).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Option<(Parts<'_>, Vec<Label<'_>>)> {
        let mut labels = Vec::new();
        let parts = scan(line.as_bytes(), name(line.as_bytes()), &mut labels)?;
        Some((parts, labels))
    }

    #[test]
    fn a_line_is_taken_apart_whatever_its_values_hold() {
        let (parts, labels) = parsed(r#"a{b="}{,\"\\",c = "",} 1 2 # {d="e"} 1"#).unwrap();
        assert_eq!((parts.name, parts.rest), (&b"a"[..], &br#"1 2 # {d="e"} 1"#[..]));
        assert_eq!(labels[0].value.as_ref(), br#"}{,\"\\"#);
        assert_eq!(without_timestamp(parts.rest), (&b"1"[..], &br#" # {d="e"} 1"#[..]));
        let (parts, labels) = parsed(r#"{"a.b","c.d"="e"} NaN"#).unwrap();
        assert_eq!(
            (parts.name, parts.quoted, labels[0].name.as_ref()),
            (&b"a.b"[..], true, &b"\"c.d\""[..])
        );
    }

    #[test]
    fn a_malformed_line_is_none() {
        for line in [
            "",
            "a",
            "a{",
            "a{b} 1",
            "a{b=\"} 1",
            "a{b=\"c\"d=\"e\"} 1",
            "a{} x",
            "{} 1",
            "a{=\"b\"} 1",
            "a{1b=\"c\"} 1",
            "a{b=\"\\",
        ] {
            assert!(parsed(line).is_none(), "{line}");
        }
    }

    proptest::proptest! {
        #[test]
        fn it_reads_what_the_toolkit_reads(line in "[a-z]{0,2}[{]?([a-z\"]{1,2} ?= ?\"[a-z},\\\\\"]{0,4}\"[, ]{0,2}){0,3}[}]? ?[0-9+-]{1,3}( [0-9]{1,4})?") {
            use exporter_toolkit::line::Line;
            let theirs = match Line::parse(line.as_bytes()) {
                Some(Line::Sample(sample)) => Some(sample),
                _ => None,
            };
            if let (Some((parts, labels)), Some(sample)) = (parsed(&line), theirs) {
                proptest::prop_assert_eq!(parts.name, sample.name);
                let values: Vec<&[u8]> = labels.iter().map(|label| label.value.as_ref()).collect();
                let expected: Vec<&[u8]> = sample.labels.iter().map(|(_, value)| value).collect();
                proptest::prop_assert_eq!(values, expected);
            }
        }
    }
}
