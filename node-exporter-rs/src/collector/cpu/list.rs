//! Lists of CPUs: the folders of sysfs, and the ranges that its files hold.

use crate::host::{Host, names};

/// The CPUs that sysfs has a folder for, in their order.
pub(in crate::collector) fn cpus(host: &Host) -> Vec<u16> {
    let mut cpus: Vec<u16> = names(&host.sys("devices/system/cpu"))
        .unwrap_or_default()
        .iter()
        .filter_map(|name| name.strip_prefix("cpu")?.parse().ok())
        .collect();
    cpus.sort_unstable();
    cpus
}

/// Reads `0-3,8,10-11`: sorted, each CPU once. What is not a range is left out; 65,536 CPUs are the limit.
pub(in crate::collector) fn ranges(text: &[u8]) -> Vec<u16> {
    let mut cpus = Vec::new();
    for part in text.trim_ascii().split(|byte| *byte == b',') {
        if let Some((first, last)) = range(part) {
            // What came before may hold these already; without them the list stays bounded.
            let known = cpus.last().map_or(0, |last: &u16| u32::from(*last) + 1);
            cpus.extend((first..=last).filter(|cpu| u32::from(*cpu) >= known));
        }
    }
    cpus
}

fn range(part: &[u8]) -> Option<(u16, u16)> {
    let part = std::str::from_utf8(part).ok()?;
    match part.split_once('-') {
        Some((first, last)) => Some((first.parse().ok()?, last.parse().ok()?)),
        None => part.parse().ok().map(|cpu| (cpu, cpu)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn ranges_and_single_numbers_are_read() {
        assert_eq!(ranges(b"1,3-5,9\n"), [1, 3, 4, 5, 9]);
        assert!(ranges(b"\n").is_empty());
        assert!(ranges(b"5-3,x,7-").is_empty());
        assert_eq!(ranges(b"0-2,1-3"), [0, 1, 2, 3]);
        assert_eq!(ranges(b"65534-65535,70000"), [65534, 65535]);
    }

    proptest! {
        #[test]
        fn any_list_is_sorted_and_each_cpu_once(text in "[0-9,-]{0,40}") {
            let cpus = ranges(text.as_bytes());
            prop_assert!(cpus.is_sorted_by(|a, b| a < b));
        }
    }
}
