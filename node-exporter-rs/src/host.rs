//! The host being measured: where its `/proc`, `/sys`, root and udev data are mounted, and bounded reads from there.

use std::fs::File;
use std::io::{self, Read};
use std::ops::Deref;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::collector::CollectError;

/// More than any kernel file holds on the largest hosts; what is longer is cut, never an endless read.
const LIMIT: usize = 64 << 20;
/// A sysfs attribute is one page at most.
const ATTRIBUTE_LIMIT: usize = 4096;
/// File descriptors that all collectors together may keep open.
const KEPT_LIMIT: usize = 512;

/// The host's file trees. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Host(Arc<Paths>);

#[derive(Debug)]
struct Paths {
    proc: PathBuf,
    sys: PathBuf,
    root: PathBuf,
    udev: PathBuf,
    kept: AtomicUsize,
}

impl Default for Host {
    fn default() -> Self {
        Self::new("/proc", "/sys", "/", "/run/udev/data")
    }
}

impl Host {
    pub fn new(
        proc: impl Into<PathBuf>,
        sys: impl Into<PathBuf>,
        root: impl Into<PathBuf>,
        udev: impl Into<PathBuf>,
    ) -> Self {
        Self(Arc::new(Paths {
            proc: proc.into(),
            sys: sys.into(),
            root: root.into(),
            udev: udev.into(),
            kept: AtomicUsize::new(0),
        }))
    }

    /// For tests: `proc`, `sys` and `udev` below one folder, which is also the root.
    pub fn below(folder: impl AsRef<Path>) -> Self {
        let folder = folder.as_ref();
        Self::new(folder.join("proc"), folder.join("sys"), folder, folder.join("udev"))
    }

    pub fn proc(&self, relative: &str) -> PathBuf {
        self.0.proc.join(relative)
    }

    pub fn sys(&self, relative: &str) -> PathBuf {
        self.0.sys.join(relative)
    }

    /// A path of the host below its root's mount; `absolute` may start with a slash.
    pub fn root(&self, absolute: &str) -> PathBuf {
        self.0.root.join(absolute.trim_start_matches('/'))
    }

    pub fn root_path(&self) -> &Path {
        &self.0.root
    }

    pub fn udev(&self, relative: &str) -> PathBuf {
        self.0.udev.join(relative)
    }

    /// Reads a file below `/proc`; bytes that are not UTF-8 become U+FFFD.
    pub fn read_proc(&self, relative: &str) -> Result<String, CollectError> {
        read_text(&self.proc(relative))
    }

    /// Reads a file below `/sys`; bytes that are not UTF-8 become U+FFFD.
    pub fn read_sys(&self, relative: &str) -> Result<String, CollectError> {
        read_text(&self.sys(relative))
    }

    /// A file below `/proc` that is read at every scrape.
    pub fn keep_proc(&self, relative: &str) -> KeptFile {
        KeptFile::new(self.clone(), self.proc(relative))
    }

    /// Lets a file of procfs or sysfs stay open for a collector that reads many small ones into memory of its own; any
    /// other file, or one too many, is given back.
    pub fn keep_open(&self, file: File) -> Result<KeptOpen, File> {
        let room = self.0.kept.fetch_add(1, Ordering::Relaxed) < KEPT_LIMIT;
        if room && is_kernel_file(&file) {
            return Ok(KeptOpen { host: self.clone(), file });
        }
        self.0.kept.fetch_sub(1, Ordering::Relaxed);
        Err(file)
    }

    /// A file below `/sys` that is read at every scrape.
    pub fn keep_sys(&self, relative: &str) -> KeptFile {
        KeptFile::new(self.clone(), self.sys(relative))
    }

    /// Takes one of the places for files that stay open; false where all are taken.
    pub(crate) fn claim_open_file(&self) -> bool {
        let room = |kept| (kept < KEPT_LIMIT).then_some(kept + 1);
        self.0.kept.try_update(Ordering::Relaxed, Ordering::Relaxed, room).is_ok()
    }

