//! `node_ethtool_*`, `node_network_supported_*` and others: what drivers tell of their interfaces (`ethtool`, `ethtool -S`).

mod ioctl;
mod modes;
mod name;

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;

use exporter_toolkit::name::{LabelName, MetricName};
use exporter_toolkit::{Exposition, Gauge, Kind};

use self::ioctl::{Driver, Kernel, Settings};
use super::{BuildError, CollectError, Collector, Setup, Spec};
use crate::filter::{Filter, PatternFlag};
use crate::flags::Flag;
use crate::host::names;
use crate::pattern::Pattern;

static INCLUDE: PatternFlag = Flag::new(
    "collector.ethtool.device-include",
    "",
    "Interfaces to report, as a pattern; excludes device-exclude.",
);
static EXCLUDE: PatternFlag = Flag::new(
    "collector.ethtool.device-exclude",
    "",
    "Interfaces to leave out, as a pattern; excludes device-include.",
);
static METRICS: Flag<Pattern> = Flag::new(
    "collector.ethtool.metrics-include",
    ".*",
    "Statistics of drivers to report, as a pattern for their names.",
);

static INFO: Gauge<6> = Gauge::new(
    "node_ethtool_info",
    "Always 1: the interface's driver, its version, the firmware's, and where the device is.",
    ["bus_info", "device", "driver", "expansion_rom_version", "firmware_version", "version"],
);
const DEVICE: LabelName = LabelName::fixed("device");
/// A driver has some hundreds; one that says more than this is not believed.
const MOST_NAMES: usize = 65_536;

pub static SPEC: Spec = Spec {
    name: "ethtool",
    enabled: false,
    about: "Drivers, link modes and drivers' own statistics of interfaces, by SIOCETHTOOL.",
    flags: &[&INCLUDE, &EXCLUDE, &METRICS],
    families: &[
        &INFO,
        &modes::SUPPORTED_SPEED,
        &modes::ADVERTISED_SPEED,
        &modes::SUPPORTED_PORT,
        &modes::SUPPORTED_AUTONEGOTIATE,
        &modes::ADVERTISED_AUTONEGOTIATE,
        &modes::SUPPORTED_PAUSE,
        &modes::ADVERTISED_PAUSE,
        &modes::SUPPORTED_ASYMMETRIC_PAUSE,
        &modes::ADVERTISED_ASYMMETRIC_PAUSE,
        &modes::AUTONEGOTIATE,
    ],
    build,
};

fn build(setup: &Setup) -> Result<Box<dyn Collector>, BuildError> {
    Ok(Box::new(Ethtool {
        class: setup.host.sys("class/net"),
        filter: Filter::from_device_flags(&setup.flags, &INCLUDE, &EXCLUDE)?,
        wanted: setup.flags.get(&METRICS)?,
        kernel: Kernel::default(),
    }))
}

struct Ethtool {
    class: PathBuf,
    filter: Filter,
    wanted: Pattern,
    kernel: Kernel,
}

/// What a driver told; what it does not know is `None` or empty.
#[derive(Debug, Default)]
struct Device {
    name: String,
    settings: Option<Settings>,
    driver: Option<Driver>,
    statistics: Vec<(String, u64)>,
}

impl Collector for Ethtool {
    fn collect(&mut self, out: &mut Exposition) -> Result<(), CollectError> {
        let mut devices = Vec::new();
        for name in names(&self.class)?.into_iter().filter(|name| !self.filter.ignores(name)) {
            devices.push(Device {
                settings: known(&name, self.kernel.settings(&name)),
                driver: known(&name, self.kernel.driver(&name)),
                statistics: known(&name, self.kernel.statistics(&name)).unwrap_or_default(),
                name,
            });
        }
        write(&devices, &self.wanted, out);
        Ok(())
    }
}

/// Most virtual interfaces know little, and an interface may vanish between two questions.
fn known<T>(device: &str, answer: io::Result<T>) -> Option<T> {
    match answer {
        Ok(answer) => Some(answer),
        Err(error) => {
            tracing::debug!(device, %error, "ethtool does not tell");
            None
        }
    }
}

fn write(devices: &[Device], wanted: &Pattern, out: &mut Exposition) {
    modes::write(devices, out);
    let mut info = out.family(&INFO);
    for Device { name, driver, .. } in devices {
        let Some(driver) = driver else { continue };
        let Driver { name: driver, version, firmware, bus, rom } = driver;
        info.sample((bus, name, driver, rom, firmware, version), 1_u8);
    }
    write_statistics(devices, wanted, out);
}

/// What the driver calls it, and its value by device.
type Statistic<'a> = (String, Vec<(&'a str, u64)>);

