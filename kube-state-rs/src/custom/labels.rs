//! Labels of a custom resource's samples: which names they have, and where their values come from.

use std::borrow::Cow;
use std::collections::BTreeMap;

use exporter_toolkit::name::is_label_name;
use exporter_toolkit::number::write_float;
use serde_json::Value;

use super::file::{Pairs, Text, Wrong};
use super::path::Path;

/// The labels of a sample, by name.
pub(super) type Labels<'v> = BTreeMap<Cow<'v, str>, Cow<'v, str>>;

/// `labelsFromPath`: labels whose values are fields.
#[derive(Debug, Default)]
pub(super) struct LabelPaths {
    /// `*`: all fields of an object become labels.
    spreads: Vec<Spread>,
    single: Vec<(String, Path)>,
}

#[derive(Debug)]
struct Spread {
    prefix: String,
    path: Path,
}

impl LabelPaths {
    /// Reads what several places of the configuration say; of the same key, what the last says.
    pub(super) fn read(places: &[&Pairs<Vec<Text>>]) -> Result<Self, Wrong> {
        let mut keys = BTreeMap::new();
        for (key, path) in places.iter().flat_map(|place| &place.0) {
            keys.insert(&key.value, (key.referenced, path));
        }
        let mut paths = Self::default();
        // In the order of the keys, as a later spread replaces labels of an earlier one.
        for (key, (at, path)) in keys {
            let path = Path::read(path)?;
            if key.starts_with('*') || key.ends_with('*') {
                let prefix = key.strip_suffix('*').unwrap_or_default().to_owned();
                paths.spreads.push(Spread { prefix, path });
            } else {
                let name = sanitize("", key);
                check_name(&name).map_err(|problem| Wrong::new(at, problem))?;
                paths.single.push((name.into_owned(), path));
            }
        }
        Ok(paths)
    }

    /// Adds what `from` gives to `labels`, in place of what they hold under the same names.
    pub(super) fn put<'v>(&'v self, from: &'v Value, labels: &mut Labels<'v>) {
        for Spread { prefix, path } in &self.spreads {
            for (key, value) in path.get(from).and_then(Value::as_object).into_iter().flatten() {
                labels.insert(legal(sanitize(prefix, key)), text(value));
            }
        }
        for (name, path) in &self.single {
            if let Some(value) = path.get(from) {
                labels.insert(Cow::Borrowed(name), text(value));
            }
        }
    }
}

/// Says what is wrong with a label's name.
pub(super) fn check_name(name: &str) -> Result<(), String> {
    if name == "__name__" || !is_label_name(name.as_bytes()) {
        return Err(format!("'{name}' is no name of a label: [a-zA-Z_][a-zA-Z0-9_]*"));
    }
    Ok(())
}

/// `prefix` and `key` with `_` for every character that a label's name cannot hold.
fn sanitize<'v>(prefix: &str, key: &'v str) -> Cow<'v, str> {
    let legal = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if prefix.is_empty() && key.chars().all(legal) {
        return Cow::Borrowed(key);
    }
    let whole = prefix.chars().chain(key.chars());
    Cow::Owned(whole.map(|c| if legal(c) { c } else { '_' }).collect())
}

/// With a `_` before a name that would fail the whole scrape: one that is empty, starts with a digit, or is the metric's.
fn legal(name: Cow<'_, str>) -> Cow<'_, str> {
    if check_name(&name).is_ok() { name } else { Cow::Owned(format!("_{name}")) }
}

/// A value as a label has it: as it stands in YAML, lists and objects as Go prints them.
fn text(value: &Value) -> Cow<'_, str> {
    match value {
        Value::String(text) => Cow::Borrowed(text),
        Value::Bool(true) => Cow::Borrowed("true"),
        Value::Bool(false) => Cow::Borrowed("false"),
        value => {
            let mut out = Vec::new();
            print(value, &mut out);
            Cow::Owned(String::from_utf8_lossy(&out).into_owned())
        }
    }
}

