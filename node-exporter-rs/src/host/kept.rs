//! Kernel files that are read at every scrape and stay open from one to the next.

use std::fs::File;
use std::io;
use std::ops::Deref;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::{Host, LIMIT};
use crate::collector::CollectError;

/// What procfs and sysfs hand out at once, at most: one page of the smallest size there is.
const PAGE: usize = 4096;

/// What a buffer starts with: most kernel files are shorter, and there are hundreds of buffers.
const SMALL: usize = 256;

/// An open file that counts towards the limit of those kept: [`Host::keep_open`].
#[derive(Debug)]
pub struct KeptOpen {
    pub(super) host: Host,
    pub(super) file: File,
}

impl Deref for KeptOpen {
    type Target = File;

    fn deref(&self) -> &File {
        &self.file
    }
}

impl Drop for KeptOpen {
    fn drop(&mut self) {
        self.host.0.kept.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A kernel file that is read at every scrape into memory of its own: its descriptor stays open, which saves the two
/// system calls and the path walk that cost more than the reading.
///
/// Only files of procfs and sysfs are kept open; any other (a test's tree) is opened afresh each time. A descriptor
/// whose device is gone answers with an error, upon which the file is opened once more.
#[derive(Debug)]
pub struct KeptFile {
    host: Host,
    path: PathBuf,
    file: Option<KeptOpen>,
    /// Its length is what there is room for; the file's text ends at `end`.
    buffer: Vec<u8>,
    end: usize,
    /// An answer of fewer bytes is the whole file; see [`read_at_start`].
    ends_below: usize,
    /// So many lines are enough; see [`KeptFile::want_lines`].
    lines: Option<usize>,
}

impl KeptFile {
    pub(super) fn new(host: Host, path: PathBuf) -> Self {
        let ends_below = PAGE / 2;
        Self { host, path, file: None, buffer: Vec::new(), end: 0, ends_below, lines: None }
    }

    /// For a file whose lines can be longer than half a page, as the options of a mount are.
    #[must_use]
    pub fn with_long_records(mut self) -> Self {
        self.ends_below = 0;
        self
    }

    /// For a file that the kernel makes in one piece (`single_open`), however long it is.
    #[must_use]
    pub fn with_one_record(mut self) -> Self {
        self.ends_below = usize::MAX;
        self
    }

    /// Lets the next readings end where so many lines are there; more may be given, and none is cut. For a file whose
    /// every page costs the kernel as much as the whole.
    pub fn want_lines(&mut self, count: Option<usize>) {
        self.lines = count;
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// For the files that tell changes by poll(2), which are the lists of mounts (proc(5)): false where nothing has changed
    /// since this was asked last. True where the file is not open or cannot be asked.
    pub fn has_changed(&self) -> bool {
        let Some(file) = &self.file else { return true };
        let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
        poll(&mut [PollFd::new(&file.file, PollFlags::PRI)], Some(&at_once)) != Ok(0)
    }

    /// The file as it is now.
    pub fn read(&mut self) -> Result<&[u8], CollectError> {
        match self.fill() {
            Ok(()) => Ok(&self.buffer[..self.end]),
            Err(source) => Err(CollectError::Read { path: self.path.clone(), source }),
        }
    }

    /// The file as text; bytes that are not UTF-8 are an error that names the file.
    pub fn read_str(&mut self) -> Result<Text<'_>, CollectError> {
        self.read()?;
        self.text()
    }

    /// As [`KeptFile::read_str`], for a file that many kernels lack: then `None`, at no more than the failed opening.
    pub fn read_if_there(&mut self) -> Result<Option<Text<'_>>, CollectError> {
        match self.fill() {
            Ok(()) => self.text().map(Some),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(CollectError::Read { path: self.path.clone(), source }),
        }
    }

    /// What was read last, as text.
    pub(super) fn text(&self) -> Result<Text<'_>, CollectError> {
        match std::str::from_utf8(&self.buffer[..self.end]) {
            Ok(text) => Ok(Text { path: &self.path, text }),
            Err(error) => Err(CollectError::Parse {
                file: self.path.display().to_string(),
                problem: "not UTF-8",
                line: format!("at byte {}", error.valid_up_to()),
            }),
        }
    }

