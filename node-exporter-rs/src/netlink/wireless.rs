//! Wireless interfaces, their networks and stations, by generic netlink's nl80211 (`linux/nl80211.h`).

use std::io;

use super::DeviceName;
use super::generic::Generic;
use super::message::{Attributes, u32_of};

/// `NL80211_CMD_GET_…` and version 1.
const GET_INTERFACES: [u8; 4] = [5, 1, 0, 0];
const GET_STATIONS: [u8; 4] = [17, 1, 0, 0];
const GET_SCAN: [u8; 4] = [32, 1, 0, 0];

/// `NL80211_ATTR_…`.
mod attr {
    pub(super) const IFINDEX: u16 = 3;
    pub(super) const IFNAME: u16 = 4;
    pub(super) const MAC: u16 = 6;
    pub(super) const STA_INFO: u16 = 21;
    pub(super) const FREQUENCY: u16 = 38;
    pub(super) const BSS: u16 = 47;
}

/// `NL80211_BSS_…`.
mod bss {
    pub(super) const BSSID: u16 = 1;
    pub(super) const ELEMENTS: u16 = 6;
    pub(super) const STATUS: u16 = 9;
}

/// `NL80211_STA_INFO_…` and, of a nested rate, `NL80211_RATE_INFO_…`.
mod sta {
    pub(super) const INACTIVE: u16 = 1;
    pub(super) const RX_BYTES: u16 = 2;
    pub(super) const TX_BYTES: u16 = 3;
    pub(super) const SIGNAL: u16 = 7;
    pub(super) const TX_RATE: u16 = 8;
    pub(super) const RX_PACKETS: u16 = 9;
    pub(super) const TX_PACKETS: u16 = 10;
    pub(super) const TX_RETRIES: u16 = 11;
    pub(super) const TX_FAILED: u16 = 12;
    pub(super) const RX_RATE: u16 = 14;
    pub(super) const CONNECTED: u16 = 16;
    pub(super) const BEACON_LOSS: u16 = 18;
    pub(super) const RX_BYTES64: u16 = 23;
    pub(super) const TX_BYTES64: u16 = 24;
    pub(super) const RATE: u16 = 1;
    pub(super) const RATE32: u16 = 5;
}

/// A wireless interface; some virtual ones have no name.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Interface {
    pub index: u32,
    pub name: DeviceName,
    /// In megahertz, where it is tuned.
    pub frequency: Option<u32>,
}

/// The network (basic service set) that an interface takes part in.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Network {
    pub bssid: Vec<u8>,
    pub ssid: Vec<u8>,
    /// `NL80211_BSS_STATUS_…`: 0 authenticated, 1 associated, 2 joined without an access point.
    pub status: u32,
}

/// What an interface knows of a station: of its access point, or, being one, of each client.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Station {
    pub address: Vec<u8>,
    pub connected_seconds: Option<f64>,
    pub inactive_seconds: Option<f64>,
    pub receive_bits_per_second: Option<f64>,
    pub transmit_bits_per_second: Option<f64>,
    pub receive_bytes: Option<u64>,
    pub transmit_bytes: Option<u64>,
    pub signal_dbm: Option<i64>,
    pub transmit_retries: Option<u64>,
    pub transmit_failed: Option<u64>,
    pub beacon_loss: Option<u64>,
    pub transmitted_packets: Option<u64>,
    pub received_packets: Option<u64>,
}

/// Asks nl80211. Every question answers `NotFound` where the kernel has no wireless devices at all.
#[derive(Debug)]
pub struct Wireless(Generic);

impl Default for Wireless {
    fn default() -> Self {
        Self(Generic::new("nl80211"))
    }
}

impl Wireless {
    pub fn interfaces(&mut self) -> io::Result<Vec<Interface>> {
        self.all(&GET_INTERFACES, Interface::parse)
    }

    /// The network that the interface takes part in, among those that it has seen.
    pub fn network(&mut self, index: u32) -> io::Result<Option<Network>> {
        Ok(self.all(&about(GET_SCAN, index), Network::parse)?.into_iter().next())
    }

    pub fn stations(&mut self, index: u32) -> io::Result<Vec<Station>> {
        self.all(&about(GET_STATIONS, index), Station::parse)
    }

