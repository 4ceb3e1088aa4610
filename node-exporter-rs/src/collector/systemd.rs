//! `node_systemd_*`: units and their states, from systemd over D-Bus (org.freedesktop.systemd1).

mod manager;
#[cfg(test)]
mod tests;

use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use exporter_toolkit::{Counter, Exposition, Gauge};

use self::manager::{Report, Unit, Wanted};
use super::{BuildError, CollectError, Collector, Setup, Spec};
use crate::dbus::{Place, Service};
use crate::flags::{Flag, FlagError, FlagValue, Flags};
use crate::pattern::Pattern;

static INCLUDE: Flag<Anchored> = Flag::new(
    "collector.systemd.unit-include",
    ".+",
    "Units to report, as a pattern for the whole name; a unit must match it and not match unit-exclude.",
);
static EXCLUDE: Flag<Anchored> = Flag::new(
    "collector.systemd.unit-exclude",
    r".+\.(automount|device|mount|scope|slice)",
    "Units to leave out, as a pattern for the whole name.",
);
static WHITELIST: Flag<Anchored> = Flag::new(
    "collector.systemd.unit-whitelist",
    "",
    "Former name of --collector.systemd.unit-include.",
)
.hidden();
static BLACKLIST: Flag<Anchored> = Flag::new(
    "collector.systemd.unit-blacklist",
    "",
    "Former name of --collector.systemd.unit-exclude.",
)
.hidden();
static PRIVATE: Flag<bool> = Flag::new(
    "collector.systemd.private",
    "false",
    "Ask systemd on its private socket, without a bus between; needs root.",
)
.hidden();
static TASKS: Flag<bool> = Flag::new(
    "collector.systemd.enable-task-metrics",
    "false",
    "Report how many tasks each service has and may have.",
);
static RESTARTS: Flag<bool> = Flag::new(
    "collector.systemd.enable-restarts-metrics",
    "false",
    "Report how often each service was started again (systemd 235 and later).",
);
static START_TIMES: Flag<bool> = Flag::new(
    "collector.systemd.enable-start-time-metrics",
    "false",
    "Report since when each unit is active.",
);

static VERSION: Gauge<1> = Gauge::new(
    "node_systemd_version",
    "The version of systemd; its whole text as label.",
    ["version"],
);
static VIRTUALIZATION: Gauge<1> = Gauge::new(
    "node_systemd_virtualization_info",
    "Always 1: what systemd found itself to run in, or none.",
    ["virtualization_type"],
);
static RUNNING: Gauge<0> = Gauge::new(
    "node_systemd_system_running",
    "1 where the system is up and no unit has failed: systemctl is-system-running.",
    [],
);
static UNITS: Gauge<1> = Gauge::new(
    "node_systemd_units",
    "Units in each state, whatever the flags leave out.",
    ["state"],
);
static STATE: Gauge<3> = Gauge::new(
    "node_systemd_unit_state",
    "1 for the state that the unit is in, 0 for the others.",
    ["name", "state", "type"],
);
static START_TIME: Gauge<1> = Gauge::new(
    "node_systemd_unit_start_time_seconds",
    "When the unit became active, as Unix time; 0 for a unit that is not.",
    ["name"],
);
static TASKS_CURRENT: Gauge<1> =
    Gauge::new("node_systemd_unit_tasks_current", "Tasks that the service has.", ["name"]);
static TASKS_MAX: Gauge<1> = Gauge::new(
    "node_systemd_unit_tasks_max",
    "Tasks that the service may have; absent where there is no limit.",
    ["name"],
);
static RESTART: Counter<1> = Counter::new(
    "node_systemd_service_restart_total",
    "Times that systemd started the service again by itself.",
    ["name"],
);
static TIMER: Gauge<1> = Gauge::new(
    "node_systemd_timer_last_trigger_seconds",
    "When the timer last went off, as Unix time; 0 for never.",
    ["name"],
);
static ACCEPTED: Counter<1> = Counter::new(
    "node_systemd_socket_accepted_connections_total",
    "Connections that the socket unit has accepted.",
    ["name"],
);
static CONNECTIONS: Gauge<1> = Gauge::new(
    "node_systemd_socket_current_connections",
    "Connections of the socket unit that are open.",
    ["name"],
);
/// The peer calls it a gauge, against its name.
static REFUSED: Gauge<1> = Gauge::as_the_peer_names_it(
    "node_systemd_socket_refused_connections_total",
    "Connections that the socket unit has refused (systemd 239 and later).",
    ["name"],
);

const STATES: [&str; 5] = ["active", "activating", "deactivating", "inactive", "failed"];
/// How long systemd may take where no scrape says less.
const PATIENCE: Duration = Duration::from_secs(10);
const PRIVATE_SOCKET: &str = "/run/systemd/private";

