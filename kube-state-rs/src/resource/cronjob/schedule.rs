//! When a cron job is due: schedules as Kubernetes' controller reads them, with robfig/cron's standard parser.
//!
//! Five fields (minute, hour, day of the month, month, day of the week) or a descriptor (`@hourly`, `@every 90m`), with
//! a time zone before (`CRON_TZ=Europe/Berlin`) or without. What the controller does decides also where the peer's
//! library differs: where both days are restricted, one that fits is enough; a run in the hour that a clock skips is
//! left out; a schedule that is never due has no next time. In one thing the peer is followed, because its cases ask
//! for it: a step that leaves nothing of its range but the first value (`*/60`) is refused, though the controller takes
//! it.

use std::time::Duration;

use exporter_toolkit::options::duration;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

/// When something is to run.
#[derive(Debug)]
pub(super) enum Schedule {
    Every(Duration),
    Calendar(Calendar, TimeZone),
}

/// The minutes that a schedule names, as sets of bits.
#[derive(Debug)]
pub(super) struct Calendar {
    minutes: Set,
    hours: Set,
    days: Set,
    months: Set,
    weekdays: Set,
}

/// The values of a field; `any` where it was left open (`*`, `?`).
#[derive(Clone, Copy, Debug, Default)]
struct Set {
    bits: u64,
    any: bool,
}

/// What can stand in a field; a name stands for its place in the list, counted from `first`.
struct Field {
    first: u32,
    last: u32,
    names: &'static [&'static str],
    /// How many values more an open range counts when its step is judged: Sunday, as 0 and as 7.
    extra: u32,
}

const MINUTE: Field = Field { first: 0, last: 59, names: &[], extra: 0 };
const HOUR: Field = Field { first: 0, last: 23, names: &[], extra: 0 };
const DAY: Field = Field { first: 1, last: 31, names: &[], extra: 0 };
const MONTH: Field = Field {
    first: 1,
    last: 12,
    names: &["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"],
    extra: 0,
};
const WEEKDAY: Field = Field {
    first: 0,
    last: 6,
    names: &["sun", "mon", "tue", "wed", "thu", "fri", "sat"],
    extra: 1,
};

/// How many calendar years are searched, as the controller does, before a schedule counts as never due.
const YEARS: i16 = 5;

impl Schedule {
    /// Reads a schedule; `zone` is the object's own, else that before the fields, else the process's. `None` where
    /// schedule or zone cannot be read.
    pub(super) fn parse(text: &str, zone: Option<&str>) -> Option<Self> {
        let prefixed = text.strip_prefix("CRON_TZ=").or_else(|| text.strip_prefix("TZ="));
        let (zone, text) = match (zone, prefixed) {
            (None, Some(rest)) => rest.split_once(' ').map(|(zone, text)| (Some(zone), text))?,
            _ => (zone, text),
        };
        let zone = zone.map_or_else(|| Some(TimeZone::system()), named_zone)?;
        let fields = match text.trim().strip_prefix('@') {
            None => text,
            Some("yearly" | "annually") => "0 0 1 1 *",
            Some("monthly") => "0 0 1 * *",
            Some("weekly") => "0 0 * * 0",
            Some("daily" | "midnight") => "0 0 * * *",
            Some("hourly") => "0 * * * *",
            Some(descriptor) => {
                let pause = duration(descriptor.strip_prefix("every ")?).ok()?;
                return Some(Self::Every(Duration::from_secs(pause.as_secs().max(1))));
            }
        };
        Some(Self::Calendar(Calendar::parse(fields)?, zone))
    }

    /// The first time it is due after `last`; `None` if it never is.
    pub(super) fn next(&self, last: Timestamp) -> Option<Timestamp> {
        let last = Timestamp::from_second(last.as_second()).ok()?;
        match self {
            Self::Every(pause) => last.checked_add(*pause).ok(),
            Self::Calendar(calendar, zone) => {
                calendar.next(zone, last.checked_add(SignedDuration::from_secs(1)).ok()?)
            }
        }
    }
}

/// A zone by its name in the IANA database, spelled as there.
fn named_zone(name: &str) -> Option<TimeZone> {
    let zone = TimeZone::get(name).ok()?;
    (zone.iana_name() == Some(name) && !zone.is_unknown()).then_some(zone)
}

impl Calendar {
    fn parse(text: &str) -> Option<Self> {
        let mut fields = text.split_whitespace();
        let mut set = |field: &Field| field.set(fields.next()?);
        let calendar = Self {
            minutes: set(&MINUTE)?,
            hours: set(&HOUR)?,
            days: set(&DAY)?,
            months: set(&MONTH)?,
            weekdays: set(&WEEKDAY)?,
        };
        fields.next().is_none().then_some(calendar)
    }

