//! `node_power_supply_*`: batteries, mains and USB supplies, from `/sys/class/power_supply`
//! (kernel: Documentation/ABI/testing/sysfs-class-power).

use std::path::PathBuf;

use crate::pattern::Pattern;
use exporter_toolkit::family::GaugeMark;
use exporter_toolkit::name::{LabelName, MetricName};
use exporter_toolkit::{Exposition, Kind};

use super::sysclass::{Column, Folder, Row, Scale, families, read_listed, write};
use super::{CollectError, Collector, Spec};
use crate::flags::Flag;

const INFO_HELP: &str = "Always 1: what kind of supply this is, who made it, and what it is doing, as far as its driver says.";

static IGNORED: Flag<Pattern> = Flag::new(
    "collector.powersupply.ignored-supplies",
    "^$",
    "Regular expression of power supplies to leave out.",
);

macro_rules! columns {
    ($($file:literal $scale:ident $suffix:literal $help:literal)*) => {
        [$(Column::new($file, Scale::$scale, concat!("node_power_supply_", $suffix), ["power_supply"], $help)),*]
    };
}

/// The kernel counts in microvolts, -amperes, -watts, -watthours and tenths of a degree.
#[rustfmt::skip]
static COLUMNS: [Column<GaugeMark, 1>; 49] = columns! {
    "authentic" One "authentic" "1 where the supply proved to be an original."
    "calibrate" One "calibrate" "1 while the battery is being calibrated."
    "capacity" One "capacity" "How full the battery is, in percent."
    "capacity_alert_max" One "capacity_alert_max" "Percentage above which the driver raises an alert."
    "capacity_alert_min" One "capacity_alert_min" "Percentage below which the driver raises an alert."
    "cycle_count" One "cyclecount" "Full charge cycles that the battery has been through."
    "online" One "online" "0 unplugged, 1 plugged with a fixed voltage, 2 plugged with a programmable one."
    "present" One "present" "1 where a battery is in its place."
    "time_to_empty_now" One "time_to_empty_seconds" "Seconds until the battery is empty at the present load."
    "time_to_full_now" One "time_to_full_seconds" "Seconds until the battery is full at the present charge."
    "current_boot" Micro "current_boot" "Current at boot in amperes."
    "current_max" Micro "current_max" "Highest current that the supply can give or take, in amperes."
    "current_now" Micro "current_ampere" "Current at present in amperes; the sign for charging depends on the driver."
    "energy_empty" Micro "energy_empty" "Energy in watthours at which the battery counts as empty."
    "energy_empty_design" Micro "energy_empty_design" "Energy in watthours at which the battery counted as empty when new."
    "energy_full" Micro "energy_full" "Energy in watthours of the battery when last full."
    "energy_full_design" Micro "energy_full_design" "Energy in watthours of the full battery when new."
    "energy_now" Micro "energy_watthour" "Energy in the battery at present in watthours."
    "voltage_boot" Micro "voltage_boot" "Voltage at boot in volts."
    "voltage_max" Micro "voltage_max" "Highest voltage that the supply can give, in volts."
    "voltage_max_design" Micro "voltage_max_design" "Voltage in volts of the full battery by design."
    "voltage_min" Micro "voltage_min" "Lowest voltage that the supply can give, in volts."
    "voltage_min_design" Micro "voltage_min_design" "Voltage in volts of the empty battery by design."
    "voltage_now" Micro "voltage_volt" "Voltage at present in volts."
    "voltage_ocv" Micro "voltage_ocv" "Voltage in volts that the battery would have without load."
    "charge_control_limit" Micro "charge_control_limit" "Charging current at present allowed, in amperes."
    "charge_control_limit_max" Micro "charge_control_limit_max" "Highest charging current that can be allowed, in amperes."
    "charge_counter" Micro "charge_counter" "Charge in amperehours since an arbitrary start; it may be negative."
    "charge_empty" Micro "charge_empty" "Charge in amperehours at which the battery counts as empty."
    "charge_empty_design" Micro "charge_empty_design" "Charge in amperehours at which the battery counted as empty when new."
    "charge_full" Micro "charge_full" "Charge in amperehours of the battery when last full."
    "charge_full_design" Micro "charge_full_design" "Charge in amperehours of the full battery when new."
    "charge_now" Micro "charge_ampere" "Charge in the battery at present, in amperehours."
    "charge_term_current" Micro "charge_term_current" "Charging current in amperes below which the battery counts as full."
    "constant_charge_current" Micro "constant_charge_current" "Charging current in amperes in the phase of constant current."
    "constant_charge_current_max" Micro "constant_charge_current_max" "Highest charging current in amperes in the phase of constant current."
    "constant_charge_voltage" Micro "constant_charge_voltage" "Charging voltage in volts in the phase of constant voltage."
    "constant_charge_voltage_max" Micro "constant_charge_voltage_max" "Highest charging voltage in volts in the phase of constant voltage."
    "precharge_current" Micro "precharge_current" "Charging current in amperes of a deeply discharged battery."
    "input_current_limit" Micro "input_current_limit" "Current in amperes that may be drawn from the source."
    "power_now" Micro "power_watt" "Power at present in watts."
    "temp" Tenth "temp_celsius" "Temperature of the supply in degrees Celsius."
    "temp_alert_max" Tenth "temp_alert_max_celsius" "Temperature above which the driver raises an alert."
    "temp_alert_min" Tenth "temp_alert_min_celsius" "Temperature below which the driver raises an alert."
    "temp_ambient" Tenth "temp_ambient_celsius" "Temperature around the supply in degrees Celsius."
    "temp_ambient_max" Tenth "temp_ambient_max_celsius" "Highest temperature around the supply before an alert."
    "temp_ambient_min" Tenth "temp_ambient_min_celsius" "Lowest temperature around the supply before an alert."
    "temp_max" Tenth "temp_max_celsius" "Highest temperature at which the supply may work."
    "temp_min" Tenth "temp_min_celsius" "Lowest temperature at which the supply may work."
};

