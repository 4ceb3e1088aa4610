//! `node_network_*`: what every network interface is and how it is set, from `/sys/class/net` or rtnetlink.

mod files;
mod interface;
mod link;
mod rtnl;
mod sysfs;

use std::time::Instant;

use crate::pattern::Pattern;
use exporter_toolkit::{Counter, Exposition, Gauge};

use self::interface::{Interface, text};
use self::rtnl::Rtnl;
use self::sysfs::Sysfs;
use super::{BuildError, CollectError, Collector, Setup, Spec, netdev};
use crate::filter::Filter;
use crate::flags::Flag;

static IGNORED: Flag<Pattern> =
    Flag::new("collector.netclass.ignored-devices", "^$", "Interfaces to leave out, as a pattern.");
static IGNORE_INVALID_SPEED: Flag<bool> = Flag::new(
    "collector.netclass.ignore-invalid-speed",
    "false",
    "Leave out the speed of interfaces that say -1 for it, instead of reporting -125000.",
);
static NETLINK: Flag<bool> = Flag::new(
    "collector.netclass.netlink",
    "false",
    "Read most attributes by rtnetlink, which is cheaper with many interfaces; node_network_info then lacks adminstate.",
);
static WITH_STATS: Flag<bool> = Flag::new(
    "collector.netclass_rtnl.with-stats",
    "false",
    "With netclass.netlink: report the interfaces' counters too, in place of the collector netdev.",
);

macro_rules! families {
    ($($kind:ident $constant:ident = $file:ident $name:literal $help:literal)*) => {
        $(static $constant: $kind<1> = $kind::new($name, $help, ["device"]);)*

        pub static SPEC: Spec = Spec {
            name: "netclass",
            enabled: true,
            about: "Attributes of network interfaces, from /sys/class/net or rtnetlink.",
            flags: &[&IGNORED, &IGNORE_INVALID_SPEED, &NETLINK, &WITH_STATS],
            families: &[&UP, &INFO, &ALTNAMES, $(&$constant),*],
            build,
        };

        fn write_numbers(interfaces: &[&Interface], out: &mut Exposition) {
            $({
                let mut samples = out.family(&$constant);
                for interface in interfaces {
                    samples.maybe(interface.name, interface.numbers[interface::$file]);
                }
            })*
        }
    };
}

static UP: Gauge<1> =
    Gauge::new("node_network_up", "1 while the interface's operstate is up, else 0.", ["device"]);
static INFO: Gauge<7> = Gauge::new(
    "node_network_info",
    "Always 1: the interface's addresses, duplex, states and alias as labels.",
    ["device", "address", "broadcast", "duplex", "operstate", "adminstate", "ifalias"],
);
/// What rtnetlink gives; the peer leaves `adminstate` out there.
static RTNL_INFO: Gauge<6> = Gauge::new(
    "node_network_info",
    "Always 1: the interface's addresses, duplex, state and alias as labels.",
    ["device", "address", "broadcast", "duplex", "operstate", "ifalias"],
);
static ALTNAMES: Gauge<2> = Gauge::new(
    "node_network_altnames_info",
    "Always 1: another name of the interface (ip link property add altname).",
    ["altname", "device"],
);

families! {
    Gauge ADDRESS_ASSIGN_TYPE = ADDR_ASSIGN_TYPE "node_network_address_assign_type" "Where the hardware address comes from: 0 the device, 1 chance, 2 another device, 3 an administrator."
    Gauge CARRIER_STATE = CARRIER "node_network_carrier" "1 where the link has a carrier; absent while the interface is down."
    Counter CARRIER_CHANGES_TOTAL = CARRIER_CHANGES "node_network_carrier_changes_total" "Times the carrier came or went."
    Counter CARRIER_UP_TOTAL = CARRIER_UP_COUNT "node_network_carrier_up_changes_total" "Times the carrier came."
    Counter CARRIER_DOWN_TOTAL = CARRIER_DOWN_COUNT "node_network_carrier_down_changes_total" "Times the carrier went."
    Gauge DEVICE_ID = DEV_ID "node_network_device_id" "Tells devices apart that share one hardware address."
    Gauge IS_DORMANT = DORMANT "node_network_dormant" "1 where the link waits for something outside, such as 802.1X."
    Gauge IFF_FLAGS = FLAGS "node_network_flags" "The interface's flags, the sum of the IFF_ bits of linux/if.h."
    Gauge IFACE_ID = IFINDEX "node_network_iface_id" "The interface's index, unique in its network namespace."
    Gauge IFACE_LINK = IFLINK "node_network_iface_link" "The index of the interface that this one is stacked on; its own where there is none."
    Gauge IFACE_LINK_MODE = LINK_MODE "node_network_iface_link_mode" "0 where a carrier makes the interface operational, 1 where it stays dormant until told."
    Gauge MTU_BYTES = MTU "node_network_mtu_bytes" "The largest packet that the interface sends."
    Gauge NAME_TYPE = NAME_ASSIGN_TYPE "node_network_name_assign_type" "Where the interface's name comes from: 1 counted up by the kernel, 2 predictable, 3 given by user space, 4 renamed."
    Gauge GROUP = NETDEV_GROUP "node_network_net_dev_group" "The group of interfaces that an administrator put it in."
    Gauge SPEED_BYTES = SPEED "node_network_speed_bytes" "The link's speed in bytes per second."
    Gauge QUEUE_LENGTH = TX_QUEUE_LEN "node_network_transmit_queue_length" "How many packets its transmit queue holds at most."
    Gauge PROTOCOL_TYPE = TYPE "node_network_protocol_type" "The kind of hardware, an ARPHRD_ number of linux/if_arp.h: 1 is Ethernet, 772 the loopback."
}

