//! Interfaces by one rtnetlink dump, and a few files for what it lacks.

use std::io;

use crate::filter::Filter;
use exporter_toolkit::name::{LabelName, MetricName};
use exporter_toolkit::{Exposition, Kind};

use super::files::{FIXED, Files, Reader};
use super::interface::{
    ADDR_ASSIGN_TYPE, CARRIER_CHANGES, DEV_ID, DORMANT, DUPLEX, FLAGS, IFINDEX, IFLINK, Interface,
    LINK_MODE, NAME_ASSIGN_TYPE, SPEED, TYPE, bytes_per_second, text,
};
use super::link;
use crate::host::Host;
use crate::netlink::{
    Attributes, Client, DeviceName, LINK_STATS64_LEN, Link, LinkMode, LinkModes, LinkStats,
    Request, Step, attribute,
};

/// What rtnetlink lacks.
const FROM_FILES: [usize; 3] = [ADDR_ASSIGN_TYPE, DEV_ID, NAME_ASSIGN_TYPE];
/// What ethtool tells, and sysfs where a kernel before 5.6 has no netlink for it.
const FROM_ETHTOOL: [usize; 2] = [SPEED, DUPLEX];

/// `IF_OPER_…` of linux/if.h by number.
const OPERSTATES: [&str; 7] =
    ["unknown", "notpresent", "down", "lowerlayerdown", "testing", "dormant", "up"];

/// The counters of `struct rtnl_link_stats64` in its order, as the peer names them here.
const STATS: [&str; LINK_STATS64_LEN] = [
    "receive_packets",
    "transmit_packets",
    "receive_bytes",
    "transmit_bytes",
    "receive_errors",
    "transmit_errors",
    "receive_dropped",
    "transmit_dropped",
    "multicast",
    "collisions",
    "receive_length_errors",
    "receive_over_errors",
    "receive_crc_errors",
    "receive_frame_errors",
    "receive_fifo_errors",
    "receive_missed_errors",
    "transmit_aborted_errors",
    "transmit_carrier_errors",
    "transmit_fifo_errors",
    "transmit_heartbeat_errors",
    "transmit_window_errors",
    "receive_compressed",
    "transmit_compressed",
    "receive_nohandler",
];
const DEVICE: LabelName = LabelName::fixed("device");

pub(super) struct Rtnl {
    filter: Filter,
    client: Client,
    /// `None` where ethtool does not answer.
    modes: Option<LinkModes>,
    reader: Reader,
    devices: Vec<Device>,
    /// The counters' names, where they are asked for.
    stats: Vec<MetricName>,
}

struct Device {
    index: u32,
    listed: bool,
    files: Files,
    interface: Interface,
    counters: [Option<u64>; LINK_STATS64_LEN],
}

impl Rtnl {
    pub(super) fn new(host: Host, filter: Filter, with_stats: bool) -> Self {
        let names = if with_stats { STATS.as_slice() } else { &[] };
        let name = |field: &&str| MetricName::sanitize(&["node_network_", field, "_total"]);
        Self {
            filter,
            client: Client::default(),
            modes: Some(LinkModes::default()),
            reader: Reader::new(host),
            devices: Vec::new(),
            stats: names.iter().map(name).collect(),
        }
    }

    pub(super) fn read(&mut self) -> io::Result<()> {
        let Self { filter, client, modes, reader, devices, .. } = self;
        client.dump(Request::links(), |step| match step {
            Step::Begin => {
                for device in devices.iter_mut() {
                    device.listed = false;
                }
            }
            Step::Message(body) => {
                let Some(link) = Link::parse(body) else { return };
                let name = link.name();
                if !name.is_empty() && !filter.ignores(&name) {
                    take(devices, &link, name, &reader.host);
                }
            }
        })?;
        devices.retain(|device| device.listed);
        reader.make_room(devices.iter().map(|device| &device.files));
        let modes = read_modes(modes);
        for device in devices {
            device.read_files(reader, modes);
        }
        Ok(())
    }

    pub(super) fn interfaces(&self) -> impl Iterator<Item = &Interface> {
        self.devices.iter().map(|device| &device.interface)
    }

    /// The counters are gauges here: the peer gives them that type in this mode.
    pub(super) fn write_stats(&self, out: &mut Exposition) {
        for (place, name) in self.stats.iter().enumerate() {
            let help = "One of the kernel's counters of the interface (struct rtnl_link_stats64).";
            let mut samples = out.dynamic(name, Kind::Gauge, help);
            for device in &self.devices {
                if let Some(value) = device.counters[place] {
                    samples.sample([(&DEVICE, device.interface.name)], value);
                }
            }
        }
    }
}

