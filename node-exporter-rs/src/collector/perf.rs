//! `node_perf_*`: counters of the processors and of the kernel's scheduler and memory, from `perf_event_open(2)`.

mod events;
mod flags;
mod kernel;

use std::io;

use exporter_toolkit::name::{LabelName, MetricName};
use exporter_toolkit::{Exposition, Kind};

use self::events::{Event, Source};
use self::flags::{Cpus, Tracepoint};
use self::kernel::Counting;
use super::cpu::list;
use super::{BuildError, CollectError, Collector, Setup, Spec};
use crate::flags::{Flag, FlagError, Flags};
use crate::host::{Host, number, read_bytes};

static CPUS: Flag<Option<Cpus>> = Flag::new(
    "collector.perf.cpus",
    "",
    "The CPUs to count on: 0-3,8 or, with a step, 0-15:4; without it all that are online.",
);
static TRACEPOINTS: Flag<Tracepoint> =
    Flag::new("collector.perf.tracepoint", "", "A tracepoint to count: sched:sched_process_exec.")
        .repeats();
static NO_HARDWARE: Flag<bool> = Flag::new(
    "collector.perf.disable-hardware-profilers",
    "false",
    "Count no events of the processors.",
);
static HARDWARE: Flag<String> = Flag::new(
    "collector.perf.hardware-profilers",
    "",
    "Of the processors' events only this one, as CpuCycles or CpuInstr.",
)
.takes("NAME")
.repeats();
static NO_SOFTWARE: Flag<bool> = Flag::new(
    "collector.perf.disable-software-profilers",
    "false",
    "Count no events of the kernel.",
);
static SOFTWARE: Flag<String> = Flag::new(
    "collector.perf.software-profilers",
    "",
    "Of the kernel's events only this one, as PageFault or ContextSwitch.",
)
.takes("NAME")
.repeats();
static NO_CACHE: Flag<bool> = Flag::new(
    "collector.perf.disable-cache-profilers",
    "false",
    "Count no events of the processors' caches.",
);
static CACHE: Flag<String> = Flag::new(
    "collector.perf.cache-profilers",
    "",
    "Of the caches' events only this one, as LLReadHit or L1DataReadMiss.",
)
.takes("NAME")
.repeats();

/// Every event on every CPU is an open file.
const MOST: usize = 16_384;
const CPU: LabelName = LabelName::fixed("cpu");

pub static SPEC: Spec = Spec {
    name: "perf",
    enabled: false,
    about: "Events of processors and kernel by perf_event_open(2); needs CAP_PERFMON or root.",
    flags: &[
        &CPUS,
        &TRACEPOINTS,
        &NO_HARDWARE,
        &HARDWARE,
        &NO_SOFTWARE,
        &SOFTWARE,
        &NO_CACHE,
        &CACHE,
    ],
    families: &events::FAMILIES,
    build,
};

fn build(setup: &Setup) -> Result<Box<dyn Collector>, BuildError> {
    let flags = &setup.flags;
    let tracepoints = flags.all(&TRACEPOINTS)?.into_iter().map(|point| {
        let name = MetricName::sanitize(&["node_perf_", &point.subsystem, "_", &point.event]);
        (point, name)
    });
    let mut perf = Perf {
        host: setup.host.clone(),
        chosen: flags.get(&CPUS)?,
        events: chosen_events(flags)?,
        tracepoints: tracepoints.collect(),
        online: Vec::new(),
        counting: Vec::new(),
        traced: Vec::new(),
    };
    // Counting begins now; what is not possible now is told by the first scrape.
    if let Err(error) = perf.follow() {
        tracing::debug!(%error, "perf does not count yet");
    }
    Ok(Box::new(perf))
}

