//! `node_ipvs_*`: the kernel's load balancer, from `/proc/net/ip_vs_stats` and `/proc/net/ip_vs`.

mod backends;
mod labels;

use exporter_toolkit::name::MetricName;
use exporter_toolkit::{Counter, Described, Exposition, Gauge, Kind};

use self::backends::{Backend, Counts};
use self::labels::BackendLabels;
use super::{CollectError, Collector, Spec};
use crate::flags::Flag;
use crate::host::{KeptFile, Text};

static LABELS: Flag<BackendLabels> = Flag::new(
    "collector.ipvs.backend-labels",
    "local_address,local_port,remote_address,remote_port,proto,local_mark",
    "Labels of a backend's series, with commas between; backends that differ in no label are summed.",
);

static CONNECTIONS: Counter<0> =
    Counter::new("node_ipvs_connections_total", "Connections that were balanced.", []);
static IN_PACKETS: Counter<0> =
    Counter::new("node_ipvs_incoming_packets_total", "Packets from clients.", []);
static OUT_PACKETS: Counter<0> = Counter::new(
    "node_ipvs_outgoing_packets_total",
    "Packets to clients; none where backends answer them directly.",
    [],
);
static IN_BYTES: Counter<0> =
    Counter::new("node_ipvs_incoming_bytes_total", "Bytes from clients.", []);
static OUT_BYTES: Counter<0> = Counter::new(
    "node_ipvs_outgoing_bytes_total",
    "Bytes to clients; none where backends answer them directly.",
    [],
);

/// The totals in the order of their columns (`ip_vs_stats_show` of `net/netfilter/ipvs/ip_vs_ctl.c`).
static TOTALS: [&Counter<0>; 5] = [&CONNECTIONS, &IN_PACKETS, &OUT_PACKETS, &IN_BYTES, &OUT_BYTES];

const ALL_LABELS: [&str; 6] =
    ["local_address", "local_port", "remote_address", "remote_port", "proto", "local_mark"];
static ACTIVE: Gauge<6> = Gauge::new(
    "node_ipvs_backend_connections_active",
    "Connections to the backend that are established.",
    ALL_LABELS,
);
static INACTIVE: Gauge<6> = Gauge::new(
    "node_ipvs_backend_connections_inactive",
    "Connections to the backend that are in any other state.",
    ALL_LABELS,
);
static WEIGHT: Gauge<6> = Gauge::new(
    "node_ipvs_backend_weight",
    "The backend's share of new connections, in proportion to the others' weights.",
    ALL_LABELS,
);

type OfCounts = fn(&Counts) -> u64;
/// The families whose labels the flag chooses.
static BACKENDS: [(&Gauge<6>, OfCounts); 3] = [
    (&ACTIVE, |counts| counts.active),
    (&INACTIVE, |counts| counts.inactive),
    (&WEIGHT, |counts| counts.weight),
];

pub static SPEC: Spec = Spec {
    name: "ipvs",
    enabled: true,
    about: "The kernel's load balancer, from /proc/net/ip_vs and ip_vs_stats.",
    flags: &[&LABELS],
    families: &[
        &CONNECTIONS,
        &IN_PACKETS,
        &OUT_PACKETS,
        &IN_BYTES,
        &OUT_BYTES,
        &ACTIVE,
        &INACTIVE,
        &WEIGHT,
    ],
    build: |setup| {
        Ok(Box::new(Ipvs {
            stats: setup.host.keep_proc("net/ip_vs_stats"),
            table: setup.host.keep_proc("net/ip_vs"),
            labels: setup.flags.get(&LABELS)?,
            names: BACKENDS.map(|(family, _)| MetricName::sanitize(&[family.name()])),
            backends: Vec::new(),
        }))
    },
};

struct Ipvs {
    stats: KeptFile,
    table: KeptFile,
    labels: BackendLabels,
    names: [MetricName; BACKENDS.len()],
    backends: Vec<(Backend, Counts)>,
}

impl Collector for Ipvs {
    fn collect(&mut self, out: &mut Exposition) -> Result<(), CollectError> {
        let totals = totals(self.stats.read_str()?)?;
        for (family, total) in TOTALS.iter().zip(totals) {
            out.family(family).sample((), total);
        }
        let (labels, backends) = (&self.labels, &mut self.backends);
        backends.clear();
        backends::each(self.table.read_str()?, |backend, counts| {
            backends.push((labels.reduce(backend), counts));
        })?;
        sum_alike(backends);
        for (name, (family, value)) in self.names.iter().zip(BACKENDS) {
            let mut samples = out.dynamic(name, Kind::Gauge, family.help());
            for (backend, counts) in &*backends {
                samples.sample(labels.of(backend), value(counts));
            }
        }
        Ok(())
    }
}

