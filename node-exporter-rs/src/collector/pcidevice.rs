//! `node_pcidevice_*`: PCI devices, their links, power states and virtual functions, from `/sys/bus/pci/devices`.

mod device;
mod names;

use std::path::PathBuf;

use exporter_toolkit::{Exposition, Gauge};

use self::device::Device;
use self::names::Names;
use super::sysclass::Folder;
use super::{BuildError, CollectError, Collector, Setup, Spec};
use crate::flags::Flag;

static IDS_FILE: Flag<String> = Flag::new(
    "collector.pcidevice.idsfile",
    "",
    "The pci.ids file that names are taken from; without it the usual places are tried.",
)
.takes("FILE");
static NAMES: Flag<bool> = Flag::new(
    "collector.pcidevice.names",
    "false",
    "Put names beside the ids of vendors, devices and classes; needs a pci.ids file.",
);

const PLACE: [&str; 4] = ["segment", "bus", "device", "function"];

static INFO: Gauge<14> = Gauge::new(
    "node_pcidevice_info",
    "Always 1: where the device is, which bridge it hangs on, and what it is.",
    [
        "segment",
        "bus",
        "device",
        "function",
        "parent_segment",
        "parent_bus",
        "parent_device",
        "parent_function",
        "class_id",
        "vendor_id",
        "device_id",
        "subsystem_vendor_id",
        "subsystem_device_id",
        "revision",
    ],
);
/// What `--collector.pcidevice.names` gives in its place.
static NAMED_INFO: Gauge<19> = Gauge::new(
    "node_pcidevice_info",
    "Always 1: where the device is, which bridge it hangs on, what it is and what that is called.",
    [
        "segment",
        "bus",
        "device",
        "function",
        "parent_segment",
        "parent_bus",
        "parent_device",
        "parent_function",
        "class_id",
        "vendor_id",
        "device_id",
        "subsystem_vendor_id",
        "subsystem_device_id",
        "revision",
        "vendor_name",
        "device_name",
        "subsystem_vendor_name",
        "subsystem_device_name",
        "class_name",
    ],
);
static MAX_SPEED: Gauge<4> = Gauge::new(
    "node_pcidevice_max_link_transfers_per_second",
    "Transfers per second that the link can do; -1 where it is not told.",
    PLACE,
);
static MAX_WIDTH: Gauge<4> = Gauge::new(
    "node_pcidevice_max_link_width",
    "Lanes that the link can have; -1 where it is not told.",
    PLACE,
);
static SPEED: Gauge<4> = Gauge::new(
    "node_pcidevice_current_link_transfers_per_second",
    "Transfers per second that the link is set to; -1 where it is not told.",
    PLACE,
);
static WIDTH: Gauge<4> = Gauge::new(
    "node_pcidevice_current_link_width",
    "Lanes that the link uses; -1 where it is not told.",
    PLACE,
);
static D3COLD: Gauge<4> = Gauge::new(
    "node_pcidevice_d3cold_allowed",
    "1 where the device may be put into the power state D3cold.",
    PLACE,
);
static AUTOPROBE: Gauge<4> = Gauge::new(
    "node_pcidevice_sriov_drivers_autoprobe",
    "1 where drivers are bound to virtual functions by themselves (SR-IOV).",
    PLACE,
);
static NUM_VFS: Gauge<4> =
    Gauge::new("node_pcidevice_sriov_numvfs", "Virtual functions in use (SR-IOV).", PLACE);
static TOTAL_VFS: Gauge<4> = Gauge::new(
    "node_pcidevice_sriov_totalvfs",
    "Virtual functions that the device can have (SR-IOV); 0 for a device without them.",
    PLACE,
);
static MSIX: Gauge<4> = Gauge::new(
    "node_pcidevice_sriov_vf_total_msix",
    "MSI-X vectors for all virtual functions together (SR-IOV).",
    PLACE,
);
static NUMA: Gauge<4> = Gauge::new(
    "node_pcidevice_numa_node",
    "The NUMA node that the device is near to; absent where there is none.",
    PLACE,
);
static POWER: Gauge<5> = Gauge::new(
    "node_pcidevice_power_state",
    "1 for the power state that the device is in, 0 for the others.",
    ["segment", "bus", "device", "function", "state"],
);

