//! Metric and label names: what the compiler accepts, and the one gate for names known only at run time.
//!
//! The rules are those of the Prometheus data model: `[a-zA-Z_:][a-zA-Z0-9_:]*` for metrics,
//! `[a-zA-Z_][a-zA-Z0-9_]*` for labels, and labels that start with `__` belong to Prometheus itself.

use std::borrow::Cow;

/// Refuses, when used in a constant, a name that is not a legal metric name.
pub const fn assert_metric_name(name: &str) {
    let bytes = name.as_bytes();
    assert!(!bytes.is_empty(), "a metric name must not be empty");
    let mut i = 0;
    while i < bytes.len() {
        assert!(is_metric_byte(bytes[i], i == 0), "a metric name matches [a-zA-Z_:][a-zA-Z0-9_:]*");
        i += 1;
    }
}

/// Refuses, when used in a constant, a name that is not a legal label name of ours.
pub const fn assert_label_name(name: &str) {
    let bytes = name.as_bytes();
    assert!(!bytes.is_empty(), "a label name must not be empty");
    assert!(
        bytes.len() < 2 || bytes[0] != b'_' || bytes[1] != b'_',
        "a label name must not start with __: those belong to Prometheus"
    );
    let mut i = 0;
    while i < bytes.len() {
        assert!(is_label_byte(bytes[i], i == 0), "a label name matches [a-zA-Z_][a-zA-Z0-9_]*");
        i += 1;
    }
}

/// Refuses, when used in a constant, a HELP text that would need escaping.
pub const fn assert_help(help: &str) {
    let bytes = help.as_bytes();
    assert!(!bytes.is_empty(), "a family needs a HELP text");
    let mut i = 0;
    while i < bytes.len() {
        let plain = bytes[i] != b'\n' && bytes[i] != b'\\' && bytes[i] != b'"';
        assert!(plain, "a HELP text holds no newline, backslash or double quote");
        i += 1;
    }
}

/// True where `text` ends with `end`; usable in constants.
pub const fn ends_with(text: &str, end: &str) -> bool {
    let (text, end) = (text.as_bytes(), end.as_bytes());
    if text.len() < end.len() {
        return false;
    }
    let mut i = 0;
    while i < end.len() {
        if text[text.len() - end.len() + i] != end[i] {
            return false;
        }
        i += 1;
    }
    true
}

/// True for a legal metric name in the classic character set.
pub fn is_metric_name(name: &[u8]) -> bool {
    !name.is_empty() && name.iter().enumerate().all(|(i, &b)| is_metric_byte(b, i == 0))
}

/// True for a legal label name in the classic character set.
pub fn is_label_name(name: &[u8]) -> bool {
    !name.is_empty() && name.iter().enumerate().all(|(i, &b)| is_label_byte(b, i == 0))
}

const fn is_metric_byte(byte: u8, first: bool) -> bool {
    byte == b':' || is_label_byte(byte, first)
}

const fn is_label_byte(byte: u8, first: bool) -> bool {
    byte == b'_' || byte.is_ascii_alphabetic() || (!first && byte.is_ascii_digit())
}

/// A metric name made at run time. Whatever it is made from, it is legal.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct MetricName(String);

impl MetricName {
    /// Joins `parts` and replaces every byte that a metric name cannot hold by `_`; a leading digit gets a `_` before it.
    pub fn sanitize(parts: &[&str]) -> Self {
        let mut name = Self::default();
        name.set(parts);
        name
    }

    /// As [`MetricName::sanitize`], in the memory that this name already has.
    pub fn set(&mut self, parts: &[&str]) {
        self.0.clear();
        for byte in parts.iter().flat_map(|part| part.bytes()) {
            if self.0.is_empty() && byte.is_ascii_digit() {
                self.0.push('_');
            }
            self.0.push(if is_metric_byte(byte, self.0.is_empty()) {
                char::from(byte)
            } else {
                '_'
            });
        }
        if self.0.is_empty() {
            self.0.push('_');
        }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A label name that no family declares: made at run time, or one of a set that varies. It is always legal.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct LabelName(Cow<'static, str>);

impl LabelName {
    /// A name known when it is compiled, and checked then where it stands in a constant.
    pub const fn fixed(name: &'static str) -> Self {
        assert_label_name(name);
        Self(Cow::Borrowed(name))
    }

    /// A name from a user; `None` for one that is not legal, or that belongs to Prometheus.
    pub fn new(name: &str) -> Option<Self> {
        let legal = is_label_name(name.as_bytes()) && !name.starts_with("__");
        legal.then(|| Self(Cow::Owned(name.to_owned())))
    }

    /// Replaces every byte that a label name cannot hold by `_`; a leading digit gets a `_` before it.
    pub fn sanitize(raw: &str) -> Self {
        let mut name = String::with_capacity(raw.len() + 1);
        for byte in raw.bytes() {
            if name.is_empty() && byte.is_ascii_digit() {
                name.push('_');
            }
            name.push(if is_label_byte(byte, name.is_empty()) { char::from(byte) } else { '_' });
        }
        if name.is_empty() {
            name.push('_');
        }
        Self(Cow::Owned(name))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_made_at_run_time_is_always_legal() {
        for raw in ["", "9lives", "a-b.c", "ünï", "node_memory_Active(anon)", "__x"] {
            assert!(is_metric_name(MetricName::sanitize(&[raw]).as_str().as_bytes()), "{raw}");
            assert!(is_label_name(LabelName::sanitize(raw).as_str().as_bytes()), "{raw}");
        }
        assert_eq!(MetricName::sanitize(&["a-", "1"]).as_str(), "a_1");
        assert_eq!(LabelName::sanitize("1a:b").as_str(), "_1a_b");
    }
}
