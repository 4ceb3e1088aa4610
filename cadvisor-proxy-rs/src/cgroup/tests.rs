//! Hosts of all kinds, each a tree of files in one text, and what becomes of them on the whole way to the scraper.

use std::fs::{self, File};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use super::options::tests::options;
use super::{Paths, Reader, Snapshot, Written};
use crate::identity::{Directory, Shared, read_file};
use crate::rewrite::{RewriteOptions, Settings, Subject, Workshop};

#[derive(clap::Parser)]
struct Command {
    #[command(flatten)]
    series: RewriteOptions,
}

/// When all folders were made, as far as a kernel would say.
const MADE: u64 = 1_796_000_100;

/// Writes the files of a text, in which `=== PATH` begins one and `=== PATH -> TARGET` is a link.
fn unpack(text: &str, folder: &Path) {
    for part in text.split("=== ").skip(1) {
        let (name, text) = part.split_once('\n').unwrap();
        let (name, target) = name.split_once(" -> ").map_or((name, None), |(n, t)| (n, Some(t)));
        let path = folder.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        match target {
            Some(target) => std::os::unix::fs::symlink(target, path).unwrap(),
            None => fs::write(path, text).unwrap(),
        }
    }
    settle(folder);
}

/// Gives all folders one time.
fn settle(folder: &Path) {
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        if entry.file_type().unwrap().is_dir() {
            settle(&entry.path());
        }
    }
    let time = UNIX_EPOCH + Duration::from_secs(MADE);
    File::open(folder).unwrap().set_modified(time).unwrap();
}

fn below(folder: &Path) -> Paths {
    Paths {
        procfs: folder.join("proc"),
        sysfs: folder.join("sys"),
        cgroup: folder.join("sys/fs/cgroup"),
        rootfs: folder.join("root"),
    }
}

fn text(case: &Path, name: &str) -> String {
    let file = File::open(case.join(name));
    file.and_then(std::io::read_to_string).unwrap_or_default()
}

fn unpacked(case: &Path) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    unpack(&text(case, "tree.txt"), folder.path());
    folder
}

fn case(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(name)
}

fn directory(case: &Path) -> Directory {
    let file = case.join("identity.yaml");
    Directory::of(&read_file(&file, &"".parse().unwrap(), None).unwrap())
}

fn reader(flags: &[&str], folder: &Path) -> Reader {
    Reader::new(&options(flags), below(folder)).unwrap()
}

fn written(mut snapshot: Snapshot, flags: &[&str]) -> Vec<u8> {
    snapshot.now = 1_796_031_369;
    let (mut body, mut out) = (Written::new(snapshot, options(flags).enabled()), Vec::new());
    while body.piece(&mut out) {}
    out
}

/// As a scrape gets it: read, written, and through the rewriter.
fn rendered(case: &Path) -> String {
    let (folder, flags) = (unpacked(case), text(case, "flags"));
    // What the machine has that runs the test is nobody's fixture.
    let flags: Vec<&str> = flags.lines().chain(["--cgroup.disable=disk"]).collect();
    let directory = directory(case);
    let mut snapshot = Snapshot::default();
    reader(&flags, folder.path()).read(&directory, &mut snapshot);
    let series = <Command as clap::Parser>::parse_from(["agent"]).series;
    let settings = Settings::new(&series, Subject::Cgroups).unwrap();
    let mut rewriter =
        Arc::new(Workshop::new(settings, Arc::new(Shared::fixed(directory)))).rewriter();
    let mut out = Vec::new();
    rewriter.push(&written(snapshot, &flags), &mut out);
    rewriter.finish(&mut out);
    String::from_utf8(out).unwrap()
}

#[test]
fn hosts_of_all_kinds_give_what_is_expected() {
    exporter_toolkit::golden::run(&case(""), rendered);
}

#[test]
fn a_cgroup_that_goes_is_missing_and_no_other_is() {
    let case = case("cgroup-v2-cgroupfs-docker");
    let (folder, directory) = (unpacked(&case), directory(&case));
    let mut reader = reader(&[], folder.path());
    let read = |reader: &mut Reader| {
        let mut snapshot = Snapshot::default();
        reader.read(&directory, &mut snapshot);
        String::from_utf8(written(snapshot, &[])).unwrap()
    };
    let before = read(&mut reader);
    assert!(before.contains("name=\"redis\"") && before.contains("name=\"helper\""));
    // The reader does not know yet: it looks for new ones once a second here.
    fs::remove_dir_all(folder.path().join("sys/fs/cgroup/docker").join("c".repeat(64))).unwrap();
    let after = read(&mut reader);
    assert!(!after.contains("name=\"redis\"") && after.contains("name=\"helper\""), "{after}");
    assert_eq!(reader.totals().gone.load(std::sync::atomic::Ordering::Relaxed), 1);
}

#[test]
fn a_limit_that_changes_is_seen_with_the_next_walk() {
    let case = case("cgroup-v2-cgroupfs-docker");
    let (folder, directory) = (unpacked(&case), directory(&case));
    let flags = ["--cgroup.slices=false", "--cgroup.root=false"];
    let mut reader = reader(&flags, folder.path());
    let limits = |reader: &mut Reader| {
        let mut snapshot = Snapshot::default();
        reader.read(&directory, &mut snapshot);
        snapshot.rows.iter().map(|row| row.spec.memory).collect::<Vec<_>>()
    };
    assert_eq!(limits(&mut reader), [Some(67_108_864), Some(0)]);
    let file = folder.path().join("sys/fs/cgroup/docker").join("c".repeat(64)).join("memory.max");
    fs::write(file, "134217728\n").unwrap();
    std::thread::sleep(Duration::from_millis(1100));
    assert_eq!(limits(&mut reader), [Some(134_217_728), Some(0)]);
}

#[test]
fn this_machines_own_cgroups_are_read_with_a_budget_of_files() {
    let paths = options(&[]).paths("/proc".into());
    let Ok(mut few) = Reader::new(&options(&["--cgroup.kept-files=3"]), paths) else {
        // Where the tests run there are none.
        return;
    };
    let mut snapshot = Snapshot::default();
    for _ in 0..3 {
        few.read(&Directory::default(), &mut snapshot);
        assert!(!snapshot.rows.is_empty());
        assert!(few.totals().kept.load(std::sync::atomic::Ordering::Relaxed) <= 3);
    }
    let text = String::from_utf8(written(snapshot, &[])).unwrap();
    let problems = exporter_toolkit::golden::check(&text, exporter_toolkit::Format::Text);
    assert!(problems.is_empty(), "{problems:?}");
}
