//! One interface's attributes, whichever way they were read.

use crate::netlink::DeviceName;

macro_rules! places {
    ($($constant:ident = $place:literal $file:literal)*) => {
        $(pub(super) const $constant: usize = $place;)*
        /// The files of `/sys/class/net/NAME`, in the order of their places (Documentation/ABI/testing/sysfs-class-net).
        pub(super) static FILES: [&str; COUNT] = [$($file),*];
    };
}

/// How many attributes are numbers; texts follow them.
pub(super) const NUMBERS: usize = 17;
pub(super) const COUNT: usize = NUMBERS + text::COUNT;

places! {
    ADDR_ASSIGN_TYPE = 0 "addr_assign_type"
    CARRIER = 1 "carrier"
    CARRIER_CHANGES = 2 "carrier_changes"
    CARRIER_UP_COUNT = 3 "carrier_up_count"
    CARRIER_DOWN_COUNT = 4 "carrier_down_count"
    DEV_ID = 5 "dev_id"
    DORMANT = 6 "dormant"
    FLAGS = 7 "flags"
    IFINDEX = 8 "ifindex"
    IFLINK = 9 "iflink"
    LINK_MODE = 10 "link_mode"
    MTU = 11 "mtu"
    NAME_ASSIGN_TYPE = 12 "name_assign_type"
    NETDEV_GROUP = 13 "netdev_group"
    SPEED = 14 "speed"
    TX_QUEUE_LEN = 15 "tx_queue_len"
    TYPE = 16 "type"
    ADDRESS = 17 "address"
    BROADCAST = 18 "broadcast"
    DUPLEX = 19 "duplex"
    OPERSTATE = 20 "operstate"
    IFALIAS = 21 "ifalias"
}

/// The places of texts among themselves.
pub(super) mod text {
    pub(in super::super) const ADDRESS: usize = super::ADDRESS - super::NUMBERS;
    pub(in super::super) const BROADCAST: usize = super::BROADCAST - super::NUMBERS;
    pub(in super::super) const DUPLEX: usize = super::DUPLEX - super::NUMBERS;
    pub(in super::super) const OPERSTATE: usize = super::OPERSTATE - super::NUMBERS;
    pub(in super::super) const IFALIAS: usize = super::IFALIAS - super::NUMBERS;
    pub(in super::super) const COUNT: usize = 5;
}

/// An interface's attributes; numbers that could not be read are `None`, such texts are empty.
#[derive(Clone, Debug)]
pub(super) struct Interface {
    pub(super) name: DeviceName,
    pub(super) numbers: [Option<i64>; NUMBERS],
    pub(super) texts: [Vec<u8>; text::COUNT],
    pub(super) altnames: Vec<String>,
}

impl Interface {
    pub(super) fn new(name: DeviceName) -> Self {
        let texts = Default::default();
        Self { name, numbers: [None; NUMBERS], texts, altnames: Vec::new() }
    }

    /// Takes what the file of a place holds, or that it cannot be read.
    pub(super) fn set(&mut self, place: usize, value: Option<&[u8]>) {
        if let Some(number) = self.numbers.get_mut(place) {
            *number = value.and_then(number_of);
        } else if let Some(text) = self.texts.get_mut(place - NUMBERS) {
            text.clear();
            text.extend_from_slice(value.unwrap_or_default());
        }
    }
}

/// Decimal, or hexadecimal after `0x` as `flags` and `dev_id` are.
fn number_of(value: &[u8]) -> Option<i64> {
    let value = std::str::from_utf8(value).ok()?;
    match value.strip_prefix("0x") {
        Some(digits) => i64::from_str_radix(digits, 16).ok(),
        None => value.parse().ok(),
    }
}

/// Megabits per second as bytes per second.
pub(super) fn bytes_per_second(megabits: i64) -> i64 {
    megabits.saturating_mul(1_000_000 / 8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_decimal_or_hexadecimal() {
        assert_eq!(number_of(b"0x1003"), Some(4099));
        assert_eq!(number_of(b"-1"), Some(-1));
        assert_eq!(number_of(b""), None);
        assert_eq!(number_of(b"\xff"), None);
    }

    #[test]
    fn a_value_goes_to_its_place_and_an_unreadable_one_leaves_none() {
        let mut interface = Interface::new(DeviceName::new(b"eth0"));
        interface.set(MTU, Some(b"1500"));
        interface.set(OPERSTATE, Some(b"up"));
        assert_eq!(interface.numbers[MTU], Some(1500));
        assert_eq!(interface.texts[text::OPERSTATE], b"up");
        interface.set(MTU, None);
        interface.set(OPERSTATE, None);
        assert_eq!((interface.numbers[MTU], interface.texts[text::OPERSTATE].len()), (None, 0));
    }
}
