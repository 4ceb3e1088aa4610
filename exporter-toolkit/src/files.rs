//! Small files that say how an agent works, and whether they have changed since they were read.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// Configurations and certificates are small; a longer file is a mistake.
const LIMIT_BYTES: u64 = 1024 * 1024;

/// What tells one content of a file from the next without reading it; `None` where there is no file. The inode is new
/// where Kubernetes swaps a secret's links, the change time where somebody mends the permissions.
type Stamp = Option<[i64; 7]>;

fn stamp(path: &Path) -> Stamp {
    let file = fs::metadata(path).ok()?;
    let (size, inode) = (file.size().cast_signed(), file.ino().cast_signed());
    let device = file.dev().cast_signed();
    let (modified, changed) =
        ((file.mtime(), file.mtime_nsec()), (file.ctime(), file.ctime_nsec()));
    Some([size, inode, device, modified.0, modified.1, changed.0, changed.1])
}

/// A file that cannot be read, or is longer than 1 MiB.
#[derive(Debug, thiserror::Error)]
#[error("{}: cannot be read: {source}", path.display())]
pub struct FileError {
    pub path: PathBuf,
    pub source: io::Error,
}

/// Reads files and remembers which, whether that succeeds or not.
#[derive(Debug, Default)]
pub struct Files(Vec<(PathBuf, Stamp)>);

/// The files to look at.
#[derive(Debug, Default)]
pub struct Watch(Vec<(PathBuf, Stamp)>);

impl Files {
    /// The text of a file of at most 1 MiB. The stamp is taken first: a change while the file is read is a change.
    pub fn text(&mut self, path: &Path) -> Result<String, FileError> {
        self.0.push((path.to_owned(), stamp(path)));
        read(path, LIMIT_BYTES).map_err(|source| FileError { path: path.to_owned(), source })
    }

    /// What tells whether any of the files that were read has changed.
    pub fn watch(self) -> Watch {
        Watch(self.0)
    }
}

impl Watch {
    /// Looks at each file once.
    pub fn has_changed(&self) -> bool {
        self.0.iter().any(|(path, seen)| stamp(path) != *seen)
    }
}

/// The text of a file of at most `limit` bytes.
pub fn read(path: &Path, limit: u64) -> io::Result<String> {
    let mut text = String::new();
    let length = File::open(path)?.take(limit + 1).read_to_string(&mut text)?;
    if length as u64 > limit {
        return Err(io::Error::other(format!("longer than {limit} bytes")));
    }
    Ok(text)
}
