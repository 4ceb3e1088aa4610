//! A few facts about the machine, taken from its metrics and from nothing else.

use e2e::Scrape;
use e2e::exposition::label;

use crate::table::{bytes, columns};

/// Longest lists of disks and devices that a person still reads.
const SHOWN: usize = 6;

pub(crate) fn facts(scrape: &Scrape) -> String {
    let rows = [
        ("name", name(scrape)),
        ("kernel", kernel(scrape)),
        ("CPUs", cpus(scrape)),
        ("memory", memory(scrape)),
        ("file systems", file_systems(scrape)),
        ("disks", devices(scrape, "node_disk_read_bytes_total")),
        ("network", devices(scrape, "node_network_receive_bytes_total")),
    ];
    let rows: Vec<Vec<String>> =
        rows.into_iter().filter_map(|(what, text)| Some(vec![what.to_owned(), text?])).collect();
    columns(&rows, &[])
}

fn name(scrape: &Scrape) -> Option<String> {
    label(scrape.of("node_uname_info").next()?.0, "nodename")
}

fn kernel(scrape: &Scrape) -> Option<String> {
    let (key, _) = scrape.of("node_uname_info").next()?;
    Some(format!(
        "{} {} {}",
        label(key, "sysname")?,
        label(key, "release")?,
        label(key, "machine")?
    ))
}

fn cpus(scrape: &Scrape) -> Option<String> {
    let count = scrape
        .of("node_cpu_seconds_total")
        .filter(|(key, _)| key.contains("mode=\"idle\""))
        .count();
    let load = ["node_load1", "node_load5", "node_load15"].map(|name| scrape.one(name));
    match load {
        [Some(one), Some(five), Some(fifteen)] => {
            Some(format!("{count}, load {one} {five} {fifteen}"))
        }
        _ => (count > 0).then(|| count.to_string()),
    }
}

pub(crate) fn memory(scrape: &Scrape) -> Option<String> {
    let total = scrape.one("node_memory_MemTotal_bytes")?;
    let free = scrape.one("node_memory_MemAvailable_bytes")?;
    Some(format!("{}, {} available", bytes(total), bytes(free)))
}

fn file_systems(scrape: &Scrape) -> Option<String> {
    let free = |key: &str| {
        let key = key.replacen("node_filesystem_size_bytes", "node_filesystem_avail_bytes", 1);
        scrape.series.get(&key).copied()
    };
    let shown = scrape.of("node_filesystem_size_bytes").filter_map(|(key, size)| {
        let mount = label(key, "mountpoint")?;
        Some(format!("{mount} {} ({} free)", bytes(size), bytes(free(key)?)))
    });
    listed(shown)
}

fn devices(scrape: &Scrape, family: &str) -> Option<String> {
    listed(scrape.of(family).filter_map(|(key, _)| label(key, "device")))
}

/// The first few, and how many more there are; nothing where there are none.
fn listed(items: impl Iterator<Item = String>) -> Option<String> {
    let items: Vec<String> = items.collect();
    let shown = items.iter().take(SHOWN).cloned().collect::<Vec<_>>().join(", ");
    match items.len() {
        0 => None,
        count if count > SHOWN => Some(format!("{shown} and {} more", count - SHOWN)),
        _ => Some(shown),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_that_are_missing_are_left_out_and_long_lists_are_cut() {
        let mut text =
            "node_memory_MemTotal_bytes 2048\nnode_memory_MemAvailable_bytes 1024\n".to_owned();
        let disk = |name| format!("node_disk_read_bytes_total{{device=\"sd{name}\"}} 1\n");
        text.extend(('a'..='h').map(disk));
        let facts = facts(&Scrape::parse(&text).unwrap());
        assert_eq!(
            facts,
            "  memory  2.0 KiB, 1.0 KiB available\n  disks   sda, sdb, sdc, sdd, sde, sdf and 2 more\n"
        );
    }
}
