//! `node_qdisc_*`: the queueing discipline of each interface, from rtnetlink (`tc -s qdisc`).

use std::io;
use std::path::PathBuf;

use exporter_toolkit::{Counter, Exposition, Gauge};

use super::{BuildError, CollectError, Collector, Setup, Spec};
use crate::filter::{Filter, PatternFlag};
use crate::flags::{Flag, FlagError, Flags};
use crate::json::Json;
use crate::netlink::{Attributes, Client, DeviceName, DeviceNames, Request, Step, u32_at};

static FIXTURES: Flag<String> = Flag::new(
    "collector.qdisc.fixtures",
    "",
    "Folder with results.json, which stands in for the kernel: for tests.",
)
.takes("DIR");
static INCLUDE: PatternFlag = Flag::new(
    "collector.qdisc.device-include",
    "",
    "Interfaces to report, as a pattern; excludes device-exclude.",
);
static EXCLUDE: PatternFlag = Flag::new(
    "collector.qdisc.device-exclude",
    "",
    "Interfaces to leave out, as a pattern; excludes device-include.",
);
static OLD_INCLUDE: PatternFlag = Flag::new(
    "collector.qdisk.device-include",
    "",
    "Former name of --collector.qdisc.device-include.",
)
.hidden();
static OLD_EXCLUDE: PatternFlag = Flag::new(
    "collector.qdisk.device-exclude",
    "",
    "Former name of --collector.qdisc.device-exclude.",
)
.hidden();

const LABELS: [&str; 2] = ["device", "kind"];
static BYTES: Counter<2> =
    Counter::new("node_qdisc_bytes_total", "Bytes that the queue has passed on.", LABELS);
static PACKETS: Counter<2> =
    Counter::new("node_qdisc_packets_total", "Packets that the queue has passed on.", LABELS);
static DROPS: Counter<2> =
    Counter::new("node_qdisc_drops_total", "Packets that the queue has thrown away.", LABELS);
static REQUEUES: Counter<2> = Counter::new(
    "node_qdisc_requeues_total",
    "Packets put back into the queue, as the device did not take them.",
    LABELS,
);
static OVERLIMITS: Counter<2> = Counter::new(
    "node_qdisc_overlimits_total",
    "Times that the queue held packets back to keep its rate.",
    LABELS,
);
static LENGTH: Gauge<2> =
    Gauge::new("node_qdisc_current_queue_length", "Packets in the queue now.", LABELS);
static BACKLOG: Gauge<2> = Gauge::new("node_qdisc_backlog", "Bytes in the queue now.", LABELS);

pub static SPEC: Spec = Spec {
    name: "qdisc",
    enabled: false,
    about: "Queueing disciplines of interfaces, from rtnetlink.",
    flags: &[&FIXTURES, &INCLUDE, &EXCLUDE, &OLD_INCLUDE, &OLD_EXCLUDE],
    families: &[&BYTES, &PACKETS, &DROPS, &REQUEUES, &OVERLIMITS, &LENGTH, &BACKLOG],
    build,
};

fn build(setup: &Setup) -> Result<Box<dyn Collector>, BuildError> {
    let fixtures = setup.flags.get(&FIXTURES)?;
    Ok(Box::new(QueueStats {
        filter: filter(&setup.flags)?,
        fixtures: (!fixtures.is_empty()).then(|| PathBuf::from(fixtures)),
        client: Client::default(),
        names: DeviceNames::default(),
    }))
}

/// The former names serve where the present ones are not given.
fn filter(flags: &Flags) -> Result<Filter, FlagError> {
    flags.exclusive(&INCLUDE, &OLD_INCLUDE)?;
    flags.exclusive(&EXCLUDE, &OLD_EXCLUDE)?;
    let include = if flags.given(&OLD_INCLUDE) { &OLD_INCLUDE } else { &INCLUDE };
    let exclude = if flags.given(&OLD_EXCLUDE) { &OLD_EXCLUDE } else { &EXCLUDE };
    Filter::from_device_flags(flags, include, exclude)
}

struct QueueStats {
    filter: Filter,
    fixtures: Option<PathBuf>,
    client: Client,
    names: DeviceNames,
}