/// All events of a kind, those that its flag names, or none. A name that nobody knows stops nothing, as with the peer.
fn chosen_events(flags: &Flags) -> Result<Vec<&'static Event>, FlagError> {
    let mut chosen = Vec::new();
    for (source, off, only) in [
        (Source::Hardware, &NO_HARDWARE, &HARDWARE),
        (Source::Software, &NO_SOFTWARE, &SOFTWARE),
        (Source::Cache, &NO_CACHE, &CACHE),
    ] {
        let known = || events::EVENTS.iter().filter(move |event| event.source == source);
        let only = flags.all(only)?;
        for name in only.iter().filter(|name| !known().any(|event| event.profiler == **name)) {
            tracing::warn!(collector = "perf", profiler = name, "no such profiler");
        }
        if !flags.get(off)? {
            let wanted =
                |event: &&Event| only.is_empty() || only.iter().any(|name| name == event.profiler);
            chosen.extend(known().filter(wanted));
        }
    }
    Ok(chosen)
}

struct Perf {
    host: Host,
    chosen: Option<Cpus>,
    events: Vec<&'static Event>,
    tracepoints: Vec<(Tracepoint, MetricName)>,
    /// The CPUs that were counted on in the last scrape.
    online: Vec<u16>,
    /// By the place of their event in the list, and by CPU.
    counting: Vec<(usize, u16, Counting)>,
    traced: Vec<(usize, u16, Counting)>,
}

impl Collector for Perf {
    fn collect(&mut self, out: &mut Exposition) -> Result<(), CollectError> {
        self.follow()?;
        if self.counting.is_empty() && self.traced.is_empty() {
            return Err(CollectError::NoData("the kernel counts none of these events here"));
        }
        for (place, event) in self.events.iter().enumerate() {
            let mut samples = out.family(&event.family);
            for (_, cpu, counting) in self.counting.iter().filter(|(of, ..)| *of == place) {
                samples.maybe(*cpu, counting.count());
            }
        }
        for (place, (point, name)) in self.tracepoints.iter().enumerate() {
            let help = format_args!("Times that the tracepoint {point} was passed.");
            let mut samples = out.dynamic(name, Kind::Counter, help);
            for (_, cpu, counting) in self.traced.iter().filter(|(of, ..)| *of == place) {
                if let Some(count) = counting.count() {
                    samples.sample([(&CPU, *cpu)], count);
                }
            }
        }
        Ok(())
    }
}

impl Perf {
    /// The chosen CPUs that are online. Without sysfs, as many as we may run on.
    fn cpus(&self) -> Vec<u16> {
        let online = if let Ok(text) = read_bytes(&self.host.sys("devices/system/cpu/online")) {
            list::ranges(&text)
        } else {
            let count = std::thread::available_parallelism().map_or(1, usize::from);
            (0..u16::try_from(count).unwrap_or(u16::MAX)).collect()
        };
        let chosen = |cpu: &u16| self.chosen.as_ref().is_none_or(|Cpus(cpus)| cpus.contains(cpu));
        online.into_iter().filter(chosen).collect()
    }

    /// Lets go of CPUs that went and begins to count on those that came.
    fn follow(&mut self) -> Result<(), CollectError> {
        let cpus = self.cpus();
        if cpus == self.online {
            return Ok(());
        }
        // Also what an attempt left that did not come to its end.
        let stays = |cpu: &u16| cpus.contains(cpu) && self.online.contains(cpu);
        self.counting.retain(|(_, cpu, _)| stays(cpu));
        self.traced.retain(|(_, cpu, _)| stays(cpu));
        let new: Vec<u16> = cpus.iter().copied().filter(|cpu| !stays(cpu)).collect();
        let each = self.events.len() + self.tracepoints.len();
        if self.counting.len() + self.traced.len() + new.len() * each > MOST {
            return Err(too_many());
        }
        let points = self.tracepoints.iter().map(|(point, _)| tracepoint_id(&self.host, point));
        let points = points.collect::<Result<Vec<u64>, _>>()?;
        for cpu in new {
            for (place, event) in self.events.iter().enumerate() {
                let opened = opened(event.source.number(), event.config, cpu)?;
                self.counting.extend(opened.map(|counting| (place, cpu, counting)));
            }
            for (place, id) in points.iter().enumerate() {
                let opened = opened(events::TRACEPOINT, *id, cpu)?;
                self.traced.extend(opened.map(|counting| (place, cpu, counting)));
            }
        }
        self.online = cpus;
        Ok(())
    }
}

