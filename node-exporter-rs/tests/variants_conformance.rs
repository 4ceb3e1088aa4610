//! The peer's expectations of single collectors under other flags than those of its end-to-end run: which labels ipvs puts
//! on backends, and names beside the ids of PCI devices.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test, whose helpers are part of it"
)]

#[path = "support/data.rs"]
mod data;

use exporter_toolkit::golden::{self, Options};
use exporter_toolkit::{Exposition, Format};
use node_exporter_rs::collector::{COLLECTORS, Setup};
use node_exporter_rs::flags::Flags;
use node_exporter_rs::host::Host;

const LABELS: &str = "collector.ipvs.backend-labels";
const NAMES: &[(&str, &str)] = &[
    ("collector.pcidevice.names", "true"),
    ("collector.pcidevice.idsfile", "collector/fixtures/pci.ids"),
];

/// A collector, its flags, and the file of what the peer expects of it.
const CASES: &[(&str, &[(&str, &str)], &str)] = &[
    ("ipvs", &[], "ip_vs_result.txt"),
    ("ipvs", &[(LABELS, "")], "ip_vs_result_lbs_none.txt"),
    ("ipvs", &[(LABELS, "local_port")], "ip_vs_result_lbs_local_port.txt"),
    (
        "ipvs",
        &[(LABELS, "local_address,local_port")],
        "ip_vs_result_lbs_local_address_local_port.txt",
    ),
    ("pcidevice", NAMES, "pcidevice-names-output.txt"),
];

fn exposition(collector: &str, flags: &[(&str, &str)]) -> String {
    let spec = COLLECTORS.iter().find(|spec| spec.name == collector).unwrap();
    let below = |folder: &str| format!("collector/fixtures/{folder}");
    let host = Host::new(below("proc"), below("sys"), "collector/fixtures", below("udev/data"));
    let setup = Setup { host, flags: Flags::of(flags) };
    let mut out = Exposition::new(Format::Text);
    (spec.build)(&setup).unwrap().collect(&mut out).unwrap();
    String::from_utf8(out.text().to_vec()).unwrap()
}

#[test]
fn every_variant_gives_what_the_peer_expects() {
    let Some((_data, _folder)) = data::unpacked() else { return };
    for (collector, flags, file) in CASES {
        let expected = std::fs::read_to_string(format!("collector/fixtures/{file}")).unwrap();
        let comparison =
            golden::compare(&expected, &exposition(collector, flags), &Options::default());
        println!("{file:48} {:3} series", comparison.common);
        assert!(comparison.is_same() && comparison.common > 0, "{file}\n{comparison}");
    }
}
