//! `node_network_route_info` and `node_network_routes`: the routing tables, from rtnetlink.

use std::collections::BTreeMap;
use std::io;
use std::net::IpAddr;

use exporter_toolkit::{Exposition, Gauge};

use super::{CollectError, Collector, Spec};
use crate::filter::Filter;
use crate::netlink::{Client, DeviceName, DeviceNames, Hop, Request, Route, Step};

static INFO: Gauge<7> = Gauge::new(
    "node_network_route_info",
    "Always 1: a unicast route of any routing table.",
    ["device", "src", "dest", "gw", "priority", "proto", "weight"],
);
static ROUTES: Gauge<1> = Gauge::new(
    "node_network_routes",
    "Unicast routes that lead to the interface, of all routing tables.",
    ["device"],
);

/// Routes shown one by one; a router of the Internet's core has a million, which is no use as series.
const MOST: usize = 65_536;

pub static SPEC: Spec = Spec {
    name: "network_route",
    enabled: false,
    about: "Routes of all routing tables, from rtnetlink.",
    flags: &[],
    families: &[&INFO, &ROUTES],
    build: |setup| {
        Ok(Box::new(NetworkRoute {
            filter: Filter::from_network_flags(&setup.flags)?,
            client: Client::default(),
            names: DeviceNames::default(),
        }))
    },
};

struct NetworkRoute {
    filter: Filter,
    client: Client,
    names: DeviceNames,
}

impl Collector for NetworkRoute {
    fn collect(&mut self, out: &mut Exposition) -> Result<(), CollectError> {
        let failed = |source| CollectError::Call { call: "rtnetlink", source };
        self.names.read(&mut self.client).map_err(failed)?;
        let mut table = Table::default();
        let (names, filter) = (&self.names, &self.filter);
        let dumped = self.client.dump(Request::routes(), |step| match step {
            Step::Begin => table = Table::default(),
            Step::Message(body) => {
                if let Some(route) = Route::parse(body) {
                    route.hops(|hop| {
                        // A route need not name an interface, and one may have gone since they were listed.
                        let device = names.get(hop.index).copied();
                        let device = device.unwrap_or(DeviceName::new(b""));
                        if !filter.ignores(&device) {
                            table.add(&route, hop, device);
                        }
                    });
                }
            }
        });
        dumped.map_err(failed)?;
        table.write(out).map_err(failed)
    }
}

/// The routes, sorted.
#[derive(Default)]
struct Table {
    rows: Vec<Row>,
    counts: BTreeMap<DeviceName, u64>,
    more: bool,
}

#[derive(Eq, Ord, PartialEq, PartialOrd)]
struct Row {
    device: DeviceName,
    source: Option<IpAddr>,
    destination: Option<(IpAddr, u8)>,
    gateway: Option<IpAddr>,
    priority: u32,
    protocol: &'static str,
    weight: Option<u16>,
}

impl Table {
    fn add(&mut self, route: &Route<'_>, hop: Hop, device: DeviceName) {
        *self.counts.entry(device).or_default() += 1;
        if self.rows.len() == MOST {
            self.more = true;
            return;
        }
        self.rows.push(Row {
            device,
            source: route.source,
            destination: route.destination.map(|to| (to, route.prefix)).filter(|(_, p)| *p > 0),
            gateway: hop.gateway,
            priority: route.priority,
            protocol: protocol(route.protocol),
            weight: hop.weight,
        });
    }

