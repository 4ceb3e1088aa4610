//! `node_infiniband_*`: InfiniBand and RDMA adapters and their ports, from `/sys/class/infiniband`
//! (kernel: Documentation/ABI/stable/sysfs-class-infiniband).

mod tables;

use std::path::PathBuf;

use exporter_toolkit::{Exposition, Gauge};

use super::sysclass::{Folder, Row, families, integer, number, read_listed, text, write};
use super::{CollectError, Collector, Spec};
use crate::filter::{Filter, PatternFlag};
use crate::flags::Flag;
use tables::{COUNTERS, HARDWARE, LEGACY};

static INFO: Gauge<4> = Gauge::new(
    "node_infiniband_info",
    "Always 1: board, firmware and type of the adapter.",
    ["device", "board_id", "firmware_version", "hca_type"],
);
static STATE: Gauge<2> = Gauge::new(
    "node_infiniband_state_id",
    "State of the port: 1 down, 2 initializing, 3 armed, 4 active, 5 active but deferred, 0 no change.",
    ["device", "port"],
);
static PHYSICAL: Gauge<2> = Gauge::new(
    "node_infiniband_physical_state_id",
    "State of the port's link: 1 sleep, 2 polling, 3 disabled, 4 training, 5 up, 6 recovering, 7 test, 0 no change.",
    ["device", "port"],
);
static RATE: Gauge<2> = Gauge::new(
    "node_infiniband_rate_bytes_per_second",
    "Speed of the port's link in bytes per second.",
    ["device", "port"],
);
static LIFESPAN: Gauge<2> = Gauge::new(
    "node_infiniband_lifespan_seconds",
    "For how long the driver answers with the counters it read last.",
    ["device", "port"],
);

static INCLUDE: PatternFlag = Flag::new(
    "collector.infiniband.device-include",
    "",
    "Regular expression of InfiniBand devices to show.",
);
static EXCLUDE: PatternFlag = Flag::new(
    "collector.infiniband.device-exclude",
    "",
    "Regular expression of InfiniBand devices to leave out.",
);

pub static SPEC: Spec = Spec {
    name: "infiniband",
    enabled: true,
    about: "InfiniBand and RDMA ports, from /sys/class/infiniband.",
    flags: &[&INCLUDE, &EXCLUDE],
    families: &families::<_, 2, 64>(
        &families::<_, 2, 35>(
            &families::<_, 2, 13>(&[&INFO, &STATE, &PHYSICAL, &RATE, &LIFESPAN], &LEGACY),
            &COUNTERS,
        ),
        &HARDWARE,
    ),
    build: |setup| {
        Ok(Box::new(Infiniband {
            class: setup.host.sys("class/infiniband"),
            devices: Filter::from_both_flags(&setup.flags, &INCLUDE, &EXCLUDE)?,
        }))
    },
};

struct Infiniband {
    class: PathBuf,
    devices: Filter,
}

#[derive(Default)]
struct Found {
    infos: Vec<[String; 4]>,
    /// State, state of the link, rate, and how long the counters hold.
    ports: Vec<Row<2, 4>>,
    counters: Vec<Row<2, 22>>,
    legacy: Vec<Row<2, 8>>,
    hardware: Vec<Row<2, 29>>,
}

impl Collector for Infiniband {
    fn collect(&mut self, out: &mut Exposition) -> Result<(), CollectError> {
        let class = Folder::open(&self.class)?;
        let mut found = Found::default();
        for name in class.names().into_iter().filter(|name| !self.devices.ignores(name)) {
            if let Some(device) = class.below(&name) {
                found.device(name, &device);
            }
        }
        found.write(out);
        Ok(())
    }
}

impl Found {
    fn device(&mut self, name: String, folder: &Folder) {
        if let Some(ports) = folder.below("ports") {
            for port in ports.names() {
                let number = port.parse().is_ok_and(|number: u32| number.to_string() == port);
                if let Some(folder) = ports.below(&port).filter(|_| number) {
                    self.port([name.clone(), port], &folder);
                }
            }
        }
        let text = |file| folder.text(file).unwrap_or_default();
        let [board, firmware, kind] = ["board_id", "fw_ver", "hca_type"].map(text);
        self.infos.push([name, board, firmware, kind]);
    }

