//! Which labels and annotations of objects become labels of series, and under which names.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use crate::object::Map;

/// What was chosen for one resource by `--metric-labels-allowlist` and `--metric-annotations-allowlist`.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    pub labels: Option<Keys>,
    pub annotations: Option<Keys>,
}

/// The keys that an allowlist names: exact ones, patterns with one `*`, or all.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Keys {
    All,
    Some(Vec<Key>),
}

/// A key, or a pattern with one `*` in it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Key {
    Exact(String),
    Pattern { start: String, end: String },
}

impl Keys {
    /// Reads a list of keys. A `*` alone means all keys where it is the first, and nothing elsewhere, as with the peer;
    /// a key with two `*` or more is ignored with a warning.
    pub fn new<S: AsRef<str>>(keys: &[S]) -> Self {
        if keys.first().is_some_and(|key| key.as_ref() == "*") {
            return Self::All;
        }
        Self::Some(keys.iter().filter_map(|key| Key::new(key.as_ref())).collect())
    }

    /// The pairs of `map` that are chosen, sorted by their keys.
    pub fn of<'m>(&self, map: &'m Map<String>) -> impl Iterator<Item = (&'m str, &'m str)> {
        let chosen = |key: &str| match self {
            Self::All => true,
            Self::Some(keys) => keys.iter().any(|one| one.matches(key)),
        };
        let pairs = map.iter().map(|(key, value)| (key.as_str(), value.as_str()));
        pairs.filter(move |(key, _)| chosen(key))
    }
}

impl Key {
    fn new(key: &str) -> Option<Self> {
        let mut parts = key.split('*');
        match (parts.next(), parts.next(), parts.next()) {
            (Some(_), None, _) => Some(Self::Exact(key.to_owned())),
            (Some(""), Some(""), None) => None,
            (Some(start), Some(end), None) => {
                Some(Self::Pattern { start: start.to_owned(), end: end.to_owned() })
            }
            _ => {
                tracing::warn!(key, "ignored in an allowlist: a key may hold one * at most");
                None
            }
        }
    }

    fn matches(&self, key: &str) -> bool {
        match self {
            Self::Exact(exact) => key == exact,
            Self::Pattern { start, end } => {
                key.len() >= start.len() + end.len() && key.starts_with(start) && key.ends_with(end)
            }
        }
    }
}

/// Label names for `keys`: legal, in snake case, after `prefix`, and none twice.
///
/// Where several keys come to one name, the first becomes `NAME_conflict1`, the next `NAME_conflict2` and so on, past
/// names that other keys have, because Prometheus refuses a sample that carries a label twice.
pub fn unique_names<'k>(prefix: &str, keys: &[&'k str]) -> Vec<Cow<'k, str>> {
    let mut names: Vec<String> = Vec::with_capacity(keys.len());
    let mut used: HashMap<String, usize> = HashMap::with_capacity(keys.len());
    // How far the numbers of a name that was met twice have come.
    let mut numbers: HashMap<String, usize> = HashMap::new();
    for key in keys {
        let base = label_name(prefix, key);
        let name = if let Some(number) = numbers.get_mut(&base) {
            free(&base, number, |name| used.contains_key(name))
        } else if let Some(first) = used.remove(&base) {
            let mut number = 0;
            // The name stays taken while a new one is looked for, which cannot be it anyway.
            let renamed = free(&base, &mut number, |name| used.contains_key(name));
            used.insert(renamed.clone(), first);
            names[first] = renamed;
            let name = free(&base, &mut number, |name| used.contains_key(name));
            numbers.insert(base, number);
            name
        } else {
            base
        };
        used.insert(name.clone(), names.len());
        names.push(name);
    }
    debug_assert_eq!(names.iter().collect::<HashSet<_>>().len(), names.len(), "{names:?}");
    names.into_iter().map(Cow::Owned).collect()
}

fn free(base: &str, number: &mut usize, taken: impl Fn(&str) -> bool) -> String {
    loop {
        *number += 1;
        let name = format!("{base}_conflict{number}");
        if !taken(&name) {
            return name;
        }
    }
}

/// `prefix` and the key, every byte that is not legal replaced by `_`, camelCase taken apart, in lower case.
pub fn label_name(prefix: &str, key: &str) -> String {
    let mut name = String::with_capacity(prefix.len() + key.len() + 4);
    name.push_str(prefix);
    let mut last = '_';
    for character in key.chars() {
        let legal = if character.is_ascii_alphanumeric() { character } else { '_' };
        if legal.is_ascii_uppercase() && (last.is_ascii_lowercase() || last.is_ascii_digit()) {
            name.push('_');
        }
        name.push(legal.to_ascii_lowercase());
        last = legal;
    }
    name
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn keys_become_snake_case() {
        for (key, name) in [
            ("app.kubernetes.io/name", "label_app_kubernetes_io_name"),
            ("camelCase", "label_camel_case"),
            ("HTTPServer", "label_httpserver"),
            ("v1Beta2X", "label_v1_beta2_x"),
            ("ünï", "label__n_"),
        ] {
            assert_eq!(label_name("label_", key), name);
        }
    }

    #[test]
    fn names_that_collide_are_numbered_past_names_in_use() {
        let keys = ["a-b", "a.b", "a_b", "a_b_conflict1", "c"];
        assert_eq!(
            unique_names("l_", &keys),
            [
                "l_a_b_conflict1_conflict1",
                "l_a_b_conflict2",
                "l_a_b_conflict3",
                "l_a_b_conflict1_conflict2",
                "l_c"
            ]
            .map(String::from)
        );
    }

    #[test]
    fn an_allowlist_takes_exact_keys_and_patterns_with_one_star() {
        let map: Map<String> =
            serde_json::from_str(r#"{"app":"1","app.io/name":"2","team":"3","x":"4"}"#).unwrap();
        let chosen = |keys: &[&str]| -> Vec<String> {
            Keys::new(keys).of(&map).map(|(key, _)| key.to_owned()).collect()
        };
        assert_eq!(chosen(&["*", "x"]).len(), 4);
        assert_eq!(chosen(&["x", "*"]), ["x"]);
        assert_eq!(chosen(&["app*"]), ["app", "app.io/name"]);
        assert_eq!(chosen(&["*m", "app"]), ["app", "team"]);
        assert_eq!(chosen(&["*p*"]), Vec::<String>::new());
        assert_eq!(chosen(&["missing"]), Vec::<String>::new());
    }

    proptest! {
        #[test]
        fn names_never_repeat(keys in prop::collection::btree_set("[aA_.-]{0,4}(_conflict[12])?", 0..12)) {
            let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
            let names: HashSet<_> = unique_names("label_", &keys).into_iter().collect();
            prop_assert_eq!(names.len(), keys.len());
        }
    }
}
