//! `node_zoneinfo_*`: memory by NUMA node and zone, from `/proc/zoneinfo` (proc(5)).

mod tables;

use exporter_toolkit::Exposition;
use exporter_toolkit::family::TypeMark;

use self::tables::{COUNTERS, FAMILIES, GAUGES, PROTECTION};
use super::fields::{Field, position};
use super::{CollectError, Collector, Spec};
use crate::host::{KeptFile, Text};

pub static SPEC: Spec = Spec {
    name: "zoneinfo",
    enabled: false,
    about: "Pages of memory by NUMA node, zone and use, from /proc/zoneinfo.",
    flags: &[],
    families: &FAMILIES,
    build: |setup| {
        let file = setup.host.keep_proc("zoneinfo").with_long_records();
        Ok(Box::new(Zoneinfo { file }))
    },
};

struct Zoneinfo {
    file: KeptFile,
}

impl Collector for Zoneinfo {
    fn collect(&mut self, out: &mut Exposition) -> Result<(), CollectError> {
        let mut zones = Vec::new();
        let verdict = read(self.file.read_str()?, &mut zones);
        write(out, &GAUGES, &zones, |zone| &zone.gauges);
        write(out, &COUNTERS, &zones, |zone| &zone.counters);
        for (i, family) in PROTECTION.iter().enumerate() {
            let mut samples = out.family(family);
            for zone in &zones {
                samples.maybe((zone.node, zone.name), zone.protection.get(i).copied());
            }
        }
        verdict
    }
}

fn write<K: TypeMark, const M: usize>(
    out: &mut Exposition,
    fields: &'static [Field<K, 2>; M],
    zones: &[Zone<'_>],
    values: for<'z> fn(&'z Zone<'_>) -> &'z [Option<i64>; M],
) {
    for (i, field) in fields.iter().enumerate() {
        let mut samples = out.family(&field.family);
        for zone in zones {
            samples.maybe((zone.node, zone.name), values(zone)[i]);
        }
    }
}

/// One zone of one node. What the kernel counts for a whole node stands with the node's first zone.
struct Zone<'a> {
    node: &'a str,
    name: &'a str,
    gauges: [Option<i64>; GAUGES.len()],
    counters: [Option<i64>; COUNTERS.len()],
    protection: Vec<i64>,
}

/// Reads the zones up to a malformed line.
fn read<'a>(text: Text<'a>, zones: &mut Vec<Zone<'a>>) -> Result<(), CollectError> {
    for line in text.as_str().lines() {
        if let Some((node, name)) = heading(line) {
            zones.push(Zone::new(node, name));
        } else if let Some(zone) = zones.last_mut() {
            zone.take(line).ok_or_else(|| text.wrong("a number expected", line))?;
        }
    }
    Ok(())
}

/// `Node 0, zone   Normal`.
fn heading(line: &str) -> Option<(&str, &str)> {
    let (node, name) = line.strip_prefix("Node ")?.split_once(", zone")?;
    Some((node, name.trim_ascii()))
}

impl<'a> Zone<'a> {
    fn new(node: &'a str, name: &'a str) -> Self {
        let (gauges, counters) = ([None; GAUGES.len()], [None; COUNTERS.len()]);
        Self { node, name, gauges, counters, protection: Vec::new() }
    }

    /// A line's first word says what its number is; most lines are of no interest. `None` where there is no number.
    fn take(&mut self, line: &str) -> Option<()> {
        let (name, rest) = line.trim_ascii_start().split_once(' ').unwrap_or((line, ""));
        if name == "protection:" {
            self.protection = numbers(rest).collect::<Option<_>>()?;
        }
        let place = match (position(&GAUGES, name), position(&COUNTERS, name)) {
            (Some(at), _) => &mut self.gauges[at],
            (_, Some(at)) => &mut self.counters[at],
            _ => return Some(()),
        };
        *place = Some(rest.trim_ascii().parse().ok()?);
        Some(())
    }
}

/// `(0, 3019, 24090)`.
fn numbers(list: &str) -> impl Iterator<Item = Option<i64>> {
    let inner = list.trim_ascii().trim_start_matches('(').trim_end_matches(')');
    inner.split(',').map(|number| number.trim_ascii().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collector::testing::{collect, tree};
    use proptest::prelude::*;

    #[test]
    fn a_field_that_a_zone_lacks_is_a_missing_sample() {
        let file = "Node 1, zone   DMA32\n  per-node stats\n      nr_dirty     3\n        high     5\n              high:     9\nNode 1, zone Movable\n        high 0\n";
        let (samples, result) = collect(&SPEC, tree(&[("proc/zoneinfo", file)]).path(), &[]);
        assert!(result.is_ok());
        assert_eq!(
            samples,
            [
                "node_zoneinfo_high_pages{node=\"1\",zone=\"DMA32\"} 5",
                "node_zoneinfo_high_pages{node=\"1\",zone=\"Movable\"} 0",
                "node_zoneinfo_nr_dirty_pages{node=\"1\",zone=\"DMA32\"} 3",
            ]
        );
    }

    #[test]
    fn a_malformed_line_is_named_and_what_came_before_is_kept() {
        for line in ["        low x", "        protection: (1, y)"] {
            let file = format!("Node 0, zone DMA\n min 1\n{line}\n");
            let folder = tree(&[("proc/zoneinfo", &file)]);
            let (samples, result) = collect(&SPEC, folder.path(), &[]);
            assert_eq!(samples, ["node_zoneinfo_min_pages{node=\"0\",zone=\"DMA\"} 1"]);
            assert!(result.unwrap_err().to_string().contains(line.trim_start()));
        }
    }

    proptest! {
        #[test]
        fn no_line_makes_it_panic(line in "(Node|min|protection:)?\\PC{0,40}") {
            let mut zone = heading(&line).map_or(Zone::new("0", "x"), |(a, b)| Zone::new(a, b));
            let _taken = zone.take(&line);
        }
    }
}
