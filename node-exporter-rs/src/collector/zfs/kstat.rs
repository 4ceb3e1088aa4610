//! The texts of `/proc/spl/kstat/zfs`, as module/os/linux/spl/spl-kstat.c of `OpenZFS` prints them.

use exporter_toolkit::number::Value;

/// A value of a named kstat.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Cell<'a> {
    Number(Number),
    Text(&'a [u8]),
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Number {
    Signed(i64),
    Unsigned(u64),
}

impl Value for Number {
    fn write(self, out: &mut Vec<u8>) {
        match self {
            Self::Signed(number) => number.write(out),
            Self::Unsigned(number) => number.write(out),
        }
    }
}

/// The rows below `name type data`; `None` where there is no such heading.
/// Types are those of `kstat_named_t`: 3 int64, 4 uint64, 7 string; others and malformed rows are passed over.
pub(super) fn rows(text: &[u8]) -> Option<impl Iterator<Item = (&[u8], Cell<'_>)>> {
    let mut lines = text.split(|&byte| byte == b'\n');
    lines.find(|line| words(line).eq([&b"name"[..], b"type", b"data"]))?;
    Some(lines.filter_map(row))
}

fn row(line: &[u8]) -> Option<(&[u8], Cell<'_>)> {
    let (name, rest) = word(line);
    let (kind, data) = word(rest);
    let cell = match kind {
        b"3" => Cell::Number(Number::Signed(number(word(data).0)?)),
        b"4" => Cell::Number(Number::Unsigned(number(word(data).0)?)),
        b"7" if !data.is_empty() => Cell::Text(data.trim_ascii_end()),
        _ => return None,
    };
    Some((name, cell))
}

/// A raw I/O kstat: a line of names from `nread` on, and a line of their values below it.
pub(super) fn io(text: &[u8]) -> Option<impl Iterator<Item = (&[u8], Number)>> {
    let mut lines = text.split(|&byte| byte == b'\n');
    let names = lines.find(|line| word(line).0 == b"nread")?;
    let values = words(lines.next()?).map(|word| number(word).map(Number::Unsigned));
    Some(words(names).zip(values).filter_map(|(name, value)| Some((name, value?))))
}

fn words(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty())
}

/// The first word and what follows it.
fn word(text: &[u8]) -> (&[u8], &[u8]) {
    let text = text.trim_ascii_start();
    let end = text.iter().position(u8::is_ascii_whitespace).unwrap_or(text.len());
    (&text[..end], text[end..].trim_ascii_start())
}

fn number<T: std::str::FromStr>(word: &[u8]) -> Option<T> {
    std::str::from_utf8(word).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn rows_follow_their_heading_and_have_a_known_type() {
        let text = b"6 1 0x01 5 288 8 9\nname  type data\na-b  4  7\nneg  3  -7\nbad  4  -7\ndataset_name  7  p/a b \nold  2  1\nshort 4\n";
        let found: Vec<_> = rows(text).unwrap().collect();
        assert_eq!(
            found,
            [
                (&b"a-b"[..], Cell::Number(Number::Unsigned(7))),
                (b"neg", Cell::Number(Number::Signed(-7))),
                (b"dataset_name", Cell::Text(b"p/a b")),
            ]
        );
        assert!(rows(b"a 4 7\n").is_none());
    }

    #[test]
    fn io_names_and_values_are_paired() {
        let found: Vec<_> = io(b"12 3 0x00 1 80 7 8\nnread nwritten\n5 x\n").unwrap().collect();
        assert_eq!(found, [(&b"nread"[..], Number::Unsigned(5))]);
        assert!(io(b"nread").is_none());
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            let text = [b"name type data\n", bytes.as_slice()].concat();
            let _rows = rows(&text).map(Iterator::count);
            let text = [b"nread ", bytes.as_slice()].concat();
            let _values = io(&text).map(Iterator::count);
        }
    }
}