    /// Gives back a place taken by [`Host::claim_open_file`].
    pub(crate) fn release_open_file(&self) {
        self.0.kept.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Reads a whole file, bounded; bytes that are not UTF-8 become U+FFFD.
pub fn read_text(path: &Path) -> Result<String, CollectError> {
    Ok(match String::from_utf8(read_bytes(path)?) {
        Ok(text) => text,
        Err(error) => String::from_utf8_lossy(error.as_bytes()).into_owned(),
    })
}

/// Reads a whole file, bounded.
pub fn read_bytes(path: &Path) -> Result<Vec<u8>, CollectError> {
    let mut bytes = Vec::new();
    let result = File::open(path).and_then(|file| file.take(LIMIT as u64).read_to_end(&mut bytes));
    match result {
        Ok(_) => Ok(bytes),
        Err(source) => Err(CollectError::Read { path: path.to_owned(), source }),
    }
}

/// A sysfs attribute without its surrounding blanks; `None` where it is missing or the driver refuses to read it.
///
/// One `read(2)`: some drivers answer a second one with an error.
pub fn attribute(path: &Path) -> Option<String> {
    let mut buffer = [0; ATTRIBUTE_LIMIT];
    let length = File::open(path).ok()?.read(&mut buffer).ok()?;
    Some(String::from_utf8_lossy(buffer[..length].trim_ascii()).into_owned())
}

/// A sysfs attribute that is one number.
pub fn number<T: FromStr>(path: &Path) -> Option<T> {
    attribute(path)?.parse().ok()
}

/// The names in a folder, sorted; names that are not UTF-8 are left out.
pub fn names(folder: &Path) -> Result<Vec<String>, CollectError> {
    let wrong = |source| CollectError::Read { path: folder.to_owned(), source };
    let mut names: Vec<String> = std::fs::read_dir(folder)
        .map_err(wrong)?
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .collect();
    names.sort_unstable();
    Ok(names)
}

/// An open file that counts towards the limit of those kept: [`Host::keep_open`].
#[derive(Debug)]
pub struct KeptOpen {
    host: Host,
    file: File,
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
    file: Option<File>,
    buffer: Vec<u8>,
}

impl KeptFile {
    fn new(host: Host, path: PathBuf) -> Self {
        Self { host, path, file: None, buffer: Vec::new() }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The file as it is now.
    pub fn read(&mut self) -> Result<&[u8], CollectError> {
        let kept = match &self.file {
            Some(file) => read_at_start(file, &mut self.buffer).is_ok(),
            None => false,
        };
        if !kept {
            self.release();
            let result = File::open(&self.path)
                .and_then(|file| read_at_start(&file, &mut self.buffer).map(|()| file));
            match result {
                Ok(file) => self.keep(file),
                Err(source) => {
                    return Err(CollectError::Read { path: self.path.clone(), source });
                }
            }
        }
        Ok(&self.buffer)
    }

    /// The file as text; bytes that are not UTF-8 are an error that names the file.
    pub fn read_str(&mut self) -> Result<Text<'_>, CollectError> {
        self.read()?;
        match std::str::from_utf8(&self.buffer) {
            Ok(text) => Ok(Text { path: &self.path, text }),
            Err(error) => Err(CollectError::Parse {
                file: self.path.display().to_string(),
                problem: "not UTF-8",
                line: format!("at byte {}", error.valid_up_to()),
            }),
        }
    }

    fn keep(&mut self, file: File) {
        let room = self.host.0.kept.fetch_add(1, Ordering::Relaxed) < KEPT_LIMIT;
        if room && is_kernel_file(&file) {
            self.file = Some(file);
        } else {
            self.host.0.kept.fetch_sub(1, Ordering::Relaxed);
        }
    }

    fn release(&mut self) {
        if self.file.take().is_some() {
            self.host.0.kept.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

impl Drop for KeptFile {
    fn drop(&mut self) {
        self.release();
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

/// Reads from offset 0 to the end: one call may return less than the whole, as `seq_file` hands out buffers.
fn read_at_start(file: &File, buffer: &mut Vec<u8>) -> io::Result<()> {
    let mut end = 0;
    loop {
        if buffer.len() - end < ATTRIBUTE_LIMIT / 2 {
            buffer.resize((buffer.len() * 2).max(ATTRIBUTE_LIMIT), 0);
        }
        match file.read_at(&mut buffer[end..], end as u64) {
            Ok(0) => break,
            Ok(count) if end + count >= LIMIT => {
                end = LIMIT;
                break;
            }
            Ok(count) => end += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    buffer.truncate(end);
    Ok(())
}

/// `PROC_SUPER_MAGIC` and `SYSFS_MAGIC` of linux/magic.h.
pub(crate) fn is_kernel_file(file: &File) -> bool {
    rustix::fs::fstatfs(file).is_ok_and(|fs| matches!(fs.f_type, 0x9fa0 | 0x6265_6572))
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
    fn a_live_proc_file_stays_open_and_changes() {
        let mut file = Host::default().keep_proc("uptime");
        let first = file.read().unwrap().to_vec();
        assert!(file.file.is_some());
        std::thread::sleep(std::time::Duration::from_millis(30));
        assert_ne!(file.read().unwrap(), first);
    }
}
