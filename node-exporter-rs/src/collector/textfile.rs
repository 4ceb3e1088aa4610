//! `node_textfile_*` and whatever the `*.prom` files say that other programs leave in folders for us.
//!
//! A file is read again only when it changed: what it said is kept, and so is the merged whole.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use exporter_toolkit::{Exposition, Gauge};

use super::{CollectError, Collector, Spec};
use crate::flags::Flag;

mod family;
mod merge;
mod parse;

use merge::{Good, Plan};

/// A longer file is refused: 100,000 samples fit.
const FILE_LIMIT: u64 = 16 << 20;
/// All files together; those beyond it, in the order of directories and names, are refused.
const TEXT_LIMIT: u64 = 64 << 20;
/// Files beyond this number are refused.
const FILES_LIMIT: usize = 1000;
/// Directories that a pattern may match.
const DIRECTORIES_LIMIT: usize = 1000;
/// A file that changed so lately may change again within the same tick of its file system's clock (FAT has 2 s): it is
/// read again at the next scrape.
const SETTLED_SECONDS: i64 = 3;

static DIRECTORY: Flag<String> = Flag::new(
    "collector.textfile.directory",
    "",
    "Directory with *.prom files, or a pattern (*, ?, [a-z]) that matches such directories.",
)
.takes("DIR")
.repeats();

static MTIME: Gauge<1> = Gauge::new(
    "node_textfile_mtime_seconds",
    "When each file that was read without error last changed, in seconds since 1970.",
    ["file"],
);
static ERROR: Gauge<0> = Gauge::new(
    "node_textfile_scrape_error",
    "1 if a directory or file, or a part of one, was left out; the log says which and why.",
    [],
);

pub static SPEC: Spec = Spec {
    name: "textfile",
    enabled: true,
    about: "Samples that other programs leave in *.prom files.",
    flags: &[&DIRECTORY],
    families: &[&MTIME, &ERROR],
    build: |setup| {
        let mut directories = setup.flags.all(&DIRECTORY)?;
        directories.retain(|directory| !directory.is_empty());
        Ok(Box::new(Textfile { directories, ..Textfile::default() }))
    },
};

#[derive(Debug, Default)]
struct Textfile {
    directories: Vec<String>,
    /// What each file said when it was last read.
    files: BTreeMap<PathBuf, Known>,
    /// The files that the plan was made of, in order.
    good: Vec<Good>,
    plan: Plan,
    /// What was wrong at the last scrape, so that it is logged once.
    reported: BTreeSet<String>,
}

#[derive(Debug)]
struct Known {
    stamp: Stamp,
    said: Result<Arc<parse::Parsed>, String>,
}

/// What tells that a file is another than before.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Stamp {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
    /// Also moves where a writer sets the modification time back.
    changed: (i64, i64),
}

impl Stamp {
    fn of(meta: &Metadata) -> Self {
        Self {
            device: meta.dev(),
            inode: meta.ino(),
            size: meta.size(),
            modified: (meta.mtime(), meta.mtime_nsec()),
            changed: (meta.ctime(), meta.ctime_nsec()),
        }
    }

    /// False while a further change might leave the same stamp.
    fn settled(&self, now: i64) -> bool {
        self.modified.0.max(self.changed.0) + SETTLED_SECONDS <= now
    }
}

impl Collector for Textfile {
    fn collect(&mut self, out: &mut Exposition) -> Result<(), CollectError> {
        let mut problems = Vec::new();
        let paths = self.list(&mut problems);
        let mtimes = self.read(&paths, &mut problems);
        self.plan.write(out);
        let mut family = out.family(&MTIME);
        for (path, mtime) in &mtimes {
            family.sample(path.as_os_str().as_bytes(), *mtime);
        }
        problems.extend_from_slice(&self.plan.problems);
        out.family(&ERROR).sample((), !problems.is_empty());
        self.report(problems);
        Ok(())
    }
}

impl Textfile {
    /// The files to read: directories in the order given, names sorted, no file twice.
    fn list(&self, problems: &mut Vec<String>) -> Vec<PathBuf> {
        let mut paths = Vec::new();
        for folder in self.directories.iter().flat_map(|directory| expand(directory)) {
            match prom_files(&folder) {
                Ok(found) => paths.extend(found),
                Err(error) => problems.push(format!(
                    "{}: cannot list it: {error}; create it, or correct --collector.textfile.directory",
 folder.display()
)),
            }
        }
        let mut seen = BTreeSet::new();
        paths.retain(|path| seen.insert(path.clone()));
        if paths.len() > FILES_LIMIT {
            problems.push(format!(
                "{} files are left out, {} the first: more than {FILES_LIMIT} files",
                paths.len() - FILES_LIMIT,
                paths[FILES_LIMIT].display()
            ));
            paths.truncate(FILES_LIMIT);
        }
        paths
    }

