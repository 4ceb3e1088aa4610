//! kube-state-rs' tables as documents, from what the program itself prints.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

/// What a subcommand of the program prints.
pub(crate) fn printed(program: &Path, args: &[&str]) -> Result<String> {
    let output = Command::new(program).args(args).output().context("kube-state-rs")?;
    ensure!(output.status.success(), "kube-state-rs {args:?} failed");
    Ok(String::from_utf8(output.stdout)?)
}

/// Every family by resource, from `kube-state-rs families`.
pub(crate) fn metrics(table: &str) -> String {
    let mut resources: BTreeMap<&str, Vec<Vec<&str>>> = BTreeMap::new();
    for row in table.lines().skip(1).map(|line| line.split('\t').collect::<Vec<_>>()) {
        if let [resource, rest @ ..] = row.as_slice() {
            resources.entry(resource).or_default().push(rest.to_vec());
        }
    }
    let mut out = "# Metrics\n\n<!-- Made by `cargo xtask docs` from the resources' tables: do not edit. -->\n\n\
                   `kube-state-rs families` prints the same list. Labels of objects come as `label_*` and `annotation_*` \
                   where an allowlist names them.\n\n"
        .to_owned();
    for (resource, rows) in &resources {
        let by_default = rows.iter().any(|row| row.get(4) == Some(&"always"));
        let state = if by_default { "on by default" } else { "on by `--resources`" };
        // Writing to a String cannot fail.
        _ = writeln!(out, "## {resource}\n\n{} families, {state}.\n", rows.len());
        _ = writeln!(out, "| family | type | labels | stability | given | help |");
        _ = writeln!(out, "| --- | --- | --- | --- | --- | --- |");
        for row in rows {
            let [name, kind, labels, stability, given, help] = row[..] else { continue };
            let labels = labels.replace(',', "` `");
            let help = help.replace('|', "\\|");
            _ = writeln!(
                out,
                "| `{name}` | {kind} | `{labels}` | {stability} | {given} | {help} |"
            );
        }
        out.push('\n');
    }
    format!("{}\n", out.trim_end())
}
