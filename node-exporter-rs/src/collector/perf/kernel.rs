//! `perf_event_open(2)`: counts of one event on one CPU, of whatever runs there.

use std::io;
use std::os::fd::{FromRawFd, OwnedFd};

/// `PERF_ATTR_SIZE_VER0`, which every kernel takes.
const SIZE: u32 = 64;
/// `PERF_FORMAT_TOTAL_TIME_ENABLED` and `…_RUNNING`.
const TIMES: u64 = 3;
/// `exclude_hv`, the seventh of the bit fields, which a compiler lays out from the end that comes first in memory.
const NO_HYPERVISOR: u64 = if cfg!(target_endian = "big") { 1 << 57 } else { 1 << 6 };
/// `PERF_FLAG_FD_CLOEXEC`.
const CLOSE_ON_EXEC: libc::c_ulong = 8;

/// An event that is being counted.
#[derive(Debug)]
pub(super) struct Counting(OwnedFd);

impl Counting {
    /// `kind` and `config` are the `type` and `config` of `struct perf_event_attr`.
    pub(super) fn start(kind: u32, config: u64, cpu: u16) -> io::Result<Self> {
        // type and size, config, sample_period, sample_type, read_format, bit fields, and two that stay 0.
        let attributes = [pair(kind, SIZE), config, 0, 0, TIMES, NO_HYPERVISOR, 0, 0];
        open(&attributes, cpu).map(Self)
    }

    /// How often it happened since the start; `None` where the CPU is gone, or has had no room to count it yet.
    pub(super) fn count(&self) -> Option<u64> {
        let mut bytes = [0; 24];
        let read = rustix::io::read(&self.0, &mut bytes).ok()?;
        let number = |at: usize| Some(u64::from_ne_bytes(*bytes[at..].first_chunk()?));
        let (count, running) = (number(0)?, number(16)?);
        (read == bytes.len() && running > 0).then_some(count)
    }
}

#[expect(unsafe_code, reason = "no safe crate offers perf_event_open")]
fn open(attributes: &[u64; 8], cpu: u16) -> io::Result<OwnedFd> {
    const EVERYBODY: libc::pid_t = -1;
    const NO_GROUP: libc::c_int = -1;
    // SAFETY: the kernel reads as many bytes of the attributes as they say they have, which is what they have, and
    // writes none but a size into the second word where it refuses it.
    let result = unsafe {
        let attributes = attributes.as_ptr();
        let cpu = libc::c_int::from(cpu);
        libc::syscall(
            libc::SYS_perf_event_open,
            attributes,
            EVERYBODY,
            cpu,
            NO_GROUP,
            CLOSE_ON_EXEC,
        )
    };
    let Ok(fd) = i32::try_from(result) else { return Err(io::ErrorKind::InvalidData.into()) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just made this descriptor for us, and nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Two words beside each other in memory.
fn pair(first: u32, second: u32) -> u64 {
    let mut bytes = [0; 8];
    bytes[..4].copy_from_slice(&first.to_ne_bytes());
    bytes[4..].copy_from_slice(&second.to_ne_bytes());
    u64::from_ne_bytes(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_that_nobody_knows_is_refused() {
        assert!(Counting::start(0xffff_0000, 0, 0).is_err());
    }

    #[test]
    fn a_count_of_the_live_kernel_grows_where_we_may_count() {
        const SOFTWARE: u32 = 1;
        const CPU_CLOCK: u64 = 0;
        if let Ok(counting) = Counting::start(SOFTWARE, CPU_CLOCK, 0) {
            while counting.count().is_none_or(|count| count == 0) {
                std::thread::yield_now();
            }
        }
    }
}
