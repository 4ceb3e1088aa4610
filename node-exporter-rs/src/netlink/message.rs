//! The bytes of netlink: messages in a part, attributes in a message, links, addresses and neighbours made of them.
//!
//! Every number is in the host's byte order (linux/netlink.h). Whatever the bytes, nothing here panics: what is cut
//! short ends the walk.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::DeviceName;

pub(super) const AF_INET: u8 = 2;
pub(super) const AF_INET6: u8 = 10;

pub(super) const GET_LINK: u16 = 18;
pub(super) const GET_ADDRESS: u16 = 22;
pub(super) const GET_ROUTE: u16 = 26;
pub(super) const GET_NEIGHBOUR: u16 = 30;
pub(super) const GET_QDISC: u16 = 38;
/// `SOCK_DIAG_BY_FAMILY` of `linux/sock_diag.h`.
pub(super) const GET_SOCKETS: u16 = 20;
pub(super) const RTEXT_FILTER_SKIP_STATS: u32 = 1 << 3;
pub(super) const IFLA_EXT_MASK: u16 = 29;

const HEADER: usize = 16;
/// A question about sockets is the longest.
pub(super) const LONGEST_REQUEST: usize = HEADER + 56;
const ERROR: u16 = 2;
const DONE: u16 = 3;
const FLAGS_REQUEST_DUMP: u16 = 0x301;
const FLAG_DUMP_INTERRUPTED: u16 = 0x10;
/// The upper two bits of an attribute's type say how its value is built.
const ATTRIBUTE_TYPE: u16 = 0x3fff;

/// Attribute types of links, addresses and neighbours (`linux/if_link.h`, `if_addr.h`).
pub mod attribute {
    pub const ADDRESS: u16 = 1;
    pub const BROADCAST: u16 = 2;
    pub const IFNAME: u16 = 3;
    pub const MTU: u16 = 4;
    pub const LINK: u16 = 5;
    pub const STATS: u16 = 7;
    pub const TXQLEN: u16 = 13;
    pub const OPERSTATE: u16 = 16;
    pub const LINKMODE: u16 = 17;
    pub const IFALIAS: u16 = 20;
    pub const STATS64: u16 = 23;
    pub const GROUP: u16 = 27;
    pub const PROMISCUITY: u16 = 30;
    pub const CARRIER: u16 = 33;
    pub const CARRIER_CHANGES: u16 = 35;
    pub const CARRIER_UP_COUNT: u16 = 47;
    pub const CARRIER_DOWN_COUNT: u16 = 48;
    pub const PROP_LIST: u16 = 52;
    pub const ALT_IFNAME: u16 = 53;
    pub const ALLMULTI: u16 = 61;
    /// `IFA_LOCAL`: of an address, the interface's own end of a point-to-point link.
    pub const LOCAL: u16 = 2;
}

/// Writes a dump request; gives its length.
pub(super) fn write_request(kind: u16, body: &[u8], out: &mut [u8; LONGEST_REQUEST]) -> usize {
    let len = HEADER + body.len();
    #[expect(clippy::cast_possible_truncation, reason = "at most LONGEST_REQUEST")]
    out[..4].copy_from_slice(&(len as u32).to_ne_bytes());
    out[4..6].copy_from_slice(&kind.to_ne_bytes());
    out[6..8].copy_from_slice(&FLAGS_REQUEST_DUMP.to_ne_bytes());
    out[HEADER..len].copy_from_slice(body);
    len
}

pub(super) fn set_sequence(request: &mut [u8; LONGEST_REQUEST], sequence: u32) {
    request[8..12].copy_from_slice(&sequence.to_ne_bytes());
}

/// The number at a place, where it lies within the bytes.
pub(super) fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_ne_bytes(*bytes.get(at..)?.first_chunk()?))
}

/// An attribute's value that is a number of four bytes.
pub fn u32_of(value: &[u8]) -> Option<u32> {
    u32_at(value, 0)
}

