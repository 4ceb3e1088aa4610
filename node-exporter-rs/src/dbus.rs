//! A small client of D-Bus (the D-Bus specification, 0.43): method calls and properties of services over a Unix socket.
//!
//! It blocks, under a deadline for all it does; messages are bounded; calls are sent without waiting for the answers to
//! those before. A general client costs 1 MiB of program and 0.5 MB of memory, used or not; this one does what two
//! collectors need.

#[cfg(test)]
pub(crate) mod testing;
mod wire;

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};

use crate::host::Host;
pub use wire::{Ask, Call, Reader, Reply, Value};
use wire::{HEAD, Head, Kind, Message};

/// Calls whose answers may be outstanding. Buses allow each client at least 128.
const WINDOW: u32 = 32;
/// Messages that are neither an answer nor awaited; a peer that only sends such is not listened to for ever.
const STRANGERS: usize = 1000;
const READ: usize = 16 << 10;

/// Where a bus or a service listens.
#[derive(Clone, Debug)]
pub struct Place {
    address: SocketAddrUnix,
    /// True where a bus stands between, which wants to be greeted.
    bus: bool,
}

impl Place {
    /// A socket in the file system; `None` where the path is too long for one.
    pub fn new(path: &std::path::Path, bus: bool) -> Option<Self> {
        Some(Self { address: SocketAddrUnix::new(path).ok()?, bus })
    }
}

/// The places of a service, tried in their order, and the connection that lasts from question to question.
#[derive(Debug)]
pub struct Service {
    places: Vec<Place>,
    connection: Option<Connection>,
}

impl Service {
    pub fn at(places: Vec<Place>) -> Self {
        Self { places, connection: None }
    }

    /// The places of the system bus: what `DBUS_SYSTEM_BUS_ADDRESS` says or the usual one, then the host's from inside a
    /// container.
    pub fn system_bus(host: &Host) -> Vec<Place> {
        let path = "/var/run/dbus/system_bus_socket";
        let given = std::env::var("DBUS_SYSTEM_BUS_ADDRESS").unwrap_or_default();
        if !given.is_empty() {
            return addresses(&given);
        }
        let mut paths = vec![path.into(), host.root("/run/dbus/system_bus_socket")];
        paths.dedup();
        paths.iter().filter_map(|path| Place::new(path, true)).collect()
    }

    /// Asks over the connection that is there, and over a new one where that one is dead or there is none.
    pub fn ask<T>(
        &mut self,
        until: Instant,
        mut questions: impl FnMut(&mut Connection) -> io::Result<T>,
    ) -> io::Result<T> {
        if let Some(mut connection) = self.connection.take() {
            connection.until = until;
            match questions(&mut connection) {
                Ok(answer) => {
                    self.connection = Some(connection);
                    return Ok(answer);
                }
                Err(error) if error.kind() == io::ErrorKind::TimedOut => return Err(error),
                Err(error) => tracing::debug!(%error, "the connection to D-Bus is made anew"),
            }
        }
        let mut connection = self.connect(until)?;
        let answer = questions(&mut connection)?;
        self.connection = Some(connection);
        Ok(answer)
    }

    /// The error is that of the first place that exists.
    fn connect(&self, until: Instant) -> io::Result<Connection> {
        let mut failure: Option<io::Error> = None;
        for place in &self.places {
            match Connection::open(place, until) {
                Ok(connection) => return Ok(connection),
                Err(error) => {
                    let known = failure.as_ref().map(io::Error::kind);
                    if known.is_none_or(|kind| kind == io::ErrorKind::NotFound) {
                        failure = Some(error);
                    }
                }
            }
        }
        Err(failure.unwrap_or_else(|| io::ErrorKind::NotFound.into()))
    }
}

/// The Unix sockets of an address list: `unix:path=/run/x,guid=…;unix:abstract=y`.
fn addresses(text: &str) -> Vec<Place> {
    let place = |address: &str| {
        let mut keys =
            address.strip_prefix("unix:")?.split(',').filter_map(|key| key.split_once('='));
        let (kind, value) = keys.find(|(key, _)| matches!(*key, "path" | "abstract"))?;
        let name: Vec<u8> = percent_encoding::percent_decode_str(value).collect();
        let address = if kind == "path" {
            SocketAddrUnix::new(name)
        } else {
            SocketAddrUnix::new_abstract_name(&name)
        };
        Some(Place { address: address.ok()?, bus: true })
    };
    text.split(';').filter_map(place).collect()
}