/// Updates the device of that name, by which they are sorted; one whose index changed is another device.
fn take(devices: &mut Vec<Device>, link: &Link<'_>, name: DeviceName, host: &Host) {
    let at = match devices.binary_search_by(|device| device.interface.name.cmp(&name)) {
        Ok(at) => at,
        Err(at) => return devices.insert(at, Device::new(link, name, host)),
    };
    let device = &mut devices[at];
    if device.index == link.index {
        device.update(link);
    } else if !device.listed {
        *device = Device::new(link, name, host);
    }
    // Else two names are one after bytes were replaced: the first stays.
}

impl Device {
    fn new(link: &Link<'_>, name: DeviceName, host: &Host) -> Self {
        let folder = host.sys("class/net").join(&*name);
        let mut device = Self {
            index: link.index,
            listed: true,
            files: Files::new(folder),
            interface: Interface::new(name),
            counters: [None; LINK_STATS64_LEN],
        };
        device.update(link);
        device
    }

    fn update(&mut self, link: &Link<'_>) {
        self.listed = true;
        let interface = &mut self.interface;
        interface.altnames.clear();
        let before = std::mem::replace(&mut interface.numbers, numbers(link));
        for place in FROM_FILES {
            interface.numbers[place] = before[place];
        }
        for text in &mut interface.texts {
            text.clear();
        }
        for (kind, value) in link.attributes() {
            let texts = &mut interface.texts;
            match kind {
                attribute::ADDRESS => write_address(value, &mut texts[text::ADDRESS]),
                attribute::BROADCAST => write_address(value, &mut texts[text::BROADCAST]),
                attribute::IFALIAS => texts[text::IFALIAS].extend_from_slice(until_nul(value)),
                attribute::OPERSTATE => {
                    texts[text::OPERSTATE].extend_from_slice(operstate(value).as_bytes());
                }
                attribute::PROP_LIST => add_altnames(value, &mut interface.altnames),
                _ => {}
            }
        }
        let stats = LinkStats::of(link).filter(|stats| matches!(stats, LinkStats::Wide(_)));
        self.counters = std::array::from_fn(|place| stats?.get(place));
    }

    /// Reads what rtnetlink lacks; speed and duplex too where no modes are given.
    fn read_files(&mut self, reader: &mut Reader, modes: Option<&[LinkMode]>) {
        let Self { files, interface, .. } = self;
        let (numbers, texts) = (&interface.numbers, &interface.texts);
        files.note(numbers[FLAGS], &texts[text::OPERSTATE], numbers[CARRIER_CHANGES]);
        for place in FROM_FILES {
            let known = FIXED.contains(&place) && interface.numbers[place].is_some();
            if !known {
                interface.set(place, files.read(place, reader));
            }
        }
        match modes {
            Some(modes) => set_mode(interface, modes.iter().find(|mode| mode.index == self.index)),
            None => read_mode(interface, files, reader),
        }
        files.close();
        if files.gone() {
            // The link is there all the same: sysfs is not mounted, or shows another network namespace.
            files.look_again();
        }
    }
}

/// ethtool's modes; a kernel or a sandbox without them is not asked again.
fn read_modes(modes: &mut Option<LinkModes>) -> Option<&[LinkMode]> {
    let answered = match modes.as_mut()?.read() {
        Ok(_) => true,
        Err(error) => {
            tracing::debug!(%error, "ethtool does not answer, speed and duplex are read from /sys");
            false
        }
    };
    if !answered {
        *modes = None;
    }
    modes.as_ref().map(LinkModes::latest)
}

fn set_mode(interface: &mut Interface, mode: Option<&LinkMode>) {
    let speed = mode.and_then(|mode| mode.speed);
    interface.numbers[SPEED] = speed.map(|speed| bytes_per_second(speed.into()));
    interface.texts[text::DUPLEX].extend(mode.map_or("", |mode| mode.duplex).bytes());
}

fn read_mode(interface: &mut Interface, files: &mut Files, reader: &mut Reader) {
    for place in FROM_ETHTOOL {
        interface.set(place, files.read(place, reader));
    }
    // An unknown speed is -1.
    let speed = &mut interface.numbers[SPEED];
    *speed = speed.filter(|&speed| speed >= 0).map(bytes_per_second);
    // The peer has the word from ethtool, which begins with a capital.
    if let Some(first) = interface.texts[text::DUPLEX].first_mut() {
        first.make_ascii_uppercase();
    }
}