/// `None` for an event that this processor, this kernel or this virtual machine does not have.
fn opened(kind: u32, config: u64, cpu: u16) -> Result<Option<Counting>, CollectError> {
    let source = match Counting::start(kind, config, cpu) {
        Ok(counting) => return Ok(Some(counting)),
        Err(error) => error,
    };
    match source.raw_os_error() {
        Some(libc::EACCES | libc::EPERM | libc::ENOSYS) => Err(CollectError::NoData(
            "perf_event_open is not allowed: it needs CAP_PERFMON, or kernel.perf_event_paranoid of 0 or less",
        )),
        Some(libc::EMFILE | libc::ENFILE) => Err(too_many()),
        _ => Ok(None),
    }
}

fn too_many() -> CollectError {
    let advice =
        "too many open events: choose some by --collector.perf.cpus or the profilers' flags";
    CollectError::Call { call: "perf_event_open", source: io::Error::other(advice) }
}

/// The kernel's number of a tracepoint, from tracefs, which older systems have below debugfs.
fn tracepoint_id(host: &Host, point: &Tracepoint) -> Result<u64, CollectError> {
    let Tracepoint { subsystem, event } = point;
    let below = |root: &str| host.sys(&format!("kernel/{root}/events/{subsystem}/{event}/id"));
    let paths = [below("tracing"), below("debug/tracing")];
    let found = paths.iter().find_map(|path| number(path));
    found.ok_or_else(|| {
        let [path, _] = paths;
        let source = io::Error::other("no such tracepoint, or tracefs is not mounted");
        CollectError::Read { path, source }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collector::testing::{collect, tree};

    fn names(given: &[(&str, &str)]) -> Vec<&'static str> {
        let events = chosen_events(&Flags::of(given)).unwrap();
        events.iter().map(|event| event.profiler).collect()
    }

    #[test]
    fn kinds_of_events_are_switched_off_and_narrowed_down() {
        assert_eq!(names(&[]).len(), 30);
        let off = ("collector.perf.disable-cache-profilers", "true");
        let only = ("collector.perf.hardware-profilers", "CpuInstr");
        let unknown = ("collector.perf.software-profilers", "Nonsense");
        assert_eq!(names(&[off, only, unknown]), ["CpuInstr"]);
    }

    #[test]
    fn the_live_kernel_counts_or_there_is_no_data() {
        let folder = tree(&[("sys/devices/system/cpu/online", "0\n")]);
        let (samples, result) = collect(&SPEC, folder.path(), &[]);
        match result {
            Ok(()) => {
                let count = "node_perf_context_switches_total{cpu=\"0\"} ";
                assert!(samples.iter().any(|line| line.starts_with(count)), "{samples:?}");
            }
            Err(error) => assert!(error.is_no_data(), "{error}"),
        }
    }

    #[test]
    fn a_tracepoint_that_does_not_exist_is_named() {
        let folder = tree(&[("sys/devices/system/cpu/online", "0\n")]);
        let flags = [("collector.perf.tracepoint", "no:such")];
        let error = collect(&SPEC, folder.path(), &flags).1.unwrap_err().to_string();
        assert!(error.contains("events/no/such/id"), "{error}");
    }

    #[test]
    fn chosen_cpus_that_are_offline_are_left_out() {
        let folder = tree(&[("sys/devices/system/cpu/online", "0-1\n")]);
        let flags = [("collector.perf.cpus", "7")];
        assert!(collect(&SPEC, folder.path(), &flags).1.unwrap_err().is_no_data());
    }
}
