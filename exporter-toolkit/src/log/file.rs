//! Where lines go: standard error, or a file that is replaced when it is full.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tracing_subscriber::fmt::MakeWriter;

static LOST: AtomicU64 = AtomicU64::new(0);

/// How many lines could not be written since the start: the disk was full, or standard error was closed.
pub fn lost_lines() -> u64 {
    LOST.load(Ordering::Relaxed)
}

/// Counts what could not be written; the caller goes on.
fn count_lost(written: io::Result<()>) {
    if written.is_err() {
        LOST.fetch_add(1, Ordering::Relaxed);
    }
}

/// Writes to standard error, a line in one call.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stderr;

impl Write for Stderr {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        count_lost(io::stderr().lock().write_all(line));
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Stderr {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        *self
    }
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// Bytes in one file; a line that is longer has a file for itself.
    pub(super) size: u64,
    /// Files at most, the current one included.
    pub(super) files: u16,
}

/// `agent.log`, and before it `agent.log.1`, `agent.log.2`, …, the newest first.
#[derive(Debug)]
pub(super) struct RotatingFile {
    path: PathBuf,
    limits: Limits,
    current: Mutex<Current>,
}

#[derive(Debug)]
struct Current {
    file: File,
    size: u64,
    /// The last line was cut off, so the next one begins with a newline.
    torn: bool,
}

impl RotatingFile {
    /// Opens the file to append to it.
    pub(super) fn open(path: PathBuf, limits: Limits) -> io::Result<Self> {
        let current = Mutex::new(Current::open(&path)?);
        Ok(Self { path, limits, current })
    }

    /// Where renaming fails, the line is lost and the next one tries again: the file never grows beyond its size.
    fn write_line(&self, current: &mut Current, line: &[u8]) -> io::Result<()> {
        let length = line.len() as u64;
        if current.size > 0 && current.size.saturating_add(length) > self.limits.size {
            self.rotate()?;
            *current = Current::open(&self.path)?;
        }
        current.append(line)
    }

    fn rotate(&self) -> io::Result<()> {
        if self.limits.files < 2 {
            return fs::remove_file(&self.path);
        }
        for number in (2..self.limits.files).rev() {
            match fs::rename(numbered(&self.path, number - 1), numbered(&self.path, number)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        fs::rename(&self.path, numbered(&self.path, 1))
    }
}

fn numbered(path: &Path, number: u16) -> PathBuf {
    path.with_extension(format!("log.{number}"))
}

impl Current {
    fn open(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().create(true).append(true).open(path)?;
        let size = file.metadata()?.len();
        Ok(Self { file, size, torn: false })
    }

    fn append(&mut self, line: &[u8]) -> io::Result<()> {
        if self.torn {
            self.file.write_all(b"\n")?;
            self.size += 1;
            self.torn = false;
        }
        let mut rest = line;
        while !rest.is_empty() {
            let written = match self.file.write(rest) {
                Ok(0) => Err(io::ErrorKind::WriteZero.into()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                other => other,
            };
            let written = written.inspect_err(|_| self.torn = rest.len() < line.len())?;
            self.size += written as u64;
            rest = rest.get(written..).unwrap_or_default();
        }
        Ok(())
    }
}

/// The file while one event is written to it.
#[derive(Debug)]
pub(super) struct LineWriter<'a> {
    log: &'a RotatingFile,
    current: MutexGuard<'a, Current>,
}

impl Write for LineWriter<'_> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        count_lost(self.log.write_line(&mut self.current, line));
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for RotatingFile {
    type Writer = LineWriter<'a>;

    fn make_writer(&'a self) -> LineWriter<'a> {
        let current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        LineWriter { log: self, current }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(path: &Path) -> String {
        io::read_to_string(File::open(path).unwrap()).unwrap()
    }

    fn log(folder: &Path, limits: Limits) -> RotatingFile {
        RotatingFile::open(folder.join("a.b.log"), limits).unwrap()
    }

    fn write(log: &RotatingFile, line: &str) {
        log.make_writer().write_all(line.as_bytes()).unwrap();
    }

    #[test]
    fn a_full_file_makes_room_and_the_oldest_goes() {
        let folder = tempfile::tempdir().unwrap();
        let log = log(folder.path(), Limits { size: 10, files: 3 });
        for line in ["one 1\n", "1 b\n", "two\n", "333 444 5\n", "66 77 88 99 10\n"] {
            write(&log, line);
        }
        assert_eq!(text(&log.path), "66 77 88 99 10\n");
        assert_eq!(text(&numbered(&log.path, 1)), "333 444 5\n");
        assert_eq!(text(&numbered(&log.path, 2)), "two\n");
        assert!(folder.path().join("a.b.log.2").exists());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 3);
    }

    #[test]
    fn one_file_is_emptied_when_it_is_full() {
        let folder = tempfile::tempdir().unwrap();
        let log = log(folder.path(), Limits { size: 4, files: 1 });
        write(&log, "one\n");
        write(&log, "two\n");
        assert_eq!(text(&log.path), "two\n");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_restart_appends_to_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let limits = Limits { size: 8, files: 2 };
        write(&log(folder.path(), limits), "one\n");
        write(&log(folder.path(), limits), "two\n");
        let log = log(folder.path(), limits);
        write(&log, "three\n");
        assert_eq!(text(&log.path), "three\n");
        assert_eq!(text(&numbered(&log.path, 1)), "one\ntwo\n");
    }

    #[test]
    fn a_full_disk_loses_lines_and_counts_them() {
        // Every write to this device fails as on a full disk.
        let Ok(file) = OpenOptions::new().append(true).open("/dev/full") else { return };
        let current = Mutex::new(Current { file, size: 0, torn: false });
        let limits = Limits { size: 1 << 20, files: 2 };
        let log = RotatingFile { path: PathBuf::from("/dev/full"), limits, current };
        let before = lost_lines();
        write(&log, "lost\n");
        assert!(lost_lines() > before);
    }

    #[test]
    fn a_file_that_cannot_be_renamed_does_not_grow() {
        let folder = tempfile::tempdir().unwrap();
        let log = log(folder.path(), Limits { size: 8, files: 2 });
        write(&log, "one two\n");
        fs::create_dir_all(numbered(&log.path, 1).join("in the way")).unwrap();
        let before = lost_lines();
        write(&log, "three\n");
        assert_eq!(text(&log.path), "one two\n");
        assert!(lost_lines() > before);
        fs::remove_dir_all(numbered(&log.path, 1)).unwrap();
        write(&log, "four\n");
        assert_eq!(text(&log.path), "four\n");
    }

    #[test]
    fn a_line_after_one_that_was_cut_off_starts_anew() {
        let folder = tempfile::tempdir().unwrap();
        let log = log(folder.path(), Limits { size: 100, files: 2 });
        write(&log, "half of a li");
        log.current.lock().unwrap().torn = true;
        write(&log, "whole\n");
        assert_eq!(text(&log.path), "half of a li\nwhole\n");
    }
}
