//! `node_slabinfo_*`: the kernel's own caches of objects, from `/proc/slabinfo` (slabinfo(5)), which only root can read.

use exporter_toolkit::{Exposition, Gauge};

use super::{CollectError, Collector, Spec};
use crate::filter::{Filter, PatternFlag};
use crate::flags::Flag;
use crate::host::KeptFile;

const LABELS: [&str; 1] = ["slab"];
static ACTIVE: Gauge<1> =
    Gauge::new("node_slabinfo_active_objects", "Objects of the cache that are in use.", LABELS);
static OBJECTS: Gauge<1> = Gauge::new(
    "node_slabinfo_objects",
    "Objects that the cache has memory for, whether in use or not.",
    LABELS,
);
static SIZE: Gauge<1> =
    Gauge::new("node_slabinfo_object_size_bytes", "Size of one object of the cache.", LABELS);
static OBJECTS_PER_SLAB: Gauge<1> =
    Gauge::new("node_slabinfo_objects_per_slab", "Objects in each slab of the cache.", LABELS);
static PAGES_PER_SLAB: Gauge<1> = Gauge::new(
    "node_slabinfo_pages_per_slab",
    "Pages of memory in each slab of the cache.",
    LABELS,
);

/// In the order of the columns (`cache_show` of `mm/slab_common.c`).
static COLUMNS: [&Gauge<1>; 5] = [&ACTIVE, &OBJECTS, &SIZE, &OBJECTS_PER_SLAB, &PAGES_PER_SLAB];

static INCLUDE: PatternFlag = Flag::new(
    "collector.slabinfo.slabs-include",
    ".*",
    "Regular expression of caches to show, matched against their names.",
);
static EXCLUDE: PatternFlag = Flag::new(
    "collector.slabinfo.slabs-exclude",
    "",
    "Regular expression of caches to leave out, matched against their names.",
);

pub static SPEC: Spec = Spec {
    name: "slabinfo",
    enabled: false,
    about: "The kernel's caches of objects, from /proc/slabinfo; needs root.",
    flags: &[&INCLUDE, &EXCLUDE],
    families: &[&ACTIVE, &OBJECTS, &SIZE, &OBJECTS_PER_SLAB, &PAGES_PER_SLAB],
    build: |setup| {
        Ok(Box::new(Slabinfo {
            file: setup.host.keep_proc("slabinfo"),
            filter: Filter::from_both_flags(&setup.flags, &INCLUDE, &EXCLUDE)?,
        }))
    },
};

struct Slabinfo {
    file: KeptFile,
    filter: Filter,
}

impl Collector for Slabinfo {
    fn collect(&mut self, out: &mut Exposition) -> Result<(), CollectError> {
        let text = self.file.read_str()?;
        let mut caches = Vec::new();
        let lines = text.as_str().lines();
        for line in lines.filter(|line| !line.starts_with("slabinfo - ") && !line.starts_with('#'))
        {
            let (name, columns) = parse(line)
                .ok_or_else(|| text.wrong("a name and five numbers of objects expected", line))?;
            if !self.filter.ignores(name) {
                caches.push((name, columns));
            }
        }
        for (i, family) in COLUMNS.iter().enumerate() {
            let mut samples = out.family(family);
            for (name, columns) in &caches {
                samples.sample(*name, columns[i]);
            }
        }
        Ok(())
    }
}

/// `kmalloc-8k  132  148  8192  4  8 : tunables …`: some names hold blanks, so the numbers are taken from the right.
fn parse(line: &str) -> Option<(&str, [u64; COLUMNS.len()])> {
    let (mut rest, _) = line.split_once(" :")?;
    let mut columns = [0; COLUMNS.len()];
    for column in columns.iter_mut().rev() {
        let (before, number) = rest.trim_ascii_end().rsplit_once(' ')?;
        *column = number.parse().ok()?;
        rest = before;
    }
    let name = rest.trim_ascii();
    (!name.is_empty()).then_some((name, columns))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collector::testing::{collect, tree};
    use proptest::prelude::*;

    const FILE: (&str, &str) = (
        "proc/slabinfo",
        "slabinfo - version: 2.1\n# name            <active_objs> <num_objs>\n\
         dentry  9 12 192 21 1 : tunables 0 0 0 : slabdata 1 1 0\n\
         UDP Lite  1 2 3 4 5 : tunables 0 0 0 : slabdata 1 1 0\n",
    );

    fn actives(flags: &[(&str, &str)]) -> Vec<String> {
        let (mut samples, result) = collect(&SPEC, tree(&[FILE]).path(), flags);
        assert!(result.is_ok(), "{result:?}");
        samples.retain(|line| line.starts_with("node_slabinfo_active"));
        samples
    }

    #[test]
    fn a_name_may_hold_blanks() {
        assert_eq!(
            actives(&[]),
            [
                "node_slabinfo_active_objects{slab=\"dentry\"} 9",
                "node_slabinfo_active_objects{slab=\"UDP Lite\"} 1"
            ]
        );
    }

    #[test]
    fn both_patterns_hold() {
        let include = ("collector.slabinfo.slabs-include", "^(dentry|inode)");
        assert_eq!(actives(&[include]).len(), 1);
        assert!(actives(&[include, ("collector.slabinfo.slabs-exclude", "dent")]).is_empty());
    }

    #[test]
    fn a_short_line_is_named() {
        let folder = tree(&[("proc/slabinfo", "dentry 9 12 192 21 : tunables\n")]);
        let error = collect(&SPEC, folder.path(), &[]).1.unwrap_err().to_string();
        assert!(error.contains("proc/slabinfo: a name and five numbers"), "{error}");
    }

    proptest! {
        #[test]
        fn no_line_makes_it_panic(line in "\\PC{0,60}|[a-z ]{0,9}( [0-9]{0,21}){0,6} :") {
            let _columns = parse(&line);
        }
    }
}
