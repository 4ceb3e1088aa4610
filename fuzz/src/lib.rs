//! What the targets and the seeds they start from share.

use std::fs;
use std::path::{Path, PathBuf};

/// The folder of a crate's fixtures.
pub fn fixtures(of: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(of).join("fixtures")
}

/// Writes the inputs that a target starts from where `FUZZ_SEEDS` names a folder, and ends then.
pub fn seeds(inputs: impl FnOnce() -> Vec<Vec<u8>>) {
    let Some(folder) = std::env::var_os("FUZZ_SEEDS") else { return };
    for (number, input) in inputs().iter().enumerate() {
        fs::write(Path::new(&folder).join(number.to_string()), input)
            .expect("a folder to write to");
    }
    std::process::exit(0);
}

/// Every regular file below a folder, relative to it, in order: an input's first two bytes choose one of them.
pub fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut left = vec![folder.to_owned()];
    while let Some(next) = left.pop() {
        let entries = fs::read_dir(&next).into_iter().flatten().filter_map(Result::ok);
        for entry in entries {
            // Links, of which sysfs has circles, are not followed.
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => left.push(entry.path()),
                Ok(kind) if kind.is_file() => found.push(entry.path()),
                _ => {}
            }
        }
    }
    found.sort();
    found.iter().filter_map(|path| path.strip_prefix(folder).ok().map(Path::to_owned)).collect()
}

/// Files of the host that a collector reads, not what a case expects of it.
pub fn host_files(folder: &Path) -> Vec<PathBuf> {
    let of_the_host = |path: &PathBuf| {
        let part = path.iter().nth(1).and_then(|part| part.to_str());
        part.is_some_and(|part| part != "expected.prom" && part != "flags")
    };
    files(folder).into_iter().filter(of_the_host).collect()
}

/// The two bytes that choose, and what is chosen with.
pub fn choice(input: &[u8], of: usize) -> Option<(usize, &[u8])> {
    let (choice, rest) = input.split_first_chunk::<2>()?;
    Some((usize::from(u16::from_be_bytes(*choice)) % of.max(1), rest))
}

/// An input that chooses number `number`.
pub fn chosen(number: usize, rest: &[u8]) -> Vec<u8> {
    let number = u16::try_from(number).expect("fewer choices than numbers");
    [&number.to_be_bytes(), rest].concat()
}
