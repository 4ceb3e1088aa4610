//! `node_edac_*`: memory errors that the hardware corrected or could not, from `/sys/devices/system/edac/mc`
//! (kernel: Documentation/admin-guide/RAS).

use std::path::PathBuf;

use exporter_toolkit::Exposition;
use exporter_toolkit::family::CounterMark;

use super::sysclass::{Column, Folder, Row, Scale, families, number, read_columns, text, write};
use super::{CollectError, Collector, Spec};

const CE: &str = "ce_count";
const UE: &str = "ue_count";

static CONTROLLER: [Column<CounterMark, 1>; 2] = [
    Column::new(
        CE,
        Scale::One,
        "node_edac_correctable_errors_total",
        ["controller"],
        "Memory errors behind this controller that the hardware corrected.",
    ),
    Column::new(
        UE,
        Scale::One,
        "node_edac_uncorrectable_errors_total",
        ["controller"],
        "Memory errors behind this controller that could not be corrected.",
    ),
];
static CSROW: [Column<CounterMark, 2>; 2] = [
    Column::new(
        CE,
        Scale::One,
        "node_edac_csrow_correctable_errors_total",
        ["controller", "csrow"],
        "Corrected memory errors of this chip-select row; unknown where no row could be blamed.",
    ),
    Column::new(
        UE,
        Scale::One,
        "node_edac_csrow_uncorrectable_errors_total",
        ["controller", "csrow"],
        "Uncorrected memory errors of this chip-select row; unknown where no row could be blamed.",
    ),
];
static CHANNEL: [Column<CounterMark, 4>; 2] = [
    Column::new(
        CE,
        Scale::One,
        "node_edac_channel_correctable_errors_total",
        ["controller", "csrow", "channel", "dimm_label"],
        "Corrected memory errors of this channel, which mostly is one memory module.",
    ),
    Column::new(
        UE,
        Scale::One,
        "node_edac_channel_uncorrectable_errors_total",
        ["controller", "csrow", "channel", "dimm_label"],
        "Uncorrected memory errors of this channel, which mostly is one memory module.",
    ),
];

pub static SPEC: Spec = Spec {
    name: "edac",
    enabled: true,
    about: "Memory errors, from /sys/devices/system/edac.",
    flags: &[],
    families: &families::<_, 1, 6>(
        &families::<_, 2, 4>(&families::<_, 4, 2>(&[], &CHANNEL), &CSROW),
        &CONTROLLER,
    ),
    build: |setup| Ok(Box::new(Edac { controllers: setup.host.sys("devices/system/edac/mc") })),
};

struct Edac {
    controllers: PathBuf,
}

#[derive(Default)]
struct Errors {
    controllers: Vec<Row<1, 2>>,
    csrows: Vec<Row<2, 2>>,
    channels: Vec<Row<4, 2>>,
}

impl Collector for Edac {
    fn collect(&mut self, out: &mut Exposition) -> Result<(), CollectError> {
        let folder = match Folder::open(&self.controllers) {
            // As the peer has it: a machine without error correction has no errors, which is a success.
            Err(error) if error.is_no_data() => return Ok(()),
            other => other?,
        };
        let mut errors = Errors::default();
        for name in folder.names() {
            if let (Some(number), Some(controller)) = (numbered(&name, "mc"), folder.below(&name)) {
                errors.controller(number, &controller);
            }
        }
        write(out, &CONTROLLER, &errors.controllers);
        write(out, &CSROW, &errors.csrows);
        write(out, &CHANNEL, &errors.channels);
        Ok(())
    }
}

impl Errors {
    fn controller(&mut self, controller: &str, folder: &Folder) {
        let labels = [controller.to_owned()];
        self.controllers.push(Row { labels, values: read_columns(folder, &CONTROLLER) });
        let values = ["ce_noinfo_count", "ue_noinfo_count"].map(|file| folder.number(file));
        self.csrows.push(Row { labels: [controller.to_owned(), "unknown".to_owned()], values });
        for name in folder.names() {
            if let (Some(csrow), Some(row)) = (numbered(&name, "csrow"), folder.below(&name)) {
                let labels = [controller.to_owned(), csrow.to_owned()];
                self.csrows.push(Row { labels, values: read_columns(&row, &CSROW) });
                self.channels(controller, csrow, &row);
            }
        }
    }

    fn channels(&mut self, controller: &str, csrow: &str, folder: &Folder) {
        for file in folder.names() {
            let channel = file.strip_suffix("_ce_count").and_then(|name| numbered(name, "ch"));
            let Some(channel) = channel else { continue };
            let label = folder.read(&format!("ch{channel}_dimm_label"), |b| Some(dimm_label(b)));
            let label = label.unwrap_or_else(|| "unknown".to_owned());
            let uncorrected = folder.number(&format!("ch{channel}_ue_count"));
            self.channels.push(Row {
                labels: [controller.to_owned(), csrow.to_owned(), channel.to_owned(), label],
                values: [folder.read(&file, number), uncorrected],
            });
        }
    }
}

/// The digits after the prefix, where nothing else follows.
fn numbered<'a>(name: &'a str, prefix: &str) -> Option<&'a str> {
    let digits = name.strip_prefix(prefix)?;
    (!digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())).then_some(digits)
}

/// The kernel's default `mc#0csrow#1channel#0` becomes `mc0_csrow1_channel0`.
fn dimm_label(bytes: &[u8]) -> String {
    text(bytes).replace('#', "").replace("csrow", "_csrow").replace("channel", "_channel")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collector::testing::{collect, tree};

    #[test]
    fn a_label_of_the_board_maker_loses_its_number_signs_only() {
        assert_eq!(dimm_label(b"mc#0csrow#1channel#0\n"), "mc0_csrow1_channel0");
        assert_eq!(dimm_label(b"CPU_SrcID#0_Ha#0_Chan#1_DIMM#0\n"), "CPU_SrcID0_Ha0_Chan1_DIMM0");
    }

    #[test]
    fn a_machine_without_error_correction_is_a_success_without_samples() {
        let (lines, result) = collect(&SPEC, tree(&[]).path(), &[]);
        assert!(lines.is_empty() && result.is_ok());
    }

    #[test]
    fn a_count_that_cannot_be_read_does_not_hide_the_others() {
        let folder = tree(&[
            ("sys/devices/system/edac/mc/mc0/ue_count", "5\n"),
            ("sys/devices/system/edac/mc/mc0/csrow2/ch1_ce_count", "3\n"),
            ("sys/devices/system/edac/mc/mc0/csrow2/ch1_x_ce_count", "4\n"),
            ("sys/devices/system/edac/mc/power/control", "auto\n"),
        ]);
        let (lines, result) = collect(&SPEC, folder.path(), &[]);
        result.unwrap();
        assert_eq!(
            lines,
            [
                "node_edac_uncorrectable_errors_total{controller=\"0\"} 5",
                "node_edac_channel_correctable_errors_total{controller=\"0\",csrow=\"2\",channel=\"1\",dimm_label=\"unknown\"} 3",
            ]
        );
    }
}
