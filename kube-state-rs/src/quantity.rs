//! Kubernetes quantities (`resource.Quantity`): `100m`, `1.5Gi`, `3e6`.

use serde::{Deserialize, Deserializer};

/// An amount, exact to a thousand-millionth, which is the finest that the API keeps.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Quantity {
    nanos: i128,
}

const NANO: i128 = 1_000_000_000;

impl Quantity {
    /// Reads a quantity's text; `None` where it is none or larger than 2^63.
    pub fn parse(text: &str) -> Option<Self> {
        let end =
            text.find(|c: char| !matches!(c, '0'..='9' | '.' | '+' | '-')).unwrap_or(text.len());
        let (number, suffix) = text.split_at_checked(end)?;
        let (factor, divisor) = scale(suffix)?;
        let (mantissa, decimals) = decimal(number)?;
        let divisor = divisor.checked_mul(10_i128.checked_pow(decimals)?)?;
        let scaled = mantissa.checked_mul(NANO)?.checked_mul(factor)?;
        let nanos = div_up(scaled, divisor);
        (nanos.unsigned_abs() <= (1_u128 << 63) * NANO.unsigned_abs()).then_some(Self { nanos })
    }

    /// The amount in whole units, rounded away from zero as the API's `Value()` does.
    pub fn value(self) -> i64 {
        i64::try_from(div_up(self.nanos, NANO)).unwrap_or(i64::MAX)
    }

    /// The amount in units with thousandths, rounded away from zero as the API's `MilliValue()` does.
    pub fn as_f64(self) -> f64 {
        div_up(self.nanos, NANO / 1000) as f64 / 1000.0
    }

    /// The amount as the nearest float: what a share or a tolerance is counted in.
    pub fn approximate(self) -> f64 {
        self.nanos as f64 / NANO as f64
    }
}

/// Rounds away from zero; `by` is positive.
fn div_up(number: i128, by: i128) -> i128 {
    let rounded = (number.abs() + (by - 1)) / by;
    if number < 0 { -rounded } else { rounded }
}

/// The factor and the divisor that a suffix stands for.
fn scale(suffix: &str) -> Option<(i128, i128)> {
    let power = |base: i128, by: u32| base.checked_pow(by).map(|factor| (factor, 1));
    match suffix {
        "" => Some((1, 1)),
        "n" => Some((1, NANO)),
        "u" => Some((1, 1_000_000)),
        "m" => Some((1, 1000)),
        "k" => power(1000, 1),
        "M" => power(1000, 2),
        "G" => power(1000, 3),
        "T" => power(1000, 4),
        "P" => power(1000, 5),
        "E" => power(1000, 6),
        "Ki" => power(1024, 1),
        "Mi" => power(1024, 2),
        "Gi" => power(1024, 3),
        "Ti" => power(1024, 4),
        "Pi" => power(1024, 5),
        "Ei" => power(1024, 6),
        exponent => {
            let exponent: i32 = exponent.strip_prefix(['e', 'E'])?.parse().ok()?;
            let size = 10_i128.checked_pow(exponent.unsigned_abs())?;
            Some(if exponent < 0 { (1, size) } else { (size, 1) })
        }
    }
}

/// The digits of a decimal number and how many of them stand after the point.
fn decimal(number: &str) -> Option<(i128, u32)> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let decimals = u32::try_from(fraction.len()).ok()?;
    let digits = format!("{whole}{fraction}");
    Some((digits.parse().ok()?, decimals))
}

impl<'de> Deserialize<'de> for Quantity {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Text {
            Plain(String),
            Whole(i64),
            Float(f64),
        }
        let text = match Text::deserialize(from)? {
            Text::Plain(text) => text,
            Text::Whole(number) => number.to_string(),
            Text::Float(number) => number.to_string(),
        };
        Self::parse(&text)
            .ok_or_else(|| serde::de::Error::custom(format_args!("'{text}' is no quantity")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suffixes_scale_and_fractions_round_up() {
        for (text, value, float) in [
            ("100m", 1, 0.1),
            ("1", 1, 1.0),
            ("0", 0, 0.0),
            ("1.5Gi", 1_610_612_736, 1_610_612_736.0),
            ("128974848", 128_974_848, 128_974_848.0),
            ("129e6", 129_000_000, 129_000_000.0),
            ("1e-3", 1, 0.001),
            ("3E", 3_000_000_000_000_000_000, 3e18),
            ("100u", 1, 0.001),
            ("1n", 1, 0.001),
            ("-5", -5, -5.0),
            (".5", 1, 0.5),
            ("4.", 4, 4.0),
        ] {
            let quantity = Quantity::parse(text).unwrap();
            assert_eq!(quantity.value(), value, "{text}");
            assert!((quantity.as_f64() - float).abs() <= f64::EPSILON * float.abs(), "{text}");
        }
    }

    #[test]
    fn what_is_no_quantity_is_refused() {
        for text in
            ["", "x", "1 Gi", "1KI", "1e", "--1", "1.2.3", "9e99999", "99999999999999999999"]
        {
            assert_eq!(Quantity::parse(text), None, "{text}");
        }
    }
}
