//! `process_*`: what the agent itself takes of the host, under the names that the client libraries of Prometheus use.

use std::fs::{self, File};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use rustix::process::{Resource, getrlimit};

use crate::{Counter, Exposition, Gauge};

static CPU: Counter<0> = Counter::new(
    "process_cpu_seconds_total",
    "CPU time the agent took, in user and kernel mode.",
    [],
);
static MAX_FDS: Gauge<0> =
    Gauge::new("process_max_fds", "How many file descriptors the agent may have open.", []);
static RECEIVED: Counter<0> = Counter::new(
    "process_network_receive_bytes_total",
    "Bytes of IP that came into the network namespace of the agent.",
    [],
);
static SENT: Counter<0> = Counter::new(
    "process_network_transmit_bytes_total",
    "Bytes of IP that left the network namespace of the agent.",
    [],
);
static OPEN_FDS: Gauge<0> =
    Gauge::new("process_open_fds", "How many file descriptors the agent has open.", []);
static RESIDENT: Gauge<0> =
    Gauge::new("process_resident_memory_bytes", "Memory of the agent that is in RAM.", []);
static START: Gauge<0> =
    Gauge::new("process_start_time_seconds", "When the agent was started, in Unix time.", []);
static VIRTUAL: Gauge<0> =
    Gauge::new("process_virtual_memory_bytes", "Address space that the agent has mapped.", []);
static VIRTUAL_MAX: Gauge<0> =
    Gauge::new("process_virtual_memory_max_bytes", "Address space that the agent may map.", []);

/// `/proc/stat` has a line a CPU and a number an interrupt; the others hold a few KiB.
const READ_LIMIT: usize = 8 << 20;

/// Reads about this process; its files stay open.
#[derive(Debug)]
pub struct Process {
    stat: Option<File>,
    netstat: Option<File>,
    fds: PathBuf,
    /// When the host was booted, in Unix time; it never changes while the process lives.
    booted: Option<u64>,
    buffer: Vec<u8>,
}

impl Process {
    /// Opens `/proc`; where there is none, its samples are missing.
    pub fn new() -> Self {
        Self::at(Path::new("/proc"))
    }

    fn at(proc: &Path) -> Self {
        let mut buffer = Vec::new();
        let booted = File::open(proc.join("stat"))
            .ok()
            .and_then(|file| read(&file, &mut buffer).and_then(boot_time));
        Self {
            stat: File::open(proc.join("self/stat")).ok(),
            netstat: File::open(proc.join("self/net/netstat")).ok(),
            fds: proc.join("self/fd"),
            booted,
            buffer: Vec::new(),
        }
    }

    /// Writes the families of this process.
    pub fn write(&mut self, out: &mut Exposition) {
        let stat = self.stat.as_ref().and_then(|file| read(file, &mut self.buffer));
        if let Some(stat) = stat.and_then(Stat::parse) {
            stat.write(self.booted, out);
        }
        let netstat = self.netstat.as_ref().and_then(|file| read(file, &mut self.buffer));
        let octets = |column| netstat.and_then(|text| ip_extension(text, column));
        out.family(&RECEIVED).maybe((), octets("InOctets"));
        out.family(&SENT).maybe((), octets("OutOctets"));
        out.family(&OPEN_FDS).maybe((), open_fds(&self.fds));
        out.family(&MAX_FDS).sample((), limit(Resource::Nofile));
        out.family(&VIRTUAL_MAX).sample((), limit(Resource::As));
    }
}

impl Default for Process {
    fn default() -> Self {
        Self::new()
    }
}

/// No limit is the largest number, as the peers print it.
fn limit(resource: Resource) -> f64 {
    getrlimit(resource).current.unwrap_or(u64::MAX) as f64
}

/// The size of this folder is the number of its entries since Linux 6.2; before, it is 0.
fn open_fds(folder: &Path) -> Option<u64> {
    match fs::metadata(folder).ok()?.len() {
        // Reading the folder opens one more.
        0 => (fs::read_dir(folder).ok()?.count() as u64).checked_sub(1),
        count => Some(count),
    }
}

/// Reads a file from its start, into memory that is reused; one longer than [`READ_LIMIT`] is not read.
fn read<'a>(file: &File, buffer: &'a mut Vec<u8>) -> Option<&'a str> {
    let mut length = 0;
    loop {
        if length == READ_LIMIT {
            return None;
        }
        if length == buffer.len() {
            buffer.resize((2 * length).clamp(4096, READ_LIMIT), 0);
        }
        match file.read_at(buffer.get_mut(length..)?, length as u64).ok()? {
            0 => break,
            more => length += more,
        }
    }
    std::str::from_utf8(buffer.get(..length)?).ok()
}

/// `btime` of `/proc/stat`.
fn boot_time(stat: &str) -> Option<u64> {
    stat.lines().find_map(|line| line.strip_prefix("btime "))?.trim().parse().ok()
}

/// A column of the `IpExt` rows of `/proc/self/net/netstat`: a row of names, and a row of values below it.
fn ip_extension(netstat: &str, column: &str) -> Option<f64> {
    let mut rows = netstat.lines().filter_map(|line| line.strip_prefix("IpExt:"));
    let at = rows.next()?.split_ascii_whitespace().position(|name| name == column)?;
    let value: u64 = rows.next()?.split_ascii_whitespace().nth(at)?.parse().ok()?;
    Some(value as f64)
}

