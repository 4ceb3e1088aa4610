//! One line of exposition text, borrowed: nothing is copied and nothing allocated.
//!
//! Reads the text format 0.0.4, `OpenMetrics` 1.0 with exemplars, and Prometheus 3's quoted names (`{"a.b",x="y"} 1`).

use std::borrow::Cow;

/// A line without its newline.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Line<'a> {
    /// `# HELP`, `# TYPE` or `# UNIT` of a family.
    Header(Header<'a>),
    Sample(Sample<'a>),
    /// An empty line or a comment.
    Blank,
    /// `# EOF`: what follows does not belong to the exposition.
    Eof,
}

/// What a header line says of its family.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Header<'a> {
    pub keyword: Keyword,
    pub family: &'a [u8],
    /// The help text as it stands, the type's word, or the unit.
    pub text: &'a [u8],
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Keyword {
    Help,
    Type,
    Unit,
}

/// A sample's parts as they stand in the text.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Sample<'a> {
    pub name: &'a [u8],
    pub labels: Labels<'a>,
    pub value: &'a [u8],
    pub timestamp: Option<&'a [u8]>,
    /// What follows ` # `: an exemplar of `OpenMetrics`.
    pub exemplar: Option<&'a [u8]>,
}

impl Sample<'_> {
    /// The value as a number; Go's `+Inf` and hexadecimal-free forms are what `f64` reads.
    pub fn number(&self) -> Option<f64> {
        std::str::from_utf8(self.value).ok()?.parse().ok()
    }
}

/// A label set between its braces.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Labels<'a>(&'a [u8]);

impl<'a> Labels<'a> {
    /// A label set as it stands between braces, well formed.
    pub(crate) fn new(text: &'a [u8]) -> Self {
        Self(text)
    }

    /// The text between the braces.
    pub fn as_bytes(self) -> &'a [u8] {
        self.0
    }

    pub fn is_empty(self) -> bool {
        self.iter().next().is_none()
    }

    /// Names and values, the values still escaped. A set that [`Line::parse`] accepted is read to its end.
    pub fn iter(self) -> LabelIter<'a> {
        LabelIter { rest: self.0 }
    }

    /// The escaped value of a label.
    pub fn get(self, name: &[u8]) -> Option<&'a [u8]> {
        self.iter().find(|(n, _)| *n == name).map(|(_, value)| value)
    }
}

/// See [`Labels::iter`].
#[derive(Clone, Debug)]
pub struct LabelIter<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for LabelIter<'a> {
    type Item = (&'a [u8], &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            match label(self.rest)? {
                (Some(pair), rest) => {
                    self.rest = rest;
                    return Some(pair);
                }
                // A quoted metric name stands among the labels.
                (None, rest) => self.rest = rest,
            }
        }
    }
}

/// Takes back the escaping of a label value; borrowed where there is none.
pub fn unescape(value: &[u8]) -> Cow<'_, [u8]> {
    if memchr::memchr(b'\\', value).is_none() {
        return Cow::Borrowed(value);
    }
    let mut out = Vec::with_capacity(value.len());
    let mut bytes = value.iter().copied();
    while let Some(byte) = bytes.next() {
        match byte {
            b'\\' => match bytes.next() {
                Some(b'n') => out.push(b'\n'),
                Some(c @ (b'\\' | b'"')) => out.push(c),
                Some(other) => out.extend_from_slice(&[b'\\', other]),
                None => out.push(b'\\'),
            },
            plain => out.push(plain),
        }
    }
    Cow::Owned(out)
}

/// A sample's identity: its name and its labels sorted by name, so that the order they came in does not matter.
pub fn series_key(sample: &Sample<'_>) -> Vec<u8> {
    let mut labels: Vec<_> = sample.labels.iter().filter(|(_, value)| !value.is_empty()).collect();
    labels.sort_unstable();
    let mut key = sample.name.to_vec();
    for (name, value) in labels {
        key.push(b',');
        key.extend_from_slice(name);
        key.extend_from_slice(b"=\"");
        key.extend_from_slice(value);
        key.push(b'"');
    }
    key
}

impl<'a> Line<'a> {
    /// Reads one line; `None` where it is malformed.
    pub fn parse(line: &'a [u8]) -> Option<Self> {
        let line = trim(line);
        match line.first() {
            None => Some(Self::Blank),
            Some(b'#') => comment(line),
            Some(_) => sample(line).map(Self::Sample),
        }
    }
}

