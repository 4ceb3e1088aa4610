//! Files that every scrape reads: they stay open from one to the next, as far as the budget of descriptors goes.
//!
//! Opening and closing costs some five times what reading a small file does. Only files of the kernel's own file systems
//! stay open; any other (a test's tree) may be replaced by another file of its name.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use rustix::fd::OwnedFd;
use rustix::fs::{AtFlags, FileType, Mode, OFlags, open, statat};
use rustix::io::{Errno, pread};

/// What a buffer begins with.
const SMALL: usize = 8 << 10;
/// A longer file is cut: `cgroup.procs` of a hundred thousand processes is shorter.
const LIMIT: usize = 1 << 20;

/// A folder that files are read below.
#[derive(Clone, Debug)]
pub(super) struct Root {
    pub(super) path: Vec<u8>,
    /// On a file system of the kernel's own.
    pub(super) kernel: bool,
}

impl Root {
    pub(super) fn new(path: &std::path::Path) -> Self {
        use std::os::unix::ffi::OsStrExt as _;
        let bytes = path.as_os_str().as_bytes();
        let path = bytes.strip_suffix(b"/").unwrap_or(bytes).to_vec();
        let kernel = rustix::fs::statfs(&*path).is_ok_and(|fs| is_kernels(&fs));
        Self { path, kernel }
    }
}

/// `CGROUP_SUPER_MAGIC`, `CGROUP2_SUPER_MAGIC`, `PROC_SUPER_MAGIC` and `SYSFS_MAGIC` of linux/magic.h.
fn is_kernels(fs: &rustix::fs::StatFs) -> bool {
    matches!(fs.f_type, 0x27_e0eb | 0x6367_7270 | 0x9fa0 | 0x6265_6572)
}

/// One file, from scrape to scrape.
#[derive(Debug, Default)]
pub(super) enum Kept {
    #[default]
    Closed,
    Open(Open),
    /// It was not there: it is looked for again when the tree is walked.
    Absent,
}

impl Kept {
    /// Looks for what was absent again.
    pub(super) fn retry(&mut self) {
        if matches!(self, Self::Absent) {
            *self = Self::Closed;
        }
    }
}

/// A descriptor that counts towards the budget.
#[derive(Debug)]
pub(super) struct Open {
    file: OwnedFd,
    count: Arc<AtomicUsize>,
}

impl Drop for Open {
    fn drop(&mut self) {
        self.count.fetch_sub(1, Relaxed);
    }
}

/// Why a file could not be read.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Trouble {
    /// This kernel or this cgroup has no such file.
    Absent,
    /// The cgroup has gone.
    Gone,
    /// The kernel refuses.
    Refused,
}

/// Memory that all reads share, and the budget.
#[derive(Debug)]
pub(super) struct Access {
    path: Vec<u8>,
    buffer: Vec<u8>,
    count: Arc<AtomicUsize>,
    most: usize,
    /// Reads that failed though the file was there.
    pub(super) refused: u64,
}

impl Access {
    pub(super) fn new(most: usize) -> Self {
        let (path, buffer) = (Vec::new(), vec![0; SMALL]);
        Self { path, buffer, count: Arc::default(), most, refused: 0 }
    }

    /// How many files stay open, to be read from other threads.
    pub(super) fn count(&self) -> Arc<AtomicUsize> {
        Arc::clone(&self.count)
    }

    /// The text of `root/folder/name`. `folder` begins with a slash, and is a cgroup's path.
    pub(super) fn read(
        &mut self,
        kept: &mut Kept,
        root: &Root,
        folder: &[u8],
        name: &str,
    ) -> Result<&[u8], Trouble> {
        match kept {
            Kept::Absent => return Err(Trouble::Absent),
            Kept::Open(open) => match whole(&open.file, &mut self.buffer) {
                Ok(length) => return Ok(self.buffer.get(..length).unwrap_or_default()),
                // Of a cgroup that is gone: another may have its name by now.
                Err(_) => *kept = Kept::Closed,
            },
            Kept::Closed => {}
        }
        self.name(root, folder, name);
        let flags = OFlags::RDONLY | OFlags::CLOEXEC;
        let file = match open(self.path.as_slice(), flags, Mode::empty()) {
            Ok(file) => file,
            Err(error) => return Err(self.trouble(error, kept, root, folder)),
        };
        let length = match whole(&file, &mut self.buffer) {
            Ok(length) => length,
            Err(error) => return Err(self.trouble(error, kept, root, folder)),
        };
        if root.kernel && self.count.load(Relaxed) < self.most {
            self.count.fetch_add(1, Relaxed);
            *kept = Kept::Open(Open { file, count: Arc::clone(&self.count) });
        }
        Ok(self.buffer.get(..length).unwrap_or_default())
    }

