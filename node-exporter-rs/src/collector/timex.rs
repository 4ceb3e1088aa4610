//! `node_timex_*`: how well the clock is kept, from adjtimex(2), which is what NTP daemons steer.

mod kernel;

use std::io;

use exporter_toolkit::{Counter, Exposition, Gauge};

use self::kernel::Timex;
use super::{CollectError, Collector, Spec};

static SYNC_STATUS: Gauge<0> = Gauge::new(
    "node_timex_sync_status",
    "1 while a time server keeps the clock, 0 once the kernel takes it for unsynchronised.",
    [],
);
static OFFSET: Gauge<0> =
    Gauge::new("node_timex_offset_seconds", "What the clock is still to be corrected by.", []);
static FREQUENCY: Gauge<0> = Gauge::new(
    "node_timex_frequency_adjustment_ratio",
    "How fast the clock is made to run: 1 for as fast as the hardware.",
    [],
);
static MAX_ERROR: Gauge<0> = Gauge::new(
    "node_timex_maxerror_seconds",
    "What the clock is wrong by at most; it grows until a time server is heard.",
    [],
);
static ESTIMATED_ERROR: Gauge<0> =
    Gauge::new("node_timex_estimated_error_seconds", "What the clock is probably wrong by.", []);
static STATUS: Gauge<0> = Gauge::new(
    "node_timex_status",
    "The status bits (STA_*) of the kernel's clock, as a number.",
    [],
);
static CONSTANT: Gauge<0> = Gauge::new(
    "node_timex_loop_time_constant",
    "How slowly the phase-locked loop follows a time server: a power of two of seconds.",
    [],
);
static TICK: Gauge<0> =
    Gauge::new("node_timex_tick_seconds", "Length of a tick of the kernel's clock.", []);
static PPS_FREQUENCY: Gauge<0> = Gauge::new(
    "node_timex_pps_frequency_hertz",
    "Frequency of the pulse-per-second signal against the clock.",
    [],
);
static PPS_JITTER: Gauge<0> =
    Gauge::new("node_timex_pps_jitter_seconds", "How much the pulse-per-second signal wavers.", []);
static PPS_SHIFT: Gauge<0> = Gauge::new(
    "node_timex_pps_shift_seconds",
    "Length of a calibration by the pulse-per-second signal: a power of two of seconds.",
    [],
);
static PPS_STABILITY: Gauge<0> = Gauge::new(
    "node_timex_pps_stability_hertz",
    "How much the frequency by the pulse-per-second signal wanders.",
    [],
);
static PPS_JITTERS: Counter<0> =
    Counter::new("node_timex_pps_jitter_total", "Pulses that came too far off to be used.", []);
static PPS_CALIBRATIONS: Counter<0> = Counter::new(
    "node_timex_pps_calibration_total",
    "Calibrations by the pulse-per-second signal.",
    [],
);
static PPS_ERRORS: Counter<0> = Counter::new(
    "node_timex_pps_error_total",
    "Calibrations by the pulse-per-second signal that failed.",
    [],
);
static PPS_UNSTABLE: Counter<0> = Counter::new(
    "node_timex_pps_stability_exceeded_total",
    "Calibrations whose frequency wandered too far.",
    [],
);
static TAI_OFFSET: Gauge<0> = Gauge::new(
    "node_timex_tai_offset_seconds",
    "Leap seconds by which atomic time (TAI) is ahead of UTC; 0 where nobody told the kernel.",
    [],
);

pub static SPEC: Spec = Spec {
    name: "timex",
    enabled: true,
    about: "How well the clock is kept, from adjtimex(2).",
    flags: &[],
    families: &[
        &SYNC_STATUS,
        &OFFSET,
        &FREQUENCY,
        &MAX_ERROR,
        &ESTIMATED_ERROR,
        &STATUS,
        &CONSTANT,
        &TICK,
        &PPS_FREQUENCY,
        &PPS_JITTER,
        &PPS_SHIFT,
        &PPS_STABILITY,
        &PPS_JITTERS,
        &PPS_CALIBRATIONS,
        &PPS_ERRORS,
        &PPS_UNSTABLE,
        &TAI_OFFSET,
    ],
    build: |_| Ok(Box::new(TimexCollector)),
};

