//! What a source knows, and how it says so: drafts become checked [`Target`]s, and a [`Publisher`] hands on the whole
//! set of one source.
//!
//! A source writes [`Draft`]s, which may hold anything that a file, an annotation or a container's label says. One that
//! cannot be scraped or that Consul would refuse becomes a [`Held`] with the reason and harms no other. Each source is an
//! endless future that owns its [`Publisher`]: `async fn run(self, publisher: Publisher)`; what it cannot reach it says by
//! [`Publisher::unsynced`] and tries again.

mod address;
mod check;
mod publish;
mod share;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

pub use address::Address;
pub use check::{BadTarget, FIXED_KEYS, FIXED_TAGS, MAX_META, Scheme, meta_key, meta_value, tag};
pub(crate) use publish::repeated;
pub use publish::{Publisher, Snapshot, State, Subscription, source};
pub(crate) use share::share;

/// A target as a source read it, unchecked. What is left empty has the default that the field names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Draft {
    /// The service's name in Consul and the `job` of `file_sd`: letters, digits, `-`, `_`, `.`.
    pub service: String,
    /// An IP address (IPv6 with or without brackets) or a host name.
    pub address: String,
    /// A decimal port, 1 to 65535.
    pub port: String,
    /// `http` or `https`; empty is `http`.
    pub scheme: String,
    /// An absolute path; empty is `/metrics`.
    pub metrics_path: String,
    /// The node that the target runs on. All targets of a node are in one group. Empty is the address.
    pub node: String,
    /// Further labels, such as `namespace` and `pod_name`. Keys are made such that Consul takes them.
    pub meta: BTreeMap<String, String>,
    /// Further tags.
    pub tags: Vec<String>,
    /// Where the target comes from, for a person: `pod shop/web-1 by rule 9 of rules.yaml`.
    pub origin: Arc<str>,
}

/// A target that can be registered. Its [`Key`] says which one it is; everything else may change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    pub key: Key,
    pub scheme: Scheme,
    pub metrics_path: Arc<str>,
    /// Never empty.
    pub node: Arc<str>,
    /// Sorted by key, none of [`FIXED_KEYS`]; at most [`MAX_META`] pairs that Consul takes.
    pub meta: Meta,
    /// Sorted, none twice.
    pub tags: Box<[Box<str>]>,
    /// For a person; a change of it alone changes nothing that is registered.
    pub origin: Arc<str>,
}

/// Labels by their keys.
pub type Meta = Box<[(Arc<str>, Arc<str>)]>;

/// What makes a target the same one. Everything is sorted by it, in every sink.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    pub service: Arc<str>,
    pub address: Address,
    pub port: u16,
}

impl Key {
    /// `10.0.0.1:9100` or `[fd00::1]:9100`.
    pub fn host_port(&self) -> String {
        match &self.address {
            Address::Ip(std::net::IpAddr::V6(ip)) => format!("[{ip}]:{}", self.port),
            address => format!("{address}:{}", self.port),
        }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.service, self.host_port())
    }
}

/// Something that a source found and that is not registered, with the reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    pub service: Box<str>,
    /// As the source read it: `address:port`, or empty where there is none yet.
    pub address: Box<str>,
    pub origin: Box<str>,
    /// In a person's words: `port "70000" is not one of 1 to 65535`.
    pub reason: Box<str>,
}