/// The third line: five hexadecimal totals since boot.
fn totals(text: Text<'_>) -> Result<[u64; TOTALS.len()], CollectError> {
    let line = text.lines().nth(2).unwrap_or_default();
    let mut columns = line.split_ascii_whitespace();
    let mut totals = [0; TOTALS.len()];
    for total in &mut totals {
        let column = columns.next().and_then(|column| u64::from_str_radix(column, 16).ok());
        *total = column.ok_or_else(|| {
            text.wrong("five hexadecimal columns expected in the third line", line)
        })?;
    }
    Ok(totals)
}

/// Sorts the backends and makes those that are one series one.
fn sum_alike(backends: &mut Vec<(Backend, Counts)>) {
    backends.sort_unstable_by_key(|(backend, _)| *backend);
    backends.dedup_by(|(later, more), (first, sum)| {
        let same = later == first;
        if same {
            sum.add(*more);
        }
        same
    });
}

#[cfg(test)]
mod tests {
    use super::super::testing::{collect, tree};
    use super::*;

    const STATS: (&str, &str) =
        ("proc/net/ip_vs_stats", "Total\n Conns\n 10 2 3 A F\n\n Conns/s\n");

    fn run(table: &str, flags: &[(&str, &str)]) -> (Vec<String>, Result<(), CollectError>) {
        let folder = tree(&[STATS, ("proc/net/ip_vs", table)]);
        let (mut samples, result) = collect(&SPEC, folder.path(), flags);
        let rest = samples.split_off(5);
        assert_eq!(samples[0], "node_ipvs_connections_total 16");
        assert_eq!(samples[4], "node_ipvs_outgoing_bytes_total 15");
        (rest, result)
    }

    const TABLE: &str = "IP Virtual Server version 1.2.1 (size=4096)\n\
        Prot LocalAddress:Port Scheduler Flags\n  -> RemoteAddress:Port Forward Weight ActiveConn InActConn\n\
        TCP  C0000201:0050 rr\n  -> 0A000001:1F90 Masq 1 7 2\n  -> 0A000002:1F90 Masq 3 5 0\n";

    #[test]
    fn backends_that_differ_in_no_label_are_summed() {
        let flags = [("collector.ipvs.backend-labels", "local_port,proto")];
        let (samples, result) = run(TABLE, &flags);
        assert!(result.is_ok());
        let series =
            |name, n| format!("node_ipvs_backend_{name}{{local_port=\"80\",proto=\"TCP\"}} {n}");
        assert_eq!(
            samples,
            [
                series("connections_active", 12),
                series("connections_inactive", 2),
                series("weight", 4)
            ]
        );
    }

    #[test]
    fn without_any_label_all_backends_are_one_series() {
        let (samples, _) = run(TABLE, &[("collector.ipvs.backend-labels", "")]);
        assert_eq!(samples[0], "node_ipvs_backend_connections_active 12");
    }

    #[test]
    fn backends_of_an_unknown_protocol_go_to_no_other_service() {
        let table = format!("{TABLE}IP_51  C0000201:0050 rr\n  -> 0A000003:1F90 Masq 1 99 2\n");
        let (samples, result) = run(&table, &[("collector.ipvs.backend-labels", "proto")]);
        assert!(result.is_ok());
        assert_eq!(samples[0], "node_ipvs_backend_connections_active{proto=\"TCP\"} 12");
    }

    #[test]
    fn a_malformed_backend_names_its_line() {
        let (samples, result) = run("TCP  C0000201:0050 rr\n  -> 0A000001:1F90 Masq x 7 2\n", &[]);
        assert!(samples.is_empty());
        let error = result.unwrap_err().to_string();
        assert!(error.contains("net/ip_vs: ") && error.contains("Masq x 7 2"), "{error}");
    }

    #[test]
    fn a_host_without_the_load_balancer_has_no_data() {
        assert!(collect(&SPEC, tree(&[]).path(), &[]).1.unwrap_err().is_no_data());
    }
}
