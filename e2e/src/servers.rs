//! The real servers: where they are, and what a test does where one is not.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};

/// A server's program: `$E2E_NAME` (upper case, `_` for `-`), `$TESTBED/bin/NAME`, or `NAME` on the path.
pub fn find(name: &str) -> Option<PathBuf> {
    let variable = format!("E2E_{}", name.to_uppercase().replace('-', "_"));
    if let Some(path) = std::env::var_os(variable) {
        return Some(path.into());
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::iter::once(testbed().join("bin"))
        .chain(std::env::split_paths(&path))
        .map(|folder| folder.join(name))
        .find(|path| path.is_file())
}

/// The folder that `e2e/testbed/install` fills.
pub fn testbed() -> PathBuf {
    std::env::var_os("TESTBED").map_or_else(|| "/opt/testbed".into(), PathBuf::from)
}

/// As [`find`]; where it is missing the test is skipped, unless `$E2E_REQUIRED` names the server.
///
/// # Panics
/// Where the server must be there and is not.
pub fn need(test: &str, name: &str) -> Option<PathBuf> {
    let found = find(name);
    if found.is_none() {
        let required = std::env::var("E2E_REQUIRED").unwrap_or_default();
        assert!(
            !required.split_whitespace().any(|required| required == name),
            "{name} must be there: it comes from a stable Debian release (e2e/testbed/install)"
        );
        skip(test, &format!("no {name}"));
    }
    found
}

/// Says that a test cannot run here, also in the list that `e2e/run` prints at its end.
pub fn skip(test: &str, why: &str) {
    let line = format!("SKIPPED: {test}: {why}");
    eprintln!("{line}");
    let Some(list) = std::env::var_os("E2E_SKIPPED") else { return };
    let file = OpenOptions::new().append(true).create(true).open(&list);
    if let Err(error) = file.and_then(|mut file| writeln!(file, "{line}")) {
        eprintln!("{}: {error}", Path::new(&list).display());
    }
}

/// True for root, who may mount.
pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}
