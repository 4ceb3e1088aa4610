//! Which family an attribute belongs to and in which unit its number is.

use exporter_toolkit::Kind;

use crate::collector::sysclass::Scale;

use super::chip::clean;

/// How an attribute's text becomes a value.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(super) enum Unit {
    Plain(Scale),
    /// Microjoules that only grow.
    Energy,
    /// Hertz shown as megahertz, by the sensor's label.
    Megahertz,
    /// 1 for the text `1`, else 0.
    Switch,
}

impl Unit {
    pub(super) const fn kind(self) -> Kind {
        match self {
            Self::Energy => Kind::Counter,
            Self::Plain(_) | Self::Megahertz | Self::Switch => Kind::Gauge,
        }
    }

    /// The value in an attribute's bytes.
    pub(super) fn value(self, bytes: &[u8]) -> Option<f64> {
        let text = std::str::from_utf8(bytes.trim_ascii()).ok()?;
        let scale = match self {
            Self::Switch => return Some(f64::from(u8::from(text == "1"))),
            Self::Plain(scale) => scale,
            Self::Energy | Self::Megahertz => Scale::Micro,
        };
        text.parse().ok().map(|value| scale.apply(value))
    }
}

/// The family of an attribute.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct Rule {
    pub name: String,
    pub unit: Unit,
    pub help: String,
}

/// The family of `element` of a sensor of type `kind`; `alone` where the sensor also has an attribute of just its name.
pub(super) fn rule(kind: &str, element: &str, alone: bool) -> Option<Rule> {
    let special = match kind {
        "beep_enable" => Some(("beep_enabled", Unit::Switch, "1 where the chip may beep.")),
        "vrm" => Some((
            "voltage_regulator_version",
            Unit::Plain(Scale::One),
            "Version of the voltage regulator's specification that this chip follows.",
        )),
        "update_interval" => Some((
            "update_interval_seconds",
            Unit::Plain(Scale::Milli),
            "How often the chip measures anew.",
        )),
        _ => None,
    };
    if let Some((name, unit, help)) = special {
        let rule = || Rule { name: format!("node_hwmon_{name}"), unit, help: help.to_owned() };
        return element.is_empty().then(rule);
    }
    if element == "label" {
        return None;
    }
    let (suffix, unit, what) = unit(kind, element);
    let middle = match element {
        "input" if alone => "_input".to_owned(),
        "" | "input" => String::new(),
        other => format!("_{}", clean(other)),
    };
    let name = format!("node_hwmon_{kind}{middle}{suffix}");
    let attribute = if element.is_empty() { kind } else { element };
    Some(Rule { name, unit, help: format!("Hardware monitor: {what}, attribute {attribute}.") })
}

/// The name's ending, the unit and what is measured. The kernel counts in mV, mA, millidegrees, uW, uJ and Hz.
fn unit(kind: &str, element: &str) -> (&'static str, Unit, &'static str) {
    let plain = Unit::Plain;
    match (kind, element) {
        (_, "fault") => ("", plain(Scale::One), "1 where the sensor is broken"),
        (_, "alarm") => ("", plain(Scale::One), "1 where the sensor raises an alarm"),
        (_, "beep") => ("_enabled", plain(Scale::One), "1 where an alarm of the sensor beeps"),
        ("in" | "cpu", _) => ("_volts", plain(Scale::Milli), "a voltage"),
        ("temp", "type") => ("", plain(Scale::One), "the kind of the temperature sensor"),
        ("temp", _) => ("_celsius", plain(Scale::Milli), "a temperature"),
        ("curr", _) => ("_amps", plain(Scale::Milli), "a current"),
        ("energy", _) => ("_joule_total", Unit::Energy, "the energy used so far"),
        ("power", "accuracy") => {
            ("", plain(Scale::Micro), "how exact the power meter is, as a ratio")
        }
        ("power", "average_interval" | "average_interval_min" | "average_interval_max") => {
            ("_seconds", plain(Scale::Milli), "the time over which power is averaged")
        }
        ("power", _) => ("_watt", plain(Scale::Micro), "a power"),
        ("humidity", _) => ("", plain(Scale::Micro), "the relative humidity as a ratio"),
        ("fan", "input" | "min" | "max" | "target") => {
            ("_rpm", plain(Scale::One), "a fan's turns per minute")
        }
        ("freq", "input") => ("_freq_mhz", Unit::Megahertz, "a clock in megahertz"),
        _ => ("", plain(Scale::One), "a value as the driver gives it"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(kind: &str, element: &str) -> String {
        rule(kind, element, false).unwrap().name
    }

    #[test]
    fn families_are_named_by_type_element_and_unit() {
        for (kind, element, expected) in [
            ("temp", "input", "node_hwmon_temp_celsius"),
            ("temp", "crit_alarm", "node_hwmon_temp_crit_alarm_celsius"),
            ("temp", "type", "node_hwmon_temp_type"),
            ("in", "lcrit", "node_hwmon_in_lcrit_volts"),
            ("cpu", "vid", "node_hwmon_cpu_vid_volts"),
            ("curr", "max", "node_hwmon_curr_max_amps"),
            ("energy", "input", "node_hwmon_energy_joule_total"),
            ("power", "accuracy", "node_hwmon_power_accuracy"),
            ("power", "average_interval_max", "node_hwmon_power_average_interval_max_seconds"),
            ("power", "cap", "node_hwmon_power_cap_watt"),
            ("humidity", "input", "node_hwmon_humidity"),
            ("fan", "target", "node_hwmon_fan_target_rpm"),
            ("fan", "div", "node_hwmon_fan_div"),
            ("intrusion", "alarm", "node_hwmon_intrusion_alarm"),
            ("intrusion", "beep", "node_hwmon_intrusion_beep_enabled"),
            ("pwm", "", "node_hwmon_pwm"),
            ("freq", "input", "node_hwmon_freq_freq_mhz"),
            ("vrm", "", "node_hwmon_voltage_regulator_version"),
            ("beep_enable", "", "node_hwmon_beep_enabled"),
            ("update_interval", "", "node_hwmon_update_interval_seconds"),
        ] {
            assert_eq!(name(kind, element), expected);
        }
    }

    #[test]
    fn an_input_beside_an_attribute_of_the_sensors_name_says_so() {
        assert_eq!(rule("fan", "input", true).unwrap().name, "node_hwmon_fan_input_rpm");
        assert_eq!(rule("fan", "label", false), None);
    }

    #[test]
    fn values_are_in_base_units() {
        let value = |kind, element, text: &str| {
            rule(kind, element, false).unwrap().unit.value(text.as_bytes())
        };
        assert_eq!(value("temp", "input", "-12345\n"), Some(-12.345));
        assert_eq!(value("power", "average", "98000000\n"), Some(98.0));
        assert_eq!(value("energy", "input", "1500000\n"), Some(1.5));
        assert_eq!(value("freq", "input", "214000000\n"), Some(214.0));
        assert_eq!(value("beep_enable", "", "1\n"), Some(1.0));
        assert_eq!(value("beep_enable", "", "off\n"), Some(0.0));
        assert_eq!(value("temp", "input", "\n"), None);
        assert_eq!(value("temp", "input", "12 C\n"), None);
    }
}
