//! `node_network_address_info`: the addresses of every interface.

use std::fmt;
use std::io;
use std::net::IpAddr;

use exporter_toolkit::{Gauge, LabelValue, LabelValues};

use crate::filter::Filter;
use crate::netlink::{Address, Client, DeviceName, DeviceNames, Request, Step};

pub(super) static ADDRESS_INFO: Gauge<4> = Gauge::new(
    "node_network_address_info",
    "Always 1: an address of the interface, with the length of its network prefix and its scope.",
    ["device", "address", "netmask", "scope"],
);

/// The addresses of one scrape; the memory is reused.
#[derive(Default)]
pub(super) struct Addresses {
    found: Vec<Found>,
}

#[derive(Clone, Copy, Eq, PartialEq)]
pub(super) struct Found {
    device: DeviceName,
    address: IpAddr,
    prefix: u8,
}

impl Addresses {
    /// An address that stands twice, as on two point-to-point links of one interface, counts once.
    pub(super) fn read(
        &mut self,
        client: &mut Client,
        names: &DeviceNames,
        filter: &Filter,
    ) -> io::Result<()> {
        let found = &mut self.found;
        client.dump(Request::addresses(), |step| match step {
            Step::Begin => found.clear(),
            Step::Message(body) => {
                let Some(Address { index, prefix, ip: address }) = Address::parse(body) else {
                    return;
                };
                let Some(&device) = names.get(index) else { return };
                let this = Found { device, address, prefix };
                if !filter.ignores(&device) && !found.contains(&this) {
                    found.push(this);
                }
            }
        })
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Found> {
        self.found.iter()
    }
}

impl Found {
    pub(super) fn labels(&self) -> impl LabelValues<4> {
        (self.device, Text(self.address), self.prefix, scope(self.address))
    }
}

/// A label value that is written as it displays.
struct Text<T>(T);

impl<T: fmt::Display> LabelValue for Text<T> {
    fn write(&self, out: &mut Vec<u8>) {
        LabelValue::write(&format_args!("{}", self.0), out);
    }
}

/// The reach of an address, in the words of the peer: loopback counts as `link-local`, the unspecified as nothing.
fn scope(address: IpAddr) -> &'static str {
    let (link_local, interface_local) = match address {
        IpAddr::V4(v4) => {
            let multicast = v4.octets()[..3] == [224, 0, 0];
            (v4.is_loopback() || v4.is_link_local() || multicast, false)
        }
        IpAddr::V6(v6) => {
            let multicast = |reach| v6.is_multicast() && v6.segments()[0] & 0xf == reach;
            (v6.is_loopback() || v6.is_unicast_link_local() || multicast(2), multicast(1))
        }
    };
    let broadcast = matches!(address, IpAddr::V4(v4) if v4.is_broadcast());
    if link_local {
        "link-local"
    } else if interface_local {
        "interface-local"
    } else if address.is_multicast() || address.is_unspecified() || broadcast {
        ""
    } else {
        "global"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_are_those_of_the_peer() {
        for (address, expected) in [
            ("127.0.0.1", "link-local"),
            ("169.254.1.1", "link-local"),
            ("224.0.0.1", "link-local"),
            ("224.0.1.1", ""),
            ("10.0.0.1", "global"),
            ("255.255.255.255", ""),
            ("::1", "link-local"),
            ("fe80::1", "link-local"),
            ("ff02::1", "link-local"),
            ("ff01::1", "interface-local"),
            ("fd00::2", "global"),
            ("::", ""),
        ] {
            assert_eq!(scope(address.parse().unwrap()), expected, "{address}");
        }
    }
}
