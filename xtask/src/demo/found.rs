//! Which collectors have data, and why the others have none.

use anyhow::Result;
use e2e::exposition::{self, label};
use e2e::{Agent, Scrape};

use crate::table::columns;

/// What one collector gave.
#[derive(Debug)]
pub(crate) struct Found {
    name: String,
    series: usize,
    /// The log's words where it has nothing.
    reason: Option<String>,
}

/// Families that stand in every answer, whatever collector was asked.
const FRAMEWORK: &[&str] =
    &["node_scrape_collector_", "node_exporter_", "process_", "go_", "promhttp_"];

/// Asks each collector of a scrape alone.
pub(crate) fn collectors(agent: &Agent, scrape: &Scrape) -> Result<Vec<Found>> {
    let log = agent.server.log();
    let mut found = Vec::new();
    for (key, success) in scrape.of("node_scrape_collector_success") {
        let Some(name) = label(key, "collector") else { continue };
        let alone = agent.scrape(&format!("/metrics?collect[]={name}"))?;
        let own = |key: &&String| !FRAMEWORK.iter().any(|p| exposition::name(key).starts_with(p));
        let series = alone.series.keys().filter(own).count();
        let reason = (series == 0).then(|| match reason(&log, &name) {
            Some(reason) => reason,
            None if success > 0.0 => "it looked and there is none here".to_owned(),
            None => "the log does not say why".to_owned(),
        });
        found.push(Found { name, series, reason });
    }
    Ok(found)
}

/// Two lists: those with data by their number of series, in columns, and those without.
pub(crate) fn tables(found: &[Found], series: usize) -> String {
    let (mut with, without): (Vec<_>, Vec<_>) =
        found.iter().partition(|collector| collector.reason.is_none());
    with.sort_by_key(|collector| std::cmp::Reverse(collector.series));
    let cells: Vec<[String; 2]> =
        with.iter().map(|c| [c.name.clone(), c.series.to_string()]).collect();
    let rows = cells.len().div_ceil(3).max(1);
    let grid: Vec<Vec<String>> = (0..rows)
        .map(|row| cells.iter().skip(row).step_by(rows).flatten().cloned().collect())
        .collect();
    let reasons: Vec<Vec<String>> = without
        .iter()
        .map(|c| vec![c.name.clone(), c.reason.clone().unwrap_or_default()])
        .collect();
    format!(
        "What it found: {series} series from {} of {} collectors\n{}\nNothing to read on this machine\n{}",
        with.len(),
        found.len(),
        columns(&grid, &[1, 3, 5]),
        columns(&reasons, &[])
    )
}

/// The reason in the first log line about the collector that names one.
fn reason(log: &str, collector: &str) -> Option<String> {
    let about = |line: &&str| {
        ["name", "collector"].iter().any(|key| field(line, key).as_deref() == Some(collector))
    };
    let reason = |line: &str| field(line, "err").or_else(|| field(line, "error"));
    log.lines().filter(about).find_map(reason)
}

/// The value of `key=value` or `key="value"` in a logfmt line.
fn field(line: &str, key: &str) -> Option<String> {
    let start = format!("{key}=");
    let at = line
        .match_indices(&start)
        .find(|(at, _)| *at == 0 || line.as_bytes().get(at - 1) == Some(&b' '))?
        .0;
    let value = line.get(at + start.len()..)?;
    let Some(quoted) = value.strip_prefix('"') else {
        return value.split(' ').next().map(str::to_owned);
    };
    let (mut text, mut escaped) = (String::new(), false);
    for letter in quoted.chars() {
        match letter {
            '\\' if !escaped => escaped = true,
            '"' if !escaped => return Some(text),
            other => {
                text.push(other);
                escaped = false;
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_found_in_either_form_of_log_line() {
        let log = "level=debug name=arp duration=1\nlevel=debug msg=\"no data\" name=arp err=\"cannot read \\\"/x\\\": gone\"\n\
                   level=warn collector=zfs error=short\n";
        assert_eq!(reason(log, "arp").as_deref(), Some("cannot read \"/x\": gone"));
        assert_eq!(reason(log, "zfs").as_deref(), Some("short"));
        assert_eq!(reason(log, "cpu"), None);
    }

    #[test]
    fn collectors_with_data_come_first_and_the_others_with_their_reason() {
        let of = |name: &str, series, reason: Option<&str>| Found {
            name: name.to_owned(),
            series,
            reason: reason.map(str::to_owned),
        };
        let found = [of("arp", 2, None), of("cpu", 16, None), of("zfs", 0, Some("no such file"))];
        let text = tables(&found, 20);
        assert!(
            text.starts_with(
                "What it found: 20 series from 2 of 3 collectors\n  cpu  16  arp  2\n"
            ),
            "{text}"
        );
        assert!(text.ends_with("  zfs  no such file\n"), "{text}");
    }
}
