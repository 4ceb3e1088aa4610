//! `node_softnet_*`: what each CPU's packet backlog did, from `/proc/net/softnet_stat`.

use exporter_toolkit::{Counter, Exposition, Gauge};

use super::{CollectError, Collector, Spec};
use crate::host::KeptFile;

static PROCESSED: Counter<1> = Counter::new(
    "node_softnet_processed_total",
    "Packets each CPU took off its backlog queue.",
    ["cpu"],
);
static DROPPED: Counter<1> = Counter::new(
    "node_softnet_dropped_total",
    "Packets dropped because the CPU's backlog queue was full (net.core.netdev_max_backlog).",
    ["cpu"],
);
static SQUEEZED: Counter<1> = Counter::new(
    "node_softnet_times_squeezed_total",
    "Times the CPU's receive loop stopped with packets left, out of its budget (net.core.netdev_budget).",
    ["cpu"],
);
static COLLISION: Counter<1> = Counter::new(
    "node_softnet_cpu_collision_total",
    "Times the CPU found a device's transmit lock taken; today's kernels always say 0.",
    ["cpu"],
);
static RPS: Counter<1> = Counter::new(
    "node_softnet_received_rps_total",
    "Times another CPU woke this one up to process packets (receive packet steering).",
    ["cpu"],
);
static FLOW_LIMIT: Counter<1> = Counter::new(
    "node_softnet_flow_limit_count_total",
    "Packets dropped because a single flow filled the CPU's backlog (net.core.flow_limit_cpu_bitmap).",
    ["cpu"],
);
static BACKLOG: Gauge<1> = Gauge::new(
    "node_softnet_backlog_len",
    "Packets that wait in the CPU's backlog queue now; 0 where an old kernel does not say.",
    ["cpu"],
);

/// The counters and their columns; `softnet_seq_show` of the kernel's net/core/net-procfs.c prints them.
static COLUMNS: [(&Counter<1>, usize); 6] =
    [(&PROCESSED, 0), (&DROPPED, 1), (&SQUEEZED, 2), (&COLLISION, 8), (&RPS, 9), (&FLOW_LIMIT, 10)];
const BACKLOG_COLUMN: usize = 11;
const CPU_COLUMN: usize = 12;
/// What every kernel prints; the columns after these came one by one.
const LEAST: usize = 9;
const MOST: usize = CPU_COLUMN + 1;

pub static SPEC: Spec = Spec {
    name: "softnet",
    enabled: true,
    about: "Packet backlog of each CPU, from /proc/net/softnet_stat.",
    flags: &[],
    families: &[&PROCESSED, &DROPPED, &SQUEEZED, &COLLISION, &RPS, &FLOW_LIMIT, &BACKLOG],
    build: |setup| {
        let file = setup.host.keep_proc("net/softnet_stat");
        Ok(Box::new(Softnet { file, rows: Vec::new() }))
    },
};

struct Softnet {
    file: KeptFile,
    rows: Vec<Row>,
}

/// One CPU's columns; what its line lacks is 0.
type Row = [u64; MOST];

impl Collector for Softnet {
    fn collect(&mut self, out: &mut Exposition) -> Result<(), CollectError> {
        let text = self.file.read_str()?;
        self.rows.clear();
        for (number, line) in (0..).zip(text.lines()) {
            let row = parse(number, line)
                .ok_or_else(|| text.wrong("nine hexadecimal columns at least expected", line))?;
            if !self.rows.iter().any(|other| other[CPU_COLUMN] == row[CPU_COLUMN]) {
                self.rows.push(row);
            }
        }
        for (family, column) in COLUMNS {
            let mut samples = out.family(family);
            for row in &self.rows {
                samples.sample(row[CPU_COLUMN], row[column]);
            }
        }
        let mut backlog = out.family(&BACKLOG);
        for row in &self.rows {
            backlog.sample(row[CPU_COLUMN], row[BACKLOG_COLUMN]);
        }
        Ok(())
    }
}

/// The 13th column is the CPU; where an old kernel lacks it, the line's number is.
fn parse(number: u64, line: &str) -> Option<Row> {
    let mut row = [0; MOST];
    let mut count = 0;
    for (place, column) in row.iter_mut().zip(line.split_ascii_whitespace()) {
        *place = u64::from_str_radix(column, 16).ok()?;
        count += 1;
    }
    if count < MOST {
        row[CPU_COLUMN] = number;
        row[BACKLOG_COLUMN] = 0;
    }
    (count >= LEAST).then_some(row)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_old_kernels_line_belongs_to_the_cpu_of_its_number() {
        let row = parse(3, "00000010 2 3 0 0 0 0 0 8 9").unwrap();
        assert_eq!((row[0], row[8], row[9], row[CPU_COLUMN]), (16, 8, 9, 3));
    }

    #[test]
    fn a_new_kernels_line_names_its_cpu() {
        let row = parse(0, "10 2 3 0 0 0 0 0 8 9 a b c d e").unwrap();
        assert_eq!((row[10], row[BACKLOG_COLUMN], row[CPU_COLUMN]), (10, 11, 12));
    }

    #[test]
    fn a_short_or_malformed_line_is_refused() {
        assert_eq!(parse(0, "1 2 3 4 5 6 7 8"), None);
        assert_eq!(parse(0, "1 2 3 4 5 6 7 8 x"), None);
        assert_eq!(parse(0, ""), None);
    }

    proptest! {
        #[test]
        fn no_line_makes_it_panic(line in ".*") {
            let _row = parse(0, &line);
        }
    }
}
