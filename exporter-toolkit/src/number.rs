//! Sample values as text: integers plain, floats in Go's shortest form (`strconv` format `g`, precision -1).

/// What can be a sample's value.
pub trait Value: Copy {
    /// Appends the value's text.
    fn write(self, out: &mut Vec<u8>);
}

macro_rules! integers {
    ($($t:ty)*) => {$(
        impl Value for $t {
            fn write(self, out: &mut Vec<u8>) {
                out.extend_from_slice(itoa::Buffer::new().format(self).as_bytes());
            }
        }
    )*};
}
integers!(u8 u16 u32 u64 u128 usize i8 i16 i32 i64 isize);

impl Value for bool {
    fn write(self, out: &mut Vec<u8>) {
        out.push(if self { b'1' } else { b'0' });
    }
}

impl Value for f64 {
    fn write(self, out: &mut Vec<u8>) {
        write_float(self, out);
    }
}

/// Up to this bound Go prints a whole number without an exponent.
const PLAIN_BELOW: f64 = 1e6;

/// Appends `value` as Go prints it: `1e+06`, `0.02`, `3`, `NaN`, `+Inf`.
pub fn write_float(value: f64, out: &mut Vec<u8>) {
    if value.is_nan() {
        return out.extend_from_slice(b"NaN");
    }
    if value.is_infinite() {
        return out.extend_from_slice(if value > 0.0 { b"+Inf" } else { b"-Inf" });
    }
    if value.fract() == 0.0
        && value.abs() < PLAIN_BELOW
        && !(value == 0.0 && value.is_sign_negative())
    {
        #[expect(clippy::cast_possible_truncation, reason = "whole and below a million")]
        return out.extend_from_slice(itoa::Buffer::new().format(value as i32).as_bytes());
    }
    let mut buffer = zmij::Buffer::new();
    let decimal = Decimal::of(buffer.format_finite(value).as_bytes());
    decimal.write(out);
}

/// The significant digits of a float and the place of its decimal point: `0.d1d2d3… × 10^point`.
struct Decimal {
    negative: bool,
    digits: [u8; 24],
    len: usize,
    point: i32,
}

impl Decimal {
    /// Takes apart any plain or scientific spelling of a finite number.
    fn of(text: &[u8]) -> Self {
        let mut this = Self { negative: false, digits: [b'0'; 24], len: 0, point: 0 };
        let mut fraction = false;
        for (i, &byte) in text.iter().enumerate() {
            match byte {
                b'-' => this.negative = true,
                b'.' => fraction = true,
                b'e' | b'E' => {
                    this.point += exponent(&text[i + 1..]);
                    break;
                }
                digit => this.push(digit, fraction),
            }
        }
        while this.len > 1 && this.digits[this.len - 1] == b'0' {
            this.len -= 1;
        }
        this
    }

    fn push(&mut self, digit: u8, fraction: bool) {
        if self.len == 0 && digit == b'0' {
            self.point -= i32::from(fraction);
            return;
        }
        if self.len < self.digits.len() {
            self.digits[self.len] = digit;
            self.len += 1;
        }
        self.point += i32::from(!fraction);
    }

    fn write(&self, out: &mut Vec<u8>) {
        if self.negative {
            out.push(b'-');
        }
        let digits = &self.digits[..self.len];
        if digits.is_empty() {
            return out.push(b'0');
        }
        let exponent = self.point - 1;
        if (-4..6).contains(&exponent) {
            self.write_plain(digits, out);
        } else {
            write_scientific(digits, exponent, out);
        }
    }

    fn write_plain(&self, digits: &[u8], out: &mut Vec<u8>) {
        match usize::try_from(self.point) {
            Ok(0) | Err(_) => {
                out.extend_from_slice(b"0.");
                out.extend(std::iter::repeat_n(b'0', self.point.unsigned_abs() as usize));
                out.extend_from_slice(digits);
            }
            Ok(point) if point >= digits.len() => {
                out.extend_from_slice(digits);
                out.extend(std::iter::repeat_n(b'0', point - digits.len()));
            }
            Ok(point) => {
                out.extend_from_slice(&digits[..point]);
                out.push(b'.');
                out.extend_from_slice(&digits[point..]);
            }
        }
    }
}

/// The signed number after an `e`.
fn exponent(text: &[u8]) -> i32 {
    let (sign, digits) = match text.split_first() {
        Some((b'-', rest)) => (-1, rest),
        Some((b'+', rest)) => (1, rest),
        _ => (1, text),
    };
    sign * digits.iter().fold(0, |n, d| n * 10 + i32::from(d - b'0'))
}

/// Go writes the exponent with a sign and two digits at least.
fn write_scientific(digits: &[u8], exponent: i32, out: &mut Vec<u8>) {
    out.push(digits[0]);
    if digits.len() > 1 {
        out.push(b'.');
        out.extend_from_slice(&digits[1..]);
    }
    out.push(b'e');
    out.push(if exponent < 0 { b'-' } else { b'+' });
    let size = exponent.unsigned_abs();
    if size < 10 {
        out.push(b'0');
    }
    out.extend_from_slice(itoa::Buffer::new().format(size).as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn text(value: impl Value) -> String {
        let mut out = Vec::new();
        value.write(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn floats_print_as_go_prints_them() {
        for (value, expected) in [
            (0.0, "0"),
            (-0.0, "-0"),
            (1.0, "1"),
            (-1.5, "-1.5"),
            (0.02, "0.02"),
            (0.0001, "0.0001"),
            (0.00001, "1e-05"),
            (999_999.0, "999999"),
            (1e6, "1e+06"),
            (123_456.789, "123456.789"),
            (1_234_567.5, "1.2345675e+06"),
            (38_014_093.0, "3.8014093e+07"),
            (1e21, "1e+21"),
            (1.797_693_134_862_315_7e308, "1.7976931348623157e+308"),
            (5e-324, "5e-324"),
            (f64::NAN, "NaN"),
            (f64::INFINITY, "+Inf"),
            (f64::NEG_INFINITY, "-Inf"),
        ] {
            assert_eq!(text(value), expected);
        }
    }

    #[test]
    fn integers_and_booleans_are_plain() {
        assert_eq!(text(u64::MAX), "18446744073709551615");
        assert_eq!(text(-7_i64), "-7");
        assert_eq!(text(true), "1");
    }

    proptest! {
        #[test]
        fn a_float_reads_back_as_itself(bits: u64) {
            let value = f64::from_bits(bits);
            prop_assume!(value.is_finite());
            prop_assert_eq!(text(value).parse::<f64>().unwrap().to_bits(), bits);
        }
    }
}
