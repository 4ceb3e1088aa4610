//! `node_nfs_*`: what this host asked of NFS servers, from `/proc/net/rpc/nfs`.

pub(super) mod rpc;

use exporter_toolkit::{Counter, Exposition};

use self::rpc::{Counters, V2, V3};
use super::{CollectError, Collector, Spec};
use crate::host::KeptFile;

static PACKETS: Counter<1> = Counter::new(
    "node_nfs_packets_total",
    "Network packets of the NFS client; kernels that do not count them say 0.",
    ["protocol"],
);
static CONNECTIONS: Counter<0> = Counter::new(
    "node_nfs_connections_total",
    "TCP connections of the NFS client; kernels that do not count them say 0.",
    [],
);
static RPCS: Counter<0> = Counter::new("node_nfs_rpcs_total", "Calls made to NFS servers.", []);
static RETRANSMISSIONS: Counter<0> = Counter::new(
    "node_nfs_rpc_retransmissions_total",
    "Calls sent again because no answer came in time.",
    [],
);
static REFRESHES: Counter<0> = Counter::new(
    "node_nfs_rpc_authentication_refreshes_total",
    "Times the credentials for calls were looked up or renewed.",
    [],
);
static REQUESTS: Counter<2> = Counter::new(
    "node_nfs_requests_total",
    "Calls made to NFS servers, by the protocol's version and the procedure.",
    ["proto", "method"],
);

pub static SPEC: Spec = Spec {
    name: "nfs",
    enabled: true,
    about: "Calls of the NFS client, from /proc/net/rpc/nfs.",
    flags: &[],
    families: &[&PACKETS, &CONNECTIONS, &RPCS, &RETRANSMISSIONS, &REFRESHES, &REQUESTS],
    build: |setup| {
        Ok(Box::new(Nfs {
            file: setup.host.keep_proc("net/rpc/nfs"),
            counters: Counters::new(["net", "rpc", "proc2", "proc3", "proc4"]),
        }))
    },
};

struct Nfs {
    file: KeptFile,
    counters: Counters<5>,
}

/// The client's NFS 4 operations in the order of `enum` in the kernel's linux/nfs4.h, `NFSPROC4_CLNT_…`.
const V4: [&str; 59] = [
    "Null",
    "Read",
    "Write",
    "Commit",
    "Open",
    "OpenConfirm",
    "OpenNoattr",
    "OpenDowngrade",
    "Close",
    "Setattr",
    "FsInfo",
    "Renew",
    "SetClientID",
    "SetClientIDConfirm",
    "Lock",
    "Lockt",
    "Locku",
    "Access",
    "Getattr",
    "Lookup",
    "LookupRoot",
    "Remove",
    "Rename",
    "Link",
    "Symlink",
    "Create",
    "Pathconf",
    "StatFs",
    "ReadLink",
    "ReadDir",
    "ServerCaps",
    "DelegReturn",
    "GetACL",
    "SetACL",
    "FsLocations",
    "ReleaseLockowner",
    "Secinfo",
    "FsidPresent",
    "ExchangeID",
    "CreateSession",
    "DestroySession",
    "Sequence",
    "GetLeaseTime",
    "ReclaimComplete",
    "GetDeviceInfo",
    "LayoutGet",
    "LayoutCommit",
    "LayoutReturn",
    "SecinfoNoName",
    "TestStateID",
    "FreeStateID",
    "GetDeviceList",
    "BindConnToSession",
    "DestroyClientID",
    "Seek",
    "Allocate",
    "DeAllocate",
    "LayoutStats",
    "Clone",
];

impl Collector for Nfs {
    fn collect(&mut self, out: &mut Exposition) -> Result<(), CollectError> {
        let verdict = self.counters.read(self.file.read_str()?);
        let counters = &self.counters;
        let mut packets = out.family(&PACKETS);
        packets.maybe("udp", counters.get("net", 1));
        packets.maybe("tcp", counters.get("net", 2));
        out.family(&CONNECTIONS).maybe((), counters.get("net", 3));
        out.family(&RPCS).maybe((), counters.get("rpc", 0));
        out.family(&RETRANSMISSIONS).maybe((), counters.get("rpc", 1));
        out.family(&REFRESHES).maybe((), counters.get("rpc", 2));
        let mut requests = out.family(&REQUESTS);
        for (proto, word, names) in [("2", "proc2", V2.as_slice()), ("3", "proc3", &V3)] {
            for (method, count) in names.iter().zip(counters.procedures(word)) {
                requests.sample((proto, *method), *count);
            }
        }
        // An operation that this kernel does not know was never called.
        let calls = counters.procedures("proc4");
        let padded = calls.iter().copied().chain(std::iter::repeat(0));
        for (method, count) in V4.iter().zip(padded).filter(|_| !calls.is_empty()) {
            requests.sample(("4", *method), count);
        }
        verdict
    }
}
