//! Field selectors.

use super::objects::Object;

/// What all objects of an answer fulfil.
#[derive(Debug, Default)]
pub(super) struct Selector(Vec<Term>);

#[derive(Debug)]
struct Term {
    field: Field,
    equal: bool,
    value: String,
}

#[derive(Clone, Copy, Debug)]
enum Field {
    Name,
    Namespace,
    Node,
}

impl Selector {
    /// Reads `metadata.namespace!=a,spec.nodeName=b`; `None` where something else is asked for.
    pub(super) fn parse(text: &str) -> Option<Self> {
        text.split(',').filter(|term| !term.is_empty()).map(term).collect::<Option<_>>().map(Self)
    }

    /// Also of this namespace.
    pub(super) fn within(mut self, namespace: &str) -> Self {
        self.0.push(Term { field: Field::Namespace, equal: true, value: namespace.to_owned() });
        self
    }

    pub(super) fn is_any(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn takes(&self, object: &Object<'_>) -> bool {
        self.0.iter().all(|term| {
            let value = match term.field {
                Field::Name => object.name(),
                Field::Namespace => object.namespace().unwrap_or_default(),
                Field::Node => object.node(),
            };
            (value == term.value) == term.equal
        })
    }
}

fn term(text: &str) -> Option<Term> {
    let (field, value) = text.split_once('=')?;
    let equal = !field.ends_with('!');
    let field = match field.trim_end_matches('!') {
        "metadata.name" => Field::Name,
        "metadata.namespace" => Field::Namespace,
        "spec.nodeName" => Field::Node,
        _ => return None,
    };
    Some(Term { field, equal, value: value.trim_start_matches('=').to_owned() })
}
