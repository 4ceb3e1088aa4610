//! Which files there are, and what they said last.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use tokio::time::Instant;

use super::notice::folder;
use super::parse::parse;
use crate::source::kubernetes::Found;
use crate::source::text;

/// Files beyond so many are not read.
const MAX_FILES: usize = 1000;
/// A file system's clock is no finer than this: a file that has looked so for less when it was read may have changed again
/// without looking different.
const GRAIN: Duration = Duration::from_secs(2);

/// All files of some patterns.
pub(super) struct Files {
    patterns: Vec<String>,
    /// Of targets that name none.
    service: String,
    known: BTreeMap<PathBuf, Known>,
    /// What is wrong beside the files themselves.
    missing: Option<String>,
}

/// One file.
#[derive(Default)]
struct Known {
    /// How it looked when it was read.
    look: Option<Look>,
    /// Since when it looks so.
    since: Option<Instant>,
    /// Whether a further change would make it look different.
    settled: bool,
    /// What it said when it was good last.
    found: Option<Vec<Found>>,
    problem: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
struct Look {
    modified: Option<SystemTime>,
    size: u64,
    inode: u64,
}

impl Look {
    fn of(path: &Path) -> std::io::Result<Self> {
        let data = fs::metadata(path)?;
        Ok(Self { modified: data.modified().ok(), size: data.len(), inode: data.ino() })
    }
}

impl Files {
    pub(super) fn new(patterns: Vec<String>, service: String) -> Self {
        Self { patterns, service, known: BTreeMap::new(), missing: None }
    }

    /// The directories that tell of changes, and whether they tell of all.
    pub(super) fn folders(&self) -> (BTreeSet<PathBuf>, bool) {
        let folders: Vec<Option<PathBuf>> =
            self.patterns.iter().map(|pattern| folder(pattern)).collect();
        let all = folders.iter().all(Option::is_some);
        (folders.into_iter().flatten().collect(), all)
    }

    /// Whether nothing has to be read again because it may have changed without looking different.
    pub(super) fn is_settled(&self) -> bool {
        self.known.values().all(|known| known.settled)
    }

    /// Reads what has changed; true where there is news.
    pub(super) fn look(&mut self) -> bool {
        let missing = match self.paths() {
            Ok(paths) => return self.look_at(&paths) | self.missing.take().is_some(),
            Err(missing) => Some(missing),
        };
        // What cannot be listed keeps what it had.
        let news = self.missing != missing;
        if let Some(problem) = missing.as_ref().filter(|_| news) {
            tracing::warn!(problem, "targets stay as they were");
        }
        self.missing = missing;
        news
    }

    fn look_at(&mut self, paths: &[PathBuf]) -> bool {
        let before = self.known.len();
        self.known.retain(|path, _| paths.contains(path));
        let mut news = self.known.len() != before;
        for path in paths {
            let known = self.known.entry(path.clone()).or_default();
            news |= known.look(path, &self.service);
        }
        news
    }

    /// All files that there are. One that is named and not there is an error, as is a directory that cannot be read; that
    /// nothing in a directory is meant is none.
    fn paths(&self) -> Result<Vec<PathBuf>, String> {
        let mut paths = Vec::new();
        for pattern in &self.patterns {
            let found =
                glob::glob(pattern).map_err(|error| format!("--file '{pattern}': {error}"))?;
            let before = paths.len();
            for path in found.take(MAX_FILES) {
                paths.push(path.map_err(|error| format!("--file '{pattern}': {error}"))?);
            }
            if paths.len() == before && !directory(pattern).is_some_and(Path::is_dir) {
                return Err(format!("--file '{pattern}': there is no such file"));
            }
        }
        paths.sort();
        paths.dedup();
        Ok(paths)
    }

    /// Whether each file was good at least once. While one never was, nobody knows the whole list.
    pub(super) fn is_known(&self) -> bool {
        let read = self.missing.is_none() || !self.known.is_empty();
        read && self.known.values().all(|known| known.found.is_some())
    }

    pub(super) fn problem(&self) -> Option<String> {
        let problems = self.known.values().filter_map(|known| known.problem.as_ref());
        let problems: Vec<&str> = problems.chain(&self.missing).map(String::as_str).collect();
        (!problems.is_empty()).then(|| problems.join("; "))
    }