    fn fill(&mut self) -> io::Result<()> {
        if let Some(file) = &self.file {
            let result = read_at_start(file, &mut self.buffer, self.ends_below, self.lines);
            if let Ok(end) = result {
                self.end = end;
                return Ok(());
            }
            self.file = None;
        }
        let file = File::open(&self.path)?;
        self.end = read_at_start(&file, &mut self.buffer, 0, self.lines)?;
        self.file = self.host.keep_open(file).ok();
        Ok(())
    }
}

/// A file's text that knows where it comes from.
#[derive(Clone, Copy, Debug)]
pub struct Text<'a> {
    path: &'a Path,
    text: &'a str,
}

impl<'a> Text<'a> {
    pub fn as_str(self) -> &'a str {
        self.text
    }

    /// A malformed line of this file.
    pub fn wrong(self, problem: &'static str, line: &str) -> CollectError {
        CollectError::parse(self.path, problem, line)
    }
}

impl Deref for Text<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        self.text
    }
}

/// Reads from offset 0 to the end into a buffer that only grows; returns how much there is.
///
/// One call may return less than the whole: `seq_file` (`fs/seq_file.c`) fills a page with whole records and leaves the one
/// that does not fit to the next call. So an answer of fewer than `ends_below` bytes is the end where no record is as
/// long as the rest of the page; else only an answer of nothing is. Asking once more is not free: the kernel walks the
/// whole UDP table again to find that nothing follows.
fn read_at_start(
    file: &File,
    buffer: &mut Vec<u8>,
    ends_below: usize,
    lines: Option<usize>,
) -> io::Result<usize> {
    let mut end = 0;
    loop {
        if buffer.len() - end < SMALL {
            buffer.resize((buffer.len() * 2).max(SMALL), 0);
        }
        match file.read_at(&mut buffer[end..], end as u64) {
            Ok(0) => return Ok(end),
            Ok(count) if end + count >= LIMIT => return Ok(LIMIT),
            Ok(count) if count < ends_below.min(buffer.len() - end) => return Ok(end + count),
            Ok(count) => {
                end += count;
                if lines.is_some_and(|lines| has_lines(&buffer[..end], lines)) {
                    return Ok(end);
                }
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// Whether these are whole lines, and so many at least.
fn has_lines(text: &[u8], count: usize) -> bool {
    text.ends_with(b"\n") && memchr::memchr_iter(b'\n', text).count() >= count
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kept_file_is_read_afresh_and_whole() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("proc")).unwrap();
        let host = Host::below(folder.path());
        let mut file = host.keep_proc("x");
        assert!(file.read().unwrap_err().is_no_data());
        let long = "0123456789".repeat(2000);
        for text in ["one", &long, "", "two"] {
            std::fs::write(folder.path().join("proc/x"), text).unwrap();
            assert_eq!(file.read().unwrap(), text.as_bytes());
        }
    }

    #[test]
    fn a_file_of_which_some_lines_are_wanted_is_read_until_they_are_there_and_cut_in_no_line() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("proc")).unwrap();
        let host = Host::below(folder.path());
        let read = |text: &str, lines| {
            std::fs::write(folder.path().join("proc/x"), text).unwrap();
            let mut file = host.keep_proc("x");
            file.want_lines(lines);
            file.read().unwrap().len()
        };
        // Answers end at 256, 512, 1024 bytes, as the buffer grows.
        let fours = "x 1\n".repeat(1000);
        assert_eq!([Some(64), Some(65), None].map(|n| read(&fours, n)), [256, 512, 4000]);
        assert_eq!(read(&fours, Some(1001)), 4000);
        assert_eq!(read(&"xx 1\n".repeat(1000), Some(1)), 5000);
    }

    #[test]
    fn a_live_proc_file_stays_open_and_changes() {
        let mut file = Host::default().keep_proc("uptime");
        let first = file.read().unwrap().to_vec();
        assert!(file.file.is_some());
        std::thread::sleep(std::time::Duration::from_millis(30));
        assert_ne!(file.read().unwrap(), first);
    }
}