/// A number of four bytes at a place of a message's fixed part.
pub fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(*bytes.get(at..)?.first_chunk()?))
}

/// Takes what has a length off the front, with the padding to four bytes that follows it.
pub(super) fn take_padded<'a>(rest: &mut &'a [u8], len: usize) -> Option<&'a [u8]> {
    let taken = rest.get(..len)?;
    *rest = rest.get(len.next_multiple_of(4)..).unwrap_or_default();
    Some(taken)
}

/// The messages of one received part.
#[derive(Clone, Debug)]
pub(super) struct Messages<'a> {
    rest: &'a [u8],
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Message<'a> {
    kind: u16,
    pub(super) interrupted: bool,
    pub(super) sequence: u32,
    body: &'a [u8],
}

/// What a message means to its dump.
#[derive(Debug, Eq, PartialEq)]
pub(super) enum Fate<'a> {
    Body(&'a [u8]),
    Done,
    Failed(i32),
}

impl<'a> Messages<'a> {
    pub(super) fn new(part: &'a [u8]) -> Self {
        Self { rest: part }
    }
}

impl<'a> Iterator for Messages<'a> {
    type Item = Message<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        let len = usize::try_from(u32_at(self.rest, 0)?).ok()?;
        let message = take_padded(&mut self.rest, len.max(HEADER))?;
        Some(Message {
            kind: u16_at(message, 4)?,
            interrupted: u16_at(message, 6)? & FLAG_DUMP_INTERRUPTED != 0,
            sequence: u32_at(message, 8)?,
            body: message.get(HEADER..)?,
        })
    }
}

impl<'a> Message<'a> {
    /// The end and an error both carry a negative errno; an end with 0 or without a number is a good one.
    pub(super) fn fate(&self) -> Fate<'a> {
        let errno = self.body.first_chunk().map_or(0, |bytes| i32::from_ne_bytes(*bytes));
        match self.kind {
            DONE | ERROR if errno < 0 => Fate::Failed(errno.saturating_neg()),
            DONE | ERROR => Fate::Done,
            _ => Fate::Body(self.body),
        }
    }
}

/// The attributes of a message or of a nested attribute: their types and values.
#[derive(Clone, Debug)]
pub struct Attributes<'a> {
    rest: &'a [u8],
}

impl<'a> Attributes<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }
}

impl<'a> Iterator for Attributes<'a> {
    type Item = (u16, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let len = usize::from(u16_at(self.rest, 0)?);
        let kind = u16_at(self.rest, 2)? & ATTRIBUTE_TYPE;
        let whole = take_padded(&mut self.rest, len.max(4))?;
        Some((kind, whole.get(4..)?))
    }
}

/// A network interface as `RTM_NEWLINK` describes it.
#[derive(Clone, Debug)]
pub struct Link<'a> {
    pub index: u32,
    /// Its hardware type, `ARPHRD_…` of `linux/if_arp.h`.
    pub hardware: u16,
    /// `IFF_…` of linux/if.h.
    pub flags: u32,
    attributes: &'a [u8],
}

impl<'a> Link<'a> {
    /// Reads `struct ifinfomsg` and what follows it.
    pub fn parse(body: &'a [u8]) -> Option<Self> {
        Some(Self {
            hardware: u16_at(body, 2)?,
            index: u32_at(body, 4)?,
            flags: u32_at(body, 8)?,
            attributes: body.get(16..)?,
        })
    }

    pub fn attributes(&self) -> Attributes<'a> {
        Attributes::new(self.attributes)
    }

    /// The value of the first attribute of a type.
    pub fn get(&self, kind: u16) -> Option<&'a [u8]> {
        self.attributes().find(|(found, _)| *found == kind).map(|(_, value)| value)
    }

    /// Its name; empty where the message has none.
    pub fn name(&self) -> DeviceName {
        DeviceName::new(self.get(attribute::IFNAME).unwrap_or_default())
    }
}

