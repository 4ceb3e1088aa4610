//! One PCI device of `/sys/bus/pci/devices` (Documentation/PCI/sysfs-pci.rst of the kernel).

use std::path::Path;

use super::super::sysclass::{Folder, integer};

/// Segment, bus, device and function as four texts: `0000:01:00.0`.
pub(super) type Place = [String; 4];

/// What a device is.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub(super) struct Ids {
    /// Class, subclass and programming interface, a byte each.
    pub class: u32,
    pub vendor: u32,
    pub device: u32,
    pub subsystem_vendor: u32,
    pub subsystem_device: u32,
}

#[derive(Debug)]
pub(super) struct Device {
    pub place: Place,
    parent: Option<Place>,
    pub ids: Ids,
    revision: u32,
    /// Transfers per second.
    pub max_speed: Option<f64>,
    pub speed: Option<f64>,
    pub max_width: Option<f64>,
    pub width: Option<f64>,
    pub d3cold_allowed: Option<f64>,
    pub autoprobe: Option<f64>,
    pub num_vfs: Option<f64>,
    pub total_vfs: Option<f64>,
    pub total_msix: Option<f64>,
    pub numa_node: Option<f64>,
    pub power_state: Option<String>,
}

impl Device {
    /// `link` points to the device's folder below that of its bridge. `None` where it is no device, or is gone.
    pub(super) fn read(link: &Path, folder: &Folder) -> Option<Self> {
        let target = std::fs::read_link(link).ok()?;
        let name = |path: &Path| place(path.file_name()?.to_str()?);
        let id = |file| u32::try_from(folder.read(file, integer)?).ok();
        // Switches of 0 and 1, which any other number turns on.
        let switch = |file| folder.number(file).map(|value| f64::from(u8::from(value != 0.0)));
        Some(Self {
            place: name(&target)?,
            // A device at the root hangs on a host bridge, which is no PCI device: `pci0000:00`.
            parent: target.parent().and_then(name),
            ids: Ids {
                class: id("class")?,
                vendor: id("vendor")?,
                device: id("device")?,
                subsystem_vendor: id("subsystem_vendor")?,
                subsystem_device: id("subsystem_device")?,
            },
            revision: id("revision")?,
            max_speed: folder.text("max_link_speed").and_then(|text| transfers(&text)),
            speed: folder.text("current_link_speed").and_then(|text| transfers(&text)),
            max_width: folder.number("max_link_width"),
            width: folder.number("current_link_width"),
            d3cold_allowed: switch("d3cold_allowed"),
            autoprobe: switch("sriov_drivers_autoprobe"),
            num_vfs: folder.number("sriov_numvfs"),
            total_vfs: folder.number("sriov_totalvfs"),
            total_msix: folder.number("sriov_vf_total_msix"),
            numa_node: folder.number("numa_node"),
            power_state: folder.text("power_state").filter(|text| !text.is_empty()),
        })
    }

    /// Its place, its bridge's and its ids, in the order of the labels of `node_pcidevice_info`.
    pub(super) fn labels(&self) -> [String; 14] {
        let none = || std::array::from_fn(|_| "*".to_owned());
        let [segment, bus, device, function] = self.place.clone();
        let [parent_segment, parent_bus, parent_device, parent_function] =
            self.parent.clone().unwrap_or_else(none);
        let ids = &self.ids;
        [
            segment,
            bus,
            device,
            function,
            parent_segment,
            parent_bus,
            parent_device,
            parent_function,
            format!("{:#08x}", ids.class),
            format!("{:#06x}", ids.vendor),
            format!("{:#06x}", ids.device),
            format!("{:#06x}", ids.subsystem_vendor),
            format!("{:#06x}", ids.subsystem_device),
            format!("{:#04x}", self.revision),
        ]
    }
}

fn place(name: &str) -> Option<Place> {
    let (rest, function) = name.split_once('.')?;
    let mut parts = rest.split(':').chain([function]);
    let mut next = |digits: usize| {
        let number = u32::from_str_radix(parts.next()?, 16).ok()?;
        Some(format!("{number:0digits$x}"))
    };
    let place = [next(4)?, next(2)?, next(2)?, next(1)?];
    parts.next().is_none().then_some(place)
}

/// The transfers per second of `8.0 GT/s PCIe`; a speed that the kernel does not know is `Unknown`.
fn transfers(text: &str) -> Option<f64> {
    let (number, unit) = text.split_once(' ')?;
    let giga: f64 = number.parse().ok()?;
    unit.starts_with("GT/s").then_some(giga * 1e9)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_place_is_four_hexadecimal_numbers() {
        assert_eq!(place("10000:e1:00.7").unwrap(), ["10000", "e1", "00", "7"]);
        for wrong in ["pci0000:00", "0000:00:02", "00:02.1", "0000:00:00:02.1", "0000:xx:00.0", ""]
        {
            assert_eq!(place(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_speed_has_its_unit() {
        assert_eq!(transfers("2.5 GT/s PCIe"), Some(2.5e9));
        assert_eq!(transfers("16.0 GT/s"), Some(1.6e10));
        for unknown in ["Unknown", "Unknown speed", "", "8.0 Mb/s"] {
            assert_eq!(transfers(unknown), None, "{unknown}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in ".*") {
            let _found = (place(&text), transfers(&text));
        }
    }
}
