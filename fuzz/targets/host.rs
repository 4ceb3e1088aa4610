//! Any bytes in any file of /proc and /sys: a collector says what is wrong, and what it writes stays an exposition.
#![no_main]

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

use exporter_toolkit::{Exposition, Format, Merger, golden};
use fuzz::{choice, chosen, fixtures, host_files, seeds};
use libfuzzer_sys::fuzz_target;
use node_exporter_rs::collector::{COLLECTORS, Setup, Spec};
use node_exporter_rs::flags::Flags;
use node_exporter_rs::host::Host;

/// A copy of the fixtures, and its files.
struct Tree {
    folder: PathBuf,
    files: Vec<PathBuf>,
}

static TREE: OnceLock<Tree> = OnceLock::new();

fn copy() -> Tree {
    let folder = tempfile::tempdir().unwrap().keep();
    let copied = Command::new("cp")
        .arg("-a")
        .arg(fixtures("node-exporter-rs").join("."))
        .arg(&folder)
        .status();
    assert!(copied.unwrap().success());
    Tree { files: host_files(&folder), folder }
}

/// The folder `NAME.CASE` is a host for the collector NAME.
fn spec(case: &str) -> Option<&'static Spec> {
    let name = case.split('.').next()?;
    COLLECTORS.iter().copied().find(|spec| spec.name == name)
}

fn inputs() -> Vec<Vec<u8>> {
    let tree = fixtures("node-exporter-rs");
    let files = host_files(&tree);
    let inputs = files.iter().enumerate();
    inputs
        .filter_map(|(number, path)| Some(chosen(number, &fs::read(tree.join(path)).ok()?)))
        .collect()
}

fuzz_target!(init: seeds(inputs), |input: &[u8]| {
    let tree = TREE.get_or_init(copy);
    let Some((number, bytes)) = choice(input, tree.files.len()) else { return };
    let path = &tree.files[number];
    let Some(case) = path.iter().next().and_then(|case| case.to_str()) else { return };
    let Some(spec) = spec(case) else { return };
    let (file, folder) = (tree.folder.join(path), tree.folder.join(case));
    let mut flags = Flags::default();
    for line in fs::read_to_string(folder.join("flags")).unwrap_or_default().lines() {
        if let Some((name, value)) = line.split_once('=') {
            flags.set(name, value);
        }
    }
    let before = fs::read(&file).unwrap();
    fs::write(&file, bytes).unwrap();
    let mut out = Exposition::new(Format::Text);
    if let Ok(mut collector) = (spec.build)(&Setup { host: Host::below(&folder), flags }) {
        // What it says of the bytes is free.
        let _verdict = collector.collect(&mut out);
    }
    fs::write(&file, before).unwrap();
    let mut text = Vec::new();
    Merger::default().merge(&[&out], Format::Text, &mut text);
    let text = String::from_utf8(text).expect("an exposition is UTF-8");
    // A kernel names nothing twice; Prometheus takes the first of two.
    let problems = golden::check(&text, Format::Text).into_iter().filter(|problem| !problem.what.contains("twice"));
    assert_eq!(problems.collect::<Vec<_>>(), [], "{}\n{text}", path.display());
});
