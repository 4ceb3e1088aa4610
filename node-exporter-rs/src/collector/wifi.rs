//! `node_wifi_*`: wireless interfaces and the stations they talk to, from generic netlink's nl80211.

use std::io;
use std::path::{Path, PathBuf};

use exporter_toolkit::{Counter, Exposition, Gauge};

use super::{CollectError, Collector, Setup, Spec};
use crate::flags::{Flag, FlagError};
use crate::json::Json;
use crate::netlink::DeviceName;
use crate::netlink::wireless::{Network, Station, Wireless};

static FIXTURES: Flag<String> = Flag::new(
    "collector.wifi.fixtures",
    "",
    "Folder with interfaces.json and more, which stands in for the kernel: for tests.",
)
.takes("DIR");

const STATION: [&str; 2] = ["device", "mac_address"];

static FREQUENCY: Gauge<1> = Gauge::new(
    "node_wifi_interface_frequency_hertz",
    "The frequency that the interface is tuned to.",
    ["device"],
);
static INFO: Gauge<4> = Gauge::new(
    "node_wifi_station_info",
    "Always 1: the network that the interface takes part in, as a client or ad-hoc.",
    ["device", "bssid", "ssid", "mode"],
);
static CONNECTED: Counter<2> = Counter::new(
    "node_wifi_station_connected_seconds_total",
    "How long the station has been connected.",
    STATION,
);
static INACTIVE: Gauge<2> = Gauge::new(
    "node_wifi_station_inactive_seconds",
    "How long nothing was heard of the station.",
    STATION,
);
static RECEIVE_RATE: Gauge<2> = Gauge::new(
    "node_wifi_station_receive_bits_per_second",
    "The rate at which the station's last packet came.",
    STATION,
);
static TRANSMIT_RATE: Gauge<2> = Gauge::new(
    "node_wifi_station_transmit_bits_per_second",
    "The rate at which the last packet went to the station.",
    STATION,
);
static RECEIVED: Counter<2> = Counter::new(
    "node_wifi_station_receive_bytes_total",
    "Bytes that came from the station.",
    STATION,
);
static TRANSMITTED: Counter<2> = Counter::new(
    "node_wifi_station_transmit_bytes_total",
    "Bytes that went to the station.",
    STATION,
);
static SIGNAL: Gauge<2> = Gauge::new(
    "node_wifi_station_signal_dbm",
    "How strong the station's last packet came, in decibels of a milliwatt.",
    STATION,
);
static RETRIES: Counter<2> = Counter::new(
    "node_wifi_station_transmit_retries_total",
    "Times that a packet to the station was sent again.",
    STATION,
);
static FAILED: Counter<2> = Counter::new(
    "node_wifi_station_transmit_failed_total",
    "Packets to the station that were given up.",
    STATION,
);
static BEACON_LOSS: Counter<2> = Counter::new(
    "node_wifi_station_beacon_loss_total",
    "Times that the station's beacons failed to come.",
    STATION,
);
static PACKETS_OUT: Counter<2> = Counter::new(
    "node_wifi_station_transmitted_packets_total",
    "Packets that went to the station.",
    STATION,
);
static PACKETS_IN: Counter<2> = Counter::new(
    "node_wifi_station_received_packets_total",
    "Packets that came from the station.",
    STATION,
);

pub static SPEC: Spec = Spec {
    name: "wifi",
    enabled: false,
    about: "Wireless interfaces and their stations, from nl80211.",
    flags: &[&FIXTURES],
    families: &[
        &FREQUENCY,
        &INFO,
        &CONNECTED,
        &INACTIVE,
        &RECEIVE_RATE,
        &TRANSMIT_RATE,
        &RECEIVED,
        &TRANSMITTED,
        &SIGNAL,
        &RETRIES,
        &FAILED,
        &BEACON_LOSS,
        &PACKETS_OUT,
        &PACKETS_IN,
    ],
    build: |setup| Ok(Box::new(Wifi::new(setup)?)),
};

