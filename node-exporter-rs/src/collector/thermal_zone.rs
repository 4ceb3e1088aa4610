//! `node_thermal_zone_*`, `node_cooling_device_*`: what the kernel's thermal management sees and does, from
//! `/sys/class/thermal` (kernel: Documentation/driver-api/thermal/sysfs-api.rst).
//!
//! There is a cooling device per CPU on many hosts, so types are read once and values through files that stay open.

use std::hash::{DefaultHasher, Hasher};
use std::path::PathBuf;

use exporter_toolkit::{Exposition, Gauge};

use super::sysclass::{Attribute, Folder};
use super::{CollectError, Collector, Spec};
use crate::host::Host;

static TEMPERATURE: Gauge<2> = Gauge::new(
    "node_thermal_zone_temp",
    "Temperature of this thermal zone in degrees Celsius.",
    ["zone", "type"],
);
static CURRENT: Gauge<2> = Gauge::new(
    "node_cooling_device_cur_state",
    "How hard this device cools now: 0 is not at all, the maximum is as hard as it can.",
    ["name", "type"],
);
static MAXIMUM: Gauge<2> = Gauge::new(
    "node_cooling_device_max_state",
    "The strongest cooling state of this device.",
    ["name", "type"],
);

pub static SPEC: Spec = Spec {
    name: "thermal_zone",
    enabled: true,
    about: "Thermal zones and cooling devices, from /sys/class/thermal.",
    flags: &[],
    families: &[&TEMPERATURE, &CURRENT, &MAXIMUM],
    build: |setup| {
        Ok(Box::new(ThermalZone {
            host: setup.host.clone(),
            class: setup.host.sys("class/thermal"),
            fingerprint: None,
            zones: Vec::new(),
            coolers: Vec::new(),
        }))
    },
};

struct ThermalZone {
    host: Host,
    class: PathBuf,
    fingerprint: Option<u64>,
    zones: Vec<Zone>,
    coolers: Vec<Cooler>,
}

struct Zone {
    /// The number in the folder's name, and the content of `type`.
    labels: [String; 2],
    temperature: Attribute,
}

struct Cooler {
    labels: [String; 2],
    current: Attribute,
    maximum: Attribute,
}

impl Collector for ThermalZone {
    fn collect(&mut self, out: &mut Exposition) -> Result<(), CollectError> {
        let class = match Folder::open(&self.class) {
            // As the peer has it: a machine without thermal zones is a success without samples.
            Err(error) if error.is_no_data() => return Ok(()),
            other => other?,
        };
        let mut hasher = DefaultHasher::new();
        class.fingerprint(&mut hasher);
        let now = Some(hasher.finish());
        if self.fingerprint != now {
            self.list(&class);
            self.fingerprint = now;
        }
        let mut temperature = out.family(&TEMPERATURE);
        for zone in &mut self.zones {
            let value = zone.temperature.number().map(|milli| milli / 1000.0);
            temperature.maybe(&zone.labels, value);
        }
        let mut current = out.family(&CURRENT);
        for cooler in &mut self.coolers {
            current.maybe(&cooler.labels, cooler.current.number());
        }
        let mut maximum = out.family(&MAXIMUM);
        for cooler in &mut self.coolers {
            maximum.maybe(&cooler.labels, cooler.maximum.number());
        }
        Ok(())
    }
}

impl ThermalZone {
    fn list(&mut self, class: &Folder) {
        self.zones.clear();
        self.coolers.clear();
        for name in class.names() {
            let attribute = |file| Attribute::new(&self.host, self.class.join(&name).join(file));
            let labels = |number: &str| {
                let kind = class.below(&name).and_then(|folder| folder.text("type"));
                [number.to_owned(), kind.unwrap_or_default()]
            };
            if let Some(number) = numbered(&name, "thermal_zone") {
                self.zones.push(Zone { labels: labels(number), temperature: attribute("temp") });
            } else if let Some(number) = numbered(&name, "cooling_device") {
                let (current, maximum) = (attribute("cur_state"), attribute("max_state"));
                self.coolers.push(Cooler { labels: labels(number), current, maximum });
            }
        }
    }
}

/// What follows the prefix, where that starts with a digit.
fn numbered<'a>(name: &'a str, prefix: &str) -> Option<&'a str> {
    name.strip_prefix(prefix).filter(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collector::testing::{collect, tree};

    #[test]
    fn a_zone_that_cannot_be_read_does_not_hide_the_others() {
        let folder = tree(&[
            ("sys/class/thermal/thermal_zone0/type", "acpitz\n"),
            ("sys/class/thermal/thermal_zone0/policy", "step_wise\n"),
            ("sys/class/thermal/thermal_zone1/type", "x86_pkg_temp\n"),
            ("sys/class/thermal/thermal_zone1/temp", "-1500\n"),
            ("sys/class/thermal/thermal_zones/temp", "1\n"),
        ]);
        let (lines, result) = collect(&SPEC, folder.path(), &[]);
        result.unwrap();
        assert_eq!(lines, ["node_thermal_zone_temp{zone=\"1\",type=\"x86_pkg_temp\"} -1.5"]);
    }

    #[test]
    fn a_host_without_thermal_class_is_a_success_without_samples() {
        let (lines, result) = collect(&SPEC, tree(&[]).path(), &[]);
        assert!(lines.is_empty() && result.is_ok());
    }
}
