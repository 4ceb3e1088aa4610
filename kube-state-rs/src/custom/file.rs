//! The configuration's shape, as the peer has it.

use std::fmt;

use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_saphyr::{Location, Spanned};

use crate::object::List;

/// A text and where it stands.
pub(super) type Text = Spanned<String>;

/// What is wrong with the configuration, and where.
#[derive(Debug)]
pub(super) struct Wrong {
    pub(super) at: Location,
    pub(super) problem: String,
}

impl Wrong {
    pub(super) fn new(at: Location, problem: impl Into<String>) -> Self {
        Self { at, problem: problem.into() }
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct File {
    pub(super) spec: Spec,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Spec {
    pub(super) resources: List<Spanned<Resource>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Resource {
    pub(super) group_version_kind: GroupVersionKind,
    /// `kube_customresource` where it is not said; none where it is empty.
    pub(super) metric_name_prefix: Option<String>,
    pub(super) common_labels: Pairs<String>,
    pub(super) labels_from_path: Pairs<Vec<Text>>,
    pub(super) metrics: List<Spanned<Metric>>,
    #[serde(rename = "errorLogV")]
    pub(super) error_level: i32,
}

/// Which resources are meant: an empty version or kind, or `*`, is any.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct GroupVersionKind {
    pub(super) group: Option<Text>,
    pub(super) version: Option<String>,
    pub(super) kind: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Metric {
    pub(super) name: Option<Text>,
    pub(super) help: Option<String>,
    pub(super) each: Each,
    pub(super) common_labels: Pairs<String>,
    pub(super) labels_from_path: Pairs<Vec<Text>>,
    /// What errors are logged at; 0 is the resource's.
    #[serde(rename = "errorLogV")]
    pub(super) error_level: i32,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Each {
    /// `Gauge`, `Info` or `StateSet`, in any case.
    #[serde(rename = "type")]
    pub(super) kind: Option<Text>,
    pub(super) gauge: Option<Gauge>,
    pub(super) info: Option<Info>,
    pub(super) state_set: Option<StateSet>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Gauge {
    pub(super) path: List<Text>,
    pub(super) labels_from_path: Pairs<Vec<Text>>,
    pub(super) label_from_key: Option<Text>,
    pub(super) value_from: List<Text>,
    pub(super) nil_is_zero: bool,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Info {
    pub(super) path: List<Text>,
    pub(super) labels_from_path: Pairs<Vec<Text>>,
    pub(super) label_from_key: Option<Text>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct StateSet {
    pub(super) path: List<Text>,
    pub(super) labels_from_path: Pairs<Vec<Text>>,
    pub(super) label_name: Option<Text>,
    pub(super) value_from: List<Text>,
    pub(super) list: List<String>,
}

/// A map whose keys know where they stand; absent or `null` it is empty.
#[derive(Debug)]
pub(super) struct Pairs<T>(pub(super) Vec<(Text, T)>);

impl<T> Default for Pairs<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de, T: Deserialize<'de> + Default> Deserialize<'de> for Pairs<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Reader<T>(Pairs<T>);

        impl<'de, T: Deserialize<'de> + Default> Visitor<'de> for Reader<T> {
            type Value = Pairs<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map")
            }

            fn visit_unit<E>(self) -> Result<Self::Value, E> {
                Ok(self.0)
            }

            fn visit_map<M: MapAccess<'de>>(mut self, mut map: M) -> Result<Self::Value, M::Error> {
                while let Some((key, value)) = map.next_entry::<Text, Option<T>>()? {
                    self.0.0.push((key, value.unwrap_or_default()));
                }
                Ok(self.0)
            }
        }

        from.deserialize_any(Reader(Pairs::default()))
    }
}

/// A text that stands nowhere.
#[cfg(test)]
pub(super) fn text(text: &str) -> Text {
    Spanned::new(text.to_owned(), Location::UNKNOWN, Location::UNKNOWN)
}
