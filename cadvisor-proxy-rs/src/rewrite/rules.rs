//! Prometheus' `metric_relabel_configs`, applied to a series.

mod file;
mod md5;

use std::borrow::Cow;

use exporter_toolkit::line::unescape;
use regex::bytes::Regex;

pub use file::RulesError;
pub(crate) use file::read;

use super::scan::Label;

/// Rules in their order.
#[derive(Debug, Default)]
pub(crate) struct Rules(pub(crate) Vec<Rule>);

/// One rule, checked.
#[derive(Debug)]
pub(crate) struct Rule {
    pub(crate) sources: Vec<Vec<u8>>,
    pub(crate) separator: Vec<u8>,
    pub(crate) regex: Regex,
    pub(crate) action: Action,
}

#[derive(Debug)]
pub(crate) enum Action {
    Keep,
    Drop,
    KeepEqual(Vec<u8>),
    DropEqual(Vec<u8>),
    Replace { target: Vec<u8>, replacement: Vec<u8> },
    HashMod { target: Vec<u8>, modulus: u64 },
    Lowercase(Vec<u8>),
    Uppercase(Vec<u8>),
    LabelDrop,
    LabelKeep,
    LabelMap { replacement: Vec<u8> },
}

/// The label that stands for the metric's name.
pub(crate) const NAME: &[u8] = b"__name__";

/// What the name alone decides.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum ByName {
    Drop,
    /// All rules are about the name, and let it pass.
    Keep,
    /// Labels must be looked at.
    Labels,
}

impl Rules {
    /// As far as the rules up to the first that needs more than the name.
    pub(crate) fn by_name(&self, name: &[u8]) -> ByName {
        for rule in &self.0 {
            let only_name = matches!(rule.sources.as_slice(), [source] if source == NAME);
            match (&rule.action, rule.regex.is_match(name)) {
                (Action::Keep, false) | (Action::Drop, true) if only_name => return ByName::Drop,
                (Action::Keep | Action::Drop, _) if only_name => {}
                _ => return ByName::Labels,
            }
        }
        ByName::Keep
    }

    /// Changes `labels`, the first of which is the name; false where the series is dropped.
    pub(crate) fn apply(&self, labels: &mut Vec<Label<'_>>, joined: &mut Vec<u8>) -> bool {
        self.0.iter().all(|rule| rule.apply(labels, joined))
    }
}

impl Rule {
    fn apply(&self, labels: &mut Vec<Label<'_>>, joined: &mut Vec<u8>) -> bool {
        joined.clear();
        for (at, source) in self.sources.iter().enumerate() {
            if at > 0 {
                joined.extend_from_slice(&self.separator);
            }
            joined.extend_from_slice(&value(labels, source));
        }
        match &self.action {
            Action::Keep => return self.regex.is_match(joined),
            Action::Drop => return !self.regex.is_match(joined),
            Action::KeepEqual(target) => return *value(labels, target) == **joined,
            Action::DropEqual(target) => return *value(labels, target) != **joined,
            Action::Replace { target, replacement } => {
                self.replace(labels, joined, target, replacement);
            }
            Action::HashMod { target, modulus } => {
                let number = md5::tail(joined) % modulus;
                set(labels, target, number.to_string().as_bytes());
            }
            Action::Lowercase(target) => {
                set(labels, target, String::from_utf8_lossy(joined).to_lowercase().as_bytes());
            }
            Action::Uppercase(target) => {
                set(labels, target, String::from_utf8_lossy(joined).to_uppercase().as_bytes());
            }
            Action::LabelDrop => labels.retain(|label| !self.regex.is_match(&label.name)),
            Action::LabelKeep => labels.retain(|label| self.regex.is_match(&label.name)),
            Action::LabelMap { replacement } => self.map(labels, replacement),
        }
        true
    }

    fn replace(&self, labels: &mut Vec<Label<'_>>, joined: &[u8], target: &[u8], to: &[u8]) {
        let Some(captures) = self.regex.captures(joined) else { return };
        let (mut name, mut text) = (Vec::new(), Vec::new());
        captures.expand(target, &mut name);
        captures.expand(to, &mut text);
        if is_name(&name) {
            set(labels, &name, &text);
        }
    }

    fn map(&self, labels: &mut Vec<Label<'_>>, replacement: &[u8]) {
        let found: Vec<(Vec<u8>, Vec<u8>)> = labels
            .iter()
            .filter_map(|label| {
                let mut name = Vec::new();
                self.regex.captures(&label.name)?.expand(replacement, &mut name);
                Some((name, unescape(&label.value).into_owned()))
            })
            .collect();
        for (name, value) in found.iter().filter(|(name, _)| is_name(name)) {
            set(labels, name, value);
        }
    }
}

fn value<'a>(labels: &'a [Label<'_>], name: &[u8]) -> Cow<'a, [u8]> {
    let found = labels.iter().find(|label| *label.name == *name);
    found.map_or(Cow::Borrowed(&[]), |label| unescape(&label.value))
}

/// Gives a label its value; an empty value is no label.
fn set(labels: &mut Vec<Label<'_>>, name: &[u8], value: &[u8]) {
    if value.is_empty() {
        labels.retain(|label| *label.name != *name);
        return;
    }
    let value = Cow::Owned(escaped(value));
    match labels.iter_mut().find(|label| *label.name == *name) {
        Some(label) => label.value = value,
        None if name == NAME => labels.insert(0, Label { name: name.to_vec().into(), value }),
        None => labels.push(Label { name: name.to_vec().into(), value }),
    }
}

pub(crate) fn escaped(value: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(value.len());
    for byte in value {
        match byte {
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'"' => out.extend_from_slice(b"\\\""),
            b'\n' => out.extend_from_slice(b"\\n"),
            plain => out.push(*plain),
        }
    }
    out
}

fn is_name(name: &[u8]) -> bool {
    let mut bytes = name.iter();
    bytes.next().is_some_and(|first| first.is_ascii_alphabetic() || *first == b'_')
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
}

#[cfg(test)]
mod tests;
