//! `node_mountstats_nfs_*`: NFS mounts as the client counts them, from `/proc/self/mountstats` and `mountinfo`.
//!
//! Mounts that share an export, an address and a protocol share the client's counts too, so the counts have no mount
//! point: the first such mount gives them, and `node_mountstats_nfs_mountpoint_info` names all.

mod tables;
mod text;

use exporter_toolkit::Exposition;

use self::tables::{
    AGE, BYTES, EVENT_PLACES, EVENTS, FAMILIES, IDLE, INFO, MAXIMUM_SLOTS, OPERATIONS, TIMES,
    TRANSPORT, TRANSPORT_PLACES,
};
use self::text::{Addresses, Mount, Stats};
use super::{CollectError, Collector, Spec};
use crate::host::KeptFile;

pub static SPEC: Spec = Spec {
    name: "mountstats",
    enabled: false,
    about: "What the NFS client did for each mount, from /proc/self/mountstats.",
    flags: &[],
    families: &FAMILIES,
    build: |setup| {
        let keep = |file| setup.host.keep_proc(file).with_long_records();
        Ok(Box::new(Mountstats {
            mountstats: keep("self/mountstats"),
            mountinfo: keep("self/mountinfo"),
        }))
    },
};

struct Mountstats {
    mountstats: KeptFile,
    mountinfo: KeptFile,
}

impl Collector for Mountstats {
    fn collect(&mut self, out: &mut Exposition) -> Result<(), CollectError> {
        // Anybody may mount something under a name of any bytes, which costs no NFS its samples.
        let text = String::from_utf8_lossy(self.mountstats.read()?);
        let (mounts, malformed) = text::mounts(&text);
        let malformed = malformed.map(str::to_owned);
        if !mounts.is_empty() {
            let mountinfo = String::from_utf8_lossy(self.mountinfo.read()?);
            write(&Shown::of(&mounts, Addresses::of(&mountinfo)), out);
        }
        let Some(line) = malformed else { return Ok(()) };
        let problem = "not what the NFS client counts";
        Err(CollectError::parse(self.mountstats.path(), problem, &line))
    }
}

/// What becomes samples.
#[derive(Default)]
struct Shown<'a> {
    clients: Vec<Client<'a>>,
    points: Vec<(Labels<'a>, &'a str)>,
}

/// Export, protocol, address of the server.
type Labels<'a> = [&'a str; 3];

struct Client<'a> {
    labels: Labels<'a>,
    stats: &'a Stats<'a>,
}

impl<'a> Shown<'a> {
    fn of(mounts: &'a [Mount<'a>], mut addresses: Addresses<'a>) -> Self {
        let mut shown = Self::default();
        for mount in mounts {
            let address = addresses.find(mount);
            for transport in &mount.stats.transports {
                let labels = [mount.export, transport.protocol, address];
                if !shown.points.contains(&(labels, mount.point)) {
                    shown.points.push((labels, mount.point));
                }
                // Connections beyond the first (nconnect) stand among the first one's transports.
                if shown.clients.iter().any(|client| client.labels == labels) {
                    break;
                }
                shown.clients.push(Client { labels, stats: &mount.stats });
            }
        }
        shown
    }
}

fn write(shown: &Shown<'_>, out: &mut Exposition) {
    let mut info = out.family(&INFO);
    for ([export, protocol, address], point) in &shown.points {
        info.sample(&[*export, *protocol, *address, *point], 1_u8);
    }
    let mut ages = out.family(&AGE);
    for client in &shown.clients {
        ages.maybe(&client.labels, client.stats.age);
    }
    for (i, family) in BYTES.iter().enumerate() {
        let mut samples = out.family(family);
        for client in &shown.clients {
            samples.maybe(&client.labels, client.stats.bytes.map(|bytes| bytes[i]));
        }
    }
    for (at, family) in EVENT_PLACES.into_iter().zip(&EVENTS) {
        let mut samples = out.family(family);
        for client in &shown.clients {
            samples.maybe(&client.labels, client.stats.events.map(|events| events[at]));
        }
    }
    write_transports(&shown.clients, out);
    write_operations(&shown.clients, out);
}

