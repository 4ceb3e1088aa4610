//! Texts of the kernel taken apart: bytes in, numbers out, nothing allocated. What is not as expected is left out.

/// The whole of a text as a number, blanks around it aside; `None` for what is none or has no room in 64 bits.
pub fn number(text: &[u8]) -> Option<u64> {
    let text = text.trim_ascii();
    if text.is_empty() {
        return None;
    }
    text.iter().try_fold(0_u64, |sum, byte| {
        let digit = byte.checked_sub(b'0').filter(|digit| *digit < 10)?;
        sum.checked_mul(10)?.checked_add(u64::from(digit))
    })
}

/// A limit: a number, or `max` and in cgroup v1 a negative number where there is none.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Limit {
    Of(u64),
    None,
}

/// `None` where it is no limit at all.
pub fn limit(text: &[u8]) -> Option<Limit> {
    let text = text.trim_ascii();
    if text == b"max" || text.strip_prefix(b"-").is_some_and(|rest| number(rest).is_some()) {
        return Some(Limit::None);
    }
    number(text).map(Limit::Of)
}

/// The lines of a text that are a key and a number: `nr_periods 26`.
pub fn keyed(text: &[u8]) -> impl Iterator<Item = (&[u8], u64)> {
    lines(text).filter_map(|line| {
        let (key, value) = split(line, b' ')?;
        Some((key, number(value)?))
    })
}

/// The number behind one key.
pub fn value_of(text: &[u8], key: &[u8]) -> Option<u64> {
    keyed(text).find(|(name, _)| *name == key).map(|(_, value)| value)
}

/// Lines without their ends.
pub fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty())
}

/// Words between blanks and tabs.
pub fn words(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty())
}

/// What stands before and after the first of a byte.
pub fn split(text: &[u8], at: u8) -> Option<(&[u8], &[u8])> {
    let place = memchr::memchr(at, text)?;
    Some((text.get(..place)?, text.get(place + 1..)?))
}

/// `254:0`, a device by its numbers.
pub fn device(text: &[u8]) -> Option<(u32, u32)> {
    let (major, minor) = split(text, b':')?;
    Some((u32::try_from(number(major)?).ok()?, u32::try_from(number(minor)?).ok()?))
}

/// CPUs or nodes as the kernel lists them, `0-3,8`: how many.
pub fn list_length(text: &[u8]) -> Option<u64> {
    let mut count: u64 = 0;
    for part in text.trim_ascii().split(|byte| *byte == b',') {
        let (first, last) = split(part, b'-').unwrap_or((part, part));
        let (first, last) = (number(first)?, number(last)?);
        count = count.checked_add(last.checked_sub(first)?.checked_add(1)?)?;
    }
    Some(count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_whole_texts() {
        assert_eq!(number(b" 18446744073709551615\n"), Some(u64::MAX));
        for wrong in [&b""[..], b"-1", b"1 2", b"18446744073709551616", b"0x1", b"max"] {
            assert_eq!(number(wrong), None, "{}", String::from_utf8_lossy(wrong));
        }
    }

    #[test]
    fn no_limit_is_told_from_no_number() {
        assert_eq!(limit(b"max\n"), Some(Limit::None));
        assert_eq!(limit(b"-1\n"), Some(Limit::None));
        assert_eq!(limit(b"100000\n"), Some(Limit::Of(100_000)));
        assert_eq!(limit(b"-\n"), None);
        assert_eq!(limit(b"many\n"), None);
    }

    #[test]
    fn a_line_without_a_number_costs_no_other() {
        let text = b"anon 1\nbroken\nfile x\n\nslab 2";
        assert_eq!(keyed(text).collect::<Vec<_>>(), [(&b"anon"[..], 1), (&b"slab"[..], 2)]);
        assert_eq!(value_of(text, b"slab"), Some(2));
        assert_eq!(value_of(text, b"file"), None);
    }

    #[test]
    fn devices_and_lists_are_read_as_the_kernel_writes_them() {
        assert_eq!(device(b"254:16"), Some((254, 16)));
        assert_eq!(device(b"254"), None);
        assert_eq!(list_length(b"0-3,8,10-11\n"), Some(7));
        assert_eq!(list_length(b"3-0"), None);
        assert_eq!(list_length(b"\n"), None);
        assert_eq!(list_length(b"0-18446744073709551615"), None);
    }

    proptest::proptest! {
        #[test]
        fn numbers_are_those_of_the_standard_library(text in "[0-9]{0,22}") {
            proptest::prop_assert_eq!(number(text.as_bytes()), text.parse().ok());
        }

        #[test]
        fn no_bytes_make_it_panic(text: Vec<u8>) {
            let _numbers = (number(&text), limit(&text), device(&text), list_length(&text));
            proptest::prop_assert!(keyed(&text).count() <= text.len());
        }
    }
}
