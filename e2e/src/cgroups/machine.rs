//! What of `/proc`, `/sys` and `/etc` the reader of cgroups looks at.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use anyhow::{Context, Result};

use super::{Container, Device, Facts, Network, Node, Version, put};

/// `btime` of `/proc/stat`: 2026-01-01.
const BOOT: u64 = 1_767_225_600;
const MEMORY: &str =
    "MemTotal:       16384000 kB\nMemFree:         8192000 kB\nSwapTotal:       2048000 kB";
/// Bytes of memory, and CPUs: what the machine must be said to have.
pub const RAM: u64 = 16_384_000 << 10;
pub const CPUS: u64 = 8;
pub const CORES: u64 = 4;
pub const SOCKETS: u64 = 2;
const BOOT_ID: &str = "00000000-0000-4000-8000-00000000b007";
const MACHINE_ID: &str = "0123456789abcdef0123456789abcdef";
const SYSTEM_UUID: &str = "00000000-0000-4000-8000-00000000d111";

pub(super) fn write(node: &Node, version: Version) -> Result<()> {
    let (proc, sys) = (node.proc(), node.sys());
    let devices = &Facts::of(0).devices;
    let stat =
        format!("cpu  100 0 50 1000 0 0 0 0 0 0\ncpu0 50 0 25 500 0 0 0 0 0 0\nbtime {BOOT}");
    let files = [
        ("stat", stat),
        ("meminfo", MEMORY.to_owned()),
        ("diskstats", devices.iter().map(diskstats).collect()),
    ];
    put(&proc, &files)?;
    put(&proc.join("sys/kernel/random"), &[("boot_id", BOOT_ID)])?;
    put(&node.root().join("etc"), &[("machine-id", MACHINE_ID)])?;
    put(&sys.join("class/dmi/id"), &[("product_uuid", SYSTEM_UUID)])?;
    cpus(&sys)?;
    for device in devices {
        let folder = sys.join(format!("dev/block/{}:{}", device.major, device.minor));
        put(&folder, &[("uevent", format!("DEVNAME={}\nDEVTYPE=disk", device.name))])?;
    }
    let host = Facts::of(node.containers.len());
    let init = Process { pid: 1, name: "init", cgroup: "/", namespace: 0, of: &host };
    init.write(&proc)?;
    put(&proc.join("1"), &[("mountinfo", mounts(version))])?;
    link("1", &proc.join("self"))?;
    for container in &node.containers {
        for pid in &container.pids {
            Process::of(container, *pid).write(&proc)?;
        }
    }
    Ok(())
}

fn link(to: &str, path: &Path) -> Result<()> {
    symlink(to, path).with_context(|| path.display().to_string())
}

struct Process<'a> {
    pid: u32,
    name: &'a str,
    cgroup: &'a str,
    /// Which network it is in; the host's is 0.
    namespace: usize,
    of: &'a Facts,
}

impl<'a> Process<'a> {
    fn of(container: &'a Container, pid: u32) -> Self {
        let name = if container.pause { "pause" } else { "app" };
        let Container { path, number_of_pod, facts, .. } = container;
        Self { pid, name, cgroup: path, namespace: number_of_pod + 1, of: facts }
    }

    fn write(&self, proc: &Path) -> Result<()> {
        let Self { pid, name, cgroup, namespace, of } = self;
        let folder = proc.join(pid.to_string());
        let started = u64::from(*pid) * 100;
        let stat = format!(
            "{pid} ({name}) S 1 {pid} {pid} 0 -1 4194560 0 0 0 0 1 1 0 0 20 0 1 0 {started} 1000000 100 0"
        );
        let hierarchies = ["12:pids:", "4:memory:", "3:cpu,cpuacct:", "2:blkio:", "0::"];
        let groups = hierarchies.map(|hierarchy| format!("{hierarchy}{cgroup}\n")).concat();
        let status = format!("Name:\t{name}\nPid:\t{pid}\nNSpid:\t{pid}\nThreads:\t1");
        let limits = [
            limit("Limit", "Soft Limit", "Hard Limit", "Units"),
            limit("Max processes", "unlimited", "unlimited", "processes"),
            limit("Max open files", &of.open_files_limit.to_string(), "524288", "files"),
        ];
        let files =
            [("stat", stat), ("cgroup", groups), ("status", status), ("limits", limits.concat())];
        put(&folder, &files)?;
        put(&folder, &[("comm", name)])?;
        put(&folder.join("net"), &[("dev", network(of.network))])?;
        for name in ["fd", "ns"] {
            let folder = folder.join(name);
            fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
        }
        link(&format!("net:[{}]", 4_026_531_840 + namespace), &folder.join("ns/net"))
    }
}

fn limit(name: &str, soft: &str, hard: &str, unit: &str) -> String {
    format!("{name:<26}{soft:<21}{hard:<21}{unit:<10}\n")
}

fn network(of: Network) -> String {
    let row = |name: &str, received: [u64; 4], sent: [u64; 4]| {
        let [received, sent] =
            [received, sent].map(|four| four.map(|number| number.to_string()).join(" "));
        format!("{name:>6}: {received} 0 0 0 0 {sent} 0 0 0 0\n")
    };
    let head = "Inter-|   Receive                                                |  Transmit\n \
        face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed\n";
    head.to_owned() + &row("lo", [77; 4], [77; 4]) + &row("eth0", of.received, of.sent)
}

fn mounts(version: Version) -> String {
    match version {
        Version::V1 => ["cpu,cpuacct", "memory", "blkio", "pids"]
            .map(|kind| {
                format!(
                    "30 25 0:26 / /sys/fs/cgroup/{kind} rw shared:9 - cgroup cgroup rw,{kind}\n"
                )
            })
            .concat(),
        Version::V2 => {
            "30 25 0:26 / /sys/fs/cgroup rw shared:9 - cgroup2 cgroup2 rw,nsdelegate\n".to_owned()
        }
    }
}

/// Two sockets of two cores with two threads each.
fn cpus(sys: &Path) -> Result<()> {
    let folder = sys.join("devices/system/cpu");
    put(&folder, &[("online", format!("0-{}", CPUS - 1))])?;
    for number in 0..CPUS {
        let (socket, core) = (number / 4, number / 2 % 2);
        let files = [("physical_package_id", socket.to_string()), ("core_id", core.to_string())];
        put(&folder.join(format!("cpu{number}/topology")), &files)?;
    }
    Ok(())
}

fn diskstats(device: &Device) -> String {
    let Device { major, minor, name, .. } = device;
    format!("{major:>4} {minor:>7} {name} 1 2 3 4 5 6 7 8 0 9 10 0 0 0 0 0 0\n")
}
