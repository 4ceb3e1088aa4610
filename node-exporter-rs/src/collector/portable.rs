//! The core families where there is no `/proc`: what the crate sysinfo knows of memory, load, file systems and network.
//!
//! Off Linux these collectors stand in for their siblings of the same name, with the same families and labels; CPU time
//! by mode is not among them, as sysinfo keeps only a usage in per cent. On Linux they are the tests' oracle: another
//! project's reading of the same host, held against ours.

use exporter_toolkit::{Counter, Exposition, Gauge};
use sysinfo::{Disks, MemoryRefreshKind, Networks, System};

use super::{CollectError, Collector, Spec};

static MEM_TOTAL: Gauge<0> =
    Gauge::new("node_memory_MemTotal_bytes", "Memory that the system can use.", []);
static MEM_FREE: Gauge<0> =
    Gauge::new("node_memory_MemFree_bytes", "Memory that nothing uses at all.", []);
static MEM_AVAILABLE: Gauge<0> = Gauge::new(
    "node_memory_MemAvailable_bytes",
    "Memory that new work can have without swapping.",
    [],
);
static SWAP_TOTAL: Gauge<0> = Gauge::new("node_memory_SwapTotal_bytes", "Swap space.", []);
static SWAP_FREE: Gauge<0> =
    Gauge::new("node_memory_SwapFree_bytes", "Swap space that is not in use.", []);
static LOAD1: Gauge<0> = Gauge::new("node_load1", "Load average over one minute.", []);
static LOAD5: Gauge<0> = Gauge::new("node_load5", "Load average over five minutes.", []);
static LOAD15: Gauge<0> = Gauge::new("node_load15", "Load average over fifteen minutes.", []);
static BOOT_TIME: Gauge<0> =
    Gauge::new("node_boot_time_seconds", "When the system started, in seconds since 1970.", []);

const MOUNT: [&str; 4] = ["device", "mountpoint", "fstype", "device_error"];
static SIZE: Gauge<4> = Gauge::new("node_filesystem_size_bytes", "Size of the file system.", MOUNT);
static AVAIL: Gauge<4> = Gauge::new(
    "node_filesystem_avail_bytes",
    "Space that users without privileges can still fill.",
    MOUNT,
);
static READONLY: Gauge<4> =
    Gauge::new("node_filesystem_readonly", "1 where the file system is mounted read-only.", MOUNT);

type Device = Counter<1>;
static RECEIVED_BYTES: Device =
    Counter::new("node_network_receive_bytes_total", "Bytes received by the device.", ["device"]);
static RECEIVED_PACKETS: Device = Counter::new(
    "node_network_receive_packets_total",
    "Packets received by the device.",
    ["device"],
);
static RECEIVE_ERRORS: Device = Counter::new(
    "node_network_receive_errs_total",
    "Bad packets received by the device.",
    ["device"],
);
static SENT_BYTES: Device =
    Counter::new("node_network_transmit_bytes_total", "Bytes sent by the device.", ["device"]);
static SENT_PACKETS: Device =
    Counter::new("node_network_transmit_packets_total", "Packets sent by the device.", ["device"]);
static SEND_ERRORS: Device = Counter::new(
    "node_network_transmit_errs_total",
    "Packets that the device failed to send.",
    ["device"],
);

/// The collectors, in the order of their names.
pub static PORTABLE: &[&Spec] = &[&FILESYSTEM, &LOADAVG, &MEMINFO, &NETDEV, &STAT];

static FILESYSTEM: Spec = Spec {
    name: "filesystem",
    enabled: true,
    about: "Size and space of mounted file systems.",
    flags: &[],
    families: &[&SIZE, &AVAIL, &READONLY],
    build: |_| Ok(Box::new(Portable(filesystem))),
};
static LOADAVG: Spec = Spec {
    name: "loadavg",
    enabled: true,
    about: "Load averages.",
    flags: &[],
    families: &[&LOAD1, &LOAD5, &LOAD15],
    build: |_| Ok(Box::new(Portable(loadavg))),
};
static MEMINFO: Spec = Spec {
    name: "meminfo",
    enabled: true,
    about: "Memory and swap.",
    flags: &[],
    families: &[&MEM_TOTAL, &MEM_FREE, &MEM_AVAILABLE, &SWAP_TOTAL, &SWAP_FREE],
    build: |_| Ok(Box::new(Portable(meminfo))),
};
static NETDEV: Spec = Spec {
    name: "netdev",
    enabled: true,
    about: "Bytes, packets and errors of network devices.",
    flags: &[],
    families: &[
        &RECEIVED_BYTES,
        &RECEIVED_PACKETS,
        &RECEIVE_ERRORS,
        &SENT_BYTES,
        &SENT_PACKETS,
        &SEND_ERRORS,
    ],
    build: |_| Ok(Box::new(Portable(netdev))),
};
static STAT: Spec = Spec {
    name: "stat",
    enabled: true,
    about: "When the system started.",
    flags: &[],
    families: &[&BOOT_TIME],
    build: |_| Ok(Box::new(Portable(stat))),
};

