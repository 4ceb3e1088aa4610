//! adjtimex(2), which neither the standard library nor rustix wraps.

use std::io;

/// What the kernel says of its clock, in its own units; the names are those of adjtimex(2), spelt out.
#[derive(Debug, Default)]
pub(super) struct Timex {
    pub(super) synchronised: bool,
    pub(super) offset: i64,
    pub(super) frequency: i64,
    pub(super) max_error: i64,
    pub(super) estimated_error: i64,
    pub(super) status: i64,
    pub(super) constant: i64,
    pub(super) tick: i64,
    pub(super) pps_frequency: i64,
    pub(super) pps_jitter: i64,
    pub(super) pps_shift: i64,
    pub(super) pps_stability: i64,
    pub(super) pps_jitters: i64,
    pub(super) pps_calibrations: i64,
    pub(super) pps_errors: i64,
    pub(super) pps_unstable: i64,
    pub(super) tai: i64,
}

/// Asks the kernel and changes nothing, which needs no privilege; a container's seccomp profile may forbid it.
pub(super) fn read() -> io::Result<Timex> {
    let (state, raw) = call()?;
    Ok(Timex {
        synchronised: state != libc::TIME_ERROR,
        offset: raw.offset.into(),
        frequency: raw.freq.into(),
        max_error: raw.maxerror.into(),
        estimated_error: raw.esterror.into(),
        status: raw.status.into(),
        constant: raw.constant.into(),
        tick: raw.tick.into(),
        pps_frequency: raw.ppsfreq.into(),
        pps_jitter: raw.jitter.into(),
        pps_shift: raw.shift.into(),
        pps_stability: raw.stabil.into(),
        pps_jitters: raw.jitcnt.into(),
        pps_calibrations: raw.calcnt.into(),
        pps_errors: raw.errcnt.into(),
        pps_unstable: raw.stbcnt.into(),
        tai: raw.tai.into(),
    })
}

#[expect(unsafe_code, reason = "adjtimex(2) has no safe wrapper among our dependencies")]
fn call() -> io::Result<(libc::c_int, libc::timex)> {
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
