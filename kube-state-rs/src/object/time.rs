//! Points in time, as the API writes them.

use std::fmt;

use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer};

/// 0001-01-01T00:00:00Z in seconds since 1970.
const GO_ZERO: i64 = -62_135_596_800;

/// A point in time (meta/v1 `Time` and `MicroTime`, RFC 3339), to the second as the families give it.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Time(jiff::Timestamp);

impl Time {
    /// Seconds since 1970.
    pub fn seconds(self) -> i64 {
        // Rounded down, so that a fraction before 1970 counts as Go counts it.
        self.0.as_second() - i64::from(self.0.subsec_nanosecond() < 0)
    }

    /// Reads a time in RFC 3339.
    pub fn parse(text: &str) -> Option<Self> {
        let seconds = text.as_bytes().try_into().ok().and_then(utc_seconds);
        let timestamp = seconds.and_then(|seconds| jiff::Timestamp::from_second(seconds).ok());
        timestamp.or_else(|| text.parse().ok()).map(Self)
    }

    /// As [`Time::seconds`], of a time that may be missing: then Go's zero time, the year 1, as the peer gives it where it
    /// does not look whether a time is there.
    pub fn seconds_of(time: Option<Self>) -> i64 {
        time.map_or(GO_ZERO, Self::seconds)
    }

    pub fn timestamp(self) -> jiff::Timestamp {
        self.0
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_str(TimeVisitor)
    }
}

struct TimeVisitor;

impl Visitor<'_> for TimeVisitor {
    type Value = Time;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a time as in RFC 3339")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Time, E> {
        Time::parse(text).ok_or_else(|| Error::custom(format_args!("'{text}' is no time")))
    }
}

/// Reads `2026-03-01T08:00:00Z`, as API servers write nearly all times; `None` for any other form.
fn utc_seconds(text: &[u8; 20]) -> Option<i64> {
    let number = |digits: &[u8]| {
        digits.iter().try_fold(0_i64, |number, digit| {
            digit.is_ascii_digit().then(|| number * 10 + i64::from(digit - b'0'))
        })
    };
    let [y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2, b'T', time @ ..] = *text else { return None };
    let [h1, h2, b':', n1, n2, b':', s1, s2, b'Z'] = time else { return None };
    let (year, month, day) = (number(&[y1, y2, y3, y4])?, number(&[m1, m2])?, number(&[d1, d2])?);
    let (hour, minute, second) = (number(&[h1, h2])?, number(&[n1, n2])?, number(&[s1, s2])?);
    // Leap days are left to the other parser.
    let has_day = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => (1..=31).contains(&day),
        2 => (1..=28).contains(&day),
        4 | 6 | 9 | 11 => (1..=30).contains(&day),
        _ => false,
    };
    (has_day && hour < 24 && minute < 60 && second < 60)
        .then(|| days(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second)
}

/// Days from 1970-01-01 to a day of the Gregorian calendar, from the year 0 on.
fn days(year: i64, month: i64, day: i64) -> i64 {
    // The year is taken to begin in March, so that a leap day is its last.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    // Five months from March have 153 days, and so have the next five.
    year * 365 + leap_days + (153 * month + 2) / 5 + day - 719_469
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn seconds(text: &str) -> Option<i64> {
        serde_json::from_value::<Time>(text.into()).ok().map(Time::seconds)
    }

    #[test]
    fn times_are_read_in_every_form_of_the_api() {
        for (text, expected) in [
            ("1970-01-01T00:00:00Z", Some(0)),
            ("2024-02-29T23:59:59Z", Some(1_709_251_199)),
            ("2026-03-31T00:00:00Z", Some(1_774_915_200)),
            ("2026-03-01T08:00:00.999999Z", Some(1_772_352_000)),
            ("2026-03-01T09:00:00+01:00", Some(1_772_352_000)),
            ("1969-12-31T23:59:59.5Z", Some(-1)),
            ("0001-01-01T00:00:00Z", Some(GO_ZERO)),
            ("2026-02-30T00:00:00Z", None),
            ("2026-13-01T00:00:00Z", None),
            ("2026-03-01T24:00:00Z", None),
            ("2026-03-01 08:00", None),
            ("", None),
        ] {
            assert_eq!(seconds(text), expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn the_quick_way_to_read_a_time_agrees_with_the_other(seconds in -62_167_219_200_i64..253_402_300_800) {
            let timestamp = jiff::Timestamp::from_second(seconds).unwrap();
            let text = timestamp.to_string();
            let quick = text.as_bytes().try_into().ok().and_then(utc_seconds);
            prop_assert!(quick.is_none_or(|quick| quick == seconds), "{} {:?}", text, quick);
            prop_assert_eq!(super::tests::seconds(&text), Some(seconds));
        }
    }
}
