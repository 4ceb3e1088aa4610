//! `node_dmi_info`: what the firmware says of the machine, from `/sys/class/dmi/id`. It cannot change while the machine
//! runs, so it is read once, when the collector is built.

use exporter_toolkit::name::{LabelName, MetricName};
use exporter_toolkit::{Exposition, Kind};

use super::sysclass::Folder;
use super::{CollectError, Collector, Spec};
use crate::host::Host;

const NAME: &str = "node_dmi_info";
const HELP: &str = "Always 1: makers, models, versions and serial numbers of machine, board, case and firmware, as far as the firmware names them and the process may read them.";

/// Labels and their files, in the order of the labels.
static FIELDS: [(LabelName, &str); 20] = [
    (LabelName::fixed("bios_date"), "bios_date"),
    (LabelName::fixed("bios_release"), "bios_release"),
    (LabelName::fixed("bios_vendor"), "bios_vendor"),
    (LabelName::fixed("bios_version"), "bios_version"),
    (LabelName::fixed("board_asset_tag"), "board_asset_tag"),
    (LabelName::fixed("board_name"), "board_name"),
    (LabelName::fixed("board_serial"), "board_serial"),
    (LabelName::fixed("board_vendor"), "board_vendor"),
    (LabelName::fixed("board_version"), "board_version"),
    (LabelName::fixed("chassis_asset_tag"), "chassis_asset_tag"),
    (LabelName::fixed("chassis_serial"), "chassis_serial"),
    (LabelName::fixed("chassis_vendor"), "chassis_vendor"),
    (LabelName::fixed("chassis_version"), "chassis_version"),
    (LabelName::fixed("product_family"), "product_family"),
    (LabelName::fixed("product_name"), "product_name"),
    (LabelName::fixed("product_serial"), "product_serial"),
    (LabelName::fixed("product_sku"), "product_sku"),
    (LabelName::fixed("product_uuid"), "product_uuid"),
    (LabelName::fixed("product_version"), "product_version"),
    (LabelName::fixed("system_vendor"), "sys_vendor"),
];

pub static SPEC: Spec = Spec {
    name: "dmi",
    enabled: true,
    about: "Makers, models and serial numbers of the machine, from /sys/class/dmi/id.",
    flags: &[],
    families: &[],
    build: |setup| {
        Ok(Box::new(Dmi { name: MetricName::sanitize(&[NAME]), fields: read(&setup.host) }))
    },
};

struct Dmi {
    name: MetricName,
    fields: Vec<(&'static LabelName, String)>,
}

impl Collector for Dmi {
    fn collect(&mut self, out: &mut Exposition) -> Result<(), CollectError> {
        if self.fields.is_empty() {
            return Err(CollectError::NoData("the firmware of this machine has no DMI tables"));
        }
        let labels = self.fields.iter().map(|(name, value)| (*name, value));
        out.dynamic(&self.name, Kind::Gauge, HELP).sample(labels, 1_u8);
        Ok(())
    }
}

/// The fields that can be read: the kernel shows serial numbers to root only.
fn read(host: &Host) -> Vec<(&'static LabelName, String)> {
    let Ok(folder) = Folder::open(&host.sys("class/dmi/id")) else { return Vec::new() };
    FIELDS.iter().filter_map(|(label, file)| Some((label, folder.text(file)?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collector::testing::{collect, tree};

    #[test]
    fn a_field_that_is_missing_is_a_missing_label() {
        let folder = tree(&[
            ("sys/class/dmi/id/sys_vendor", "ACME\n"),
            ("sys/class/dmi/id/bios_version", " \n"),
            ("sys/class/dmi/id/modalias", "dmi:x\n"),
        ]);
        let (lines, result) = collect(&SPEC, folder.path(), &[]);
        result.unwrap();
        assert_eq!(lines, ["node_dmi_info{bios_version=\"\",system_vendor=\"ACME\"} 1"]);
    }

    #[test]
    fn a_machine_without_dmi_has_no_data() {
        assert!(collect(&SPEC, tree(&[]).path(), &[]).1.unwrap_err().is_no_data());
    }
}