const POWER_STATES: [&str; 7] = ["D0", "D1", "D2", "D3hot", "D3cold", "unknown", "error"];

pub static SPEC: Spec = Spec {
    name: "pcidevice",
    enabled: false,
    about: "PCI devices, their links and virtual functions, from /sys/bus/pci/devices.",
    flags: &[&IDS_FILE, &NAMES],
    families: &[
        &INFO, &MAX_SPEED, &MAX_WIDTH, &SPEED, &WIDTH, &D3COLD, &AUTOPROBE, &NUM_VFS, &TOTAL_VFS,
        &MSIX, &NUMA, &POWER,
    ],
    build,
};

fn build(setup: &Setup) -> Result<Box<dyn Collector>, BuildError> {
    let given = setup.flags.get(&IDS_FILE)?;
    let names = setup.flags.get(&NAMES)?.then(|| Names::new(&setup.host, &given));
    Ok(Box::new(PciDevices { folder: setup.host.sys("bus/pci/devices"), names }))
}

struct PciDevices {
    folder: PathBuf,
    names: Option<Names>,
}

impl Collector for PciDevices {
    fn collect(&mut self, out: &mut Exposition) -> Result<(), CollectError> {
        let folder = Folder::open(&self.folder)?;
        let read = |name: String| Device::read(&self.folder.join(&name), &folder.below(&name)?);
        let devices: Vec<Device> = folder.names().into_iter().filter_map(read).collect();
        match &mut self.names {
            None => write_info(&devices, out),
            Some(names) => {
                names.learn(&devices);
                write_named_info(&devices, names, out);
            }
        }
        write(&devices, out);
        Ok(())
    }
}

fn write_info(devices: &[Device], out: &mut Exposition) {
    let mut info = out.family(&INFO);
    for device in devices {
        info.sample(&device.labels(), 1_u8);
    }
}

fn write_named_info(devices: &[Device], names: &Names, out: &mut Exposition) {
    let mut info = out.family(&NAMED_INFO);
    for device in devices {
        let mut labels = [const { String::new() }; 19];
        for (place, label) in labels.iter_mut().zip(device.labels()) {
            *place = label;
        }
        for (place, name) in labels[14..].iter_mut().zip(names.of(&device.ids)) {
            *place = name;
        }
        info.sample(&labels, 1_u8);
    }
}

/// A device without a link or without virtual functions has samples all the same, as with the peer: -1 and 0.
fn write(devices: &[Device], out: &mut Exposition) {
    type Get = fn(&Device) -> Option<f64>;
    let families: [(&'static Gauge<4>, Get); 10] = [
        (&MAX_SPEED, |device| Some(device.max_speed.unwrap_or(-1.0))),
        (&MAX_WIDTH, |device| Some(device.max_width.unwrap_or(-1.0))),
        (&SPEED, |device| Some(device.speed.unwrap_or(-1.0))),
        (&WIDTH, |device| Some(device.width.unwrap_or(-1.0))),
        (&D3COLD, |device| Some(device.d3cold_allowed.unwrap_or_default())),
        (&AUTOPROBE, |device| Some(device.autoprobe.unwrap_or_default())),
        (&NUM_VFS, |device| Some(device.num_vfs.unwrap_or_default())),
        (&TOTAL_VFS, |device| Some(device.total_vfs.unwrap_or_default())),
        (&MSIX, |device| Some(device.total_msix.unwrap_or_default())),
        // The kernel says -1 for no node.
        (&NUMA, |device| device.numa_node.filter(|&node| node >= 0.0)),
    ];
    for (family, get) in families {
        let mut samples = out.family(family);
        for device in devices {
            samples.maybe(&device.place, get(device));
        }
    }
    let mut power = out.family(&POWER);
    for device in devices {
        let Some(current) = &device.power_state else { continue };
        let [segment, bus, slot, function] = &device.place;
        for state in POWER_STATES {
            power.sample((segment, bus, slot, function, state), state == current);
        }
    }
}
