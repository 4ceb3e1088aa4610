//! How a rules file is written.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::source::text::{Many, Scalar};

/// One rule.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Rule {
    pub(super) service: String,
    pub(super) source: From,
    #[serde(default)]
    pub(super) namespace: Many<String>,
    #[serde(default)]
    pub(super) selector: Many<String>,
    #[serde(default)]
    pub(super) when: Many<When>,
    #[serde(default)]
    pub(super) address: Option<Which>,
    #[serde(default)]
    pub(super) port: Many<Scalar>,
    #[serde(default)]
    pub(super) path: Option<String>,
    #[serde(default)]
    pub(super) scheme: Option<String>,
    #[serde(default)]
    pub(super) meta: BTreeMap<String, Scalar>,
    #[serde(default)]
    pub(super) labels: Many<String>,
    #[serde(default)]
    pub(super) tags: Many<String>,
    #[serde(default)]
    pub(super) targets: Many<String>,
}

/// What a rule looks at.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq)]
#[serde(rename_all = "lowercase")]
pub enum From {
    Node,
    Pod,
    Service,
    Endpoints,
    Fixed,
}

/// Which of an object's addresses is meant.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "lowercase")]
pub enum Which {
    /// A node's `InternalIP`, a service's `clusterIP`.
    #[default]
    Internal,
    /// A node's `ExternalIP`, a service's load balancers and `externalIPs`.
    External,
    /// A node's `Hostname`.
    Hostname,
}

/// A condition on an annotation or a label.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct When {
    pub(super) annotation: Option<String>,
    pub(super) label: Option<String>,
    /// One of these; without it the key has to be there.
    #[serde(default)]
    pub(super) equals: Many<Scalar>,
    /// None of these; an absent key is none of them.
    #[serde(default)]
    pub(super) unless: Many<Scalar>,
}
