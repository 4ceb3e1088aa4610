//! Test support: fixture folders with the exposition they give, the comparison of two expositions, and a check of one.
//!
//! Tests of all crates use it, and so do the comparisons with the peers.

mod check;
mod compare;

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

pub use check::{Problem, check};
pub use compare::{Comparison, Difference, Options, Values, compare};

use crate::Format;

/// What a case's folder gives.
const EXPECTED: &str = "expected.prom";

/// Set to `1`, it writes what the cases give now as what is expected of them.
const UPDATE: &str = "UPDATE_GOLDEN";

/// A folder or a file to render, and the file that holds what it gives.
struct Case {
    path: PathBuf,
    expected: PathBuf,
}

/// Calls `render` with every folder in `fixtures` and compares the exposition it returns with `expected.prom` there.
///
/// Compared are the series, their values as numbers, and the types: help texts and order are free. What is returned
/// must pass [`check`], so parts of one family go through [`crate::Merger`] first.
///
/// Panics with the differences of all cases, as a test does, and where there is no case.
#[track_caller]
pub fn run(fixtures: &Path, render: impl Fn(&Path) -> String) {
    report(fixtures, folders(fixtures), render);
}

/// Calls `render` with every file `NAME.EXTENSION` in the folder `fixtures` and compares what it returns with
/// `NAME.prom` beside it; otherwise as [`run`].
#[track_caller]
pub fn run_files(fixtures: &Path, extension: &str, render: impl Fn(&Path) -> String) {
    report(fixtures, files(fixtures, extension), render);
}

#[track_caller]
fn report(fixtures: &Path, cases: io::Result<Vec<Case>>, render: impl Fn(&Path) -> String) {
    let update = std::env::var_os(UPDATE).is_some_and(|value| value == "1");
    if let Err(report) = run_cases(fixtures, cases, update, render) {
        panic!("{report}");
    }
}

/// Runs all cases and returns how many there were; the error lists what differs.
fn run_cases(
    fixtures: &Path,
    cases: io::Result<Vec<Case>>,
    update: bool,
    render: impl Fn(&Path) -> String,
) -> Result<usize, String> {
    let cases = cases.map_err(|error| format!("{}: {error}", fixtures.display()))?;
    if cases.is_empty() {
        return Err(format!("{}: no case in this folder", fixtures.display()));
    }
    let mut report = String::new();
    for case in &cases {
        let actual = render(&case.path);
        if update && let Err(error) = fs::write(&case.expected, &actual) {
            return Err(format!("{}: {error}", case.expected.display()));
        }
        if let Err(problems) = judge(case, &actual) {
            // Writing to memory cannot fail.
            let _done = writeln!(report, "\n{}:\n{problems}", case.path.display());
        }
    }
    if report.is_empty() {
        return Ok(cases.len());
    }
    let _done = write!(report, "\n{UPDATE}=1 takes what the cases give now for what is expected.");
    Err(report)
}

fn folders(fixtures: &Path) -> io::Result<Vec<Case>> {
    let folders = entries(fixtures)?.into_iter().filter(|path| path.is_dir());
    Ok(folders.map(|path| Case { expected: path.join(EXPECTED), path }).collect())
}

fn files(fixtures: &Path, extension: &str) -> io::Result<Vec<Case>> {
    let matches = |path: &PathBuf| path.extension().is_some_and(|one| one == extension);
    let files = entries(fixtures)?.into_iter().filter(matches);
    Ok(files.map(|path| Case { expected: path.with_extension("prom"), path }).collect())
}

fn entries(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.path()));
    let mut paths = entries.collect::<io::Result<Vec<_>>>()?;
    paths.sort();
    Ok(paths)
}

fn judge(case: &Case, actual: &str) -> Result<(), String> {
    let format = if ends_as_open_metrics(actual) { Format::OpenMetrics } else { Format::Text };
    let mut report = String::new();
    for problem in check(actual, format) {
        // Writing to memory cannot fail.
        let _done = writeln!(report, "  {problem}");
    }
    let _done = match File::open(&case.expected).and_then(io::read_to_string) {
        Ok(expected) => write!(report, "{}", compare(&expected, actual, &Options::default())),
        Err(error) => writeln!(report, "  {}: {error}", case.expected.display()),
    };
    if report.is_empty() { Ok(()) } else { Err(report) }
}

fn ends_as_open_metrics(text: &str) -> bool {
    text.lines().next_back() == Some("# EOF")
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# HELP a A.\n# TYPE a gauge\na 1\n";

    fn fixtures(cases: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("README.md"), "no case").unwrap();
        for (case, expected) in cases {
            fs::create_dir(folder.path().join(case)).unwrap();
            fs::write(folder.path().join(case).join(EXPECTED), expected).unwrap();
        }
        folder
    }

    #[test]
    fn every_folder_is_a_case() {
        let folder = fixtures(&[("one", "# TYPE a gauge\na 1.0\n"), ("two", TEXT)]);
        assert_eq!(
            run_cases(folder.path(), folders(folder.path()), false, |_| TEXT.to_owned()),
            Ok(2)
        );
        run(folder.path(), |_| TEXT.to_owned());
    }

    #[test]
    fn every_file_with_the_extension_is_a_case() {
        let folder = fixtures(&[]);
        for (name, text) in [("one.yaml", "a: 1"), ("one.prom", TEXT), ("notes.txt", "")] {
            fs::write(folder.path().join(name), text).unwrap();
        }
        run_files(folder.path(), "yaml", |_| TEXT.to_owned());
        let cases = files(folder.path(), "yaml");
        assert_eq!(run_cases(folder.path(), cases, false, |_| TEXT.to_owned()), Ok(1));
    }

    #[test]
    fn a_difference_names_its_case() {
        let folder = fixtures(&[("one", TEXT), ("two", "# TYPE a gauge\na 2\n")]);
        let report = run_cases(folder.path(), folders(folder.path()), false, |_| TEXT.to_owned())
            .unwrap_err();
        assert!(report.contains("/two:\n") && !report.contains("/one:\n"), "{report}");
        assert!(report.contains("a: expected 2, is 1") && report.contains(UPDATE), "{report}");
    }

    #[test]
    fn an_unsound_exposition_fails_its_case() {
        let folder = fixtures(&[("one", "a 1\n")]);
        let report =
            run_cases(folder.path(), folders(folder.path()), false, |_| "a 1\na 1\n".to_owned())
                .unwrap_err();
        assert!(report.contains("line 2: a is given twice"), "{report}");
    }

    #[test]
    fn a_folder_without_cases_is_a_failure() {
        let folder = fixtures(&[]);
        assert!(
            run_cases(folder.path(), folders(folder.path()), false, |_| TEXT.to_owned()).is_err()
        );
        let none = folder.path().join("none");
        assert!(run_cases(&none, folders(&none), false, |_| TEXT.to_owned()).is_err());
    }

    #[test]
    fn an_update_writes_what_the_case_gives() {
        let folder = fixtures(&[("one", "old 1\n")]);
        assert_eq!(
            run_cases(folder.path(), folders(folder.path()), true, |_| TEXT.to_owned()),
            Ok(1)
        );
        let written = File::open(folder.path().join("one").join(EXPECTED)).unwrap();
        assert_eq!(io::read_to_string(written).unwrap(), TEXT);
    }
}
