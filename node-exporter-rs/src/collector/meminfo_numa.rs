//! `node_memory_numa_*`: memory by NUMA node, from `/sys/devices/system/node/node*/{meminfo,numastat}`
//! (Documentation/admin-guide/numastat.rst).
//!
//! Names are the kernel's. Amounts are bytes though no name says so, as the peer has it.

use std::collections::BTreeMap;

use exporter_toolkit::family::CounterMark;
use exporter_toolkit::name::{LabelName, MetricName};
use exporter_toolkit::{Exposition, Kind};

use super::fields::{Field, Gathered, position};
use super::{CollectError, Collector, Spec, meminfo};
use crate::host::{Host, KeptFile, names};

const FOLDER: &str = "devices/system/node";

const fn field(
    name: &'static str,
    family: &'static str,
    help: &'static str,
) -> Field<CounterMark, 1> {
    Field::new(name, family, ["node"], help)
}

#[rustfmt::skip]
static COUNTERS: [Field<CounterMark, 1>; 6] = [
    field("numa_hit", "node_memory_numa_numa_hit_total", "Pages that were wanted on this node and came from it."),
    field("numa_miss", "node_memory_numa_numa_miss_total", "Pages that came from this node, though wanted on another."),
    field("numa_foreign", "node_memory_numa_numa_foreign_total", "Pages that were wanted on this node, and came from another."),
    field("interleave_hit", "node_memory_numa_interleave_hit_total", "Pages that came from this node as interleaving wanted it."),
    field("local_node", "node_memory_numa_local_node_total", "Pages given to a process that ran on this same node."),
    field("other_node", "node_memory_numa_other_node_total", "Pages given to a process that ran on another node."),
];

pub static SPEC: Spec = Spec {
    name: "meminfo_numa",
    enabled: false,
    about: "Memory by NUMA node, from /sys/devices/system/node.",
    flags: &[],
    families: &[
        &COUNTERS[0].family,
        &COUNTERS[1].family,
        &COUNTERS[2].family,
        &COUNTERS[3].family,
        &COUNTERS[4].family,
        &COUNTERS[5].family,
    ],
    build: |setup| {
        Ok(Box::new(MeminfoNuma {
            host: setup.host.clone(),
            nodes: BTreeMap::new(),
            amounts: Gathered::default(),
            counts: Gathered::default(),
        }))
    },
};

struct MeminfoNuma {
    host: Host,
    nodes: BTreeMap<u32, Node>,
    amounts: Gathered<u32>,
    counts: Gathered<u32>,
}

struct Node {
    meminfo: KeptFile,
    numastat: KeptFile,
}

impl Collector for MeminfoNuma {
    fn collect(&mut self, out: &mut Exposition) -> Result<(), CollectError> {
        self.list()?;
        self.amounts.clear();
        self.counts.clear();
        let mut verdict = Ok(());
        for (number, node) in &mut self.nodes {
            verdict = verdict
                .and(node.read_amounts(*number, &mut self.amounts))
                .and(node.read_counts(*number, &mut self.counts));
        }
        self.write_amounts(out);
        self.write_counts(out);
        verdict
    }
}

impl MeminfoNuma {
    /// Finds the nodes, which come and go where memory is plugged in. A kernel without NUMA has none.
    fn list(&mut self) -> Result<(), CollectError> {
        let folder = self.host.sys(FOLDER);
        let names = match names(&folder) {
            Err(error) if error.is_no_data() => Vec::new(),
            names => names?,
        };
        let number = |name: &String| name.strip_prefix("node")?.parse().ok();
        let found: Vec<u32> = names.iter().filter_map(number).collect();
        self.nodes.retain(|number, _| found.contains(number));
        for number in found {
            self.nodes.entry(number).or_insert_with(|| Node::new(&self.host, number));
        }
        Ok(())
    }

    fn write_amounts(&self, out: &mut Exposition) {
        const NODE: LabelName = LabelName::fixed("node");
        let label = NODE;
        for (field, samples) in self.amounts.each() {
            let (stem, inner) = field.split_once('(').unwrap_or((field, ""));
            let join = if inner.is_empty() { "" } else { "_" };
            let inner = inner.trim_end_matches(')');
            let name = MetricName::sanitize(&["node_memory_numa_", stem, join, inner]);
            let about = meminfo::about(field).unwrap_or("a field of the node's meminfo.");
            let help = format_args!("Of each NUMA node: {about}");
            let mut family = out.dynamic(&name, Kind::Gauge, help);
            for (node, value) in samples {
                family.sample([(&label, *node)], *value);
            }
        }
    }

