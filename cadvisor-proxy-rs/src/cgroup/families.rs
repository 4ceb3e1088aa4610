//! The families, as cAdvisor names them: what each is and where in a row its samples are.

use super::disk::Filesystem;
use super::io::{Device, READ, WRITE};
use super::machine::Machine;
use super::options::Metrics;
use super::snapshot::Row;

/// How a number in a row becomes the value of a sample.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Unit {
    /// As it is.
    One,
    /// Nanoseconds, told in seconds.
    Nanoseconds,
    /// Milliseconds, told in seconds.
    Milliseconds,
}

/// Where the samples of a family are.
#[derive(Clone, Copy)]
pub(super) enum Samples {
    /// One of each cgroup at most.
    Row(fn(&Row) -> Option<u64>, Unit),
    /// The time of the scrape, of each cgroup.
    Now,
    /// The time of the CPUs, of all together or of each.
    Cpus,
    /// Page faults by kind and scope.
    Faults,
    /// By device: what the cgroup did with it, and the file system on it.
    Disk(fn(&Device) -> Option<u64>, fn(&Filesystem) -> Option<u64>, Unit),
    /// Bytes by device and operation.
    Operations,
    /// One of an interface's counts.
    Interface(usize),
    /// The soft limits of the first process.
    Limits,
    /// Of the machine, once.
    Machine(fn(&Machine) -> Option<u64>),
    Version,
    /// That nothing has failed: what has is not served at all.
    NoError,
}

/// A family.
pub(super) struct Family {
    pub(super) name: &'static str,
    pub(super) help: &'static str,
    pub(super) counter: bool,
    pub(super) of: Metrics,
    pub(super) samples: Samples,
}

const fn gauge(of: Metrics, name: &'static str, help: &'static str, samples: Samples) -> Family {
    Family { name, help, counter: false, of, samples }
}

const fn counter(of: Metrics, name: &'static str, help: &'static str, samples: Samples) -> Family {
    Family { name, help, counter: true, of, samples }
}

const fn one(of: fn(&Row) -> Option<u64>) -> Samples {
    Samples::Row(of, Unit::One)
}

const fn time(of: fn(&Row) -> Option<u64>) -> Samples {
    Samples::Row(of, Unit::Nanoseconds)
}

/// Of a file system alone.
const fn fs(of: fn(&Filesystem) -> Option<u64>) -> Samples {
    Samples::Disk(|_| None, of, Unit::One)
}

const fn disk_time(of: fn(&Filesystem) -> Option<u64>) -> Samples {
    Samples::Disk(|_| None, of, Unit::Milliseconds)
}

/// The counts of the throttling are told of a cgroup with a quota, which alone is throttled.
fn quota<T>(row: &Row, value: Option<T>) -> Option<T> {
    row.spec.quota.and(value)
}

macro_rules! disk {
    ($at:expr) => {
        |fs| fs.disk.map(|counts| counts[$at])
    };
}

use Metrics as M;

