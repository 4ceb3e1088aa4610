//! The packet of NTP (RFC 5905, sections 6 and 7.3), and what one question and one answer tell.

use std::io;
use std::time::{Duration, SystemTime};

pub(super) const LENGTH: usize = 48;
const CLIENT: u8 = 3;
const SERVER: u8 = 4;
/// From 1900, where NTP begins, to 1970.
const UNIX_EPOCH: u64 = 2_208_988_800;

/// Seconds since 1900, with 32 bits before and 32 bits behind the point.
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct Timestamp(pub(super) u64);

impl Timestamp {
    pub(super) fn of(time: SystemTime) -> Self {
        let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let fraction = (u64::from(since.subsec_nanos()) << 32) / 1_000_000_000;
        Self((since.as_secs().wrapping_add(UNIX_EPOCH) << 32) | fraction)
    }

    pub(super) fn unix_seconds(self) -> f64 {
        let since_1970 = nanoseconds(self.0) - i128::from(UNIX_EPOCH) * 1_000_000_000;
        since_1970 as f64 / 1e9
    }

    /// How long after another one, in nanoseconds; the difference wraps at NTP's era, as RFC 5905 has it.
    fn after(self, other: Self) -> i128 {
        let difference = self.0.wrapping_sub(other.0).cast_signed();
        i128::from(difference) * 1_000_000_000 / (1 << 32)
    }
}

fn nanoseconds(fixed: u64) -> i128 {
    i128::from(fixed) * 1_000_000_000 / (1 << 32)
}

fn duration(nanoseconds: i128) -> Duration {
    Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or_default())
}

/// Seconds with 16 bits before and 16 behind the point.
fn short(bytes: [u8; 4]) -> Duration {
    Duration::from_nanos((u64::from(u32::from_be_bytes(bytes)) * 1_000_000_000) >> 16)
}

/// What is asked: nothing but the time. Its transmit timestamp is a number by which the answer is known.
#[derive(Clone, Copy, Debug)]
pub(super) struct Question {
    version: u8,
    nonce: u64,
}

impl Question {
    pub(super) fn new(version: u8, nonce: u64) -> Self {
        Self { version, nonce }
    }

    pub(super) fn bytes(self) -> [u8; LENGTH] {
        let mut bytes = [0; LENGTH];
        bytes[0] = self.version << 3 | CLIENT;
        bytes[40..].copy_from_slice(&self.nonce.to_be_bytes());
        bytes
    }

    /// Reads an answer; `times` are when the question was sent and the answer came. `None` for an answer to something
    /// else; an error for one that says nothing.
    pub(super) fn answer(
        self,
        bytes: &[u8],
        [sent, arrived]: [Timestamp; 2],
    ) -> io::Result<Option<Answer>> {
        let Some(bytes) = bytes.first_chunk::<LENGTH>() else { return Ok(None) };
        let time = |at: usize| {
            let eight = bytes[at..].first_chunk().copied().unwrap_or_default();
            Timestamp(u64::from_be_bytes(eight))
        };
        let four = |at: usize| short(bytes[at..].first_chunk().copied().unwrap_or_default());
        if bytes[0] & 7 != SERVER || time(24).0 != self.nonce {
            return Ok(None);
        }
        let answer = Answer {
            leap: bytes[0] >> 6,
            stratum: bytes[1],
            root_delay: four(4),
            root_dispersion: four(8),
            reference: time(16),
            sent,
            received: time(32),
            transmitted: time(40),
            arrived,
        };
        if answer.transmitted.0 == 0 {
            return Err(io::Error::other("the server tells no time"));
        }
        if answer.received > answer.transmitted {
            return Err(io::Error::other("the server's clock went back while it answered"));
        }
        Ok(Some(answer))
    }
}

/// The server's answer, and when it came by our clock.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Answer {
    pub leap: u8,
    pub stratum: u8,
    pub root_delay: Duration,
    pub root_dispersion: Duration,
    pub reference: Timestamp,
    pub sent: Timestamp,
    pub received: Timestamp,
    pub transmitted: Timestamp,
    pub arrived: Timestamp,
}

impl Answer {
    pub(super) fn rtt(&self) -> Duration {
        let away = self.arrived.after(self.sent);
        duration((away - self.transmitted.after(self.received)).max(0))
    }

    /// In seconds.
    pub(super) fn offset(&self) -> f64 {
        let sum = self.received.after(self.sent) + self.transmitted.after(self.arrived);
        (sum / 2) as f64 / 1e9
    }

    /// Half of the whole delay to the reference clock, and the dispersion (RFC 5905, appendix A.5.5.2, less the terms that a
    /// single answer has none of).
    pub(super) fn root_distance(&self) -> Duration {
        (self.rtt() + self.root_delay) / 2 + self.root_dispersion
    }

    /// How much the clocks contradict each other: a question that arrived before it was sent, or an answer that was sent
    /// after it arrived.
    pub(super) fn contradiction(&self) -> Duration {
        let there = self.sent.after(self.received);
        let back = self.transmitted.after(self.arrived);
        duration(there.max(back).max(0))
    }

    /// Whether a clock may be set by this answer (RFC 5905, section 11.2.1 and its peer variables).
    pub(super) fn is_fit(&self) -> bool {
        /// `NTP_MAXSTRAT`, `MAXDISP` and the longest time between two polls.
        const MAX_STRATUM: u8 = 16;
        const MAX_DISPERSION: Duration = Duration::from_secs(16);
        const MAX_AGE: i128 = (1 << 17) * 1_000_000_000;
        const UNSYNCHRONIZED: u8 = 3;
        let age = nanoseconds(self.transmitted.0) - nanoseconds(self.reference.0);
        (1..MAX_STRATUM).contains(&self.stratum)
            && (0..=MAX_AGE).contains(&age)
            && self.root_delay / 2 + self.root_dispersion <= MAX_DISPERSION
            && self.leap != UNSYNCHRONIZED
    }
}