/// What counts of `/proc/self/stat`, in the kernel's units: ticks, bytes and pages.
#[derive(Debug, PartialEq)]
struct Stat {
    user: u64,
    system: u64,
    started: u64,
    virtual_bytes: u64,
    resident_pages: u64,
}

impl Stat {
    /// The fields are counted after the command, which may itself hold blanks and parentheses.
    fn parse(text: &str) -> Option<Self> {
        let (_, fields) = text.rsplit_once(')')?;
        let mut fields = fields.split_ascii_whitespace();
        let mut skip_to = |n: usize| fields.nth(n)?.parse::<u64>().ok();
        Some(Self {
            user: skip_to(11)?,
            system: skip_to(0)?,
            started: skip_to(6)?,
            virtual_bytes: skip_to(0)?,
            resident_pages: skip_to(0)?,
        })
    }

    fn write(&self, booted: Option<u64>, out: &mut Exposition) {
        let second = rustix::param::clock_ticks_per_second() as f64;
        let started = booted.map(|booted| booted as f64 + self.started as f64 / second);
        let resident = self.resident_pages.saturating_mul(rustix::param::page_size() as u64);
        out.family(&CPU).sample((), self.user.saturating_add(self.system) as f64 / second);
        out.family(&START).maybe((), started);
        out.family(&VIRTUAL).sample((), self.virtual_bytes as f64);
        out.family(&RESIDENT).sample((), resident as f64);
    }
}

#[cfg(test)]
mod tests {
    use std::time::{SystemTime, UNIX_EPOCH};

    use super::*;
    use crate::line::Line;

    const STAT: &str = "77 (a ) b) R 1 2 3 4 5 6 7 8 9 10 250 50 0 0 20 0 9 0 4242 4096000 300 18446744073709551615";

    fn written(process: &mut Process) -> Vec<(String, f64)> {
        let mut out = Exposition::default();
        process.write(&mut out);
        let lines = out.text().split(|&b| b == b'\n').filter_map(Line::parse);
        lines
            .filter_map(|line| match line {
                Line::Sample(s) => {
                    Some((String::from_utf8_lossy(s.name).into_owned(), s.number()?))
                }
                _ => None,
            })
            .collect()
    }

    #[test]
    fn the_fields_stand_after_the_command_whatever_it_holds() {
        let expected = Stat {
            user: 250,
            system: 50,
            started: 4242,
            virtual_bytes: 4_096_000,
            resident_pages: 300,
        };
        assert_eq!(Stat::parse(STAT), Some(expected));
        assert_eq!(Stat::parse("77 (cut) R 1 2 3"), None);
        assert_eq!(Stat::parse(""), None);
    }

    #[test]
    fn ticks_and_pages_become_seconds_and_bytes() {
        let mut out = Exposition::default();
        Stat::parse(STAT).unwrap().write(Some(1_700_000_000), &mut out);
        let text = String::from_utf8(out.text().to_vec()).unwrap();
        assert!(text.contains("process_cpu_seconds_total 3\n"), "{text}");
        assert!(text.contains("process_start_time_seconds 1.70000004242e+09\n"), "{text}");
        assert!(text.contains("process_virtual_memory_bytes 4.096e+06\n"), "{text}");
    }

    #[test]
    fn a_column_is_found_by_its_name() {
        let text = "TcpExt: A InOctets\nTcpExt: 1 2\nIpExt: X InOctets OutOctets\nIpExt: 3 4 5\n";
        assert_eq!(ip_extension(text, "InOctets"), Some(4.0));
        assert_eq!(ip_extension(text, "OutOctets"), Some(5.0));
        assert_eq!(ip_extension(text, "None"), None);
        assert_eq!(ip_extension("IpExt: InOctets\n", "InOctets"), None);
        assert_eq!(boot_time("cpu 1\nbtime 1795442400\n"), Some(1_795_442_400));
    }

    #[test]
    fn this_process_has_all_families_and_plausible_values() {
        let held: Vec<File> = (0..50).map(|_| File::open("/proc/self/stat").unwrap()).collect();
        let written = written(&mut Process::new());
        assert_eq!(written.len(), 9, "{written:?}");
        let value = |name: &str| written.iter().find(|(n, _)| n == name).unwrap().1;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs_f64();
        assert!((0.0..86400.0).contains(&(now - value("process_start_time_seconds") + 60.0)));
        assert!(value("process_open_fds") >= held.len() as f64);
        assert!(value("process_max_fds") >= value("process_open_fds"));
        assert!(value("process_resident_memory_bytes") < value("process_virtual_memory_bytes"));
    }

    #[test]
    fn a_file_is_read_whole_into_memory_that_grows() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(&file, "x".repeat(10_000)).unwrap();
        let mut buffer = Vec::new();
        assert_eq!(read(file.as_file(), &mut buffer).map(str::len), Some(10_000));
        std::fs::write(&file, "y").unwrap();
        assert_eq!(read(file.as_file(), &mut buffer), Some("y"));
    }

    #[test]
    fn a_missing_file_is_a_missing_sample() {
        let empty = tempfile::tempdir().unwrap();
        let names: Vec<_> =
            written(&mut Process::at(empty.path())).into_iter().map(|p| p.0).collect();
        assert_eq!(names, ["process_max_fds", "process_virtual_memory_max_bytes"]);
    }
}
