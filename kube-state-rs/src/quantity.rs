//! Kubernetes quantities (`resource.Quantity`): `100m`, `1.5Gi`, `3e6`.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, Visitor};

/// An amount, exact to a thousand-millionth, which is the finest that the API keeps; what is finer is rounded away from
/// zero.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Quantity {
    negative: bool,
    /// No more than `i64::MAX`.
    whole: u64,
    /// Less than a thousand million.
    nanos: u32,
}

const NANO: u32 = 1_000_000_000;
const MOST: u64 = i64::MAX.unsigned_abs();
const ENOUGH: u128 = 10_u128.pow(28);

impl Quantity {
    /// Reads a quantity's text; `None` where it is none, or 2^63 - 1 and more.
    pub fn parse(text: &str) -> Option<Self> {
        Self::parse_capped(text).filter(|quantity| quantity.whole < MOST)
    }

    /// Reads a quantity's text; what is more than 2^63 - 1 is that: the API takes a senseless request, which must not
    /// hide its pod.
    fn parse_capped(text: &str) -> Option<Self> {
        let (negative, unsigned) = match text.as_bytes() {
            [b'-', rest @ ..] => (true, rest),
            [b'+', rest @ ..] => (false, rest),
            all => (false, all),
        };
        let (mantissa, decimals, suffix) = decimal(unsigned)?;
        let (factor, divisor) = scale(suffix)?;
        let divisor = ten_to(decimals).saturating_mul(divisor);
        let (whole, nanos) = divide(mantissa.saturating_mul(factor), divisor);
        Some(Self { negative: negative && (whole, nanos) != (0, 0), whole, nanos })
    }

    /// The amount in whole units, rounded away from zero as the API's `Value()` does.
    pub fn value(self) -> i64 {
        let rounded = self.whole.saturating_add(u64::from(self.nanos > 0));
        let size = i64::try_from(rounded).unwrap_or(i64::MAX);
        if self.negative { -size } else { size }
    }

    /// The amount in units with thousandths, rounded away from zero as the API's `MilliValue()` does.
    pub fn as_f64(self) -> f64 {
        let thousandths =
            u128::from(self.whole) * 1000 + u128::from(self.nanos.div_ceil(NANO / 1000));
        self.signed(thousandths as f64 / 1000.0)
    }

    /// The amount as the nearest float: what a share or a tolerance is counted in.
    pub fn approximate(self) -> f64 {
        let nanos = u128::from(self.whole) * u128::from(NANO) + u128::from(self.nanos);
        self.signed(nanos as f64 / f64::from(NANO))
    }

    fn signed(self, size: f64) -> f64 {
        if self.negative { -size } else { size }
    }
}

/// The digits of a decimal number, how many of them stand after the point, and what follows.
fn decimal(text: &[u8]) -> Option<(u128, u32, &[u8])> {
    let (mut mantissa, mut digits, mut point) = (0_u128, 0, None);
    let mut at = 0;
    for &byte in text {
        match byte {
            // What stands after so many digits is finer than any amount.
            b'0'..=b'9' if point.is_some() && mantissa > ENOUGH => {}
            b'0'..=b'9' => {
                mantissa = mantissa.saturating_mul(10).saturating_add(u128::from(byte - b'0'));
                digits += 1;
            }
            b'.' if point.is_none() => point = Some(digits),
            _ => break,
        }
        at += 1;
    }
    let decimals = point.map_or(0, |point| digits - point);
    (digits > 0).then_some((mantissa, decimals, &text[at..]))
}

/// The factor and the divisor that a suffix stands for.
fn scale(suffix: &[u8]) -> Option<(u128, u128)> {
    Some(match suffix {
        b"" => (1, 1),
        b"m" => (1, 1000),
        b"Ki" => (1 << 10, 1),
        b"Mi" => (1 << 20, 1),
        b"Gi" => (1 << 30, 1),
        b"Ti" => (1 << 40, 1),
        b"Pi" => (1 << 50, 1),
        b"Ei" => (1 << 60, 1),
        b"n" => (1, ten_to(9)),
        b"u" => (1, ten_to(6)),
        b"k" => (ten_to(3), 1),
        b"M" => (ten_to(6), 1),
        b"G" => (ten_to(9), 1),
        b"T" => (ten_to(12), 1),
        b"P" => (ten_to(15), 1),
        b"E" => (ten_to(18), 1),
        [b'e' | b'E', exponent @ ..] => {
            let exponent: i64 = std::str::from_utf8(exponent).ok()?.parse().ok()?;
            let size = ten_to(u32::try_from(exponent.unsigned_abs()).unwrap_or(u32::MAX));
            if exponent < 0 { (1, size) } else { (size, 1) }
        }
        _ => return None,
    })
}

/// A power of ten, or the largest number there is.
fn ten_to(exponent: u32) -> u128 {
    10_u128.saturating_pow(exponent)
}

