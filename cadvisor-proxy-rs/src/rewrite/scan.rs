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
        let whole = !name.is_empty() && is_rest(rest);
        return whole.then_some(Parts { name, quoted: false, set: b"", rest });
    };
    let mut parts = Parts { name, quoted: false, set: b"", rest: b"" };
    let mut left = text;
    loop {
        left = left.trim_ascii_start();
        if let Some(after) = left.strip_prefix(b"}") {
            parts.set = text.get(..text.len() - left.len())?;
            parts.rest = after.trim_ascii();
            return (!parts.name.is_empty() && is_rest(parts.rest)).then_some(parts);
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

/// Whether a value stands here, a timestamp where there is more, and nothing else before an exemplar.
fn is_rest(rest: &[u8]) -> bool {
    let numbers = memchr::memmem::find(rest, b" # ").and_then(|at| rest.get(..at)).unwrap_or(rest);
    let mut words =
        numbers.split(|byte| matches!(byte, b' ' | b'\t')).filter(|word| !word.is_empty());
    let starts = numbers.first().is_some_and(|first| !matches!(first, b' ' | b'\t'));
    starts
        && words.next().is_some_and(is_value)
        && words.next().is_none_or(|time| number(time) == Some(time.len()))
        && words.next().is_none()
}

/// A number has a digit, `Inf` or `NaN` has not.
fn is_value(word: &[u8]) -> bool {
    number(word) == Some(word.len())
        || !word.iter().any(u8::is_ascii_digit)
            && std::str::from_utf8(word).is_ok_and(|word| word.parse::<f64>().is_ok())
}

/// How many digits `text` begins with, looked at eight at a time.
fn digits(text: &[u8]) -> usize {
    let mut count = 0;
    while let Some(eight) = text.get(count..).and_then(|rest| rest.first_chunk()) {
        // Digits become 0 to 9; the high bit of each byte then says whether it is none.
        let values = u64::from_le_bytes(*eight) ^ 0x3030_3030_3030_3030;
        let others = ((values & 0x7f7f_7f7f_7f7f_7f7f) + 0x7676_7676_7676_7676) | values;
        match others & 0x8080_8080_8080_8080 {
            0 => count += 8,
            other => return count + other.trailing_zeros() as usize / 8,
        }
    }
    let rest = text.get(count..).unwrap_or_default();
    count + rest.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(rest.len())
}

/// How long the decimal number is that `text` begins with.
pub(crate) fn number(text: &[u8]) -> Option<usize> {
    let digits = |from: usize| digits(text.get(from..).unwrap_or_default());
    let mut at = usize::from(matches!(text.first(), Some(b'-' | b'+')));
    let mut found = digits(at);
    at += found;
    if text.get(at) == Some(&b'.') {
        let fraction = digits(at + 1);
        (at, found) = (at + 1 + fraction, found + fraction);
    }
    if found == 0 {
        return None;
    }
    if matches!(text.get(at), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(text.get(at + 1), Some(b'-' | b'+')));
        let exponent = digits(at + 1 + sign);
        if exponent == 0 {
            return None;
        }
        at += 1 + sign + exponent;
    }
    Some(at)
}

/// Where a value ends that `text` begins with, and where its line does, when no exemplar or anything odd is between them.
pub(crate) fn numbers(text: &[u8]) -> Option<(usize, usize)> {
    let end = number(text)?;
    match text.get(end)? {
        b'\n' => Some((end, end)),
        b' ' => {
            let time = text.get(end + 1..)?;
            let length = digits(time);
            (length > 0 && time.get(length) == Some(&b'\n')).then_some((end, end + 1 + length))
        }
        _ => None,
    }
}

/// Labels up to this number are compared each with each.
pub(crate) const FEW: usize = 16;

/// Whether a label is there twice, which is no series: Prometheus takes nothing of a body that has one.
pub(crate) fn repeats(labels: &[Label<'_>]) -> bool {
    if labels.len() <= FEW {
        return (1..).zip(labels).any(|(next, label)| {
            let mut others = labels.get(next..).unwrap_or_default().iter();
            others.any(|other| bare(&other.name) == bare(&label.name))
        });
    }
    let mut names: Vec<&[u8]> = labels.iter().map(|label| bare(&label.name)).collect();
    names.sort_unstable();
    names.array_windows().any(|[one, other]| one == other)
}

/// Without the quotes that a name may have.
fn bare(name: &[u8]) -> &[u8] {
    name.strip_prefix(b"\"").and_then(|name| name.strip_suffix(b"\"")).unwrap_or(name)
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
            "a 1 2 3",
            "a 1 x",
            "a 1 #",
            "a 1e",
            "a 0x1",
        ] {
            assert!(parsed(line).is_none(), "{line}");
        }
    }

    #[test]
    fn a_label_that_is_there_twice_is_found_among_few_and_many() {
        let many = (0..100).map(|n| format!("l{n}=\"\",")).collect::<Vec<_>>().concat();
        for (line, twice) in [
            ("a{b=\"1\",c=\"1\"} 1".to_owned(), false),
            ("a{b=\"1\",c=\"1\",b=\"2\"} 1".to_owned(), true),
            ("a{b=\"1\",\"b\"=\"2\"} 1".to_owned(), true),
            (format!("a{{{many}}} 1"), false),
            (format!("a{{{many}l7=\"\"}} 1"), true),
        ] {
            assert_eq!(repeats(&parsed(&line).unwrap().1), twice, "{line}");
        }
    }

    proptest::proptest! {
        #[test]
        fn numbers_are_those_of_the_standard_library(text in "[+-]?[0-9]{0,3}[.]?[0-9]{0,3}([eE]?[+-]?[0-9]{0,2})") {
            let theirs = text.parse::<f64>().is_ok();
            proptest::prop_assert_eq!(number(text.as_bytes()) == Some(text.len()), theirs);
            let line = format!("{text} 1700000000000\n");
            let ours = numbers(line.as_bytes());
            proptest::prop_assert_eq!(ours, theirs.then_some((text.len(), line.len() - 1)));
        }

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
