//! Each folder below `fixtures/` is a small host: `proc/`, `sys/`, `udev/`, a file `flags` with a `name=value` a line where
//! the case needs some, and `expected.prom`, what the collector of the folder's name writes. `NAME.CASE` is one more case of
//! collector NAME. `UPDATE_GOLDEN=1` writes what is found; read the difference before you commit it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::disallowed_methods,
    reason = "a test, whose helpers are part of it"
)]

use std::path::Path;

use exporter_toolkit::{Exposition, Format, Gauge, Merger, golden};
use node_exporter_rs::collector::{COLLECTORS, Setup};
use node_exporter_rs::flags::Flags;
use node_exporter_rs::host::Host;

static FAILURE: Gauge<1> =
    Gauge::new("collector_failure", "What the collector ended with, where it failed.", ["error"]);

/// Runs the collector of a fixture folder twice, as kept files and caches show in the second run.
fn exposition(folder: &Path) -> String {
    let name = folder.file_name().unwrap().to_str().unwrap();
    let name = name.split('.').next().unwrap();
    let spec = COLLECTORS.iter().find(|spec| spec.name == name);
    let spec = spec.unwrap_or_else(|| panic!("{}: no collector {name}", folder.display()));
    let mut flags = Flags::default();
    for line in std::fs::read_to_string(folder.join("flags")).unwrap_or_default().lines() {
        let (name, value) = line.split_once('=').expect("name=value");
        flags.set(name, value);
    }
    let mut collector = (spec.build)(&Setup { host: Host::below(folder), flags }).unwrap();
    let (mut out, mut verdict) = (Exposition::default(), Exposition::default());
    for _ in 0..2 {
        out.restart(Format::Text);
        verdict.restart(Format::Text);
        if let Err(error) = collector.collect(&mut out) {
            verdict.family(&FAILURE).sample(error.to_string(), 1_u8);
        }
    }
    let mut text = Vec::new();
    Merger::default().merge(&[&out, &verdict], Format::Text, &mut text);
    String::from_utf8(text).unwrap()
}

#[test]
fn every_fixture_gives_what_is_expected() {
    // Relative, as some labels hold paths; the test runs in the crate's folder.
    golden::run(Path::new("fixtures"), exposition);
}