/// In the order of their names, as in the answer.
pub(super) static FAMILIES: &[Family] = &[
    gauge(
        M::Always,
        "cadvisor_version_info",
        "The kernel and the system of the host, and this program in cAdvisor's place.",
        Samples::Version,
    ),
    counter(
        M::DiskIo,
        "container_blkio_device_usage_total",
        "Bytes that were moved from and to a block device, by kind of request.",
        Samples::Operations,
    ),
    counter(
        M::Cpu,
        "container_cpu_cfs_burst_periods_total",
        "Periods in which more than the quota was used, by what was saved before.",
        one(|row| quota(row, row.cpu.burst_periods)),
    ),
    counter(
        M::Cpu,
        "container_cpu_cfs_burst_seconds_total",
        "Time that was used beyond the quota in such periods.",
        time(|row| quota(row, row.cpu.burst)),
    ),
    counter(
        M::Cpu,
        "container_cpu_cfs_periods_total",
        "Periods of the quota in which something ran.",
        one(|row| quota(row, row.cpu.periods)),
    ),
    counter(
        M::Cpu,
        "container_cpu_cfs_throttled_periods_total",
        "Periods in which the quota was used up.",
        one(|row| quota(row, row.cpu.throttled_periods)),
    ),
    counter(
        M::Cpu,
        "container_cpu_cfs_throttled_seconds_total",
        "Time for which tasks were held back by the quota.",
        time(|row| quota(row, row.cpu.throttled)),
    ),
    counter(
        M::Cpu,
        "container_cpu_system_seconds_total",
        "Time of the CPUs that was spent in the kernel.",
        time(|row| row.cpu.system),
    ),
    counter(
        M::Cpu,
        "container_cpu_usage_seconds_total",
        "Time of the CPUs that was used, of all of them or of each.",
        Samples::Cpus,
    ),
    counter(
        M::Cpu,
        "container_cpu_user_seconds_total",
        "Time of the CPUs that was spent outside of the kernel.",
        time(|row| row.cpu.user),
    ),
    gauge(
        M::Descriptors,
        "container_file_descriptors",
        "Descriptors that processes have open.",
        one(|row| row.processes.descriptors),
    ),
    gauge(M::Disk, "container_fs_inodes_free", "Inodes that are left.", fs(|fs| fs.inodes_free)),
    gauge(M::Disk, "container_fs_inodes_total", "Inodes that there are.", fs(|fs| fs.inodes)),
    gauge(M::DiskIo, "container_fs_io_current", "Requests that are under way.", fs(disk!(8))),
    counter(
        M::DiskIo,
        "container_fs_io_time_seconds_total",
        "Time in which requests were under way.",
        disk_time(disk!(9)),
    ),
    counter(
        M::DiskIo,
        "container_fs_io_time_weighted_seconds_total",
        "Time in which requests were under way, times their number.",
        disk_time(disk!(10)),
    ),
    gauge(
        M::Disk,
        "container_fs_limit_bytes",
        "Bytes that the file system holds.",
        fs(|fs| fs.limit),
    ),
    counter(
        M::DiskIo,
        "container_fs_read_seconds_total",
        "Time that reads took.",
        disk_time(disk!(3)),
    ),
    counter(
        M::DiskIo,
        "container_fs_reads_bytes_total",
        "Bytes that were read.",
        Samples::Disk(|io| io.bytes[READ], |_| None, Unit::One),
    ),
    counter(
        M::DiskIo,
        "container_fs_reads_merged_total",
        "Reads that went with another one.",
        fs(disk!(1)),
    ),
    counter(
        M::DiskIo,
        "container_fs_reads_total",
        "Reads that were done.",
        Samples::Disk(|io| io.requests[READ], disk!(0), Unit::One),
    ),
    counter(M::DiskIo, "container_fs_sector_reads_total", "Sectors that were read.", fs(disk!(2))),
    counter(
        M::DiskIo,
        "container_fs_sector_writes_total",
        "Sectors that were written.",
        fs(disk!(6)),
    ),
    gauge(M::Disk, "container_fs_usage_bytes", "Bytes that are in use.", fs(|fs| fs.usage)),
    counter(
        M::DiskIo,
        "container_fs_write_seconds_total",
        "Time that writes took.",
        disk_time(disk!(7)),
    ),
    counter(
        M::DiskIo,
        "container_fs_writes_bytes_total",
        "Bytes that were written.",
        Samples::Disk(|io| io.bytes[WRITE], |_| None, Unit::One),
    ),
    counter(
        M::DiskIo,
        "container_fs_writes_merged_total",
        "Writes that went with another one.",
        fs(disk!(5)),
    ),
    counter(
        M::DiskIo,
        "container_fs_writes_total",
        "Writes that were done.",
        Samples::Disk(|io| io.requests[WRITE], disk!(4), Unit::One),
    ),
    gauge(
        M::Always,
        "container_last_seen",
        "When the cgroup was seen last: the time of this scrape.",
        Samples::Now,
    ),
    gauge(
        M::Memory,
        "container_memory_cache",
        "Bytes of files that are held in memory.",
        one(|row| row.memory.cache),
    ),
    counter(
        M::Memory,
        "container_memory_events_high_total",
        "How often memory was taken back since the high limit was passed.",
        one(|row| row.memory.events_high),
    ),
    counter(
        M::Memory,
        "container_memory_events_max_total",
        "How often the limit was about to be passed.",
        one(|row| row.memory.events_max),
    ),
    counter(
        M::Memory,
        "container_memory_failcnt",
        "How often the limit of memory was met.",
        one(|row| row.memory.failcnt),
    ),
    counter(
        M::Memory,
        "container_memory_failures_total",
        "Page faults, of the cgroup itself and with all below it.",
        Samples::Faults,
    ),
    gauge(
        M::Memory,
        "container_memory_file_dirty_bytes",
        "Bytes of files that wait to be written.",
        one(|row| row.memory.dirty),
    ),
    gauge(
        M::Memory,
        "container_memory_file_writeback_bytes",
        "Bytes of files that are being written.",
        one(|row| row.memory.writeback),
    ),
    gauge(
        M::Memory,
        "container_memory_kernel_usage",
        "Bytes that the kernel uses on behalf of the cgroup.",
        one(|row| row.memory.kernel),
    ),
    gauge(
        M::Memory,
        "container_memory_mapped_file",
        "Bytes of files that are mapped.",
        one(|row| row.memory.mapped_file),
    ),
    gauge(
        M::Memory,
        "container_memory_max_usage_bytes",
        "Bytes that were in use at most.",
        one(|row| row.memory.peak),
    ),
    counter(
        M::Memory,
        "container_memory_pgscan_total",
        "Pages that were looked at to find some to give back.",
        one(|row| row.memory.scanned),
    ),
    counter(
        M::Memory,
        "container_memory_pgsteal_total",
        "Pages that were given back.",
        one(|row| row.memory.stolen),
    ),
    gauge(
        M::Memory,
        "container_memory_rss",
        "Bytes that belong to no file, swap aside.",
        one(|row| row.memory.rss),
    ),
    gauge(
        M::Memory,
        "container_memory_swap",
        "Bytes that are swapped out.",
        one(|row| row.memory.swap),
    ),
    gauge(
        M::Memory,
        "container_memory_total_active_file_bytes",
        "Bytes of files that were used of late.",
        one(|row| row.memory.active_file),
    ),
    gauge(
        M::Memory,
        "container_memory_total_inactive_file_bytes",
        "Bytes of files that were not used of late.",
        one(|row| row.memory.inactive_file),
    ),
    gauge(
        M::Memory,
        "container_memory_usage_bytes",
        "Bytes that are in use, whatever for.",
        one(|row| row.memory.usage),
    ),
    counter(
        M::Memory,
        "container_memory_workingset_refault_anon_total",
        "Pages of no file that were given back and needed again soon.",
        one(|row| row.memory.refault_anon),
    ),
    counter(
        M::Memory,
        "container_memory_workingset_refault_file_total",
        "Pages of files that were given back and needed again soon.",
        one(|row| row.memory.refault_file),
    ),
    gauge(
        M::Memory,
        "container_memory_working_set_bytes",
        "Bytes that are in use, less those of files that were not used of late.",
        one(|row| row.memory.working_set()),
    ),
    counter(
        M::Network,
        "container_network_receive_bytes_total",
        "Bytes that came.",
        Samples::Interface(0),
    ),
    counter(
        M::Network,
        "container_network_receive_errors_total",
        "Errors while packets came.",
        Samples::Interface(2),
    ),
    counter(
        M::Network,
        "container_network_receive_packets_dropped_total",
        "Packets that came and were thrown away.",
        Samples::Interface(3),
    ),
    counter(
        M::Network,
        "container_network_receive_packets_total",
        "Packets that came.",
        Samples::Interface(1),
    ),
    counter(
        M::Network,
        "container_network_transmit_bytes_total",
        "Bytes that were sent.",
        Samples::Interface(4),
    ),
    counter(
        M::Network,
        "container_network_transmit_errors_total",
        "Errors while packets were sent.",
        Samples::Interface(6),
    ),
    counter(
        M::Network,
        "container_network_transmit_packets_dropped_total",
        "Packets that were to be sent and were thrown away.",
        Samples::Interface(7),
    ),
    counter(
        M::Network,
        "container_network_transmit_packets_total",
        "Packets that were sent.",
        Samples::Interface(5),
    ),
    counter(
        M::OomEvent,
        "container_oom_events_total",
        "Processes that were killed for want of memory.",
        one(|row| row.memory.ooms),
    ),
    counter(
        M::Pressure,
        "container_pressure_cpu_stalled_seconds_total",
        "Time for which all tasks waited for a CPU.",
        time(|row| row.pressure.cpu.full),
    ),
    counter(
        M::Pressure,
        "container_pressure_cpu_waiting_seconds_total",
        "Time for which some task waited for a CPU.",
        time(|row| row.pressure.cpu.some),
    ),
    counter(
        M::Pressure,
        "container_pressure_io_stalled_seconds_total",
        "Time for which all tasks waited for I/O.",
        time(|row| row.pressure.io.full),
    ),
    counter(
        M::Pressure,
        "container_pressure_io_waiting_seconds_total",
        "Time for which some task waited for I/O.",
        time(|row| row.pressure.io.some),
    ),
    counter(
        M::Pressure,
        "container_pressure_memory_stalled_seconds_total",
        "Time for which all tasks waited for memory.",
        time(|row| row.pressure.memory.full),
    ),
    counter(
        M::Pressure,
        "container_pressure_memory_waiting_seconds_total",
        "Time for which some task waited for memory.",
        time(|row| row.pressure.memory.some),
    ),
    gauge(
        M::Process,
        "container_processes",
        "Processes of the cgroup itself.",
        one(|row| row.processes.count),
    ),
    gauge(
        M::Always,
        "container_scrape_error",
        "0: where the cgroups cannot be read, nothing is served.",
        Samples::NoError,
    ),
    gauge(
        M::Descriptors,
        "container_sockets",
        "Sockets that processes have open.",
        one(|row| row.processes.sockets),
    ),
    gauge(
        M::Always,
        "container_spec_cpu_period",
        "The period of the quota, in microseconds.",
        one(|row| row.spec.period),
    ),
    gauge(
        M::Always,
        "container_spec_cpu_quota",
        "The quota of CPU time in a period, in microseconds.",
        one(|row| row.spec.quota),
    ),
    gauge(
        M::Always,
        "container_spec_cpu_shares",
        "The weight beside others when the CPUs are busy.",
        one(|row| row.spec.shares),
    ),
    gauge(
        M::Always,
        "container_spec_memory_limit_bytes",
        "The limit of memory, 0 where there is none.",
        one(|row| row.spec.memory),
    ),
    gauge(
        M::Always,
        "container_spec_memory_reservation_limit_bytes",
        "Memory that is left to the cgroup, 0 where none is promised.",
        one(|row| row.spec.reservation),
    ),
    gauge(
        M::Always,
        "container_spec_memory_swap_limit_bytes",
        "The limit of swap, in cgroup v1 with memory, 0 where there is none.",
        one(|row| row.spec.swap),
    ),
    gauge(
        M::Always,
        "container_start_time_seconds",
        "When the container started, as seconds since 1970.",
        one(|row| row.started),
    ),
    gauge(
        M::Process,
        "container_threads",
        "Threads of the cgroup and all below it.",
        one(|row| row.processes.threads),
    ),
    gauge(
        M::Process,
        "container_threads_max",
        "Threads that there may be, 0 where there is no limit.",
        one(|row| row.spec.threads),
    ),
    gauge(
        M::Process,
        "container_ulimits_soft",
        "The soft limit of the first process, -1 where there is none.",
        Samples::Limits,
    ),
    gauge(
        M::Machine,
        "machine_cpu_books",
        "Books of CPUs, which mainframes have.",
        Samples::Machine(|machine| machine.books),
    ),
    gauge(
        M::Machine,
        "machine_cpu_cores",
        "CPUs that are online.",
        Samples::Machine(|machine| machine.cores),
    ),
    gauge(
        M::Machine,
        "machine_cpu_drawers",
        "Drawers of CPUs, which mainframes have.",
        Samples::Machine(|machine| machine.drawers),
    ),
    gauge(
        M::Machine,
        "machine_cpu_physical_cores",
        "Cores, whatever threads each has.",
        Samples::Machine(|machine| machine.physical_cores),
    ),
    gauge(
        M::Machine,
        "machine_cpu_sockets",
        "Sockets with CPUs.",
        Samples::Machine(|machine| machine.sockets),
    ),
    gauge(
        M::Machine,
        "machine_memory_bytes",
        "Bytes of memory.",
        Samples::Machine(|machine| machine.memory),
    ),
    gauge(
        M::Machine,
        "machine_scrape_error",
        "0: what could not be read of the machine is missing.",
        Samples::NoError,
    ),
    gauge(
        M::Machine,
        "machine_swap_bytes",
        "Bytes of swap.",
        Samples::Machine(|machine| machine.swap),
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_are_sorted_and_none_is_there_twice() {
        let names: Vec<&str> = FAMILIES.iter().map(|family| family.name).collect();
        assert!(names.is_sorted_by(|a, b| a < b), "{names:?}");
    }

    #[test]
    fn counters_end_as_counters_do() {
        for family in FAMILIES {
            let exception = family.name == "container_memory_failcnt";
            assert_eq!(
                family.counter && !exception,
                family.name.ends_with("_total"),
                "{}",
                family.name
            );
            assert!(family.help.ends_with('.'), "{}", family.name);
        }
    }
}