    fn write_counts(&self, out: &mut Exposition) {
        const NODE: LabelName = LabelName::fixed("node");
        let label = NODE;
        for (field, samples) in self.counts.each() {
            if let Some(at) = position(&COUNTERS, field) {
                let mut family = out.family(&COUNTERS[at].family);
                for (node, value) in samples {
                    family.sample(*node, *value);
                }
                continue;
            }
            let name = MetricName::sanitize(&["node_memory_numa_", field, "_total"]);
            let help = format_args!("The field {field} of each NUMA node's numastat.");
            let mut family = out.dynamic(&name, Kind::Counter, help);
            for (node, value) in samples {
                family.sample([(&label, *node)], *value);
            }
        }
    }
}

impl Node {
    fn new(host: &Host, number: u32) -> Self {
        let keep = |file| host.keep_sys(&format!("{FOLDER}/node{number}/{file}")).with_one_record();
        Self { meminfo: keep("meminfo"), numastat: keep("numastat") }
    }

    /// `Node 0 MemTotal:  8256200 kB` (drivers/base/node.c).
    fn read_amounts(&mut self, node: u32, into: &mut Gathered<u32>) -> Result<(), CollectError> {
        let Some(text) = self.meminfo.read_if_there()? else { return Ok(()) };
        for line in text.as_str().lines().filter(|line| !line.trim_ascii().is_empty()) {
            let (field, amount) = amount(line).ok_or_else(|| text.wrong("no amount", line))?;
            let place = into.place(field);
            into.add(place, node, amount);
        }
        Ok(())
    }

    /// `numa_hit 193460335812`.
    fn read_counts(&mut self, node: u32, into: &mut Gathered<u32>) -> Result<(), CollectError> {
        let Some(text) = self.numastat.read_if_there()? else { return Ok(()) };
        for line in text.as_str().lines() {
            let (field, count) =
                line.split_once(' ').ok_or_else(|| text.wrong("name and count expected", line))?;
            let count = count.trim_ascii().parse().map_err(|_| text.wrong("no count", line))?;
            let place = into.place(field);
            into.add(place, node, count);
        }
        Ok(())
    }
}

/// A field's name and its amount, in bytes where the kernel says kB.
fn amount(line: &str) -> Option<(&str, u64)> {
    let (_, field) = line.trim_ascii_start().strip_prefix("Node ")?.split_once(' ')?;
    let field = meminfo::Field::parse(field)?;
    Some((field.name, field.value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collector::testing::{collect, tree};
    use proptest::prelude::*;

    #[test]
    fn a_field_of_every_node_is_one_family() {
        let folder = tree(&[
            ("sys/devices/system/node/node0/meminfo", "\nNode 0 Active(anon): 2 kB\n"),
            ("sys/devices/system/node/node0/numastat", "numa_hit 7\nnew_count 8\n"),
            ("sys/devices/system/node/node10/meminfo", "\nNode 10 Active(anon): 3 kB\n"),
            ("sys/devices/system/node/has_cpu", "0\n"),
        ]);
        let (samples, result) = collect(&SPEC, folder.path(), &[]);
        assert!(result.is_ok());
        assert_eq!(
            samples,
            [
                "node_memory_numa_Active_anon{node=\"0\"} 2048",
                "node_memory_numa_Active_anon{node=\"10\"} 3072",
                "node_memory_numa_numa_hit_total{node=\"0\"} 7",
                "node_memory_numa_new_count_total{node=\"0\"} 8",
            ]
        );
    }

    #[test]
    fn a_malformed_node_costs_no_other_its_samples() {
        let folder = tree(&[
            ("sys/devices/system/node/node0/meminfo", "Node 0 MemFree: x kB\n"),
            ("sys/devices/system/node/node1/meminfo", "Node 1 MemFree: 1 kB\n"),
        ]);
        let (samples, result) = collect(&SPEC, folder.path(), &[]);
        assert_eq!(samples, ["node_memory_numa_MemFree{node=\"1\"} 1024"]);
        assert!(result.unwrap_err().to_string().contains("node0/meminfo: no amount"));
    }

    #[test]
    fn a_kernel_without_numa_gives_no_sample_and_does_not_fail() {
        let (samples, result) = collect(&SPEC, tree(&[]).path(), &[]);
        assert!(samples.is_empty() && result.is_ok());
    }

    proptest! {
        #[test]
        fn no_line_makes_it_panic(line in "(Node )?[0-9]{0,3} ?\\PC{0,30}") {
            let _amount = amount(&line);
        }
    }
}
