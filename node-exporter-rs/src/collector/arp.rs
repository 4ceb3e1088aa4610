//! `node_arp_entries`: how many IPv4 neighbours each interface knows, from rtnetlink or `/proc/net/arp`.

use std::io;

use exporter_toolkit::{Exposition, Gauge};

use super::{BuildError, CollectError, Collector, Setup, Spec};
use crate::filter::{Filter, PatternFlag};
use crate::flags::Flag;
use crate::host::KeptFile;
use crate::netlink::{Client, DeviceName, DeviceNames, Neighbour, Request, Step};

static INCLUDE: PatternFlag = Flag::new(
    "collector.arp.device-include",
    "",
    "Interfaces to report, as a pattern; excludes device-exclude.",
);
static EXCLUDE: PatternFlag = Flag::new(
    "collector.arp.device-exclude",
    "",
    "Interfaces to leave out, as a pattern; excludes device-include.",
);
static NETLINK: Flag<bool> = Flag::new(
    "collector.arp.netlink",
    "true",
    "Read the neighbours by rtnetlink; /proc/net/arp serves where that is not allowed.",
);

/// Interfaces that are asked for their names one by one.
const FEW: usize = 8;

static ENTRIES: Gauge<1> = Gauge::new(
    "node_arp_entries",
    "IPv4 neighbours in the interface's ARP table, whether they answered or not.",
    ["device"],
);

pub static SPEC: Spec = Spec {
    name: "arp",
    enabled: true,
    about: "IPv4 neighbours of each interface, from rtnetlink or /proc/net/arp.",
    flags: &[&INCLUDE, &EXCLUDE, &NETLINK],
    families: &[&ENTRIES],
    build,
};

fn build(setup: &Setup) -> Result<Box<dyn Collector>, BuildError> {
    Ok(Box::new(Arp {
        filter: Filter::from_device_flags(&setup.flags, &INCLUDE, &EXCLUDE)?,
        netlink: setup.flags.get(&NETLINK)?,
        file: setup.host.keep_proc("net/arp"),
        client: Client::default(),
        names: DeviceNames::default(),
        indexes: Vec::new(),
        counts: Vec::new(),
    }))
}

struct Arp {
    filter: Filter,
    netlink: bool,
    file: KeptFile,
    client: Client,
    names: DeviceNames,
    /// Neighbours by interface index, as netlink gives them.
    indexes: Vec<(u32, u64)>,
    counts: Vec<(DeviceName, u64)>,
}

impl Collector for Arp {
    fn collect(&mut self, out: &mut Exposition) -> Result<(), CollectError> {
        self.counts.clear();
        let answered = self.netlink
            && match self.read_neighbours() {
                Ok(()) => true,
                Err(error) => {
                    tracing::debug!(%error, "rtnetlink does not answer, /proc/net/arp is read instead");
                    false
                }
            };
        if !answered {
            let bytes = self.file.read()?;
            for line in bytes.split(|&byte| byte == b'\n').skip(1).filter(|line| !line.is_empty()) {
                let Some(device) = device(line) else {
                    let line = String::from_utf8_lossy(line).into_owned();
                    let problem = "six columns expected, the last a device";
                    return Err(CollectError::parse(self.file.path(), problem, &line));
                };
                add(&mut self.counts, DeviceName::new(device), 1);
            }
        }
        let mut entries = out.family(&ENTRIES);
        for (device, count) in &self.counts {
            if !self.filter.ignores(device) {
                entries.sample(device, *count);
            }
        }
        Ok(())
    }
}

impl Arp {
    /// A dump of the neighbours with the indexes of their interfaces, then the names: of a few one by one, of more by one
    /// dump, but never one by one for every neighbour.
    fn read_neighbours(&mut self) -> io::Result<()> {
        let indexes = &mut self.indexes;
        self.client.dump(Request::ipv4_neighbours(), |step| match step {
            Step::Begin => indexes.clear(),
            Step::Message(body) => {
                let neighbour = Neighbour::parse(body).filter(|neighbour| neighbour.resolved);
                if let Some(Neighbour { index, .. }) = neighbour {
                    add(indexes, index, 1);
                }
            }
        })?;
        if let Some(names) = self.names_one_by_one() {
            for (&(_, count), name) in self.indexes.iter().zip(names) {
                add(&mut self.counts, name, count);
            }
            return Ok(());
        }
        self.names.read(&mut self.client)?;
        for &(index, count) in &self.indexes {
            // An interface that vanished between the dumps took its neighbours with it.
            if let Some(name) = self.names.get(index) {
                add(&mut self.counts, *name, count);
            }
        }
        Ok(())
    }

    /// `None` where they are too many, or where one has no name that can be asked for so.
    fn names_one_by_one(&self) -> Option<Vec<DeviceName>> {
        if self.indexes.len() > FEW {
            return None;
        }
        self.indexes.iter().map(|(index, _)| self.client.device_name(*index)).collect()
    }
}

/// Counts are sorted by their key, as the kernel lists neighbours in the order of their hash.
fn add<K: Ord>(counts: &mut Vec<(K, u64)>, key: K, count: u64) {
    match counts.binary_search_by(|(found, _)| found.cmp(&key)) {
        Ok(at) => counts[at].1 += count,
        Err(at) => counts.insert(at, (key, count)),
    }
}

/// The device of a line of `/proc/net/arp` (`arp_format_neigh_entry` of the kernel's net/ipv4/arp.c).
fn device(line: &[u8]) -> Option<&[u8]> {
    let mut columns = line.split(u8::is_ascii_whitespace).filter(|column| !column.is_empty());
    let device = columns.nth(5)?;
    columns.next().is_none().then_some(device)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{collect, tree};
    use super::*;

    #[test]
    fn a_line_of_six_columns_names_its_device_last() {
        let line = b"192.0.2.1   0x1 0x2 02:fc:00:00:00:05 * eth\xff";
        assert_eq!(device(line), Some(b"eth\xff".as_slice()));
        assert_eq!(device(b"192.0.2.1 0x1 0x2 02:fc:00:00:00:05 *"), None);
        assert_eq!(device(b"192.0.2.1 0x1 0x2 02:fc:00:00:00:05 * eth0 more"), None);
    }

    #[test]
    fn a_short_line_names_its_file() {
        let folder = tree(&[("proc/net/arp", "IP address\n192.0.2.1 0x1\n")]);
        let flags = [("collector.arp.netlink", "false")];
        let error = collect(&SPEC, folder.path(), &flags).1.unwrap_err().to_string();
        assert!(error.contains("net/arp: six columns expected"), "{error}");
    }

    #[test]
    fn the_live_kernel_answers_without_any_file() {
        let folder = tree(&[]);
        assert!(collect(&SPEC, folder.path(), &[]).1.is_ok());
    }

    #[test]
    fn neighbours_are_counted_by_key() {
        let mut counts = Vec::new();
        for key in [7, 4, 7, 4, 4] {
            add(&mut counts, key, 1);
        }
        assert_eq!(counts, [(4, 3), (7, 2)]);
    }
}