fn print(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Null => out.extend_from_slice(b"<nil>"),
        Value::Bool(_) | Value::String(_) => out.extend_from_slice(text(value).as_bytes()),
        Value::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(whole), _) => {
                out.extend_from_slice(itoa::Buffer::new().format(whole).as_bytes());
            }
            (None, Some(float)) => write_float(float, out),
            (None, None) => {}
        },
        Value::Array(list) => {
            out.push(b'[');
            for (i, item) in list.iter().enumerate() {
                out.extend_from_slice(if i > 0 { b" " } else { b"" });
                print(item, out);
            }
            out.push(b']');
        }
        Value::Object(fields) => {
            out.extend_from_slice(b"map[");
            for (i, (key, field)) in fields.iter().enumerate() {
                out.extend_from_slice(if i > 0 { b" " } else { b"" });
                out.extend_from_slice(key.as_bytes());
                out.push(b':');
                print(field, out);
            }
            out.push(b']');
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::file::text as segment;
    use super::*;

    fn paths(keys: &[(&str, &[&str])]) -> Pairs<Vec<Text>> {
        let path = |path: &[&str]| path.iter().map(|part| segment(part)).collect();
        Pairs(keys.iter().map(|(key, parts)| (segment(key), path(parts))).collect())
    }

    fn labels(keys: &[(&str, &[&str])], from: &Value) -> Vec<(String, String)> {
        let paths = LabelPaths::read(&[&paths(keys)]).unwrap();
        let mut labels = Labels::new();
        paths.put(from, &mut labels);
        labels.into_iter().map(|(a, b)| (a.into_owned(), b.into_owned())).collect()
    }

    fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|&(a, b)| (a.to_owned(), b.to_owned())).collect()
    }

    #[test]
    fn values_are_written_as_they_stand() {
        let from = json!({
            "text": "a", "yes": true, "int": -3, "big": 123_456_789, "float": 1e6, "share": 0.25, "null": null,
            "list": ["a", 1, null], "map": {"b": [true], "a": {"x": 1.5}},
        });
        for (field, text) in [
            ("text", "a"),
            ("yes", "true"),
            ("int", "-3"),
            ("big", "123456789"),
            ("float", "1e+06"),
            ("share", "0.25"),
            ("list", "[a 1 <nil>]"),
            ("map", "map[a:map[x:1.5] b:[true]]"),
        ] {
            assert_eq!(labels(&[("l", &[field])], &from), pairs(&[("l", text)]));
        }
        assert_eq!(labels(&[("l", &["null"])], &from), []);
    }

    #[test]
    fn a_star_spreads_an_object_and_single_labels_win() {
        let from = json!({"annotations": {"qux": "quxx", "bar": "baz"}, "labels": {"foo": "bar"}});
        let keys: &[(&str, &[&str])] =
            &[("*1", &["annotations"]), ("bar", &["labels", "foo"]), ("lorem_*", &["annotations"])];
        let wanted =
            pairs(&[("bar", "bar"), ("lorem_bar", "baz"), ("lorem_qux", "quxx"), ("qux", "quxx")]);
        assert_eq!(labels(keys, &from), wanted);
    }

    #[test]
    fn the_spread_that_sorts_last_wins() {
        let from = json!({"one": {"a": 1, "b": 1}, "two": {"a": 2}});
        let keys: &[(&str, &[&str])] = &[("*b", &["two"]), ("*a", &["one"])];
        assert_eq!(labels(keys, &from), pairs(&[("a", "2"), ("b", "1")]));
    }

    #[test]
    fn spread_names_are_always_legal() {
        let from = json!({"m": {"a.b/c": 1, "9": 2, "": 3, "ü": 4, "__name__": 5}});
        let wanted = [("_", "4"), ("_9", "2"), ("___name__", "5"), ("a_b_c", "1")];
        assert_eq!(labels(&[("*", &["m"])], &from), pairs(&wanted));
        assert_eq!(labels(&[("**", &["m"])], &json!({"m": {"a": 1}})), pairs(&[("_a", "1")]));
    }

    #[test]
    fn a_later_place_replaces_a_path_of_an_earlier_one() {
        let (above, own) = (paths(&[("a", &["x"]), ("b", &["x"])]), paths(&[("a", &["y"])]));
        let paths = LabelPaths::read(&[&above, &own]).unwrap();
        let from = json!({"x": 1, "y": 2});
        let mut labels = Labels::new();
        paths.put(&from, &mut labels);
        assert_eq!((labels["a"].as_ref(), labels["b"].as_ref()), ("2", "1"));
    }

    #[test]
    fn a_name_that_cannot_be_is_refused() {
        for key in ["9a", "__name__", ""] {
            assert!(LabelPaths::read(&[&paths(&[(key, &["x"])])]).is_err(), "{key}");
        }
        assert!(LabelPaths::read(&[&paths(&[("a.b", &["x"])])]).is_ok());
    }
}
