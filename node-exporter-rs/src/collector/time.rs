//! `node_time_*`: the host's clock, its zone and its sources, from the clock and `/sys/devices/system/clocksource`.

mod zone;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use exporter_toolkit::{Exposition, Gauge};

use super::{CollectError, Collector, Spec};
use crate::host::{Host, KeptFile, names};

static SECONDS: Gauge<0> =
    Gauge::new("node_time_seconds", "The host's clock, in seconds since the epoch.", []);
static ZONE: Gauge<1> = Gauge::new(
    "node_time_zone_offset_seconds",
    "How far local time is ahead of UTC now, in the zone that this process was started with.",
    ["time_zone"],
);
static AVAILABLE: Gauge<2> = Gauge::new(
    "node_time_clocksource_available_info",
    "Always 1: a hardware counter that the kernel could keep time by.",
    ["device", "clocksource"],
);
static CURRENT: Gauge<2> = Gauge::new(
    "node_time_clocksource_current_info",
    "Always 1: the hardware counter that the kernel keeps time by.",
    ["device", "clocksource"],
);

pub static SPEC: Spec = Spec {
    name: "time",
    enabled: true,
    about: "The clock, its time zone and its sources, from the system and sysfs.",
    flags: &[],
    families: &[&SECONDS, &ZONE, &AVAILABLE, &CURRENT],
    build: |setup| Ok(Box::new(Time { devices: devices(&setup.host) })),
};

const FOLDER: &str = "devices/system/clocksource";

struct Time {
    devices: Vec<Device>,
}

/// A folder `clocksourceN`; the kernel has one.
struct Device {
    available: KeptFile,
    current: KeptFile,
}

impl Collector for Time {
    fn collect(&mut self, out: &mut Exposition) -> Result<(), CollectError> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        out.family(&SECONDS).sample((), seconds(now));
        if let Some(zone) = zone::at(now) {
            out.family(&ZONE).sample(zone.name.as_slice(), zone.offset);
        }
        let mut available = out.family(&AVAILABLE);
        for (number, device) in self.devices.iter_mut().enumerate() {
            let mut words: Vec<&str> = text(&mut device.available).split_whitespace().collect();
            words.sort_unstable();
            words.dedup();
            for source in words {
                available.sample((number, source), 1_u8);
            }
        }
        let mut current = out.family(&CURRENT);
        for (number, device) in self.devices.iter_mut().enumerate() {
            let source = text(&mut device.current);
            current.maybe((number, source), Some(1_u8).filter(|_| !source.is_empty()));
        }
        Ok(())
    }
}

/// From whole nanoseconds, as the peer divides: it gives the same last digit.
fn seconds(now: Duration) -> f64 {
    now.as_nanos() as f64 / 1e9
}

fn devices(host: &Host) -> Vec<Device> {
    let mut folders = names(&host.sys(FOLDER)).unwrap_or_default();
    folders.retain(|name| name.starts_with("clocksource"));
    let keep = |folder: &str, file| host.keep_sys(&format!("{FOLDER}/{folder}/{file}"));
    folders
        .iter()
        .map(|folder| Device {
            available: keep(folder, "available_clocksource"),
            current: keep(folder, "current_clocksource"),
        })
        .collect()
}

/// An unreadable file is empty: it costs its own samples only.
fn text(file: &mut KeptFile) -> &str {
    let bytes = file.read().unwrap_or_default().trim_ascii();
    std::str::from_utf8(bytes).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collector::testing::{collect, tree};

    #[test]
    fn sources_are_told_by_device() {
        let folder = tree(&[
            ("sys/devices/system/clocksource/clocksource0/available_clocksource", "tsc hpet \n"),
            ("sys/devices/system/clocksource/clocksource0/current_clocksource", "tsc\n"),
            ("sys/devices/system/clocksource/power/control", "auto\n"),
        ]);
        let (samples, result) = collect(&SPEC, folder.path(), &[]);
        assert!(samples[0].starts_with("node_time_seconds 1."), "{samples:?}");
        assert!(
            samples[1].starts_with("node_time_zone_offset_seconds{time_zone=\""),
            "{samples:?}"
        );
        assert_eq!(
            samples[2..],
            [
                "node_time_clocksource_available_info{device=\"0\",clocksource=\"hpet\"} 1",
                "node_time_clocksource_available_info{device=\"0\",clocksource=\"tsc\"} 1",
                "node_time_clocksource_current_info{device=\"0\",clocksource=\"tsc\"} 1"
            ]
        );
        assert!(result.is_ok());
    }

    #[test]
    fn a_machine_without_sysfs_tells_the_time_all_the_same() {
        let (samples, result) = collect(&SPEC, tree(&[]).path(), &[]);
        assert_eq!(samples.len(), 2);
        assert!(result.is_ok());
    }

    #[test]
    fn the_clock_keeps_its_fraction() {
        assert!(
            (seconds(Duration::new(1_700_000_000, 250_000_000)) - 1_700_000_000.25).abs() < 1e-6
        );
    }
}