    /// Brings what is known of the files up to date; gives the times of the good ones, sorted by path.
    fn read<'a>(
        &mut self,
        paths: &'a [PathBuf],
        problems: &mut Vec<String>,
    ) -> Vec<(&'a Path, i64)> {
        let now = SystemTime::UNIX_EPOCH.elapsed().map_or(0, |time| time.as_secs());
        let now = i64::try_from(now).unwrap_or(i64::MAX);
        let mut before = std::mem::take(&mut self.files);
        let (mut good, mut mtimes, mut total) = (Vec::new(), Vec::new(), 0);
        for path in paths {
            let known = before.remove(path).filter(|known| known.stamp.settled(now));
            match examine(path, known, &mut total) {
                Ok(known) => {
                    match &known.said {
                        Ok(parsed) => {
                            mtimes.push((path.as_path(), known.stamp.modified.0));
                            good.push(Good { path: path.clone(), parsed: Arc::clone(parsed) });
                        }
                        Err(problem) => problems.push(format!("{}: {problem}", path.display())),
                    }
                    self.files.insert(path.clone(), known);
                }
                Err(problem) => problems.push(format!("{}: {problem}", path.display())),
            }
        }
        let same = |(a, b): (&Good, &Good)| Arc::ptr_eq(&a.parsed, &b.parsed) && a.path == b.path;
        if good.len() != self.good.len() || !good.iter().zip(&self.good).all(same) {
            self.plan = Plan::new(&good, &[MTIME.name(), ERROR.name()]);
            self.good = good;
        }
        mtimes.sort_unstable();
        mtimes
    }

    /// Logs what was not wrong before.
    fn report(&mut self, problems: Vec<String>) {
        if problems.is_empty() && self.reported.is_empty() {
            return;
        }
        let problems: BTreeSet<String> = problems.into_iter().collect();
        for problem in problems.difference(&self.reported) {
            tracing::warn!(collector = "textfile", "{problem}");
        }
        self.reported = problems;
    }
}

/// What the file says; from memory where it is the same as before. An error is one of reading.
fn examine(path: &Path, known: Option<Known>, total: &mut u64) -> Result<Known, String> {
    let meta = path.metadata().map_err(|error| format!("cannot read it: {error}"))?;
    if !meta.is_file() {
        return Err("not a regular file".to_owned());
    }
    let stamp = Stamp::of(&meta);
    *total = total.saturating_add(stamp.size);
    if stamp.size > FILE_LIMIT {
        return Err(format!("left out: longer than {} MiB", FILE_LIMIT >> 20));
    }
    if *total > TEXT_LIMIT {
        return Err(format!("left out: all files together exceed {} MiB", TEXT_LIMIT >> 20));
    }
    match known {
        Some(known) if known.stamp == stamp => Ok(known),
        _ => open(path).map_err(|error| format!("cannot read it: {error}")),
    }
}

/// Reads a file. Its stamp is taken before its text, so a change in between shows at the next scrape.
fn open(path: &Path) -> io::Result<Known> {
    let file = File::open(path)?;
    let stamp = Stamp::of(&file.metadata()?);
    let mut text = Vec::new();
    file.take(FILE_LIMIT).read_to_end(&mut text)?;
    let said = parse::parse(&text);
    Ok(Known { stamp, said: said.map(Arc::new).map_err(|refused| refused.to_string()) })
}

/// The directories that a flag's value means: those that match it, or itself where it is no pattern or none matches.
fn expand(directory: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    if directory.contains(['*', '?', '['])
        && let Ok(paths) = glob::glob(directory)
    {
        found.extend(paths.filter_map(Result::ok).take(DIRECTORIES_LIMIT));
    }
    if found.is_empty() {
        found.push(PathBuf::from(directory));
    }
    found
}

fn prom_files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let is_prom = |name: &OsStr| name.as_bytes().ends_with(b".prom");
    let clean = clean(folder);
    let mut paths: Vec<PathBuf> = std::fs::read_dir(folder)?
        .filter_map(|entry| Some(entry.ok()?.file_name()))
        .filter(|name| is_prom(name))
        .map(|name| clean.join(name))
        .collect();
    paths.sort_unstable();
    Ok(paths)
}

/// A path as the peer's `file` label shows it: without `.`, `..` and doubled slashes.
fn clean(path: &Path) -> PathBuf {
    let mut clean = PathBuf::new();
    for part in path.components() {
        let below = matches!(clean.components().next_back(), Some(Component::Normal(_)));
        match part {
            Component::CurDir => {}
            Component::ParentDir if below => _ = clean.pop(),
            Component::ParentDir if clean.is_absolute() => {}
            part => clean.push(part),
        }
    }
    clean
}

#[cfg(test)]
mod tests;
