//! `node_ntp_*`: how well the local NTP server keeps time, by one question to it (SNTP, RFC 5905).

mod packet;

use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs, UdpSocket};
use std::time::{Duration, Instant, SystemTime};

use exporter_toolkit::{Exposition, Gauge};

use self::packet::{Answer, Question, Timestamp};
use super::{BuildError, CollectError, Collector, Setup, Spec};
use crate::flags::{Flag, FlagError};

static SERVER: Flag<String> =
    Flag::new("collector.ntp.server", "127.0.0.1", "The NTP server to ask.").takes("HOST");
static PORT: Flag<usize> =
    Flag::new("collector.ntp.server-port", "123", "The UDP port of the NTP server.");
static VERSION: Flag<usize> =
    Flag::new("collector.ntp.protocol-version", "4", "The version of NTP to speak: 2, 3 or 4.");
static IS_LOCAL: Flag<bool> = Flag::new(
    "collector.ntp.server-is-local",
    "false",
    "States that a server that is no loopback address is yours: public servers must not be asked at every scrape.",
);
static TTL: Flag<usize> =
    Flag::new("collector.ntp.ip-ttl", "1", "How many routers the question may pass, and one.");
static MAX_DISTANCE: Flag<Duration> = Flag::new(
    "collector.ntp.max-distance",
    "3.46608s",
    "The largest root distance (half the delay, and the dispersion) of a sane server.",
);
static TOLERANCE: Flag<Duration> = Flag::new(
    "collector.ntp.local-offset-tolerance",
    "1ms",
    "How far the server's clock and ours may contradict each other while it is sane.",
);

static STRATUM: Gauge<0> = Gauge::new(
    "node_ntp_stratum",
    "How many servers stand between this one and a reference clock, and one.",
    [],
);
static LEAP: Gauge<0> = Gauge::new(
    "node_ntp_leap",
    "The leap indicator: 0 none, 1 a second more today, 2 a second less, 3 not synchronized.",
    [],
);
static RTT: Gauge<0> =
    Gauge::new("node_ntp_rtt_seconds", "How long question and answer were on their way.", []);
static OFFSET: Gauge<0> =
    Gauge::new("node_ntp_offset_seconds", "How far the server's clock is before ours.", []);
static REFERENCE: Gauge<0> = Gauge::new(
    "node_ntp_reference_timestamp_seconds",
    "When the server's clock was last set, as Unix time; 0 for never.",
    [],
);
static ROOT_DELAY: Gauge<0> = Gauge::new(
    "node_ntp_root_delay_seconds",
    "The server's round trip to its reference clock.",
    [],
);
static ROOT_DISPERSION: Gauge<0> = Gauge::new(
    "node_ntp_root_dispersion_seconds",
    "The server's error against its reference clock, at most.",
    [],
);
static SANITY: Gauge<0> = Gauge::new(
    "node_ntp_sanity",
    "1 where the server's answer is fit to set a clock by (RFC 5905) and within the limits of the flags.",
    [],
);

/// How long the server may take.
const PATIENCE: Duration = Duration::from_secs(1);

pub static SPEC: Spec = Spec {
    name: "ntp",
    enabled: false,
    about: "The local NTP server, asked by SNTP.",
    flags: &[&SERVER, &PORT, &VERSION, &IS_LOCAL, &TTL, &MAX_DISTANCE, &TOLERANCE],
    families: &[&STRATUM, &LEAP, &RTT, &OFFSET, &REFERENCE, &ROOT_DELAY, &ROOT_DISPERSION, &SANITY],
    build,
};

fn build(setup: &Setup) -> Result<Box<dyn Collector>, BuildError> {
    let flags = &setup.flags;
    let server = flags.get(&SERVER)?;
    let loopback = server.parse().is_ok_and(|address: IpAddr| address.is_loopback());
    if !loopback && !flags.get(&IS_LOCAL)? {
        let problem = "expected a loopback address, or --collector.ntp.server-is-local besides";
        return Err(wrong("collector.ntp.server", &server, problem).into());
    }
    let port = flags.get(&PORT)?;
    let version = flags.get(&VERSION)?;
    let ttl = flags.get(&TTL)?;
    Ok(Box::new(Ntp {
        port: in_range("collector.ntp.server-port", port, 1..=65535)?,
        version: in_range("collector.ntp.protocol-version", version, 2..=4)?,
        ttl: in_range::<u8>("collector.ntp.ip-ttl", ttl, 1..=255)?.into(),
        max_distance: flags.get(&MAX_DISTANCE)?,
        tolerance: flags.get(&TOLERANCE)?,
        server,
        leap_day_ends: None,
        until: None,
    }))
}