static POWER_SUPPLY: LabelName = LabelName::fixed("power_supply");
/// Labels of the info series: each is an attribute of the same name.
static FIELDS: [(LabelName, &str); 11] = [
    (LabelName::fixed("capacity_level"), "capacity_level"),
    (LabelName::fixed("charge_type"), "charge_type"),
    (LabelName::fixed("health"), "health"),
    (LabelName::fixed("manufacturer"), "manufacturer"),
    (LabelName::fixed("model_name"), "model_name"),
    (LabelName::fixed("scope"), "scope"),
    (LabelName::fixed("serial_number"), "serial_number"),
    (LabelName::fixed("status"), "status"),
    (LabelName::fixed("technology"), "technology"),
    (LabelName::fixed("type"), "type"),
    (LabelName::fixed("usb_type"), "usb_type"),
];

pub static SPEC: Spec = Spec {
    name: "powersupplyclass",
    enabled: true,
    about: "Batteries and power supplies, from /sys/class/power_supply.",
    flags: &[&IGNORED],
    families: &families::<_, 1, 49>(&[], &COLUMNS),
    build: |setup| {
        Ok(Box::new(PowerSupply {
            class: setup.host.sys("class/power_supply"),
            ignored: setup.flags.get(&IGNORED)?,
            info: MetricName::sanitize(&["node_power_supply_info"]),
        }))
    },
};

struct PowerSupply {
    class: PathBuf,
    ignored: Pattern,
    info: MetricName,
}

type Fields = Vec<(&'static LabelName, String)>;

impl Collector for PowerSupply {
    fn collect(&mut self, out: &mut Exposition) -> Result<(), CollectError> {
        let class = Folder::open(&self.class)?;
        let (mut rows, mut infos) = (Vec::new(), Vec::<Fields>::new());
        for name in class.names().into_iter().filter(|name| !self.ignored.is_match(name)) {
            let Some(supply) = class.below(&name) else { continue };
            infos.push(fields(&name, &supply));
            rows.push(Row { labels: [name], values: read_listed(&supply, &COLUMNS) });
        }
        write(out, &COLUMNS, &rows);
        let mut samples = out.dynamic(&self.info, Kind::Gauge, INFO_HELP);
        for info in &infos {
            samples.sample(info.iter().map(|(name, value)| (*name, value)), 1_u8);
        }
        Ok(())
    }
}

/// The supply's name and those of its attributes that say something.
fn fields(name: &str, supply: &Folder) -> Fields {
    let field = |(label, file): &'static (LabelName, &str)| {
        let text = supply.text(file).filter(|text| !text.is_empty())?;
        Some((label, text))
    };
    let name = (&POWER_SUPPLY, name.to_owned());
    std::iter::once(name).chain(FIELDS.iter().filter_map(field)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collector::testing::{collect, tree};

    #[test]
    fn a_supply_shows_what_its_driver_gives_and_an_ignored_one_nothing() {
        let folder = tree(&[
            ("sys/class/power_supply/BAT0/capacity", "81\n"),
            ("sys/class/power_supply/BAT0/temp", "305\n"),
            ("sys/class/power_supply/BAT0/current_now", "\n"),
            ("sys/class/power_supply/BAT0/serial_number", " \n"),
            ("sys/class/power_supply/BAT0/status", "Full\n"),
            ("sys/class/power_supply/hidpp_battery_0/capacity", "20\n"),
        ]);
        let flags = [("collector.powersupply.ignored-supplies", "^hidpp_")];
        let (lines, result) = collect(&SPEC, folder.path(), &flags);
        result.unwrap();
        assert_eq!(
            lines,
            [
                "node_power_supply_capacity{power_supply=\"BAT0\"} 81",
                "node_power_supply_temp_celsius{power_supply=\"BAT0\"} 30.5",
                "node_power_supply_info{power_supply=\"BAT0\",status=\"Full\"} 1",
            ]
        );
    }

    #[test]
    fn a_host_without_the_class_has_no_data() {
        assert!(collect(&SPEC, tree(&[]).path(), &[]).1.unwrap_err().is_no_data());
    }
}
