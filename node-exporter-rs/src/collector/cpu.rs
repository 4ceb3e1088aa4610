//! `node_cpu_*`: what each CPU spent its time on, from `/proc/stat`, and what it is, from `/proc/cpuinfo` and sysfs.
//!
//! A counter of the kernel may step back a little (idle and iowait are read without a lock); what is told never does.

mod info;
pub(in crate::collector) mod list;
mod throttle;
mod ticks;

use std::sync::Arc;
use std::time::Instant;

use crate::pattern::Pattern;
use exporter_toolkit::{Counter, Exposition, Gauge};

use self::throttle::Throttles;
use self::ticks::{MODES, OWN_MODES, Ticks, Total};
use super::{CollectError, Collector, Spec};
use crate::flags::Flag;
use crate::host::{Host, KeptFile, SharedFile};

static SECONDS: Counter<2> = Counter::new(
    "node_cpu_seconds_total",
    "Time that each CPU spent in each mode; user and nice include the time of guests.",
    ["cpu", "mode"],
);
static GUEST: Counter<2> = Counter::new(
    "node_cpu_guest_seconds_total",
    "Time that each CPU spent running virtual machines, at normal (user) and at low priority (nice).",
    ["cpu", "mode"],
);
static ALL_SECONDS: Counter<1> = Counter::new(
    "node_cpu_seconds_total",
    "Time that all CPUs together spent in each mode; user and nice include the time of guests.",
    ["mode"],
);
static ALL_GUEST: Counter<1> = Counter::new(
    "node_cpu_guest_seconds_total",
    "Time that all CPUs together spent running virtual machines, at normal (user) and at low priority (nice).",
    ["mode"],
);
static COUNT: Gauge<0> = Gauge::new(
    "node_cpu_count",
    "CPUs in use, where --collector.cpu.aggregate leaves no series to count.",
    [],
);
static ISOLATED: Gauge<1> = Gauge::new(
    "node_cpu_isolated",
    "Always 1: a CPU that the scheduler leaves alone, as isolcpus asks.",
    ["cpu"],
);
static ONLINE: Gauge<1> = Gauge::new(
    "node_cpu_online",
    "1 for a CPU that is in use, 0 for one that is switched off, where CPU 0 can be switched off as well.",
    ["cpu"],
);

static WITH_GUEST: Flag<bool> =
    Flag::new("collector.cpu.guest", "true", "Give node_cpu_guest_seconds_total.");
static WITH_INFO: Flag<bool> =
    Flag::new("collector.cpu.info", "false", "Give node_cpu_info, from /proc/cpuinfo.");
static FLAGS_INCLUDE: Flag<Option<Pattern>> = Flag::new(
    "collector.cpu.info.flags-include",
    "",
    "Features of the CPU to give as node_cpu_flag_info, as a regular expression; switches --collector.cpu.info on.",
);
static BUGS_INCLUDE: Flag<Option<Pattern>> = Flag::new(
    "collector.cpu.info.bugs-include",
    "",
    "Bugs of the CPU to give as node_cpu_bug_info, as a regular expression; switches --collector.cpu.info on.",
);
static AGGREGATE: Flag<bool> = Flag::new(
    "collector.cpu.aggregate",
    "false",
    "Give the times of all CPUs together, by mode and without the label cpu: 8 series in place of 8 a CPU.",
);
/// The switch of the collector `cpufreq`: without it there is no `node_cpu_frequency_hertz` from `/proc/cpuinfo` either.
static CPUFREQ: Flag<bool> = Flag::new("collector.cpufreq", "true", "Never declared here.");

pub static SPEC: Spec = Spec {
    name: "cpu",
    enabled: true,
    about: "Time spent by each CPU, throttling and CPU facts, from /proc/stat, /proc/cpuinfo and sysfs.",
    flags: &[&WITH_GUEST, &WITH_INFO, &FLAGS_INCLUDE, &BUGS_INCLUDE, &AGGREGATE],
    families: &[
        &SECONDS,
        &GUEST,
        &ALL_SECONDS,
        &ALL_GUEST,
        &COUNT,
        &ISOLATED,
        &ONLINE,
        &throttle::CORE,
        &throttle::PACKAGE,
        &info::INFO,
        &info::FREQUENCY,
        &info::FLAG,
        &info::BUG,
    ],
    build: |setup| {
        let flags = flags_of_info(setup)?;
        let host = &setup.host;
        Ok(Box::new(Cpu {
            host: host.clone(),
            stat: host.stat(),
            round: None,
            online: host.keep_sys("devices/system/cpu/online"),
            isolated: host.keep_sys("devices/system/cpu/isolated"),
            guest: setup.flags.get(&WITH_GUEST)?,
            info: flags.map(|wanted| info::Reader::new(host, wanted)),
            total: setup.flags.get(&AGGREGATE)?.then(Total::default),
            ticks: Vec::new(),
            held: Vec::new(),
            topology: Topology::default(),
        }))
    },
};

