//! What a rule says of a port, a path or a label: a text, or where on the object it stands.

use std::collections::BTreeMap;

pub type Pairs = BTreeMap<String, String>;

/// What a rule can ask of an object.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// Empty for nodes.
    pub namespace: &'a str,
    pub name: &'a str,
    /// The node that it is, or runs on; empty where that is not known.
    pub node: &'a str,
    pub ip: &'a str,
    pub labels: &'a Pairs,
    pub annotations: &'a Pairs,
}

/// A text of a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    Text(String),
    Namespace,
    Name,
    Node,
    Ip,
    Label(String),
    Annotation(String),
}

impl Value {
    /// `@namespace`, `@name`, `@node`, `@ip`, `@label:KEY`, `@annotation:KEY` and, for short, `@KEY` of an annotation
    /// whose key has a slash; anything else is itself, and `@@` begins a text with `@`.
    pub fn parse(text: &str) -> Result<Self, String> {
        let Some(reference) = text.strip_prefix('@') else { return Ok(Self::Text(text.into())) };
        if reference.starts_with('@') {
            return Ok(Self::Text(reference.into()));
        }
        let named = |key: &str| if key.is_empty() { None } else { Some(key.to_owned()) };
        let value = match reference {
            "namespace" => Some(Self::Namespace),
            "name" => Some(Self::Name),
            "node" => Some(Self::Node),
            "ip" => Some(Self::Ip),
            _ => match reference.split_once(':') {
                Some(("label", key)) => named(key).map(Self::Label),
                Some(("annotation", key)) => named(key).map(Self::Annotation),
                _ if reference.contains('/') => named(reference).map(Self::Annotation),
                _ => None,
            },
        };
        value.ok_or_else(|| {
            format!(
                "'{text}' is not one of @namespace, @name, @node, @ip, @label:KEY, \
                 @annotation:KEY, @DOMAIN/ANNOTATION"
            )
        })
    }

    /// `None` where the object does not say, or says nothing.
    pub fn of<'a>(&'a self, facts: &Facts<'a>) -> Option<&'a str> {
        let text = match self {
            Self::Text(text) => text,
            Self::Namespace => facts.namespace,
            Self::Name => facts.name,
            Self::Node => facts.node,
            Self::Ip => facts.ip,
            Self::Label(key) => facts.labels.get(key)?,
            Self::Annotation(key) => facts.annotations.get(key)?,
        };
        Some(text).filter(|text| !text.is_empty())
    }

    /// For a person who wonders why there is nothing.
    pub fn missing(&self) -> String {
        match self {
            Self::Label(key) => format!("the label {key} is missing"),
            Self::Annotation(key) => format!("the annotation {key} is missing"),
            other => format!("{other:?} is empty").to_lowercase(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_a_text_or_names_where_it_stands() {
        for (text, expected) in [
            ("http", Value::Text("http".into())),
            ("@@x", Value::Text("@x".into())),
            ("@namespace", Value::Namespace),
            ("@label:app", Value::Label("app".into())),
            ("@annotation:port", Value::Annotation("port".into())),
            ("@prometheus.io/port", Value::Annotation("prometheus.io/port".into())),
        ] {
            assert_eq!(Value::parse(text), Ok(expected), "{text}");
        }
        for wrong in ["@", "@app", "@label:", "@annotation:"] {
            assert!(Value::parse(wrong).is_err(), "{wrong}");
        }
    }
}