/// A connection that was let in.
#[derive(Debug)]
pub struct Connection {
    stream: UnixStream,
    serial: u32,
    until: Instant,
    /// What has come and is not read yet.
    received: Vec<u8>,
}

impl Connection {
    fn open(place: &Place, until: Instant) -> io::Result<Self> {
        let (family, kind) = (AddressFamily::UNIX, SocketType::STREAM);
        let socket = rustix::net::socket_with(family, kind, SocketFlags::CLOEXEC, None)?;
        // A connection waits too, where the other side is too slow to take its callers.
        set_socket_timeout(&socket, Timeout::Send, Some(left(until)?))?;
        rustix::net::connect(&socket, &place.address)?;
        let stream = UnixStream::from(socket);
        let mut connection = Self { stream, serial: 0, until, received: Vec::new() };
        connection.authenticate()?;
        if place.bus {
            let bus = "org.freedesktop.DBus";
            let ask = Ask::Method { interface: bus, member: "Hello" };
            connection.call(&Call { service: bus, path: "/org/freedesktop/DBus", ask })?;
        }
        Ok(connection)
    }

    /// The socket itself tells the other side who we are (SASL's EXTERNAL), which we say in hexadecimal digits.
    fn authenticate(&mut self) -> io::Result<()> {
        let user = rustix::process::geteuid().as_raw().to_string();
        let digits: Vec<String> = user.bytes().map(|byte| format!("{byte:02x}")).collect();
        let digits = digits.concat();
        self.send(format!("\0AUTH EXTERNAL {digits}\r\n").as_bytes())?;
        let line = loop {
            if let Some(end) = memchr::memmem::find(&self.received, b"\r\n") {
                break self.received.drain(..end + 2).collect::<Vec<u8>>();
            }
            if self.received.len() > READ {
                return Err(io::Error::other("D-Bus: no end of a line"));
            }
            self.receive()?;
        };
        if !line.starts_with(b"OK ") {
            let line = String::from_utf8_lossy(line.trim_ascii()).into_owned();
            let problem = format!("D-Bus does not let us in: {line:?}");
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, problem));
        }
        self.send(b"BEGIN\r\n")
    }

    /// Asks one question.
    pub fn call(&mut self, call: &Call<'_>) -> io::Result<Reply> {
        let mut answer = None;
        self.calls(std::iter::once(*call), |_, reply| answer = Some(reply))?;
        answer.unwrap_or_else(|| Err(io::ErrorKind::UnexpectedEof.into()))
    }

    /// Asks many questions; hands out each answer, or the service's error, with the place of its question. The error is
    /// that of the connection.
    pub fn calls<'a>(
        &mut self,
        calls: impl IntoIterator<Item = Call<'a>>,
        mut take: impl FnMut(usize, io::Result<Reply>),
    ) -> io::Result<()> {
        let first = self.serial.wrapping_add(1);
        let (mut asked, mut answered) = (0_u32, 0_u32);
        let mut calls = calls.into_iter();
        let mut more = true;
        while more || answered < asked {
            let mut bytes = Vec::new();
            while more && asked - answered < WINDOW {
                match calls.next() {
                    Some(call) => {
                        self.serial = self.serial.wrapping_add(1);
                        wire::write_call(&call, self.serial, &mut bytes);
                        asked += 1;
                    }
                    None => more = false,
                }
            }
            self.send(&bytes)?;
            if answered < asked {
                let (serial, reply) = self.answer()?;
                let place = serial.wrapping_sub(first);
                if place < asked {
                    answered += 1;
                    take(place as usize, reply);
                }
            }
        }
        Ok(())
    }

    /// The next answer of any question; signals and what else comes are passed over.
    fn answer(&mut self) -> io::Result<(u32, io::Result<Reply>)> {
        for _ in 0..STRANGERS {
            let message = self.message()?;
            match (message.kind, message.reply_to) {
                (Kind::Return, Some(serial)) => return Ok((serial, Ok(message.into_reply()))),
                (Kind::Error, Some(serial)) => return Ok((serial, Err(message.into_error()))),
                _ => {}
            }
        }
        Err(io::Error::other("D-Bus sends everything but an answer"))
    }

    fn message(&mut self) -> io::Result<Message> {
        while self.received.len() < HEAD {
            self.receive()?;
        }
        let head = Head::parse(&self.received)?;
        while self.received.len() < head.whole {
            self.receive()?;
        }
        let rest = self.received.split_off(head.whole);
        Message::parse(head, std::mem::replace(&mut self.received, rest))
    }

    fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        if bytes.is_empty() {
            return Ok(());
        }
        self.stream.set_write_timeout(Some(left(self.until)?))?;
        self.stream.write_all(bytes).map_err(timed_out)
    }

    fn receive(&mut self) -> io::Result<()> {
        self.stream.set_read_timeout(Some(left(self.until)?))?;
        let length = self.received.len();
        self.received.resize(length + READ, 0);
        let result = self.stream.read(&mut self.received[length..]);
        self.received.truncate(length + result.as_ref().copied().unwrap_or(0));
        match result {
            Ok(0) => Err(io::ErrorKind::UnexpectedEof.into()),
            Err(error) if error.kind() != io::ErrorKind::Interrupted => Err(timed_out(error)),
            _ => Ok(()),
        }
    }
}

