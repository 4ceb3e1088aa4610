//! `node_drm_*`: use and memory of AMD graphics cards, from `/sys/class/drm` (Documentation/gpu/amdgpu of the kernel).

use std::path::PathBuf;

use exporter_toolkit::family::GaugeMark;
use exporter_toolkit::{Exposition, Gauge};

use super::sysclass::{self, Column, Folder, Row, Scale};
use super::{CollectError, Collector, Spec};

const CARD: [&str; 1] = ["card"];

static INFO: Gauge<5> = Gauge::new(
    "node_drm_card_info",
    "Always 1: maker of the card and of its memory, its unique id and its power level.",
    ["card", "memory_vendor", "power_performance_level", "unique_id", "vendor"],
);

const fn column(
    file: &'static str,
    family: &'static str,
    help: &'static str,
) -> Column<GaugeMark, 1> {
    Column::new(file, Scale::One, family, CARD, help)
}

static COLUMNS: [Column<GaugeMark, 1>; 7] = [
    column(
        "gpu_busy_percent",
        "node_drm_gpu_busy_percent",
        "How busy the graphics processor is, from 0 to 100.",
    ),
    column(
        "mem_info_gtt_total",
        "node_drm_memory_gtt_size_bytes",
        "Bytes of main memory that the card can address (graphics translation table).",
    ),
    column(
        "mem_info_gtt_used",
        "node_drm_memory_gtt_used_bytes",
        "Bytes of main memory that the card uses (graphics translation table).",
    ),
    column(
        "mem_info_vis_vram_total",
        "node_drm_memory_vis_vram_size_bytes",
        "Bytes of the card's memory that the processor can address.",
    ),
    column(
        "mem_info_vis_vram_used",
        "node_drm_memory_vis_vram_used_bytes",
        "Bytes in use of the card's memory that the processor can address.",
    ),
    column("mem_info_vram_total", "node_drm_memory_vram_size_bytes", "Bytes of the card's memory."),
    column(
        "mem_info_vram_used",
        "node_drm_memory_vram_used_bytes",
        "Bytes in use of the card's memory.",
    ),
];

pub static SPEC: Spec = Spec {
    name: "drm",
    enabled: false,
    about: "Use and memory of AMD graphics cards, from /sys/class/drm.",
    flags: &[],
    families: &sysclass::families::<_, 1, 8>(&[&INFO], &COLUMNS),
    build: |setup| Ok(Box::new(Drm { class: setup.host.sys("class/drm") })),
};

struct Drm {
    class: PathBuf,
}

impl Collector for Drm {
    fn collect(&mut self, out: &mut Exposition) -> Result<(), CollectError> {
        let class = match Folder::open(&self.class) {
            // A host without any card is no failure to the peer.
            Err(error) if error.is_no_data() => return Ok(()),
            class => class?,
        };
        let (mut infos, mut rows) = (Vec::new(), Vec::new());
        for card in class.names().into_iter().filter(|name| is_card(name)) {
            let device = class.below(&format!("{card}/device"));
            let Some(device) = device.filter(is_amd) else { continue };
            let text = |file| device.text(file).unwrap_or_default();
            let [memory, level, id] =
                ["mem_info_vram_vendor", "power_dpm_force_performance_level", "unique_id"]
                    .map(text);
            rows.push(Row {
                labels: [card.clone()],
                values: sysclass::read_columns(&device, &COLUMNS),
            });
            infos.push([card, memory, level, id]);
        }
        let mut info = out.family(&INFO);
        for [card, memory, level, id] in &infos {
            info.sample((card, memory, level, id, "amd"), 1_u8);
        }
        sysclass::write(out, &COLUMNS, &rows);
        Ok(())
    }
}

/// The class lists the cards' connectors too: `card0-HDMI-A-1`.
fn is_card(name: &str) -> bool {
    let digits = |rest: &str| !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_digit());
    name.strip_prefix("card").is_some_and(digits)
}

fn is_amd(device: &Folder) -> bool {
    device.text("uevent").is_some_and(|text| text.lines().any(|line| line == "DRIVER=amdgpu"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collector::testing::{collect, tree};

    #[test]
    fn what_a_card_does_not_tell_is_absent_and_other_makers_are_left_out() {
        let folder = tree(&[
            ("sys/class/drm/card0/device/uevent", "DRIVER=i915\n"),
            ("sys/class/drm/card0-DP-1/device/uevent", "DRIVER=amdgpu\n"),
            ("sys/class/drm/card11/device/uevent", "PCI_ID=1002:1638\nDRIVER=amdgpu\n"),
            ("sys/class/drm/card11/device/mem_info_vram_total", "536870912\n"),
        ]);
        let (samples, result) = collect(&SPEC, folder.path(), &[]);
        result.unwrap();
        assert_eq!(
            samples,
            [
                "node_drm_card_info{card=\"card11\",memory_vendor=\"\",power_performance_level=\"\",unique_id=\"\",vendor=\"amd\"} 1",
                "node_drm_memory_vram_size_bytes{card=\"card11\"} 5.36870912e+08",
            ]
        );
    }

    #[test]
    fn a_host_without_graphics_is_no_failure() {
        let (samples, result) = collect(&SPEC, tree(&[]).path(), &[]);
        assert!(samples.is_empty() && result.is_ok());
    }
}
