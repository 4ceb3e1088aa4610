//! The JSON of `/v1/txn` and `/v1/catalog/node-services` (Consul 1.8 and later), as little of it as is needed.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use serde::de::{DeserializeSeed, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

/// A transaction has this many operations at most; more is a 413.
pub const MOST_OPERATIONS: usize = 64;

/// One operation of a transaction.
#[derive(Debug, Serialize)]
pub enum Operation<'a> {
    Node(NodeOperation<'a>),
    Service(ServiceOperation<'a>),
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct NodeOperation<'a> {
    pub verb: &'static str,
    pub node: WrittenNode<'a>,
}

/// With `ModifyIndex` 0 a `cas` only makes what is not there.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct WrittenNode<'a> {
    pub node: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    pub partition: &'a str,
    pub address: &'static str,
    pub meta: BTreeMap<&'a str, &'a str>,
    pub modify_index: u64,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct ServiceOperation<'a> {
    /// `cas` or `delete-cas`.
    pub verb: &'static str,
    pub node: &'a str,
    pub service: WrittenService<'a>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct WrittenService<'a> {
    #[serde(rename = "ID")]
    pub id: &'a str,
    /// Also a deletion must name it.
    pub service: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<Cow<'a, str>>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub meta: BTreeMap<&'a str, Cow<'a, str>>,
    #[serde(skip_serializing_if = "str::is_empty")]
    pub namespace: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    pub partition: &'a str,
    pub modify_index: u64,
}

/// Where rows are in Consul. A transaction names namespace and partition in each operation, other calls in their query.
#[derive(Clone, Copy, Debug, Default)]
pub struct Place<'a> {
    pub node: &'a str,
    pub namespace: &'a str,
    pub partition: &'a str,
}

/// The answer to a transaction: 200 with results, 409 with errors.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Outcome {
    #[serde(deserialize_with = "or_default")]
    pub results: Vec<OperationResult>,
    #[serde(deserialize_with = "or_default")]
    pub errors: Vec<OperationError>,
}

/// A deletion has no result.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct OperationResult {
    pub service: Option<ResultService>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ResultService {
    #[serde(rename = "ID")]
    pub id: String,
    pub modify_index: u64,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct OperationError {
    /// Counted from 0.
    pub op_index: usize,
    pub what: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ListedNode {
    #[serde(deserialize_with = "or_default")]
    pub meta: BTreeMap<String, String>,
    pub modify_index: u64,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ListedService<'a> {
    #[serde(rename = "ID", borrow)]
    pub id: Cow<'a, str>,
    #[serde(borrow)]
    pub service: Cow<'a, str>,
    #[serde(borrow, default)]
    pub address: Cow<'a, str>,
    #[serde(default)]
    pub port: i64,
    #[serde(borrow, default, deserialize_with = "or_default")]
    pub tags: Vec<Cow<'a, str>>,
    #[serde(borrow, default, deserialize_with = "or_default")]
    pub meta: BTreeMap<Cow<'a, str>, Cow<'a, str>>,
    pub modify_index: u64,
}

/// Go writes an empty list as null.
fn or_default<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(
    deserializer: D,
) -> Result<T, D::Error> {
    Option::deserialize(deserializer).map(Option::unwrap_or_default)
}

/// Reads the answer of `/v1/catalog/node-services/NODE`, one service after another: all of them at once would be many times
/// what is kept of them. Without the right to read it, `Node` is null and the status 200.
pub fn node_services<'a>(
    body: &'a [u8],
    each: impl FnMut(ListedService<'a>),
) -> serde_json::Result<Option<ListedNode>> {
    let mut json = serde_json::Deserializer::from_slice(body);
    let node = List(each).deserialize(&mut json)?;
    json.end()?;
    Ok(node)
}

struct List<F>(F);

impl<'de, F: FnMut(ListedService<'de>)> DeserializeSeed<'de> for List<F> {
    type Value = Option<ListedNode>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de, F: FnMut(ListedService<'de>)> Visitor<'de> for List<F> {
    type Value = Option<ListedNode>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a node with its services")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut node = None;
        while let Some(key) = map.next_key::<Cow<'de, str>>()? {
            match &*key {
                "Node" => node = map.next_value()?,
                "Services" => map.next_value_seed(Services(&mut self.0))?,
                _ => _ = map.next_value::<IgnoredAny>()?,
            }
        }
        Ok(node)
    }
}

/// A list, or null.
struct Services<'f, F>(&'f mut F);

impl<'de, F: FnMut(ListedService<'de>)> DeserializeSeed<'de> for Services<'_, F> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, F: FnMut(ListedService<'de>)> Visitor<'de> for Services<'_, F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of services")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        while let Some(service) = list.next_element()? {
            self.0(service);
        }
        Ok(())
    }
}
