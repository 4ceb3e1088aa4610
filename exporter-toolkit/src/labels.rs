//! Label values: what can be one, how many a family takes, and how they are escaped.

use std::borrow::Cow;
use std::fmt;

/// What can stand as a label's value.
pub trait LabelValue {
    /// Appends the value, escaped as both formats want it.
    fn write(&self, out: &mut Vec<u8>);
}

impl LabelValue for str {
    fn write(&self, out: &mut Vec<u8>) {
        escape(self.as_bytes(), out);
    }
}

impl LabelValue for String {
    fn write(&self, out: &mut Vec<u8>) {
        escape(self.as_bytes(), out);
    }
}

impl LabelValue for Cow<'_, str> {
    fn write(&self, out: &mut Vec<u8>) {
        escape(self.as_bytes(), out);
    }
}

/// Bytes from outside: what is not UTF-8 becomes U+FFFD, as the formats allow nothing else.
impl LabelValue for [u8] {
    fn write(&self, out: &mut Vec<u8>) {
        for chunk in self.utf8_chunks() {
            escape(chunk.valid().as_bytes(), out);
            if !chunk.invalid().is_empty() {
                out.extend_from_slice("\u{fffd}".as_bytes());
            }
        }
    }
}

impl LabelValue for Vec<u8> {
    fn write(&self, out: &mut Vec<u8>) {
        self.as_slice().write(out);
    }
}

impl LabelValue for fmt::Arguments<'_> {
    fn write(&self, out: &mut Vec<u8>) {
        if let Some(text) = self.as_str() {
            return escape(text.as_bytes(), out);
        }
        // Writing to memory cannot fail.
        let _done = fmt::Write::write_fmt(&mut Escaped(out), *self);
    }
}

impl<T: LabelValue + ?Sized> LabelValue for &T {
    fn write(&self, out: &mut Vec<u8>) {
        (**self).write(out);
    }
}

macro_rules! integers {
    ($($t:ty)*) => {$(
        impl LabelValue for $t {
            fn write(&self, out: &mut Vec<u8>) {
                out.extend_from_slice(itoa::Buffer::new().format(*self).as_bytes());
            }
        }
    )*};
}
integers!(u8 u16 u32 u64 usize i8 i16 i32 i64);

struct Escaped<'a>(&'a mut Vec<u8>);

impl fmt::Write for Escaped<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        escape(text.as_bytes(), self.0);
        Ok(())
    }
}

/// Appends a label value: backslash, double quote and newline get a backslash.
pub fn escape(value: &[u8], out: &mut Vec<u8>) {
    let mut rest = value;
    while let Some(at) = memchr::memchr3(b'\\', b'"', b'\n', rest) {
        out.extend_from_slice(&rest[..at]);
        out.push(b'\\');
        out.push(if rest[at] == b'\n' { b'n' } else { rest[at] });
        rest = &rest[at + 1..];
    }
    out.extend_from_slice(rest);
}

/// The values of a family's `N` labels: nothing, one value, a tuple or an array.
pub trait LabelValues<const N: usize> {
    /// Appends `name="value"` for each, with commas between.
    fn write(&self, names: &[&'static str; N], out: &mut Vec<u8>);
}

impl LabelValues<0> for () {
    fn write(&self, _names: &[&'static str; 0], _out: &mut Vec<u8>) {}
}

impl<T: LabelValue> LabelValues<1> for T {
    fn write(&self, names: &[&'static str; 1], out: &mut Vec<u8>) {
        write_pair(names[0], self, out);
    }
}

/// For families with many labels of one type: `&[a, b, c, …]`.
impl<T: LabelValue, const N: usize> LabelValues<N> for &[T; N] {
    fn write(&self, names: &[&'static str; N], out: &mut Vec<u8>) {
        for (i, (name, value)) in names.iter().zip(self.iter()).enumerate() {
            if i > 0 {
                out.push(b',');
            }
            write_pair(name, value, out);
        }
    }
}

macro_rules! tuples {
    ($n:literal: $($t:ident $i:tt),*) => {
        impl<$($t: LabelValue),*> LabelValues<$n> for ($($t,)*) {
            fn write(&self, names: &[&'static str; $n], out: &mut Vec<u8>) {
                $(
                    if $i > 0 {
                        out.push(b',');
                    }
                    write_pair(names[$i], &self.$i, out);
                )*
            }
        }
    };
}
tuples!(2: A 0, B 1);
tuples!(3: A 0, B 1, C 2);
tuples!(4: A 0, B 1, C 2, D 3);
tuples!(5: A 0, B 1, C 2, D 3, E 4);
tuples!(6: A 0, B 1, C 2, D 3, E 4, F 5);
tuples!(7: A 0, B 1, C 2, D 3, E 4, F 5, G 6);
tuples!(8: A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7);
tuples!(9: A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8);
tuples!(10: A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9);

/// Appends `name="value"`.
pub fn write_pair(name: &str, value: &(impl LabelValue + ?Sized), out: &mut Vec<u8>) {
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"=\"");
    value.write(out);
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(value: &(impl LabelValue + ?Sized)) -> String {
        let mut out = Vec::new();
        value.write(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn quotes_backslashes_and_newlines_are_escaped() {
        assert_eq!(text("a\"b\\c\nd"), r#"a\"b\\c\nd"#);
        assert_eq!(text(&format_args!("{}-{}", "a\"", 1)), r#"a\"-1"#);
    }

    #[test]
    fn foreign_bytes_become_replacement_characters() {
        assert_eq!(text(b"/mnt/\xff\xfe!".as_slice()), "/mnt/\u{fffd}\u{fffd}!");
    }
}
