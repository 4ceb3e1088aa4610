//! The questions to systemd: its version and state, its units, and what each unit's kind can tell
//! (org.freedesktop.systemd1(5)).

use std::collections::BTreeMap;
use std::io;

use crate::dbus::{Ask, Call, Connection, Reply, Value};

const SYSTEMD: &str = "org.freedesktop.systemd1";
const MANAGER_PATH: &str = "/org/freedesktop/systemd1";
const MANAGER: &str = "org.freedesktop.systemd1.Manager";
const UNIT: &str = "org.freedesktop.systemd1.Unit";
const SERVICE: &str = "org.freedesktop.systemd1.Service";
const MOUNT: &str = "org.freedesktop.systemd1.Mount";
const SOCKET: &str = "org.freedesktop.systemd1.Socket";
const TIMER: &str = "org.freedesktop.systemd1.Timer";
/// Older versions tell neither the system's state nor when a timer went off.
const OLDEST_WITH_STATE: f64 = 212.0;

/// What the flags ask for on top.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Wanted {
    pub tasks: bool,
    pub restarts: bool,
    pub start_times: bool,
}

#[derive(Debug, Default)]
pub(super) struct Report {
    /// As a number, and as a text.
    pub version: Option<(f64, String)>,
    pub virtualization: String,
    pub running: Option<bool>,
    /// How many units are in which state.
    pub states: BTreeMap<String, u64>,
    pub units: Vec<Unit>,
}

/// A unit that is reported; what its kind does not have is `None` or empty.
#[derive(Debug, Default)]
pub(super) struct Unit {
    pub name: String,
    pub state: String,
    path: String,
    /// A service's or a mount's type.
    pub kind: String,
    pub start_seconds: Option<f64>,
    pub tasks_current: Option<f64>,
    pub tasks_max: Option<f64>,
    pub restarts: Option<f64>,
    pub trigger_seconds: Option<f64>,
    pub accepted: Option<f64>,
    pub connections: Option<f64>,
    pub refused: Option<f64>,
}

/// Which property a question is about.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Property {
    Type,
    Restarts,
    TasksCurrent,
    TasksMax,
    Accepted,
    Connections,
    Refused,
    Trigger,
    Start,
}

/// Asks everything; of the units those that are loaded and `reported`.
pub(super) fn read(
    connection: &mut Connection,
    wanted: Wanted,
    reported: impl Fn(&str) -> bool,
) -> io::Result<Report> {
    let mut report = Report::default();
    let ask = |name| Ask::Property { interface: MANAGER, name };
    let calls = ["Version", "Virtualization", "SystemState"].map(|name| Call {
        service: SYSTEMD,
        path: MANAGER_PATH,
        ask: ask(name),
    });
    let mut told = [const { None }; 3];
    connection.calls(calls, |place, reply| told[place] = reply.ok())?;
    let [version, virtualization, state] = told.each_ref().map(|reply| text(reply.as_ref()));
    report.version = version.and_then(|text| Some((version_number(&text)?, text)));
    report.virtualization = match virtualization {
        None => "unknown".to_owned(),
        // Nothing stands for bare metal.
        Some(text) if text.is_empty() => "none".to_owned(),
        Some(text) => text,
    };
    let told_state =
        report.version.as_ref().is_some_and(|(version, _)| *version >= OLDEST_WITH_STATE);
    report.running = state.filter(|_| told_state).map(|state| state == "running");
    let ask = Ask::Method { interface: MANAGER, member: "ListUnits" };
    let units = connection.call(&Call { service: SYSTEMD, path: MANAGER_PATH, ask })?;
    list(&units, reported, &mut report)
        .ok_or_else(|| io::Error::other("ListUnits: not the answer expected"))?;
    read_properties(connection, wanted, told_state, &mut report.units)?;
    Ok(report)
}

fn text(reply: Option<&Reply>) -> Option<String> {
    match reply?.reader().variant()? {
        Value::Text(text) => Some(text.to_owned()),
        _ => None,
    }
}

/// The first number of at least three digits, with what stands behind one point: 252.39 of `252.39-1~deb12u2`.
fn version_number(text: &str) -> Option<f64> {
    let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
    let mut rest = text;
    loop {
        rest = rest.get(rest.find(|c: char| c.is_ascii_digit())?..)?;
        let whole = digits(rest);
        if whole < 3 {
            rest = rest.get(whole..)?;
            continue;
        }
        let fraction = rest.get(whole..)?.strip_prefix('.').map_or(0, digits);
        let end = if fraction == 0 { whole } else { whole + 1 + fraction };
        return rest.get(..end)?.parse().ok();
    }
}

