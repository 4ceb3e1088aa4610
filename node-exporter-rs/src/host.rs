//! The host being measured: where its `/proc`, `/sys`, root and udev data are mounted, and bounded reads from there.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use rustix::process::{Resource, getrlimit};

use crate::collector::CollectError;

mod kept;
mod shared;

pub use kept::{KeptFile, KeptOpen, Text};
pub use shared::{Reading, SharedFile};

/// More than any kernel file holds on the largest hosts; what is longer is cut, never an endless read.
const LIMIT: usize = 64 << 20;
/// A sysfs attribute is one page at most.
const ATTRIBUTE_LIMIT: usize = 4096;
/// How many files stay open from one scrape to the next where nobody says otherwise.
pub const KEPT_FILES: usize = 512;

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
    kept_limit: usize,
    /// Weak, as a file that stays open holds the host.
    stat: Mutex<Weak<SharedFile>>,
    #[cfg(target_os = "linux")]
    links: crate::netlink::Links,
}

impl Paths {
    fn new(proc: PathBuf, sys: PathBuf, root: PathBuf, udev: PathBuf) -> Self {
        Self {
            proc,
            sys,
            root,
            udev,
            kept: AtomicUsize::new(0),
            kept_limit: KEPT_FILES,
            stat: Mutex::default(),
            #[cfg(target_os = "linux")]
            links: crate::netlink::Links::default(),
        }
    }
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
        Self(Arc::new(Paths::new(proc.into(), sys.into(), root.into(), udev.into())))
    }

    /// The same file trees, of which at most so many files stay open, and no more than half of those that the process may open
    /// at all (`RLIMIT_NOFILE`): clients and what is opened for a moment need the others.
    #[must_use]
    pub fn keeping_at_most(&self, files: usize) -> Self {
        let half = getrlimit(Resource::Nofile).current.map_or(u64::MAX, |limit| limit / 2);
        let kept_limit = files.min(usize::try_from(half).unwrap_or(usize::MAX));
        let Paths { proc, sys, root, udev, .. } = &*self.0;
        let mut paths = Paths::new(proc.clone(), sys.clone(), root.clone(), udev.clone());
        paths.kept_limit = kept_limit;
        Self(Arc::new(paths))
    }

    /// How many files may stay open.
    pub fn kept_limit(&self) -> usize {
        self.0.kept_limit
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

    /// A file below `/proc` that is read at every scrape.
    pub fn keep_proc(&self, relative: &str) -> KeptFile {
        KeptFile::new(self.clone(), self.proc(relative))
    }

    /// `/proc/stat`, read once a scrape: the kernel takes long to write it where CPUs and interrupts are many.
    pub fn stat(&self) -> Arc<SharedFile> {
        let mut shared = self.0.stat.lock().unwrap_or_else(PoisonError::into_inner);
        shared.upgrade().unwrap_or_else(|| {
            let file = Arc::new(SharedFile::new(self.keep_proc("stat").with_one_record()));
            *shared = Arc::downgrade(&file);
            file
        })
    }

    /// Lets a file of procfs or sysfs stay open; any other file, or one too many, is given back.
    pub fn keep_open(&self, file: File) -> Result<KeptOpen, File> {
        let room = |kept| (kept < self.0.kept_limit).then_some(kept + 1);
        if is_kernel_file(&file)
            && self.0.kept.try_update(Ordering::Relaxed, Ordering::Relaxed, room).is_ok()
        {
            return Ok(KeptOpen { host: self.clone(), file });
        }
        Err(file)
    }

    /// The network interfaces as rtnetlink tells them, asked once a scrape.
    #[cfg(target_os = "linux")]
    pub fn links(&self) -> &crate::netlink::Links {
        &self.0.links
    }

    /// How many files stay open.
    #[cfg(test)]
    pub(crate) fn kept_open(&self) -> usize {
        self.0.kept.load(Ordering::Relaxed)
    }

    /// A file below `/sys` that is read at every scrape.
    pub fn keep_sys(&self, relative: &str) -> KeptFile {
        KeptFile::new(self.clone(), self.sys(relative))
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

fn is_kernel_file(file: &File) -> bool {
    rustix::fs::fstatfs(file).is_ok_and(|fs| is_kernels(&fs))
}

/// Whether this is a folder of the live kernel and not of a tree of plain files.
pub fn is_kernel_folder(path: &Path) -> bool {
    rustix::fs::statfs(path).is_ok_and(|fs| is_kernels(&fs))
}

/// `PROC_SUPER_MAGIC` and `SYSFS_MAGIC` of linux/magic.h.
fn is_kernels(fs: &rustix::fs::StatFs) -> bool {
    matches!(fs.f_type, 0x9fa0 | 0x6265_6572)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_files_stay_open_than_asked_for_and_half_of_what_the_process_may_open() {
        let host = Host::default().keeping_at_most(1);
        let file = || File::open("/proc/self/stat").unwrap();
        let first = host.keep_open(file()).unwrap();
        assert!(host.keep_open(file()).is_err());
        drop(first);
        assert!(host.keep_open(file()).is_ok());
        let all = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
        assert_eq!(host.keeping_at_most(usize::MAX).kept_limit() as u64, all / 2);
    }
}
