//! Paths into an object: `[status, conditions, "[type=Ready]", status]`.

use std::fmt;

use serde_json::Value;

use super::file::{Text, Wrong};
use super::number;

/// A way from an object to a value in it; the empty path is the object.
#[derive(Debug, Default)]
pub(super) struct Path {
    steps: Vec<Step>,
}

#[derive(Debug)]
struct Step {
    /// As the configuration has it.
    text: String,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    /// `[key=value]`: the first object in a list that has this field.
    Find(Pair),
    /// A field of an object or, where it is a number, a place in a list, from the end where it is negative.
    Field {
        index: Option<i64>,
        /// `key=value`: the field `key` where it holds this text.
        equal: Option<Pair>,
    },
}

#[derive(Debug)]
struct Pair {
    key: String,
    value: String,
    /// What the value is as a number: `3` in the configuration finds the number 3, `true` the boolean.
    number: Option<f64>,
}

impl Path {
    pub(super) fn read(segments: &[Text]) -> Result<Self, Wrong> {
        let steps = segments.iter().map(Step::read).collect::<Result<_, _>>()?;
        Ok(Self { steps })
    }

    /// What the path leads to; nothing where a part of it is missing, has another shape or is `null`.
    pub(super) fn get<'v>(&self, from: &'v Value) -> Option<&'v Value> {
        let found = self.steps.iter().try_fold(from, |at, step| step.take(at));
        found.filter(|value| !value.is_null())
    }

    /// Whether the path is this one field.
    pub(super) fn is(&self, field: &str) -> bool {
        matches!(self.steps.as_slice(), [step] if step.text == field)
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let steps: Vec<&str> = self.steps.iter().map(|step| step.text.as_str()).collect();
        write!(f, "[{}]", steps.join(", "))
    }
}

impl Step {
    fn read(segment: &Text) -> Result<Self, Wrong> {
        let text = &segment.value;
        let kind = match text.strip_prefix('[').and_then(|text| text.strip_suffix(']')) {
            Some(lookup) => Kind::Find(Pair::read(lookup).ok_or_else(|| {
                Wrong::new(segment.referenced, format!("'{text}' finds nothing: [key=value] would"))
            })?),
            None => Kind::Field {
                index: text.parse().ok(),
                equal: Pair::read(text).filter(|pair| !pair.value.contains('=')),
            },
        };
        Ok(Self { text: text.clone(), kind })
    }

    fn take<'v>(&self, at: &'v Value) -> Option<&'v Value> {
        match (&self.kind, at) {
            (Kind::Find(pair), Value::Array(list)) => list.iter().find(|item| pair.is_in(item)),
            (Kind::Field { equal, .. }, Value::Object(fields)) => {
                let equal = equal.as_ref().and_then(|pair| {
                    fields.get(&pair.key).filter(|field| field.as_str() == Some(&pair.value))
                });
                equal.or_else(|| fields.get(&self.text))
            }
            (Kind::Field { index: Some(index), .. }, Value::Array(list)) => nth(list, *index),
            _ => None,
        }
    }
}

fn nth(list: &[Value], index: i64) -> Option<&Value> {
    let place = usize::try_from(index.unsigned_abs()).ok()?;
    list.get(if index < 0 { list.len().checked_sub(place)? } else { place })
}

impl Pair {
    fn read(text: &str) -> Option<Self> {
        let (key, value) = text.split_once('=')?;
        Some(Self { key: key.into(), value: value.into(), number: number::of_text(value) })
    }

    #[expect(clippy::float_cmp, reason = "a number is found as it is written, not one near it")]
    fn is_in(&self, item: &Value) -> bool {
        item.get(&self.key).is_some_and(|field| {
            let same = |wanted| number::of(field).is_some_and(|number| number == wanted);
            field.as_str() == Some(&self.value) || self.number.is_some_and(same)
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn get(path: &[&str], from: &Value) -> Option<Value> {
        let path: Vec<Text> = path.iter().map(|part| super::super::file::text(part)).collect();
        Path::read(&path).unwrap().get(from).cloned()
    }

    fn boat() -> Value {
        json!({
            "name": "Erika", "gone": null,
            "crew": [
                "nobody", {"id": 1, "role": "captain", "awake": true},
                {"id": "2", "role": "cook", "awake": false}, {"id": 30.0, "role": "a=b"},
            ],
        })
    }

    #[test]
    fn fields_and_places_lead_to_values() {
        let boat = boat();
        assert_eq!(get(&["name"], &boat), Some(json!("Erika")));
        assert_eq!(get(&["crew", "1", "role"], &boat), Some(json!("captain")));
        assert_eq!(get(&["crew", "-1", "id"], &boat), Some(json!(30.0)));
        assert_eq!(get(&[], &json!(7)), Some(json!(7)));
    }

    #[test]
    fn a_lookup_finds_texts_numbers_and_booleans() {
        let boat = boat();
        for (lookup, role) in [
            ("[role=cook]", "cook"),
            ("[id=1]", "captain"),
            ("[id=2]", "cook"),
            ("[id=30]", "a=b"),
            ("[awake=false]", "cook"),
            ("[role=a=b]", "a=b"),
        ] {
            assert_eq!(get(&["crew", lookup, "role"], &boat), Some(json!(role)), "{lookup}");
        }
        assert_eq!(get(&["crew", "[role=mate]"], &boat), None);
        assert_eq!(get(&["name", "[role=cook]"], &boat), None);
    }

    #[test]
    fn a_field_can_be_asked_for_by_its_value() {
        let boat = boat();
        assert_eq!(get(&["name=Erika"], &boat), Some(json!("Erika")));
        assert_eq!(get(&["name=Gorch"], &boat), None);
    }

    #[test]
    fn what_is_not_there_is_nothing() {
        let boat = boat();
        for path in [
            &["gone"][..],
            &["mast"],
            &["mast", "top"],
            &["name", "first"],
            &["crew", "9"],
            &["crew", "-9"],
            &["crew", "captain"],
            &["crew", "-9223372036854775808"],
        ] {
            assert_eq!(get(path, &boat), None, "{path:?}");
        }
        assert_eq!(get(&[], &json!(null)), None);
    }

    #[test]
    fn a_lookup_without_a_value_is_refused() {
        let problem = Path::read(&[super::super::file::text("[Ready]")]).unwrap_err().problem;
        assert_eq!(problem, "'[Ready]' finds nothing: [key=value] would");
    }
}
