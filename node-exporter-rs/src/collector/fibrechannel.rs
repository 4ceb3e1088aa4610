//! `node_fibrechannel_*`: Fibre Channel host adapters, from `/sys/class/fc_host` (kernel: `drivers/scsi/scsi_transport_fc.c`).

use std::path::PathBuf;

use exporter_toolkit::family::CounterMark;
use exporter_toolkit::{Exposition, Gauge};

use super::sysclass::{Column, Folder, Row, Scale, families, read_listed, write};
use super::{CollectError, Collector, Spec};

static INFO: Gauge<11> = Gauge::new(
    "node_fibrechannel_info",
    "Always 1: addresses, speed, state and abilities of the adapter's port.",
    [
        "fc_host",
        "speed",
        "port_state",
        "port_type",
        "port_id",
        "port_name",
        "fabric_name",
        "symbolic_name",
        "supported_classes",
        "supported_speeds",
        "dev_loss_tmo",
    ],
);

macro_rules! columns {
    ($($file:literal $suffix:literal $help:literal)*) => {
        [$(Column::new($file, Scale::One, concat!("node_fibrechannel_", $suffix), ["fc_host"], $help)),*]
    };
}

#[rustfmt::skip]
static STATISTICS: [Column<CounterMark, 1>; 14] = columns! {
    "dumped_frames" "dumped_frames_total" "Frames lost for want of room in the host."
    "error_frames" "error_frames_total" "Frames with an error."
    "fcp_packet_aborts" "fcp_packet_aborts_total" "SCSI commands over Fibre Channel that were aborted."
    "invalid_crc_count" "invalid_crc_total" "Frames whose checksum was wrong."
    "invalid_tx_word_count" "invalid_tx_words_total" "Words that broke the rules of the transmission code."
    "link_failure_count" "link_failure_total" "Times that the port's link failed."
    "loss_of_signal_count" "loss_of_signal_total" "Times that the signal was lost."
    "loss_of_sync_count" "loss_of_sync_total" "Times that bits or words fell out of step."
    "nos_count" "nos_total" "Times that the other side said that it does not operate."
    "rx_frames" "rx_frames_total" "Frames that the port received."
    "rx_words" "rx_words_total" "Words that the port received."
    "seconds_since_last_reset" "seconds_since_last_reset_total" "Seconds since these statistics were last reset."
    "tx_frames" "tx_frames_total" "Frames that the port sent."
    "tx_words" "tx_words_total" "Words that the port sent."
};

pub static SPEC: Spec = Spec {
    name: "fibrechannel",
    enabled: true,
    about: "Fibre Channel adapters, from /sys/class/fc_host.",
    flags: &[],
    families: &families::<_, 1, 15>(&[&INFO], &STATISTICS),
    build: |setup| Ok(Box::new(Fibrechannel { class: setup.host.sys("class/fc_host") })),
};

struct Fibrechannel {
    class: PathBuf,
}

impl Collector for Fibrechannel {
    fn collect(&mut self, out: &mut Exposition) -> Result<(), CollectError> {
        let class = Folder::open(&self.class)?;
        let (mut infos, mut rows) = (Vec::new(), Vec::new());
        for name in class.names() {
            let Some(host) = class.below(&name) else { continue };
            infos.push(info(name.clone(), &host));
            if let Some(statistics) = host.below("statistics") {
                let values = read_listed(&statistics, &STATISTICS)
                    .map(|value| value.filter(|value| known(*value)));
                rows.push(Row { labels: [name], values });
            }
        }
        let mut samples = out.family(&INFO);
        for labels in &infos {
            samples.sample(labels, 1_u8);
        }
        write(out, &STATISTICS, &rows);
        Ok(())
    }
}

/// An adapter that does not count something says so with all 64 bits set.
#[expect(clippy::cast_precision_loss, reason = "compared with a value converted in the same way")]
fn known(value: f64) -> bool {
    value < u64::MAX as f64
}

fn info(name: String, host: &Folder) -> [String; 11] {
    let text = |file| host.text(file).unwrap_or_default();
    let address = |file| bare(text(file));
    [
        name,
        text("speed"),
        text("port_state"),
        text("port_type"),
        address("port_id"),
        address("port_name"),
        address("fabric_name"),
        text("symbolic_name"),
        text("supported_classes"),
        text("supported_speeds"),
        text("dev_loss_tmo"),
    ]
}

/// An address without its `0x`.
fn bare(address: String) -> String {
    match address.strip_prefix("0x") {
        Some(digits) if !digits.is_empty() => digits.to_owned(),
        _ => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collector::testing::{collect, tree};

    #[test]
    fn what_an_adapter_does_not_count_is_missing() {
        let folder = tree(&[
            ("sys/class/fc_host/host3/port_id", "0x0a1b2c\n"),
            ("sys/class/fc_host/host3/port_state", "Online\n"),
            ("sys/class/fc_host/host3/statistics/rx_frames", "0x10\n"),
            ("sys/class/fc_host/host3/statistics/tx_frames", "0xffffffffffffffff\n"),
            ("sys/class/fc_host/host3/statistics/nos_count", "\n"),
        ]);
        let (lines, result) = collect(&SPEC, folder.path(), &[]);
        result.unwrap();
        assert_eq!(lines.len(), 2, "{lines:?}");
        assert!(lines[0].contains("port_id=\"0a1b2c\""), "{lines:?}");
        assert_eq!(lines[1], "node_fibrechannel_rx_frames_total{fc_host=\"host3\"} 16");
    }

    #[test]
    fn a_port_that_is_off_has_no_statistics() {
        let folder = tree(&[("sys/class/fc_host/host4/port_state", "Unknown\n")]);
        let (lines, result) = collect(&SPEC, folder.path(), &[]);
        result.unwrap();
        assert_eq!(lines.len(), 1);
    }

    #[test]
    fn a_host_without_adapters_has_no_data() {
        assert!(collect(&SPEC, tree(&[]).path(), &[]).1.unwrap_err().is_no_data());
    }
}