    pub(super) fn all(&self) -> Vec<Found> {
        self.known.values().filter_map(|known| known.found.as_ref()).flatten().cloned().collect()
    }
}

/// The directory in which a pattern looks, where only its last part is a pattern. `None` for a plain path.
fn directory(pattern: &str) -> Option<&Path> {
    let special = |part: &str| part.contains(['*', '?', '[']);
    let (above, name) = pattern.rsplit_once('/').unwrap_or((".", pattern));
    let above = if above.is_empty() { "/" } else { above };
    (special(name) && !special(above)).then(|| Path::new(above))
}

impl Known {
    /// Reads the file again where it looks different; true where there is news.
    fn look(&mut self, path: &Path, service: &str) -> bool {
        let look = Look::of(path).ok();
        if look.is_some() && look == self.look {
            if self.settled {
                return false;
            }
        } else {
            (self.look, self.since) = (look, Some(Instant::now()));
        }
        self.settled = look.is_some() && self.since.is_some_and(|since| since.elapsed() > GRAIN);
        let read = text::read(path).map_err(|error| error.to_string());
        let parsed = read
            .and_then(|text| parse(path, &text, service).map_err(|problem| problem.to_string()));
        let problem = match parsed {
            Ok(found) => {
                if self.problem.is_none() && self.found.as_ref() == Some(&found) {
                    return false;
                }
                self.found = Some(found);
                None
            }
            Err(problem) => Some(format!("{}: {problem}", path.display())),
        };
        let news = problem.is_none() || self.problem != problem;
        if let Some(problem) = problem.as_ref().filter(|_| news) {
            tracing::warn!(problem, "a file of targets is broken: what it said before stays");
        }
        self.problem = problem;
        news
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(files: &Files) -> Vec<String> {
        files.all().into_iter().flatten().map(|target| target.key.to_string()).collect()
    }

    #[test]
    fn a_broken_file_keeps_what_it_said_and_a_removed_one_goes() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        fs::write(at("a.yaml"), "- targets: [10.0.0.1:1]").unwrap();
        fs::write(at("b.yaml"), "- targets: [10.0.0.2:1]").unwrap();
        let mut files = Files::new(vec![at("*.yaml").display().to_string()], "s".into());
        assert!(files.look());
        assert!(!files.look());
        assert_eq!(keys(&files), ["s/10.0.0.1:1", "s/10.0.0.2:1"]);

        fs::write(at("a.yaml"), "- targets: [10.0.0.1:1\n- oops").unwrap();
        assert!(files.look());
        assert!(files.problem().unwrap().contains("a.yaml: line "), "{:?}", files.problem());
        assert_eq!(keys(&files), ["s/10.0.0.1:1", "s/10.0.0.2:1"]);
        assert!(files.is_known());

        fs::remove_file(at("a.yaml")).unwrap();
        assert!(files.look());
        assert_eq!(files.problem(), None);
        assert_eq!(keys(&files), ["s/10.0.0.2:1"]);
        fs::remove_file(at("b.yaml")).unwrap();
        assert!(files.look());
        assert!(keys(&files).is_empty() && files.is_known() && files.problem().is_none());
    }

    #[test]
    fn a_directory_that_goes_away_empties_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let inner = dir.path().join("targets");
        fs::create_dir(&inner).unwrap();
        fs::write(inner.join("a.json"), r#"[{"targets":["10.0.0.1:1"]}]"#).unwrap();
        let mut files = Files::new(vec![inner.join("*.json").display().to_string()], "s".into());
        assert!(files.look());
        fs::remove_dir_all(&inner).unwrap();
        assert!(files.look());
        assert!(files.problem().is_some());
        assert_eq!(keys(&files), ["s/10.0.0.1:1"]);
        assert!(!files.look());
    }

    #[test]
    fn a_file_that_is_named_and_not_there_is_waited_for() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("a.yaml");
        let mut files = Files::new(vec![file.display().to_string()], "s".into());
        assert!(files.look());
        assert!(!files.is_known());
        fs::write(&file, "- targets: [10.0.0.1:1]").unwrap();
        assert!(files.look());
        assert!(files.is_known() && files.problem().is_none());
    }
}
