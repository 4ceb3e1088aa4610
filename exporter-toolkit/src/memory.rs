//! Requests to glibc and the kernel, so that an agent holds little more memory than it uses.
//!
//! With another C library or another system both do nothing.

use std::time::Duration;
#[cfg(all(target_os = "linux", target_env = "gnu"))]
use std::{
    fs::{self, File},
    io::{BufRead as _, BufReader},
    ops::Range,
    path::Path,
};

/// Makes all threads allocate from one heap. Call it before the first thread is started.
///
/// By default glibc gives each thread a heap of its own, and what start-up freed in the first is lost to the others. The
/// agents allocate next to nothing in the steady state, so nobody waits for the one heap's lock.
pub fn share_one_heap() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    glibc::mallopt_arena_max(1);
}

/// Makes each allocation of 256 KiB and more a mapping of its own, which goes back to the kernel with it. For an agent
/// whose large buffers live for a moment; glibc would keep the next ones in its heap after the first had been freed.
pub fn map_large() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    glibc::mallopt_mmap_threshold(256 << 10);
}

/// Gives free memory back to the kernel. To be called after work that needed much more than what it left.
pub fn trim() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    glibc::malloc_trim();
}

/// Gives free memory back to the kernel, and the pages of the program's code and constants, most of which only the start
/// needed: what is used again is mapped again from the page cache, a few dozen faults in all. To be called when start-up is
/// over.
pub fn give_back() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        glibc::malloc_trim();
        if let (Ok(maps), Ok(program)) =
            (File::open("/proc/self/smaps"), fs::read_link("/proc/self/exe"))
        {
            let lines = BufReader::new(maps).lines().map_while(Result::ok);
            unchanged(lines, &program).for_each(glibc::forget);
        }
    }
}

/// As [`give_back`] now, and once more when servers have been found, names looked up and first answers given: what that took
/// of the code runs seldom again. To be called in a runtime.
pub fn give_back_now_and_later() {
    const SETTLED: Duration = Duration::from_secs(30);
    give_back();
    tokio::spawn(async {
        tokio::time::sleep(SETTLED).await;
        give_back();
    });
}

/// The addresses in `/proc/PID/smaps` (Documentation/filesystems/proc.rst, 1.1) that map the program's code and constants:
/// what nobody may write, and of which no page differs from the file's, as those with relocations do.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn unchanged(
    lines: impl Iterator<Item = String>,
    program: &Path,
) -> impl Iterator<Item = Range<usize>> {
    let mut mapping = None;
    lines.filter_map(move |line| {
        let mut columns = line.split_ascii_whitespace();
        match (columns.next()?, columns.next()?) {
            // Pages that are the process's own, in kB.
            ("Anonymous:", "0") => mapping.take(),
            (field, _) if field.ends_with(':') => None,
            (addresses, rights) => {
                let readable = matches!(rights, "r-xp" | "r--p");
                let ours = columns.nth(3).is_some_and(|path| Path::new(path) == program);
                mapping = (readable && ours).then(|| range(addresses)).flatten();
                None
            }
        }
    })
}

#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn range(text: &str) -> Option<Range<usize>> {
    let (start, end) = text.split_once('-')?;
    let address = |text| usize::from_str_radix(text, 16).ok();
    Some(address(start)?..address(end)?)
}

#[cfg(all(target_os = "linux", target_env = "gnu"))]
mod glibc {
    #![expect(unsafe_code, reason = "no safe crate offers these calls")]

    use std::ops::Range;

    /// `mallopt(3)`. A refusal changes nothing, so it is not looked at.
    pub(super) fn mallopt_arena_max(count: libc::c_int) {
        // SAFETY: the call takes two numbers and sets a number of the allocator's own under its lock.
        let _accepted = unsafe { libc::mallopt(libc::M_ARENA_MAX, count) };
    }

    /// `mallopt(3)`; from then on glibc adjusts the threshold no more.
    pub(super) fn mallopt_mmap_threshold(bytes: libc::c_int) {
        // SAFETY: as above.
        let _accepted = unsafe { libc::mallopt(libc::M_MMAP_THRESHOLD, bytes) };
    }

    /// `malloc_trim(3)` without padding.
    pub(super) fn malloc_trim() {
        // SAFETY: the call takes a number and touches only memory that the allocator knows to be free.
        let _released = unsafe { libc::malloc_trim(0) };
    }

    /// `madvise(2)` with `MADV_DONTNEED` on what is mapped from the program's file and not changed.
    pub(super) fn forget(mapped: Range<usize>) {
        let start = std::ptr::with_exposed_provenance_mut(mapped.start);
        // SAFETY: the range is a private mapping of the program's file that the kernel lists as not writable and without a
        // page of the process's own. All its pages hold what the file holds, so forgetting them changes no byte: the next
        // access maps the file's page again.
        let _forgotten = unsafe { libc::madvise(start, mapped.len(), libc::MADV_DONTNEED) };
    }
}

#[cfg(all(test, target_os = "linux", target_env = "gnu"))]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_program_cannot_have_changed_is_forgotten() {
        let program = Path::new("/usr/bin/agent");
        let smaps = "\
            1000-2000 r--p 00000000 fe:00 77    /usr/bin/agent\n\
            Size:                  4 kB\nAnonymous:             0 kB\nKSM:                   0 kB\n\
            2000-3000 r-xp 00001000 fe:00 77    /usr/bin/agent\nAnonymous:             0 kB\n\
            3000-4000 r--p 00002000 fe:00 77    /usr/bin/agent\nAnonymous:             4 kB\n\
            4000-5000 rw-p 00003000 fe:00 77    /usr/bin/agent\nAnonymous:             0 kB\n\
            5000-6000 r-xp 00000000 fe:00 78    /usr/lib/libc.so.6\nAnonymous:             0 kB\n\
            6000-7000 r-xp 00000000 00:00 0     [vdso]\nAnonymous:             0 kB\n\
            7000-8000 rw-p 00000000 00:00 0\nAnonymous:             0 kB\n\
            8000-9000 r--s 00001000 fe:00 77    /usr/bin/agent\nAnonymous:             0 kB\n\nodd\n";
        let lines = smaps.lines().map(str::to_owned);
        let found: Vec<_> = unchanged(lines, program).collect();
        assert_eq!(found, [0x1000..0x2000, 0x2000..0x3000]);
    }

    #[test]
    fn the_program_runs_on_without_what_it_gave_back() {
        let before: Vec<String> = (0..1000).map(|n| n.to_string()).collect();
        give_back();
        assert_eq!(
            before.iter().map(|n| n.parse::<u32>().ok()).sum::<Option<u32>>(),
            Some(499_500)
        );
    }
}
