//! The parts of Kubernetes objects that all resources share, as small as the families need them.
//!
//! What an API server leaves out, sends as `null` or sends in addition never fails an object: every field has a default,
//! [`List`] and [`Map`] read `null` as nothing, unknown fields are skipped.

use std::collections::BTreeMap;
use std::ops::Deref;

use serde::{Deserialize, Deserializer};

/// An object of the API: what the rules of a resource are given.
pub trait Object: for<'de> Deserialize<'de> + 'static {
    fn meta(&self) -> &Meta;
}

/// Implements [`Object`] for types with a field `metadata`.
macro_rules! objects {
    ($($object:ty),*) => {$(
        impl $crate::object::Object for $object {
            fn meta(&self) -> &$crate::object::Meta {
                &self.metadata
            }
        }
    )*};
}
pub(crate) use objects;

/// `metadata` of an object (meta/v1 `ObjectMeta`).
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Meta {
    pub name: String,
    /// Empty for what belongs to no namespace.
    pub namespace: String,
    pub uid: String,
    pub resource_version: String,
    pub generation: Option<i64>,
    pub creation_timestamp: Option<Time>,
    pub deletion_timestamp: Option<Time>,
    pub labels: Map<String>,
    pub annotations: Map<String>,
    pub owner_references: List<OwnerReference>,
    pub finalizers: List<String>,
}

impl Meta {
    /// The resource version as a number, which it is with every API server, though the API calls it opaque.
    pub fn version_number(&self) -> Option<f64> {
        self.resource_version.parse().ok()
    }

    /// The owner that manages the object.
    pub fn controller(&self) -> Option<&OwnerReference> {
        self.owner_references.iter().find(|owner| owner.controller == Some(true))
    }
}

/// An entry of `metadata.ownerReferences`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct OwnerReference {
    pub kind: String,
    pub name: String,
    pub controller: Option<bool>,
}

/// A list that may be absent or `null`.
#[derive(Debug)]
pub struct List<T>(Vec<T>);

impl<T> Default for List<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> Deref for List<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.0
    }
}

impl<'a, T> IntoIterator for &'a List<T> {
    type Item = &'a T;
    type IntoIter = std::slice::Iter<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for List<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Ok(Self(Option::deserialize(from)?.unwrap_or_default()))
    }
}

/// A map that may be absent or `null`, sorted by its keys.
#[derive(Debug)]
pub struct Map<T>(BTreeMap<String, T>);

impl<T> Default for Map<T> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<T> Deref for Map<T> {
    type Target = BTreeMap<String, T>;

    fn deref(&self) -> &BTreeMap<String, T> {
        &self.0
    }
}

impl<'a, T> IntoIterator for &'a Map<T> {
    type Item = (&'a String, &'a T);
    type IntoIter = std::collections::btree_map::Iter<'a, String, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Map<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Ok(Self(Option::deserialize(from)?.unwrap_or_default()))
    }
}

/// 0001-01-01T00:00:00Z in seconds since 1970.
const GO_ZERO: i64 = -62_135_596_800;

/// A point in time (meta/v1 `Time` and `MicroTime`, RFC 3339), to the second as the families give it.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Time(jiff::Timestamp);

impl Time {
    /// Seconds since 1970.
    pub fn seconds(self) -> i64 {
        // Rounded down, so that a fraction before 1970 counts as Go counts it.
        self.0.as_second() - i64::from(self.0.subsec_nanosecond() < 0)
    }

    /// Reads a time in RFC 3339.
    pub fn parse(text: &str) -> Option<Self> {
        text.parse().ok().map(Self)
    }

    /// As [`Time::seconds`], of a time that may be missing: then Go's zero time, the year 1, as the peer gives it where it
    /// does not look whether a time is there.
    pub fn seconds_of(time: Option<Self>) -> i64 {
        time.map_or(GO_ZERO, Self::seconds)
    }

    pub fn timestamp(self) -> jiff::Timestamp {
        self.0
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(from)?;
        text.parse().map(Self).map_err(serde::de::Error::custom)
    }
}

/// A number or a text (`intstr.IntOrString`): ports, percentages.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
#[serde(untagged)]
pub enum IntOrString {
    Int(i64),
    String(String),
}

impl IntOrString {
    /// A count, or the share of `total` that a percentage says, rounded up or down; `None` for any other text.
    pub fn scaled(&self, total: i64, round_up: bool) -> Option<i64> {
        match self {
            Self::Int(count) => Some(*count),
            Self::String(text) => {
                let percent: i64 = text.strip_suffix('%')?.parse().ok()?;
                let hundredths = percent.checked_mul(total)?;
                Some(if round_up {
                    hundredths.div_euclid(100) + i64::from(hundredths.rem_euclid(100) > 0)
                } else {
                    hundredths.div_euclid(100)
                })
            }
        }
    }
}

impl exporter_toolkit::LabelValue for IntOrString {
    fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Int(number) => number.write(out),
            Self::String(text) => text.write(out),
        }
    }
}

/// An entry of `status.conditions`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Condition {
    #[serde(rename = "type")]
    pub kind: String,
    /// `True`, `False` or `Unknown`.
    pub status: String,
    pub reason: Option<String>,
    pub last_transition_time: Option<Time>,
}

impl Condition {
    /// The three samples of a condition: for each status its label value in lower case, and 1 where it is the current.
    pub fn states(&self) -> [(&'static str, bool); 3] {
        condition_states(&self.status)
    }
}

/// See [`Condition::states`].
pub fn condition_states(status: &str) -> [(&'static str, bool); 3] {
    [("true", status == "True"), ("false", status == "False"), ("unknown", status == "Unknown")]
}
