//! The link modes that an interface can have and that it offers to its partner (`enum ethtool_link_mode_bit_indices` of
//! `linux/ethtool.h`).

use exporter_toolkit::{Exposition, Gauge};

use super::Device;

const SPEED: [&str; 3] = ["device", "duplex", "mode"];
pub(super) static SUPPORTED_SPEED: Gauge<3> = Gauge::new(
    "node_network_supported_speed_bytes",
    "Bytes per second of a link mode that the interface can have.",
    SPEED,
);
pub(super) static ADVERTISED_SPEED: Gauge<3> = Gauge::new(
    "node_network_advertised_speed_bytes",
    "Bytes per second of a link mode that the interface offers.",
    SPEED,
);
pub(super) static SUPPORTED_PORT: Gauge<2> = Gauge::new(
    "node_network_supported_port_info",
    "Always 1: a kind of port that the interface can have.",
    ["device", "type"],
);
pub(super) static SUPPORTED_AUTONEGOTIATE: Gauge<1> = Gauge::new(
    "node_network_autonegotiate_supported",
    "1 where the interface can negotiate its link mode.",
    ["device"],
);
pub(super) static ADVERTISED_AUTONEGOTIATE: Gauge<1> = Gauge::new(
    "node_network_autonegotiate_advertised",
    "1 where the interface offers to negotiate its link mode.",
    ["device"],
);
pub(super) static SUPPORTED_PAUSE: Gauge<1> = Gauge::new(
    "node_network_pause_supported",
    "1 where the interface can be told to pause.",
    ["device"],
);
pub(super) static ADVERTISED_PAUSE: Gauge<1> = Gauge::new(
    "node_network_pause_advertised",
    "1 where the interface offers to be told to pause.",
    ["device"],
);
pub(super) static SUPPORTED_ASYMMETRIC_PAUSE: Gauge<1> = Gauge::new(
    "node_network_asymmetricpause_supported",
    "1 where the interface can pause in one direction only.",
    ["device"],
);
pub(super) static ADVERTISED_ASYMMETRIC_PAUSE: Gauge<1> = Gauge::new(
    "node_network_asymmetricpause_advertised",
    "1 where the interface offers to pause in one direction only.",
    ["device"],
);
pub(super) static AUTONEGOTIATE: Gauge<1> = Gauge::new(
    "node_network_autonegotiate",
    "1 where the interface's link mode is negotiated.",
    ["device"],
);

/// Of the 32 modes that `ETHTOOL_GSET` can tell, those that the peer knows: bit, megabits per second, duplex, mode.
const SPEEDS: [(u32, u32, &str, &str); 22] = [
    (0, 10, "half", "10baseT"),
    (1, 10, "full", "10baseT"),
    (2, 100, "half", "100baseT"),
    (3, 100, "full", "100baseT"),
    (4, 1000, "half", "1000baseT"),
    (5, 1000, "full", "1000baseT"),
    (12, 10_000, "full", "10000baseT"),
    (17, 1000, "full", "1000baseKX"),
    (18, 10_000, "full", "10000baseKX4"),
    (19, 10_000, "full", "10000baseKR"),
    (20, 10_000, "full", "10000baseR_FEC"),
    (21, 20_000, "full", "20000baseMLD2"),
    (22, 20_000, "full", "20000baseKR2"),
    (23, 40_000, "full", "40000baseKR4"),
    (24, 40_000, "full", "40000baseCR4"),
    (25, 40_000, "full", "40000baseSR4"),
    (26, 40_000, "full", "40000baseLR4"),
    (27, 56_000, "full", "56000baseKR4"),
    (28, 56_000, "full", "56000baseCR4"),
    (29, 56_000, "full", "56000baseSR4"),
    (30, 56_000, "full", "56000baseLR4"),
    (31, 25_000, "full", "25000baseCR"),
];
const PORTS: [(u32, &str); 6] =
    [(7, "TP"), (8, "AUI"), (9, "MII"), (10, "FIBRE"), (11, "BNC"), (16, "Backplane")];
