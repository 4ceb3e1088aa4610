//! What a link message of rtnetlink tells in the terms of the files of `/sys/class/net`.
//!
//! One dump, which the collector netdev needs anyway, takes the place of fourteen files an interface. The kernel derives
//! both from the same fields, but not always in the same way, and a message may be about another network namespace than
//! the files. So an interface's files are read first, and only while the message says what they said does it stand for
//! them: [`Seen::agrees`].

use super::interface::{
    CARRIER, CARRIER_CHANGES, CARRIER_DOWN_COUNT, CARRIER_UP_COUNT, DORMANT, FLAGS, IFINDEX,
    IFLINK, Interface, LINK_MODE, MTU, NETDEV_GROUP, NUMBERS, TX_QUEUE_LEN, TYPE, text,
};
use super::rtnl::{number, operstate, until_nul, write_address};
use crate::netlink::{Link, attribute};

/// The places that a message fills.
const PLACES: [usize; 12] = [
    CARRIER,
    CARRIER_CHANGES,
    CARRIER_DOWN_COUNT,
    CARRIER_UP_COUNT,
    DORMANT,
    FLAGS,
    IFLINK,
    LINK_MODE,
    MTU,
    NETDEV_GROUP,
    TX_QUEUE_LEN,
    TYPE,
];
const TEXTS: [usize; 4] = [text::ADDRESS, text::BROADCAST, text::OPERSTATE, text::IFALIAS];

/// `IFF_…` of linux/if.h.
const UP: u32 = 1;
const RUNNING: u32 = 0x40;
const PROMISC: u32 = 0x100;
const ALLMULTI: u32 = 0x200;
const LOWER_UP: u32 = 0x1_0000;
const IS_DORMANT: u32 = 0x2_0000;

/// On what files that cannot be read depend: the flags, the state and how often the carrier changed.
pub(super) type State = (Option<i64>, u8, Option<i64>);

/// An interface as the last message told it.
#[derive(Debug)]
pub(super) struct Seen {
    /// False where the dump had no message about it, or one that leaves something out.
    complete: bool,
    numbers: [Option<i64>; NUMBERS],
    texts: [Vec<u8>; text::COUNT],
    state: State,
}

impl Default for Seen {
    fn default() -> Self {
        Self {
            complete: false,
            numbers: [None; NUMBERS],
            texts: Default::default(),
            state: State::default(),
        }
    }
}

impl Seen {
    pub(super) fn forget(&mut self) {
        self.complete = false;
    }

    pub(super) fn state(&self) -> State {
        self.state
    }

    /// True where the message is about the interface whose files say this; an index that no file told yet may be any.
    pub(super) fn is_of(&self, index: Option<i64>) -> bool {
        self.complete && index.is_none_or(|index| self.numbers[IFINDEX] == Some(index))
    }

    /// Whether the message says all that the files said.
    pub(super) fn agrees(&self, files: &Interface) -> bool {
        self.is_of(files.numbers[IFINDEX])
            && PLACES.iter().all(|&place| self.numbers[place] == files.numbers[place])
            && TEXTS.iter().all(|&place| self.texts[place] == files.texts[place])
    }

    /// Puts what the message says in the place of what the files said.
    pub(super) fn tell(&mut self, interface: &mut Interface) {
        for place in PLACES {
            interface.numbers[place] = self.numbers[place];
        }
        for place in TEXTS {
            std::mem::swap(&mut interface.texts[place], &mut self.texts[place]);
        }
    }

