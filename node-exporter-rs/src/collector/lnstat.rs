//! `node_lnstat_*`: caches of the network stack by CPU, from `/proc/net/stat` (lnstat(8)).
//!
//! Each file is a table: names in its first line, then a line of hexadecimal counts for each CPU. Every column becomes a
//! counter, whatever it is, as the peer has it; files that share a name share the family.

mod tables;

use std::collections::BTreeMap;

use exporter_toolkit::name::{LabelName, MetricName};
use exporter_toolkit::{Exposition, Kind, LabelValue};

use self::tables::{FAMILIES, FIELDS};
use super::fields::{Gathered, position};
use super::{CollectError, Collector, Spec};
use crate::host::{Host, KeptFile, Text, names};

const FOLDER: &str = "net/stat";

pub static SPEC: Spec = Spec {
    name: "lnstat",
    enabled: false,
    about: "Caches of the network stack by CPU, from /proc/net/stat.",
    flags: &[],
    families: &FAMILIES,
    build: |setup| {
        Ok(Box::new(Lnstat {
            host: setup.host.clone(),
            files: BTreeMap::new(),
            gathered: Gathered::default(),
        }))
    },
};

struct Lnstat {
    host: Host,
    /// By name, which is the label `subsystem`.
    files: BTreeMap<String, KeptFile>,
    gathered: Gathered<Labels>,
}

/// The file's place among the files, and the line's number.
#[derive(Clone, Copy, Debug)]
struct Labels {
    file: usize,
    cpu: u32,
}

impl Collector for Lnstat {
    fn collect(&mut self, out: &mut Exposition) -> Result<(), CollectError> {
        self.list()?;
        self.gathered.clear();
        let mut verdict = Ok(());
        for (number, file) in self.files.values_mut().enumerate() {
            // A module that is unloaded meanwhile takes its file along.
            let result = match file.read_if_there() {
                Ok(Some(text)) => read(text, number, &mut self.gathered),
                other => other.map(|_| ()),
            };
            verdict = verdict.and(result);
        }
        self.write(out);
        verdict
    }
}

impl Lnstat {
    /// Finds the files; modules bring and take them. A host may have none.
    fn list(&mut self) -> Result<(), CollectError> {
        let found = match names(&self.host.proc(FOLDER)) {
            Err(error) if error.is_no_data() => Vec::new(),
            found => found?,
        };
        self.files.retain(|name, _| found.contains(name));
        for name in found {
            let path = format!("{FOLDER}/{name}");
            self.files.entry(name).or_insert_with(|| self.host.keep_proc(&path));
        }
        Ok(())
    }

    fn write(&self, out: &mut Exposition) {
        const SUBSYSTEM: LabelName = LabelName::fixed("subsystem");
        const CPU: LabelName = LabelName::fixed("cpu");
        let (subsystem, cpu) = (SUBSYSTEM, CPU);
        let files: Vec<&str> = self.files.keys().map(String::as_str).collect();
        for (field, samples) in self.gathered.each() {
            if let Some(at) = position(&FIELDS, field) {
                let mut family = out.family(&FIELDS[at].family);
                for (labels, value) in samples {
                    family.sample((files[labels.file], labels.cpu), *value);
                }
                continue;
            }
            let name = MetricName::sanitize(&["node_lnstat_", field, "_total"]);
            let help = format_args!("The column {field} of the tables in /proc/net/stat.");
            let mut family = out.dynamic(&name, Kind::Counter, help);
            for (labels, value) in samples {
                let pairs: [(&LabelName, &dyn LabelValue); 2] =
                    [(&subsystem, &files[labels.file]), (&cpu, &labels.cpu)];
                family.sample(pairs, *value);
            }
        }
    }
}

/// The CPU of a line is its number: the kernel gives one to every CPU that there can be.
fn read(text: Text<'_>, file: usize, gathered: &mut Gathered<Labels>) -> Result<(), CollectError> {
    let mut lines = text.as_str().lines();
    let header = lines.next().unwrap_or_default();
    let mut places: Vec<usize> = Vec::new();
    for name in header.split_ascii_whitespace() {
        let place = gathered.place(name);
        if places.contains(&place) {
            return Err(text.wrong("a column that stands twice", header));
        }
        places.push(place);
    }
    for (cpu, line) in (0..).zip(lines) {
        let mut columns = line.split_ascii_whitespace();
        for place in &places {
            let value = columns.next().and_then(|column| u64::from_str_radix(column, 16).ok());
            let value =
                value.ok_or_else(|| text.wrong("a hexadecimal count for each name", line))?;
            gathered.add(*place, Labels { file, cpu }, value);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collector::testing::{collect, tree};
    use proptest::prelude::*;

    #[test]
    fn tables_that_share_a_column_share_the_family() {
        let folder = tree(&[
            ("proc/net/stat/arp_cache", "entries  lookups\n0000000a ff\n0000000b 00\n"),
            ("proc/net/stat/new_cache", "new_one entries\n1 2\n"),
        ]);
        let (samples, result) = collect(&SPEC, folder.path(), &[]);
        assert!(result.is_ok());
        assert_eq!(
            samples,
            [
                "node_lnstat_entries_total{subsystem=\"arp_cache\",cpu=\"0\"} 10",
                "node_lnstat_entries_total{subsystem=\"arp_cache\",cpu=\"1\"} 11",
                "node_lnstat_entries_total{subsystem=\"new_cache\",cpu=\"0\"} 2",
                "node_lnstat_lookups_total{subsystem=\"arp_cache\",cpu=\"0\"} 255",
                "node_lnstat_lookups_total{subsystem=\"arp_cache\",cpu=\"1\"} 0",
                "node_lnstat_new_one_total{subsystem=\"new_cache\",cpu=\"0\"} 1",
            ]
        );
    }

    #[test]
    fn a_malformed_table_costs_no_other_its_samples() {
        for (table, problem) in [
            ("a b\n1\n", "a hexadecimal count for each name"),
            ("a\nx\n", "a hexadecimal count for each name"),
            ("a a\n1 2\n", "a column that stands twice"),
        ] {
            let folder = tree(&[("proc/net/stat/bad", table), ("proc/net/stat/good", "hits\n3\n")]);
            let (samples, result) = collect(&SPEC, folder.path(), &[]);
            let last = samples.last().unwrap();
            assert_eq!(last, "node_lnstat_hits_total{subsystem=\"good\",cpu=\"0\"} 3");
            let error = result.unwrap_err().to_string();
            assert!(error.contains("net/stat/bad") && error.contains(problem), "{error}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(table in "([a-c]{1,2} ){0,3}\\n\\PC{0,20}\\n([0-9a-f]{1,18} ){0,4}") {
            let _verdict = collect(&SPEC, tree(&[("proc/net/stat/x", &table)]).path(), &[]);
        }
    }
}
