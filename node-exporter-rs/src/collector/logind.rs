//! `node_logind_sessions`: sessions of users, from systemd-logind over D-Bus (org.freedesktop.login1).

use std::collections::BTreeMap;
use std::io;
use std::time::{Duration, Instant};

use exporter_toolkit::{Exposition, Gauge};

use super::{CollectError, Collector, Spec};
use crate::dbus::{Ask, Call, Connection, Reply, Service, Value};

static SESSIONS: Gauge<4> = Gauge::new(
    "node_logind_sessions",
    "Sessions at each seat of each kind; those without a seat, as by SSH, have an empty one.",
    ["seat", "remote", "type", "class"],
);

const LOGIN: &str = "org.freedesktop.login1";
const MANAGER: &str = "org.freedesktop.login1.Manager";
const SESSION: &str = "org.freedesktop.login1.Session";
/// What a session's properties may say; every other word counts as other.
const TYPES: [&str; 7] = ["other", "unspecified", "tty", "x11", "wayland", "mir", "web"];
const CLASSES: [&str; 5] = ["other", "user", "greeter", "lock-screen", "background"];
const PROPERTIES: [&str; 3] = ["Remote", "Type", "Class"];
/// How long logind may take where no scrape says less.
const PATIENCE: Duration = Duration::from_secs(5);

pub static SPEC: Spec = Spec {
    name: "logind",
    enabled: false,
    about: "Sessions of users, from systemd-logind over D-Bus.",
    flags: &[],
    families: &[&SESSIONS],
    build: |setup| {
        let service = Service::at(Service::system_bus(&setup.host));
        Ok(Box::new(Logind { service, until: None }))
    },
};

struct Logind {
    service: Service,
    until: Option<Instant>,
}

/// Seat, whether it is remote, type and class.
type Session = (String, bool, &'static str, &'static str);

#[derive(Debug, Default)]
struct Found {
    seats: Vec<String>,
    sessions: BTreeMap<Session, u64>,
}

impl Collector for Logind {
    fn answer_by(&mut self, deadline: Instant) {
        self.until = Some(deadline);
    }

    fn collect(&mut self, out: &mut Exposition) -> Result<(), CollectError> {
        let patience = Instant::now() + PATIENCE;
        let until = self.until.take().map_or(patience, |deadline| deadline.min(patience));
        let found = self.service.ask(until, read).map_err(|source| match source.kind() {
            io::ErrorKind::NotFound => CollectError::NoData("there is no D-Bus system bus"),
            _ => CollectError::Call { call: "org.freedesktop.login1", source },
        })?;
        let mut samples = out.family(&SESSIONS);
        for seat in &found.seats {
            for (kind, class) in TYPES.iter().flat_map(|kind| CLASSES.map(|class| (*kind, class))) {
                for (remote, word) in [(true, "true"), (false, "false")] {
                    let key = (seat.clone(), remote, kind, class);
                    let count = found.sessions.get(&key).copied().unwrap_or_default();
                    samples.sample((seat, word, kind, class), count);
                }
            }
        }
        Ok(())
    }
}

fn read(connection: &mut Connection) -> io::Result<Found> {
    let mut list = |member| {
        let ask = Ask::Method { interface: MANAGER, member };
        connection.call(&Call { service: LOGIN, path: "/org/freedesktop/login1", ask })
    };
    let malformed = || io::Error::other("not the answer expected");
    let mut seats = seats(&list("ListSeats")?).ok_or_else(malformed)?;
    seats.push(String::new());
    let sessions = sessions(&list("ListSessions")?).ok_or_else(malformed)?;
    let mut told: Vec<[Option<Reply>; 3]> = sessions.iter().map(|_| Default::default()).collect();
    let calls = sessions.iter().flat_map(|(_, path)| {
        PROPERTIES.map(|name| Call {
            service: LOGIN,
            path,
            ask: Ask::Property { interface: SESSION, name },
        })
    });
    // A session that has ended meanwhile tells nothing, and is none any more.
    connection.calls(calls, |place, reply| told[place / 3][place % 3] = reply.ok())?;
    let mut found = Found { seats, sessions: BTreeMap::new() };
    for ((seat, _), told) in sessions.into_iter().zip(&told) {
        if let Some((remote, kind, class)) = kind_of(told) {
            *found.sessions.entry((seat, remote, kind, class)).or_default() += 1;
        }
    }
    Ok(found)
}

