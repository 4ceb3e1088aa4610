//! Each folder below `fixtures/` holds objects of the resource that it is named after, as `kubectl get -o yaml` prints
//! them: `NAME.yaml`, one object or several between `---`, and the text they give, `NAME.prom`. `UPDATE_GOLDEN=1` writes
//! what is found; read the difference before you commit it.
//!
//! The comments at the head of an object's file may hold settings, a line each:
//!
//! ```yaml
//! # labels: app, team*
//! # annotations: *
//! # opt-in: kube_pod_nodeselectors
//! # compat: v1.4
//! ```

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test, whose helpers are part of it"
)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use exporter_toolkit::{Format, golden};
use kube_state_rs::family::{About, Given};
use kube_state_rs::rendered::Rendered;
use kube_state_rs::resource::{BuiltIn, RESOURCES, Renderer as _, find};
use kube_state_rs::selection::{Keys, Selection};

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures")
}

/// The values of a setting in the comments at the head of a file.
fn setting<'t>(text: &'t str, name: &str) -> Option<Vec<&'t str>> {
    let mut head = text.lines().map_while(|line| line.strip_prefix('#'));
    let values = head.find_map(|line| line.trim().strip_prefix(name)?.strip_prefix(':'))?;
    Some(values.split(',').map(str::trim).collect())
}

fn renderer(resource: &str, text: &str) -> BuiltIn {
    let resource = find(resource).unwrap_or_else(|| panic!("fixtures/{resource}: no resource"));
    let keys = |name| setting(text, name).map(|keys| Keys::new(&keys));
    let selection = Selection { labels: keys("labels"), annotations: keys("annotations") };
    let opt_in = setting(text, "opt-in").unwrap_or_default();
    let compat = setting(text, "compat").is_some_and(|versions| versions == ["v1.4"]);
    BuiltIn::new(resource, selection, |about: &About| match about.given {
        Given::Always => true,
        Given::OptIn => opt_in.contains(&about.name),
        Given::Compat => compat,
    })
}

/// What the objects of a file give together, less the headers of families without a sample.
fn exposition(file: &Path) -> String {
    let resource = file.parent().unwrap().file_name().unwrap().to_str().unwrap();
    let text = fs::read_to_string(file).unwrap();
    let renderer = renderer(resource, &text);
    let mut families = vec![Vec::new(); renderer.families().len()];
    let objects: Vec<serde_json::Value> = serde_saphyr::from_multiple(&text)
        .unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let mut out = Rendered::default();
    for object in objects {
        let json = serde_json::to_vec(&object).unwrap();
        let done = renderer.render(&json, &mut out);
        done.unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        for (whole, part) in families.iter_mut().zip(out.families()) {
            whole.extend_from_slice(part);
        }
    }
    let headers = renderer.families().iter().map(|header| header.text(Format::Text));
    let given = headers.zip(families).filter(|(_, samples)| !samples.is_empty());
    String::from_utf8(given.flat_map(|(header, samples)| [header, samples]).flatten().collect())
        .unwrap()
}

#[test]
fn every_fixture_gives_what_is_expected() {
    for resource in RESOURCES {
        golden::run_files(&fixtures().join(resource.plural()), "yaml", exposition);
    }
}

#[test]
fn every_family_has_a_sample_in_a_fixture() {
    let mut missing = BTreeSet::new();
    for resource in RESOURCES {
        missing.extend(resource.families().iter().map(|about| about.name));
        let files = fs::read_dir(fixtures().join(resource.plural())).unwrap();
        let files = files.map(|file| file.unwrap().path());
        for file in files.filter(|file| file.extension().is_some_and(|one| one == "yaml")) {
            for line in exposition(&file).lines() {
                missing.remove(line.split(['{', ' ']).next().unwrap());
            }
        }
    }
    assert!(missing.is_empty(), "{missing:#?}");
}

#[test]
fn every_folder_is_a_resources() {
    for folder in fs::read_dir(fixtures()).unwrap() {
        let name = folder.unwrap().file_name();
        assert!(find(name.to_str().unwrap()).is_some(), "{name:?} is no resource");
    }
}