/// The numbers that rtnetlink gives.
fn numbers(link: &Link<'_>) -> [Option<i64>; super::interface::NUMBERS] {
    let mut numbers = [None; super::interface::NUMBERS];
    numbers[FLAGS] = Some(link.flags.into());
    numbers[IFINDEX] = Some(link.index.into());
    // The kernel leaves IFLA_LINK out where an interface is stacked on none.
    numbers[IFLINK] = numbers[IFINDEX];
    numbers[TYPE] = Some(link.hardware.into());
    for (kind, value) in link.attributes() {
        let Some(place) = link::place(kind) else { continue };
        let number = number(value).filter(|&number| place != IFLINK || number > 0);
        numbers[place] = number.or(numbers[place]);
    }
    // The peer reports the link mode as dormant here; rtnetlink says dormant in the operstate only.
    numbers[DORMANT] = numbers[LINK_MODE];
    numbers
}

/// An unsigned number of one or four bytes.
pub(super) fn number(value: &[u8]) -> Option<i64> {
    match *value {
        [byte] => Some(byte.into()),
        [a, b, c, d] => Some(u32::from_ne_bytes([a, b, c, d]).into()),
        _ => None,
    }
}

pub(super) fn operstate(value: &[u8]) -> &'static str {
    let number = value.first().map_or(0, |&byte| usize::from(byte));
    OPERSTATES.get(number).copied().unwrap_or("unknown")
}

pub(super) fn until_nul(value: &[u8]) -> &[u8] {
    &value[..memchr::memchr(0, value).unwrap_or(value.len())]
}

/// `02:fc:00:00:00:01`.
pub(super) fn write_address(value: &[u8], out: &mut Vec<u8>) {
    for (i, byte) in value.iter().enumerate() {
        if i > 0 {
            out.push(b':');
        }
        for digit in [byte >> 4, byte & 0xf] {
            out.push(b"0123456789abcdef"[usize::from(digit)]);
        }
    }
}

/// Names from a list of properties; two that are one after bytes were replaced count once.
fn add_altnames(list: &[u8], names: &mut Vec<String>) {
    for (kind, value) in Attributes::new(list) {
        let name = String::from_utf8_lossy(until_nul(value));
        if kind == attribute::ALT_IFNAME && !name.is_empty() && !names.iter().any(|n| *n == name) {
            names.push(name.into_owned());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::netlink::attribute_bytes;
    use proptest::prelude::*;

    fn device(attributes: &[(u16, &[u8])]) -> Device {
        let mut body = vec![0, 0, 1, 0, 7, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0];
        for (kind, value) in attributes {
            body.extend(attribute_bytes(*kind, value));
        }
        let link = Link::parse(&body).unwrap();
        Device::new(&link, DeviceName::new(b"eth7"), &Host::default())
    }

    #[test]
    fn a_link_that_is_stacked_on_none_is_its_own() {
        assert_eq!(device(&[]).interface.numbers[IFLINK], Some(7));
        assert_eq!(device(&[(attribute::LINK, &[0; 4])]).interface.numbers[IFLINK], Some(7));
        let on_three = [(attribute::LINK, 3_u32.to_ne_bytes())];
        let stacked = device(&on_three.each_ref().map(|(kind, value)| (*kind, value.as_slice())));
        assert_eq!(stacked.interface.numbers[IFLINK], Some(3));
    }

    #[test]
    fn addresses_states_and_names_are_texts() {
        let names = [
            attribute_bytes(attribute::ALT_IFNAME, b"enp0s3\0"),
            attribute_bytes(attribute::ALT_IFNAME, b"enx02fc\0"),
        ]
        .concat();
        let interface = device(&[
            (attribute::ADDRESS, &[2, 0xfc, 0, 0, 0, 1]),
            (attribute::OPERSTATE, &[6]),
            (attribute::IFALIAS, b"uplink\0"),
            (attribute::PROP_LIST, &names),
        ])
        .interface;
        assert_eq!(interface.texts[text::ADDRESS], b"02:fc:00:00:00:01");
        assert_eq!(interface.texts[text::OPERSTATE], b"up");
        assert_eq!(interface.texts[text::IFALIAS], b"uplink");
        assert_eq!(interface.altnames, ["enp0s3", "enx02fc"]);
    }

    #[test]
    fn an_unknown_operstate_is_unknown() {
        assert_eq!((operstate(&[200]), operstate(&[])), ("unknown", "unknown"));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(body: Vec<u8>) {
            if let Some(link) = Link::parse(&body) {
                let _device = Device::new(&link, link.name(), &Host::default());
            }
        }
    }
}
