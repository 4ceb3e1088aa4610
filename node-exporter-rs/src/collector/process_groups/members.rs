//! Which process belongs to which group, and what the groups use.

use std::collections::HashMap;
use std::io;

use super::config::{Facts, Groups, Verdict};
use crate::collector::CollectError;
use crate::collector::pids::{Pids, Process, Stat, is_gone};

/// The longest command line that rules see.
const CMDLINE: usize = 4096;
/// More than this is not followed; the kernel itself has a limit (`pid_max`), which may be higher.
const MOST: usize = 1 << 17;

/// Every process that there was in the last scrape, and the groups' sums.
#[derive(Debug)]
pub(super) struct Members {
    groups: Groups,
    page: u64,
    round: u64,
    /// By PID and start, as PIDs are given again.
    known: HashMap<(u32, u64), Known>,
    sums: Vec<Sum>,
    /// True once a process has told what storage did for it: some kernels are built without that.
    storage: bool,
}

/// What is remembered of a process.
#[derive(Debug)]
struct Known {
    round: u64,
    verdict: Verdict,
    comm: [u8; 16],
    /// True after the second look: a process that was just forked still looks like its parent.
    settled: bool,
    user: u64,
    system: u64,
    storage: Option<Storage>,
}

/// Bytes read and written.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Storage {
    pub(super) read: u64,
    pub(super) written: u64,
}

/// What a group uses.
#[derive(Clone, Debug, Default)]
pub(super) struct Sum {
    pub(super) processes: u64,
    pub(super) threads: u64,
    pub(super) resident_bytes: u64,
    pub(super) virtual_bytes: u64,
    /// `None` where those of a process cannot be read.
    pub(super) files: Option<u64>,
    /// Ticks since the first scrape.
    pub(super) user: u64,
    pub(super) system: u64,
    storage: Storage,
    /// True where that of a process cannot be read.
    storage_unknown: bool,
    /// True where it is not known of every process whether it belongs here.
    unknown: bool,
}

impl Sum {
    /// Makes ready for a scrape: counters stay.
    fn restart(&mut self) {
        let Self { user, system, storage, .. } = *self;
        *self = Self { user, system, storage, files: Some(0), ..Self::default() };
    }
}

impl Members {
    pub(super) fn new(groups: Groups) -> Self {
        let sums = vec![Sum::default(); groups.names().count()];
        let page = rustix::param::page_size() as u64;
        Self { groups, page, round: 0, known: HashMap::new(), sums, storage: false }
    }

    /// The groups that are known whole, with their names.
    pub(super) fn sums(&self) -> impl Iterator<Item = (&str, &Sum)> {
        self.groups.names().zip(&self.sums).filter(|(_, sum)| !sum.unknown)
    }

    /// Bytes that storage read and that were written for a group, where that is known.
    pub(super) fn storage(&self, sum: &Sum) -> Option<Storage> {
        (self.storage && !sum.storage_unknown).then_some(sum.storage)
    }

    /// Looks at every process. The outer error leaves nothing to tell, the inner one costs only some groups.
    pub(super) fn read(&mut self, pids: &Pids) -> Result<Result<(), CollectError>, CollectError> {
        self.round += 1;
        self.sums.iter_mut().for_each(Sum::restart);
        let mut verdict = Ok(());
        pids.each(|process, stat| {
            let result = self.take(process, stat);
            if verdict.is_ok() {
                verdict = result;
            }
            Ok(())
        })?;
        let round = self.round;
        self.known.retain(|_, known| known.round == round);
        Ok(verdict)
    }

    fn take(&mut self, process: &Process<'_>, stat: &Stat<'_>) -> Result<(), CollectError> {
        let key = (process.pid, stat.started);
        if self.known.len() >= MOST && !self.known.contains_key(&key) {
            let source = io::Error::other(format!("more than {MOST}"));
            return Err(CollectError::Call { call: "following all processes", source });
        }
        let known = self.known.entry(key).or_insert_with(Known::new);
        known.round = self.round;
        let fresh = !known.settled;
        let result = known.judge(&self.groups, process, stat);
        let (user, system) = known.advance(stat);
        match known.verdict {
            Verdict::Stranger => known.storage = None,
            Verdict::Unknown(groups) => {
                for (i, sum) in self.sums.iter_mut().enumerate() {
                    sum.unknown |= groups >> i & 1 == 1;
                }
            }
            Verdict::Member(group) => {
                let sum = &mut self.sums[group];
                sum.processes += 1;
                sum.threads += stat.threads;
                sum.resident_bytes += stat.resident_pages.saturating_mul(self.page);
                sum.virtual_bytes = sum.virtual_bytes.saturating_add(stat.virtual_bytes);
                sum.user += user;
                sum.system += system;
                sum.add_files(process, stat);
                sum.add_storage(process, known, fresh, &mut self.storage);
            }
        }
        result
    }
}

impl Known {
    fn new() -> Self {
        Self {
            round: 0,
            verdict: Verdict::Stranger,
            comm: [0; 16],
            settled: false,
            user: 0,
            system: 0,
            storage: None,
        }
    }

