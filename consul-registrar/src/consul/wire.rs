//! The JSON of `/v1/txn` and `/v1/catalog/node-services` (Consul 1.8 and later), as little of it as is needed.

use std::borrow::Cow;
use std::collections::BTreeMap;

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
    pub modify_index: u64,
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

/// The answer of `/v1/catalog/node-services/NODE`. Without the right to read it, `Node` is null and the status 200.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct NodeServices<'a> {
    pub node: Option<ListedNode>,
    #[serde(borrow, default, deserialize_with = "or_default")]
    pub services: Vec<ListedService<'a>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ListedNode {
    #[serde(deserialize_with = "or_default")]
    pub meta: BTreeMap<String, String>,
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