/// These collectors keep nothing from scrape to scrape, so a function is enough.
struct Portable(fn(&mut Exposition) -> Result<(), CollectError>);

impl Collector for Portable {
    fn collect(&mut self, out: &mut Exposition) -> Result<(), CollectError> {
        self.0(out)
    }
}

fn unknown<E>(_: E) -> CollectError {
    CollectError::NoData("sysinfo does not know this system")
}

fn meminfo(out: &mut Exposition) -> Result<(), CollectError> {
    let mut system = System::new().map_err(unknown)?;
    system.refresh_memory_specifics(MemoryRefreshKind::everything());
    out.family(&MEM_TOTAL).sample((), system.total_memory());
    out.family(&MEM_FREE).sample((), system.free_memory());
    out.family(&MEM_AVAILABLE).sample((), system.available_memory());
    out.family(&SWAP_TOTAL).sample((), system.total_swap());
    out.family(&SWAP_FREE).sample((), system.free_swap());
    Ok(())
}

fn loadavg(out: &mut Exposition) -> Result<(), CollectError> {
    let load = System::load_average().map_err(unknown)?;
    out.family(&LOAD1).sample((), load.one);
    out.family(&LOAD5).sample((), load.five);
    out.family(&LOAD15).sample((), load.fifteen);
    Ok(())
}

fn stat(out: &mut Exposition) -> Result<(), CollectError> {
    out.family(&BOOT_TIME).sample((), System::boot_time().map_err(unknown)?);
    Ok(())
}

fn filesystem(out: &mut Exposition) -> Result<(), CollectError> {
    let disks = Disks::new_with_refreshed_list().map_err(unknown)?;
    let rows: Vec<_> = disks
        .iter()
        .map(|disk| {
            let text = |name: &std::ffi::OsStr| name.to_string_lossy().into_owned();
            let mount = text(disk.mount_point().as_os_str());
            ([text(disk.name()), mount, text(disk.file_system()), String::new()], disk)
        })
        .collect();
    let mut sizes = out.family(&SIZE);
    for (labels, disk) in &rows {
        sizes.sample(labels, disk.total_space());
    }
    let mut spaces = out.family(&AVAIL);
    for (labels, disk) in &rows {
        spaces.sample(labels, disk.available_space());
    }
    let mut readonly = out.family(&READONLY);
    for (labels, disk) in &rows {
        readonly.sample(labels, disk.is_read_only());
    }
    Ok(())
}

type Column = fn(&sysinfo::NetworkData) -> u64;

fn netdev(out: &mut Exposition) -> Result<(), CollectError> {
    let networks = Networks::new_with_refreshed_list().map_err(unknown)?;
    let columns: [(&'static Device, Column); 6] = [
        (&RECEIVED_BYTES, sysinfo::NetworkData::total_received),
        (&RECEIVED_PACKETS, sysinfo::NetworkData::total_packets_received),
        (&RECEIVE_ERRORS, sysinfo::NetworkData::total_errors_on_received),
        (&SENT_BYTES, sysinfo::NetworkData::total_transmitted),
        (&SENT_PACKETS, sysinfo::NetworkData::total_packets_transmitted),
        (&SEND_ERRORS, sysinfo::NetworkData::total_errors_on_transmitted),
    ];
    for (family, column) in columns {
        let mut samples = out.family(family);
        for (device, data) in &networks {
            samples.sample(&*device.to_string_lossy(), column(data));
        }
    }
    Ok(())
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests;
