//! `node_ksmd_*`: merging of equal pages, from `/sys/kernel/mm/ksm` (Documentation/admin-guide/mm/ksm.rst).

use exporter_toolkit::{Counter, Exposition, Gauge};

use super::sysclass::Attribute;
use super::{CollectError, Collector, Spec};

static FULL_SCANS: Counter<0> = Counter::new(
    "node_ksmd_full_scans_total",
    "How often all memory that may be merged was looked through.",
    [],
);
static PROFIT: Gauge<0> = Gauge::new(
    "node_ksmd_general_profit_bytes",
    "Memory saved by merging less what its bookkeeping takes; below 0 it costs more than it saves.",
    [],
);
static ACROSS_NODES: Gauge<0> = Gauge::new(
    "node_ksmd_merge_across_nodes",
    "1 where pages of different NUMA nodes may be merged.",
    [],
);
static SHARED: Gauge<0> =
    Gauge::new("node_ksmd_pages_shared", "Pages that stand for several equal ones.", []);
static SHARING: Gauge<0> = Gauge::new(
    "node_ksmd_pages_sharing",
    "Places that use a shared page beyond the first: pages that are saved.",
    [],
);
static TO_SCAN: Gauge<0> = Gauge::new(
    "node_ksmd_pages_to_scan",
    "Pages that are looked at between two sleeps of the daemon.",
    [],
);
static UNSHARED: Gauge<0> = Gauge::new(
    "node_ksmd_pages_unshared",
    "Pages without an equal one, though looked at again and again.",
    [],
);
static VOLATILE: Gauge<0> = Gauge::new(
    "node_ksmd_pages_volatile",
    "Pages that change too fast to be compared with others.",
    [],
);
static RUN: Gauge<0> = Gauge::new(
    "node_ksmd_run",
    "1 while pages are merged, 0 where that is stopped, 2 where all are taken apart again.",
    [],
);
static SLEEP: Gauge<0> =
    Gauge::new("node_ksmd_sleep_seconds", "How long the daemon sleeps between two batches.", []);

/// The files of [`FULL_SCANS`], [`SLEEP`] and [`GAUGES`] in turn.
const FILES: [&str; 10] = [
    "full_scans",
    "sleep_millisecs",
    "general_profit",
    "merge_across_nodes",
    "pages_shared",
    "pages_sharing",
    "pages_to_scan",
    "pages_unshared",
    "pages_volatile",
    "run",
];
static GAUGES: [&Gauge<0>; 8] =
    [&PROFIT, &ACROSS_NODES, &SHARED, &SHARING, &TO_SCAN, &UNSHARED, &VOLATILE, &RUN];

pub static SPEC: Spec = Spec {
    name: "ksmd",
    enabled: false,
    about: "Merging of equal pages of memory, from /sys/kernel/mm/ksm.",
    flags: &[],
    families: &[
        &FULL_SCANS,
        &PROFIT,
        &ACROSS_NODES,
        &SHARED,
        &SHARING,
        &TO_SCAN,
        &UNSHARED,
        &VOLATILE,
        &RUN,
        &SLEEP,
    ],
    build: |setup| {
        let folder = setup.host.sys("kernel/mm/ksm");
        let files = FILES.map(|file| Attribute::new(&setup.host, folder.join(file)));
        Ok(Box::new(Ksmd { files }))
    },
};

struct Ksmd {
    files: [Attribute; FILES.len()],
}

impl Collector for Ksmd {
    /// What this kernel lacks has no sample; one without any of it is no failure.
    fn collect(&mut self, out: &mut Exposition) -> Result<(), CollectError> {
        let [scans, sleep, gauges @ ..] = &mut self.files;
        out.family(&FULL_SCANS).maybe((), scans.number());
        out.family(&SLEEP).maybe((), sleep.number().map(|millis| millis / 1000.0));
        for (family, file) in GAUGES.iter().zip(gauges) {
            out.family(family).maybe((), file.number());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collector::testing::{collect, tree};

    #[test]
    fn merging_that_costs_more_than_it_saves_has_a_negative_profit() {
        let folder = tree(&[("sys/kernel/mm/ksm/general_profit", "-4096\n")]);
        let (samples, result) = collect(&SPEC, folder.path(), &[]);
        assert_eq!(samples, ["node_ksmd_general_profit_bytes -4096"]);
        assert!(result.is_ok());
    }

    #[test]
    fn a_kernel_without_merging_gives_no_sample_and_does_not_fail() {
        let (samples, result) = collect(&SPEC, tree(&[]).path(), &[]);
        assert!(samples.is_empty() && result.is_ok());
    }
}
