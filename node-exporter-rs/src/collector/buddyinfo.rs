//! `node_buddyinfo_blocks`: how fragmented free memory is, from `/proc/buddyinfo`.

use exporter_toolkit::{Exposition, Gauge};

use super::{CollectError, Collector, Spec};
use crate::host::{KeptFile, Text};

static BLOCKS: Gauge<3> = Gauge::new(
    "node_buddyinfo_blocks",
    "Free blocks of memory by size: one of size N is 2 to the power of N pages in one piece.",
    ["node", "zone", "size"],
);

pub static SPEC: Spec = Spec {
    name: "buddyinfo",
    enabled: false,
    about: "Free blocks of memory by size, from /proc/buddyinfo.",
    flags: &[],
    families: &[&BLOCKS],
    build: |setup| Ok(Box::new(Buddyinfo { file: setup.host.keep_proc("buddyinfo") })),
};

struct Buddyinfo {
    file: KeptFile,
}

impl Collector for Buddyinfo {
    fn collect(&mut self, out: &mut Exposition) -> Result<(), CollectError> {
        let text = self.file.read_str()?;
        let mut blocks = out.family(&BLOCKS);
        for line in text.as_str().lines() {
            let (node, zone, counts) = parse(line)
                .ok_or_else(|| text.wrong("a node, a zone and counts expected", line))?;
            for (size, count) in counts.enumerate() {
                blocks.sample((node, zone, size), number(text, line, count)?);
            }
        }
        Ok(())
    }
}

/// `Node 0, zone   Normal   31 13977 …` (`frag_show_print` of the kernel's mm/vmstat.c).
fn parse(line: &str) -> Option<(&str, &str, impl Iterator<Item = &str>)> {
    let mut columns = line.split_ascii_whitespace();
    let node = columns.nth(1)?.trim_end_matches(',');
    let zone = columns.nth(1)?.trim_end_matches(',');
    Some((node, zone, columns))
}

fn number(text: Text<'_>, line: &str, count: &str) -> Result<u64, CollectError> {
    count.parse().map_err(|_| text.wrong("a number of blocks expected", line))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collector::testing::{collect, tree};
    use proptest::prelude::*;

    #[test]
    fn a_short_line_and_a_malformed_count_are_named() {
        for (line, problem) in [
            ("Node 0, zone", "a node, a zone and counts expected"),
            ("Node 0, zone DMA 1 x", "a number of blocks expected"),
        ] {
            let folder = tree(&[("proc/buddyinfo", line)]);
            let error = collect(&SPEC, folder.path(), &[]).1.unwrap_err().to_string();
            assert!(error.contains(problem) && error.contains(line), "{error}");
        }
    }

    proptest! {
        #[test]
        fn no_line_makes_it_panic(line in "\\PC{0,60}") {
            let _counts = parse(&line).map(|(.., counts)| counts.count());
        }
    }
}
