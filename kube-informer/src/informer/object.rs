//! What an informer itself must know of an object: its name and version.

use std::borrow::Cow;

use serde::Deserialize;

use super::handler::{Object, Problem};
use crate::json;

/// `metadata` of an object; all else of it is passed over.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Meta<'a> {
    #[serde(borrow)]
    pub(crate) namespace: Cow<'a, str>,
    #[serde(borrow)]
    pub(crate) name: Cow<'a, str>,
    #[serde(borrow)]
    pub(crate) uid: Cow<'a, str>,
    #[serde(borrow)]
    pub(crate) resource_version: Cow<'a, str>,
}

impl<'a> Meta<'a> {
    /// Reads the metadata of the object `raw` and passes over the rest.
    pub(crate) fn of(raw: &'a str) -> Result<Self, Problem> {
        let meta: Self = match json::member(raw, "metadata") {
            Some(metadata) => serde_json::from_str(metadata)?,
            None => return Err(Problem("it has no metadata".to_owned())),
        };
        if meta.name.is_empty() { Err(Problem("it has no name".to_owned())) } else { Ok(meta) }
    }

    pub(crate) fn object<'o>(&'o self, raw: &'o str) -> Object<'o> {
        Object {
            raw,
            namespace: &self.namespace,
            name: &self.name,
            uid: &self.uid,
            resource_version: &self.resource_version,
        }
    }
}

/// `metadata` of a list or a table.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct ListMeta {
    pub(crate) resource_version: String,
    /// Where the next page starts; empty on the last one.
    #[serde(rename = "continue")]
    pub(crate) next: String,
}

/// A bookmark: an object of which only the version counts, or a table without rows.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Bookmark {
    pub(crate) resource_version: String,
    annotations: Option<Annotations>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Annotations {
    #[serde(rename = "k8s.io/initial-events-end")]
    end: Option<String>,
}

impl Bookmark {
    pub(crate) fn of(raw: &str) -> Option<Self> {
        let bookmark: Self = serde_json::from_str(json::member(raw, "metadata")?).ok()?;
        (!bookmark.resource_version.is_empty()).then_some(bookmark)
    }

    /// True where all that was there at the start of a streaming list has been sent.
    pub(crate) fn ends_list(&self) -> bool {
        self.annotations.as_ref().and_then(|all| all.end.as_deref()) == Some("true")
    }
}

/// Namespace and name in the head of an object that cannot be read as a whole.
pub(crate) fn identity(head: &str) -> (Option<&str>, Option<&str>) {
    let head = json::member(head, "object").unwrap_or(head);
    let metadata = json::member(head, "metadata").unwrap_or_default();
    let text = |name| json::member(metadata, name).and_then(unquoted);
    (text("namespace"), text("name"))
}

fn unquoted(text: &str) -> Option<&str> {
    text.strip_prefix('"')?.strip_suffix('"').filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_is_known_by_its_metadata_wherever_that_stands() {
        let raw = r#"{"spec":{"metadata":{"name":"inner"}},"metadata":{"managedFields":[{"a":{}}],
            "namespace":"shop","name":"a\u0026b","uid":"1-2","resourceVersion":"7"}}"#;
        let meta = Meta::of(raw).unwrap();
        let object = meta.object(raw);
        assert_eq!((object.namespace, object.name), ("shop", "a&b"));
        assert_eq!((object.uid, object.resource_version), ("1-2", "7"));
        assert_eq!(object.raw, raw);
    }

    #[test]
    fn an_object_without_a_name_is_a_problem() {
        for raw in
            ["{}", r#"{"metadata":{}}"#, r#"{"metadata":null}"#, r#"{"metadata":{"name":1}}"#]
        {
            assert!(Meta::of(raw).is_err(), "{raw}");
        }
    }

    #[test]
    fn only_the_annotated_bookmark_ends_a_streaming_list() {
        let bookmark = |metadata: &str| Bookmark::of(&format!(r#"{{"metadata":{metadata}}}"#));
        let end = r#"{"resourceVersion":"9","annotations":{"k8s.io/initial-events-end":"true"}}"#;
        assert!(bookmark(end).unwrap().ends_list());
        let other = bookmark(r#"{"resourceVersion":"9","annotations":{"a":"b"}}"#).unwrap();
        assert!(!other.ends_list());
        assert_eq!(other.resource_version, "9");
        assert!(bookmark(r#"{"creationTimestamp":null}"#).is_none());
    }

    #[test]
    fn the_head_of_an_object_that_is_cut_off_tells_its_name() {
        let head =
            r#"{"type":"ADDED","object":{"metadata":{"name":"big","namespace":"shop"},"data":"xx"#;
        assert_eq!(identity(head), (Some("shop"), Some("big")));
        assert_eq!(identity(r#"{"metadata":{"name":"big"},"data":"xx"#), (None, Some("big")));
        assert_eq!(identity("nonsense"), (None, None));
    }
}
