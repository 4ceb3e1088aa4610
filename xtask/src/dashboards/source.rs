//! The tables that dashboards are made of.

use std::collections::BTreeMap;
use std::fmt;

use anyhow::{Result, bail};
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};

/// Filters and variables, the same in all dashboards.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Shared {
    filters: BTreeMap<String, String>,
    pub(crate) variables: BTreeMap<String, Variable>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Variable {
    pub(crate) title: String,
    pub(crate) query: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Dashboard {
    pub(crate) title: String,
    pub(crate) about: String,
    pub(crate) variables: Vec<String>,
    pub(crate) rows: Vec<Row>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Row {
    pub(crate) title: String,
    pub(crate) panels: Vec<Panel>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Panel {
    pub(crate) title: String,
    pub(crate) about: String,
    pub(crate) kind: Kind,
    pub(crate) unit: Option<String>,
    pub(crate) decimals: Option<u8>,
    pub(crate) max: Option<f64>,
    /// Where yellow begins, and red.
    pub(crate) thresholds: Vec<f64>,
    pub(crate) width: Option<u64>,
    pub(crate) stack: bool,
    /// Series whose name ends in this word are drawn downwards.
    pub(crate) below: Option<String>,
    /// Series whose name ends in this word have an axis of their own, with this unit.
    pub(crate) right: BTreeMap<String, String>,
    /// A table's labels, which its queries have in common: `<by>`.
    pub(crate) by: Vec<String>,
    /// A table's columns that have a unit.
    pub(crate) units: BTreeMap<String, String>,
    /// A table's columns that lead to another dashboard.
    pub(crate) links: BTreeMap<String, Link>,
    /// What a series is called, and its query.
    pub(crate) queries: Pairs,
}

#[derive(Clone, Copy, Default, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    #[default]
    Timeseries,
    Stat,
    Gauge,
    Table,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Link {
    pub(crate) to: String,
    /// Variables, and where a column is called otherwise `variable=column`.
    pub(crate) with: Vec<String>,
}

/// A map whose order is kept.
#[derive(Default)]
pub(crate) struct Pairs(pub(crate) Vec<(String, String)>);

impl<'de> Deserialize<'de> for Pairs {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Collect;
        impl<'de> Visitor<'de> for Collect {
            type Value = Pairs;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("names with queries")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Pairs, M::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    pairs.push(pair);
                }
                Ok(Pairs(pairs))
            }
        }
        deserializer.deserialize_map(Collect)
    }
}

impl Shared {
    /// A query with each `<name>` replaced by its filter. A comparison has a blank behind its sign.
    pub(crate) fn filled(&self, query: &str) -> Result<String> {
        let mut out = String::new();
        let mut rest = query;
        while let Some((before, after)) = rest.split_once('<') {
            out.push_str(before);
            rest = after;
            if after.starts_with(|next: char| next.is_ascii_lowercase()) {
                let Some((name, behind)) = after.split_once('>') else {
                    bail!("< without >: {query}")
                };
                let Some(filter) = self.filters.get(name) else { bail!("no filter {name}") };
                out.push_str(filter);
                rest = behind;
            } else {
                out.push('<');
            }
        }
        out.push_str(rest);
        Ok(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_are_filled_in_and_comparisons_stay() {
        let filters = BTreeMap::from([("pod".to_owned(), "pod=~\"$pod\"".to_owned())]);
        let shared = Shared { filters, variables: BTreeMap::new() };
        assert_eq!(shared.filled("up{<pod>} < 1").unwrap(), "up{pod=~\"$pod\"} < 1");
        assert!(shared.filled("up{<nothing>}").is_err());
    }

    #[test]
    fn queries_keep_their_order() {
        let pairs: Pairs = serde_saphyr::from_str("{b: 1 + 1, a: up}").unwrap();
        assert_eq!(pairs.0[0], ("b".to_owned(), "1 + 1".to_owned()));
    }
}
