//! What a collector is, and the list of them all.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Instant;

use exporter_toolkit::{Described, Exposition};

use crate::filter::SHARED;
use crate::flags::{AnyFlag, FlagError, Flags};
use crate::host::Host;

/// Reads one area of the host and writes its families. It blocks, and runs off the reactor on a thread that it may hold.
pub trait Collector: Send {
    /// Told before each scrape when the answer must be there, for collectors that wait for others.
    fn answer_by(&mut self, _deadline: Instant) {}

    /// Writes what the host says now. Samples written before an error are kept.
    fn collect(&mut self, out: &mut Exposition) -> Result<(), CollectError>;
}

/// What the list, the command line and the documents know of a collector.
pub struct Spec {
    /// Its name in `--collector.NAME` and in `collect[]=NAME`.
    pub name: &'static str,
    /// True where it runs unless switched off.
    pub enabled: bool,
    /// One line of `--help`: what it reads.
    pub about: &'static str,
    pub flags: &'static [&'static dyn AnyFlag],
    /// The families known when this is compiled.
    pub families: &'static [&'static dyn Described],
    pub build: fn(&Setup) -> Result<Box<dyn Collector>, BuildError>,
}

impl Spec {
    /// The flag that switches the collector on by being given, where one takes the place of `--collector.NAME`.
    pub fn switch(&self) -> Option<&'static dyn AnyFlag> {
        let stem = |flag: &&dyn AnyFlag| flag.name().strip_prefix("collector.") == Some(self.name);
        self.flags.iter().copied().find(stem)
    }
}

impl std::fmt::Debug for Spec {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Spec").field("name", &self.name).finish_non_exhaustive()
    }
}

/// What a collector is built from.
#[derive(Clone, Debug, Default)]
pub struct Setup {
    pub host: Host,
    pub flags: Flags,
}