/// `a(ssssssouso)`: name, description, load state, active state, sub state, followed unit, path, and a job's number, type
/// and path.
fn list(reply: &Reply, reported: impl Fn(&str) -> bool, report: &mut Report) -> Option<()> {
    reply.reader().structs(|unit| {
        let name = unit.text()?;
        unit.text()?;
        let loaded = unit.text()? == "loaded";
        let state = unit.text()?;
        unit.text()?;
        unit.text()?;
        let path = unit.text()?;
        unit.u32()?;
        unit.text()?;
        unit.text()?;
        match report.states.get_mut(state) {
            Some(count) => *count += 1,
            None => _ = report.states.insert(state.to_owned(), 1),
        }
        if loaded && reported(name) {
            let (name, state, path) = (name.to_owned(), state.to_owned(), path.to_owned());
            report.units.push(Unit { name, state, path, ..Unit::default() });
        }
        Some(())
    })
}

/// Asks for all properties of all units in one go.
fn read_properties(
    connection: &mut Connection,
    wanted: Wanted,
    timers: bool,
    units: &mut [Unit],
) -> io::Result<()> {
    let mut questions = Vec::new();
    for (place, unit) in units.iter_mut().enumerate() {
        questions.extend(properties(&unit.name, wanted, timers).map(|property| (place, property)));
        if wanted.start_times && unit.state == "active" {
            questions.push((place, Property::Start));
        } else if wanted.start_times {
            unit.start_seconds = Some(0.0);
        }
    }
    let paths: Vec<String> = units.iter_mut().map(|unit| std::mem::take(&mut unit.path)).collect();
    let mounts: Vec<bool> = units.iter().map(|unit| suffix(&unit.name) == "mount").collect();
    let calls = questions.iter().map(|&(place, property)| {
        let (interface, name) = property.question(mounts[place]);
        Call { service: SYSTEMD, path: &paths[place], ask: Ask::Property { interface, name } }
    });
    connection.calls(calls, |at, reply| {
        let (place, property) = questions[at];
        match &reply {
            Ok(reply) => units[place].take(property, reply),
            // A unit that went meanwhile, or a version that lacks the property.
            Err(error) => {
                tracing::debug!(unit = units[place].name, %error, "systemd does not tell");
            }
        }
    })
}

/// What kind of unit a name says.
fn suffix(name: &str) -> &str {
    name.rsplit_once('.').map_or("", |(_, suffix)| suffix)
}

/// What is asked of a unit by the kind that its name says.
fn properties(name: &str, wanted: Wanted, timers: bool) -> impl Iterator<Item = Property> {
    use Property::{
        Accepted, Connections, Refused, Restarts, TasksCurrent, TasksMax, Trigger, Type,
    };
    let all: &[(Property, bool)] = match suffix(name) {
        "service" => &[
            (Type, true),
            (Restarts, wanted.restarts),
            (TasksCurrent, wanted.tasks),
            (TasksMax, wanted.tasks),
        ],
        "mount" => &[(Type, true)],
        "socket" => &[(Accepted, true), (Connections, true), (Refused, true)],
        "timer" => &[(Trigger, timers)],
        _ => &[],
    };
    all.iter()
        .filter(|(_, asked)| *asked)
        .map(|(property, _)| *property)
        .collect::<Vec<_>>()
        .into_iter()
}

impl Property {
    /// The property's interface and its name there.
    fn question(self, of_mount: bool) -> (&'static str, &'static str) {
        match self {
            Self::Type if of_mount => (MOUNT, "Type"),
            Self::Type => (SERVICE, "Type"),
            Self::Restarts => (SERVICE, "NRestarts"),
            Self::TasksCurrent => (SERVICE, "TasksCurrent"),
            Self::TasksMax => (SERVICE, "TasksMax"),
            Self::Accepted => (SOCKET, "NAccepted"),
            Self::Connections => (SOCKET, "NConnections"),
            Self::Refused => (SOCKET, "NRefused"),
            Self::Trigger => (TIMER, "LastTriggerUSec"),
            Self::Start => (UNIT, "ActiveEnterTimestamp"),
        }
    }
}

impl Unit {
    fn take(&mut self, property: Property, reply: &Reply) {
        let value = reply.reader().variant();
        if let (Property::Type, Some(Value::Text(text))) = (property, value) {
            text.clone_into(&mut self.kind);
        }
        let Some(Value::Number(number)) = value else { return };
        let seconds = Some(number as f64 / 1e6);
        // All ones stand for no limit, and for a count that systemd does not keep.
        let counted = (number != u64::MAX).then_some(number as f64);
        match property {
            Property::Type => {}
            Property::Restarts => self.restarts = counted,
            Property::TasksCurrent => self.tasks_current = counted,
            Property::TasksMax => self.tasks_max = counted,
            Property::Accepted => self.accepted = counted,
            Property::Connections => self.connections = counted,
            Property::Refused => self.refused = counted,
            Property::Trigger => self.trigger_seconds = seconds,
            Property::Start => self.start_seconds = seconds,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_its_first_long_number() {
        for (text, number) in [
            ("252.39-1~deb12u2", 252.39),
            ("systemd 249 (249.11-0ubuntu3)", 249.0),
            ("v256~rc1", 256.0),
            ("12 300.", 300.0),
        ] {
            assert_eq!(version_number(text), Some(number), "{text}");
        }
        assert_eq!(version_number("42.7"), None);
        assert_eq!(version_number(""), None);
    }
}
