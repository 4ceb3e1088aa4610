//! `node_process_group_*`: processes that belong together, by the rules of a file, with what they use, from `/proc/PID`.
//!
//! A counter goes on though its processes come and go: it adds what each used since the scrape before. What a process
//! used between its last scrape and its end is not seen.

mod config;
mod members;

use std::time::Instant;

use exporter_toolkit::family::TypeMark;
use exporter_toolkit::{Counter, Exposition, Family, Gauge};

use self::config::Groups;
use self::members::{Members, Sum};
use super::pids::Pids;
use super::{BuildError, CollectError, Collector, Setup, Spec};
use crate::flags::Flag;

const LABELS: [&str; 1] = ["group"];
static PROCESSES: Gauge<1> =
    Gauge::new("node_process_group_processes", "Processes of the group that there are.", LABELS);
static THREADS: Gauge<1> =
    Gauge::new("node_process_group_threads", "Threads of the group's processes.", LABELS);
static SECONDS: Counter<2> = Counter::new(
    "node_process_group_cpu_seconds_total",
    "CPU time of the group's processes, past ones included, in their own code (user) and in the kernel (system).",
    ["group", "mode"],
);
static RESIDENT: Gauge<1> = Gauge::new(
    "node_process_group_resident_bytes",
    "Memory that the group's processes hold; what they share counts for each.",
    LABELS,
);
static VIRTUAL: Gauge<1> = Gauge::new(
    "node_process_group_virtual_bytes",
    "Address space of the group's processes.",
    LABELS,
);
static FILES: Gauge<1> = Gauge::new(
    "node_process_group_open_fds",
    "Open files of the group's processes; needs root for those of other users.",
    LABELS,
);
static READ: Counter<1> = Counter::new(
    "node_process_group_read_bytes_total",
    "Bytes that storage read for the group's processes; needs root for those of other users.",
    LABELS,
);
static WRITTEN: Counter<1> = Counter::new(
    "node_process_group_written_bytes_total",
    "Bytes that the group's processes gave to storage; needs root for those of other users.",
    LABELS,
);

static FILE: Flag<String> = Flag::new(
    "collector.process-groups",
    "",
    "File that says which processes belong to which group; switches the collector on.",
)
.takes("FILE");

/// `USER_HZ`: what the kernel counts CPU time in towards user space.
const TICKS_PER_SECOND: f64 = 100.0;

pub static SPEC: Spec = Spec {
    name: "process-groups",
    enabled: false,
    about: "What groups of processes use, by the rules of a file, from /proc/PID.",
    flags: &[&FILE],
    families: &[&PROCESSES, &THREADS, &SECONDS, &RESIDENT, &VIRTUAL, &FILES, &READ, &WRITTEN],
    build,
};

fn build(setup: &Setup) -> Result<Box<dyn Collector>, BuildError> {
    let file = setup.flags.get(&FILE)?;
    let groups = if file.is_empty() { Groups::default() } else { Groups::load(file.as_ref())? };
    Ok(Box::new(ProcessGroups { pids: Pids::new(&setup.host), members: Members::new(groups) }))
}

struct ProcessGroups {
    pids: Pids,
    members: Members,
}

impl Collector for ProcessGroups {
    fn answer_by(&mut self, deadline: Instant) {
        self.pids.until = Some(deadline);
    }

    fn collect(&mut self, out: &mut Exposition) -> Result<(), CollectError> {
        let members = &mut self.members;
        let verdict = members.read(&self.pids)?;
        write(out, &PROCESSES, members, |sum| Some(sum.processes));
        write(out, &THREADS, members, |sum| Some(sum.threads));
        let mut seconds = out.family(&SECONDS);
        for (name, sum) in members.sums() {
            seconds.sample((name, "user"), sum.user as f64 / TICKS_PER_SECOND);
            seconds.sample((name, "system"), sum.system as f64 / TICKS_PER_SECOND);
        }
        write(out, &RESIDENT, members, |sum| Some(sum.resident_bytes));
        write(out, &VIRTUAL, members, |sum| Some(sum.virtual_bytes));
        write(out, &FILES, members, |sum| sum.files);
        write(out, &READ, members, |sum| Some(members.storage(sum)?.read));
        write(out, &WRITTEN, members, |sum| Some(members.storage(sum)?.written));
        verdict
    }
}

fn write<K: TypeMark>(
    out: &mut Exposition,
    family: &'static Family<K, 1>,
    members: &Members,
    value: impl Fn(&Sum) -> Option<u64>,
) {
    let mut samples = out.family(family);
    for (name, sum) in members.sums() {
        samples.maybe(name, value(sum));
    }
}

#[cfg(test)]
mod tests;