fn trim(line: &[u8]) -> &[u8] {
    line.trim_ascii_start().strip_suffix(b"\r").unwrap_or(line.trim_ascii_start()).trim_ascii_end()
}

/// Splits at the first run of blanks.
fn word(text: &[u8]) -> (&[u8], &[u8]) {
    let end = memchr::memchr2(b' ', b'\t', text).unwrap_or(text.len());
    (&text[..end], text[end..].trim_ascii_start())
}

fn comment(line: &[u8]) -> Option<Line<'_>> {
    let (mark, rest) = word(line);
    let (keyword, rest) = word(rest);
    let keyword = match keyword {
        _ if mark != b"#" => return Some(Line::Blank),
        b"HELP" => Keyword::Help,
        b"TYPE" => Keyword::Type,
        b"UNIT" => Keyword::Unit,
        b"EOF" if rest.is_empty() => return Some(Line::Eof),
        _ => return Some(Line::Blank),
    };
    let (family, text) = match rest.first() {
        Some(b'"') => {
            let (name, rest) = quoted(rest)?;
            (name, rest.trim_ascii_start())
        }
        _ => word(rest),
    };
    (!family.is_empty()).then_some(Line::Header(Header { keyword, family, text }))
}

fn sample(line: &[u8]) -> Option<Sample<'_>> {
    let name_end = line.iter().position(|b| matches!(b, b'{' | b' ' | b'\t'))?;
    let (mut name, rest) = line.split_at(name_end);
    let rest = rest.trim_ascii_start();
    let (labels, rest) = match rest.first() {
        Some(b'{') => {
            let (quoted_name, labels, rest) = label_set(&rest[1..])?;
            if let Some(quoted_name) = quoted_name {
                if !name.is_empty() {
                    return None;
                }
                name = quoted_name;
            }
            (labels, rest)
        }
        _ => (Labels::default(), rest),
    };
    let (numbers, exemplar) = match memchr::memmem::find(rest, b" # ") {
        Some(at) => (&rest[..at], Some(&rest[at + 3..])),
        None => (rest, None),
    };
    let (value, rest) = word(numbers.trim_ascii());
    let (timestamp, rest) = word(rest);
    let complete = !name.is_empty() && !value.is_empty() && rest.is_empty();
    let timestamp = (!timestamp.is_empty()).then_some(timestamp);
    complete.then_some(Sample { name, labels, value, timestamp, exemplar })
}

/// The text after an opening brace: a quoted metric name if there is one, the label set, and what follows its brace.
#[expect(clippy::type_complexity, reason = "three borrowed parts of one text")]
fn label_set(text: &[u8]) -> Option<(Option<&[u8]>, Labels<'_>, &[u8])> {
    let mut rest = text;
    let mut name = None;
    loop {
        rest = rest.trim_ascii_start();
        if let Some(after) = rest.strip_prefix(b"}") {
            let end = text.len() - after.len() - 1;
            return Some((name, Labels(&text[..end]), after.trim_ascii_start()));
        }
        let (pair, after) = label(rest)?;
        if pair.is_none() {
            name = Some(quoted(rest)?.0);
        }
        rest = after;
    }
}

/// One `name="value"` with the comma after it; or a quoted metric name, which is no pair.
#[expect(clippy::type_complexity, reason = "borrowed parts of one text")]
fn label(text: &[u8]) -> Option<(Option<(&[u8], &[u8])>, &[u8])> {
    let text = text.trim_ascii_start();
    let (name, rest) = if text.first() == Some(&b'"') {
        quoted(text)?
    } else {
        let end = text.iter().position(|b| matches!(b, b'=' | b' ' | b'\t'))?;
        if end == 0 {
            return None;
        }
        text.split_at(end)
    };
    let rest = rest.trim_ascii_start();
    let Some(rest) = rest.strip_prefix(b"=") else {
        let is_quoted = text.first() == Some(&b'"');
        return is_quoted.then(|| separator(rest)).flatten().map(|rest| (None, rest));
    };
    let (value, rest) = quoted(rest.trim_ascii_start())?;
    Some((Some((name, value)), separator(rest)?))
}

/// After a label stands a comma, or nothing more of the set.
fn separator(rest: &[u8]) -> Option<&[u8]> {
    let rest = rest.trim_ascii_start();
    match rest.first() {
        Some(b',') => Some(&rest[1..]),
        None | Some(b'}') => Some(rest),
        Some(_) => None,
    }
}

