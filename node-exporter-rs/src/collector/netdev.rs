//! `node_network_*_total`: every interface's traffic and errors, from rtnetlink or `/proc/net/dev`.
//!
//! By default the names are those of `/proc/net/dev`, whose columns sum several of the kernel's counters
//! (`dev_seq_printf_stats` of net/core/net-procfs.c); with `--collector.netdev.enable-detailed-metrics` each counter has
//! its own.

mod addresses;
mod fields;
mod procfs;

use std::time::Instant;

use exporter_toolkit::Exposition;

use self::addresses::{ADDRESS_INFO, Addresses};
use self::fields::{DETAILED, DETAILED_OF_FILE, FAMILIES, FIELDS, LEGACY, Sum};
use super::{BuildError, CollectError, Collector, Setup, Spec};
use crate::filter::{Filter, PatternFlag};
use crate::flags::{Flag, FlagError, Flags};
use crate::host::{self, Host, KeptFile};
use crate::netlink::{
    Client, DeviceName, DeviceNames, LINK_STATS64_LEN, Link, LinkStats, Step, attribute,
};

static INCLUDE: PatternFlag = Flag::new(
    "collector.netdev.device-include",
    "",
    "Interfaces to report, as a pattern; excludes device-exclude.",
);
static EXCLUDE: PatternFlag = Flag::new(
    "collector.netdev.device-exclude",
    "",
    "Interfaces to leave out, as a pattern; excludes device-include.",
);
static WHITELIST: PatternFlag =
    Flag::new("collector.netdev.device-whitelist", "", "Old name of device-include.").hidden();
static BLACKLIST: PatternFlag =
    Flag::new("collector.netdev.device-blacklist", "", "Old name of device-exclude.").hidden();
static ADDRESSES: Flag<bool> = Flag::new(
    "collector.netdev.address-info",
    "false",
    "Report the addresses of every interface (node_network_address_info).",
);
static DETAILS: Flag<bool> = Flag::new(
    "collector.netdev.enable-detailed-metrics",
    "false",
    "Report each of the kernel's counters under its own name instead of the sums of /proc/net/dev.",
);
static ALIASES: Flag<bool> = Flag::new(
    "collector.netdev.label-ifalias",
    "false",
    "Put the interface's alias (ip link set alias) into a label ifalias.",
);
pub(super) static NETLINK: Flag<bool> = Flag::new(
    "collector.netdev.netlink",
    "true",
    "Read the counters by rtnetlink; /proc/net/dev serves where that is not allowed.",
);

pub static SPEC: Spec = Spec {
    name: "netdev",
    enabled: true,
    about: "Traffic and errors of network interfaces, from rtnetlink or /proc/net/dev.",
    flags: &[&INCLUDE, &EXCLUDE, &WHITELIST, &BLACKLIST, &ADDRESSES, &DETAILS, &ALIASES, &NETLINK],
    families: FAMILIES,
    build,
};

fn build(setup: &Setup) -> Result<Box<dyn Collector>, BuildError> {
    let flags = &setup.flags;
    let mut addresses = None;
    if flags.get(&ADDRESSES)? {
        addresses = Some(Addresses::default());
    }
    Ok(Box::new(Netdev {
        filter: filter(flags)?,
        details: flags.get(&DETAILS)?,
        addresses,
        netlink: flags.get(&NETLINK)?,
        aliases: flags.get(&ALIASES)?,
        file: setup.host.keep_proc("net/dev"),
        host: setup.host.clone(),
        client: Client::default(),
        round: None,
        table: Table::default(),
    }))
}

/// The old names serve where the new ones are not given.
fn filter(flags: &Flags) -> Result<Filter, FlagError> {
    flags.exclusive(&INCLUDE, &WHITELIST)?;
    flags.exclusive(&EXCLUDE, &BLACKLIST)?;
    let include = if flags.given(&WHITELIST) { &WHITELIST } else { &INCLUDE };
    let exclude = if flags.given(&BLACKLIST) { &BLACKLIST } else { &EXCLUDE };
    Filter::from_device_flags(flags, include, exclude)
}

struct Netdev {
    filter: Filter,
    details: bool,
    addresses: Option<Addresses>,
    netlink: bool,
    aliases: bool,
    file: KeptFile,
    host: Host,
    client: Client,
    /// The deadline of the scrape, by which the dump is shared.
    round: Option<Instant>,
    table: Table,
}

/// The interfaces of one scrape; the memory is reused.
#[derive(Default)]
struct Table {
    rows: Vec<Row>,
    /// The rows' aliases, one after the other.
    aliases: Vec<u8>,
    names: DeviceNames,
}

/// One interface.
struct Row {
    name: DeviceName,
    alias: std::ops::Range<usize>,
    counters: Counters,
}

/// The counters in the order of `struct rtnl_link_stats64`; `None` is what the source does not give.
type Counters = [Option<u64>; LINK_STATS64_LEN];

impl Collector for Netdev {
    fn answer_by(&mut self, deadline: Instant) {
        self.round = Some(deadline);
    }

    fn collect(&mut self, out: &mut Exposition) -> Result<(), CollectError> {
        let mut named = false;
        if self.netlink {
            match self.read_links() {
                Ok(()) => named = true,
                Err(error) => {
                    tracing::debug!(%error, "rtnetlink does not answer, /proc/net/dev is read instead");
                }
            }
        }
        if !named {
            self.read_file()?;
        }
        self.write(self.sums(named), out);
        let Some(addresses) = &mut self.addresses else { return Ok(()) };
        let wrong = |source| CollectError::Call { call: "rtnetlink dump of addresses", source };
        if !named {
            self.table.names.read(&mut self.client).map_err(wrong)?;
        }
        addresses.read(&mut self.client, &self.table.names, &self.filter).map_err(wrong)?;
        let mut samples = out.family(&ADDRESS_INFO);
        for address in addresses.iter() {
            samples.sample(address.labels(), 1_u8);
        }
        Ok(())
    }
}

