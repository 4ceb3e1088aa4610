//! `node_nfsd_*`: what the kernel's NFS server did, from `/proc/net/rpc/nfsd` (fs/nfsd/stats.c).

use exporter_toolkit::{Counter, Exposition, Gauge};

use super::nfs::rpc::{Counters, V2, V3};
use super::{CollectError, Collector, Spec};
use crate::host::KeptFile;

static HITS: Counter<0> = Counter::new(
    "node_nfsd_reply_cache_hits_total",
    "Calls that a client repeated and that were answered from the reply cache.",
    [],
);
static MISSES: Counter<0> = Counter::new(
    "node_nfsd_reply_cache_misses_total",
    "Calls whose answer went into the reply cache, as repeating them would do harm.",
    [],
);
static NOCACHE: Counter<0> = Counter::new(
    "node_nfsd_reply_cache_nocache_total",
    "Calls that may be repeated and so went past the reply cache.",
    [],
);
static STALE: Counter<0> = Counter::new(
    "node_nfsd_file_handles_stale_total",
    "File handles of clients whose file was gone.",
    [],
);
static READ: Counter<0> =
    Counter::new("node_nfsd_disk_bytes_read_total", "Bytes that clients read.", []);
static WRITTEN: Counter<0> =
    Counter::new("node_nfsd_disk_bytes_written_total", "Bytes that clients wrote.", []);
static THREADS: Gauge<0> = Gauge::new("node_nfsd_server_threads", "Threads of the NFS server.", []);
static CACHE_SIZE: Gauge<0> = Gauge::new(
    "node_nfsd_read_ahead_cache_size_blocks",
    "Entries that the server's cache of read-ahead states has room for; kernels without that cache say 0.",
    [],
);
static CACHE_NOT_FOUND: Counter<0> = Counter::new(
    "node_nfsd_read_ahead_cache_not_found_total",
    "Reads that found no entry in the cache of read-ahead states; kernels without that cache say 0.",
    [],
);
static PACKETS: Counter<1> = Counter::new(
    "node_nfsd_packets_total",
    "Network packets that the server received and sent.",
    ["proto"],
);
static CONNECTIONS: Counter<0> =
    Counter::new("node_nfsd_connections_total", "TCP connections that clients opened.", []);
static RPC_ERRORS: Counter<1> = Counter::new(
    "node_nfsd_rpc_errors_total",
    "Calls that were refused: malformed, not authenticated, or of an unfit client.",
    ["error"],
);
static RPCS: Counter<0> =
    Counter::new("node_nfsd_server_rpcs_total", "Calls that the server received.", []);
static REQUESTS: Counter<2> = Counter::new(
    "node_nfsd_requests_total",
    "Calls that the server answered, by the protocol's version and the procedure.",
    ["proto", "method"],
);

pub static SPEC: Spec = Spec {
    name: "nfsd",
    enabled: true,
    about: "Calls of the NFS server, from /proc/net/rpc/nfsd.",
    flags: &[],
    families: &[
        &HITS,
        &MISSES,
        &NOCACHE,
        &STALE,
        &READ,
        &WRITTEN,
        &THREADS,
        &CACHE_SIZE,
        &CACHE_NOT_FOUND,
        &PACKETS,
        &CONNECTIONS,
        &RPC_ERRORS,
        &RPCS,
        &REQUESTS,
    ],
    build: |setup| {
        Ok(Box::new(Nfsd {
            file: setup.host.keep_proc("net/rpc/nfsd"),
            counters: Counters::new(WORDS),
        }))
    },
};

const WORDS: [&str; 11] =
    ["rc", "fh", "io", "th", "ra", "net", "rpc", "proc2", "proc3", "proc4ops", "wdeleg_getattr"];

/// Counters without labels: the word of their line and their place in it.
static COUNTERS: [(&Counter<0>, &str, usize); 9] = [
    (&HITS, "rc", 0),
    (&MISSES, "rc", 1),
    (&NOCACHE, "rc", 2),
    (&STALE, "fh", 0),
    (&READ, "io", 0),
    (&WRITTEN, "io", 1),
    (&CACHE_NOT_FOUND, "ra", 11),
    (&CONNECTIONS, "net", 3),
    (&RPCS, "rpc", 0),
];

/// NFS 4 operations from number 3 on (RFC 7530); the empty ones are not reported.
const V4: [&str; 37] = [
    "Access",
    "Close",
    "Commit",
    "Create",
    "DelegPurge",
    "DelegReturn",
    "GetAttr",
    "GetFH",
    "Link",
    "Lock",
    "Lockt",
    "Locku",
    "Lookup",
    "LookupRoot",
    "Nverify",
    "Open",
    "OpenAttr",
    "OpenConfirm",
    "OpenDgrd",
    "PutFH",
    "",
    "",
    "Read",
    "ReadDir",
    "ReadLink",
    "Remove",
    "Rename",
    "Renew",
    "RestoreFH",
    "SaveFH",
    "SecInfo",
    "SetAttr",
    "SetClientID",
    "SetClientIDConfirm",
    "Verify",
    "Write",
    "RelLockOwner",
];

struct Nfsd {
    file: KeptFile,
    counters: Counters<{ WORDS.len() }>,
}

impl Collector for Nfsd {
    fn collect(&mut self, out: &mut Exposition) -> Result<(), CollectError> {
        let verdict = self.counters.read(self.file.read_str()?);
        let counters = &self.counters;
        for (family, word, place) in COUNTERS {
            out.family(family).maybe((), counters.get(word, place));
        }
        out.family(&THREADS).maybe((), counters.get("th", 0));
        out.family(&CACHE_SIZE).maybe((), counters.get("ra", 0));
        let mut packets = out.family(&PACKETS);
        packets.maybe("udp", counters.get("net", 1));
        packets.maybe("tcp", counters.get("net", 2));
        let mut errors = out.family(&RPC_ERRORS);
        for (place, error) in (2..).zip(["fmt", "auth", "cInt"]) {
            errors.maybe(error, counters.get("rpc", place));
        }
        write_requests(counters, out);
        verdict
    }
}

/// The null procedures, which only probe the server, are not reported.
fn write_requests<const N: usize>(counters: &Counters<N>, out: &mut Exposition) {
    let mut requests = out.family(&REQUESTS);
    for (proto, word, names, skipped) in
        [("2", "proc2", V2.as_slice(), 1), ("3", "proc3", &V3, 1), ("4", "proc4ops", &V4, 0)]
    {
        let first = if word == "proc4ops" { 3 } else { skipped };
        let counts = counters.procedures(word).iter().skip(first);
        for (method, count) in names.iter().skip(skipped).zip(counts) {
            if !method.is_empty() {
                requests.sample((proto, *method), *count);
            }
        }
    }
    requests.maybe(("4", "WdelegGetattr"), counters.get("wdeleg_getattr", 0));
}