struct Wifi {
    fixtures: Option<PathBuf>,
    kernel: Wireless,
}

/// A named interface and what it knows.
struct Interface {
    name: DeviceName,
    /// In megahertz.
    frequency: Option<f64>,
    network: Option<Network>,
    stations: Vec<Station>,
}

impl Collector for Wifi {
    fn collect(&mut self, out: &mut Exposition) -> Result<(), CollectError> {
        let interfaces = match &self.fixtures {
            Some(folder) => from_files(folder)?,
            None => self.ask_kernel().map_err(|source| match source.kind() {
                io::ErrorKind::NotFound => {
                    CollectError::NoData("the kernel has no wireless interfaces (nl80211)")
                }
                io::ErrorKind::PermissionDenied => CollectError::NoData("nl80211 may not be asked"),
                _ => CollectError::Call { call: "nl80211", source },
            })?,
        };
        write(&interfaces, out);
        write_stations(&interfaces, out);
        Ok(())
    }
}

impl Wifi {
    fn new(setup: &Setup) -> Result<Self, FlagError> {
        let fixtures = setup.flags.get(&FIXTURES)?;
        let fixtures = (!fixtures.is_empty()).then(|| fixtures.into());
        Ok(Self { fixtures, kernel: Wireless::default() })
    }

    /// An interface that is gone by now, or whose driver tells nothing of networks or stations, has none.
    fn ask_kernel(&mut self) -> io::Result<Vec<Interface>> {
        let mut interfaces = Vec::new();
        for found in self.kernel.interfaces()?.iter().filter(|found| !found.name.is_empty()) {
            interfaces.push(Interface {
                name: found.name,
                frequency: found.frequency.map(f64::from),
                network: self.kernel.network(found.index).unwrap_or_default(),
                stations: self.kernel.stations(found.index).unwrap_or_default(),
            });
        }
        Ok(interfaces)
    }
}

/// The peer's test data, with its zeroes: `interfaces.json`, and `bss.json` and `stationinfo.json` in each one's folder.
fn from_files(folder: &Path) -> Result<Vec<Interface>, CollectError> {
    let mut interfaces = Vec::new();
    for found in Json::read(&folder.join("interfaces.json"))?.items() {
        let Some(name) = found.text("name") else { continue };
        let stations = optional(Json::read(&folder.join(name).join("stationinfo.json")))?;
        interfaces.push(Interface {
            name: DeviceName::new(name.as_bytes()),
            frequency: Some(found.number("frequency").unwrap_or_default()),
            network: optional(Json::read(&folder.join(name).join("bss.json")))?
                .map(|bss| network(&bss)),
            stations: stations.iter().flat_map(Json::items).map(station).collect(),
        });
    }
    Ok(interfaces)
}

fn optional(read: Result<Json, CollectError>) -> Result<Option<Json>, CollectError> {
    match read {
        Err(error) if error.is_no_data() => Ok(None),
        read => read.map(Some),
    }
}

fn network(bss: &Json) -> Network {
    Network {
        bssid: bytes(bss, "bssid"),
        ssid: bss.text("ssid").unwrap_or_default().into(),
        status: u32::try_from(whole(bss, "status")).unwrap_or(u32::MAX),
    }
}

fn station(info: &Json) -> Station {
    let number = |name| Some(whole(info, name));
    // Go writes durations in nanoseconds.
    let seconds = |name| Some(info.number(name).unwrap_or_default() / 1e9);
    Station {
        address: bytes(info, "hardwareaddr"),
        connected_seconds: seconds("connected"),
        inactive_seconds: seconds("inactive"),
        receive_bits_per_second: Some(info.number("receivebitrate").unwrap_or_default()),
        transmit_bits_per_second: Some(info.number("transmitbitrate").unwrap_or_default()),
        receive_bytes: number("receivedbytes"),
        transmit_bytes: number("transmittedbytes"),
        #[expect(clippy::cast_possible_truncation, reason = "test data")]
        signal_dbm: Some(info.number("signal").unwrap_or_default() as i64),
        transmit_retries: number("transmitretries"),
        transmit_failed: number("transmitfailed"),
        beacon_loss: number("beaconloss"),
        transmitted_packets: number("transmittedpackets"),
        received_packets: number("receivedpackets"),
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "test data")]
fn whole(json: &Json, name: &str) -> u64 {
    json.number(name).unwrap_or_default() as u64
}