impl Netdev {
    fn read_links(&mut self) -> std::io::Result<()> {
        let (table, filter) = (&mut self.table, &self.filter);
        self.host.links().read(self.round.take(), |step| match step {
            Step::Begin => table.clear(),
            Step::Message(body) => {
                if let Some(link) = Link::parse(body) {
                    table.add(&link, filter);
                }
            }
        })
    }

    fn read_file(&mut self) -> Result<(), CollectError> {
        let bytes = self.file.read()?;
        self.table.clear();
        for line in procfs::lines(bytes) {
            let (name, counters) = procfs::parse(line).ok_or_else(|| {
                let line = String::from_utf8_lossy(line);
                CollectError::parse(&self.host.proc("net/dev"), "16 counters expected", &line)
            })?;
            if !self.filter.ignores(&name) {
                let path = format!("class/net/{}/ifalias", &*name);
                let alias = self.aliases.then(|| host::attribute(&self.host.sys(&path)));
                let alias = alias.flatten().unwrap_or_default();
                self.table.push(name, alias.as_bytes(), &counters);
            }
        }
        Ok(())
    }

    /// The families, by the flag and by what the source can tell apart.
    fn sums(&self, from_netlink: bool) -> &'static [Sum] {
        match (self.details, from_netlink) {
            (false, _) => LEGACY,
            (true, true) => DETAILED,
            (true, false) => DETAILED_OF_FILE,
        }
    }

    fn write(&self, sums: &'static [Sum], out: &mut Exposition) {
        for sum in sums {
            let field = &FIELDS[sum.field];
            let values = self.table.rows.iter().map(|row| (row, sum.of(&row.counters)));
            if self.aliases {
                let mut samples = out.family(&field.aliased);
                for (row, value) in values {
                    samples.maybe((row.name, &self.table.aliases[row.alias.clone()]), value);
                }
            } else {
                let mut samples = out.family(&field.plain);
                for (row, value) in values {
                    samples.maybe(row.name, value);
                }
            }
        }
    }
}

impl Table {
    fn clear(&mut self) {
        self.rows.clear();
        self.aliases.clear();
        self.names.clear();
    }

    fn add(&mut self, link: &Link<'_>, filter: &Filter) {
        let name = link.name();
        self.names.insert(link.index, name);
        if name.is_empty() || filter.ignores(&name) {
            return;
        }
        let Some(stats) = LinkStats::of(link) else { return };
        let alias = link.get(attribute::IFALIAS).unwrap_or_default();
        let alias = alias.strip_suffix(b"\0").unwrap_or(alias).trim_ascii();
        self.push(name, alias, &std::array::from_fn(|place| stats.get(place)));
    }

    /// Two names that are one after bytes were replaced would be one series twice: the first stays.
    fn push(&mut self, name: DeviceName, alias: &[u8], counters: &Counters) {
        if name.is_lossy() && self.rows.iter().any(|row| row.name == name) {
            return;
        }
        let start = self.aliases.len();
        self.aliases.extend_from_slice(alias);
        self.rows.push(Row { name, alias: start..self.aliases.len(), counters: *counters });
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{collect, tree};
    use super::*;

    #[test]
    fn the_live_kernels_counters_have_the_names_of_proc_net_dev() {
        let folder = tree(&[]);
        let (samples, result) =
            collect(&SPEC, folder.path(), &[("collector.netdev.device-include", "^lo$")]);
        assert!(result.is_ok());
        let has = |start: &str| samples.iter().any(|sample| sample.starts_with(start));
        assert!(has("node_network_receive_bytes_total{device=\"lo\"} "), "{samples:?}");
        assert!(has("node_network_transmit_carrier_total{device=\"lo\"} "), "{samples:?}");
        assert!(!has("node_network_receive_dropped_total"), "{samples:?}");
    }

    #[test]
    fn the_live_loopback_address_is_reported() {
        let flags = [("collector.netdev.address-info", "true")];
        for netlink in ["true", "false"] {
            let folder = tree(&[("proc/net/dev", "a\nb\n")]);
            let flags = [flags[0], ("collector.netdev.netlink", netlink)];
            let (samples, result) = collect(&SPEC, folder.path(), &flags);
            assert!(result.is_ok());
            let lo = "node_network_address_info{device=\"lo\",address=\"127.0.0.1\",netmask=\"8\",\
                      scope=\"link-local\"} 1";
            assert!(samples.iter().any(|sample| sample == lo), "{samples:?}");
        }
    }

    #[test]
    fn the_old_flag_names_serve_alone_and_not_beside_the_new() {
        let folder = tree(&[]);
        let flags = [("collector.netdev.device-whitelist", "^nothing$")];
        assert!(collect(&SPEC, folder.path(), &flags).0.is_empty());
        let both = Flags::of(&[flags[0], ("collector.netdev.device-include", "x")]);
        assert!(filter(&both).is_err());
        let mixed = Flags::of(&[flags[0], ("collector.netdev.device-exclude", "x")]);
        assert!(filter(&mixed).is_err());
    }

    #[test]
    fn names_that_become_one_are_reported_once() {
        let mut table = Table::default();
        for raw in [b"ve\xff", b"ve\xfe"] {
            table.push(DeviceName::new(raw), b"", &[Some(1); LINK_STATS64_LEN]);
        }
        assert_eq!(table.rows.len(), 1);
    }
}
