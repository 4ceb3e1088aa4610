//! Each folder below `fixtures/` is a small host: `proc/`, `sys/`, `udev/`, a file `flags` with a `name=value` a line where
//! the case needs some, and `expected.prom`, what the collector of the folder's name writes. `NAME.CASE` is one more case of
//! collector NAME. `UPDATE_GOLDEN=1` writes what is found; read the difference before you commit it.

use std::path::{Path, PathBuf};

use exporter_toolkit::{Exposition, Format};
use node_exporter_rs::collector::{COLLECTORS, Setup};
use node_exporter_rs::flags::Flags;
use node_exporter_rs::host::Host;

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
    let mut out = Exposition::new(Format::Text);
    let mut verdict = String::new();
    for _ in 0..2 {
        out.restart(Format::Text);
        verdict = match collector.collect(&mut out) {
            Ok(()) => String::new(),
            Err(error) => format!("# error: {error}\n"),
        };
    }
    String::from_utf8(out.text().to_vec()).unwrap() + &verdict
}

#[test]
fn every_fixture_gives_what_is_expected() {
    // Relative, as some labels hold paths; the test runs in the crate's folder.
    let mut folders: Vec<PathBuf> =
        std::fs::read_dir("fixtures").unwrap().map(|entry| entry.unwrap().path()).collect();
    folders.sort();
    let mut wrong = Vec::new();
    for folder in &folders {
        let found = exposition(folder);
        let file = folder.join("expected.prom");
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::write(&file, &found).unwrap();
        }
        let expected = std::fs::read_to_string(&file).unwrap_or_default();
        if found != expected {
            let differs = found.lines().zip(expected.lines()).position(|(a, b)| a != b);
            let line = differs.unwrap_or(found.lines().count().min(expected.lines().count()));
            wrong.push(format!(
                "{}:{}\n  found    {:?}\n  expected {:?}",
                file.display(),
                line + 1,
                found.lines().nth(line),
                expected.lines().nth(line)
            ));
        }
    }
    assert!(!folders.is_empty());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
