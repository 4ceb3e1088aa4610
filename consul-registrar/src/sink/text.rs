//! A row as a target group of `file_sd` and `http_sd`: one target with its labels, the same text wherever it is shown.

use std::borrow::Cow;
use std::collections::BTreeMap;

use exporter_toolkit::yaml;
use serde::{Deserialize, Serialize};

use crate::row::{Identity, Row};

/// Tags have no place in `file_sd`; this label carries the user's own, as `consul_sd` writes them: `,a,b,`.
const TAGS: &str = "__meta_registrar_tags";
const PATH: &str = "__metrics_path__";
const SCHEME: &str = "__scheme__";

/// How a list of targets is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    Json,
    Yaml,
}

/// A target group with one target (Prometheus' `<static_config>`).
#[derive(Debug, Serialize, Deserialize)]
struct Entry<'a> {
    #[serde(borrow)]
    targets: Vec<Cow<'a, str>>,
    #[serde(borrow, default)]
    labels: BTreeMap<Cow<'a, str>, Cow<'a, str>>,
}

/// The labels, under names that Prometheus takes. `owner` is of use to the registry alone.
fn labels<'a>(identity: &'a Identity, row: &'a Row) -> BTreeMap<Cow<'a, str>, Cow<'a, str>> {
    let mut labels = BTreeMap::new();
    for (key, value) in identity.meta(row) {
        match key {
            "owner" => {}
            "metrics_path" => _ = labels.insert(PATH.into(), value),
            "scheme" => _ = labels.insert(SCHEME.into(), value),
            _ => _ = labels.entry(label_name(key)).or_insert(value),
        }
    }
    labels.insert("job".into(), (&*row.target.key.service).into());
    let tags = identity.own_tags(row);
    if !tags.is_empty() {
        let joined: Vec<&str> = tags.into_iter().collect();
        labels.insert(TAGS.into(), format!(",{},", joined.join(",")).into());
    }
    labels
}

fn label_name(key: &str) -> Cow<'_, str> {
    let digit = key.starts_with(|c: char| c.is_ascii_digit());
    if digit {
        return format!("_{}", key.replace('-', "_")).into();
    }
    if key.contains('-') { key.replace('-', "_").into() } else { key.into() }
}

/// Appends the whole list, sorted as it is given, each target on a line of its own.
pub fn write<'a>(
    form: Form,
    identity: &Identity,
    rows: impl Iterator<Item = &'a Row>,
    out: &mut Vec<u8>,
) {
    let mut first = true;
    for row in rows {
        start(form, first, out);
        one(form, identity, row, out);
        first = false;
    }
    end(form, first, out);
}

/// What stands before a target.
pub fn start(form: Form, first: bool, out: &mut Vec<u8>) {
    match form {
        Form::Json => out.extend_from_slice(if first { b"[\n" } else { b",\n" }),
        Form::Yaml => out.extend_from_slice(b"- "),
    }
}

/// What ends a list; `empty` where no target was written.
pub fn end(form: Form, empty: bool, out: &mut Vec<u8>) {
    match (form, empty) {
        (_, true) => out.extend_from_slice(b"[]\n"),
        (Form::Json, false) => out.extend_from_slice(b"\n]\n"),
        (Form::Yaml, false) => {}
    }
}

/// One target. JSON's strings are YAML's double-quoted ones (YAML 1.2, section 1.3).
pub fn one(form: Form, identity: &Identity, row: &Row, out: &mut Vec<u8>) {
    let entry =
        Entry { targets: vec![row.target.key.host_port().into()], labels: labels(identity, row) };
    // Strings always become JSON, and writing to memory cannot fail.
    let _written = match form {
        Form::Json => serde_json::to_writer(&mut *out, &entry),
        Form::Yaml => {
            out.extend_from_slice(b"targets: ");
            let targets = serde_json::to_writer(&mut *out, &entry.targets);
            out.extend_from_slice(b"\n  labels:\n");
            for (name, value) in &entry.labels {
                out.extend_from_slice(format!("    {name}: ").as_bytes());
                if serde_json::to_writer(&mut *out, value).is_ok() {
                    out.push(b'\n');
                }
            }
            targets
        }
    };
}

