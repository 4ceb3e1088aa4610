//! Where the native reader and its peers differ, each with its reason. A family that is not here is in both, and equal.

/// How a family differs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Rule {
    /// The peer alone has it.
    Theirs,
    /// We alone have it.
    Ours,
    /// Both have it, and may differ by this much.
    Within(f64),
    /// Both have it, and may differ by this much where the container does something.
    Moves(f64),
    /// The peer says 0 where nothing was counted, and we say nothing.
    Zero,
}

pub(super) struct Known {
    pub(super) family: &'static str,
    pub(super) rule: Rule,
    pub(super) reason: &'static str,
}

const fn theirs(family: &'static str, reason: &'static str) -> Known {
    Known { family, rule: Rule::Theirs, reason }
}

const fn ours(family: &'static str, reason: &'static str) -> Known {
    Known { family, rule: Rule::Ours, reason }
}

const fn moves(family: &'static str, much: f64) -> Known {
    let reason = "processes come and go between two looks";
    Known { family, rule: Rule::Moves(much), reason }
}

const fn zero(family: &'static str) -> Known {
    let reason = "the kernel has counted nothing for the container's device";
    Known { family, rule: Rule::Zero, reason }
}

const fn within(family: &'static str, much: f64, reason: &'static str) -> Known {
    Known { family, rule: Rule::Within(much), reason }
}

const NEVER: &str = "always 0: nobody turns the reader of loads on";
const SCHEDULER: &str = "always 0: the scheduler that counted it left the kernel with 5.0";
const WALK: &str = "the size of a container's files takes a walk of them: opt-in";
const MODULES: &str = "of memory modules that few machines have, by a library of their maker";
const NEWER: &str = "of a newer cAdvisor";
const SECOND: &str = "whole seconds, rounded each in its own way";

/// What `cAdvisor` 0.38 and a kubelet of 1.20, which has the same in it, do not share with us.
macro_rules! shared {
    ($($more:expr,)*) => {
        &[
            theirs("container_cpu_load_average_10s", NEVER),
            theirs("container_tasks_state", NEVER),
            theirs("container_fs_inodes_free", WALK),
            theirs("container_fs_inodes_total", WALK),
            theirs("container_fs_limit_bytes", WALK),
            theirs("container_fs_usage_bytes", WALK),
            theirs("container_fs_io_current", SCHEDULER),
            theirs("container_fs_io_time_seconds_total", SCHEDULER),
            theirs("container_fs_io_time_weighted_seconds_total", SCHEDULER),
            theirs("container_fs_read_seconds_total", SCHEDULER),
            theirs("container_fs_reads_merged_total", SCHEDULER),
            theirs("container_fs_sector_reads_total", SCHEDULER),
            theirs("container_fs_sector_writes_total", SCHEDULER),
            theirs("container_fs_write_seconds_total", SCHEDULER),
            theirs("container_fs_writes_merged_total", SCHEDULER),
            within("container_last_seen", 1.0, SECOND),
            within("container_start_time_seconds", 1.0, SECOND),
            ours("container_memory_kernel_usage", NEWER),
            ours("container_memory_total_active_file_bytes", NEWER),
            ours("container_memory_total_inactive_file_bytes", NEWER),
            ours("container_memory_file_dirty_bytes", NEWER),
            ours("container_memory_file_writeback_bytes", NEWER),
            ours("container_oom_events_total", NEWER),
            ours("container_pressure_cpu_stalled_seconds_total", NEWER),
            ours("container_pressure_cpu_waiting_seconds_total", NEWER),
            ours("container_pressure_io_stalled_seconds_total", NEWER),
            ours("container_pressure_io_waiting_seconds_total", NEWER),
            ours("container_pressure_memory_stalled_seconds_total", NEWER),
            ours("container_pressure_memory_waiting_seconds_total", NEWER),
            ours("container_blkio_device_usage_total", NEWER),
            ours("container_cpu_cfs_burst_periods_total", NEWER),
            ours("container_cpu_cfs_burst_seconds_total", NEWER),
            ours("container_memory_workingset_refault_anon_total", NEWER),
            ours("container_memory_workingset_refault_file_total", NEWER),
            moves("container_file_descriptors", 6.0),
            moves("container_processes", 2.0),
            moves("container_threads", 2.0),
            zero("container_fs_reads_total"),
            zero("container_fs_writes_total"),
            $($more,)*
        ]
    };
}

/// `cAdvisor` 0.38 on plain docker.
pub(super) const CADVISOR: &[Known] = shared![
    theirs("container_memory_numa_pages", "off in the kubelet; no dashboard reads it"),
    theirs("machine_nvm_avg_power_budget_watts", MODULES),
    theirs("machine_nvm_capacity", MODULES),
    ours("machine_cpu_books", NEWER),
    ours("machine_cpu_drawers", NEWER),
    ours("machine_swap_bytes", NEWER),
];

/// The kubelet of 1.20.
pub(super) const KUBELET: &[Known] = shared![];
