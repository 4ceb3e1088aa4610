//! What fixtures give in every sink, to the byte: `fixtures/cluster` by the shipped rules, `fixtures/static` as a file.
//! `UPDATE_GOLDEN=1` writes what they give now.
#![expect(clippy::disallowed_methods, reason = "what is read is the tests' own")]

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::time::Instant;

use crate::catalog::{Catalog, Published};
use crate::consul::apply::operation;
use crate::consul::mirror::{Mirror, Plan};
use crate::consul::wire::Place;
use crate::group::Grouping;
use crate::guard::Guard;
use crate::row::Identity;
use crate::sink::text::{self, Form};
use crate::source::kubernetes::Found;
use crate::target::{Held, Snapshot, State};

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(name)
}

fn identity() -> Arc<Identity> {
    let meta = [("team".to_owned(), "core".to_owned())];
    Arc::new(Identity::new("bj-1", "bj-1", &meta, &["prod".to_owned()]))
}

fn published(found: Vec<Found>) -> Arc<Published> {
    let mut catalog = Catalog::new(identity(), Grouping::Sticky { size: 5 }, Guard::new(0.2));
    let now = Instant::now();
    let snapshot = Some(Arc::new(Snapshot::of(found)));
    let state = State { snapshot, unsynced: None, confirmed: Some(now) };
    catalog.pass(now, &[("golden".into(), state)], &[], 0);
    Arc::clone(catalog.published())
}

/// What is written to an empty Consul: one operation a line.
fn rows(published: &Published) -> String {
    let plan = Plan::new(&identity(), published, &Mirror::default(), |_, _| false);
    let (identity, place) = (identity(), Place { node: "registrar.bj-1", ..Place::default() });
    let operations = plan.create.iter().map(|change| operation(place, &identity, change));
    let lines: Vec<String> =
        operations.map(|operation| serde_json::to_string(&operation).unwrap()).collect();
    format!("[\n{}\n]\n", lines.join(",\n"))
}

fn list(form: Form, published: &Published) -> String {
    let mut out = Vec::new();
    text::write(form, &identity(), published.rows.iter(), &mut out);
    String::from_utf8(out).unwrap()
}

fn held(published: &Published) -> String {
    let line = |held: &Held| {
        let Held { service, address, reason, origin } = held;
        format!("{service} {address}: {reason} ({origin})\n")
    };
    let lines: Vec<String> = published.held.iter().map(line).collect();
    lines.concat()
}

#[track_caller]
fn check(name: &str, found: Vec<Found>) {
    let mut backwards = found.clone();
    backwards.reverse();
    let published = published(found);
    let given = [
        ("rows.json", rows(&published)),
        ("file_sd.json", list(Form::Json, &published)),
        ("file_sd.yaml", list(Form::Yaml, &published)),
        ("held.txt", held(&published)),
    ];
    let again = self::published(backwards);
    assert_eq!(again.rows, published.rows, "the order that targets are found in is seen");
    for (file, text) in given {
        let path = folder(name).join(file);
        if std::env::var_os("UPDATE_GOLDEN").is_some_and(|value| value == "1") {
            fs::write(&path, &text).unwrap();
        }
        let expected = fs::read_to_string(&path).unwrap_or_default();
        assert_eq!(text, expected, "{}", path.display());
    }
}

#[test]
fn a_cluster_by_the_shipped_rules() {
    let objects = fs::read_to_string(folder("cluster").join("objects.json")).unwrap();
    check("cluster", crate::source::kubernetes::found(&objects));
}

#[test]
fn a_file_of_targets() {
    let file = folder("static").join("targets.yaml");
    let text = fs::read_to_string(file).unwrap();
    check("static", crate::source::files::found("targets.yaml", &text));
}
