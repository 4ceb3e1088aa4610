//! The collectors' tables as Markdown.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use node_exporter_rs::collector::{self, COLLECTORS, Spec};

/// A row per collector, for the README.
pub(crate) fn overview() -> String {
    let mut out = "| collector | on | families | about |\n| --- | --- | ---: | --- |\n".to_owned();
    for spec in COLLECTORS {
        let on = if spec.enabled { "yes" } else { "no" };
        let families = names(spec).len();
        line(&mut out, &format!("| {} | {on} | {families} | {} |", linked(spec), cell(spec.about)));
    }
    out
}

/// Every family of every collector.
pub(crate) fn metrics() -> String {
    let mut out = heading(
        "Metrics",
        "Every family that is known when the program is compiled; names that the kernel gives (fields of \
         `/proc/meminfo`, statistics of ZFS and others) come on top.",
    );
    for spec in COLLECTORS {
        let state = if spec.enabled { "on by default" } else { "off by default" };
        line(
            &mut out,
            &format!("## {}\n\n{} ({state}).\n", spec.name, spec.about.trim_end_matches('.')),
        );
        if spec.families.is_empty() {
            line(&mut out, "Its names are known only at run time.\n");
            continue;
        }
        line(&mut out, "| family | type | labels | help |\n| --- | --- | --- | --- |");
        for family in spec.families {
            let labels = family.labels().iter().map(|label| format!("`{label}`"));
            let labels = labels.collect::<Vec<_>>().join(" ");
            let kind = family.kind().word();
            line(
                &mut out,
                &format!("| `{}` | {kind} | {labels} | {} |", family.name(), cell(family.help())),
            );
        }
        out.push('\n');
    }
    trimmed(out)
}

/// Every flag of every collector that `--help` shows.
pub(crate) fn flags() -> String {
    let mut out = heading(
        "Flags of the collectors",
        "`--collector.NAME` and `--no-collector.NAME` switch a collector on and off, \
         `--collector.disable-defaults` all that are on by default. `--help` shows the other flags.",
    );
    line(&mut out, "| flag | default | about |\n| --- | --- | --- |");
    let shown = collector::flags().filter(|flag| !flag.hidden());
    for flag in shown {
        let default = match flag.default() {
            "" => String::new(),
            value => format!("`{}`", cell(value)),
        };
        let more = if flag.repeats() { " May be repeated." } else { "" };
        line(
            &mut out,
            &format!("| `--{}` | {default} | {}{more} |", flag.name(), cell(flag.help())),
        );
    }
    out
}

fn heading(title: &str, about: &str) -> String {
    format!(
        "# {title}\n\n<!-- Made by `cargo xtask docs` from the collectors' tables: do not edit. -->\n\n{about}\n\n"
    )
}

fn linked(spec: &Spec) -> String {
    format!("[{name}](docs/metrics.md#{name})", name = spec.name)
}

fn names(spec: &Spec) -> BTreeSet<&'static str> {
    spec.families.iter().map(|family| family.name()).collect()
}

/// A bar would end the cell.
fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

fn line(out: &mut String, text: &str) {
    // Writing to a String cannot fail.
    _ = writeln!(out, "{text}");
}

fn trimmed(text: String) -> String {
    format!("{}\n", text.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_collector_has_a_row_a_chapter_and_its_flags() {
        let (overview, metrics, flags) = (overview(), metrics(), flags());
        for spec in COLLECTORS {
            assert!(overview.contains(&linked(spec)), "{}", spec.name);
            assert!(metrics.contains(&format!("\n## {}\n", spec.name)), "{}", spec.name);
            for flag in spec.flags {
                assert_eq!(
                    flags.contains(&format!("`--{}`", flag.name())),
                    !flag.hidden(),
                    "{}",
                    flag.name()
                );
            }
        }
    }

    #[test]
    fn a_bar_does_not_end_a_cell() {
        assert_eq!(cell("a|b"), "a\\|b");
    }
}
