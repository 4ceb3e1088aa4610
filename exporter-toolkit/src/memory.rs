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

/// Gives free memory back to the kernel, and the pages of the program's code, most of which only the start needed: what
/// runs again is mapped again from the page cache, a few dozen faults in all. To be called when start-up is over.
pub fn give_back() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        glibc::malloc_trim();
        if let (Ok(maps), Ok(program)) =
            (File::open("/proc/self/maps"), fs::read_link("/proc/self/exe"))
        {
            let lines = BufReader::new(maps).lines().map_while(Result::ok);
            lines.filter_map(|line| code(&line, &program)).for_each(glibc::forget);
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

/// The addresses of a line of `/proc/PID/maps` (Documentation/filesystems/proc.rst, 1.1) that maps the program's code.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn code(line: &str, program: &Path) -> Option<Range<usize>> {
    let mut columns = line.split_ascii_whitespace();
    let (start, end) = columns.next()?.split_once('-')?;
    let private_code = columns.next()? == "r-xp";
    let path = columns.nth(3)?;
    let address = |text| usize::from_str_radix(text, 16).ok();
    (private_code && Path::new(path) == program).then_some(address(start)?..address(end)?)
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

    /// `madvise(2)` with `MADV_DONTNEED` on code that is mapped from the program's file.
    pub(super) fn forget(code: Range<usize>) {
        let start = std::ptr::with_exposed_provenance_mut(code.start);
        // SAFETY: the range is a private mapping of the program's file that the kernel lists as readable, executable and
        // not writable. Such pages hold what the file holds, as position-independent code has no relocations, so
        // forgetting them changes no byte: the next access maps the file's page again.
        let _forgotten = unsafe { libc::madvise(start, code.len(), libc::MADV_DONTNEED) };
    }
}

#[cfg(all(test, target_os = "linux", target_env = "gnu"))]
mod tests {
    use super::*;

    #[test]
    fn only_the_programs_code_is_forgotten() {
        let program = Path::new("/usr/bin/agent");
        let line = |rest: &str| code(&format!("7f00-7f10 {rest}"), program);
        assert_eq!(line("r-xp 001ee000 fe:00 77    /usr/bin/agent"), Some(0x7f00..0x7f10));
        for other in [
            "r--p 00000000 fe:00 77    /usr/bin/agent",
            "rw-p 00600000 fe:00 77    /usr/bin/agent",
            "r-xp 00000000 fe:00 78    /usr/lib/libc.so.6",
            "r-xp 00000000 00:00 0     [vdso]",
            "rw-p 00000000 00:00 0",
            "",
        ] {
            assert_eq!(line(other), None, "{other}");
        }
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
