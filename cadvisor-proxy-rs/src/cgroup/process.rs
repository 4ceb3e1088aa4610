//! Processes of a cgroup, and what `/proc` tells of them.

use super::at::{At, Gone};
use super::hierarchy::Controller;
use super::kept::{Access, Kept, Root};
use super::parse::{lines, number, words};

#[derive(Debug, Default)]
pub(super) struct Files {
    processes: Kept,
    threads: Kept,
}

impl Files {
    pub(super) fn retry(&mut self) {
        self.processes.retry();
        self.threads.retry();
    }
}

#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Processes {
    pub(super) count: Option<u64>,
    pub(super) threads: Option<u64>,
    /// The one that is listed first: that of a container which started first, or nearly so.
    pub(super) first: Option<u32>,
    pub(super) descriptors: Option<u64>,
    pub(super) sockets: Option<u64>,
}

/// Processes whose descriptors are counted at most, and descriptors of each.
const PROCESSES: usize = 1024;
const DESCRIPTORS: usize = 65_536;

/// `procfs` is given where descriptors are to be counted.
pub(super) fn read(
    files: &mut Files,
    access: &mut Access,
    at: &At<'_>,
    procfs: Option<&Root>,
) -> Result<Processes, Gone> {
    let mut found = Processes::default();
    let mut pids: Vec<u32> = Vec::new();
    if let Some(tree) = at.processes()
        && let Some(text) = at.read(access, &mut files.processes, tree, "cgroup.procs")?
    {
        found.count = Some(lines(text).count() as u64);
        found.first = first(text);
        if procfs.is_some() {
            pids.extend(lines(text).filter_map(pid).take(PROCESSES));
        }
    }
    if let Some(tree) = at.tree(Controller::Pids) {
        found.threads = at.number(access, &mut files.threads, tree, "pids.current")?;
    }
    if let Some(procfs) = procfs.filter(|_| found.count.is_some()) {
        let (mut descriptors, mut sockets) = (0, 0);
        for pid in pids {
            let (more, of_them) = open_files(procfs, pid);
            (descriptors, sockets) = (descriptors + more, sockets + of_them);
        }
        (found.descriptors, found.sockets) = (Some(descriptors), Some(sockets));
    }
    Ok(found)
}

/// The first process of a list that we can see.
pub(super) fn first(text: &[u8]) -> Option<u32> {
    lines(text).find_map(pid)
}

/// A process of another pid namespace is listed as 0.
fn pid(line: &[u8]) -> Option<u32> {
    u32::try_from(number(line)?).ok().filter(|pid| *pid > 0)
}

/// Open files of a process, and how many of them are sockets; none of one that has ended.
fn open_files(procfs: &Root, pid: u32) -> (u64, u64) {
    let folder = [&procfs.path[..], format!("/{pid}/fd").as_bytes()].concat();
    let flags =
        rustix::fs::OFlags::RDONLY | rustix::fs::OFlags::DIRECTORY | rustix::fs::OFlags::CLOEXEC;
    let Ok(folder) = rustix::fs::open(folder, flags, rustix::fs::Mode::empty()) else {
        return (0, 0);
    };
    let Ok(listed) = rustix::fs::Dir::read_from(&folder) else { return (0, 0) };
    let mut counts = (0, 0);
    let mut buffer = [std::mem::MaybeUninit::uninit(); 16];
    for entry in listed.filter_map(Result::ok).take(DESCRIPTORS) {
        if entry.file_name().to_bytes().first().is_none_or(|byte| *byte == b'.') {
            continue;
        }
        counts.0 += 1;
        let target = rustix::fs::readlinkat_raw(&folder, entry.file_name(), &mut buffer);
        if target.is_ok_and(|(target, _)| target.starts_with(b"socket:")) {
            counts.1 += 1;
        }
    }
    counts
}

/// The soft limit of open files in `/proc/PID/limits`, -1 where there is none.
pub(super) fn open_files_limit(text: &[u8]) -> Option<i64> {
    let line = lines(text).find_map(|line| line.strip_prefix(b"Max open files"))?;
    match words(line).next()? {
        b"unlimited" => Some(-1),
        soft => i64::try_from(number(soft)?).ok(),
    }
}

/// When a process started, in seconds after the boot: the 22nd field of `/proc/PID/stat`, of which the second may hold
/// anything up to its last bracket.
pub(super) fn start(text: &[u8]) -> Option<u64> {
    let end = memchr::memrchr(b')', text)?;
    let ticks = words(text.get(end + 1..)?).nth(19).and_then(number)?;
    Some(ticks / 100)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_of_open_files_is_found() {
        let text =
            b"Limit                     Soft Limit           Hard Limit           Units     \n\
            Max processes             95864                95864                processes \n\
            Max open files            1024                 524288               files     \n";
        assert_eq!(open_files_limit(text), Some(1024));
        assert_eq!(open_files_limit(b"Max open files   unlimited   unlimited  files"), Some(-1));
        assert_eq!(open_files_limit(b"Max open files   soft"), None);
        assert_eq!(open_files_limit(b""), None);
    }

    #[test]
    fn a_start_is_found_behind_any_name() {
        let rest = "S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 12345 20 21";
        assert_eq!(start(format!("7 (a) b) 1) {rest}").as_bytes()), Some(123));
        assert_eq!(start(b"7 (a S 1 2"), None);
        assert_eq!(start(b"7 (a) S 1 2"), None);
    }

    #[test]
    fn processes_that_we_cannot_see_are_counted_and_never_taken() {
        assert_eq!((pid(b"0"), pid(b"17"), pid(b"4294967296")), (None, Some(17), None));
    }

    #[test]
    fn our_own_open_files_are_counted() {
        let _socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let procfs = Root::new(std::path::Path::new("/proc"));
        let (descriptors, sockets) = open_files(&procfs, std::process::id());
        assert!(descriptors > sockets && sockets >= 1, "{descriptors} {sockets}");
        assert_eq!(open_files(&procfs, u32::MAX), (0, 0));
    }
}
