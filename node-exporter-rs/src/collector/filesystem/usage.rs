//! One mount's question to the kernel, which may take for ever.

use std::ffi::CStr;
use std::io;
use std::sync::Arc;

use exporter_toolkit::crew::Job;
use rustix::io::Errno;

use super::mounts::Key;

/// What a file system says of its use, in bytes and files.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Usage {
    pub(super) size: f64,
    pub(super) free: f64,
    pub(super) available: f64,
    pub(super) files: f64,
    pub(super) files_free: f64,
}

/// statfs(2), or what a test puts in its place.
pub(super) type StatFs = dyn Fn(&CStr) -> Result<Usage, Errno> + Send + Sync;

/// Asks the kernel; blocks for as long as the file system's server does not answer.
pub(super) fn statfs(path: &CStr) -> Result<Usage, Errno> {
    let fs = rustix::fs::statfs(path)?;
    let block = fs.f_bsize as f64;
    Ok(Usage {
        size: fs.f_blocks as f64 * block,
        free: fs.f_bfree as f64 * block,
        available: fs.f_bavail as f64 * block,
        files: fs.f_files as f64,
        files_free: fs.f_ffree as f64,
    })
}

/// The job of one mount.
pub(super) struct Question {
    key: Key,
    statfs: Arc<StatFs>,
    answer: Option<Result<Usage, String>>,
    /// It did not answer the last time, or was never asked.
    doubtful: bool,
}

impl Question {
    pub(super) fn new(key: Key, statfs: Arc<StatFs>) -> Self {
        Self { key, statfs, answer: None, doubtful: true }
    }

    pub(super) fn key(&self) -> &Key {
        &self.key
    }

    /// Before a scrape: forgets the last answer, and remembers whether there was one.
    pub(super) fn begin(&mut self) {
        self.doubtful = self.answer.take().is_none();
    }

    pub(super) fn is_doubtful(&self) -> bool {
        self.doubtful
    }

    /// `None` where it was not asked; an error is the text of the label `device_error`.
    pub(super) fn answer(&self) -> Option<Result<&Usage, &str>> {
        self.answer.as_ref().map(|answer| answer.as_ref().map_err(String::as_str))
    }
}

impl Job for Question {
    fn run(&mut self) {
        self.answer = Some((self.statfs)(&self.key.1).map_err(error_text));
    }
}

/// The C library's text with a small first letter and without the number, which is how the peer writes it.
fn error_text(errno: Errno) -> String {
    let text = io::Error::from(errno).to_string();
    let text = text.split(" (os error").next().unwrap_or_default();
    let mut letters = text.chars();
    match (letters.next(), letters.clone().next()) {
        // An abbreviation stays: `RPC struct is bad`.
        (Some(first), Some(second)) if second.is_lowercase() => {
            first.to_lowercase().chain(letters).collect()
        }
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_read_as_the_peer_writes_them() {
        for (errno, text) in [
            (Errno::NOENT, "no such file or directory"),
            (Errno::ACCESS, "permission denied"),
            (Errno::NOTCONN, "transport endpoint is not connected"),
            (Errno::IO, "input/output error"),
            (Errno::STALE, "stale file handle"),
        ] {
            assert_eq!(error_text(errno), text);
        }
    }

    #[test]
    fn the_kernel_is_asked_by_the_path() {
        let key = |path: &CStr| (1, Arc::from(path));
        let mut root = Question::new(key(c"/"), Arc::new(statfs));
        root.run();
        assert!(root.answer().unwrap().unwrap().size > 0.0);
        let mut missing = Question::new(key(c"/no/such"), Arc::new(statfs));
        missing.run();
        assert_eq!(missing.answer(), Some(Err("no such file or directory")));
    }
}