fn wrong(flag: &'static str, value: &str, problem: &str) -> FlagError {
    FlagError::Value { flag, value: value.to_owned(), problem: problem.to_owned() }
}

fn in_range<T: TryFrom<usize>>(
    flag: &'static str,
    value: usize,
    range: std::ops::RangeInclusive<usize>,
) -> Result<T, FlagError> {
    let number = range.contains(&value).then(|| T::try_from(value).ok()).flatten();
    number.ok_or_else(|| {
        let problem = format!("expected {} to {}", range.start(), range.end());
        wrong(flag, &value.to_string(), &problem)
    })
}

struct Ntp {
    server: String,
    port: u16,
    version: u8,
    ttl: u32,
    max_distance: Duration,
    tolerance: Duration,
    /// The midnight of the last leap second that was announced, as Unix time: the announcement ends with it, but servers
    /// that smear the second are off for a day before and after.
    leap_day_ends: Option<i64>,
    until: Option<Instant>,
}

impl Collector for Ntp {
    fn answer_by(&mut self, deadline: Instant) {
        self.until = Some(deadline);
    }

    fn collect(&mut self, out: &mut Exposition) -> Result<(), CollectError> {
        let patience = Instant::now() + PATIENCE;
        let until = self.until.take().map_or(patience, |deadline| deadline.min(patience));
        let answer =
            self.ask(until).map_err(|source| CollectError::Call { call: "SNTP", source })?;
        out.family(&STRATUM).sample((), answer.stratum);
        out.family(&LEAP).sample((), answer.leap);
        out.family(&RTT).sample((), answer.rtt().as_secs_f64());
        out.family(&OFFSET).sample((), answer.offset());
        out.family(&REFERENCE).sample((), answer.reference.unix_seconds().max(0.0));
        out.family(&ROOT_DELAY).sample((), answer.root_delay.as_secs_f64());
        out.family(&ROOT_DISPERSION).sample((), answer.root_dispersion.as_secs_f64());
        let sane = self.is_sane(&answer);
        out.family(&SANITY).sample((), sane);
        Ok(())
    }
}

impl Ntp {
    /// Sends one question and waits for its answer; datagrams that answer something else are thrown away.
    fn ask(&self, until: Instant) -> io::Result<Answer> {
        let address = (self.server.as_str(), self.port).to_socket_addrs()?.next();
        let address = address.ok_or(io::ErrorKind::NotFound)?;
        let socket = self.connect(address)?;
        let question = Question::new(self.version, nonce(address));
        let (sent, clock) = (SystemTime::now(), Instant::now());
        socket.send(&question.bytes())?;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(io::ErrorKind::TimedOut.into());
            }
            socket.set_read_timeout(Some(left))?;
            let mut bytes = [0; 256];
            let count = match socket.recv(&mut bytes) {
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            // The time between is taken from the clock that nobody sets.
            let times = [sent, sent + clock.elapsed()].map(Timestamp::of);
            if let Some(answer) = question.answer(&bytes[..count], times)? {
                return Ok(answer);
            }
        }
    }

    fn connect(&self, server: SocketAddr) -> io::Result<UdpSocket> {
        let any: SocketAddr = if server.is_ipv6() {
            SocketAddr::from(([0_u16; 8], 0))
        } else {
            SocketAddr::from(([0, 0, 0, 0], 0))
        };
        let socket = UdpSocket::bind(any)?;
        if server.is_ipv6() {
            let hops = u8::try_from(self.ttl).unwrap_or(u8::MAX);
            rustix::net::sockopt::set_ipv6_unicast_hops(&socket, Some(hops))?;
        } else {
            socket.set_ttl(self.ttl)?;
        }
        socket.connect(server)?;
        Ok(socket)
    }

    fn is_sane(&mut self, answer: &Answer) -> bool {
        const DAY: i64 = 86_400;
        #[expect(clippy::cast_possible_truncation, reason = "NTP's era ends in 2036")]
        let now = answer.transmitted.unix_seconds() as i64;
        if matches!(answer.leap, 1 | 2) {
            self.leap_day_ends = Some((now.div_euclid(DAY) + 1) * DAY);
        }
        let smeared = self.leap_day_ends.is_some_and(|end| (end - now).abs() < DAY);
        let tolerance =
            if smeared { self.tolerance + Duration::from_secs(1) } else { self.tolerance };
        answer.is_fit()
            && answer.root_distance() <= self.max_distance
            && answer.contradiction() <= tolerance
    }
}

/// A number that nobody who does not see the question can guess, so that nobody else can answer it.
fn nonce(address: SocketAddr) -> u64 {
    use std::hash::{BuildHasher, RandomState};
    RandomState::new().hash_one((address, Instant::now()))
}

#[cfg(test)]
mod tests;
