//! `node_edac_*`: memory errors that the hardware corrected or could not, from `/sys/devices/system/edac/mc`
//! (kernel: Documentation/admin-guide/RAS). There are hundreds of counts on large machines, so their files stay open.

use std::hash::{DefaultHasher, Hasher};
use std::path::{Path, PathBuf};

use exporter_toolkit::Exposition;
use exporter_toolkit::family::CounterMark;

use super::sysclass::{Attribute, Column, Folder, KeptRow, Scale, families, text, write_kept};
use super::{CollectError, Collector, Spec};
use crate::host::Host;

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
    build: |setup| {
        Ok(Box::new(Edac {
            host: setup.host.clone(),
            folder: setup.host.sys("devices/system/edac/mc"),
            fingerprint: None,
            counts: Counts::default(),
        }))
    },
};

struct Edac {
    host: Host,
    folder: PathBuf,
    fingerprint: Option<u64>,
    counts: Counts,
}

/// The files that count errors, with the labels of their series.
#[derive(Default)]
struct Counts {
    controllers: Vec<KeptRow<1, 2>>,
    csrows: Vec<KeptRow<2, 2>>,
    channels: Vec<KeptRow<4, 2>>,
    /// The file of each channel's label, which may be set while the machine runs.
    dimm_labels: Vec<Attribute>,
}

impl Collector for Edac {
    fn collect(&mut self, out: &mut Exposition) -> Result<(), CollectError> {
        let folder = match Folder::open(&self.folder) {
            // As the peer has it: a machine without error correction has no errors, which is a success.
            Err(error) if error.is_no_data() => return Ok(()),
            other => other?,
        };
        let now = Some(fingerprint(&folder));
        if self.fingerprint != now {
            self.counts = self.list(&folder);
            self.fingerprint = now;
        }
        let counts = &mut self.counts;
        write_kept(out, &CONTROLLER, &mut counts.controllers);
        write_kept(out, &CSROW, &mut counts.csrows);
        for (row, label) in counts.channels.iter_mut().zip(&mut counts.dimm_labels) {
            row.labels[3] = label.read(dimm_label).unwrap_or_else(|_| "unknown".to_owned());
        }
        write_kept(out, &CHANNEL, &mut counts.channels);
        Ok(())
    }
}

/// What the controllers and their rows list.
fn fingerprint(folder: &Folder) -> u64 {
    let mut hasher = DefaultHasher::new();
    folder.fingerprint(&mut hasher);
    folder.each(|entry| {
        let controller = numbered(entry.name, "mc").and_then(|_| folder.below(entry.name));
        let Some(controller) = controller else { return };
        controller.fingerprint(&mut hasher);
        controller.each(|entry| {
            if let Some(row) =
                numbered(entry.name, "csrow").and_then(|_| controller.below(entry.name))
            {
                row.fingerprint(&mut hasher);
            }
        });
    });
    hasher.finish()
}

impl Edac {
    fn list(&self, folder: &Folder) -> Counts {
        let mut counts = Counts::default();
        for name in folder.names() {
            if let (Some(number), Some(controller)) = (numbered(&name, "mc"), folder.below(&name)) {
                self.controller(number, &controller, &self.folder.join(&name), &mut counts);
            }
        }
        counts
    }

    fn controller(&self, number: &str, folder: &Folder, path: &Path, counts: &mut Counts) {
        let files =
            |files: [&str; 2]| files.map(|file| Attribute::new(&self.host, path.join(file)));
        let number = number.to_owned();
        counts.controllers.push(KeptRow { labels: [number.clone()], values: files([CE, UE]) });
        let values = files(["ce_noinfo_count", "ue_noinfo_count"]);
        counts.csrows.push(KeptRow { labels: [number.clone(), "unknown".to_owned()], values });
        for name in folder.names() {
            if let (Some(csrow), Some(row)) = (numbered(&name, "csrow"), folder.below(&name)) {
                let labels = [number.clone(), csrow.to_owned()];
                self.csrow(labels, &row, &path.join(&name), counts);
            }
        }
    }

    fn csrow(&self, labels: [String; 2], folder: &Folder, path: &Path, counts: &mut Counts) {
        let file = |file: &str| Attribute::new(&self.host, path.join(file));
        for name in folder.names() {
            let channel = name.strip_suffix("_ce_count").and_then(|name| numbered(name, "ch"));
            let Some(channel) = channel else { continue };
            let [controller, csrow] = labels.clone();
            let labels = [controller, csrow, channel.to_owned(), String::new()];
            let values = [file(&name), file(&format!("ch{channel}_ue_count"))];
            counts.channels.push(KeptRow { labels, values });
            counts.dimm_labels.push(file(&format!("ch{channel}_dimm_label")));
        }
        counts.csrows.push(KeptRow { labels, values: [file(CE), file(UE)] });
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
