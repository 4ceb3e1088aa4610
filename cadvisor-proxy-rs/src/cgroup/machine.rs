//! What is told of the machine itself.

use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use exporter_toolkit::labels::escape;

use super::parse::{lines, list_length, number, value_of, words};

/// Of a file of facts.
const LIMIT: u64 = 1 << 20;

/// Facts that do not change while the machine runs, or seldom.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Machine {
    /// `boot_id="…",machine_id="…",system_uuid="…"`, escaped.
    pub(super) labels: Vec<u8>,
    /// Those of `cadvisor_version_info`.
    pub(super) version: Vec<u8>,
    pub(super) cores: Option<u64>,
    pub(super) physical_cores: Option<u64>,
    pub(super) sockets: Option<u64>,
    pub(super) books: Option<u64>,
    pub(super) drawers: Option<u64>,
    pub(super) memory: Option<u64>,
    pub(super) swap: Option<u64>,
    /// Seconds since 1970.
    pub(super) booted: Option<u64>,
}

/// Where the host's files are.
#[derive(Clone, Debug)]
pub struct Paths {
    pub procfs: PathBuf,
    pub sysfs: PathBuf,
    pub cgroup: PathBuf,
    pub rootfs: PathBuf,
}

impl Paths {
    /// A file of the host's by its path there.
    pub fn root(&self, absolute: &str) -> PathBuf {
        self.rootfs.join(absolute.trim_start_matches('/'))
    }
}

/// A bounded file; `None` where it cannot be read.
pub(super) fn text(path: &Path) -> Option<Vec<u8>> {
    let mut text = Vec::new();
    File::open(path).ok()?.take(LIMIT).read_to_end(&mut text).ok()?;
    Some(text)
}

/// `/dev/vda`, escaped; empty where the host does not tell.
pub(super) fn device_name(paths: &Paths, (major, minor): (u32, u32)) -> Arc<[u8]> {
    let uevent = text(&paths.sysfs.join(format!("dev/block/{major}:{minor}/uevent")));
    let uevent = uevent.unwrap_or_default();
    let mut out = Vec::new();
    if let Some(name) = lines(&uevent).find_map(|line| line.strip_prefix(b"DEVNAME=")) {
        out.extend_from_slice(b"/dev/");
        escape(String::from_utf8_lossy(name).as_bytes(), &mut out);
    }
    out.into()
}

fn word(path: &Path) -> Option<String> {
    let text = String::from_utf8_lossy(&text(path)?).trim().to_owned();
    (!text.is_empty()).then_some(text)
}

impl Machine {
    pub(super) fn read(paths: &Paths) -> Self {
        let meminfo = text(&paths.procfs.join("meminfo")).unwrap_or_default();
        let stat = text(&paths.procfs.join("stat")).unwrap_or_default();
        let folder = paths.sysfs.join("devices/system/cpu");
        let online = text(&folder.join("online")).and_then(|text| list_length(&text));
        let topology = Topology::read(&folder);
        let of = |count: usize| Some(count as u64).filter(|count| *count > 0);
        Self {
            labels: labels(paths),
            version: version(paths),
            cores: online.or_else(|| cpus(&stat)),
            physical_cores: of(topology.cores),
            sockets: of(topology.sockets),
            books: topology.read.then_some(topology.books as u64),
            drawers: topology.read.then_some(topology.drawers as u64),
            memory: kilobytes(&meminfo, b"MemTotal:"),
            swap: kilobytes(&meminfo, b"SwapTotal:"),
            booted: value_of(&stat, b"btime"),
        }
    }
}

/// A line of `/proc/meminfo`, in bytes.
pub(super) fn kilobytes(meminfo: &[u8], key: &[u8]) -> Option<u64> {
    let line = lines(meminfo).find_map(|line| line.strip_prefix(key))?;
    words(line).next().and_then(number)?.checked_mul(1024)
}

/// CPUs that `/proc/stat` has a line for.
fn cpus(stat: &[u8]) -> Option<u64> {
    let is_cpu = |line: &&[u8]| {
        line.strip_prefix(b"cpu").and_then(|rest| rest.first()).is_some_and(u8::is_ascii_digit)
    };
    Some(lines(stat).filter(is_cpu).count() as u64).filter(|count| *count > 0)
}

#[derive(Debug, Default)]
struct Topology {
    read: bool,
    cores: usize,
    sockets: usize,
    books: usize,
    drawers: usize,
}

