//! `node_nf_conntrack_*`: the connection tracking table, from `/proc/sys/net/netfilter` and `/proc/net/stat/nf_conntrack`.

use exporter_toolkit::{Exposition, Gauge};

use super::{CollectError, Collector, Spec};
use crate::host::{KeptFile, Text};

static ENTRIES: Gauge<0> =
    Gauge::new("node_nf_conntrack_entries", "Connections that the kernel tracks now.", []);
static LIMIT: Gauge<0> = Gauge::new(
    "node_nf_conntrack_entries_limit",
    "Connections that the kernel tracks at most (net.netfilter.nf_conntrack_max); beyond that packets are dropped.",
    [],
);
static FOUND: Gauge<0> = Gauge::new(
    "node_nf_conntrack_stat_found",
    "Lookups that found their connection, since boot.",
    [],
);
static INVALID: Gauge<0> = Gauge::new(
    "node_nf_conntrack_stat_invalid",
    "Packets that could not be tracked, since boot.",
    [],
);
static IGNORE: Gauge<0> = Gauge::new(
    "node_nf_conntrack_stat_ignore",
    "Packets of connections that were tracked already or are exempt, since boot.",
    [],
);
static INSERT: Gauge<0> =
    Gauge::new("node_nf_conntrack_stat_insert", "Entries put into the table, since boot.", []);
static INSERT_FAILED: Gauge<0> = Gauge::new(
    "node_nf_conntrack_stat_insert_failed",
    "Entries that the table did not take, as one like them was there, since boot.",
    [],
);
static DROP: Gauge<0> = Gauge::new(
    "node_nf_conntrack_stat_drop",
    "Packets dropped because tracking them failed, mostly for a full table, since boot.",
    [],
);
static EARLY_DROP: Gauge<0> = Gauge::new(
    "node_nf_conntrack_stat_early_drop",
    "Entries thrown out of a full table to make room, since boot.",
    [],
);
static SEARCH_RESTART: Gauge<0> = Gauge::new(
    "node_nf_conntrack_stat_search_restart",
    "Lookups that began anew because the table was being resized, since boot.",
    [],
);

/// The columns by their names in the file's header (`ct_cpu_seq_show` of `net/netfilter/nf_conntrack_standalone.c`).
static COLUMNS: [(&str, &Gauge<0>); 8] = [
    ("found", &FOUND),
    ("invalid", &INVALID),
    ("ignore", &IGNORE),
    ("insert", &INSERT),
    ("insert_failed", &INSERT_FAILED),
    ("drop", &DROP),
    ("early_drop", &EARLY_DROP),
    ("search_restart", &SEARCH_RESTART),
];

pub static SPEC: Spec = Spec {
    name: "conntrack",
    enabled: true,
    about: "Connection tracking table, from /proc/sys/net/netfilter and /proc/net/stat/nf_conntrack.",
    flags: &[],
    families: &[
        &ENTRIES,
        &LIMIT,
        &FOUND,
        &INVALID,
        &IGNORE,
        &INSERT,
        &INSERT_FAILED,
        &DROP,
        &EARLY_DROP,
        &SEARCH_RESTART,
    ],
    build: |setup| {
        let keep = |file| setup.host.keep_proc(file);
        Ok(Box::new(Conntrack {
            count: keep("sys/net/netfilter/nf_conntrack_count"),
            limit: keep("sys/net/netfilter/nf_conntrack_max"),
            stat: keep("net/stat/nf_conntrack"),
        }))
    },
};

struct Conntrack {
    count: KeptFile,
    limit: KeptFile,
    stat: KeptFile,
}

impl Collector for Conntrack {
    fn collect(&mut self, out: &mut Exposition) -> Result<(), CollectError> {
        out.family(&ENTRIES).sample((), number(&mut self.count)?);
        out.family(&LIMIT).sample((), number(&mut self.limit)?);
        // A kernel without CONFIG_NF_CONNTRACK_PROCFS has no such file.
        let text = match self.stat.read_str() {
            Err(error) if error.is_no_data() => return Ok(()),
            text => text?,
        };
        let sums = sums(text)?;
        for ((_, family), sum) in COLUMNS.iter().zip(sums) {
            out.family(family).maybe((), sum);
        }
        Ok(())
    }
}

fn number(file: &mut KeptFile) -> Result<u64, CollectError> {
    let text = file.read_str()?;
    text.trim_ascii().parse().map_err(|_| text.wrong("a number expected", &text))
}

/// Sums each known column over the CPUs' lines, which are hexadecimal; a column that the header lacks is `None`.
fn sums(text: Text<'_>) -> Result<[Option<u64>; COLUMNS.len()], CollectError> {
    let mut sums = [None::<u64>; COLUMNS.len()];
    let mut lines = text.lines();
    let header = lines.next().unwrap_or_default();
    for line in lines {
        let mut values = line.split_ascii_whitespace();
        for name in header.split_ascii_whitespace() {
            let Some(value) = values.next() else {
                return Err(text.wrong("fewer columns than the header has", line));
            };
            let Some(at) = COLUMNS.iter().position(|(known, _)| *known == name) else { continue };
            let value = u64::from_str_radix(value, 16)
                .map_err(|_| text.wrong("hexadecimal columns expected", line))?;
            sums[at] = Some(sums[at].unwrap_or(0).wrapping_add(value));
        }
    }
    Ok(sums)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{collect, tree};
    use super::*;

    const COUNT: (&str, &str) = ("proc/sys/net/netfilter/nf_conntrack_count", "17\n");
    const MAX: (&str, &str) = ("proc/sys/net/netfilter/nf_conntrack_max", "262144\n");

    #[test]
    fn a_kernel_without_statistics_gives_the_tables_size() {
        let folder = tree(&[COUNT, MAX]);
        let (samples, result) = collect(&SPEC, folder.path(), &[]);
        assert!(result.is_ok());
        assert_eq!(
            samples,
            ["node_nf_conntrack_entries 17", "node_nf_conntrack_entries_limit 262144"]
        );
    }

    #[test]
    fn a_line_that_is_shorter_than_its_header_is_refused() {
        let stat = ("proc/net/stat/nf_conntrack", "entries found\n00000011\n");
        let folder = tree(&[COUNT, MAX, stat]);
        let error = collect(&SPEC, folder.path(), &[]).1.unwrap_err().to_string();
        assert!(error.contains("fewer columns than the header has"), "{error}");
    }

    #[test]
    fn a_host_that_tracks_no_connections_has_no_data() {
        assert!(collect(&SPEC, tree(&[]).path(), &[]).1.unwrap_err().is_no_data());
    }
}