/// `a(so)`: the seats' names and paths.
fn seats(reply: &Reply) -> Option<Vec<String>> {
    let mut seats = Vec::new();
    reply.reader().structs(|seat| {
        seats.push(seat.text()?.to_owned());
        seat.text().map(drop)
    })?;
    Some(seats)
}

/// `a(susso)`: session, user's number and name, seat, path. Gives seats and paths.
fn sessions(reply: &Reply) -> Option<Vec<(String, String)>> {
    let mut sessions = Vec::new();
    reply.reader().structs(|session| {
        session.text()?;
        session.u32()?;
        session.text()?;
        sessions.push((session.text()?.to_owned(), session.text()?.to_owned()));
        Some(())
    })?;
    Some(sessions)
}

fn kind_of(told: &[Option<Reply>; 3]) -> Option<(bool, &'static str, &'static str)> {
    let [remote, kind, class] = told.each_ref().map(|reply| reply.as_ref()?.reader().variant());
    let (Value::Bool(remote), Value::Text(kind), Value::Text(class)) = (remote?, kind?, class?)
    else {
        return None;
    };
    let known = |words: &[&'static str], word| {
        words.iter().copied().find(|known| *known == word).unwrap_or("other")
    };
    Some((remote, known(&TYPES, kind), known(&CLASSES, class)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dbus::testing::{Answer, serve};

    #[test]
    fn sessions_are_counted_by_seat_and_kind() {
        let server = serve(|asked| match (asked.member.as_str(), asked.property.as_str()) {
            ("ListSeats", _) => Answer::structs("a(so)", &[vec!["seat0", "/seat/seat0"]]),
            ("ListSessions", _) => Answer::structs(
                "a(susso)",
                &[
                    vec!["1", "1000", "alice", "seat0", "/session/1"],
                    vec!["2", "1000", "alice", "", "/session/2"],
                    vec!["3", "0", "root", "", "/session/3"],
                    vec!["4", "0", "root", "", "/session/gone"],
                ],
            ),
            _ if asked.path == "/session/gone" => Answer::Error("no.such.Session".into()),
            (_, "Remote") => Answer::bool(asked.path != "/session/1"),
            (_, "Type") => {
                Answer::text(if asked.path == "/session/1" { "hologram" } else { "tty" })
            }
            _ => Answer::text("user"),
        });
        let service = Service::at(vec![server.place(true)]);
        let mut out = Exposition::default();
        Logind { service, until: None }.collect(&mut out).unwrap();
        let text = std::str::from_utf8(out.text()).unwrap();
        let counted: Vec<&str> =
            text.lines().filter(|line| !line.starts_with('#') && !line.ends_with(" 0")).collect();
        assert_eq!(
            counted,
            [
                "node_logind_sessions{seat=\"seat0\",remote=\"false\",type=\"other\",class=\"user\"} 1",
                "node_logind_sessions{seat=\"\",remote=\"true\",type=\"tty\",class=\"user\"} 2",
            ]
        );
        assert_eq!(text.lines().count(), 2 + 2 * 2 * 7 * 5);
    }

    #[test]
    fn a_logind_that_does_not_run_is_told() {
        let server = serve(|_| Answer::Error("org.freedesktop.DBus.Error.ServiceUnknown".into()));
        let service = Service::at(vec![server.place(true)]);
        let failed = Logind { service, until: None }.collect(&mut Exposition::default());
        let error = failed.unwrap_err().to_string();
        assert!(error.contains("ServiceUnknown: as the test wants it"), "{error}");
        let mut nowhere = Logind { service: Service::at(Vec::new()), until: None };
        assert!(nowhere.collect(&mut Exposition::default()).unwrap_err().is_no_data());
    }
}
