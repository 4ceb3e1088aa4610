//! `cargo xtask deny`: licences, duplicates, bans and sources of what we link, against `deny.toml`, without network.
//!
//! The same file serves cargo-deny, which also knows the advisories.

mod graph;
mod rules;
mod spdx;

use anyhow::{Context, Result, bail};

use crate::binary::workspace;

pub(crate) fn run() -> Result<()> {
    let path = workspace().join("deny.toml");
    let text = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    let rules: rules::Rules = basic_toml::from_str(&text).context("deny.toml")?;
    let mut problems = Vec::new();
    let mut count = 0;
    for target in &rules.graph.targets {
        let graph = graph::Graph::of(target)?;
        count = count.max(graph.packages.len());
        problems.extend(rules.problems(&graph));
    }
    problems.sort();
    problems.dedup();
    for problem in &problems {
        println!("{problem}");
    }
    if !problems.is_empty() {
        bail!("{} problems with dependencies (deny.toml)", problems.len());
    }
    println!(
        "{count} packages: licences, duplicates, bans and sources are as deny.toml wants them."
    );
    Ok(())
}