    fn all<T>(
        &mut self,
        question: &[u8],
        parse: impl Fn(Attributes<'_>) -> Option<T>,
    ) -> io::Result<Vec<T>> {
        let mut all = Vec::new();
        self.0.dump(question, |message| match message {
            None => all.clear(),
            Some(attributes) => all.extend(parse(attributes)),
        })?;
        Ok(all)
    }
}

/// A question about one interface.
fn about(command: [u8; 4], index: u32) -> [u8; 12] {
    let mut question = [0; 12];
    question[..4].copy_from_slice(&command);
    question[4..6].copy_from_slice(&8_u16.to_ne_bytes());
    question[6..8].copy_from_slice(&attr::IFINDEX.to_ne_bytes());
    question[8..].copy_from_slice(&index.to_ne_bytes());
    question
}

impl Interface {
    fn parse(attributes: Attributes<'_>) -> Option<Self> {
        let (mut index, mut name, mut frequency) = (None, DeviceName::new(b""), None);
        for (kind, value) in attributes {
            match kind {
                attr::IFINDEX => index = u32_of(value),
                attr::IFNAME => name = DeviceName::new(value),
                attr::FREQUENCY => frequency = u32_of(value),
                _ => {}
            }
        }
        // A device without an interface (P2P) has no index.
        Some(Self { index: index?, name, frequency })
    }
}

impl Network {
    /// `None` for a network that was seen only: the one that the interface takes part in has a status.
    fn parse(mut attributes: Attributes<'_>) -> Option<Self> {
        let (_, nested) = attributes.find(|(kind, _)| *kind == attr::BSS)?;
        let (mut bssid, mut ssid, mut status) = (Vec::new(), Vec::new(), None);
        for (kind, value) in Attributes::new(nested) {
            match kind {
                bss::BSSID => bssid = value.to_vec(),
                bss::ELEMENTS => ssid = ssid_of(value).unwrap_or_default().to_vec(),
                bss::STATUS => status = u32_of(value),
                _ => {}
            }
        }
        Some(Self { bssid, ssid, status: status? })
    }
}

/// The name of a network among its information elements, each a byte of kind, one of length, and so many (IEEE 802.11).
fn ssid_of(mut elements: &[u8]) -> Option<&[u8]> {
    const SSID: u8 = 0;
    while let [kind, length, rest @ ..] = elements {
        let (value, rest) = rest.split_at_checked(usize::from(*length))?;
        if *kind == SSID {
            return Some(value);
        }
        elements = rest;
    }
    None
}

impl Station {
    fn parse(attributes: Attributes<'_>) -> Option<Self> {
        let mut station = Self::default();
        let mut told = false;
        for (kind, value) in attributes {
            match kind {
                attr::MAC => station.address = value.to_vec(),
                attr::STA_INFO => {
                    told = true;
                    station.take(Attributes::new(value));
                }
                _ => {}
            }
        }
        told.then_some(station)
    }

