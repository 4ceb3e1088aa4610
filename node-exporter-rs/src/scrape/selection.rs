//! `collect[]=` and `exclude[]=`: which collectors a scrape wants.

use std::collections::BTreeSet;

use crate::collector::COLLECTORS;

/// The wanted collectors.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub enum Selection {
    #[default]
    All,
    Only(BTreeSet<String>),
    But(BTreeSet<String>),
}

/// Why a query is not answered, in the peer's words, as scripts may look for them.
#[derive(Debug, Eq, PartialEq, thiserror::Error)]
pub enum Refused {
    #[error("Combined collect and exclude queries are not allowed.")]
    Combined,
    #[error(
        "Couldn't create filtered metrics handler: couldn't create collector: missing collector: {0}"
    )]
    Missing(String),
    #[error(
        "Couldn't create filtered metrics handler: couldn't create collector: disabled collector: {0}"
    )]
    Disabled(String),
}

impl Selection {
    /// Reads a decoded query. Other parameters, and unknown names that are excluded, are no error.
    pub fn from_query(
        query: &[(String, String)],
        enabled: impl Fn(&str) -> bool,
    ) -> Result<Self, Refused> {
        let values = |key: &str| -> BTreeSet<String> {
            query.iter().filter(|(name, _)| name == key).map(|(_, value)| value.clone()).collect()
        };
        let (collect, exclude) = (values("collect[]"), values("exclude[]"));
        if !collect.is_empty() && !exclude.is_empty() {
            return Err(Refused::Combined);
        }
        if !exclude.is_empty() {
            return Ok(Self::But(exclude));
        }
        for name in &collect {
            if !COLLECTORS.iter().any(|spec| spec.name == *name) {
                return Err(Refused::Missing(name.clone()));
            }
            if !enabled(name) {
                return Err(Refused::Disabled(name.clone()));
            }
        }
        Ok(if collect.is_empty() { Self::All } else { Self::Only(collect) })
    }

    pub fn has(&self, name: &str) -> bool {
        match self {
            Self::All => true,
            Self::Only(names) => names.contains(name),
            Self::But(names) => !names.contains(name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn select(query: &[(&str, &str)]) -> Result<Selection, Refused> {
        let query: Vec<_> = query.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        Selection::from_query(&query, |name| name != "time")
    }

    #[test]
    fn collect_takes_only_what_it_names() {
        let some = select(&[("collect[]", "cpu"), ("collect[]", "stat"), ("x", "y")]).unwrap();
        assert!(some.has("cpu") && some.has("stat") && !some.has("loadavg"));
    }

    #[test]
    fn exclude_takes_all_but_what_it_names_and_forgives_unknown_names() {
        let some = select(&[("exclude[]", "cpu"), ("exclude[]", "nonsense")]).unwrap();
        assert!(!some.has("cpu") && some.has("stat"));
    }

    #[test]
    fn wrong_names_are_refused_in_the_peers_words() {
        assert_eq!(select(&[("collect[]", "zzz")]), Err(Refused::Missing("zzz".to_owned())));
        assert_eq!(select(&[("collect[]", "time")]), Err(Refused::Disabled("time".to_owned())));
        let both = select(&[("collect[]", "cpu"), ("exclude[]", "stat")]).unwrap_err();
        assert_eq!(both.to_string(), "Combined collect and exclude queries are not allowed.");
    }

    #[test]
    fn the_name_without_brackets_is_another_parameter() {
        assert_eq!(select(&[("collect", "zzz")]), Ok(Selection::All));
    }
}
