//! YAML and JSON that users write: where what they say is wrong, and shapes that forgive.

use std::fmt;
use std::io;
use std::path::Path;

use exporter_toolkit::files;
pub(super) use exporter_toolkit::yaml::Problem;
pub(super) use exporter_toolkit::yaml::parse_large as yaml;
use serde::de::{DeserializeOwned, Deserializer, Error as _, Visitor};
use serde::{Deserialize, de};

/// A file larger than this is refused.
const FILE_LIMIT: u64 = 32 << 20;

/// A whole file, of at most 32 MiB.
pub(super) fn read(path: &Path) -> io::Result<String> {
    files::read(path, FILE_LIMIT)
}

/// One JSON document.
pub(super) fn json<T: DeserializeOwned>(text: &str) -> Result<T, Problem> {
    serde_json::from_str(text).map_err(|error| {
        let whole = error.to_string();
        let place = format!(" at line {} column {}", error.line(), error.column());
        let text = whole.strip_suffix(&place).unwrap_or(&whole);
        Problem::at(error.line() as u64, text)
    })
}

/// A text, a number or a boolean, as text: `9100`, `"9100"`, `true`.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Scalar(pub String);

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ScalarVisitor).map(Self)
    }
}

struct ScalarVisitor;

impl Visitor<'_> for ScalarVisitor {
    type Value = String;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text, a number or true or false")
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<String, E> {
        Ok(value.to_owned())
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<String, E> {
        Ok(value.to_string())
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<String, E> {
        Ok(value.to_string())
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<String, E> {
        Ok(value.to_string())
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<String, E> {
        Ok(value.to_string())
    }
}

/// One value or a list of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Many<T>(pub Vec<T>);

impl<T> Default for Many<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Many<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Shape<T> {
            Many(Vec<T>),
            One(T),
        }
        match Shape::deserialize(deserializer) {
            Ok(Shape::Many(values)) => Ok(Self(values)),
            Ok(Shape::One(value)) => Ok(Self(vec![value])),
            Err(error) => Err(D::Error::custom(format!("neither one value nor a list: {error}"))),
        }
    }
}

/// `10.0.0.1:9100`, `[fd00::1]:9100` and `name:9100` in two; the port is empty where there is none.
pub(super) fn host_and_port(text: &str) -> (&str, &str) {
    if text.ends_with(']') {
        return (text, "");
    }
    match text.rsplit_once(':') {
        // An IPv6 address without brackets and without a port.
        Some((host, _)) if host.contains(':') && !host.ends_with(']') => (text, ""),
        Some(parts) => parts,
        None => (text, ""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_cut_at_its_port() {
        for (text, expected) in [
            ("10.0.0.1:9100", ("10.0.0.1", "9100")),
            ("[fd00::1]:9100", ("[fd00::1]", "9100")),
            ("[fd00::1]", ("[fd00::1]", "")),
            ("fd00::1", ("fd00::1", "")),
            ("node-1", ("node-1", "")),
            ("node-1:", ("node-1", "")),
            ("", ("", "")),
        ] {
            assert_eq!(host_and_port(text), expected, "{text}");
        }
    }

    #[test]
    fn a_scalar_is_its_text_and_one_value_is_a_list() {
        let values: Vec<Many<Scalar>> = yaml("[true, 9100, [a, 1.5], '007']").unwrap();
        let text: Vec<Vec<String>> =
            values.into_iter().map(|v| v.0.into_iter().map(|s| s.0).collect()).collect();
        assert_eq!(text, [vec!["true"], vec!["9100"], vec!["a", "1.5"], vec!["007"]]);
        assert!(yaml::<Vec<Many<Scalar>>>("[{a: b}]").is_err());
    }

    #[test]
    fn a_broken_document_names_its_line_in_both_formats() {
        assert_eq!(yaml::<Vec<u8>>("- 1\n- x\n").unwrap_err().line, Some(2));
        assert_eq!(json::<Vec<u8>>("[1,\n\"x\"]").unwrap_err().line, Some(2));
    }
}
