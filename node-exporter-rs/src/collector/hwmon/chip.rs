//! Which chips there are, what they are called, and what sensors they have.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use crate::collector::CollectError;
use crate::collector::sysclass::Folder;

/// A hardware monitor.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct Chip {
    pub folder: PathBuf,
    /// The label `chip`: made from the path of the parent device, which outlives a reboot; `hwmon3` does not.
    pub label: String,
    /// The driver's own name for it, cleaned; empty where it has none.
    pub name: String,
}

/// All chips. Where several hang on one device, their labels get the driver's name, or `hwmonX` where that is the same.
pub(super) fn list(class: &Path) -> Result<Vec<Chip>, CollectError> {
    let folder = Folder::open(class)?;
    let mut chips = Vec::new();
    for number in folder.names() {
        let Some(chip) = folder.below(&number) else { continue };
        let name = chip.text("name").unwrap_or_default();
        let Some(base) = base_label(&class.join(&number), &name) else { continue };
        chips.push(Found { number, base, name });
    }
    let mut bases = HashMap::<&str, usize>::new();
    let mut pairs = HashMap::<(&str, &str), usize>::new();
    for chip in &chips {
        *bases.entry(&chip.base).or_default() += 1;
        *pairs.entry((&chip.base, &chip.name)).or_default() += 1;
    }
    let label = |chip: &Found| {
        if bases[chip.base.as_str()] == 1 {
            return chip.base.clone();
        }
        let same = pairs[&(chip.base.as_str(), chip.name.as_str())] > 1;
        let suffix = Some(clean(&chip.name)).filter(|name| !name.is_empty() && !same);
        format!("{}_{}", chip.base, suffix.unwrap_or_else(|| clean(&chip.number)))
    };
    Ok(chips
        .iter()
        .map(|chip| Chip {
            folder: class.join(&chip.number),
            label: label(chip),
            name: clean(&chip.name),
        })
        .collect())
}

struct Found {
    /// `hwmon3`.
    number: String,
    base: String,
    name: String,
}

/// The device's bus and name, else the driver's name, else the number.
fn base_label(folder: &Path, name: &str) -> Option<String> {
    if let Ok(device) = folder.join("device").canonicalize() {
        let last = |path: &Path| Some(clean(path.file_name()?.to_str()?)).filter(|n| !n.is_empty());
        match (device.parent().and_then(last), last(&device)) {
            (Some(bus), Some(device)) => return Some(format!("{bus}_{device}")),
            (None, Some(device)) => return Some(device),
            (_, None) => {}
        }
    }
    let real = || folder.canonicalize().ok()?.file_name()?.to_str().map(clean);
    Some(clean(name)).filter(|name| !name.is_empty()).or_else(real).filter(|name| !name.is_empty())
}

/// Lower case, `_` for what a name of a metric cannot hold, and no `_` at the ends.
pub(super) fn clean(name: &str) -> String {
    let legal = |c: char| match c.to_ascii_lowercase() {
        c @ ('a'..='z' | '0'..='9' | ':' | '_') => c,
        _ => '_',
    };
    name.chars().map(legal).collect::<String>().trim_matches('_').to_owned()
}

/// The attributes of a chip by sensor (`temp1`) and element (`input`; empty for an attribute named as its sensor).
#[derive(Debug, Default)]
pub(super) struct Sensors(pub BTreeMap<String, BTreeMap<String, PathBuf>>);

impl Sensors {
    /// Drivers older than the class put their attributes into the parent device's folder.
    pub(super) fn of(chip: &Path) -> Self {
        let mut sensors = Self::default();
        for folder in [chip.to_owned(), chip.join("device")] {
            if let Ok(open) = Folder::open(&folder) {
                open.each(|entry| {
                    if !entry.folder {
                        sensors.add(entry.name, folder.join(entry.name));
                    }
                });
            }
        }
        sensors
    }

    fn add(&mut self, file: &str, path: PathBuf) {
        let Some((kind, number, element)) = split(file) else { return };
        if TYPES.contains(&kind) {
            let elements = self.0.entry(format!("{kind}{number}")).or_default();
            elements.insert(element.to_owned(), path);
        }
    }
}

