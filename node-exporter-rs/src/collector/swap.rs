//! `node_swap_*`: swap areas, from `/proc/swaps`.

use exporter_toolkit::{Exposition, Gauge};

use super::{CollectError, Collector, Spec};
use crate::host::KeptFile;

const LABELS: [&str; 2] = ["device", "swap_type"];
static SIZE: Gauge<2> = Gauge::new("node_swap_size_bytes", "What fits into the swap area.", LABELS);
static USED: Gauge<2> =
    Gauge::new("node_swap_used_bytes", "How much of the swap area is in use.", LABELS);
static PRIORITY: Gauge<2> = Gauge::new(
    "node_swap_priority",
    "The swap area's rank: the area of the highest number is filled first.",
    LABELS,
);

pub static SPEC: Spec = Spec {
    name: "swap",
    enabled: false,
    about: "Size and use of each swap area, from /proc/swaps.",
    flags: &[],
    families: &[&SIZE, &USED, &PRIORITY],
    build: |setup| {
        let file = setup.host.keep_proc("swaps").with_long_records();
        Ok(Box::new(Swap { file }))
    },
};

struct Swap {
    file: KeptFile,
}

impl Collector for Swap {
    fn collect(&mut self, out: &mut Exposition) -> Result<(), CollectError> {
        let text = self.file.read_str()?;
        let mut areas = Vec::new();
        for line in text.as_str().lines().skip(1) {
            areas.push(Area::parse(line).ok_or_else(|| {
                text.wrong("a device, a type, a size, a use and a priority expected", line)
            })?);
        }
        let mut size = out.family(&SIZE);
        for area in &areas {
            size.sample(area.labels, area.size);
        }
        let mut used = out.family(&USED);
        for area in &areas {
            used.sample(area.labels, area.used);
        }
        let mut priority = out.family(&PRIORITY);
        for area in &areas {
            priority.sample(area.labels, area.priority);
        }
        Ok(())
    }
}

struct Area<'a> {
    labels: (&'a str, &'a str),
    /// In bytes, as `used` is.
    size: u64,
    used: u64,
    priority: i64,
}

impl<'a> Area<'a> {
    /// `/dev/sda2  partition  8388604  76  -2` (`swap_show` of mm/swapfile.c): sizes are in KiB, and a blank in a name is
    /// written `\040`.
    fn parse(line: &'a str) -> Option<Self> {
        let mut columns = line.split_ascii_whitespace();
        let labels = (columns.next()?, columns.next()?);
        let mut bytes = || columns.next()?.parse::<u64>().ok()?.checked_mul(1024);
        let (size, used) = (bytes()?, bytes()?);
        Some(Self { labels, size, used, priority: columns.next()?.parse().ok()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collector::testing::{collect, tree};
    use proptest::prelude::*;

    #[test]
    fn a_short_line_is_named() {
        let folder = tree(&[("proc/swaps", "Filename Type\n/dev/a file 12 x 3\n")]);
        let error = collect(&SPEC, folder.path(), &[]).1.unwrap_err().to_string();
        assert!(error.contains("proc/swaps: a device") && error.contains("12 x 3"), "{error}");
    }

    #[test]
    fn a_host_without_swap_gives_no_sample_and_does_not_fail() {
        let (samples, result) = collect(&SPEC, tree(&[("proc/swaps", "Filename\n")]).path(), &[]);
        assert!(samples.is_empty() && result.is_ok());
    }

    proptest! {
        #[test]
        fn no_line_makes_it_panic(line in "\\PC{0,60}|a b [0-9]{0,22} [0-9]{0,22} -?[0-9]{0,22}") {
            let _area = Area::parse(&line);
        }
    }
}