/// The text between two double quotes, still escaped, and what follows.
fn quoted(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let text = text.strip_prefix(b"\"")?;
    let mut from = 0;
    loop {
        let at = from + memchr::memchr2(b'"', b'\\', &text[from..])?;
        if text[at] == b'"' {
            return Some((&text[..at], &text[at + 1..]));
        }
        from = at + 2;
        if from > text.len() {
            return None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parsed(line: &str) -> Sample<'_> {
        match Line::parse(line.as_bytes()) {
            Some(Line::Sample(sample)) => sample,
            other => panic!("{line}: {other:?}"),
        }
    }

    #[test]
    fn a_sample_is_taken_apart() {
        let sample = parsed(r#"a_total{x="1,}",y="q\"\\"} 3.5 1700000000 # {trace="t"} 1"#);
        assert_eq!(sample.name, b"a_total");
        let labels: Vec<_> = sample.labels.iter().collect();
        assert_eq!(labels, [(&b"x"[..], &b"1,}"[..]), (b"y", br#"q\"\\"#)]);
        assert_eq!(sample.number(), Some(3.5));
        assert_eq!(sample.timestamp, Some(&b"1700000000"[..]));
        assert_eq!(sample.exemplar, Some(&br#"{trace="t"} 1"#[..]));
        assert_eq!(&*unescape(labels[1].1), br#"q"\"#);
    }

    #[test]
    fn blanks_and_a_last_comma_are_allowed() {
        let sample = parsed("m { a = \"b\" , } +Inf");
        assert_eq!(sample.labels.iter().collect::<Vec<_>>(), [(&b"a"[..], &b"b"[..])]);
        assert_eq!(sample.number(), Some(f64::INFINITY));
        assert!(parsed("m{} 1").labels.is_empty());
    }

    #[test]
    fn a_hash_in_a_label_value_is_no_exemplar() {
        let sample = parsed(r#"m{a="x # y"} 1"#);
        assert_eq!(sample.exemplar, None);
        assert_eq!(sample.labels.get(b"a"), Some(&b"x # y"[..]));
    }

    #[test]
    fn a_quoted_metric_name_stands_among_the_labels() {
        let sample = parsed(r#"{"http.requests",code="200"} 7"#);
        assert_eq!(sample.name, b"http.requests");
        assert_eq!(sample.labels.iter().collect::<Vec<_>>(), [(&b"code"[..], &b"200"[..])]);
    }

    #[test]
    fn headers_comments_and_ends_are_told_apart() {
        let header = |line: &'static str| match Line::parse(line.as_bytes()) {
            Some(Line::Header(h)) => (h.keyword, h.family, h.text),
            other => panic!("{line}: {other:?}"),
        };
        assert_eq!(header("# HELP a Some  text."), (Keyword::Help, &b"a"[..], &b"Some  text."[..]));
        assert_eq!(header("#  TYPE\ta counter"), (Keyword::Type, &b"a"[..], &b"counter"[..]));
        assert_eq!(header("# HELP a"), (Keyword::Help, &b"a"[..], &b""[..]));
        assert_eq!(Line::parse(b"# EOF"), Some(Line::Eof));
        for blank in ["", "   ", "# anything", "#HELP a b"] {
            assert_eq!(Line::parse(blank.as_bytes()), Some(Line::Blank), "{blank}");
        }
    }

    #[test]
    fn malformed_lines_are_refused() {
        for line in [
            "m",
            "m{",
            "m{a} 1",
            "m{a=\"b\" 1",
            "m{a=\"b} 1",
            "m{a=\"b\"c=\"d\"} 1",
            "m 1 2 3",
            "{} 1",
            "m{=\"x\"} 1",
            "m{a=\"\\",
        ] {
            assert_eq!(Line::parse(line.as_bytes()), None, "{line}");
        }
    }

    #[test]
    fn the_order_of_labels_does_not_change_a_series() {
        assert_eq!(
            series_key(&parsed(r#"m{a="1",b="2"} 1"#)),
            series_key(&parsed(r#"m{b="2",a="1",c=""} 9"#))
        );
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            if let Some(Line::Sample(sample)) = Line::parse(&bytes) {
                for (_, value) in sample.labels.iter() {
                    unescape(value);
                }
            }
        }

        #[test]
        fn what_is_escaped_reads_back(value: String) {
            let mut line = b"m{a=\"".to_vec();
            crate::labels::escape(value.as_bytes(), &mut line);
            line.extend_from_slice(b"\"} 1");
            let Some(Line::Sample(sample)) = Line::parse(&line) else { panic!("{line:?}") };
            prop_assert_eq!(&*unescape(sample.labels.get(b"a").unwrap()), value.as_bytes());
        }
    }
}
