//! `node_hwmon_*`: temperatures, fans, voltages and the like, from `/sys/class/hwmon`
//! (kernel: Documentation/hwmon/sysfs-interface.rst).
//!
//! Which chips and attributes there are is worked out once; it holds as long as the folders list the same. A scrape then
//! only lists the folders and reads the values.

mod chip;
mod unit;

use std::collections::{BTreeMap, HashSet};
use std::hash::{DefaultHasher, Hasher};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use exporter_toolkit::name::{LabelName, MetricName};
use exporter_toolkit::{Exposition, Gauge, Kind};

use super::sysclass::{Attribute, Folder};
use super::{CollectError, Collector, Spec};
use crate::filter::{Filter, PatternFlag};
use crate::flags::Flag;
use crate::host::Host;
use chip::{Chip, Sensors};
use unit::Unit;

static CHIP_NAMES: Gauge<2> = Gauge::new(
    "node_hwmon_chip_names",
    "Always 1: the name that the driver of this chip gives itself.",
    ["chip", "chip_name"],
);
static SENSOR_LABEL: Gauge<3> = Gauge::new(
    "node_hwmon_sensor_label",
    "Always 1: what the driver or the board says that this sensor measures.",
    ["chip", "sensor", "label"],
);

static CHIP_INCLUDE: PatternFlag = Flag::new(
    "collector.hwmon.chip-include",
    "",
    "Regular expression of chips to show, matched against the label chip.",
);
static CHIP_EXCLUDE: PatternFlag = Flag::new(
    "collector.hwmon.chip-exclude",
    "",
    "Regular expression of chips to leave out, matched against the label chip.",
);
static SENSOR_INCLUDE: PatternFlag = Flag::new(
    "collector.hwmon.sensor-include",
    "",
    "Regular expression of sensors to show, matched against chip;sensor.",
);
static SENSOR_EXCLUDE: PatternFlag = Flag::new(
    "collector.hwmon.sensor-exclude",
    "",
    "Regular expression of sensors to leave out, matched against chip;sensor.",
);

pub static SPEC: Spec = Spec {
    name: "hwmon",
    enabled: true,
    about: "Temperatures, fans, voltages and power, from /sys/class/hwmon.",
    flags: &[&CHIP_INCLUDE, &CHIP_EXCLUDE, &SENSOR_INCLUDE, &SENSOR_EXCLUDE],
    families: &[&CHIP_NAMES, &SENSOR_LABEL],
    build: |setup| {
        let flags = &setup.flags;
        Ok(Box::new(Hwmon {
            host: setup.host.clone(),
            class: setup.host.sys("class/hwmon"),
            chips: Filter::from_both_flags(flags, &CHIP_INCLUDE, &CHIP_EXCLUDE)?,
            sensors: Filter::from_both_flags(flags, &SENSOR_INCLUDE, &SENSOR_EXCLUDE)?,
            fingerprint: None,
            plan: Plan::default(),
        }))
    },
};

static CHIP: LabelName = LabelName::fixed("chip");
static SENSOR: LabelName = LabelName::fixed("sensor");

struct Hwmon {
    host: Host,
    class: PathBuf,
    chips: Filter,
    sensors: Filter,
    fingerprint: Option<u64>,
    plan: Plan,
}

impl Collector for Hwmon {
    fn collect(&mut self, out: &mut Exposition) -> Result<(), CollectError> {
        let now = fingerprint(&Folder::open(&self.class)?);
        if self.fingerprint != Some(now) {
            self.plan = self.plan()?;
            self.fingerprint = self.plan.complete.then_some(now);
        }
        self.plan.write(out);
        Ok(())
    }
}

/// What the class, its chips and their parent devices list.
fn fingerprint(class: &Folder) -> u64 {
    let mut hasher = DefaultHasher::new();
    class.fingerprint(&mut hasher);
    class.each(|entry| {
        let Some(chip) = class.below(entry.name) else { return };
        chip.fingerprint(&mut hasher);
        if let Some(device) = chip.below("device") {
            device.fingerprint(&mut hasher);
        }
    });
    hasher.finish()
}

impl Hwmon {
    fn plan(&self) -> Result<Plan, CollectError> {
        let mut making = Making { complete: true, ..Making::default() };
        for chip in chip::list(&self.class)? {
            if !self.chips.ignores(&chip.label) {
                self.plan_chip(&chip, &mut making);
            }
        }
        Ok(making.finish())
    }

    fn plan_chip(&self, chip: &Chip, making: &mut Making) {
        making.chip(chip);
        let label: Arc<str> = Arc::from(chip.label.as_str());
        for (sensor, elements) in Sensors::of(&chip.folder).0 {
            if !self.sensors.ignores(&format!("{label};{sensor}")) {
                let wanted = Wanted { host: &self.host, chip: &label, sensor: &sensor };
                making.sensor(&wanted, elements);
            }
        }
    }
}

/// What a scrape writes.
#[derive(Default)]
struct Plan {
    /// False where a label could not be read, which may come right.
    complete: bool,
    chip_names: Vec<[String; 2]>,
    labels: Vec<[String; 3]>,
    families: Vec<Planned>,
}

struct Planned {
    name: MetricName,
    kind: Kind,
    help: String,
    members: Vec<Member>,
}

/// One series and where its value comes from.
struct Member {
    chip: Arc<str>,
    sensor: String,
    value: Attribute,
    unit: Unit,
}

