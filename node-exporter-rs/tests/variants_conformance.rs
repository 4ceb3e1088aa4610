//! What the peer's data expects of single collectors beside its end-to-end run, series by series.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test, whose helpers are part of it"
)]

#[path = "support/data.rs"]
mod data;

use exporter_toolkit::golden::{self, Options};
use exporter_toolkit::{Exposition, Format, Merger};
use node_exporter_rs::collector::{COLLECTORS, Setup};
use node_exporter_rs::flags::Flags;
use node_exporter_rs::host::Host;

const LABELS: &str = "collector.ipvs.backend-labels";

/// A collector, its flags, and the file with what it is to give, below the data's folder or its unpacked host.
type Variant = (&'static str, &'static [(&'static str, &'static str)], &'static str);
const VARIANTS: &[Variant] = &[
    ("ipvs", &[], "ip_vs_result.txt"),
    ("ipvs", &[(LABELS, "")], "ip_vs_result_lbs_none.txt"),
    ("ipvs", &[(LABELS, "local_port")], "ip_vs_result_lbs_local_port.txt"),
    (
        "ipvs",
        &[(LABELS, "local_address,local_port")],
        "ip_vs_result_lbs_local_address_local_port.txt",
    ),
    ("swap", &[], "swap-output.txt"),
];

fn exposition(collector: &str, flags: &[(&str, &str)]) -> String {
    let spec = COLLECTORS.iter().find(|spec| spec.name == collector).unwrap();
    let setup = Setup { host: Host::below("collector/fixtures"), flags: Flags::of(flags) };
    let mut out = Exposition::new(Format::Text);
    (spec.build)(&setup).unwrap().collect(&mut out).unwrap();
    let mut text = Vec::new();
    Merger::default().merge(&[&out], Format::Text, &mut text);
    String::from_utf8(text).unwrap()
}

#[test]
fn every_variant_gives_what_is_expected() {
    let Some((data, _folder)) = data::unpacked() else { return };
    for (collector, flags, file) in VARIANTS {
        let here = std::path::Path::new("collector/fixtures").join(file);
        let path = if here.exists() { here } else { data.join(file) };
        let expected = std::fs::read_to_string(&path).unwrap();
        let framework = |series: &str| series.starts_with("node_scrape_");
        let options = Options { skip: &framework, ..Options::default() };
        let comparison = golden::compare(&expected, &exposition(collector, flags), &options);
        println!("{collector:10} {:4} series {file}", comparison.common);
        assert!(comparison.is_same() && comparison.common > 0, "{file}:\n{comparison}");
    }
}