    /// Tables of their own may hold the same route, which is one series.
    fn write(mut self, out: &mut Exposition) -> io::Result<()> {
        self.rows.sort_unstable();
        self.rows.dedup();
        let mut info = out.family(&INFO);
        for row in &self.rows {
            let or_empty =
                |address: Option<IpAddr>| address.map_or(String::new(), |a| a.to_string());
            let to =
                row.destination.map_or("default".to_owned(), |(a, bits)| format!("{a}/{bits}"));
            let weight = row.weight.map_or(String::new(), |weight| weight.to_string());
            let (source, gateway) = (or_empty(row.source), or_empty(row.gateway));
            info.sample(
                (row.device, source, to, gateway, row.priority, row.protocol, weight),
                1_u8,
            );
        }
        let mut routes = out.family(&ROUTES);
        for (device, count) in &self.counts {
            routes.sample(device, *count);
        }
        if self.more {
            return Err(io::Error::other(format!("more than {MOST} routes: not all are shown")));
        }
        Ok(())
    }
}

/// The names of `RTPROT_…` (linux/rtnetlink.h), as the peer spells them.
fn protocol(number: u8) -> &'static str {
    match number {
        0 => "unspec",
        1 => "redirect",
        2 => "kernel",
        3 => "boot",
        4 => "static",
        8 => "gated",
        9 => "ra",
        10 => "mrt",
        11 => "zebra",
        12 => "bird",
        13 => "dnrouted",
        14 => "xorp",
        15 => "ntk",
        16 => "dhcp",
        17 => "mrouted",
        42 => "babel",
        186 => "bgp",
        187 => "isis",
        188 => "ospf",
        189 => "rip",
        192 => "eigrp",
        _ => "unknown",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collector::testing::{collect, tree};
    use crate::netlink::attribute_bytes;

    const IP6: u8 = 10;

    /// A unicast route of IPv6 to `prefix` bits of `2001:db8::`, over the interface 1.
    fn body(prefix: u8, priority: u32) -> Vec<u8> {
        let mut body = vec![IP6, prefix, 0, 0, 254, 2, 0, 1, 0, 0, 0, 0];
        let address: std::net::Ipv6Addr = "2001:db8::".parse().unwrap();
        body.extend(attribute_bytes(1, &address.octets()));
        body.extend(attribute_bytes(4, &1_u32.to_ne_bytes()));
        body.extend(attribute_bytes(6, &priority.to_ne_bytes()));
        body
    }

    fn written(bodies: &[Vec<u8>]) -> (Vec<String>, io::Result<()>) {
        let mut table = Table::default();
        for body in bodies {
            let route = Route::parse(body).unwrap();
            route.hops(|hop| table.add(&route, hop, DeviceName::new(b"eth0")));
        }
        let mut out = Exposition::new(exporter_toolkit::Format::Text);
        let result = table.write(&mut out);
        let text = std::str::from_utf8(out.text()).unwrap();
        (text.lines().filter(|line| !line.starts_with('#')).map(str::to_owned).collect(), result)
    }

    #[test]
    fn a_route_that_stands_in_two_tables_is_one_series_and_counts_twice() {
        let (samples, result) = written(&[body(32, 7), body(0, 7), body(32, 7)]);
        assert!(result.is_ok());
        let series = |dest, n| {
            format!(
                "node_network_route_info{{device=\"eth0\",src=\"\",dest=\"{dest}\",gw=\"\",priority=\"7\",proto=\"kernel\",weight=\"\"}} {n}"
            )
        };
        let routes = "node_network_routes{device=\"eth0\"} 3".to_owned();
        assert_eq!(samples, [series("default", 1), series("2001:db8::/32", 1), routes]);
    }

    #[test]
    fn what_is_shown_one_by_one_is_bounded() {
        let bodies: Vec<_> = (0..).take(MOST + 1).map(|priority| body(32, priority)).collect();
        let (samples, result) = written(&bodies);
        assert_eq!(samples.len(), MOST + 1);
        assert_eq!(samples[MOST], format!("node_network_routes{{device=\"eth0\"}} {}", MOST + 1));
        assert_eq!(result.unwrap_err().to_string(), "more than 65536 routes: not all are shown");
    }

    #[test]
    fn the_live_kernel_answers() {
        assert!(collect(&SPEC, tree(&[]).path(), &[]).1.is_ok());
    }
}