/// The queue at the root of an interface.
#[derive(Clone, Debug, PartialEq)]
struct Queue {
    device: DeviceName,
    kind: String,
    stats: Stats,
}

#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
struct Stats {
    bytes: Option<u64>,
    packets: Option<u64>,
    drops: Option<u64>,
    requeues: Option<u64>,
    overlimits: Option<u64>,
    length: Option<u64>,
    backlog: Option<u64>,
}

impl Collector for QueueStats {
    fn collect(&mut self, out: &mut Exposition) -> Result<(), CollectError> {
        let mut queues = match &self.fixtures {
            Some(folder) => from_json(&Json::read(&folder.join("results.json"))?),
            None => {
                self.read().map_err(|source| CollectError::Call { call: "RTM_GETQDISC", source })?
            }
        };
        queues.retain(|queue| !self.filter.ignores(&queue.device));
        // A second queue of one kind at an interface would be the same series once more.
        queues.sort_by(|a, b| (a.device, &a.kind).cmp(&(b.device, &b.kind)));
        queues.dedup_by(|a, b| (a.device, &a.kind) == (b.device, &b.kind));
        write(&queues, out);
        Ok(())
    }
}

impl QueueStats {
    fn read(&mut self) -> io::Result<Vec<Queue>> {
        let mut found: Vec<(u32, String, Stats)> = Vec::new();
        self.client.dump(Request::qdiscs(), |step| match step {
            Step::Begin => found.clear(),
            Step::Message(body) => found.extend(parse(body)),
        })?;
        self.names.read(&mut self.client)?;
        // An interface that vanished between the dumps took its queues with it.
        let named = found.into_iter().filter_map(|(index, kind, stats)| {
            Some(Queue { device: *self.names.get(index)?, kind, stats })
        });
        Ok(named.collect())
    }
}

/// Reads `struct tcmsg` and its attributes; `None` for a queue that stands below another.
fn parse(body: &[u8]) -> Option<(u32, String, Stats)> {
    const ROOT: u32 = u32::MAX;
    const KIND: u16 = 1;
    const STATS2: u16 = 7;
    let (index, parent) = (u32_at(body, 4)?, u32_at(body, 12)?);
    if parent != 0 && parent != ROOT {
        return None;
    }
    let (mut name, mut stats) = (String::new(), Stats::default());
    for (kind, value) in Attributes::new(body.get(20..)?) {
        match kind {
            KIND => {
                let end = memchr::memchr(0, value).unwrap_or(value.len());
                name = String::from_utf8_lossy(&value[..end]).into_owned();
            }
            STATS2 => stats = Stats::parse(value),
            _ => {}
        }
    }
    Some((index, name, stats))
}

impl Stats {
    /// Nested attributes `TCA_STATS_…` (`linux/gen_stats.h`). Packets are counted in 32 bits, and by kernels from 5.5 on in
    /// 64 bits as well, where the 32 bits are not enough.
    fn parse(nested: &[u8]) -> Self {
        const BASIC: u16 = 1;
        const QUEUE: u16 = 3;
        const PACKETS64: u16 = 8;
        let (mut stats, mut packets64) = (Self::default(), None);
        for (kind, value) in Attributes::new(nested) {
            let wide = |at: usize| Some(u64::from_ne_bytes(*value.get(at..)?.first_chunk()?));
            let narrow = |at: usize| u32_at(value, at).map(u64::from);
            match kind {
                BASIC => (stats.bytes, stats.packets) = (wide(0), narrow(8)),
                QUEUE => {
                    (stats.length, stats.backlog) = (narrow(0), narrow(4));
                    (stats.drops, stats.requeues) = (narrow(8), narrow(12));
                    stats.overlimits = narrow(16);
                }
                PACKETS64 => packets64 = wide(0),
                _ => {}
            }
        }
        stats.packets = packets64.or(stats.packets);
        stats
    }
}

