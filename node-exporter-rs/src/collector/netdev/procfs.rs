//! `/proc/net/dev`: two lines of header, then `eth0: ` and 16 counters a line.

use super::Counters;
use crate::netlink::{DeviceName, LINK_STATS64_LEN};

/// Where each column belongs in `struct rtnl_link_stats64`; sums stand at the place of their main counter.
const PLACES: [usize; 16] = [2, 0, 4, 6, 14, 13, 21, 8, 3, 1, 5, 7, 18, 9, 17, 22];

/// The lines of interfaces.
pub(super) fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(|&byte| byte == b'\n').skip(2).filter(|line| !line.is_empty())
}

/// A name may hold a colon (an old alias, `eth0:1`), so the last one ends it.
pub(super) fn parse(line: &[u8]) -> Option<(DeviceName, Counters)> {
    let colon = memchr::memrchr(b':', line)?;
    let name = DeviceName::new(line[..colon].trim_ascii());
    let numbers = std::str::from_utf8(&line[colon + 1..]).ok()?;
    let mut columns = numbers.split_ascii_whitespace();
    let mut counters = [None; LINK_STATS64_LEN];
    for place in PLACES {
        counters[place] = Some(columns.next()?.parse().ok()?);
    }
    (!name.is_empty()).then_some((name, counters))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn columns_need_no_blank_after_the_colon() {
        let (name, counters) = parse(b"  eth0:1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16").unwrap();
        assert_eq!(&*name, "eth0");
        assert_eq!((counters[2], counters[22], counters[23]), (Some(1), Some(16), None));
    }

    #[test]
    fn a_short_line_or_one_without_a_name_is_refused() {
        assert!(parse(b"eth0: 1 2 3").is_none());
        assert!(parse(b" : 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16").is_none());
        assert!(parse(b"eth0 1 2").is_none());
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(text: Vec<u8>) {
            for line in lines(&text) {
                let _parsed = parse(line);
            }
        }
    }
}