fn write_transports(clients: &[Client<'_>], out: &mut Exposition) {
    let transports = || {
        clients.iter().flat_map(|client| {
            let [export, protocol, address] = client.labels;
            let transports = client.stats.transports.iter().enumerate();
            transports.map(move |(i, transport)| ((export, protocol, address, i), transport))
        })
    };
    for (at, family) in TRANSPORT_PLACES.into_iter().zip(&TRANSPORT) {
        let mut samples = out.family(family);
        transports().for_each(|(labels, transport)| samples.sample(labels, transport.counts[at]));
    }
    for (at, family) in [(text::IDLE, &IDLE), (text::MAXIMUM_SLOTS, &MAXIMUM_SLOTS)] {
        let mut samples = out.family(family);
        transports().for_each(|(labels, transport)| samples.sample(labels, transport.counts[at]));
    }
}

fn write_operations(clients: &[Client<'_>], out: &mut Exposition) {
    let operations = || {
        clients.iter().flat_map(|client| {
            let [export, protocol, address] = client.labels;
            let operations = client.stats.operations.iter();
            operations.map(move |(name, counts)| ([export, protocol, address, name], counts))
        })
    };
    for (i, family) in OPERATIONS.iter().enumerate() {
        let mut samples = out.family(family);
        operations().for_each(|(labels, counts)| samples.sample(&labels, counts[i]));
    }
    for (i, family) in TIMES.iter().enumerate() {
        let mut samples = out.family(family);
        for (labels, counts) in operations() {
            samples.sample(&labels, text::exact(counts[OPERATIONS.len() + i]) as f64 / 1000.0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collector::testing::{collect, tree};

    const DEVICE: &str = "device srv:/a mounted on /mnt/a with fstype nfs4 statvers=1.1\n";
    const INFO: (&str, &str) = (
        "proc/self/mountinfo",
        "36 35 0:42 / /mnt/a rw shared:1 - nfs4 srv:/a rw,vers=4.2,addr=192.0.2.7\n",
    );

    fn run(stats: &str) -> (Vec<String>, Result<(), CollectError>) {
        let text = format!("device proc mounted on /proc with fstype proc\n{DEVICE}{stats}");
        let folder = tree(&[("proc/self/mountstats", &text), INFO]);
        collect(&SPEC, folder.path(), &[])
    }

    #[test]
    fn further_connections_of_a_mount_are_its_transports() {
        let transport = "\txprt:\ttcp 832 0 1 0 11 6428 6428 0 12154 0 24 26 5726\n";
        let (samples, result) = run(&transport.repeat(2));
        assert!(result.is_ok());
        let sends: Vec<&String> = samples.iter().filter(|line| line.contains("sends_")).collect();
        assert_eq!(sends.len(), 2);
        assert!(sends[1].contains("mountaddr=\"192.0.2.7\",transport=\"1\"} 6428"), "{sends:?}");
        let points = samples.iter().filter(|line| line.contains("mountpoint_info"));
        assert_eq!(points.count(), 1);
    }

    #[test]
    fn a_malformed_line_is_named_and_costs_its_own_samples() {
        let (samples, result) =
            run("\tage:\t7\n\tbytes:\t1 2 x\n\txprt:\tudp 832 0 6 7 0 1 0 24 26 57\n");
        let labels = "{export=\"srv:/a\",protocol=\"udp\",mountaddr=\"192.0.2.7\"}";
        assert!(samples.contains(&format!("node_mountstats_nfs_age_seconds_total{labels} 7")));
        assert!(!samples.iter().any(|line| line.contains("bytes")), "{samples:?}");
        assert!(result.unwrap_err().to_string().contains("bytes:\\t1 2 x"));
    }

    #[test]
    fn a_host_without_nfs_gives_no_sample_and_does_not_fail() {
        let folder = tree(&[("proc/self/mountstats", "no device mounted on / with fstype x\n")]);
        let (samples, result) = collect(&SPEC, folder.path(), &[]);
        assert!(samples.is_empty() && result.is_ok());
    }
}
