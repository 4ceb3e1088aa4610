//! Any bytes as what the kernel says of cgroups and processes, and as a body that is completed with a snapshot: no panic, and
//! nothing of the body is lost.
#![no_main]

use std::sync::LazyLock;

use cadvisor_proxy_rs::cgroup::{CgroupOptions, Filler, Reader, Snapshot, parse_anything};
use cadvisor_proxy_rs::identity::Directory;
use clap::Parser;
use fuzz::{fixtures, seeds};
use libfuzzer_sys::fuzz_target;

#[derive(Parser)]
struct Command {
    #[command(flatten)]
    cgroup: CgroupOptions,
}

/// Where the tree of a cgroup is that every run reads.
static FOLDER: LazyLock<tempfile::TempDir> = LazyLock::new(|| {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("cgroup.controllers"), "").expect("a file");
    std::fs::create_dir(folder.path().join("docker")).expect("a folder");
    folder
});

fn inputs() -> Vec<Vec<u8>> {
    let cases = std::fs::read_dir(fixtures("cadvisor-proxy-rs")).expect("fixtures");
    let tree = |case: std::fs::DirEntry| std::fs::read_to_string(case.path().join("tree.txt"));
    let texts = cases.filter_map(Result::ok).filter_map(|case| tree(case).ok());
    let parts = texts.flat_map(|text| text.split("=== ").map(str::to_owned).collect::<Vec<_>>());
    let file = |part: String| part.split_once('\n').map(|(_, file)| file.as_bytes().to_vec());
    parts.filter_map(file).collect()
}

fuzz_target!(init: seeds(inputs), |input: &[u8]| {
    parse_anything(input);
    for name in ["memory.stat", "cpu.stat", "io.stat", "memory.current", "cgroup.procs", "pids.max"] {
        std::fs::write(FOLDER.path().join("docker").join(name), input).expect("a file");
    }
    let options = Command::parse_from(["fuzz", "--cgroup.disable=disk,machine"]).cgroup;
    let mut paths = options.paths("/nonexistent".into());
    paths.cgroup = FOLDER.path().to_owned();
    let mut snapshot = Snapshot::default();
    let mut reader = Reader::new(&options, paths).expect("a tree");
    reader.read(&Directory::default(), &mut snapshot);
    let (mut filler, mut out) = (Filler::new(snapshot, options.enabled()), Vec::new());
    input.chunks(7).for_each(|chunk| filler.push(chunk, &mut out));
    filler.finish(&mut out);
    assert!(out.len() >= input.len());
});