const AUTONEG_BIT: u32 = 6;
const PAUSE_BIT: u32 = 13;
const ASYMMETRIC_PAUSE_BIT: u32 = 14;

/// Which of two masks a family is about.
type Mask = fn(&super::Settings) -> u32;

/// A family of one bit, or of one number.
type Flag = (&'static Gauge<1>, fn(&super::Settings) -> bool);

const fn has(mask: u32, bit: u32) -> bool {
    mask >> bit & 1 == 1
}

pub(super) fn write(devices: &[Device], out: &mut Exposition) {
    let known = || devices.iter().filter_map(|device| Some((&device.name, device.settings?)));
    let speeds: [(&'static Gauge<3>, Mask); 2] =
        [(&SUPPORTED_SPEED, |it| it.supported), (&ADVERTISED_SPEED, |it| it.advertised)];
    for (family, mask) in speeds {
        let mut samples = out.family(family);
        for (device, settings) in known() {
            for (_, megabits, duplex, mode) in
                SPEEDS.iter().filter(|(bit, ..)| has(mask(&settings), *bit))
            {
                samples.sample((device, *duplex, *mode), f64::from(*megabits) * 125_000.0);
            }
        }
    }
    let mut ports = out.family(&SUPPORTED_PORT);
    for (device, settings) in known() {
        for (_, port) in PORTS.iter().filter(|(bit, _)| has(settings.supported, *bit)) {
            ports.sample((device, *port), 1_u8);
        }
    }
    let flags: [Flag; 7] = [
        (&SUPPORTED_AUTONEGOTIATE, |it| has(it.supported, AUTONEG_BIT)),
        (&SUPPORTED_PAUSE, |it| has(it.supported, PAUSE_BIT)),
        (&SUPPORTED_ASYMMETRIC_PAUSE, |it| has(it.supported, ASYMMETRIC_PAUSE_BIT)),
        (&ADVERTISED_AUTONEGOTIATE, |it| has(it.advertised, AUTONEG_BIT)),
        (&ADVERTISED_PAUSE, |it| has(it.advertised, PAUSE_BIT)),
        (&ADVERTISED_ASYMMETRIC_PAUSE, |it| has(it.advertised, ASYMMETRIC_PAUSE_BIT)),
        (&AUTONEGOTIATE, |it| it.autonegotiate),
    ];
    for (family, is_set) in flags {
        let mut samples = out.family(family);
        for (device, settings) in known() {
            samples.sample(device, is_set(&settings));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Settings;
    use super::*;

    #[test]
    fn each_bit_has_its_speed_its_port_or_its_word() {
        let settings = Settings {
            supported: 1 << 5 | 1 << 0 | 1 << 6 | 1 << 7 | 1 << 13 | 1 << 15 | 1 << 31,
            advertised: 1 << 14,
            autonegotiate: true,
        };
        let device = Device { name: "e".into(), settings: Some(settings), ..Device::default() };
        let mut out = Exposition::default();
        write(&[device, Device::default()], &mut out);
        let text = String::from_utf8(out.text().to_vec()).unwrap();
        let lines: Vec<_> =
            text.lines().filter_map(|line| line.strip_prefix("node_network_")).collect();
        assert_eq!(
            lines,
            [
                "supported_speed_bytes{device=\"e\",duplex=\"half\",mode=\"10baseT\"} 1.25e+06",
                "supported_speed_bytes{device=\"e\",duplex=\"full\",mode=\"1000baseT\"} 1.25e+08",
                "supported_speed_bytes{device=\"e\",duplex=\"full\",mode=\"25000baseCR\"} 3.125e+09",
                "supported_port_info{device=\"e\",type=\"TP\"} 1",
                "autonegotiate_supported{device=\"e\"} 1",
                "pause_supported{device=\"e\"} 1",
                "asymmetricpause_supported{device=\"e\"} 0",
                "autonegotiate_advertised{device=\"e\"} 0",
                "pause_advertised{device=\"e\"} 0",
                "asymmetricpause_advertised{device=\"e\"} 1",
                "autonegotiate{device=\"e\"} 1",
            ]
        );
    }
}
