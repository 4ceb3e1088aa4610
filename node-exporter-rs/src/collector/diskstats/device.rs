//! A line of `/proc/diskstats`, and what is remembered of its device from scrape to scrape.

use crate::filter::Filter;
use crate::host::{Host, number};

use super::udev::Facts;

/// Columns after the name, in Linux 5.5 and later.
pub(super) const COLUMNS: usize = 17;
/// Columns after the name that every kernel since 2.6.25 prints; before that, partitions had four of another meaning.
const COLUMNS_AT_LEAST: usize = 11;

#[derive(Debug, PartialEq)]
pub(super) struct Row<'a> {
    major: u32,
    minor: u32,
    name: &'a str,
    columns: [u64; COLUMNS],
    count: usize,
}

impl<'a> Row<'a> {
    /// `Some(None)` for a line too short to tell anything, `None` for a malformed one.
    #[expect(clippy::option_option, reason = "malformed and not told are two things")]
    pub(super) fn parse(line: &'a str) -> Option<Option<Self>> {
        let mut parts = line.split_ascii_whitespace();
        let major = parts.next()?.parse().ok()?;
        let minor = parts.next()?.parse().ok()?;
        let mut row = Self { major, minor, name: parts.next()?, columns: [0; COLUMNS], count: 0 };
        for (place, part) in row.columns.iter_mut().zip(parts) {
            *place = part.parse().ok()?;
            row.count += 1;
        }
        Some((row.count >= COLUMNS_AT_LEAST).then_some(row))
    }
}

#[derive(Debug, Default)]
pub(super) struct Device {
    pub(super) name: String,
    pub(super) major: u32,
    pub(super) minor: u32,
    pub(super) rotational: bool,
    /// False where the flags leave the device out.
    pub(super) shown: bool,
    pub(super) facts: Facts,
    columns: [u64; COLUMNS],
    count: usize,
}

impl Device {
    fn new(row: &Row<'_>, filter: &Filter, host: &Host) -> Self {
        Self {
            name: row.name.to_owned(),
            major: row.major,
            minor: row.minor,
            shown: !filter.ignores(row.name),
            facts: Facts::new(host, row.major, row.minor),
            ..Self::default()
        }
    }

    fn is(&self, row: &Row<'_>) -> bool {
        self.name == row.name && (self.major, self.minor) == (row.major, row.minor)
    }

    /// The columns that the kernel printed.
    pub(super) fn columns(&self) -> &[u64] {
        &self.columns[..self.count]
    }

    pub(super) fn update(&mut self, row: &Row<'_>, host: &Host, udev: bool) {
        if self.shown {
            // Counts that fall belong to another device that got the name of one that was pulled out.
            let new = self.count == 0 || row.columns[0] < self.columns[0];
            let changed = udev && self.facts.refresh();
            if new || changed {
                self.read_rotational(host);
            }
            if !udev {
                self.facts.forget();
            }
        }
        (self.columns, self.count) = (row.columns, row.count);
    }

    /// A partition has no queue, nor have some virtual devices: they count as not rotational.
    fn read_rotational(&mut self, host: &Host) {
        // sysfs writes `!` for the slash in names such as `cciss/c0d0`.
        let folder = self.name.replace('/', "!");
        let path = host.sys(&format!("block/{folder}/queue/rotational"));
        self.rotational = number(&path) == Some(1_u8);
    }
}

/// Makes `devices[at]` the device of the row: nearly always it is already, and if not it may stand behind. False where
/// an earlier line has the name, as a series has one sample.
pub(super) fn place(
    devices: &mut Vec<Device>,
    at: usize,
    row: &Row<'_>,
    filter: &Filter,
    host: &Host,
) -> bool {
    if devices.get(at).is_some_and(|device| device.is(row)) {
        return true;
    }
    if devices[..at].iter().any(|device| device.name == row.name) {
        return false;
    }
    match devices[at..].iter().position(|device| device.is(row)) {
        Some(behind) => devices[at..=at + behind].rotate_right(1),
        None => devices.insert(at, Device::new(row, filter, host)),
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn each_kernels_number_of_columns_is_kept() {
        for count in [11, 15, 17] {
            let line = format!(" 8 0 sda{}", " 7".repeat(count));
            assert_eq!(Row::parse(&line).unwrap().unwrap().count, count);
        }
        assert_eq!(Row::parse(&format!("8 0 sda{}", " 7".repeat(20))).unwrap().unwrap().count, 17);
    }

    #[test]
    fn a_partition_of_an_old_kernel_is_passed_over_and_a_malformed_line_is_not() {
        assert_eq!(Row::parse("8 1 sda1 1 2 3 4"), Some(None));
        assert_eq!(Row::parse("8 1 sda1 1 2 x 4 5 6 7 8 9 10 11"), None);
        assert_eq!(Row::parse("sda"), None);
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(line in "\\PC{0,60}") {
            let _row = Row::parse(&line);
            let _row = Row::parse(&format!("8 0 {line}"));
        }
    }
}
