//! What the readers of processes share: the host's processes one after another, whichever come and go meanwhile.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::Instant;

use rustix::fs::{AtFlags, Mode, OFlags, RawDir};

use super::CollectError;
use crate::host::Host;

/// Room for the names of some hundred processes or threads: what one call lists.
const LISTED: usize = 8 << 10;
/// `linux/magic.h`.
const PROC_SUPER_MAGIC: rustix::fs::FsWord = 0x9fa0;
/// The line of some 50 numbers that `stat` is.
const STAT: usize = 2048;
/// The clock is asked once in so many processes.
const BETWEEN_CLOCKS: usize = 64;

/// The processes of the host, below `--path.procfs`.
#[derive(Debug)]
pub(super) struct Pids {
    folder: PathBuf,
    /// When the scrape must have its answer; a walk that takes longer ends with an error.
    pub until: Option<Instant>,
}

impl Pids {
    pub(super) fn new(host: &Host) -> Self {
        Self { folder: host.proc(""), until: None }
    }

    /// Sees every process. One that ends meanwhile is left out; any other error ends the walk.
    pub(super) fn each(
        &self,
        mut see: impl FnMut(&Process<'_>, &Stat<'_>) -> Result<(), CollectError>,
    ) -> Result<(), CollectError> {
        let failed = |source| CollectError::Read { path: self.folder.clone(), source };
        let folder = open(rustix::fs::CWD, &self.folder, OFlags::DIRECTORY).map_err(failed)?;
        let live = rustix::fs::fstatfs(&folder).is_ok_and(|fs| fs.f_type == PROC_SUPER_MAGIC);
        let mut count = 0;
        let mut verdict = Ok(());
        let listed = each_number(&folder, |pid| {
            let process = Process { folder: folder.as_fd(), path: &self.folder, live, pid };
            verdict = if count % BETWEEN_CLOCKS == 0 && self.is_late() {
                let call = "looking at all processes";
                Err(CollectError::Call { call, source: io::ErrorKind::TimedOut.into() })
            } else {
                process.show(&mut see)
            };
            count += 1;
            verdict.is_ok()
        });
        verdict.and(listed.map_err(failed))
    }

    fn is_late(&self) -> bool {
        self.until.is_some_and(|until| Instant::now() >= until)
    }
}

/// A process that was there a moment ago.
#[derive(Debug)]
pub(super) struct Process<'a> {
    /// The open `/proc`, and its path for errors.
    folder: BorrowedFd<'a>,
    path: &'a Path,
    /// False in a tree that was made for a test.
    live: bool,
    pub pid: u32,
}

impl Process<'_> {
    fn show(
        &self,
        see: &mut impl FnMut(&Self, &Stat<'_>) -> Result<(), CollectError>,
    ) -> Result<(), CollectError> {
        let mut buffer = [0; STAT];
        let line = match self.read("stat", &mut buffer) {
            Err(error) if is_gone(&error) => return Ok(()),
            line => line.map_err(|error| self.failed("stat", error))?,
        };
        see(self, &self.parse("stat", line)?)
    }

    fn parse<'b>(&self, file: &str, line: &'b [u8]) -> Result<Stat<'b>, CollectError> {
        Stat::parse(line).ok_or_else(|| {
            let path = self.path.join(format!("{}/{file}", self.pid));
            let problem = "a name in parentheses and 22 columns expected";
            CollectError::parse(&path, problem, &String::from_utf8_lossy(line))
        })
    }

    pub(super) fn failed(&self, file: &str, source: io::Error) -> CollectError {
        CollectError::Read { path: self.path.join(format!("{}/{file}", self.pid)), source }
    }

    /// A file of the process by one `read(2)`; what the buffer has no room for is left out.
    pub(super) fn read<'b>(&self, file: &str, buffer: &'b mut [u8]) -> io::Result<&'b [u8]> {
        let file = open(self.folder, format!("{}/{file}", self.pid), OFlags::empty())?;
        let length = rustix::io::read(&file, &mut *buffer)?;
        Ok(&buffer[..length])
    }

    /// What a link of the process points to.
    pub(super) fn link(&self, file: &str) -> io::Result<Vec<u8>> {
        let path = format!("{}/{file}", self.pid);
        Ok(rustix::fs::readlinkat(self.folder, path, Vec::new())?.into_bytes())
    }

    /// Sees the numbers that a folder of the process lists: threads (`task`), open files (`fd`).
    pub(super) fn numbers(&self, folder: &str, mut see: impl FnMut(u32)) -> io::Result<()> {
        let folder = open(self.folder, format!("{}/{folder}", self.pid), OFlags::DIRECTORY)?;
        each_number(&folder, |number| {
            see(number);
            true
        })
    }

    /// How many files the process has open: since Linux 6.2 the size of their folder, else counted one by one.
    pub(super) fn open_files(&self) -> io::Result<u64> {
        let folder = format!("{}/fd", self.pid);
        let size = rustix::fs::statat(self.folder, folder, AtFlags::empty())?.st_size;
        if self.live && size > 0 {
            return Ok(size.unsigned_abs());
        }
        let mut count = 0;
        self.numbers("fd", |_| count += 1)?;
        Ok(count)
    }

    /// Sees the state of every thread but the first, which is the process itself.
    pub(super) fn other_threads(&self, mut see: impl FnMut(u8)) -> Result<(), CollectError> {
        let mut failure = Ok(());
        let listed = self.numbers("task", |thread| {
            if thread == self.pid || failure.is_err() {
                return;
            }
            let (mut buffer, file) = ([0; STAT], format!("task/{thread}/stat"));
            failure = match self.read(&file, &mut buffer) {
                Err(error) if is_gone(&error) => Ok(()),
                Err(error) => Err(self.failed(&file, error)),
                Ok(line) => self.parse(&file, line).map(|stat| see(stat.state)),
            };
        });
        match listed {
            Err(error) if !is_gone(&error) => Err(self.failed("task", error)),
            _ => failure,
        }
    }
}