impl Topology {
    /// A core is one by its number within its socket.
    fn read(folder: &Path) -> Self {
        let mut cores = std::collections::BTreeSet::new();
        let [mut sockets, mut books, mut drawers] =
            [(); 3].map(|()| std::collections::BTreeSet::new());
        let entries = fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
        for entry in entries {
            let name = entry.file_name();
            let digits = name.to_str().and_then(|name| name.strip_prefix("cpu"));
            if digits.and_then(|digits| number(digits.as_bytes())).is_none() {
                continue;
            }
            let part = |file: &str| {
                let id = word(&entry.path().join("topology").join(file))?;
                // -1 where the machine has no such thing.
                id.parse::<u64>().ok()
            };
            let socket = part("physical_package_id");
            cores.extend(part("core_id").map(|core| (socket, core)));
            sockets.extend(socket);
            books.extend(part("book_id"));
            drawers.extend(part("drawer_id"));
        }
        Self {
            read: !cores.is_empty(),
            cores: cores.len(),
            sockets: sockets.len(),
            books: books.len(),
            drawers: drawers.len(),
        }
    }
}

fn labels(paths: &Paths) -> Vec<u8> {
    let machine = ["/etc/machine-id", "/var/lib/dbus/machine-id"];
    let machine = machine.iter().find_map(|file| word(&paths.root(file))).unwrap_or_default();
    let boot = word(&paths.procfs.join("sys/kernel/random/boot_id")).unwrap_or_default();
    let firmware = ["class/dmi/id/product_uuid", "firmware/devicetree/base/vm,uuid"];
    let system = firmware.iter().find_map(|file| word(&paths.sysfs.join(file)));
    // As cAdvisor has it where the firmware tells nothing.
    let system = system.unwrap_or_else(|| machine.clone());
    pairs(&[("boot_id", &boot), ("machine_id", &machine), ("system_uuid", &system)])
}

fn version(paths: &Paths) -> Vec<u8> {
    let kernel = word(&paths.procfs.join("sys/kernel/osrelease")).unwrap_or_default();
    let files = ["/etc/os-release", "/usr/lib/os-release"];
    let release = files.iter().find_map(|file| text(&paths.root(file))).unwrap_or_default();
    let name = lines(&release).find_map(|line| line.strip_prefix(b"PRETTY_NAME="));
    let os = String::from_utf8_lossy(name.unwrap_or_default()).trim_matches('"').to_owned();
    pairs(&[
        ("cadvisorRevision", ""),
        ("cadvisorVersion", concat!("cadvisor-proxy-rs ", env!("CARGO_PKG_VERSION"))),
        ("dockerVersion", ""),
        ("kernelVersion", &kernel),
        ("osVersion", &os),
    ])
}

fn pairs(pairs: &[(&str, &str)]) -> Vec<u8> {
    let mut out = Vec::new();
    for (name, value) in pairs {
        if !out.is_empty() {
            out.push(b',');
        }
        out.extend_from_slice(name.as_bytes());
        out.extend_from_slice(b"=\"");
        escape(value.as_bytes(), &mut out);
        out.push(b'"');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(files: &[(&str, &str)]) -> (tempfile::TempDir, Paths) {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let below = |name: &str| folder.path().join(name);
        let paths = Paths {
            procfs: below("proc"),
            sysfs: below("sys"),
            cgroup: below("sys/fs/cgroup"),
            rootfs: below("root"),
        };
        (folder, paths)
    }

    #[test]
    fn cores_are_counted_by_socket() {
        let cpu = "sys/devices/system/cpu";
        let topology: Vec<(String, &str)> =
            [("0", "0", "0"), ("1", "0", "0"), ("2", "0", "1"), ("3", "1", "1")]
                .iter()
                .flat_map(|(cpu_id, core, socket)| {
                    let file = |name| format!("{cpu}/cpu{cpu_id}/topology/{name}");
                    [(file("core_id"), *core), (file("physical_package_id"), *socket)]
                })
                .collect();
        let mut files: Vec<(&str, &str)> =
            topology.iter().map(|(name, text)| (name.as_str(), *text)).collect();
        let online = format!("{cpu}/online");
        files.extend([
            (online.as_str(), "0-3\n"),
            ("proc/meminfo", "MemTotal:  100 kB\nMemFree: 1 kB\nSwapTotal:    0 kB\n"),
            ("proc/stat", "cpu  1\ncpu0 1\nbtime 1700000000\n"),
            ("proc/sys/kernel/random/boot_id", "b-1\n"),
            ("root/etc/machine-id", "m-1\n"),
        ]);
        let (_folder, paths) = host(&files);
        let machine = Machine::read(&paths);
        assert_eq!(
            (machine.cores, machine.physical_cores, machine.sockets),
            (Some(4), Some(3), Some(2))
        );
        assert_eq!(
            (machine.memory, machine.swap, machine.books),
            (Some(102_400), Some(0), Some(0))
        );
        assert_eq!(machine.booted, Some(1_700_000_000));
        assert_eq!(machine.labels, br#"boot_id="b-1",machine_id="m-1",system_uuid="m-1""#);
    }

    #[test]
    fn what_the_host_does_not_tell_is_missing() {
        let (_folder, paths) = host(&[("proc/stat", "cpu  1\ncpu0 1\ncpu1 1\n")]);
        let machine = Machine::read(&paths);
        assert_eq!((machine.cores, machine.physical_cores, machine.memory), (Some(2), None, None));
    }
}