/// Whole units and thousand-millionths, both within their bounds.
fn divide(number: u128, by: u128) -> (u64, u32) {
    let (whole, rest) = if by == 1 { (number, 0) } else { (number / by, number % by) };
    let nanos = if rest == 0 { 0 } else { nanos(rest, by) };
    match u64::try_from(whole + u128::from(nanos / NANO)) {
        Ok(whole) if whole < MOST => (whole, nanos % NANO),
        _ => (MOST, 0),
    }
}

/// `rest / by` in thousand-millionths, rounded up; `rest` is less than `by`.
fn nanos(rest: u128, by: u128) -> u32 {
    let nanos = match rest.checked_mul(u128::from(NANO)) {
        Some(scaled) => scaled.div_ceil(by),
        None => rest.div_ceil(by / u128::from(NANO)),
    };
    u32::try_from(nanos).unwrap_or(NANO).min(NANO)
}

impl<'de> Deserialize<'de> for Quantity {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(Text)
    }
}

/// Takes a quantity as text, as the API gives it, and as a number, as people write it.
struct Text;

impl Visitor<'_> for Text {
    type Value = Quantity;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a quantity")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Quantity, E> {
        Quantity::parse_capped(text)
            .ok_or_else(|| Error::custom(format_args!("'{text}' is no quantity")))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Quantity, E> {
        self.visit_str(&number.to_string())
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Quantity, E> {
        self.visit_str(&number.to_string())
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Quantity, E> {
        self.visit_str(&number.to_string())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn suffixes_scale_and_fractions_round_up() {
        for (text, value, float) in [
            ("100m", 1, 0.1),
            ("1", 1, 1.0),
            ("0", 0, 0.0),
            ("-0", 0, 0.0),
            ("1.5Gi", 1_610_612_736, 1_610_612_736.0),
            ("128974848", 128_974_848, 128_974_848.0),
            ("129e6", 129_000_000, 129_000_000.0),
            ("1e-3", 1, 0.001),
            ("3E", 3_000_000_000_000_000_000, 3e18),
            ("100u", 1, 0.001),
            ("1n", 1, 0.001),
            ("-5", -5, -5.0),
            ("-1500m", -2, -1.5),
            ("+2k", 2000, 2000.0),
            (".5", 1, 0.5),
            ("4.", 4, 4.0),
            ("0.9999999999", 1, 1.0),
            ("1e-99999", 1, 0.001),
            ("0e99999", 0, 0.0),
        ] {
            let quantity = Quantity::parse(text).unwrap();
            assert_eq!(quantity.value(), value, "{text}");
            assert!((quantity.as_f64() - float).abs() <= f64::EPSILON * float.abs(), "{text}");
        }
    }

    #[test]
    fn what_is_too_large_is_none_but_in_an_object_the_largest() {
        let long = "9".repeat(50);
        for text in ["9e99999", "99999999999999999999", "8Ei", "1e39", "1e9999999999", &long] {
            assert_eq!(Quantity::parse(text), None, "{text}");
            let quantity: Quantity = serde_json::from_value(text.into()).unwrap();
            assert_eq!(quantity.value(), i64::MAX, "{text}");
        }
        assert_eq!(Quantity::parse_capped("-9e99").unwrap().value(), -i64::MAX);
    }

    #[test]
    fn many_digits_after_the_point_are_no_harm() {
        let text = format!("0.25{}", "0".repeat(60));
        assert_eq!(Quantity::parse(&text), Quantity::parse("250m"));
        let text = format!("0.{}1", "0".repeat(60));
        assert_eq!(Quantity::parse(&text), Quantity::parse("1n"));
    }

    #[test]
    fn what_is_no_quantity_is_refused() {
        for text in ["", "x", "1 Gi", "1KI", "1e", "--1", "1.2.3", ".", "-", "m", "1mm", "1e+"] {
            assert_eq!(Quantity::parse(text), None, "{text}");
        }
    }

    #[test]
    fn json_may_hold_a_text_or_a_number() {
        for (json, value) in [("\"250m\"", 0.25), ("2", 2.0), ("-1", -1.0), ("0.25", 0.25)] {
            let quantity: Quantity = serde_json::from_str(json).unwrap();
            assert_eq!(quantity, Quantity::parse(&value.to_string()).unwrap(), "{json}");
        }
        assert!(serde_json::from_str::<Quantity>("true").is_err());
    }

    proptest! {
        #[test]
        fn thousandths_are_exact(thousandths in -1_000_000_000_000_i64..1_000_000_000_000) {
            let quantity = Quantity::parse(&format!("{thousandths}m")).unwrap();
            prop_assert_eq!(quantity.as_f64().to_bits(), (thousandths as f64 / 1000.0).to_bits());
            let whole = thousandths.unsigned_abs().div_ceil(1000);
            prop_assert_eq!(quantity.value().unsigned_abs(), whole);
        }

        #[test]
        fn no_text_makes_it_panic(text in "[-+0-9.eEmkKMGi]{0,50}") {
            if let Some(quantity) = Quantity::parse_capped(&text) {
                let size = quantity.as_f64().abs();
                prop_assert!(quantity.value() as f64 >= -9.3e18 && size <= 9.3e18);
            }
        }
    }
}
