//! The parts of Kubernetes objects that all resources share, as small as the families need them.
//!
//! What an API server leaves out, sends as `null` or sends in addition never fails an object: every field has a default,
//! [`List`] and [`Map`] read `null` as nothing, unknown fields are skipped.

mod time;

use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;

use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

pub use time::Time;

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
///
/// The maps of an object are small and are read once, most of them never looked at: a list costs less than a tree.
#[derive(Debug)]
pub struct Map<T>(Vec<(String, T)>);

/// The pairs of a [`Map`].
type Pairs<'a, T> =
    std::iter::Map<std::slice::Iter<'a, (String, T)>, fn(&'a (String, T)) -> (&'a String, &'a T)>;

impl<T> Map<T> {
    pub fn get(&self, key: &str) -> Option<&T> {
        let place = self.0.binary_search_by(|(one, _)| one.as_str().cmp(key)).ok()?;
        self.0.get(place).map(|(_, value)| value)
    }

    pub fn iter(&self) -> Pairs<'_, T> {
        self.0.iter().map(|(key, value)| (key, value))
    }

    pub fn keys(&self) -> impl Iterator<Item = &String> {
        self.0.iter().map(|(key, _)| key)
    }
}

impl<T> Default for Map<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}
impl<'a, T> IntoIterator for &'a Map<T> {
    type Item = (&'a String, &'a T);
    type IntoIter = Pairs<'a, T>;

    fn into_iter(self) -> Pairs<'a, T> {
        self.iter()
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Map<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_option(MapVisitor(PhantomData))
    }
}

struct MapVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for MapVisitor<T> {
    type Value = Map<T>;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a map")
    }

    fn visit_unit<E: Error>(self) -> Result<Map<T>, E> {
        Ok(Map::default())
    }

    fn visit_none<E: Error>(self) -> Result<Map<T>, E> {
        Ok(Map::default())
    }

    fn visit_some<D: Deserializer<'de>>(self, from: D) -> Result<Map<T>, D::Error> {
        from.deserialize_map(self)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut from: A) -> Result<Map<T>, A::Error> {
        let mut pairs: Vec<(String, T)> = Vec::new();
        while let Some(pair) = from.next_entry()? {
            pairs.push(pair);
        }
        // API servers write maps sorted; people do not, nor is a key there only once: the last counts.
        if !pairs.is_sorted_by(|(one, _), (next, _)| one < next) {
            pairs.sort_by(|(one, _), (next, _)| one.cmp(next));
            pairs.dedup_by(|next, kept| {
                let same = next.0 == kept.0;
                if same {
                    std::mem::swap(next, kept);
                }
                same
            });
        }
        Ok(Map(pairs))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn maps_are_sorted_and_the_last_of_equal_keys_counts() {
        let map: Map<u8> = serde_json::from_str(r#"{"b":1,"c":2,"a":3,"b":4,"b":5}"#).unwrap();
        let pairs: Vec<_> = map.iter().map(|(key, value)| (key.as_str(), *value)).collect();
        assert_eq!(pairs, [("a", 3), ("b", 5), ("c", 2)]);
        assert_eq!(map.get("b"), Some(&5));
        assert_eq!(map.get("d"), None);
    }

    #[test]
    fn null_is_an_empty_list_and_an_empty_map() {
        assert!(serde_json::from_str::<Map<u8>>("null").unwrap().iter().next().is_none());
        assert!(serde_json::from_str::<List<u8>>("null").unwrap().is_empty());
    }
}