    /// Takes a message.
    pub(super) fn take(&mut self, link: &Link<'_>) {
        self.texts.iter_mut().for_each(Vec::clear);
        let mut numbers = [None; NUMBERS];
        numbers[IFINDEX] = Some(link.index.into());
        numbers[TYPE] = Some(link.hardware.into());
        let (mut promiscuous, mut all_multicast, mut state) = (None, None, 0);
        for (kind, value) in link.attributes() {
            let texts = &mut self.texts;
            match kind {
                attribute::ADDRESS => write_address(value, &mut texts[text::ADDRESS]),
                attribute::BROADCAST => write_address(value, &mut texts[text::BROADCAST]),
                attribute::IFALIAS => {
                    texts[text::IFALIAS].extend_from_slice(until_nul(value).trim_ascii());
                }
                attribute::OPERSTATE => {
                    state = value.first().copied().unwrap_or_default();
                    texts[text::OPERSTATE].extend_from_slice(operstate(value).as_bytes());
                }
                attribute::PROMISCUITY => promiscuous = number(value),
                attribute::ALLMULTI => all_multicast = number(value),
                _ => {}
            }
            if let Some(place) = place(kind) {
                numbers[place] = number(value);
            }
        }
        // It is left out where an interface is stacked on none; one of 0 is in no namespace that this one sees.
        numbers[IFLINK] = numbers[IFLINK].or(numbers[IFINDEX]);
        let up = link.flags & UP != 0;
        numbers[CARRIER] = numbers[CARRIER].filter(|_| up);
        numbers[DORMANT] = up.then(|| i64::from(link.flags & IS_DORMANT != 0));
        // The file has the flags as they are kept (`dev->flags`), a message as `dev_get_flags` changes them.
        let kept = link.flags & !(PROMISC | ALLMULTI | RUNNING | LOWER_UP | IS_DORMANT);
        let bit = |count: Option<i64>, bit: u32| count.map(|count| if count > 0 { bit } else { 0 });
        let counted = bit(promiscuous, PROMISC).zip(bit(all_multicast, ALLMULTI));
        numbers[FLAGS] = counted.map(|(promiscuous, all)| i64::from(kept | promiscuous | all));
        // Kernels before 6.0 do not tell the count of who wants all multicast, and so not that flag.
        self.complete = numbers[FLAGS].is_some();
        self.state = (Some(link.flags.into()), state, numbers[CARRIER_CHANGES]);
        self.numbers = numbers;
    }
}

/// Where the number of an attribute stands among those of an interface.
pub(super) fn place(kind: u16) -> Option<usize> {
    Some(match kind {
        attribute::CARRIER => CARRIER,
        attribute::CARRIER_CHANGES => CARRIER_CHANGES,
        attribute::CARRIER_UP_COUNT => CARRIER_UP_COUNT,
        attribute::CARRIER_DOWN_COUNT => CARRIER_DOWN_COUNT,
        attribute::GROUP => NETDEV_GROUP,
        attribute::LINK => IFLINK,
        attribute::LINKMODE => LINK_MODE,
        attribute::MTU => MTU,
        attribute::TXQLEN => TX_QUEUE_LEN,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::netlink::{DeviceName, attribute_bytes};

    fn seen(flags: u32, attributes: &[(u16, &[u8])]) -> Seen {
        let mut body = vec![0, 0, 1, 0, 7, 0, 0, 0];
        body.extend(flags.to_ne_bytes());
        body.extend([0; 4]);
        for (kind, value) in attributes {
            body.extend(attribute_bytes(*kind, value));
        }
        let mut seen = Seen::default();
        seen.take(&Link::parse(&body).unwrap());
        seen
    }

    const COUNTS: [(u16, &[u8]); 2] =
        [(attribute::PROMISCUITY, &[1, 0, 0, 0]), (attribute::ALLMULTI, &[0; 4])];

    #[test]
    fn flags_are_those_that_the_file_has() {
        let running = UP | RUNNING | LOWER_UP | 0x1000;
        assert_eq!(seen(running, &COUNTS).numbers[FLAGS], Some(0x1101));
        assert!(!seen(running, &COUNTS[..1]).is_of(None));
    }

    #[test]
    fn an_interface_that_is_down_has_no_carrier_to_tell() {
        let carrier = [COUNTS[0], COUNTS[1], (attribute::CARRIER, &[1])];
        assert_eq!(seen(0, &carrier).numbers[CARRIER], None);
        assert_eq!(seen(0, &carrier).numbers[DORMANT], None);
        assert_eq!(seen(UP, &carrier).numbers[CARRIER], Some(1));
        assert_eq!(seen(UP | IS_DORMANT, &carrier).numbers[DORMANT], Some(1));
    }

    #[test]
    fn a_message_that_says_anything_else_than_the_files_does_not_agree() {
        let mtu = [COUNTS[0], COUNTS[1], (attribute::MTU, &[0xdc, 5, 0, 0])];
        let mut files = Interface::new(DeviceName::new(b"eth0"));
        seen(UP, &mtu).tell(&mut files);
        files.numbers[IFINDEX] = Some(7);
        assert!(seen(UP, &mtu).agrees(&files));
        assert!(!seen(UP, &COUNTS).agrees(&files));
        files.numbers[IFINDEX] = Some(8);
        assert!(!seen(UP, &mtu).agrees(&files));
    }
}