    fn take(&mut self, attributes: Attributes<'_>) {
        let (mut receive64, mut transmit64) = (None, None);
        for (kind, value) in attributes {
            let number = u32_of(value).map(u64::from);
            match kind {
                sta::INACTIVE => {
                    self.inactive_seconds = u32_of(value).map(|ms| f64::from(ms) / 1e3);
                }
                sta::CONNECTED => self.connected_seconds = u32_of(value).map(f64::from),
                sta::RX_BYTES => self.receive_bytes = number,
                sta::TX_BYTES => self.transmit_bytes = number,
                sta::RX_BYTES64 => receive64 = u64_of(value),
                sta::TX_BYTES64 => transmit64 = u64_of(value),
                sta::SIGNAL => {
                    self.signal_dbm = value.first().map(|byte| i64::from(byte.cast_signed()));
                }
                sta::RX_RATE => self.receive_bits_per_second = bits_per_second(value),
                sta::TX_RATE => self.transmit_bits_per_second = bits_per_second(value),
                sta::RX_PACKETS => self.received_packets = number,
                sta::TX_PACKETS => self.transmitted_packets = number,
                sta::TX_RETRIES => self.transmit_retries = number,
                sta::TX_FAILED => self.transmit_failed = number,
                sta::BEACON_LOSS => self.beacon_loss = number,
                _ => {}
            }
        }
        // The narrow counters overflow at 4 GiB; old drivers have no others.
        self.receive_bytes = receive64.or(self.receive_bytes);
        self.transmit_bytes = transmit64.or(self.transmit_bytes);
    }
}

fn u64_of(value: &[u8]) -> Option<u64> {
    Some(u64::from_ne_bytes(*value.first_chunk()?))
}

/// A rate in the kernel's unit of 100 kbit/s: the number of four bytes, else that of two, which ends at 6.5 Gbit/s.
fn bits_per_second(rate: &[u8]) -> Option<f64> {
    let of = |wanted| Attributes::new(rate).find(|(kind, _)| *kind == wanted).map(|(_, v)| v);
    let narrow = || Some(u32::from(u16::from_ne_bytes(*of(sta::RATE)?.first_chunk()?)));
    let units = of(sta::RATE32).and_then(u32_of).or_else(narrow)?;
    Some(f64::from(units) * 1e5)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::netlink::attribute_bytes as attribute;
    use proptest::prelude::*;

    #[test]
    fn an_interface_that_is_not_tuned_has_no_frequency() {
        let index = attribute(attr::IFINDEX, &3_u32.to_ne_bytes());
        let name = attribute(attr::IFNAME, b"wlan0\0");
        let tuned = attribute(attr::FREQUENCY, &2412_u32.to_ne_bytes());
        let of = |parts: &[&[u8]]| Interface::parse(Attributes::new(&parts.concat()));
        let found = of(&[&index, &name, &tuned]).unwrap();
        assert_eq!((found.index, &*found.name, found.frequency), (3, "wlan0", Some(2412)));
        assert_eq!(of(&[&index, &name]).unwrap().frequency, None);
        assert_eq!(of(&[&name]), None);
    }

    #[test]
    fn only_a_network_with_a_status_is_the_interfaces_own() {
        let elements = [1, 2, 0x82, 0x84, 0, 4, b'h', b'o', b'm', b'e'];
        let mut nested =
            [attribute(bss::BSSID, &[2, 0, 0, 0, 0, 1]), attribute(bss::ELEMENTS, &elements)]
                .concat();
        let parse = |nested: &[u8]| Network::parse(Attributes::new(&attribute(attr::BSS, nested)));
        assert_eq!(parse(&nested), None);
        nested.extend(attribute(bss::STATUS, &1_u32.to_ne_bytes()));
        let found = parse(&nested).unwrap();
        assert_eq!((found.bssid, found.ssid), (vec![2, 0, 0, 0, 0, 1], b"home".to_vec()));
        assert_eq!(found.status, 1);
    }

    #[test]
    fn an_element_that_is_cut_short_has_no_name() {
        assert_eq!(ssid_of(&[0, 9, b'a']), None);
        assert_eq!(ssid_of(&[0]), None);
        assert_eq!(ssid_of(&[0, 0]), Some(&[][..]));
    }

    #[test]
    fn a_stations_wide_counters_and_rates_win() {
        let number = |kind, value: u32| attribute(kind, &value.to_ne_bytes());
        let rate = [attribute(sta::RATE, &60_u16.to_ne_bytes()), number(sta::RATE32, 70_000)];
        let info = [
            attribute(sta::RX_BYTES64, &(5_u64 << 32).to_ne_bytes()),
            number(sta::RX_BYTES, 0),
            number(sta::TX_BYTES, 9),
            number(sta::INACTIVE, 400),
            attribute(sta::SIGNAL, &[204]),
            attribute(sta::RX_RATE, &rate[0]),
            attribute(sta::TX_RATE, &rate.concat()),
        ];
        let message =
            [attribute(attr::MAC, &[1, 2, 3, 4, 5, 6]), attribute(attr::STA_INFO, &info.concat())];
        let station = Station::parse(Attributes::new(&message.concat())).unwrap();
        assert_eq!((station.receive_bytes, station.transmit_bytes), (Some(5 << 32), Some(9)));
        assert_eq!((station.inactive_seconds, station.signal_dbm), (Some(0.4), Some(-52)));
        assert_eq!(station.receive_bits_per_second, Some(6e6));
        assert_eq!(station.transmit_bits_per_second, Some(7e9));
        assert_eq!(station.beacon_loss, None);
    }

    #[test]
    fn the_live_kernel_answers_or_has_no_wireless_devices() {
        match Wireless::default().interfaces() {
            Ok(interfaces) => assert!(interfaces.iter().all(|found| found.index > 0)),
            Err(error) => assert_eq!(error.kind(), io::ErrorKind::NotFound),
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(body: Vec<u8>) {
            let attributes = || Attributes::new(&body);
            let _found = (Interface::parse(attributes()), Network::parse(attributes()));
            let _station = Station::parse(attributes());
            let _ssid = ssid_of(&body);
        }
    }
}