    /// The same of a file that never stays open.
    pub(super) fn read_once(
        &mut self,
        root: &Root,
        folder: &[u8],
        name: &str,
    ) -> Result<&[u8], Trouble> {
        self.name(root, folder, name);
        let file = open(self.path.as_slice(), OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty());
        match file.and_then(|file| whole(&file, &mut self.buffer)) {
            Ok(length) => Ok(self.buffer.get(..length).unwrap_or_default()),
            Err(Errno::NOENT | Errno::NODEV | Errno::SRCH) => Err(Trouble::Absent),
            Err(_) => Err(Trouble::Refused),
        }
    }

    /// What a link of a process's points to, such as its network's name.
    pub(super) fn link(&mut self, procfs: &Root, process: &str, name: &str) -> Option<Box<[u8]>> {
        let folder = format!("/{process}");
        self.name(procfs, folder.as_bytes(), name);
        let target = rustix::fs::readlink(self.path.as_slice(), Vec::new()).ok()?;
        Some(target.as_bytes().into())
    }

    fn name(&mut self, root: &Root, folder: &[u8], name: &str) {
        self.path.clear();
        self.path.extend_from_slice(&root.path);
        if folder != b"/" {
            self.path.extend_from_slice(folder);
        }
        self.path.push(b'/');
        self.path.extend_from_slice(name.as_bytes());
    }

    fn trouble(&mut self, error: Errno, kept: &mut Kept, root: &Root, folder: &[u8]) -> Trouble {
        let gone = matches!(error, Errno::NOENT | Errno::NODEV);
        if gone && !self.is_there(root, folder) {
            return Trouble::Gone;
        }
        if matches!(error, Errno::NOENT | Errno::NODEV | Errno::OPNOTSUPP | Errno::NOTDIR) {
            *kept = Kept::Absent;
            return Trouble::Absent;
        }
        self.refused += 1;
        Trouble::Refused
    }

    /// Whether a folder is there.
    pub(super) fn is_there(&mut self, root: &Root, folder: &[u8]) -> bool {
        self.name(root, folder, "");
        let status = statat(rustix::fs::CWD, self.path.as_slice(), AtFlags::empty());
        status.is_ok_and(|status| FileType::from_raw_mode(status.st_mode) == FileType::Directory)
    }
}

/// Reads from the beginning to the end. An answer that does not fill the buffer is not the end for sure: a file of many
/// records comes in pieces.
fn whole(file: &OwnedFd, buffer: &mut Vec<u8>) -> Result<usize, Errno> {
    let mut end = 0;
    loop {
        if buffer.len() - end < SMALL / 2 {
            if buffer.len() >= LIMIT {
                return Ok(end);
            }
            buffer.resize((buffer.len() * 2).min(LIMIT), 0);
        }
        let room = buffer.get_mut(end..).unwrap_or_default();
        match pread(file, room, end as u64) {
            Ok(0) => return Ok(end),
            // A page holds whole records; what is much less than one was all.
            Ok(count) if count < PAGE / 2 => return Ok(end + count),
            Ok(count) => end += count,
            Err(Errno::INTR) => {}
            Err(error) => return Err(error),
        }
    }
}

/// The least that the kernel hands out at once where there is more.
const PAGE: usize = 4096;

/// Raises the limit of descriptors to what is allowed; answers how many there may be in all.
pub(super) fn raise_limit() -> usize {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    if limit.current != limit.maximum {
        let wanted = rustix::process::Rlimit { current: limit.maximum, ..limit };
        if setrlimit(Resource::Nofile, wanted).is_ok() {
            limit.current = limit.maximum;
        }
    }
    limit.current.and_then(|most| usize::try_from(most).ok()).unwrap_or(usize::MAX)
}