/// The time that is left; an error where none is.
fn left(until: Instant) -> io::Result<Duration> {
    let left = until.saturating_duration_since(Instant::now());
    if left.is_zero() { Err(io::ErrorKind::TimedOut.into()) } else { Ok(left) }
}

/// Linux says that a socket's timeout is over as if it were a socket that does not wait.
fn timed_out(error: io::Error) -> io::Error {
    if error.kind() == io::ErrorKind::WouldBlock { io::ErrorKind::TimedOut.into() } else { error }
}

#[cfg(test)]
mod tests {
    use super::testing::{Answer, serve};
    use super::*;

    const GET: Ask<'_> = Ask::Property { interface: "a.Interface", name: "Name" };

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(20)
    }

    #[test]
    fn many_calls_get_their_own_answers_in_whatever_order_they_come() {
        let server = serve(|asked| match asked.path.strip_prefix("/unit/") {
            Some("13") => Answer::Error("a.Error.NoSuchUnit".into()),
            Some(number) => Answer::text(&format!("unit {number}")),
            None => Answer::text("other"),
        });
        let mut service = Service::at(vec![server.place(true)]);
        let paths: Vec<String> = (0..100).map(|number| format!("/unit/{number}")).collect();
        let mut found = vec![String::new(); paths.len()];
        let calls = || paths.iter().map(|path| Call { service: "a.Service", path, ask: GET });
        let ask = |connection: &mut Connection| {
            connection.calls(calls(), |place, reply| {
                found[place] = match reply.as_ref().map(|reply| reply.reader().variant()) {
                    Ok(Some(Value::Text(text))) => text.to_owned(),
                    other => format!("{other:?}"),
                };
            })
        };
        service.ask(soon(), ask).unwrap();
        assert_eq!((found[0].as_str(), found[99].as_str()), ("unit 0", "unit 99"));
        assert!(found[13].contains("a.Error.NoSuchUnit"), "{}", found[13]);
    }

    #[test]
    fn a_connection_that_died_is_made_anew_and_a_silent_one_is_given_up() {
        let server = serve(|_| Answer::text("x"));
        let mut service = Service::at(vec![server.place(true)]);
        let call = Call { service: "a.Service", path: "/", ask: GET };
        let mut ask = |until| service.ask(until, |connection| connection.call(&call)).map(drop);
        ask(soon()).unwrap();
        server.hang_up();
        ask(soon()).unwrap();
        server.fall_silent();
        let error = ask(Instant::now() + Duration::from_millis(50)).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }

    #[test]
    fn a_place_that_does_not_exist_hides_none_that_does() {
        let server = serve(|_| Answer::text("x"));
        let nowhere = Place::new(std::path::Path::new("/nonexistent/socket"), true).unwrap();
        let call = Call { service: "a.Service", path: "/", ask: GET };
        let mut both = Service::at(vec![nowhere.clone(), server.place(false)]);
        both.ask(soon(), |connection| connection.call(&call)).unwrap();
        let mut none = Service::at(vec![nowhere]);
        let error = none.ask(soon(), |connection| connection.call(&call)).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn unix_sockets_are_taken_out_of_an_address_list() {
        let found =
            addresses("tcp:host=x;unix:path=/run/a%20b,guid=1;unix:abstract=/tmp/c;unix:dir=/d");
        assert_eq!(found.len(), 2);
        assert_eq!(found[0].address.path_bytes(), Some(&b"/run/a b"[..]));
        assert_eq!(found[1].address.abstract_name(), Some(&b"/tmp/c"[..]));
    }
}