/// What is wanted of `/proc/cpuinfo`; `None` for nothing.
fn flags_of_info(setup: &super::Setup) -> Result<Option<info::Wanted>, super::BuildError> {
    let wanted = info::Wanted {
        frequency: setup.flags.get(&CPUFREQ)?,
        flags: setup.flags.get(&FLAGS_INCLUDE)?,
        bugs: setup.flags.get(&BUGS_INCLUDE)?,
    };
    let on = setup.flags.get(&WITH_INFO)? || wanted.flags.is_some() || wanted.bugs.is_some();
    Ok(on.then_some(wanted))
}

struct Cpu {
    host: Host,
    stat: Arc<SharedFile>,
    /// The deadline of the scrape, by which the file is shared.
    round: Option<Instant>,
    online: KeptFile,
    isolated: KeptFile,
    guest: bool,
    info: Option<info::Reader>,
    /// In place of `ticks` and `held`.
    total: Option<Total>,
    /// What the file says now, and what was told last; both sorted by CPU.
    ticks: Vec<Ticks>,
    held: Vec<Ticks>,
    topology: Topology,
}

/// What holds as long as no CPU is switched on or off.
#[derive(Default)]
struct Topology {
    /// The content of the file `online` that this was made for; `None` before the first time.
    made_for: Option<Vec<u8>>,
    cpus: Vec<u16>,
    can_be_offline: bool,
    throttles: Throttles,
}

impl Collector for Cpu {
    fn answer_by(&mut self, deadline: Instant) {
        self.round = Some(deadline);
    }

    fn collect(&mut self, out: &mut Exposition) -> Result<(), CollectError> {
        let times = self.times(out);
        self.sysfs(out);
        if let Some(info) = &mut self.info {
            info.collect(out)?;
        }
        times
    }
}

impl Cpu {
    fn times(&mut self, out: &mut Exposition) -> Result<(), CollectError> {
        if self.total.is_some() {
            return self.total(out);
        }
        ticks::read(self.stat.read(self.round.take())?.text()?, &mut self.ticks)?;
        for now in &mut self.ticks {
            if let Ok(at) = self.held.binary_search_by_key(&now.cpu, |before| before.cpu) {
                now.settle(&self.held[at]);
            }
        }
        std::mem::swap(&mut self.ticks, &mut self.held);
        let (modes, guest_modes) = MODES.split_at(OWN_MODES);
        let mut seconds = out.family(&SECONDS);
        for ticks in &self.held {
            for (mode, value) in modes.iter().zip(ticks.seconds()) {
                seconds.sample((ticks.cpu, mode), value);
            }
        }
        if self.guest {
            let mut guest = out.family(&GUEST);
            for ticks in &self.held {
                for (mode, value) in guest_modes.iter().zip(ticks.seconds().skip(modes.len())) {
                    guest.sample((ticks.cpu, mode), value);
                }
            }
        }
        Ok(())
    }

    fn total(&mut self, out: &mut Exposition) -> Result<(), CollectError> {
        let Some(total) = &mut self.total else { return Ok(()) };
        let count = total.read(self.stat.read(self.round.take())?.text()?)?;
        let mut seconds = out.family(&ALL_SECONDS);
        for (mode, value) in MODES.iter().zip(total.seconds()).take(OWN_MODES) {
            seconds.sample(*mode, value);
        }
        let mut guest = out.family(&ALL_GUEST);
        for (mode, value) in MODES.iter().zip(total.seconds()).skip(OWN_MODES) {
            guest.maybe(*mode, self.guest.then_some(value));
        }
        out.family(&COUNT).sample((), count);
        Ok(())
    }

    /// What sysfs says. Machines without these files are common, so that a missing one is no error.
    fn sysfs(&mut self, out: &mut Exposition) {
        let mut isolated = out.family(&ISOLATED);
        for cpu in list::ranges(self.isolated.read().unwrap_or_default()) {
            isolated.sample(cpu, 1_u8);
        }
        let online = self.online.read().unwrap_or_default();
        if self.topology.made_for.as_deref() != Some(online) {
            self.topology = Topology::read(&self.host, online);
        }
        self.topology.throttles.collect(out);
        if self.topology.can_be_offline && !online.is_empty() {
            let mut family = out.family(&ONLINE);
            let online = list::ranges(online);
            for cpu in &self.topology.cpus {
                family.sample(cpu, online.binary_search(cpu).is_ok());
            }
        }
    }
}

impl Topology {
    fn read(host: &Host, online: &[u8]) -> Self {
        let cpus = list::cpus(host);
        Self {
            made_for: Some(online.to_vec()),
            can_be_offline: host.sys("devices/system/cpu/cpu0/online").exists(),
            throttles: Throttles::find(host, &cpus),
            cpus,
        }
    }
}

#[cfg(test)]
mod tests;
