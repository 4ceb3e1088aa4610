//! Flags of the native reader.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::machine::Paths;

/// How cgroups are read; flattened into the agent's options.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Cgroups")]
#[expect(clippy::doc_markdown, reason = "--help shows it as it stands")]
pub struct CgroupOptions {
    /// Where the host's /sys is.
    #[arg(id = "path.sysfs", long = "path.sysfs", value_name = "FOLDER", default_value = "/sys")]
    pub sysfs: PathBuf,
    /// Where the host's cgroups are; fs/cgroup in --path.sysfs without it.
    #[arg(id = "path.cgroup", long = "path.cgroup", value_name = "FOLDER")]
    pub cgroup: Option<PathBuf>,
    /// Where the host's root is: for its machine-id, its file systems and --cgroup.disk-usage.
    #[arg(id = "path.rootfs", long = "path.rootfs", value_name = "FOLDER", default_value = "/")]
    pub rootfs: PathBuf,
    /// Tell of the cgroup of the whole machine.
    #[arg(id = "cgroup.root", long = "cgroup.root", default_value = "true", action = clap::ArgAction::Set)]
    pub root: bool,
    /// Tell of cgroups of no pod and no container, such as those of systemd's units.
    #[arg(id = "cgroup.slices", long = "cgroup.slices", default_value = "true", action = clap::ArgAction::Set)]
    pub slices: bool,
    /// Tell of cgroups that containers made below their own, in whose numbers they are already.
    #[arg(id = "cgroup.nested", long = "cgroup.nested")]
    pub nested: bool,
    /// What is not read, with commas between, by cAdvisor's names for --disable_metrics.
    #[arg(
        id = "cgroup.disable",
        long = "cgroup.disable",
        value_enum,
        value_name = "LIST",
        value_delimiter = ','
    )]
    pub disable: Vec<Metrics>,
    /// What is read in addition, with commas between: percpu (CPU time by CPU, in cgroup v1), descriptors (open files and
    /// sockets of all processes, which costs many times what all else does).
    #[arg(
        id = "cgroup.enable",
        long = "cgroup.enable",
        value_enum,
        value_name = "LIST",
        value_delimiter = ','
    )]
    pub enable: Vec<Extra>,
    /// Measure what each container has written into its own layer of an overlay, again after this time, as
    /// container_fs_usage_bytes. It walks all files of the layer, beside the scrapes; off by default.
    #[arg(id = "cgroup.disk-usage", long = "cgroup.disk-usage", value_name = "DURATION", value_parser = exporter_toolkit::options::duration)]
    pub disk_usage: Option<Duration>,
    /// Cgroups that are told of at most.
    #[arg(
        id = "cgroup.limit",
        long = "cgroup.limit",
        value_name = "NUMBER",
        default_value_t = 4096
    )]
    pub limit: usize,
    /// Files that stay open between scrapes at most; further ones are opened each time, as are those beyond the limit of
    /// open files (RLIMIT_NOFILE), which is raised as far as it may be. The kernel holds some 5 kB for each.
    #[arg(
        id = "cgroup.kept-files",
        long = "cgroup.kept-files",
        value_name = "NUMBER",
        default_value_t = 8192
    )]
    pub kept_files: usize,
    /// Between two walks of the whole tree, in case an event was lost, and two readings of limits and the machine's facts.
    #[arg(id = "cgroup.walk-interval", long = "cgroup.walk-interval", value_name = "DURATION", default_value = "1m", value_parser = exporter_toolkit::options::duration)]
    pub walk_interval: Duration,
}

impl CgroupOptions {
    pub fn paths(&self, procfs: PathBuf) -> Paths {
        let cgroup = self.cgroup.clone().unwrap_or_else(|| self.sysfs.join("fs/cgroup"));
        let (sysfs, rootfs) = (self.sysfs.clone(), self.rootfs.clone());
        Paths { procfs, sysfs, cgroup, rootfs }
    }

    pub fn enabled(&self) -> Enabled {
        let wanted = |metrics: Metrics| !self.disable.contains(&metrics);
        let extra = |one: Extra| self.enable.contains(&one);
        Enabled {
            cpu: wanted(Metrics::Cpu),
            memory: wanted(Metrics::Memory),
            disk: wanted(Metrics::Disk),
            disk_io: wanted(Metrics::DiskIo),
            network: wanted(Metrics::Network),
            process: wanted(Metrics::Process),
            oom_event: wanted(Metrics::OomEvent),
            pressure: wanted(Metrics::Pressure),
            machine: wanted(Metrics::Machine),
            percpu: extra(Extra::Percpu),
            descriptors: extra(Extra::Descriptors),
        }
    }
}

/// Groups of families, as cAdvisor calls them.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub enum Metrics {
    #[value(skip)]
    Always,
    #[value(skip)]
    Descriptors,
    Cpu,
    Memory,
    Disk,
    #[value(name = "diskIO", alias = "disk-io")]
    DiskIo,
    Network,
    Process,
    #[value(name = "oom_event", alias = "oom-event")]
    OomEvent,
    Pressure,
    Machine,
}

/// What is off by default.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub enum Extra {
    Percpu,
    Descriptors,
}

/// What is read.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own")]
pub struct Enabled {
    pub cpu: bool,
    pub memory: bool,
    pub disk: bool,
    pub disk_io: bool,
    pub network: bool,
    pub process: bool,
    pub oom_event: bool,
    pub pressure: bool,
    pub machine: bool,
    pub percpu: bool,
    pub descriptors: bool,
}

impl Enabled {
    pub fn has(&self, metrics: Metrics) -> bool {
        match metrics {
            Metrics::Always => true,
            Metrics::Descriptors => self.descriptors,
            Metrics::Cpu => self.cpu,
            Metrics::Memory => self.memory,
            Metrics::Disk => self.disk,
            Metrics::DiskIo => self.disk_io,
            Metrics::Network => self.network,
            Metrics::Process => self.process,
            Metrics::OomEvent => self.oom_event,
            Metrics::Pressure => self.pressure,
            Metrics::Machine => self.machine,
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    #[derive(clap::Parser)]
    struct Command {
        #[command(flatten)]
        options: CgroupOptions,
    }

    pub(crate) fn options(flags: &[&str]) -> CgroupOptions {
        let args = std::iter::once("agent").chain(flags.iter().copied());
        <Command as clap::Parser>::parse_from(args).options
    }

    pub(crate) fn all() -> Enabled {
        options(&["--cgroup.enable=percpu,descriptors"]).enabled()
    }

    #[test]
    fn groups_have_the_names_that_the_peer_has() {
        let enabled = options(&["--cgroup.disable=diskIO,oom_event,network,disk"]).enabled();
        assert!(!enabled.disk_io && !enabled.oom_event && !enabled.network && !enabled.disk);
        assert!(enabled.cpu && enabled.memory && !enabled.percpu && !enabled.descriptors);
        assert!(enabled.has(Metrics::Always) && !enabled.has(Metrics::DiskIo));
    }

    #[test]
    fn cgroups_are_below_sys_unless_they_are_elsewhere() {
        let paths = options(&["--path.sysfs=/host/sys"]).paths("/host/proc".into());
        assert_eq!(paths.cgroup, PathBuf::from("/host/sys/fs/cgroup"));
        let paths =
            options(&["--path.cgroup=/cg", "--path.rootfs=/host/root"]).paths("/proc".into());
        assert_eq!(paths.cgroup, PathBuf::from("/cg"));
        assert_eq!(paths.root("/etc/x"), PathBuf::from("/host/root/etc/x"));
    }
}