pub static SPEC: Spec = Spec {
    name: "systemd",
    enabled: false,
    about: "Units of systemd and their states, over D-Bus.",
    flags: &[&INCLUDE, &EXCLUDE, &WHITELIST, &BLACKLIST, &PRIVATE, &TASKS, &RESTARTS, &START_TIMES],
    families: &[
        &VERSION,
        &VIRTUALIZATION,
        &RUNNING,
        &UNITS,
        &STATE,
        &START_TIME,
        &TASKS_CURRENT,
        &TASKS_MAX,
        &RESTART,
        &TIMER,
        &ACCEPTED,
        &CONNECTIONS,
        &REFUSED,
    ],
    build,
};

/// A pattern that matches whole names.
struct Anchored(Pattern);

impl FlagValue for Anchored {
    const WORD: &str = Pattern::WORD;

    fn read(text: &str) -> Result<Self, String> {
        Pattern::new(&format!("^(?:{text})$")).map(Self)
    }
}

fn build(setup: &Setup) -> Result<Box<dyn Collector>, BuildError> {
    let flags = &setup.flags;
    let private = Place::new(Path::new(PRIVATE_SOCKET), false);
    let mut places =
        if flags.get(&PRIVATE)? { Vec::new() } else { Service::system_bus(&setup.host) };
    // Root may ask systemd where there is no bus.
    if places.is_empty() || rustix::process::geteuid().is_root() {
        places.extend(private);
    }
    Ok(Box::new(Systemd::new(Service::at(places), flags)?))
}

struct Systemd {
    service: Service,
    until: Option<Instant>,
    include: Pattern,
    exclude: Pattern,
    wanted: Wanted,
}

impl Systemd {
    fn new(service: Service, flags: &Flags) -> Result<Self, FlagError> {
        flags.exclusive(&INCLUDE, &WHITELIST)?;
        flags.exclusive(&EXCLUDE, &BLACKLIST)?;
        let include = if flags.given(&WHITELIST) { &WHITELIST } else { &INCLUDE };
        let exclude = if flags.given(&BLACKLIST) { &BLACKLIST } else { &EXCLUDE };
        Ok(Self {
            service,
            until: None,
            include: flags.get(include)?.0,
            exclude: flags.get(exclude)?.0,
            wanted: Wanted {
                tasks: flags.get(&TASKS)?,
                restarts: flags.get(&RESTARTS)?,
                start_times: flags.get(&START_TIMES)?,
            },
        })
    }
}

impl Collector for Systemd {
    fn answer_by(&mut self, deadline: Instant) {
        self.until = Some(deadline);
    }

    fn collect(&mut self, out: &mut Exposition) -> Result<(), CollectError> {
        let patience = Instant::now() + PATIENCE;
        let until = self.until.take().map_or(patience, |deadline| deadline.min(patience));
        let Self { service, include, exclude, wanted, .. } = self;
        let reported = |name: &str| include.is_match(name) && !exclude.is_match(name);
        let report = service.ask(until, |connection| manager::read(connection, *wanted, reported));
        let report = report.map_err(|source| match source.kind() {
            io::ErrorKind::NotFound => {
                CollectError::NoData("there is neither a system bus nor systemd")
            }
            _ => CollectError::Call { call: "org.freedesktop.systemd1", source },
        })?;
        write_manager(&report, out);
        write_units(&report.units, out);
        Ok(())
    }
}

fn write_manager(report: &Report, out: &mut Exposition) {
    if let Some((number, text)) = &report.version {
        out.family(&VERSION).sample(text, *number);
    }
    out.family(&VIRTUALIZATION).sample(&report.virtualization, 1_u8);
    out.family(&RUNNING).maybe((), report.running);
    let mut states = out.family(&UNITS);
    for state in STATES {
        states.sample(state, report.states.get(state).copied().unwrap_or_default());
    }
    for (state, count) in
        report.states.iter().filter(|(state, _)| !STATES.contains(&state.as_str()))
    {
        states.sample(state, *count);
    }
}

/// How a family's value is taken from a unit.
type Get = fn(&Unit) -> Option<f64>;

fn write_units(units: &[Unit], out: &mut Exposition) {
    let mut states = out.family(&STATE);
    for unit in units {
        for state in STATES {
            states.sample((&unit.name, state, &unit.kind), state == unit.state);
        }
    }
    let gauges: [(&'static Gauge<1>, Get); 6] = [
        (&START_TIME, |unit| unit.start_seconds),
        (&TASKS_CURRENT, |unit| unit.tasks_current),
        (&TASKS_MAX, |unit| unit.tasks_max),
        (&TIMER, |unit| unit.trigger_seconds),
        (&CONNECTIONS, |unit| unit.connections),
        (&REFUSED, |unit| unit.refused),
    ];
    for (family, get) in gauges {
        let mut samples = out.family(family);
        for unit in units {
            samples.maybe(&unit.name, get(unit));
        }
    }
    let counters: [(&'static Counter<1>, Get); 2] =
        [(&RESTART, |unit| unit.restarts), (&ACCEPTED, |unit| unit.accepted)];
    for (family, get) in counters {
        let mut samples = out.family(family);
        for unit in units {
            samples.maybe(&unit.name, get(unit));
        }
    }
}