/// Families by name, each with a sample per device that has it. A device that has two statistics for one name gets
/// neither, as nobody could tell them apart.
fn write_statistics(devices: &[Device], wanted: &Pattern, out: &mut Exposition) {
    let mut families: BTreeMap<String, Statistic<'_>> = BTreeMap::new();
    for device in devices {
        for (family, found) in own_families(device, wanted) {
            let Some((statistic, value)) = found else { continue };
            if families.len() < MOST_NAMES {
                let (_, samples) =
                    families.entry(family).or_insert_with(|| (statistic, Vec::new()));
                samples.push((&device.name, value));
            }
        }
    }
    for (family, (statistic, samples)) in &families {
        let name = MetricName::sanitize(&[family]);
        let help = format_args!("The driver's statistic {statistic}.");
        let mut family = out.dynamic(&name, Kind::Untyped, help);
        for (device, value) in samples {
            family.sample([(&DEVICE, *device)], *value);
        }
    }
}

/// A device's statistics by the family that each becomes; `None` where several do. One that the driver names twice alike
/// is the last of them.
fn own_families(device: &Device, wanted: &Pattern) -> BTreeMap<String, Option<(String, u64)>> {
    let unique: BTreeMap<&str, u64> =
        device.statistics.iter().map(|(name, value)| (name.as_str(), *value)).collect();
    let mut own: BTreeMap<String, Option<(String, u64)>> = BTreeMap::new();
    for (statistic, value) in unique {
        let statistic = name::sanitize(statistic);
        if !statistic.is_empty() && wanted.is_match(&statistic) {
            own.entry(name::family(&statistic))
                .and_modify(|several| *several = None)
                .or_insert_with(|| Some((statistic, value)));
        }
    }
    own
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collector::testing::{collect, tree};

    fn written(device: Device, wanted: &str) -> Vec<String> {
        let mut out = Exposition::default();
        write(&[device], &Pattern::new(wanted).unwrap(), &mut out);
        let text = String::from_utf8(out.text().to_vec()).unwrap();
        text.lines().filter(|line| !line.starts_with('#')).map(str::to_owned).collect()
    }

    fn statistics(names: &[&str]) -> Device {
        let numbered = names.iter().zip(1..).map(|(name, value)| ((*name).to_owned(), value));
        Device { name: "eth0".into(), statistics: numbered.collect(), ..Device::default() }
    }

    #[test]
    fn statistics_get_legal_names_and_the_common_ones_the_peers() {
        assert_eq!(
            written(statistics(&["tx_packets", "port.rx_dropped", "align errors"]), ".*"),
            [
                "node_ethtool_align_errors{device=\"eth0\"} 3",
                "node_ethtool_port_received_dropped{device=\"eth0\"} 2",
                "node_ethtool_transmitted_packets_total{device=\"eth0\"} 1",
            ]
        );
    }

    #[test]
    fn statistics_that_share_a_name_are_left_out_however_many_there_are() {
        let lines = written(statistics(&["a b", "a_b", "a-b", "rx_c", "RX_c"]), ".*");
        assert_eq!(lines, [] as [&str; 0]);
    }

    #[test]
    fn only_wanted_statistics_are_there() {
        let lines = written(statistics(&["rx_queue_0_drops", "rx_bytes"]), "^rx_queue");
        assert_eq!(lines, ["node_ethtool_received_queue_0_drops{device=\"eth0\"} 1"]);
    }

    #[test]
    fn a_driver_is_told_with_its_versions() {
        let driver = Driver {
            name: "virtio_net".into(),
            version: "1.0.0".into(),
            bus: "virtio0".into(),
            ..Driver::default()
        };
        let device = Device { name: "eth0".into(), driver: Some(driver), ..Device::default() };
        assert_eq!(
            written(device, ".*"),
            [
                "node_ethtool_info{bus_info=\"virtio0\",device=\"eth0\",driver=\"virtio_net\",expansion_rom_version=\"\",firmware_version=\"\",version=\"1.0.0\"} 1"
            ]
        );
    }

    #[test]
    fn an_interface_that_is_gone_and_a_host_without_sysfs_are_no_failure_of_others() {
        let folder = tree(&[("sys/class/net/lo/mtu", ""), ("sys/class/net/gone0/mtu", "")]);
        let (samples, result) = collect(&SPEC, folder.path(), &[]);
        result.unwrap();
        assert!(!samples.iter().any(|line| line.contains("gone0")), "{samples:?}");
        assert!(collect(&SPEC, tree(&[]).path(), &[]).1.unwrap_err().is_no_data());
    }
}