/// True for what the kernel says of a process that ended: no such file, or no such process where the file was open.
pub(super) fn is_gone(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotFound
        || error.raw_os_error() == Some(rustix::io::Errno::SRCH.raw_os_error())
}

fn open(at: impl AsFd, path: impl rustix::path::Arg, flags: OFlags) -> io::Result<OwnedFd> {
    Ok(rustix::fs::openat(at, path, flags | OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?)
}

/// Sees each name of a folder that is a number, until the answer is false.
fn each_number(folder: &OwnedFd, mut see: impl FnMut(u32) -> bool) -> io::Result<()> {
    let mut memory = [MaybeUninit::uninit(); LISTED];
    let mut listing = RawDir::new(folder, &mut memory);
    while let Some(entry) = listing.next() {
        let entry = entry?;
        let number = entry.file_name().to_str().ok().and_then(|name| name.parse().ok());
        if number.is_some_and(|number| !see(number)) {
            break;
        }
    }
    Ok(())
}

/// The columns of `/proc/PID/stat` that matter (`do_task_stat` of fs/proc/array.c, proc(5)).
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Stat<'a> {
    /// At most 15 bytes of a program's name, or up to 63 of a kernel thread's.
    pub comm: &'a [u8],
    /// A letter: R runs, S sleeps, D waits for a device, Z is a zombie, …
    pub state: u8,
    /// CPU time in ticks of a hundredth of a second.
    pub user: u64,
    pub system: u64,
    pub threads: u64,
    /// When it began, in ticks after the host's boot: with the PID, what tells it from any other.
    pub started: u64,
    pub virtual_bytes: u64,
    pub resident_pages: u64,
}

impl<'a> Stat<'a> {
    /// The name may hold anything, blanks and parentheses too, so it ends at the last one.
    fn parse(line: &'a [u8]) -> Option<Self> {
        let start = memchr::memchr(b'(', line)? + 1;
        let end = memchr::memrchr(b')', line)?;
        let comm = line.get(start..end)?;
        let mut columns = std::str::from_utf8(&line[end + 1..]).ok()?.split_ascii_whitespace();
        let state = *columns.next()?.as_bytes().first()?;
        // The columns are numbered as in proc(5), where the state is the third.
        let mut at = 3;
        let mut column = |number: usize| -> Option<u64> {
            let skipped = number - at - 1;
            at = number;
            columns.nth(skipped)?.parse().ok()
        };
        Some(Self {
            comm,
            state,
            user: column(14)?,
            system: column(15)?,
            threads: column(20)?,
            started: column(22)?,
            virtual_bytes: column(23)?,
            resident_pages: column(24)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_name_may_hold_parentheses_and_foreign_bytes() {
        let line = b"7 (a) b (\xff) S 1 7 7 0 -1 4194560 9 8 7 6 36 98 5 4 20 0 3 0 29 109604864 2507 18446744073709551615";
        let stat = Stat::parse(line).unwrap();
        let expected = Stat {
            comm: b"a) b (\xff",
            state: b'S',
            user: 36,
            system: 98,
            threads: 3,
            started: 29,
            virtual_bytes: 109_604_864,
            resident_pages: 2507,
        };
        assert_eq!(stat, expected);
        assert_eq!(Stat::parse(b"7 (a) S 1 7"), None);
        assert_eq!(Stat::parse(b"7 )a( S 1 7"), None);
    }

    #[test]
    fn this_very_process_is_among_them_with_its_threads() {
        let own = std::process::id();
        let mut found = None;
        let mut others = 0;
        let thread = std::thread::spawn(std::thread::park);
        let verdict = Pids::new(&Host::default()).each(|process, stat| {
            if process.pid == own {
                found = Some(stat.threads);
                process.other_threads(|_| others += 1)?;
            }
            Ok(())
        });
        thread.thread().unpark();
        thread.join().unwrap();
        assert!(verdict.is_ok());
        assert!(found.unwrap() >= 2 && others >= 1, "{found:?} {others}");
    }

    #[test]
    fn a_process_that_ends_while_it_is_looked_at_is_left_out() {
        let child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let mut child = Some(child);
        let verdict = Pids::new(&Host::default()).each(|process, _| {
            if let Some(mut child) = child.take_if(|child| child.id() == process.pid) {
                child.kill().unwrap();
                child.wait().unwrap();
                assert!(is_gone(&process.read("stat", &mut [0; 64]).unwrap_err()));
                process.other_threads(|_| panic!("it is gone"))?;
            }
            Ok(())
        });
        assert!(child.is_none() && verdict.is_ok());
    }

    #[test]
    fn a_walk_ends_at_its_deadline() {
        let mut pids = Pids::new(&Host::default());
        pids.until = Some(Instant::now());
        let error = pids.each(|_, _| panic!("too late")).unwrap_err().to_string();
        assert_eq!(error, "looking at all processes: timed out");
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(line: Vec<u8>) {
            let _stat = Stat::parse(&line);
        }

        #[test]
        fn no_columns_make_it_panic(line in "[0-9]{0,3} ?\\(?\\PC{0,9}\\)?( [0-9A-Z-]{0,21}){0,30}") {
            let _stat = Stat::parse(line.as_bytes());
        }
    }
}
