//! Durations and sizes as they are written on a command line.

use std::time::Duration;

/// Why a text is no duration or size.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum QuantityError {
    #[error("expected a duration such as 5s, 1m30s, 500ms or 1h")]
    Duration,
    #[error("expected a size such as 10MiB, 512KiB or 1048576")]
    Size,
}

/// Nanoseconds in each of Go's units; longer names stand before those they start with.
const TIME_UNITS: [(&str, u128); 8] = [
    ("ns", 1),
    ("us", 1_000),
    ("µs", 1_000),
    ("μs", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60 * 1_000_000_000),
    ("h", 3600 * 1_000_000_000),
];

const SIZE_UNITS: [(&str, u64); 5] =
    [("", 1), ("B", 1), ("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30)];

/// Reads a duration as Go writes it: numbers with a unit each (`1h15m30.5s`), or a plain `0`. Negative ones are refused.
///
/// It stands as clap's `value_parser`.
pub fn duration(text: &str) -> Result<Duration, QuantityError> {
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    nanoseconds(text)
        .and_then(|total| u64::try_from(total).ok())
        .map(Duration::from_nanos)
        .ok_or(QuantityError::Duration)
}

fn nanoseconds(text: &str) -> Option<u128> {
    let mut rest = text;
    let mut total = 0_u128;
    while !rest.is_empty() || rest.len() == text.len() {
        let number_end = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, after) = rest.split_at_checked(number_end)?;
        let unit_end = after.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(after.len());
        let (unit, after) = after.split_at_checked(unit_end)?;
        let (_, scale) = TIME_UNITS.iter().find(|(name, _)| *name == unit)?;
        total = total.checked_add(scaled(number, *scale)?)?;
        rest = after;
    }
    Some(total)
}

/// A decimal number times `scale`, rounded down.
fn scaled(number: &str, scale: u128) -> Option<u128> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() && fraction.is_empty() || fraction.contains('.') || number.len() > 32 {
        return None;
    }
    let parse =
        |digits: &str| if digits.is_empty() { Some(0) } else { digits.parse::<u128>().ok() };
    let divisor = 10_u128.checked_pow(u32::try_from(fraction.len()).ok()?)?;
    let part = parse(fraction)?.checked_mul(scale)? / divisor;
    parse(whole)?.checked_mul(scale)?.checked_add(part)
}

/// Reads a number of bytes: plain, or with `KiB`, `MiB`, `GiB`. It stands as clap's `value_parser`.
pub fn size(text: &str) -> Result<u64, QuantityError> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at_checked(end).ok_or(QuantityError::Size)?;
    let scale = SIZE_UNITS.iter().find(|(name, _)| *name == unit).map(|(_, scale)| *scale);
    scale
        .and_then(|scale| number.parse::<u64>().ok()?.checked_mul(scale))
        .ok_or(QuantityError::Size)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn durations_are_written_as_in_go() {
        for (text, millis) in [
            ("5s", 5_000),
            ("1m30s", 90_000),
            ("500ms", 500),
            ("1h", 3_600_000),
            ("1.5h", 5_400_000),
            (".5s", 500),
            ("1.s", 1_000),
            ("0", 0),
            ("0s", 0),
        ] {
            assert_eq!(duration(text), Ok(Duration::from_millis(millis)), "{text}");
        }
        assert_eq!(duration("1us2ns"), Ok(Duration::from_nanos(1002)));
        assert_eq!(duration("3µs"), Ok(Duration::from_micros(3)));
    }

    #[test]
    fn what_is_no_duration_is_refused() {
        for text in
            ["", "5", "s", "-5s", "5 s", "5d", "1..5s", ".s", "1m30", "99999999999999h", "5sh"]
        {
            assert_eq!(duration(text), Err(QuantityError::Duration), "{text}");
        }
    }

    #[test]
    fn sizes_take_binary_units() {
        assert_eq!(size("10MiB"), Ok(10 << 20));
        assert_eq!(size("512"), Ok(512));
        assert_eq!(size("1B"), Ok(1));
        for text in ["", "MiB", "-1", "1mb", "1 KiB", "99999999999GiB"] {
            assert_eq!(size(text), Err(QuantityError::Size), "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "[0-9.hmsnuµ -]{0,20}") {
            let _either = (duration(&text), size(&text));
        }
    }
}
