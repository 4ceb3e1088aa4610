//! Routes as `RTM_NEWROUTE` describes them (linux/rtnetlink.h).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::message::{AF_INET, AF_INET6, Attributes, take_padded, u16_at, u32_at, u32_of};

/// `RTN_UNICAST`: a route that leads somewhere, unlike those of addresses of our own, broadcasts and prohibitions.
const UNICAST: u8 = 1;
const DESTINATION: u16 = 1;
const INTERFACE: u16 = 4;
const GATEWAY: u16 = 5;
const PRIORITY: u16 = 6;
const PREFERRED_SOURCE: u16 = 7;
const MULTIPATH: u16 = 9;

/// A unicast route of IPv4 or IPv6.
#[derive(Clone, Debug)]
pub struct Route<'a> {
    /// How many leading bits of the destination count; 0 for the default route.
    pub prefix: u8,
    /// Who made it, `RTPROT_…`.
    pub protocol: u8,
    pub destination: Option<IpAddr>,
    /// The address that packets get which have none yet.
    pub source: Option<IpAddr>,
    /// Its metric: of several routes the one with the lowest is taken.
    pub priority: u32,
    family: u8,
    attributes: Attributes<'a>,
}

/// Where a route leads to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Hop {
    /// The interface's index; 0 for none.
    pub index: u32,
    pub gateway: Option<IpAddr>,
    /// Its share among the hops of a route that has several, at least 1.
    pub weight: Option<u16>,
}

impl<'a> Route<'a> {
    /// Reads `struct rtmsg` and its attributes; `None` for other kinds of routes and other families.
    pub fn parse(body: &'a [u8]) -> Option<Self> {
        let (family, kind) = (*body.first()?, *body.get(7)?);
        if kind != UNICAST || !matches!(family, AF_INET | AF_INET6) {
            return None;
        }
        let attributes = Attributes::new(body.get(12..)?);
        let mut route = Self {
            prefix: *body.get(1)?,
            protocol: *body.get(5)?,
            destination: None,
            source: None,
            priority: 0,
            family,
            attributes: attributes.clone(),
        };
        for (kind, value) in attributes {
            match kind {
                DESTINATION => route.destination = address(family, value),
                PREFERRED_SOURCE => route.source = address(family, value),
                PRIORITY => route.priority = u32_of(value)?,
                _ => {}
            }
        }
        Some(route)
    }

    /// Sees each hop of a route with several, else the one it has.
    pub fn hops(&self, mut see: impl FnMut(Hop)) {
        let mut only = Hop { index: 0, gateway: None, weight: None };
        for (kind, value) in self.attributes.clone() {
            match kind {
                INTERFACE => only.index = u32_of(value).unwrap_or_default(),
                GATEWAY => only.gateway = address(self.family, value),
                MULTIPATH if !value.is_empty() => {
                    return NextHops { family: self.family, rest: value }.for_each(see);
                }
                _ => {}
            }
        }
        see(only);
    }
}

/// The hops in a nested attribute: each a `struct rtnexthop` with attributes of its own.
struct NextHops<'a> {
    family: u8,
    rest: &'a [u8],
}

impl Iterator for NextHops<'_> {
    type Item = Hop;

    fn next(&mut self) -> Option<Hop> {
        const HEADER: usize = 8;
        let len = usize::from(u16_at(self.rest, 0)?);
        let hop = take_padded(&mut self.rest, len.max(HEADER))?;
        let mut attributes = Attributes::new(hop.get(HEADER..)?);
        let gateway = attributes.find(|(kind, _)| *kind == GATEWAY);
        Some(Hop {
            index: u32_at(hop, 4)?,
            gateway: gateway.and_then(|(_, value)| address(self.family, value)),
            // The kernel counts from 0.
            weight: Some(u16::from(*hop.get(3)?) + 1),
        })
    }
}

fn address(family: u8, value: &[u8]) -> Option<IpAddr> {
    match family {
        AF_INET => Some(Ipv4Addr::from(*value.first_chunk::<4>()?).into()),
        _ => Some(Ipv6Addr::from(*value.first_chunk::<16>()?).into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::netlink::attribute_bytes;
    use proptest::prelude::*;

    fn hops(body: &[u8]) -> Vec<Hop> {
        let mut found = Vec::new();
        Route::parse(body).unwrap().hops(|hop| found.push(hop));
        found
    }

    /// To 192.0.2.0/24, made by DHCP.
    fn header(kind: u8) -> Vec<u8> {
        let mut body = vec![AF_INET, 24, 0, 0, 254, 16, 0, kind, 0, 0, 0, 0];
        body.extend(attribute_bytes(DESTINATION, &[192, 0, 2, 0]));
        body
    }

    #[test]
    fn a_route_has_its_own_hop() {
        let mut body = header(UNICAST);
        body.extend(attribute_bytes(PRIORITY, &100_u32.to_ne_bytes()));
        body.extend(attribute_bytes(PREFERRED_SOURCE, &[192, 0, 2, 7]));
        body.extend(attribute_bytes(GATEWAY, &[192, 0, 2, 1]));
        body.extend(attribute_bytes(INTERFACE, &3_u32.to_ne_bytes()));
        let route = Route::parse(&body).unwrap();
        assert_eq!((route.prefix, route.protocol, route.priority), (24, 16, 100));
        assert_eq!(route.destination, Some(IpAddr::from([192, 0, 2, 0])));
        assert_eq!(route.source, Some(IpAddr::from([192, 0, 2, 7])));
        let gateway = Some(IpAddr::from([192, 0, 2, 1]));
        assert_eq!(hops(&body), [Hop { index: 3, gateway, weight: None }]);
    }

    #[test]
    fn a_route_with_several_hops_gives_each_its_weight() {
        let hop = |hops: u8, index: u32, attribute: &[u8]| {
            let len = u16::try_from(8 + attribute.len()).unwrap();
            let mut bytes = len.to_ne_bytes().to_vec();
            bytes.extend([0, hops]);
            bytes.extend(index.to_ne_bytes());
            bytes.extend_from_slice(attribute);
            bytes
        };
        let mut several = hop(0, 3, &attribute_bytes(GATEWAY, &[192, 0, 2, 1]));
        several.extend(hop(255, 4, &[]));
        let mut body = header(UNICAST);
        body.extend(attribute_bytes(MULTIPATH, &several));
        let gateway = Some(IpAddr::from([192, 0, 2, 1]));
        let first = Hop { index: 3, gateway, weight: Some(1) };
        assert_eq!(hops(&body), [first, Hop { index: 4, gateway: None, weight: Some(256) }]);
    }

    #[test]
    fn what_is_no_unicast_route_of_ip_is_left_out() {
        assert!(Route::parse(&header(2)).is_none());
        let mut mpls = header(UNICAST);
        mpls[0] = 28;
        assert!(Route::parse(&mpls).is_none());
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic_or_walk_for_ever(mut bytes: Vec<u8>, ip6: bool) {
            if bytes.len() > 7 {
                (bytes[0], bytes[7]) = (if ip6 { AF_INET6 } else { AF_INET }, UNICAST);
            }
            let mut count = 0;
            if let Some(route) = Route::parse(&bytes) {
                route.hops(|_| count += 1);
            }
            prop_assert!(count <= bytes.len());
            let hops = NextHops { family: AF_INET, rest: &bytes };
            prop_assert!(hops.count() <= bytes.len());
        }
    }
}