/// Frequencies are parts per million with 16 bits of fraction: NOTES of adjtimex(2).
const SCALED_PPM: f64 = 65536.0 * 1e6;
const MICROSECONDS: f64 = 1e6;
const NANOSECONDS: f64 = 1e9;
/// `STA_NANO` of linux/timex.h: offset and jitter are in nanoseconds.
const STA_NANO: i32 = 0x2000;

struct TimexCollector;

impl Collector for TimexCollector {
    fn collect(&mut self, out: &mut Exposition) -> Result<(), CollectError> {
        match kernel::read() {
            Ok(timex) => write(&timex, out),
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                return Err(CollectError::NoData(
                    "adjtimex is forbidden here: let the container's seccomp profile allow it",
                ));
            }
            Err(source) => return Err(CollectError::Call { call: "adjtimex", source }),
        }
        Ok(())
    }
}

fn write(timex: &Timex, out: &mut Exposition) {
    let fine = if timex.status & STA_NANO == 0 { MICROSECONDS } else { NANOSECONDS };
    let gauges = [
        (&OFFSET, timex.offset as f64 / fine),
        (&FREQUENCY, 1.0 + timex.frequency as f64 / SCALED_PPM),
        (&MAX_ERROR, timex.max_error as f64 / MICROSECONDS),
        (&ESTIMATED_ERROR, timex.estimated_error as f64 / MICROSECONDS),
        (&STATUS, f64::from(timex.status)),
        (&CONSTANT, timex.constant as f64),
        (&TICK, timex.tick as f64 / MICROSECONDS),
        (&PPS_FREQUENCY, timex.pps_frequency as f64 / SCALED_PPM),
        (&PPS_JITTER, timex.pps_jitter as f64 / fine),
        (&PPS_SHIFT, f64::from(timex.pps_shift)),
        (&PPS_STABILITY, timex.pps_stability as f64 / SCALED_PPM),
        (&TAI_OFFSET, f64::from(timex.tai)),
    ];
    out.family(&SYNC_STATUS).sample((), timex.synchronised);
    for (family, value) in gauges {
        out.family(family).sample((), value);
    }
    for (family, value) in [
        (&PPS_JITTERS, timex.pps_jitters),
        (&PPS_CALIBRATIONS, timex.pps_calibrations),
        (&PPS_ERRORS, timex.pps_errors),
        (&PPS_UNSTABLE, timex.pps_unstable),
    ] {
        out.family(family).sample((), value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use exporter_toolkit::Format;

    fn samples(timex: &Timex) -> String {
        let mut out = Exposition::new(Format::Text);
        write(timex, &mut out);
        String::from_utf8(out.text().to_vec()).unwrap()
    }

    #[test]
    fn offset_and_jitter_are_in_nanoseconds_only_where_the_status_says_so() {
        let mut timex = Timex { offset: 2500, pps_jitter: 500, ..Timex::default() };
        let text = samples(&timex);
        assert!(text.contains("\nnode_timex_offset_seconds 0.0025\n"), "{text}");
        assert!(text.contains("\nnode_timex_pps_jitter_seconds 0.0005\n"), "{text}");
        timex.status = STA_NANO;
        let text = samples(&timex);
        assert!(text.contains("\nnode_timex_offset_seconds 2.5e-06\n"), "{text}");
        assert!(text.contains("\nnode_timex_pps_jitter_seconds 5e-07\n"), "{text}");
    }

    #[test]
    fn a_frequency_of_one_part_per_million_is_a_millionth_faster() {
        let text = samples(&Timex { frequency: 65536, tick: 10_000, ..Timex::default() });
        assert!(text.contains("\nnode_timex_frequency_adjustment_ratio 1.000001\n"), "{text}");
        assert!(text.contains("\nnode_timex_tick_seconds 0.01\n"), "{text}");
    }

    #[test]
    fn every_family_has_a_sample() {
        let text = samples(&Timex::default());
        let count = text.lines().filter(|line| !line.starts_with('#')).count();
        assert_eq!(count, SPEC.families.len());
    }
}
