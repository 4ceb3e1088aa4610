//! `cargo xtask conformance AGENT`: an agent on the peer's own test data.
//!
//! `node`: the program's answer on the peer's own fixtures against what the peer expects.

mod flags;
mod judge;
mod variants;

use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use e2e::{Agent, Scrape, agent, free_port};

use crate::binary::{self, Profile};
use crate::table::columns;

/// Every case of kube-state-metrics, its table of families and its sharding, by the test that `cargo test` runs too.
pub(crate) fn kube() -> Result<()> {
    let data = binary::conformance_data("kube-state-metrics", "metrics.tsv")?;
    let mut command = e2e::cargo();
    command.args(["test", "--test", "kube_conformance", "--", "--nocapture"]);
    command.current_dir(binary::workspace());
    command.env("CONFORMANCE_DIR", data.parent().unwrap_or(&data));
    let status = command.status().context("cargo test")?;
    ensure!(status.success(), "the conformance test failed");
    Ok(())
}

pub(crate) fn node() -> Result<()> {
    let data = binary::node_data()?;
    let read = |file: &str| {
        let path = data.join(file);
        std::fs::read_to_string(&path).with_context(|| path.display().to_string())
    };
    let index = judge::Index::parse(&read("families.tsv")?);
    let expected = Scrape::parse(&read("e2e-output.txt")?).context("e2e-output.txt")?;
    let program = binary::node_exporter_rs(Profile::Dev)?;
    let known = flags::known(&program)?;
    let folder = binary::unpack_fixtures()?;
    let mut command = Command::new(&program);
    // The paths appear in labels, so they are relative, as in the peer's own run.
    command.current_dir(folder.path()).args(flags::of_the_run(&known, &index));
    let agent = Agent::start_at(agent::local(free_port()?), command)?;
    let got = agent.scrape("/metrics")?;
    let verdict = judge::judge(&index, &expected, &got, |collector| known.contains(collector));
    let variants = variants::run(&program, &data, folder.path())?;
    for verdict in [&verdict, &variants] {
        println!("{}", columns(&verdict.rows(), &[1, 3]));
    }
    let problems: Vec<_> = verdict.problems.iter().chain(&variants.problems).collect();
    for problem in &problems {
        println!("{problem}");
    }
    match problems.len() {
        0 => Ok(()),
        count => bail!("{count} problems"),
    }
}