/// How many counters `struct rtnl_link_stats64` has that are read here: up to `rx_nohandler` of 4.6.
pub const LINK_STATS64_LEN: usize = 24;

/// An interface's counters, in the order of `struct rtnl_link_stats64`; old kernels give fewer than there are now.
#[derive(Clone, Copy, Debug)]
pub enum LinkStats<'a> {
    Wide(&'a [u8]),
    Narrow(&'a [u8]),
}

impl<'a> LinkStats<'a> {
    /// The 64-bit counters, else the 32-bit ones of the same order.
    pub fn of(link: &Link<'a>) -> Option<Self> {
        let wide = link.get(attribute::STATS64).map(Self::Wide);
        wide.or_else(|| link.get(attribute::STATS).map(Self::Narrow))
    }

    pub fn get(&self, place: usize) -> Option<u64> {
        match self {
            Self::Wide(bytes) => {
                Some(u64::from_ne_bytes(*bytes.get(place.checked_mul(8)?..)?.first_chunk()?))
            }
            Self::Narrow(bytes) => u32_at(bytes, place.checked_mul(4)?).map(u64::from),
        }
    }
}

/// An address of an interface as `RTM_NEWADDR` describes it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Address {
    pub index: u32,
    /// How many leading bits are the network's.
    pub prefix: u8,
    pub ip: IpAddr,
}

impl Address {
    /// Reads `struct ifaddrmsg` and its attributes; `None` for other families than IPv4 and IPv6.
    pub fn parse(body: &[u8]) -> Option<Self> {
        let (family, prefix) = (*body.first()?, *body.get(1)?);
        let index = u32_at(body, 4)?;
        let attributes = Attributes::new(body.get(8..)?);
        let of = |wanted| attributes.clone().find(|(kind, _)| *kind == wanted);
        let (_, bytes) = of(attribute::LOCAL).or_else(|| of(attribute::ADDRESS))?;
        let ip = match family {
            AF_INET => Ipv4Addr::from(*bytes.first_chunk::<4>()?).into(),
            AF_INET6 => Ipv6Addr::from(*bytes.first_chunk::<16>()?).into(),
            _ => return None,
        };
        Some(Self { index, prefix, ip })
    }
}

/// A neighbour as `RTM_NEWNEIGH` describes it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Neighbour {
    pub index: u32,
    /// False for an entry that needs no resolution (`NUD_NOARP`), which `/proc/net/arp` does not list.
    pub resolved: bool,
}

impl Neighbour {
    /// Reads `struct ndmsg`; `None` for other families than IPv4.
    pub fn parse(body: &[u8]) -> Option<Self> {
        const NUD_NOARP: u16 = 0x40;
        let state = u16_at(body, 8)?;
        (*body.first()? == AF_INET)
            .then_some(Self { index: u32_at(body, 4)?, resolved: state & NUD_NOARP == 0 })
    }
}