impl Plan {
    fn write(&mut self, out: &mut Exposition) {
        let mut names = out.family(&CHIP_NAMES);
        for labels in &self.chip_names {
            names.sample(labels, 1_u8);
        }
        let mut labels = out.family(&SENSOR_LABEL);
        for values in &self.labels {
            labels.sample(values, 1_u8);
        }
        for family in &mut self.families {
            let mut samples = out.dynamic(&family.name, family.kind, &family.help);
            for member in &mut family.members {
                let unit = member.unit;
                if let Ok(Some(value)) = member.value.read(|bytes| unit.value(bytes)) {
                    let labels = [(&CHIP, &*member.chip), (&SENSOR, member.sensor.as_str())];
                    samples.sample(labels, value);
                }
            }
        }
    }
}

/// A plan while it is being made: families by name, and the series seen, so that none comes twice.
#[derive(Default)]
struct Making {
    complete: bool,
    chip_names: Vec<[String; 2]>,
    labels: Vec<[String; 3]>,
    families: BTreeMap<String, Planned>,
    seen: HashSet<Vec<String>>,
}

struct Wanted<'a> {
    host: &'a Host,
    chip: &'a Arc<str>,
    sensor: &'a str,
}

impl Making {
    fn chip(&mut self, chip: &Chip) {
        let labels = [chip.label.clone(), chip.name.clone()];
        if !chip.name.is_empty() && self.seen.insert(labels.to_vec()) {
            self.chip_names.push(labels);
        }
    }

    fn sensor(&mut self, wanted: &Wanted<'_>, elements: BTreeMap<String, PathBuf>) {
        let label = elements.get("label").and_then(|path| self.label(wanted, path));
        let alone = elements.contains_key("");
        let kind = chip::sensor_type(wanted.sensor);
        for (element, path) in elements {
            let Some(rule) = unit::rule(kind, &element, alone) else { continue };
            let sensor = match (&label, rule.unit) {
                (Some(label), Unit::Megahertz) => chip::clean(label),
                (None, Unit::Megahertz) => continue,
                _ => wanted.sensor.to_owned(),
            };
            let series = vec![rule.name.clone(), wanted.chip.to_string(), sensor.clone()];
            if self.seen.insert(series) {
                let value = Attribute::new(wanted.host, path);
                let member = Member { chip: wanted.chip.clone(), sensor, value, unit: rule.unit };
                self.family(rule).members.push(member);
            }
        }
    }

    fn label(&mut self, wanted: &Wanted<'_>, path: &Path) -> Option<String> {
        let mut attribute = Attribute::new(wanted.host, path.to_owned());
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim_matches('\n').to_owned();
        let Ok(label) = attribute.read(text) else {
            self.complete = false;
            return None;
        };
        let labels = [wanted.chip.to_string(), wanted.sensor.to_owned(), label.clone()];
        if self.seen.insert(labels.to_vec()) {
            self.labels.push(labels);
        }
        Some(label)
    }

    fn family(&mut self, rule: unit::Rule) -> &mut Planned {
        self.families.entry(rule.name.clone()).or_insert_with(|| Planned {
            name: MetricName::sanitize(&[&rule.name]),
            kind: rule.unit.kind(),
            help: rule.help,
            members: Vec::new(),
        })
    }

    fn finish(self) -> Plan {
        Plan {
            complete: self.complete,
            chip_names: self.chip_names,
            labels: self.labels,
            families: self.families.into_values().collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collector::testing::{collect, tree};

    const TEMPERATURE: &[(&str, &str)] = &[
        ("sys/class/hwmon/hwmon0/name", "acpitz\n"),
        ("sys/class/hwmon/hwmon0/temp1_input", "27800\n"),
        ("sys/class/hwmon/hwmon0/temp2_input", "29900\n"),
        ("sys/class/hwmon/hwmon0/temp2_label", "board\n"),
    ];

    #[test]
    fn sensors_are_chosen_by_chip_and_sensor() {
        let folder = tree(TEMPERATURE);
        let flags = [("collector.hwmon.sensor-exclude", "^acpitz;temp2$")];
        let (lines, result) = collect(&SPEC, folder.path(), &flags);
        result.unwrap();
        assert_eq!(
            lines,
            [
                "node_hwmon_chip_names{chip=\"acpitz\",chip_name=\"acpitz\"} 1",
                "node_hwmon_temp_celsius{chip=\"acpitz\",sensor=\"temp1\"} 27.8",
            ]
        );
    }

    #[test]
    fn an_include_and_an_exclude_of_chips_work_together() {
        let folder = tree(TEMPERATURE);
        let flags =
            [("collector.hwmon.chip-include", "acpi"), ("collector.hwmon.chip-exclude", "tz$")];
        assert!(collect(&SPEC, folder.path(), &flags).0.is_empty());
    }

    #[test]
    fn a_host_without_chips_has_no_data() {
        let folder = tree(&[]);
        assert!(collect(&SPEC, folder.path(), &[]).1.unwrap_err().is_no_data());
    }

    #[test]
    fn a_sensor_that_appears_later_is_seen_at_the_next_scrape() {
        let folder = tree(TEMPERATURE);
        let setup = super::super::Setup { host: Host::below(folder.path()), ..Default::default() };
        let mut collector = (SPEC.build)(&setup).unwrap();
        let mut out = Exposition::default();
        collector.collect(&mut out).unwrap();
        let chip = folder.path().join("sys/class/hwmon/hwmon0");
        std::fs::write(chip.join("fan1_input"), "900\n").unwrap();
        std::fs::remove_file(chip.join("temp1_input")).unwrap();
        out.restart(out.format());
        collector.collect(&mut out).unwrap();
        let text = String::from_utf8_lossy(out.text());
        assert!(
            text.contains("node_hwmon_fan_rpm{chip=\"acpitz\",sensor=\"fan1\"} 900\n"),
            "{text}"
        );
        assert!(!text.contains("temp1"), "{text}");
    }
}