/// The rows of a list that [`write()`] wrote; what is no such row is left out. `None` where the text is no list of targets or
/// one of them is not of this cluster.
pub fn read(form: Form, identity: &Identity, text: &str) -> Option<Vec<Row>> {
    let entries: Vec<Entry<'_>> = match form {
        Form::Json => serde_json::from_str(text).ok()?,
        Form::Yaml => {
            yaml::parse_large::<Vec<Owned>>(text).ok()?.into_iter().map(Entry::from).collect()
        }
    };
    let cluster = |entry: &Entry<'_>| entry.label("cluster_name") == &*identity.cluster;
    entries
        .iter()
        .all(cluster)
        .then(|| entries.iter().filter_map(|entry| row(identity, entry)).collect())
}

impl Entry<'_> {
    fn label(&self, name: &str) -> &str {
        self.labels.get(name).map_or("", |value| &**value)
    }
}

/// Of YAML nothing can be borrowed.
#[derive(Deserialize)]
struct Owned {
    targets: Vec<String>,
    #[serde(default)]
    labels: BTreeMap<String, String>,
}

impl From<Owned> for Entry<'_> {
    fn from(owned: Owned) -> Self {
        Self {
            targets: owned.targets.into_iter().map(Cow::Owned).collect(),
            labels: owned.labels.into_iter().map(|(k, v)| (Cow::Owned(k), Cow::Owned(v))).collect(),
        }
    }
}

fn row(identity: &Identity, entry: &Entry<'_>) -> Option<Row> {
    let [target] = &*entry.targets else { return None };
    let (address, port) = target.rsplit_once(':')?;
    let tags = entry.label(TAGS).split(',').filter(|tag| !tag.is_empty());
    let meta = entry.labels.iter().filter_map(|(name, value)| match &**name {
        "job" | TAGS => None,
        PATH => Some(("metrics_path", &**value)),
        SCHEME => Some(("scheme", &**value)),
        name => Some((name, &**value)),
    });
    identity.read_back((entry.label("job"), address, port.parse().ok()?), tags, meta)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::group::Group;
    use crate::target::Draft;

    fn rows(identity: &Identity) -> Vec<Row> {
        let draft = |address: &str, tags: &[&str]| Draft {
            service: "node-exporter".into(),
            address: address.into(),
            port: "9100".into(),
            node: "n \"1\"".into(),
            meta: [("namespace".into(), "süd: #1".into())].into(),
            tags: tags.iter().map(|&tag| tag.to_owned()).collect(),
            ..Draft::default()
        };
        let drafts = [draft("10.0.0.1", &[]), draft("fd00::1", &["b", "a"])];
        drafts.map(|d| identity.row(Arc::new(d.check().unwrap()), Some(Group(0)))).into()
    }

    #[test]
    fn a_target_is_one_line_of_json() {
        let identity = Identity::new("bj-1", "bj-1", &[], &["t".to_owned()]);
        let mut out = Vec::new();
        write(Form::Json, &identity, rows(&identity).iter(), &mut out);
        let text = String::from_utf8(out).unwrap();
        let line = text.lines().nth(2).unwrap();
        assert_eq!(
            line,
            r#"{"targets":["[fd00::1]:9100"],"labels":{"__meta_registrar_tags":",a,b,t,","__metrics_path__":"/metrics","__scheme__":"http","cluster_name":"bj-1","group":"g0","ip":"fd00::1","job":"node-exporter","namespace":"süd: #1","node":"n \"1\""}}"#
        );
    }

    #[test]
    fn a_list_that_was_written_is_read_back_the_same() {
        let identity = Identity::new("bj-1", "bj-1", &[], &["t".to_owned()]);
        let rows = rows(&identity);
        for form in [Form::Json, Form::Yaml] {
            let mut out = Vec::new();
            write(form, &identity, rows.iter(), &mut out);
            let text = String::from_utf8(out).unwrap();
            let read = read(form, &identity, &text).unwrap_or_else(|| panic!("{text}"));
            let digests = |rows: &[Row]| rows.iter().map(|row| row.digest).collect::<Vec<_>>();
            assert_eq!(digests(&read), digests(&rows), "{text}");
            let other = Identity::new("bj-2", "bj-2", &[], &[]);
            assert_eq!(super::read(form, &other, &text), None);
        }
    }

    #[test]
    fn an_empty_list_is_a_list() {
        let identity = Identity::new("c", "c", &[], &[]);
        for form in [Form::Json, Form::Yaml] {
            let mut out = Vec::new();
            write(form, &identity, std::iter::empty(), &mut out);
            assert_eq!(out, b"[]\n");
        }
    }
}
