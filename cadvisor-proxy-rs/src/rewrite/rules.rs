//! Prometheus' `metric_relabel_configs`, applied to a series.

mod file;
mod md5;

use std::borrow::Cow;

use exporter_toolkit::labels::escape;
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
    Replace {
        target: Vec<u8>,
        replacement: Vec<u8>,
    },
    /// `Replace` with what it does when nothing else is said: all of the sources.
    Copy(Vec<u8>),
    HashMod {
        target: Vec<u8>,
        modulus: u64,
    },
    Lowercase(Vec<u8>),
    Uppercase(Vec<u8>),
    LabelDrop,
    LabelKeep,
    LabelMap {
        replacement: Vec<u8>,
    },
}

/// The label that stands for the metric's name.
pub(crate) const NAME: &[u8] = b"__name__";

/// What the name alone decides.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum ByName {
    Drop,
    /// It passes, and these rules look at labels, a bit each; the last bit stands for all that come behind, too.
    Left(u64),
}

/// The bit of a rule.
fn bit(number: usize) -> u64 {
    1 << number.min(63)
}

impl Rules {
    /// As far as no rule gives another name: whoever drops a series, it is gone.
    pub(crate) fn by_name(&self, name: &[u8]) -> ByName {
        let (mut left, mut certain) = (0, true);
        for (number, rule) in self.0.iter().enumerate() {
            let only_name = matches!(rule.sources.as_slice(), [source] if source == NAME);
            match &rule.action {
                Action::Keep | Action::Drop if certain && only_name => {
                    if rule.regex.is_match(name) != matches!(rule.action, Action::Keep) {
                        return ByName::Drop;
                    }
                }
                _ => left |= bit(number),
            }
            certain &= !rule.may_rename();
        }
        ByName::Left(left)
    }

    /// Changes `labels`, the first of which is the name, by the rules that are `left`; false where the series is dropped.
    pub(crate) fn apply(
        &self,
        left: u64,
        labels: &mut Vec<Label<'_>>,
        joined: &mut Vec<u8>,
    ) -> bool {
        let mut rules = self.0.iter().enumerate().filter(|(number, _)| left & bit(*number) != 0);
        rules.all(|(_, rule)| rule.apply(labels, joined))
    }
}

impl Rule {
    /// Whether the series may have another name behind it, or none.
    fn may_rename(&self) -> bool {
        let may_be_name = |target: &[u8]| target == NAME || target.contains(&b'$');
        match &self.action {
            Action::Keep | Action::Drop | Action::KeepEqual(_) | Action::DropEqual(_) => false,
            Action::Copy(target)
            | Action::Replace { target, .. }
            | Action::HashMod { target, .. }
            | Action::Lowercase(target)
            | Action::Uppercase(target)
            | Action::LabelMap { replacement: target } => may_be_name(target),
            Action::LabelDrop => self.regex.is_match(NAME),
            Action::LabelKeep => !self.regex.is_match(NAME),
        }
    }

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
            Action::Copy(target) => set(labels, target, joined),
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
    escape(value, &mut out);
    out
}

fn is_name(name: &[u8]) -> bool {
    let mut bytes = name.iter();
    bytes.next().is_some_and(|first| first.is_ascii_alphabetic() || *first == b'_')
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
}

#[cfg(test)]
mod tests;