fn build(setup: &Setup) -> Result<Box<dyn Collector>, BuildError> {
    let flags = &setup.flags;
    let filter = if !flags.given(&IGNORED) && Filter::is_shared(flags) {
        Filter::from_network_flags(flags)?
    } else {
        Filter::excluding(flags.get(&IGNORED)?)
    };
    let invalid_speed = !flags.get(&IGNORE_INVALID_SPEED)?;
    let mut rtnl = None;
    if flags.get(&NETLINK)? {
        rtnl = Some(Rtnl::new(setup.host.clone(), filter.clone(), flags.get(&WITH_STATS)?));
    }
    let mut sysfs = Sysfs::new(setup.host.clone(), filter, invalid_speed);
    sysfs.ask_links(flags.get(&netdev::NETLINK)?);
    Ok(Box::new(Netclass { sysfs, rtnl }))
}

struct Netclass {
    sysfs: Sysfs,
    rtnl: Option<Rtnl>,
}

impl Collector for Netclass {
    fn answer_by(&mut self, deadline: Instant) {
        self.sysfs.answer_by(deadline);
    }

    fn collect(&mut self, out: &mut Exposition) -> Result<(), CollectError> {
        if let Some(rtnl) = &mut self.rtnl {
            match rtnl.read() {
                Ok(()) => {
                    write_rtnl(rtnl, out);
                    return Ok(());
                }
                Err(error) => {
                    tracing::debug!(%error, "rtnetlink does not answer, /sys/class/net is read instead");
                }
            }
        }
        self.sysfs.read()?;
        write_sysfs(&self.sysfs, out);
        Ok(())
    }
}

fn write_up(interfaces: &[&Interface], out: &mut Exposition) {
    let mut up = out.family(&UP);
    for interface in interfaces {
        let state = &interface.texts[text::OPERSTATE];
        if !state.is_empty() {
            up.sample(interface.name, state == b"up");
        }
    }
}

fn write_sysfs(sysfs: &Sysfs, out: &mut Exposition) {
    let interfaces: Vec<&Interface> = sysfs.interfaces().collect();
    write_up(&interfaces, out);
    let mut info = out.family(&INFO);
    for &&Interface { name, ref texts, ref numbers, .. } in &interfaces {
        let [address, broadcast, duplex, operstate, alias] = texts;
        let admin = match numbers[interface::FLAGS] {
            None => "unknown",
            Some(flags) if flags & 1 == 1 => "up",
            Some(_) => "down",
        };
        info.sample((name, address, broadcast, duplex, operstate, admin, alias), 1_u8);
    }
    write_numbers(&interfaces, out);
}

fn write_rtnl(rtnl: &Rtnl, out: &mut Exposition) {
    let interfaces: Vec<&Interface> = rtnl.interfaces().collect();
    write_up(&interfaces, out);
    let mut info = out.family(&RTNL_INFO);
    for &&Interface { name, ref texts, .. } in &interfaces {
        let [address, broadcast, duplex, operstate, alias] = texts;
        info.sample((name, address, broadcast, duplex, operstate, alias), 1_u8);
    }
    let mut altnames = out.family(&ALTNAMES);
    for interface in &interfaces {
        for altname in &interface.altnames {
            altnames.sample((altname, interface.name), 1_u8);
        }
    }
    write_numbers(&interfaces, out);
    rtnl.write_stats(out);
}

#[cfg(test)]
mod tests;