/// Go writes bytes as base64.
fn bytes(json: &Json, name: &str) -> Vec<u8> {
    json.text(name).and_then(exporter_toolkit::base64::decode).unwrap_or_default()
}

fn write(interfaces: &[Interface], out: &mut Exposition) {
    let mut frequency = out.family(&FREQUENCY);
    for interface in interfaces {
        frequency.maybe(interface.name, interface.frequency.map(|megahertz| megahertz * 1e6));
    }
    let mut info = out.family(&INFO);
    for Interface { name, network, .. } in interfaces {
        let Some(Network { bssid, ssid, status }) = network else { continue };
        let mode = match status {
            0 | 1 => "client",
            2 => "ad-hoc",
            _ => "unknown",
        };
        info.sample((name, address(bssid), ssid, mode), 1_u8);
    }
}

fn write_stations(interfaces: &[Interface], out: &mut Exposition) {
    let each = || {
        interfaces.iter().flat_map(|Interface { name, stations, .. }| {
            stations.iter().map(move |station| (name, address(&station.address), station))
        })
    };
    macro_rules! families {
        ($($family:ident = $field:ident)*) => {$({
            let mut samples = out.family(&$family);
            for (device, address, station) in each() {
                samples.maybe((device, address), station.$field);
            }
        })*};
    }
    families! {
        CONNECTED = connected_seconds
        INACTIVE = inactive_seconds
        RECEIVE_RATE = receive_bits_per_second
        TRANSMIT_RATE = transmit_bits_per_second
        RECEIVED = receive_bytes
        TRANSMITTED = transmit_bytes
        SIGNAL = signal_dbm
        RETRIES = transmit_retries
        FAILED = transmit_failed
        BEACON_LOSS = beacon_loss
        PACKETS_OUT = transmitted_packets
        PACKETS_IN = received_packets
    }
}

/// `02:fc:00:00:00:01`.
fn address(bytes: &[u8]) -> String {
    let digits: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    digits.join(":")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collector::testing::{collect, tree};

    #[test]
    fn a_host_without_wireless_interfaces_has_no_data_or_none_of_them() {
        let (samples, result) = collect(&SPEC, tree(&[]).path(), &[]);
        match result {
            Ok(()) => assert!(samples.iter().all(|line| line.contains("{device=")), "{samples:?}"),
            Err(error) => assert!(error.is_no_data(), "{error}"),
        }
    }

    #[test]
    fn an_interface_without_a_network_still_has_its_frequency() {
        let folder = tree(&[
            ("wifi/interfaces.json", "[{\"name\": \"ap0\", \"frequency\": 5180}, {\"type\": 10}]"),
            (
                "wifi/ap0/bss.json",
                "{\"ssid\": \"Caf\\u00e9\", \"bssid\": \"AgAAAAAB\", \"status\": 2}",
            ),
        ]);
        let fixtures = folder.path().join("wifi").display().to_string();
        let flags = [("collector.wifi.fixtures", fixtures.as_str())];
        let (samples, result) = collect(&SPEC, folder.path(), &flags);
        result.unwrap();
        assert_eq!(
            samples,
            [
                "node_wifi_interface_frequency_hertz{device=\"ap0\"} 5.18e+09",
                "node_wifi_station_info{device=\"ap0\",bssid=\"02:00:00:00:00:01\",ssid=\"Café\",mode=\"ad-hoc\"} 1",
            ]
        );
    }
}
