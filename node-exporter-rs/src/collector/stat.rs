//! `node_boot_time_seconds`, `node_context_switches_total` and their neighbours: the whole host's lines of `/proc/stat`.
//!
//! The lines of the single CPUs are read by the collector `cpu`.

use std::sync::Arc;
use std::time::Instant;

use exporter_toolkit::{Counter, Exposition, Gauge};

use super::{CollectError, Collector, Spec};
use crate::flags::Flag;
use crate::host::{SharedFile, Text};

static INTERRUPTS: Counter<0> =
    Counter::new("node_intr_total", "Interrupts that the host has served since boot.", []);
static SWITCHES: Counter<0> = Counter::new(
    "node_context_switches_total",
    "How often a CPU turned from one task to another since boot.",
    [],
);
static FORKS: Counter<0> =
    Counter::new("node_forks_total", "Processes and threads created since boot.", []);
static BOOT: Gauge<0> = Gauge::new(
    "node_boot_time_seconds",
    "When the host was booted, in seconds since the epoch.",
    [],
);
static RUNNING: Gauge<0> =
    Gauge::new("node_procs_running", "Tasks that run or wait for a CPU now.", []);
static BLOCKED: Gauge<0> = Gauge::new(
    "node_procs_blocked",
    "Tasks that sleep now until a device answers, which no signal interrupts.",
    [],
);
static SOFTIRQS: Counter<1> = Counter::new(
    "node_softirqs_total",
    "How often the handler of each kind of deferred interrupt work ran since boot.",
    ["vector"],
);

static SOFTIRQ: Flag<bool> = Flag::new(
    "collector.stat.softirq",
    "false",
    "Count deferred interrupt work by kind: node_softirqs_total.",
);

pub static SPEC: Spec = Spec {
    name: "stat",
    enabled: true,
    about: "Boot time, forks, context switches and interrupts, from /proc/stat.",
    flags: &[&SOFTIRQ],
    families: &[&INTERRUPTS, &SWITCHES, &FORKS, &BOOT, &RUNNING, &BLOCKED, &SOFTIRQS],
    build: |setup| {
        let softirq = setup.flags.get(&SOFTIRQ)?;
        Ok(Box::new(Stat { file: setup.host.stat(), round: None, softirq }))
    },
};

/// The kernel's order of the columns after the sum: `enum` of linux/interrupt.h.
const VECTORS: [&str; 10] = [
    "hi",
    "timer",
    "net_tx",
    "net_rx",
    "block",
    "block_iopoll",
    "tasklet",
    "sched",
    "hrtimer",
    "rcu",
];

struct Stat {
    file: Arc<SharedFile>,
    /// The deadline of the scrape, by which the file is shared.
    round: Option<Instant>,
    softirq: bool,
}

impl Collector for Stat {
    fn answer_by(&mut self, deadline: Instant) {
        self.round = Some(deadline);
    }

    fn collect(&mut self, out: &mut Exposition) -> Result<(), CollectError> {
        let reading = self.file.read(self.round.take())?;
        let text = reading.text()?;
        let lines = Lines::find(text)?;
        out.family(&INTERRUPTS).maybe((), lines.interrupts);
        out.family(&SWITCHES).maybe((), lines.switches);
        out.family(&FORKS).maybe((), lines.forks);
        out.family(&BOOT).maybe((), lines.boot);
        out.family(&RUNNING).maybe((), lines.running);
        out.family(&BLOCKED).maybe((), lines.blocked);
        if self.softirq {
            let mut softirqs = out.family(&SOFTIRQS);
            for (vector, column) in VECTORS.iter().zip(lines.softirqs.split_ascii_whitespace()) {
                let count: u64 =
                    column.parse().map_err(|_| text.wrong("softirq: no count", lines.softirqs))?;
                softirqs.sample(vector, count);
            }
        }
        Ok(())
    }
}

/// What the lines without a CPU's number say; a line that the kernel does not print is `None`.
#[derive(Debug, Default, PartialEq)]
struct Lines<'a> {
    interrupts: Option<u64>,
    switches: Option<u64>,
    forks: Option<u64>,
    boot: Option<u64>,
    running: Option<u64>,
    blocked: Option<u64>,
    /// The columns after the sum.
    softirqs: &'a str,
}

impl<'a> Lines<'a> {
    /// The line `intr` may hold thousands of columns, of which the first is the sum; the rest is not looked at.
    fn find(text: Text<'a>) -> Result<Self, CollectError> {
        let mut found = Self::default();
        for line in text.as_str().lines() {
            let Some((name, rest)) = line.split_once(' ') else { continue };
            let (first, rest) = rest.split_once(' ').unwrap_or((rest, ""));
            let place = match name {
                "intr" => &mut found.interrupts,
                "ctxt" => &mut found.switches,
                "processes" => &mut found.forks,
                "btime" => &mut found.boot,
                "procs_running" => &mut found.running,
                "procs_blocked" => &mut found.blocked,
                "softirq" => {
                    found.softirqs = rest;
                    continue;
                }
                _ => continue,
            };
            *place = Some(first.parse().map_err(|_| text.wrong("no count", line))?);
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collector::Setup;
    use crate::collector::testing::{collect, tree};
    use crate::host::Host;
    use proptest::prelude::*;

    #[test]
    fn a_line_that_the_kernel_does_not_print_is_no_sample() {
        let folder = tree(&[("proc/stat", "cpu 1 2\nbtime 7\nodd\nprocs_running 3\n")]);
        let (samples, result) = collect(&SPEC, folder.path(), &[]);
        assert_eq!(samples, ["node_boot_time_seconds 7", "node_procs_running 3"]);
        assert!(result.is_ok());
    }

    #[test]
    fn one_reading_a_scrape_serves_the_collector_cpu_as_well() {
        let folder = tree(&[("proc/stat", "cpu0 1 1 1 100\nbtime 7\n")]);
        let setup = Setup { host: Host::below(folder.path()), ..Setup::default() };
        let mut cpu = (super::super::cpu::SPEC.build)(&setup).unwrap();
        let mut stat = (SPEC.build)(&setup).unwrap();
        let told = |collector: &mut Box<dyn Collector>, deadline| {
            let mut out = Exposition::new(exporter_toolkit::Format::Text);
            collector.answer_by(deadline);
            collector.collect(&mut out).unwrap();
            String::from_utf8(out.text().to_vec()).unwrap()
        };
        let now = Instant::now();
        assert!(told(&mut cpu, now).contains("mode=\"idle\"} 1\n"));
        std::fs::write(folder.path().join("proc/stat"), "cpu0 1 1 1 200\nbtime 8\n").unwrap();
        assert!(told(&mut stat, now).contains("node_boot_time_seconds 7\n"));
        let later = now + std::time::Duration::from_secs(1);
        assert!(told(&mut stat, later).contains("node_boot_time_seconds 8\n"));
        assert!(told(&mut cpu, later).contains("mode=\"idle\"} 2\n"));
    }

    #[test]
    fn a_line_without_a_number_is_named() {
        let folder = tree(&[("proc/stat", "ctxt many\n")]);
        let (samples, result) = collect(&SPEC, folder.path(), &[]);
        assert!(samples.is_empty());
        let error = result.unwrap_err().to_string();
        assert!(error.ends_with("proc/stat: no count: \"ctxt many\""), "{error}");
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(text in "(intr|ctxt|softirq|btime)?[ 0-9a-z\\n]{0,40}") {
            let folder = tree(&[("proc/stat", &text)]);
            let _verdict = collect(&SPEC, folder.path(), &[("collector.stat.softirq", "true")]);
        }
    }
}