/// The peer's test data: what is not said is 0.
fn from_json(list: &Json) -> Vec<Queue> {
    let root = |queue: &&Json| queue.number("Parent").unwrap_or_default() == 0.0;
    let queues = list.items().iter().filter(root).map(|queue| {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "test data")]
        let number = |name| Some(queue.number(name).unwrap_or_default() as u64);
        let stats = Stats {
            bytes: number("Bytes"),
            packets: number("Packets"),
            drops: number("Drops"),
            requeues: number("Requeues"),
            overlimits: number("Overlimits"),
            length: number("Qlen"),
            backlog: number("Backlog"),
        };
        Queue {
            device: DeviceName::new(queue.text("IfaceName").unwrap_or_default().as_bytes()),
            kind: queue.text("Kind").unwrap_or_default().to_owned(),
            stats,
        }
    });
    queues.collect()
}

fn write(queues: &[Queue], out: &mut Exposition) {
    type Get = fn(&Stats) -> Option<u64>;
    let counters: [(&'static Counter<2>, Get); 5] = [
        (&BYTES, |stats| stats.bytes),
        (&PACKETS, |stats| stats.packets),
        (&DROPS, |stats| stats.drops),
        (&REQUEUES, |stats| stats.requeues),
        (&OVERLIMITS, |stats| stats.overlimits),
    ];
    for (family, get) in counters {
        let mut samples = out.family(family);
        for Queue { device, kind, stats } in queues {
            samples.maybe((device, kind), get(stats));
        }
    }
    let gauges: [(&'static Gauge<2>, Get); 2] =
        [(&LENGTH, |stats| stats.length), (&BACKLOG, |stats| stats.backlog)];
    for (family, get) in gauges {
        let mut samples = out.family(family);
        for Queue { device, kind, stats } in queues {
            samples.maybe((device, kind), get(stats));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collector::testing::{collect, tree};
    use crate::netlink::attribute_bytes as attribute;
    use proptest::prelude::*;

    fn message(parent: u32, nested: &[u8]) -> Vec<u8> {
        let mut body = vec![0; 20];
        body[4..8].copy_from_slice(&3_u32.to_ne_bytes());
        body[12..16].copy_from_slice(&parent.to_ne_bytes());
        body.extend(attribute(1, b"fq_codel\0"));
        body.extend(attribute(7, nested));
        body
    }

    #[test]
    fn only_queues_at_the_root_count() {
        assert!(parse(&message(0, &[])).is_some() && parse(&message(u32::MAX, &[])).is_some());
        assert_eq!(parse(&message(0xffff_fff1, &[])), None);
        assert_eq!(parse(&message(0x8001_0001, &[])), None);
    }

    #[test]
    fn packets_are_counted_in_64_bits_where_the_kernel_does() {
        let basic = [7_u64.to_ne_bytes(), [5, 0, 0, 0, 0, 0, 0, 0]].concat();
        let queue: Vec<u8> = [1_u32, 2, 3, 4, 5].iter().flat_map(|n| n.to_ne_bytes()).collect();
        let mut nested = [attribute(1, &basic), attribute(3, &queue)].concat();
        let (index, kind, stats) = parse(&message(0, &nested)).unwrap();
        assert_eq!((index, kind.as_str()), (3, "fq_codel"));
        assert_eq!((stats.bytes, stats.packets, stats.overlimits), (Some(7), Some(5), Some(5)));
        assert_eq!((stats.length, stats.drops, stats.requeues), (Some(1), Some(3), Some(4)));
        nested.extend(attribute(8, &(5_u64 + (1 << 32)).to_ne_bytes()));
        assert_eq!(parse(&message(0, &nested)).unwrap().2.packets, Some(5 + (1 << 32)));
    }

    #[test]
    fn the_live_kernel_tells_of_its_loopback() {
        let (samples, result) = collect(&SPEC, tree(&[]).path(), &[]);
        result.unwrap();
        let lo = "node_qdisc_bytes_total{device=\"lo\",kind=\"noqueue\"} 0";
        assert!(samples.iter().any(|line| line == lo), "{samples:?}");
    }

    #[test]
    fn the_former_name_of_a_flag_and_the_present_one_exclude_each_other() {
        let flags = Flags::of(&[
            ("collector.qdisc.device-include", "a"),
            ("collector.qdisk.device-include", "b"),
        ]);
        assert!(filter(&flags).is_err());
        let former = filter(&Flags::of(&[("collector.qdisk.device-exclude", "^lo$")])).unwrap();
        assert!(former.ignores("lo") && !former.ignores("eth0"));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(body: Vec<u8>) {
            let _queue = parse(&body);
        }
    }
}
