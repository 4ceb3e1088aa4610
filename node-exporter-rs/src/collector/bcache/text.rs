//! Numbers as drivers/md/bcache prints them for people.

/// Target, rate, proportional and integral term and change of a `writeback_rate_debug`, in this order, as bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Writeback(pub(super) [Option<f64>; 5]);

impl Writeback {
    pub(super) fn parse(text: &str) -> Self {
        let names = ["target:", "rate:", "proportional:", "integral:", "change:"];
        Self(names.map(|name| {
            let value = field(text, name)?;
            dehumanize(value.strip_suffix("/sec").unwrap_or(value))
        }))
    }
}

/// A whole share of a `priority_stats`.
pub(super) fn percent(text: &str, name: &str) -> Option<u32> {
    field(text, name)?.strip_suffix('%')?.parse().ok()
}

/// The last word of the line that starts with `name`.
fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let mut lines = text.lines();
    lines.find_map(|line| line.strip_prefix(name))?.split_ascii_whitespace().next_back()
}

/// A number that `bch_hprint` may have shortened, `1.5M`; whole, as the peer has it.
///
/// What follows its point counts 1/1024ths divided by 100 without padding, so `.1` and `.10` differ.
pub(super) fn dehumanize(text: &str) -> Option<f64> {
    let (negative, text) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let last = text.chars().next_back()?;
    let value = match "kMGTPEZY".find(last) {
        None => number(text)?,
        Some(power) => {
            let digits = text.strip_suffix(last)?;
            let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
            let unit = 1024_f64.powi(i32::try_from(power).ok()? + 1);
            (number(whole)? + number(fraction)? / 10.24) * unit
        }
    };
    Some(if negative { -value.trunc() } else { value.trunc() })
}

fn number(text: &str) -> Option<f64> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    if plain { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn shortened_numbers_are_spelled_out() {
        for (text, value) in [
            ("0", 0.0),
            ("512", 512.0),
            ("1k", 1024.0),
            ("1.1M", 1_150_976.0),
            ("-427.5k", -437_748.0),
            ("20.4G", 21_894_266_880.0),
            ("1.0Y", 1024_f64.powi(8)),
        ] {
            assert_eq!(dehumanize(text), Some(value), "{text}");
        }
        for text in ["", "-", "k", ".", "1.x", "1.x0k", "1.5Q", "inf", "NaN", "1é"] {
            assert_eq!(dehumanize(text), None, "{text}");
        }
    }

    #[test]
    fn a_writeback_line_that_is_missing_is_a_missing_value() {
        let text = "rate:\t\t4.0k/sec\ndirty:\t\t1.0M\ntarget:\t\t2.0M\nintegral:\t-1.0k\nchange:\t\t0.0k/sec\n";
        let found = Writeback::parse(text).0;
        assert_eq!(found, [Some(2_097_152.0), Some(4096.0), None, Some(-1024.0), Some(0.0)]);
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text: String) {
            dehumanize(&text);
            Writeback::parse(&format!("rate: {text}"));
            percent(&format!("Unused: {text}"), "Unused:");
        }
    }
}
