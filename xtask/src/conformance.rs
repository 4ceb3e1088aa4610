//! `cargo xtask conformance node`: the program's answer on the peer's own fixtures against what the peer expects.

mod flags;
mod judge;
mod variants;

use std::process::Command;

use anyhow::{Context, Result, bail};
use e2e::{Agent, Scrape, agent, free_port};

use crate::binary::{self, Profile};
use crate::table::columns;

pub(crate) fn run() -> Result<()> {
    let data = binary::conformance_data()?;
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