    /// The first matching minute that starts at `from` or later.
    ///
    /// Between two changes of a zone's clock, time on the clock runs as time does; so each stretch is searched alone.
    /// What the clock skips is in none of them, what it repeats in two.
    fn next(&self, zone: &TimeZone, from: Timestamp) -> Option<Timestamp> {
        let last_year = zone.to_datetime(from).year().checked_add(YEARS)?;
        let mut from = from;
        loop {
            let offset = zone.to_offset(from);
            let due = self.first(offset.to_datetime(from), last_year)?;
            let due = offset.to_timestamp(due).ok()?;
            match zone.following(from).next() {
                Some(change) if change.timestamp() <= due => from = change.timestamp(),
                _ => return Some(due),
            }
        }
    }

    /// The first matching minute on a clock that is never changed.
    fn first(&self, from: DateTime, last_year: i16) -> Option<DateTime> {
        let past = i64::from(from.second());
        let wait = SignedDuration::from_secs(if past > 0 { 60 - past } else { 0 });
        let from = from.checked_add(wait).ok()?;
        let mut date = from.date();
        if self.has(date)
            && let Some((hour, minute)) = self.time(from.hour(), from.minute())
        {
            return Some(date.at(hour, minute, 0, 0));
        }
        let (hour, minute) = self.time(0, 0)?;
        loop {
            date = date.tomorrow().ok()?;
            if date.year() > last_year {
                return None;
            }
            if self.has(date) {
                return Some(date.at(hour, minute, 0, 0));
            }
        }
    }

    fn has(&self, date: Date) -> bool {
        if !self.months.has(date.month()) {
            return false;
        }
        let day = self.days.has(date.day());
        let weekday = self.weekdays.has(date.weekday().to_sunday_zero_offset());
        if self.days.any || self.weekdays.any { day && weekday } else { day || weekday }
    }

    /// The first hour and minute at or after the given ones on one day.
    fn time(&self, hour: i8, minute: i8) -> Option<(i8, i8)> {
        if self.hours.has(hour)
            && let Some(minute) = self.minutes.from(minute)
        {
            return Some((hour, minute));
        }
        Some((self.hours.from(hour + 1)?, self.minutes.from(0)?))
    }
}

impl Set {
    fn has(self, value: i8) -> bool {
        self.bits >> value & 1 == 1
    }

    /// The smallest value that is not below `least`.
    fn from(self, least: i8) -> Option<i8> {
        let rest = self.bits >> least << least;
        if rest == 0 { None } else { i8::try_from(rest.trailing_zeros()).ok() }
    }
}

impl Field {
    /// Reads ranges with commas between; empty ones are skipped.
    fn set(&self, text: &str) -> Option<Set> {
        let mut set = Set::default();
        for part in text.split(',').filter(|part| !part.is_empty()) {
            let Set { bits, any } = self.range(part)?;
            set = Set { bits: set.bits | bits, any: set.any || any };
        }
        Some(set)
    }

    /// Reads `*`, `5` or `5-20`, each with a step (`/2`) or not; `5/2` goes on to the end of the field.
    fn range(&self, text: &str) -> Option<Set> {
        let (range, step) = match text.split_once('/') {
            Some((range, step)) => (range, Some(step.parse::<u32>().ok()?)),
            None => (text, None),
        };
        let mut bounds = range.split('-');
        let (low, high) = (bounds.next()?, bounds.next());
        let all = matches!(low, "*" | "?");
        let (start, end) = match high {
            _ if all => (self.first, self.last),
            Some(high) if bounds.next().is_none() => (self.value(low)?, self.value(high)?),
            Some(_) => return None,
            None if step.is_some() => (self.value(low)?, self.last),
            None => (self.value(low)?, self.value(low)?),
        };
        if start < self.first || end > self.last || start > end {
            return None;
        }
        let extra = if end == self.last && (all || high.is_none()) { self.extra } else { 0 };
        let step = step.unwrap_or(1);
        if step == 0 || step > 1 && step > end - start + extra {
            return None;
        }
        let values = (start..=end).step_by(usize::try_from(step).ok()?);
        Some(Set { bits: values.fold(0, |bits, value| bits | 1 << value), any: all && step == 1 })
    }

    fn value(&self, text: &str) -> Option<u32> {
        let named = self.names.iter().zip(self.first..);
        let mut named = named.filter(|(name, _)| text.eq_ignore_ascii_case(name));
        named.next().map_or_else(|| text.parse().ok(), |(_, value)| Some(value))
    }
}

#[cfg(test)]
mod tests;
