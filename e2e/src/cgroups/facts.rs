//! What is true of a container, by its place.

/// What the kernel has counted of one cgroup; times in microseconds, sizes in bytes.
#[derive(Clone, Debug)]
pub struct Facts {
    pub user: u64,
    pub system: u64,
    pub shares: u64,
    /// Every second container has a limit.
    pub quota: Option<u64>,
    pub periods: u64,
    pub throttled_periods: u64,
    pub throttled: u64,
    pub memory: u64,
    pub peak: u64,
    pub memory_limit: Option<u64>,
    pub reservation: u64,
    pub swap: u64,
    pub anonymous: u64,
    pub file: u64,
    pub mapped: u64,
    pub inactive_file: u64,
    pub active_file: u64,
    pub dirty: u64,
    pub writeback: u64,
    pub kernel: u64,
    pub page_faults: u64,
    pub major_faults: u64,
    pub failures: u64,
    pub oom_kills: u64,
    pub threads: u64,
    pub threads_limit: Option<u64>,
    pub open_files_limit: u64,
    pub pressure: [Pressure; 3],
    pub devices: Vec<Device>,
    pub network: Network,
}

/// How long some of the tasks waited, and all of them: of CPU, memory, I/O.
#[derive(Clone, Copy, Debug)]
pub struct Pressure {
    pub some: u64,
    pub full: u64,
}

#[derive(Clone, Copy, Debug)]
pub struct Device {
    pub major: u32,
    pub minor: u32,
    /// As in `/proc/diskstats`.
    pub name: &'static str,
    pub read_bytes: u64,
    pub write_bytes: u64,
    pub reads: u64,
    pub writes: u64,
}

/// Of the interface `eth0`; the others are not to be seen.
#[derive(Clone, Copy, Debug)]
pub struct Network {
    /// Bytes, packets, errors, dropped.
    pub received: [u64; 4],
    pub sent: [u64; 4],
}

pub(super) const PERIOD: u64 = 100_000;
const MIB: u64 = 1 << 20;

impl Facts {
    /// No number is equal to that of another field or place.
    pub(super) fn of(place: usize) -> Self {
        let n = place as u64 + 1;
        let limited = n.is_multiple_of(2);
        let (anonymous, inactive_file, active_file) =
            (n * MIB + 4096, n * 512 * 1024, n * 256 * 1024);
        let file = inactive_file + active_file + 8192;
        let kernel = n * 16_384;
        let memory = anonymous + file + kernel;
        let pressure = |kind: u64| Pressure { some: n * 10_000 + kind, full: n * 5_000 + kind };
        let device = |minor: u32, name, scale: u64| Device {
            major: 8,
            minor,
            name,
            read_bytes: n * scale * 4096,
            write_bytes: n * scale * 8192,
            reads: n * scale,
            writes: n * scale * 2,
        };
        Self {
            user: n * 7_000_000,
            system: n * 3_000_000,
            shares: 1024,
            quota: limited.then_some(n * 1000),
            periods: if limited { n * 100 } else { 0 },
            throttled_periods: if limited { n * 40 } else { 0 },
            throttled: if limited { n * 1_500_000 } else { 0 },
            memory,
            peak: memory + n * MIB,
            memory_limit: limited.then_some(n * 64 * MIB),
            reservation: n * 2 * MIB,
            swap: n * 12_288,
            anonymous,
            file,
            mapped: n * 20_480,
            inactive_file,
            active_file,
            dirty: n * 24_576,
            writeback: n * 28_672,
            kernel,
            page_faults: n * 1001,
            major_faults: n * 11,
            failures: n * 13,
            oom_kills: n % 3,
            threads: n + 2,
            threads_limit: limited.then_some(n * 100),
            open_files_limit: 1024 + n,
            pressure: [pressure(1), pressure(2), pressure(3)],
            devices: vec![device(0, "sda", 17), device(16, "sdb", 19)],
            network: Network {
                received: [n * 1_000_003, n * 1009, n * 2, n * 3],
                sent: [n * 500_009, n * 503, n * 5, n * 7],
            },
        }
    }

    pub fn usage(&self) -> u64 {
        self.user + self.system
    }

    /// As the unified hierarchy has it: 1 to 10,000 for 2 to 262,144 shares.
    pub fn weight(&self) -> u64 {
        1 + (self.shares - 2) * 9_999 / 262_142
    }
}