/// An attribute as the kernel lays it out, for the tests of all who read some.
#[cfg(test)]
pub(crate) fn attribute_bytes(kind: u16, value: &[u8]) -> Vec<u8> {
    let len = u16::try_from(4 + value.len()).unwrap();
    let mut bytes = [len.to_ne_bytes(), kind.to_ne_bytes()].concat();
    bytes.extend_from_slice(value);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn message_bytes(kind: u16, flags: u16, body: &[u8]) -> Vec<u8> {
        let len = u32::try_from(HEADER + body.len()).unwrap();
        let mut bytes = len.to_ne_bytes().to_vec();
        bytes.extend([kind.to_ne_bytes(), flags.to_ne_bytes()].concat());
        bytes.extend([7_u32.to_ne_bytes(), 0_u32.to_ne_bytes()].concat());
        bytes.extend_from_slice(body);
        bytes
    }

    #[test]
    fn attributes_come_with_their_types_and_without_their_padding() {
        let bytes =
            [attribute_bytes(3, b"eth0\0"), attribute_bytes(0x8000 | attribute::PROP_LIST, b"")]
                .concat();
        let found: Vec<_> = Attributes::new(&bytes).collect();
        assert_eq!(found, [(3, b"eth0\0".as_slice()), (52, b"".as_slice())]);
    }

    #[test]
    fn the_last_attribute_may_lack_its_padding() {
        let bytes = attribute_bytes(3, b"lo\0");
        assert_eq!(Attributes::new(&bytes[..7]).collect::<Vec<_>>(), [(3, b"lo\0".as_slice())]);
        assert_eq!(Attributes::new(&bytes[..6]).count(), 0);
    }

    #[test]
    fn a_part_is_taken_apart_into_messages_and_its_end() {
        let part = [
            message_bytes(16, FLAG_DUMP_INTERRUPTED, b"body"),
            message_bytes(ERROR, 0, &(-1_i32).to_ne_bytes()),
            message_bytes(DONE, 0, &0_i32.to_ne_bytes()),
        ]
        .concat();
        let found: Vec<_> = Messages::new(&part).collect();
        assert_eq!(found[0].fate(), Fate::Body(b"body"));
        assert!(found[0].interrupted && !found[1].interrupted);
        assert_eq!(found[1].fate(), Fate::Failed(1));
        assert_eq!(found[2].fate(), Fate::Done);
        assert_eq!(found[2].sequence, 7);
    }

    #[test]
    fn an_interfaces_own_end_of_a_point_to_point_link_is_its_address() {
        let mut body = vec![AF_INET, 32, 0, 0];
        body.extend(9_u32.to_ne_bytes());
        body.extend(attribute_bytes(attribute::ADDRESS, &[192, 0, 2, 9]));
        let peer = Address::parse(&body).unwrap();
        assert_eq!(peer.ip, IpAddr::from([192, 0, 2, 9]));
        body.extend(attribute_bytes(attribute::LOCAL, &[192, 0, 2, 1]));
        let own = Address::parse(&body).unwrap();
        assert_eq!((own.index, own.prefix, own.ip), (9, 32, IpAddr::from([192, 0, 2, 1])));
    }

    #[test]
    fn narrow_counters_stand_in_for_wide_ones_and_old_kernels_have_fewer() {
        let narrow: Vec<u8> = (0..23_u32).flat_map(u32::to_ne_bytes).collect();
        let mut body = vec![0; 16];
        body.extend(attribute_bytes(attribute::STATS, &narrow));
        let stats = LinkStats::of(&Link::parse(&body).unwrap()).unwrap();
        assert_eq!((stats.get(22), stats.get(23)), (Some(22), None));
        let wide: Vec<u8> = (0..25_u64).flat_map(|n| (n << 40).to_ne_bytes()).collect();
        body.extend(attribute_bytes(attribute::STATS64, &wide));
        let stats = LinkStats::of(&Link::parse(&body).unwrap()).unwrap();
        assert_eq!((stats.get(23), stats.get(25)), (Some(23 << 40), None));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic_or_walk_for_ever(bytes: Vec<u8>, place in 0_usize..64) {
            prop_assert!(Messages::new(&bytes).map(|message| _ = message.fate()).count() <= bytes.len());
            prop_assert!(Attributes::new(&bytes).count() <= bytes.len());
            if let Some(link) = Link::parse(&bytes) {
                let _name = link.name();
                let _value = LinkStats::of(&link).and_then(|stats| stats.get(place));
            }
            let _found = (Address::parse(&bytes), Neighbour::parse(&bytes));
        }

        #[test]
        fn attributes_read_back_as_they_were_written(
            written in proptest::collection::vec((0_u16..0x3fff, proptest::collection::vec(any::<u8>(), 0..40)), 0..9)
        ) {
            let bytes: Vec<u8> = written.iter().flat_map(|(kind, value)| attribute_bytes(*kind, value)).collect();
            let read: Vec<_> = Attributes::new(&bytes).map(|(kind, value)| (kind, value.to_vec())).collect();
            prop_assert_eq!(read, written);
        }
    }
}