    /// Asks the rules where the process is new, goes by another name than before, or could not be judged.
    fn judge(
        &mut self,
        groups: &Groups,
        process: &Process<'_>,
        stat: &Stat<'_>,
    ) -> Result<(), CollectError> {
        let mut comm = [0; 16];
        comm.iter_mut().zip(stat.comm).for_each(|(to, from)| *to = *from);
        if self.settled && self.comm == comm {
            return Ok(());
        }
        self.settled = self.comm == comm;
        self.comm = comm;
        let mut failure = None;
        let mut ask = |wanted: bool, file: &str, read: fn(&Process<'_>) -> io::Result<String>| {
            // A kernel thread and a process that ended have neither memory nor what would be read of it.
            if !wanted || stat.virtual_bytes == 0 {
                return Some(String::new());
            }
            match read(process) {
                Err(error) if is_gone(&error) => Some(String::new()),
                Err(error) => {
                    failure = Some(process.failed(file, error));
                    None
                }
                Ok(text) => Some(text),
            }
        };
        let cmdline = ask(groups.ask_for_cmdline(), "cmdline", cmdline);
        let exe = ask(groups.ask_for_exe(), "exe", exe);
        let comm = String::from_utf8_lossy(stat.comm);
        let facts = Facts { comm: &comm, cmdline: cmdline.as_deref(), exe: exe.as_deref() };
        self.verdict = groups.judge(facts);
        match (self.verdict, failure) {
            (Verdict::Unknown(_), Some(failure)) => {
                self.settled = false;
                Err(failure)
            }
            _ => Ok(()),
        }
    }

    /// The ticks in user and in system mode since the last look.
    fn advance(&mut self, stat: &Stat<'_>) -> (u64, u64) {
        let user = stat.user.saturating_sub(std::mem::replace(&mut self.user, stat.user));
        let system = stat.system.saturating_sub(std::mem::replace(&mut self.system, stat.system));
        (user, system)
    }
}

impl Sum {
    fn add_files(&mut self, process: &Process<'_>, stat: &Stat<'_>) {
        // A kernel thread has no files, and would only tell root so.
        let count = if stat.virtual_bytes == 0 { Ok(0) } else { process.open_files() };
        match count {
            Ok(count) => self.files = self.files.map(|files| files + count),
            Err(error) if is_gone(&error) => {}
            Err(_) => self.files = None,
        }
    }

    /// What a process that is new did is all the group's; of one that came from elsewhere, what it does from now on.
    fn add_storage(
        &mut self,
        process: &Process<'_>,
        known: &mut Known,
        fresh: bool,
        told: &mut bool,
    ) {
        match Storage::read(process) {
            Err(error) if is_gone(&error) => {}
            Err(_) => self.storage_unknown = true,
            Ok(now) => {
                *told = true;
                let before = known.storage.replace(now);
                let before = before.unwrap_or(if fresh { Storage::default() } else { now });
                self.storage.read += now.read.saturating_sub(before.read);
                self.storage.written += now.written.saturating_sub(before.written);
            }
        }
    }
}

impl Storage {
    fn read(process: &Process<'_>) -> io::Result<Self> {
        let mut buffer = [0; 512];
        let text = process.read("io", &mut buffer)?;
        Self::parse(text).ok_or_else(|| io::ErrorKind::InvalidData.into())
    }

    /// `read_bytes: 4096` and `write_bytes: 0` among other lines (proc(5)).
    fn parse(text: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(text).ok()?;
        let of = |name: &str| {
            let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
            value?.trim_ascii().parse().ok()
        };
        Some(Self { read: of("read_bytes")?, written: of("write_bytes")? })
    }
}

/// The arguments with blanks between.
fn cmdline(process: &Process<'_>) -> io::Result<String> {
    let mut buffer = [0; CMDLINE];
    let length = process.read("cmdline", &mut buffer)?.len();
    let arguments = &mut buffer[..length];
    arguments.iter_mut().filter(|byte| **byte == 0).for_each(|byte| *byte = b' ');
    Ok(String::from_utf8_lossy(arguments.trim_ascii_end()).into_owned())
}

/// The program's file, also where an update has removed it since.
fn exe(process: &Process<'_>) -> io::Result<String> {
    let path = process.link("exe")?;
    let path = path.strip_suffix(b" (deleted)").unwrap_or(&path);
    Ok(String::from_utf8_lossy(path).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_storage_did_is_found_among_other_lines() {
        let text = b"rchar: 5\nread_bytes: 4096\nwrite_bytes: 8\ncancelled_write_bytes: 1\n";
        assert_eq!(Storage::parse(text), Some(Storage { read: 4096, written: 8 }));
        assert_eq!(Storage::parse(b"read_bytes: x\nwrite_bytes: 8\n"), None);
        assert_eq!(Storage::parse(b"rchar: 5\n"), None);
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(text: Vec<u8>) {
            let _storage = Storage::parse(&text);
        }
    }
}
