//! How much a container has written into its own layer (overlay's upper directory): walked now and then, beside the
//! scrapes, and only where it is asked for.

use std::collections::{HashMap, HashSet};
use std::ffi::CString;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustix::fd::OwnedFd;
use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, major, minor, open, openat, statat};
use tokio::task::spawn_blocking;
use tokio::time::sleep;

use super::disk::Filesystem;
use super::machine::{Paths, text};
use super::parse::{lines, split, words};

/// Files of one layer at most; of a larger one nothing is told.
const FILES: u64 = 500_000;
/// A deeper folder is not looked into.
const DEPTH: usize = 128;
/// Between two layers, so that the disk is never busy with us alone.
const REST: Duration = Duration::from_millis(50);
/// What the kernel counts a file's blocks in, stat(2).
const BLOCK: u64 = 512;

/// What the reader tells, and what it gets.
#[derive(Debug, Default)]
pub struct Usage {
    /// Containers, and a process of each.
    containers: Mutex<Vec<(Box<[u8]>, u32)>>,
    measured: Mutex<HashMap<Box<[u8]>, Filesystem>>,
}

impl Usage {
    pub(super) fn set_containers(&self, containers: Vec<(Box<[u8]>, u32)>) {
        *self.containers.lock().unwrap_or_else(PoisonError::into_inner) = containers;
    }

    pub(super) fn of(&self, path: &[u8]) -> Option<Filesystem> {
        self.measured.lock().unwrap_or_else(PoisonError::into_inner).get(path).cloned()
    }

    /// Measures for ever.
    pub async fn follow(self: Arc<Self>, paths: Paths, interval: Duration) {
        loop {
            let containers = self.containers.lock().unwrap_or_else(PoisonError::into_inner).clone();
            let mut measured = HashMap::new();
            for (path, pid) in containers {
                let paths = paths.clone();
                if let Ok(Some(filesystem)) = spawn_blocking(move || layer(&paths, pid)).await {
                    measured.insert(path, filesystem);
                }
                sleep(REST).await;
            }
            let waits =
                if measured.is_empty() { interval.min(Duration::from_secs(10)) } else { interval };
            *self.measured.lock().unwrap_or_else(PoisonError::into_inner) = measured;
            sleep(waits).await;
        }
    }
}

/// The upper directory of the root that a process sees, where that is an overlay.
fn upper(mountinfo: &[u8]) -> Option<PathBuf> {
    let root = lines(mountinfo).find(|line| words(line).nth(4) == Some(&b"/"[..]))?;
    let mut rest = words(root).skip_while(|word| *word != b"-").skip(1);
    if rest.next() != Some(&b"overlay"[..]) {
        return None;
    }
    let options = rest.nth(1)?;
    let upper = options.split(|byte| *byte == b',').find_map(|option| {
        split(option, b'=').filter(|(key, _)| *key == b"upperdir").map(|(_, value)| value)
    })?;
    Some(PathBuf::from(String::from_utf8_lossy(upper).into_owned()))
}

/// What a container's layer holds, and the file system that it is on.
fn layer(paths: &Paths, pid: u32) -> Option<Filesystem> {
    let mountinfo = text(&paths.procfs.join(pid.to_string()).join("mountinfo"))?;
    let folder = paths.root(upper(&mountinfo)?.to_str()?);
    let (bytes, inodes) = measure(&folder)?;
    let status = rustix::fs::statvfs(&folder).ok()?;
    let device = rustix::fs::stat(&folder).ok()?.st_dev;
    let (major, minor) = (major(device), minor(device));
    let name = super::machine::device_name(paths, (major, minor));
    Some(Filesystem {
        name,
        limit: status.f_blocks.checked_mul(status.f_frsize),
        usage: Some(bytes),
        inodes: Some(inodes),
        ..Filesystem::default()
    })
}

/// Bytes and inodes below a folder; a file with several names counts once.
fn measure(folder: &Path) -> Option<(u64, u64)> {
    let mut tally = Tally { bytes: 0, inodes: 1, several: HashSet::new() };
    tally.folder(&open(folder, FOLDER, Mode::empty()).ok()?, 0)?;
    Some((tally.bytes, tally.inodes))
}

/// A link is never followed: containers may put one wherever they like.
const FOLDER: OFlags =
    OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC).union(OFlags::NOFOLLOW);

struct Tally {
    bytes: u64,
    inodes: u64,
    /// Inodes with several names that were counted.
    several: HashSet<u64>,
}

impl Tally {
    /// `None` where there are too many files.
    fn folder(&mut self, folder: &OwnedFd, depth: usize) -> Option<()> {
        let mut folders: Vec<CString> = Vec::new();
        for entry in Dir::read_from(folder).into_iter().flatten().filter_map(Result::ok) {
            let name = entry.file_name();
            if matches!(name.to_bytes(), b"." | b"..") {
                continue;
            }
            let Ok(status) = statat(folder, name, AtFlags::SYMLINK_NOFOLLOW) else { continue };
            let is_folder = FileType::from_raw_mode(status.st_mode) == FileType::Directory;
            if !is_folder && status.st_nlink > 1 && !self.several.insert(status.st_ino) {
                continue;
            }
            self.inodes += 1;
            self.bytes += u64::try_from(status.st_blocks).unwrap_or_default() * BLOCK;
            if self.inodes > FILES {
                return None;
            }
            if is_folder && depth < DEPTH {
                folders.push(name.to_owned());
            }
        }
        for name in folders {
            if let Ok(below) = openat(folder, name, FOLDER, Mode::empty()) {
                self.folder(&below, depth + 1)?;
            }
        }
        Some(())
    }
}

pub(super) fn fuzz(text: &[u8]) {
    let _folder = upper(text);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_upper_directory_is_that_of_the_root() {
        let text = b"1 0 0:40 / / rw,relatime - overlay overlay rw,lowerdir=/a:/b,upperdir=/var/lib/docker/overlay2/x/diff,workdir=/w\n\
            2 1 0:41 / /proc rw - proc proc rw\n";
        assert_eq!(upper(text), Some(PathBuf::from("/var/lib/docker/overlay2/x/diff")));
        assert_eq!(upper(b"1 0 254:0 / / rw - ext4 /dev/vda rw\n"), None);
        assert_eq!(upper(b"short\n"), None);
    }

    #[test]
    fn a_file_with_several_names_counts_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        std::fs::create_dir(path.join("a")).unwrap();
        let (before, _) = measure(path).unwrap();
        std::fs::write(path.join("a/one"), vec![7; 100_000]).unwrap();
        std::fs::hard_link(path.join("a/one"), path.join("two")).unwrap();
        std::os::unix::fs::symlink("/", path.join("link")).unwrap();
        let (bytes, inodes) = measure(path).unwrap();
        assert_eq!(inodes, 4);
        assert!((90_000..200_000).contains(&(bytes - before)), "{bytes}");
    }
}
