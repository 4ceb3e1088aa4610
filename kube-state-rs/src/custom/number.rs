//! What fields of custom resources are as numbers.

use serde_json::Value;

use crate::object::Time;
use crate::quantity::Quantity;

/// A number, a boolean (0 or 1) or a text that stands for a number; `None` for anything else.
pub(super) fn of(value: &Value) -> Option<f64> {
    match value {
        Value::Bool(yes) => Some(f64::from(u8::from(*yes))),
        Value::Number(number) => number.as_f64(),
        Value::String(text) => of_text(text),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// A word of conditions, a number, a time in RFC 3339 (seconds since 1970), a quantity or a percentage (a share of 1).
pub(super) fn of_text(text: &str) -> Option<f64> {
    word(text)
        .or_else(|| decimal(text))
        .or_else(|| Some(Time::parse(text)?.seconds() as f64))
        .or_else(|| Some(Quantity::parse(text)?.approximate()))
        .or_else(|| percentage(text))
}

fn word(text: &str) -> Option<f64> {
    let is = |word: &&str| text.eq_ignore_ascii_case(word);
    if ["true", "yes"].iter().any(is) {
        Some(1.0)
    } else {
        ["false", "no", "unknown"].iter().any(is).then_some(0.0)
    }
}

fn decimal(text: &str) -> Option<f64> {
    let number: f64 = text.parse().ok()?;
    // Digits that come to infinity are too many for a number; the word is meant.
    let too_large = number.is_infinite() && text.bytes().any(|byte| byte.is_ascii_digit());
    (!too_large).then_some(number)
}

/// Whole percents only, as the API takes them.
fn percentage(text: &str) -> Option<f64> {
    let digits = text.strip_suffix('%')?;
    let whole = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    Some(digits.parse::<f64>().ok().filter(|_| whole)? / 100.0)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn texts_stand_for_numbers() {
        for (value, number) in [
            (json!(true), 1.0),
            (json!(false), 0.0),
            (json!(-7), -7.0),
            (json!(43.21), 43.21),
            (json!("True"), 1.0),
            (json!("YES"), 1.0),
            (json!("no"), 0.0),
            (json!("Unknown"), 0.0),
            (json!("0.3"), 0.3),
            (json!("1e30"), 1e30),
            (json!("2022-06-28T00:00:00Z"), 1_656_374_400.0),
            (json!("2022-06-28T02:00:00.9+02:00"), 1_656_374_400.0),
            (json!("250m"), 0.25),
            (json!("5Gi"), 5_368_709_120.0),
            (json!("28%"), 0.28),
            (json!("-Inf"), f64::NEG_INFINITY),
        ] {
            assert_eq!(of(&value), Some(number), "{value}");
        }
    }

    #[test]
    fn what_is_no_number_gives_none() {
        let odd = ["", "Ready", "1 Gi", "2.5%", "%", "1e999", "2022-06-28"];
        for value in odd.map(Value::from).into_iter().chain([json!(null), json!([1]), json!({})]) {
            assert_eq!(of(&value), None, "{value}");
        }
    }
}
