//! `node_schedstat_*`: what the scheduler did on each CPU, from `/proc/schedstat`
//! (Documentation/scheduler/sched-stats.rst).

use exporter_toolkit::{Counter, Exposition};

use super::{CollectError, Collector, Spec};
use crate::host::KeptFile;

static RUNNING: Counter<1> = Counter::new(
    "node_schedstat_running_seconds_total",
    "Time that tasks spent running on each CPU.",
    ["cpu"],
);
static WAITING: Counter<1> = Counter::new(
    "node_schedstat_waiting_seconds_total",
    "Time that runnable tasks spent waiting for each CPU.",
    ["cpu"],
);
static TIMESLICES: Counter<1> = Counter::new(
    "node_schedstat_timeslices_total",
    "How often a task was given each CPU for a while.",
    ["cpu"],
);

pub static SPEC: Spec = Spec {
    name: "schedstat",
    enabled: true,
    about: "Running and waiting time of tasks by CPU, from /proc/schedstat.",
    flags: &[],
    families: &[&RUNNING, &WAITING, &TIMESLICES],
    build: |setup| {
        Ok(Box::new(Schedstat { file: setup.host.keep_proc("schedstat"), rows: Vec::new() }))
    },
};

const NANOSECONDS: f64 = 1e9;

struct Schedstat {
    file: KeptFile,
    rows: Vec<Row>,
}

/// The last three of a CPU's columns: nanoseconds running, nanoseconds waiting, time slices.
#[derive(Debug, PartialEq)]
struct Row {
    cpu: u32,
    running: u64,
    waiting: u64,
    timeslices: u64,
}

impl Collector for Schedstat {
    fn collect(&mut self, out: &mut Exposition) -> Result<(), CollectError> {
        let text = self.file.read_str()?;
        self.rows.clear();
        self.rows.extend(text.as_str().lines().filter_map(row));
        self.rows.sort_by_key(|row| row.cpu);
        self.rows.dedup_by_key(|row| row.cpu);
        let mut running = out.family(&RUNNING);
        for row in &self.rows {
            running.sample(row.cpu, row.running as f64 / NANOSECONDS);
        }
        let mut waiting = out.family(&WAITING);
        for row in &self.rows {
            waiting.sample(row.cpu, row.waiting as f64 / NANOSECONDS);
        }
        let mut timeslices = out.family(&TIMESLICES);
        for row in &self.rows {
            timeslices.sample(row.cpu, row.timeslices);
        }
        Ok(())
    }
}

/// `cpuN` and nine columns, which is what every version since 15 prints; other lines describe domains and versions.
fn row(line: &str) -> Option<Row> {
    let mut columns = line.strip_prefix("cpu")?.split_ascii_whitespace();
    let cpu = columns.next()?.parse().ok()?;
    let running = columns.nth(6)?.parse().ok()?;
    let waiting = columns.next()?.parse().ok()?;
    Some(Row { cpu, running, waiting, timeslices: columns.next()?.parse().ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_short_line_is_left_out() {
        let expected = Row { cpu: 3, running: 7, waiting: 8, timeslices: 9 };
        assert_eq!(row("cpu3 1 0 3 4 5 6 7 8 9"), Some(expected));
        assert_eq!(row("cpu3 1 0 3 4 5 6 7 8"), None);
        assert_eq!(row("domain0 00000003 1 2 3 4 5 6 7 8 9"), None);
        assert_eq!(row("cpux 1 0 3 4 5 6 7 8 9"), None);
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(line in "\\PC{0,60}") {
            let _row = row(&line);
            let _row = row(&format!("cpu{line}"));
        }
    }
}
