//! adjtimex(2), which neither the standard library nor rustix wraps.

use std::io;

use libc::{c_int, c_long};

/// What the kernel says of its clock, in its own units; the names are those of adjtimex(2), spelt out.
#[derive(Debug, Default)]
pub(super) struct Timex {
    pub(super) synchronised: bool,
    pub(super) offset: c_long,
    pub(super) frequency: c_long,
    pub(super) max_error: c_long,
    pub(super) estimated_error: c_long,
    pub(super) status: c_int,
    pub(super) constant: c_long,
    pub(super) tick: c_long,
    pub(super) pps_frequency: c_long,
    pub(super) pps_jitter: c_long,
    pub(super) pps_shift: c_int,
    pub(super) pps_stability: c_long,
    pub(super) pps_jitters: c_long,
    pub(super) pps_calibrations: c_long,
    pub(super) pps_errors: c_long,
    pub(super) pps_unstable: c_long,
    pub(super) tai: c_int,
}

/// Asks the kernel and changes nothing, which needs no privilege; a container's seccomp profile may forbid it.
pub(super) fn read() -> io::Result<Timex> {
    let (state, raw) = call()?;
    Ok(Timex {
        synchronised: state != libc::TIME_ERROR,
        offset: raw.offset,
        frequency: raw.freq,
        max_error: raw.maxerror,
        estimated_error: raw.esterror,
        status: raw.status,
        constant: raw.constant,
        tick: raw.tick,
        pps_frequency: raw.ppsfreq,
        pps_jitter: raw.jitter,
        pps_shift: raw.shift,
        pps_stability: raw.stabil,
        pps_jitters: raw.jitcnt,
        pps_calibrations: raw.calcnt,
        pps_errors: raw.errcnt,
        pps_unstable: raw.stbcnt,
        tai: raw.tai,
    })
}

#[expect(unsafe_code, reason = "adjtimex(2) has no safe wrapper among our dependencies")]
fn call() -> io::Result<(c_int, libc::timex)> {
    // SAFETY: all zeros is a valid `timex`, which holds integers only; `modes: 0` asks and sets nothing.
    let mut raw: libc::timex = unsafe { std::mem::zeroed() };
    // SAFETY: the pointer is valid for the call, and the kernel writes a `timex` there.
    let state = unsafe { libc::adjtimex(&raw mut raw) };
    if state < 0 { Err(io::Error::last_os_error()) } else { Ok((state, raw)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_tells_a_tick_of_the_length_that_it_allows() {
        match read() {
            // Nine tenths to eleven tenths of 1/USER_HZ, in microseconds: adjtimex(2), EINVAL.
            Ok(timex) => assert!((9_000..=11_000).contains(&timex.tick), "{timex:?}"),
            Err(error) => assert_eq!(error.kind(), io::ErrorKind::PermissionDenied),
        }
    }
}
