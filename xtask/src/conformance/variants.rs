//! What the peer's data expects of single collectors beside its end-to-end run: each a run of its own.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};
use e2e::{Agent, Scrape, agent, free_port};

use super::flags::PATHS;
use super::judge::{Index, Verdict, judge};

/// A run with one collector.
struct Variant {
    collector: &'static str,
    /// Of the collector, behind `--collector.`.
    options: &'static [&'static str],
    /// Below the data's folder, or below the unpacked fixtures.
    expected: &'static str,
}

const fn variant(
    collector: &'static str,
    options: &'static [&'static str],
    expected: &'static str,
) -> Variant {
    Variant { collector, options, expected }
}

const LABELS: &[&str] = &["ipvs.backend-labels=local_port"];
const PCI_NAMES: &[&str] = &["pcidevice.names", "pcidevice.idsfile=collector/fixtures/pci.ids"];

const VARIANTS: &[Variant] = &[
    variant("ipvs", &[], "collector/fixtures/ip_vs_result.txt"),
    variant("ipvs", &["ipvs.backend-labels="], "collector/fixtures/ip_vs_result_lbs_none.txt"),
    variant("ipvs", LABELS, "collector/fixtures/ip_vs_result_lbs_local_port.txt"),
    variant(
        "ipvs",
        &["ipvs.backend-labels=local_address,local_port"],
        "collector/fixtures/ip_vs_result_lbs_local_address_local_port.txt",
    ),
    variant("pcidevice", PCI_NAMES, "collector/fixtures/pcidevice-names-output.txt"),
    variant("swap", &[], "swap-output.txt"),
];

/// Runs each; `data` is the data's folder, `fixtures` where its host is unpacked.
pub(super) fn run(program: &Path, data: &Path, fixtures: &Path) -> Result<Verdict> {
    let mut verdict = Verdict::default();
    for Variant { collector, options, expected } in VARIANTS {
        let folder = if expected.contains('/') { fixtures } else { data };
        let path = folder.join(expected);
        let text = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        let expected = Scrape::parse(&text).with_context(|| path.display().to_string())?;
        let mut command = Command::new(program);
        command.current_dir(fixtures).args(PATHS).arg("--collector.disable-defaults");
        command.arg(format!("--collector.{collector}"));
        command.args(options.iter().map(|option| format!("--collector.{option}")));
        let agent = Agent::start_at(agent::local(free_port()?), command)?;
        let mut got = agent.scrape("/metrics")?;
        // Some of the expectations are of the collector alone, without the framework around it.
        got.series
            .retain(|key, _| expected.series.contains_key(key) || !key.starts_with("node_scrape_"));
        let name = format!("{collector} {}", options.first().unwrap_or(&"alone"));
        let index = Index::of_one(&name, &expected);
        verdict.add(judge(&index, &expected, &got, |_| true));
    }
    Ok(verdict)
}
