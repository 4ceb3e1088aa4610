//! The local time zone. No safe call of the standard library or of rustix tells it, so that this module asks the C library,
//! which reads `TZ` and `/etc/localtime` with all their rules; once, as the peer does.

use std::ffi::CStr;
use std::time::Duration;

/// A zone at a moment: its abbreviation, as `CEST`, and its seconds ahead of UTC.
#[derive(Debug, PartialEq)]
pub(super) struct Zone {
    pub(super) name: Vec<u8>,
    pub(super) offset: libc::c_long,
}

/// The local zone at a time since the epoch; `None` where the C library cannot tell.
#[expect(unsafe_code, reason = "localtime_r(3) has no safe wrapper among our dependencies")]
pub(super) fn at(since_epoch: Duration) -> Option<Zone> {
    let time = libc::time_t::try_from(since_epoch.as_secs()).ok()?;
    // SAFETY: all zeros is a valid `tm`: it holds integers and a pointer that may be null.
    let mut local: libc::tm = unsafe { std::mem::zeroed() };
    // SAFETY: both pointers are valid for the call. It reads the environment, which no part of this program writes.
    let done = unsafe { libc::localtime_r(&raw const time, &raw mut local) };
    if done.is_null() || local.tm_zone.is_null() {
        return None;
    }
    // SAFETY: the C library points `tm_zone` to a zero-terminated name that it keeps; it is copied at once.
    let name = unsafe { CStr::from_ptr(local.tm_zone) };
    Some(Zone { name: name.to_bytes().to_vec(), offset: local.tm_gmtoff })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    const PROBE: &str = "ZONE_PROBE";
    const NAME: &str = "collector::time::zone::tests::summer_and_winter_differ_as_the_zone_says";

    /// The zone is read once in a process, so that each case is a process: this test's own, run again.
    #[test]
    fn summer_and_winter_differ_as_the_zone_says() {
        if let Some(seconds) = std::env::var_os(PROBE) {
            let seconds = seconds.to_str().unwrap().parse().unwrap();
            let zone = at(Duration::from_secs(seconds)).unwrap();
            println!("zone: {} {}", String::from_utf8_lossy(&zone.name), zone.offset);
            return;
        }
        // 15 January and 15 July 2024.
        let (winter, summer) = ("1705276800", "1721001600");
        for (zone, seconds, expected) in [
            ("CET-1CEST,M3.5.0,M10.5.0/3", winter, "zone: CET 3600"),
            ("CET-1CEST,M3.5.0,M10.5.0/3", summer, "zone: CEST 7200"),
            ("IST-5:30", summer, "zone: IST 19800"),
            ("<-03>3", winter, "zone: -03 -10800"),
            ("UTC0", winter, "zone: UTC 0"),
        ] {
            let output = Command::new(std::env::current_exe().unwrap())
                .args(["--exact", NAME, "--nocapture"])
                .env("TZ", zone)
                .env(PROBE, seconds)
                .output()
                .unwrap();
            let text = String::from_utf8_lossy(&output.stdout);
            assert!(text.lines().any(|line| line.ends_with(expected)), "{zone}: {text}");
        }
    }
}
