//! Fields of a configuration that mean nothing, such as misspelt ones: the peer passes over them without a word.

use std::fmt;

use exporter_toolkit::yaml;
use serde::de::{Error, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_saphyr::Location;

use super::file::Text;

/// What may stand at a place: any value, a list, or an object of these fields.
enum Shape {
    Any,
    List(&'static Shape),
    Fields(&'static [(&'static str, Shape)]),
}

use Shape::{Any, Fields, List};

static FILE: Shape = Fields(&[
    ("apiVersion", Any),
    ("kind", Any),
    ("metadata", Any),
    ("spec", Fields(&[("resources", List(&RESOURCE))])),
]);

static RESOURCE: Shape = Fields(&[
    ("groupVersionKind", Fields(&[("group", Any), ("version", Any), ("kind", Any)])),
    ("metricNamePrefix", Any),
    // The API server says what the plural is, also to the peer.
    ("resourcePlural", Any),
    ("commonLabels", Any),
    ("labelsFromPath", Any),
    ("metrics", List(&METRIC)),
    ("errorLogV", Any),
]);

static METRIC: Shape = Fields(&[
    ("name", Any),
    ("help", Any),
    ("each", Fields(&[("type", Any), ("gauge", GAUGE), ("info", INFO), ("stateSet", STATE_SET)])),
    ("commonLabels", Any),
    ("labelsFromPath", Any),
    ("errorLogV", Any),
]);

const GAUGE: Shape = Fields(&[
    ("path", Any),
    ("labelsFromPath", Any),
    ("labelFromKey", Any),
    ("valueFrom", Any),
    ("nilIsZero", Any),
]);

const INFO: Shape = Fields(&[("path", Any), ("labelsFromPath", Any), ("labelFromKey", Any)]);

const STATE_SET: Shape = Fields(&[
    ("path", Any),
    ("labelsFromPath", Any),
    ("labelName", Any),
    ("valueFrom", Any),
    ("list", Any),
]);

/// The fields of `text`, a configuration, that mean nothing.
pub(super) fn fields(text: &str) -> Vec<(String, Location)> {
    let mut unknown = Vec::new();
    if let Ok(root) = yaml::parse::<Node>(text) {
        root.look(&FILE, &mut unknown);
    }
    unknown
}

/// A value, of which only the fields' names matter.
#[derive(Default)]
enum Node {
    #[default]
    Scalar,
    List(Vec<Node>),
    Fields(Vec<(Text, Node)>),
}

impl Node {
    fn look(self, shape: &Shape, unknown: &mut Vec<(String, Location)>) {
        match (self, shape) {
            (Self::List(list), List(shape)) => {
                for node in list {
                    node.look(shape, unknown);
                }
            }
            (Self::Fields(fields), Fields(known)) => {
                for (name, node) in fields {
                    match known.iter().find(|(known, _)| *known == name.value) {
                        Some((_, shape)) => node.look(shape, unknown),
                        None => unknown.push((name.value, name.referenced)),
                    }
                }
            }
            _ => {}
        }
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(Reader)
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<Node, E> {
        Ok(Node::Scalar)
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<Node, E> {
        Ok(Node::Scalar)
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<Node, E> {
        Ok(Node::Scalar)
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<Node, E> {
        Ok(Node::Scalar)
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<Node, E> {
        Ok(Node::Scalar)
    }

    fn visit_unit<E: Error>(self) -> Result<Node, E> {
        Ok(Node::Scalar)
    }

    fn visit_seq<S: SeqAccess<'de>>(self, mut list: S) -> Result<Node, S::Error> {
        let mut nodes = Vec::new();
        while let Some(node) = list.next_element()? {
            nodes.push(node);
        }
        Ok(Node::List(nodes))
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Node, M::Error> {
        let mut fields = Vec::new();
        while let Some(entry) = map.next_entry()? {
            fields.push(entry);
        }
        Ok(Node::Fields(fields))
    }
}