    fn port(&mut self, labels: [String; 2], folder: &Folder) {
        let hardware = folder.below("hw_counters");
        if let Some(folder) = folder.below("counters") {
            let values = read_listed(&folder, &COUNTERS);
            self.counters.push(Row { labels: labels.clone(), values });
        }
        if let Some(folder) = folder.below("counters_ext") {
            self.legacy.push(Row { labels: labels.clone(), values: read_listed(&folder, &LEGACY) });
        }
        if let Some(folder) = &hardware {
            let values = read_listed(folder, &HARDWARE);
            self.hardware.push(Row { labels: labels.clone(), values });
        }
        let values = [
            folder.read("state", state),
            folder.read("phys_state", state),
            folder.read("rate", rate),
            hardware.and_then(|folder| Some(folder.number("lifespan")? / 1000.0)),
        ];
        self.ports.push(Row { labels, values });
    }

    fn write(&self, out: &mut Exposition) {
        let mut info = out.family(&INFO);
        for labels in &self.infos {
            info.sample(labels, 1_u8);
        }
        for (i, family) in [&STATE, &PHYSICAL, &RATE, &LIFESPAN].into_iter().enumerate() {
            let mut samples = out.family(family);
            for port in &self.ports {
                samples.maybe(&port.labels, port.values[i]);
            }
        }
        write(out, &LEGACY, &self.legacy);
        write(out, &COUNTERS, &self.counters);
        write(out, &HARDWARE, &self.hardware);
    }
}

/// `4: ACTIVE` is state 4.
fn state(bytes: &[u8]) -> Option<f64> {
    let at = memchr::memchr(b':', bytes)?;
    integer(&bytes[..at]).filter(|id| *id >= 0)?;
    number(&bytes[..at])
}

/// `2.5 Gb/sec (1X SDR)` in bytes per second.
fn rate(bytes: &[u8]) -> Option<f64> {
    let text = text(bytes);
    let gigabits: f64 = text.split_once(' ')?.0.parse().ok()?;
    (gigabits.is_finite() && gigabits >= 0.0).then(|| (gigabits * 125e6).floor())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collector::testing::{collect, tree};
    use proptest::prelude::*;

    #[test]
    fn states_and_rates_are_taken_from_their_words() {
        assert_eq!(state(b"4: ACTIVE\n"), Some(4.0));
        assert_eq!(state(b"ACTIVE\n"), None);
        assert_eq!(rate(b"2.5 Gb/sec (1X SDR)\n"), Some(312_500_000.0));
        assert_eq!(rate(b"100 Gb/sec (4X EDR)\n"), Some(12.5e9));
        assert_eq!(rate(b"NaN Gb/sec\n"), None);
        assert_eq!(rate(b"\n"), None);
    }

    #[test]
    fn a_counter_without_hardware_behind_it_is_missing() {
        let port = "sys/class/infiniband/mlx5_0/ports/1";
        let folder = tree(&[
            (&format!("{port}/counters/port_rcv_data"), "25\n"),
            (&format!("{port}/counters/symbol_error"), "N/A (no PMA)\n"),
            (&format!("{port}/hw_counters/lifespan"), "10\n"),
            (&format!("{port}/hw_counters/out_of_buffer"), "3\n"),
            ("sys/class/infiniband/irdma0/fw_ver", "1.2\n"),
        ]);
        let flags = [("collector.infiniband.device-exclude", "^irdma")];
        let (lines, result) = collect(&SPEC, folder.path(), &flags);
        result.unwrap();
        assert_eq!(
            lines,
            [
                "node_infiniband_info{device=\"mlx5_0\",board_id=\"\",firmware_version=\"\",hca_type=\"\"} 1",
                "node_infiniband_lifespan_seconds{device=\"mlx5_0\",port=\"1\"} 0.01",
                "node_infiniband_port_data_received_bytes_total{device=\"mlx5_0\",port=\"1\"} 100",
                "node_infiniband_out_of_buffer_drops_total{device=\"mlx5_0\",port=\"1\"} 3",
            ]
        );
    }

    #[test]
    fn a_host_without_adapters_has_no_data() {
        assert!(collect(&SPEC, tree(&[]).path(), &[]).1.unwrap_err().is_no_data());
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>) {
            let _done = (state(&bytes), rate(&bytes), number(&bytes));
        }
    }
}