/// Why a collector cannot be built: the command line is wrong, which stops the start.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    #[error(transparent)]
    Flag(#[from] FlagError),
    #[error("{path}: {source}", path = path.display())]
    Read { path: PathBuf, source: io::Error },
    /// A file that a flag names; `place` is its path, with the line where that is known.
    #[error("{place}: {problem} (--{flag})")]
    File { place: String, problem: String, flag: &'static str },
}

/// Why a scrape of a collector failed.
#[derive(Debug, thiserror::Error)]
pub enum CollectError {
    /// The kernel, the hardware or the privileges do not give this here: nothing is wrong.
    #[error("{0}")]
    NoData(&'static str),
    #[error("cannot read {path}: {source}", path = path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("{file}: {problem}: {line:?}")]
    Parse { file: String, problem: &'static str, line: String },
    #[error("{call}: {source}")]
    Call { call: &'static str, source: io::Error },
}

impl CollectError {
    /// A malformed line; long lines are cut.
    pub fn parse(file: &Path, problem: &'static str, line: &str) -> Self {
        let line = line.chars().take(120).collect();
        Self::Parse { file: file.display().to_string(), problem, line }
    }

    /// True where the host lacks what the collector reads, which is not worth a warning at every scrape.
    pub fn is_no_data(&self) -> bool {
        match self {
            Self::NoData(_) => true,
            Self::Read { source, .. } => source.kind() == io::ErrorKind::NotFound,
            Self::Parse { .. } | Self::Call { .. } => false,
        }
    }
}

#[cfg(target_os = "linux")]
mod fields;
#[cfg(target_os = "linux")]
mod pids;
#[cfg(any(test, not(target_os = "linux")))]
pub mod portable;
mod sysclass;
#[cfg(test)]
pub(crate) mod testing;

// rustfmt looks into this macro, unlike into others, and so finds the collectors' files.
cfg_if::cfg_if! {
    if #[cfg(target_os = "linux")] {
        pub mod arp;
        pub mod bcache;
        pub mod bcachefs;
        pub mod bonding;
        pub mod btrfs;
        pub mod buddyinfo;
        pub mod cgroups;
        pub mod conntrack;
        pub mod cpu;
        pub mod cpu_vulnerabilities;
        pub mod cpufreq;
        pub mod diskstats;
        pub mod dmi;
        pub mod dmmultipath;
        pub mod drbd;
        pub mod drm;
        pub mod edac;
        pub mod entropy;
        pub mod ethtool;
        pub mod fibrechannel;
        pub mod filefd;
        pub mod filesystem;
        pub mod hwmon;
        pub mod infiniband;
        pub mod interrupts;
        pub mod ipvs;
        pub mod kernel_hung;
        pub mod ksmd;
        pub mod lnstat;
        pub mod loadavg;
        pub mod logind;
        pub mod mdadm;
        pub mod meminfo;
        pub mod meminfo_numa;
        pub mod mountstats;
        pub mod netclass;
        pub mod netdev;
        pub mod netstat;
        pub mod network_route;
        pub mod nfs;
        pub mod nfsd;
        pub mod ntp;
        pub mod nvme;
        pub mod nvmesubsystem;
        pub mod os;
        pub mod pcidevice;
        pub mod perf;
        pub mod powersupplyclass;
        pub mod pressure;
        pub mod process_groups;
        pub mod processes;
        pub mod qdisc;
        pub mod rapl;
        pub mod runit;
        pub mod schedstat;
        pub mod selinux;
        pub mod slabinfo;
        pub mod sockstat;
        pub mod softirqs;
        pub mod softnet;
        pub mod stat;
        pub mod supervisord;
        pub mod swap;
        pub mod sysctl;
        pub mod systemd;
        pub mod tapestats;
        pub mod tcpstat;
        pub mod textfile;
        pub mod thermal_zone;
        pub mod time;
        pub mod timex;
        pub mod udp_queues;
        pub mod uname;
        pub mod vmstat;
        pub mod watchdog;
        pub mod wifi;
        pub mod xfrm;
        pub mod xfs;
        pub mod zfs;
        pub mod zoneinfo;

        /// Every collector, in the order of its name.
        pub static COLLECTORS: &[&Spec] = &[
            &arp::SPEC,
            &bcache::SPEC,
            &bcachefs::SPEC,
            &bonding::SPEC,
            &btrfs::SPEC,
            &buddyinfo::SPEC,
            &cgroups::SPEC,
            &conntrack::SPEC,
            &cpu::SPEC,
            &cpu_vulnerabilities::SPEC,
            &cpufreq::SPEC,
            &diskstats::SPEC,
            &dmi::SPEC,
            &dmmultipath::SPEC,
            &drbd::SPEC,
            &drm::SPEC,
            &edac::SPEC,
            &entropy::SPEC,
            &ethtool::SPEC,
            &fibrechannel::SPEC,
            &filefd::SPEC,
            &filesystem::SPEC,
            &hwmon::SPEC,
            &infiniband::SPEC,
            &interrupts::SPEC,
            &ipvs::SPEC,
            &kernel_hung::SPEC,
            &ksmd::SPEC,
            &lnstat::SPEC,
            &loadavg::SPEC,
            &logind::SPEC,
            &mdadm::SPEC,
            &meminfo::SPEC,
            &meminfo_numa::SPEC,
            &mountstats::SPEC,
            &netclass::SPEC,
            &netdev::SPEC,
            &netstat::SPEC,
            &network_route::SPEC,
            &nfs::SPEC,
            &nfsd::SPEC,
            &ntp::SPEC,
            &nvme::SPEC,
            &nvmesubsystem::SPEC,
            &os::SPEC,
            &pcidevice::SPEC,
            &perf::SPEC,
            &powersupplyclass::SPEC,
            &pressure::SPEC,
            &process_groups::SPEC,
            &processes::SPEC,
            &qdisc::SPEC,
            &rapl::SPEC,
            &runit::SPEC,
            &schedstat::SPEC,
            &selinux::SPEC,
            &slabinfo::SPEC,
            &sockstat::SPEC,
            &softirqs::SPEC,
            &softnet::SPEC,
            &stat::SPEC,
            &supervisord::SPEC,
            &swap::SPEC,
            &sysctl::SPEC,
            &systemd::SPEC,
            &tapestats::SPEC,
            &tcpstat::SPEC,
            &textfile::SPEC,
            &thermal_zone::SPEC,
            &time::SPEC,
            &timex::SPEC,
            &udp_queues::SPEC,
            &uname::SPEC,
            &vmstat::SPEC,
            &watchdog::SPEC,
            &wifi::SPEC,
            &xfrm::SPEC,
            &xfs::SPEC,
            &zfs::SPEC,
            &zoneinfo::SPEC,
        ];
    } else {
        pub use portable::PORTABLE as COLLECTORS;
    }
}

/// Every flag of the collectors, and those that several share.
pub fn flags() -> impl Iterator<Item = &'static dyn AnyFlag> {
    COLLECTORS.iter().flat_map(|spec| spec.flags).chain(SHARED).copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn names_are_sorted_and_flags_belong_to_their_collector() {
        assert!(COLLECTORS.is_sorted_by_key(|spec| spec.name));
        for spec in COLLECTORS {
            for flag in spec.flags {
                let stem = format!("collector.{}", spec.name);
                // A flag that may be repeated may also be given not once.
                let none = flag.repeats() && flag.default().is_empty();
                assert!(none || flag.check(flag.default()).is_ok(), "{}", flag.name());
                assert!(flag.name().starts_with("collector."), "{stem}: {}", flag.name());
            }
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn one_flag_chooses_the_devices_of_all_network_collectors() {
        let dev = "h\nh\neth0: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16\nveth1: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16\n";
        let arp = "IP address\n192.0.2.1 0x1 0x2 02::1 * eth0\n192.0.2.2 0x1 0x2 02::2 * veth1\n";
        let folder = testing::tree(&[
            ("proc/net/dev", dev),
            ("proc/net/arp", arp),
            ("sys/class/net/eth0/mtu", "1500\n"),
            ("sys/class/net/veth1/mtu", "1500\n"),
        ]);
        let files = [("collector.netdev.netlink", "false"), ("collector.arp.netlink", "false")];
        for (flag, pattern) in [("device-exclude", "^veth"), ("device-include", "^eth0$")] {
            let flag = format!("collector.network.{flag}");
            let flags = [files[0], files[1], (flag.as_str(), pattern)];
            for spec in [&arp::SPEC, &netclass::SPEC, &netdev::SPEC] {
                let (samples, _) = testing::collect(spec, folder.path(), &flags);
                let of = |device| samples.iter().filter(|line| line.contains(device)).count();
                assert!(of("\"eth0\"") > 0 && of("\"veth1\"") == 0, "{flag}: {samples:?}");
            }
            let (samples, result) = testing::collect(&network_route::SPEC, folder.path(), &flags);
            assert!(samples.iter().all(|line| line.contains("eth0")) || flag.ends_with("exclude"));
            assert!(result.is_ok());
        }
    }

    #[test]
    fn every_collector_is_built_from_the_defaults() {
        for spec in COLLECTORS {
            if let Err(error) = (spec.build)(&Setup::default()) {
                panic!("{}: {error}", spec.name);
            }
        }
    }

    #[test]
    fn a_family_that_two_collectors_give_has_one_type() {
        let mut seen = BTreeMap::new();
        for family in COLLECTORS.iter().flat_map(|spec| spec.families) {
            let kind = seen.entry(family.name()).or_insert_with(|| family.kind());
            assert_eq!(*kind, family.kind(), "{}", family.name());
        }
    }
}
