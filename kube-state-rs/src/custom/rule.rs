//! What a family takes from an object: `each` of a metric in the configuration.

use std::fmt;

use serde_json::{Map, Value};

use super::labels::{LabelPaths, Labels};
use super::number;
use super::path::Path;

/// Where a family looks, and what it makes of what is there.
#[derive(Debug)]
pub(super) struct Each {
    pub(super) path: Path,
    /// Relative to each value that is found.
    pub(super) labels: LabelPaths,
    pub(super) rule: Rule,
}

#[derive(Debug)]
pub(super) enum Rule {
    Gauge {
        value_from: Path,
        /// The label that takes the key where the path leads to an object.
        key: Option<String>,
        nil_is_zero: bool,
    },
    Info {
        key: Option<String>,
    },
    StateSet {
        value_from: Path,
        label: String,
        states: Vec<String>,
    },
}

/// What an object gives, and what it should have given.
#[derive(Debug, Default)]
pub(super) struct Found<'v> {
    pub(super) samples: Vec<Sample<'v>>,
    pub(super) problems: Vec<Problem<'v>>,
}

#[derive(Debug)]
pub(super) struct Sample<'v> {
    pub(super) labels: Labels<'v>,
    pub(super) amount: Amount,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Amount {
    pub(super) value: f64,
    /// Whether it is 0 for want of a value.
    pub(super) assumed: bool,
}

/// Why a value of an object gives no sample.
#[derive(Clone, Copy, Debug)]
pub(super) enum Problem<'v> {
    Missing,
    NoNumber(&'v Value),
    NoText(&'v Value),
    /// `labelFromKey` names a label that `labelsFromPath` gives as well.
    TwoLabels(&'v str),
}

impl fmt::Display for Problem<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str("there is no value"),
            Self::NoNumber(Value::String(text)) => write!(f, "'{text:.64}' is no number"),
            Self::NoNumber(value) => write!(f, "{} is no number", kind(value)),
            Self::NoText(value) => write!(f, "{} is no text", kind(value)),
            Self::TwoLabels(name) => {
                write!(f, "the label '{name}' comes from labelFromKey and from labelsFromPath")
            }
        }
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

impl Each {
    pub(super) fn collect<'v>(&'v self, object: &'v Value) -> Found<'v> {
        let mut found = Found::default();
        let at = self.path.get(object).unwrap_or(&Value::Null);
        match (&self.rule, at) {
            (Rule::Gauge { value_from, key, nil_is_zero }, at) => {
                let gauge = Gauge {
                    each: self,
                    value_from,
                    key: key.as_deref(),
                    nil_is_zero: *nil_is_zero,
                };
                gauge.collect(at, &mut found);
            }
            (Rule::Info { key }, Value::Object(fields)) => {
                self.infos(at, fields, key.as_deref(), &mut found);
            }
            (Rule::Info { .. }, Value::Array(list)) => {
                for item in list {
                    self.info(item, Labels::new(), &mut found);
                }
            }
            (Rule::Info { .. }, at) => self.info(at, Labels::new(), &mut found),
            (Rule::StateSet { value_from, label, states }, at) => {
                let items = at.as_array().map_or(std::slice::from_ref(at), Vec::as_slice);
                for item in items {
                    self.states(item, value_from, label, states, &mut found);
                }
            }
        }
        found
    }

    /// An info about each field of an object, and one about the object.
    fn infos<'v>(
        &'v self,
        at: &'v Value,
        fields: &'v Map<String, Value>,
        key: Option<&'v str>,
        found: &mut Found<'v>,
    ) {
        for (name, field) in fields {
            self.info(field, key_label(key, name), found);
        }
        let own = found.samples.len();
        self.info(at, Labels::new(), found);
        if let Some(key) = key
            && found.samples[own..].iter().any(|sample| sample.labels.contains_key(key))
        {
            found.problems.push(Problem::TwoLabels(key));
        }
    }

    /// An info that says nothing is none.
    fn info<'v>(&'v self, at: &'v Value, mut labels: Labels<'v>, found: &mut Found<'v>) {
        self.labels.put(at, &mut labels);
        if !labels.is_empty() {
            found.samples.push(Sample { labels, amount: Amount { value: 1.0, assumed: false } });
        }
    }

    fn states<'v>(
        &'v self,
        at: &'v Value,
        value_from: &Path,
        label: &'v str,
        states: &'v [String],
        found: &mut Found<'v>,
    ) {
        let current = match value_from.get(at) {
            None => return,
            Some(Value::String(current)) => current,
            Some(other) => return found.problems.push(Problem::NoText(other)),
        };
        for state in states {
            let mut labels = Labels::new();
            labels.insert(label.into(), state.as_str().into());
            self.labels.put(at, &mut labels);
            let value = f64::from(u8::from(state == current));
            found.samples.push(Sample { labels, amount: Amount { value, assumed: false } });
        }
    }
}

/// The labels of what stands under `name`.
fn key_label<'v>(key: Option<&'v str>, name: &'v str) -> Labels<'v> {
    let mut labels = Labels::new();
    if let Some(key) = key.filter(|_| !name.is_empty()) {
        labels.insert(key.into(), name.into());
    }
    labels
}

struct Gauge<'v> {
    each: &'v Each,
    value_from: &'v Path,
    key: Option<&'v str>,
    nil_is_zero: bool,
}

impl<'v> Gauge<'v> {
    fn collect(&self, at: &'v Value, found: &mut Found<'v>) {
        match at {
            Value::Object(fields) => {
                for (name, field) in fields {
                    self.field(at, name, field, found);
                }
            }
            Value::Array(list) => {
                for item in list {
                    self.item(item, found);
                }
            }
            single => self.item(single, found),
        }
    }

    /// A field of the object that the path leads to: the value itself where `valueFrom` names it, else an object that
    /// holds the value. Fields that hold none are passed over, as the object has others too.
    fn field(&self, at: &'v Value, name: &'v str, field: &'v Value, found: &mut Found<'v>) {
        let value = if self.value_from.is(name) {
            Some(field).filter(|field| !field.is_null())
        } else {
            self.value_from.get(field)
        };
        let amount = match self.amount(value) {
            Ok(Some(amount)) => amount,
            Err(problem) if self.value_from.is(name) => return found.problems.push(problem),
            Ok(None) if self.value_from.is(name) => return found.problems.push(Problem::Missing),
            _ => return,
        };
        let mut labels = key_label(self.key, name);
        self.each.labels.put(field, &mut labels);
        // Labels may stand beside the value as well as in it.
        self.each.labels.put(at, &mut labels);
        found.samples.push(Sample { labels, amount });
    }

    fn item(&self, item: &'v Value, found: &mut Found<'v>) {
        match self.amount(self.value_from.get(item)) {
            Ok(Some(amount)) => {
                let mut labels = Labels::new();
                self.each.labels.put(item, &mut labels);
                found.samples.push(Sample { labels, amount });
            }
            // Only a path that leads nowhere is an error, not a value that is missing there.
            Ok(None) if item.is_null() => found.problems.push(Problem::Missing),
            Ok(None) => {}
            Err(problem) => found.problems.push(problem),
        }
    }

    fn amount(&self, value: Option<&'v Value>) -> Result<Option<Amount>, Problem<'v>> {
        let Some(value) = value else {
            return Ok(self.nil_is_zero.then_some(Amount { value: 0.0, assumed: true }));
        };
        let number = number::of(value).ok_or(Problem::NoNumber(value))?;
        Ok(Some(Amount { value: number, assumed: false }))
    }
}