const TYPES: [&str; 14] = [
    "beep_enable",
    "cpu",
    "curr",
    "energy",
    "fan",
    "freq",
    "humidity",
    "in",
    "intrusion",
    "power",
    "pwm",
    "temp",
    "update_interval",
    "vrm",
];

/// The type in a sensor's name: `temp` of `temp1`.
pub(super) fn sensor_type(sensor: &str) -> &str {
    sensor.trim_end_matches(|c: char| c.is_ascii_digit())
}

/// `temp1_crit_alarm` is type `temp`, number 1, element `crit_alarm`; a name without digits is a type of number 0.
fn split(file: &str) -> Option<(&str, u64, &str)> {
    let Some(at) = file.find(|c: char| c.is_ascii_digit()) else {
        return Some((file, 0, ""));
    };
    let (kind, rest) = file.split_at_checked(at)?;
    let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    let (number, rest) = rest.split_at_checked(end)?;
    let element = if rest.is_empty() { rest } else { rest.strip_prefix('_')? };
    let bare_underscore = element.is_empty() && !rest.is_empty();
    (!kind.is_empty() && !bare_underscore).then_some((kind, number.parse().ok()?, element))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collector::testing::tree;
    use proptest::prelude::*;
    use std::os::unix::fs::symlink;

    /// Chips `hwmonX` with a name file each, all on one device.
    fn chips(names: &[&str]) -> Vec<(String, String)> {
        let folder = tree(&[("sys/devices/platform/Nice-Board/uevent", "")]);
        let class = folder.path().join("sys/class/hwmon");
        for (i, name) in names.iter().enumerate() {
            let chip = class.join(format!("hwmon{i}"));
            std::fs::create_dir_all(&chip).unwrap();
            symlink("../../../devices/platform/Nice-Board", chip.join("device")).unwrap();
            std::fs::write(chip.join("name"), name).unwrap();
        }
        list(&class).unwrap().into_iter().map(|chip| (chip.label, chip.name)).collect()
    }

    fn pair(label: &str, name: &str) -> (String, String) {
        (label.to_owned(), name.to_owned())
    }

    #[test]
    fn a_chip_is_called_after_its_device() {
        assert_eq!(chips(&["nice\n"]), [pair("platform_nice_board", "nice")]);
    }

    #[test]
    fn chips_on_one_device_are_told_apart_by_name_or_else_by_number() {
        assert_eq!(
            chips(&["fans\n", "Twin\n", "Twin\n", "\n"]),
            [
                pair("platform_nice_board_fans", "fans"),
                pair("platform_nice_board_hwmon1", "twin"),
                pair("platform_nice_board_hwmon2", "twin"),
                pair("platform_nice_board_hwmon3", ""),
            ]
        );
    }

    #[test]
    fn a_chip_without_device_is_called_by_name_or_else_by_number() {
        let folder = tree(&[("c/hwmon0/name", "K10-Temp.\n"), ("c/hwmon7/temp1_input", "1\n")]);
        let chips = list(&folder.path().join("c")).unwrap();
        assert_eq!(chips[0].label, "k10_temp");
        assert_eq!((chips[1].label.as_str(), chips[1].name.as_str()), ("hwmon7", ""));
    }

    #[test]
    fn a_file_name_is_split_into_type_number_and_element() {
        assert_eq!(split("temp1_crit_alarm"), Some(("temp", 1, "crit_alarm")));
        assert_eq!(split("pwm12"), Some(("pwm", 12, "")));
        assert_eq!(split("beep_enable"), Some(("beep_enable", 0, "")));
        assert_eq!(split("temp1x"), None);
        assert_eq!(split("temp1_"), None);
        assert_eq!(split("99"), None);
        assert_eq!(split("in99999999999999999999_input"), None);
    }

    #[test]
    fn a_file_of_the_device_is_preferred_to_the_chips_own() {
        let folder =
            tree(&[("c/fan1_input", "1"), ("c/device/fan1_input", "2"), ("c/power/x", "")]);
        let sensors = Sensors::of(&folder.path().join("c")).0;
        assert_eq!(sensors.len(), 1);
        assert!(sensors["fan1"]["input"].ends_with("device/fan1_input"));
    }

    proptest! {
        #[test]
        fn no_name_makes_it_panic(name: String) {
            let _done = (split(&name), clean(&name), sensor_type(&name));
        }
    }
}
