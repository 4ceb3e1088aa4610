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

/// `KIND GROUP "NAME": SAMPLES, "HELP";` each.
macro_rules! families {
    ($($kind:ident $of:ident $name:literal: $samples:expr, $help:literal;)*) => {
        /// In the order of their names, as in the answer.
        pub(super) static FAMILIES: &[Family] = &[$(Family {
            name: $name,
            help: $help,
            counter: families!($kind),
            of: Metrics::$of,
            samples: $samples,
        }),*];
    };
    (counter) => { true };
    (gauge) => { false };
}

families! {
    gauge Always "cadvisor_version_info": Samples::Version,
        "The kernel and the system of the host, and this program in cAdvisor's place.";
    counter DiskIo "container_blkio_device_usage_total": Samples::Operations,
        "Bytes that were moved from and to a block device, by kind of request.";
    counter Cpu "container_cpu_cfs_burst_periods_total": one(|row| quota(row, row.cpu.burst_periods)),
        "Periods in which more than the quota was used, by what was saved before.";
    counter Cpu "container_cpu_cfs_burst_seconds_total": time(|row| quota(row, row.cpu.burst)),
        "Time that was used beyond the quota in such periods.";
    counter Cpu "container_cpu_cfs_periods_total": one(|row| quota(row, row.cpu.periods)),
        "Periods of the quota in which something ran.";
    counter Cpu "container_cpu_cfs_throttled_periods_total": one(|row| quota(row, row.cpu.throttled_periods)),
        "Periods in which the quota was used up.";
    counter Cpu "container_cpu_cfs_throttled_seconds_total": time(|row| quota(row, row.cpu.throttled)),
        "Time for which tasks were held back by the quota.";
    counter Cpu "container_cpu_system_seconds_total": time(|row| row.cpu.system),
        "Time of the CPUs that was spent in the kernel.";
    counter Cpu "container_cpu_usage_seconds_total": Samples::Cpus,
        "Time of the CPUs that was used, of all of them or of each.";
    counter Cpu "container_cpu_user_seconds_total": time(|row| row.cpu.user),
        "Time of the CPUs that was spent outside of the kernel.";
    gauge Descriptors "container_file_descriptors": one(|row| row.processes.descriptors),
        "Descriptors that processes have open.";
    gauge Disk "container_fs_inodes_free": fs(|fs| fs.inodes_free),
        "Inodes that are left.";
    gauge Disk "container_fs_inodes_total": fs(|fs| fs.inodes),
        "Inodes that there are.";
    gauge DiskIo "container_fs_io_current": fs(disk!(8)),
        "Requests that are under way.";
    counter DiskIo "container_fs_io_time_seconds_total": disk_time(disk!(9)),
        "Time in which requests were under way.";
    counter DiskIo "container_fs_io_time_weighted_seconds_total": disk_time(disk!(10)),
        "Time in which requests were under way, times their number.";
    gauge Disk "container_fs_limit_bytes": fs(|fs| fs.limit),
        "Bytes that the file system holds.";
    counter DiskIo "container_fs_read_seconds_total": disk_time(disk!(3)),
        "Time that reads took.";
    counter DiskIo "container_fs_reads_bytes_total": Samples::Disk(|io| io.bytes[READ], |_| None, Unit::One),
        "Bytes that were read.";
    counter DiskIo "container_fs_reads_merged_total": fs(disk!(1)),
        "Reads that went with another one.";
    counter DiskIo "container_fs_reads_total": Samples::Disk(|io| io.requests[READ], disk!(0), Unit::One),
        "Reads that were done.";
    counter DiskIo "container_fs_sector_reads_total": fs(disk!(2)),
        "Sectors that were read.";
    counter DiskIo "container_fs_sector_writes_total": fs(disk!(6)),
        "Sectors that were written.";
    gauge Disk "container_fs_usage_bytes": fs(|fs| fs.usage),
        "Bytes that are in use.";
    counter DiskIo "container_fs_write_seconds_total": disk_time(disk!(7)),
        "Time that writes took.";
    counter DiskIo "container_fs_writes_bytes_total": Samples::Disk(|io| io.bytes[WRITE], |_| None, Unit::One),
        "Bytes that were written.";
    counter DiskIo "container_fs_writes_merged_total": fs(disk!(5)),
        "Writes that went with another one.";
    counter DiskIo "container_fs_writes_total": Samples::Disk(|io| io.requests[WRITE], disk!(4), Unit::One),
        "Writes that were done.";
    gauge Always "container_last_seen": Samples::Now,
        "When the cgroup was seen last: the time of this scrape.";
    gauge Memory "container_memory_cache": one(|row| row.memory.cache),
        "Bytes of files that are held in memory.";
    counter Memory "container_memory_events_high_total": one(|row| row.memory.events_high),
        "How often memory was taken back since the high limit was passed.";
    counter Memory "container_memory_events_max_total": one(|row| row.memory.events_max),
        "How often the limit was about to be passed.";
    counter Memory "container_memory_failcnt": one(|row| row.memory.failcnt),
        "How often the limit of memory was met.";
    counter Memory "container_memory_failures_total": Samples::Faults,
        "Page faults, of the cgroup itself and with all below it.";
    gauge Memory "container_memory_file_dirty_bytes": one(|row| row.memory.dirty),
        "Bytes of files that wait to be written.";
    gauge Memory "container_memory_file_writeback_bytes": one(|row| row.memory.writeback),
        "Bytes of files that are being written.";
    gauge Memory "container_memory_kernel_usage": one(|row| row.memory.kernel),
        "Bytes that the kernel uses on behalf of the cgroup.";
    gauge Memory "container_memory_mapped_file": one(|row| row.memory.mapped_file),
        "Bytes of files that are mapped.";
    gauge Memory "container_memory_max_usage_bytes": one(|row| row.memory.peak),
        "Bytes that were in use at most.";
    counter Memory "container_memory_pgscan_total": one(|row| row.memory.scanned),
        "Pages that were looked at to find some to give back.";
    counter Memory "container_memory_pgsteal_total": one(|row| row.memory.stolen),
        "Pages that were given back.";
    gauge Memory "container_memory_rss": one(|row| row.memory.rss),
        "Bytes that belong to no file, swap aside.";
    gauge Memory "container_memory_swap": one(|row| row.memory.swap),
        "Bytes that are swapped out.";
    gauge Memory "container_memory_total_active_file_bytes": one(|row| row.memory.active_file),
        "Bytes of files that were used of late.";
    gauge Memory "container_memory_total_inactive_file_bytes": one(|row| row.memory.inactive_file),
        "Bytes of files that were not used of late.";
    gauge Memory "container_memory_usage_bytes": one(|row| row.memory.usage),
        "Bytes that are in use, whatever for.";
    gauge Memory "container_memory_working_set_bytes": one(|row| row.memory.working_set()),
        "Bytes that are in use, less those of files that were not used of late.";
    counter Memory "container_memory_workingset_refault_anon_total": one(|row| row.memory.refault_anon),
        "Pages of no file that were given back and needed again soon.";
    counter Memory "container_memory_workingset_refault_file_total": one(|row| row.memory.refault_file),
        "Pages of files that were given back and needed again soon.";
    counter Network "container_network_receive_bytes_total": Samples::Interface(0),
        "Bytes that came.";
    counter Network "container_network_receive_errors_total": Samples::Interface(2),
        "Errors while packets came.";
    counter Network "container_network_receive_packets_dropped_total": Samples::Interface(3),
        "Packets that came and were thrown away.";
    counter Network "container_network_receive_packets_total": Samples::Interface(1),
        "Packets that came.";
    counter Network "container_network_transmit_bytes_total": Samples::Interface(4),
        "Bytes that were sent.";
    counter Network "container_network_transmit_errors_total": Samples::Interface(6),
        "Errors while packets were sent.";
    counter Network "container_network_transmit_packets_dropped_total": Samples::Interface(7),
        "Packets that were to be sent and were thrown away.";
    counter Network "container_network_transmit_packets_total": Samples::Interface(5),
        "Packets that were sent.";
    counter OomEvent "container_oom_events_total": one(|row| row.memory.ooms),
        "Processes that were killed for want of memory.";
    counter Pressure "container_pressure_cpu_stalled_seconds_total": time(|row| row.pressure.cpu.full),
        "Time for which all tasks waited for a CPU.";
    counter Pressure "container_pressure_cpu_waiting_seconds_total": time(|row| row.pressure.cpu.some),
        "Time for which some task waited for a CPU.";
    counter Pressure "container_pressure_io_stalled_seconds_total": time(|row| row.pressure.io.full),
        "Time for which all tasks waited for I/O.";
    counter Pressure "container_pressure_io_waiting_seconds_total": time(|row| row.pressure.io.some),
        "Time for which some task waited for I/O.";
    counter Pressure "container_pressure_memory_stalled_seconds_total": time(|row| row.pressure.memory.full),
        "Time for which all tasks waited for memory.";
    counter Pressure "container_pressure_memory_waiting_seconds_total": time(|row| row.pressure.memory.some),
        "Time for which some task waited for memory.";
    gauge Process "container_processes": one(|row| row.processes.count),
        "Processes of the cgroup itself.";
    gauge Always "container_scrape_error": Samples::NoError,
        "0: where the cgroups cannot be read, nothing is served.";
    gauge Descriptors "container_sockets": one(|row| row.processes.sockets),
        "Sockets that processes have open.";
    gauge Always "container_spec_cpu_period": one(|row| row.spec.period),
        "The period of the quota, in microseconds.";
    gauge Always "container_spec_cpu_quota": one(|row| row.spec.quota),
        "The quota of CPU time in a period, in microseconds.";
    gauge Always "container_spec_cpu_shares": one(|row| row.spec.shares),
        "The weight beside others when the CPUs are busy.";
    gauge Always "container_spec_memory_limit_bytes": one(|row| row.spec.memory),
        "The limit of memory, 0 where there is none.";
    gauge Always "container_spec_memory_reservation_limit_bytes": one(|row| row.spec.reservation),
        "Memory that is left to the cgroup, 0 where none is promised.";
    gauge Always "container_spec_memory_swap_limit_bytes": one(|row| row.spec.swap),
        "The limit of swap, in cgroup v1 with memory, 0 where there is none.";
    gauge Always "container_start_time_seconds": one(|row| row.started),
        "When the container started, as seconds since 1970.";
    gauge Process "container_threads": one(|row| row.processes.threads),
        "Threads of the cgroup and all below it.";
    gauge Process "container_threads_max": one(|row| row.spec.threads),
        "Threads that there may be, 0 where there is no limit.";
    gauge Process "container_ulimits_soft": Samples::Limits,
        "The soft limit of the first process, -1 where there is none.";
    gauge Machine "machine_cpu_books": Samples::Machine(|machine| machine.books),
        "Books of CPUs, which mainframes have.";
    gauge Machine "machine_cpu_cores": Samples::Machine(|machine| machine.cores),
        "CPUs that are online.";
    gauge Machine "machine_cpu_drawers": Samples::Machine(|machine| machine.drawers),
        "Drawers of CPUs, which mainframes have.";
    gauge Machine "machine_cpu_physical_cores": Samples::Machine(|machine| machine.physical_cores),
        "Cores, whatever threads each has.";
    gauge Machine "machine_cpu_sockets": Samples::Machine(|machine| machine.sockets),
        "Sockets with CPUs.";
    gauge Machine "machine_memory_bytes": Samples::Machine(|machine| machine.memory),
        "Bytes of memory.";
    gauge Machine "machine_scrape_error": Samples::NoError,
        "0: what could not be read of the machine is missing.";
    gauge Machine "machine_swap_bytes": Samples::Machine(|machine| machine.swap),
        "Bytes of swap.";
}

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
            let exceptions = ["container_memory_failcnt", "container_fs_inodes_total"];
            let exception = exceptions.contains(&family.name);
            assert_eq!(
                family.counter != exception,
                family.name.ends_with("_total"),
                "{}",
                family.name
            );
            assert!(family.help.ends_with('.'), "{}", family.name);
        }
    }
}
