//! `node_cpu_core_throttles_total`, `node_cpu_package_throttles_total`: how often heat slowed a CPU down, from
//! `/sys/devices/system/cpu/cpuN/thermal_throttle` (x86 only, and only on real hardware).

use exporter_toolkit::{Counter, Exposition};

use crate::host::{Host, KeptFile, number};

pub(super) static CORE: Counter<2> = Counter::new(
    "node_cpu_core_throttles_total",
    "How often a core was slowed down because it was too hot.",
    ["package", "core"],
);
pub(super) static PACKAGE: Counter<1> = Counter::new(
    "node_cpu_package_throttles_total",
    "How often a whole package was slowed down because it was too hot.",
    ["package"],
);

/// One file for each core and each package, though every CPU of them has one.
#[derive(Default)]
pub(super) struct Throttles {
    cores: Vec<((u64, u64), KeptFile)>,
    packages: Vec<(u64, KeptFile)>,
}

impl Throttles {
    /// The file of the first CPU that has one, in the order of the CPUs' names, as the peer picks it: `cpu10` before `cpu2`.
    pub(super) fn find(host: &Host, cpus: &[u16]) -> Self {
        let mut names: Vec<String> = cpus.iter().map(ToString::to_string).collect();
        names.sort_unstable();
        let mut this = Self::default();
        for name in names {
            let folder = format!("devices/system/cpu/cpu{name}");
            let id = |file| number(&host.sys(&format!("{folder}/topology/{file}")));
            let (Some(package), Some(core)) = (id("physical_package_id"), id("core_id")) else {
                continue;
            };
            let count = |file| {
                let relative = format!("{folder}/thermal_throttle/{file}");
                host.sys(&relative).exists().then(|| host.keep_sys(&relative))
            };
            add(&mut this.cores, (package, core), || count("core_throttle_count"));
            add(&mut this.packages, package, || count("package_throttle_count"));
        }
        this
    }

    pub(super) fn collect(&mut self, out: &mut Exposition) {
        let mut packages = out.family(&PACKAGE);
        for (package, file) in &mut self.packages {
            packages.maybe(*package, count(file));
        }
        let mut cores = out.family(&CORE);
        for (core, file) in &mut self.cores {
            cores.maybe(*core, count(file));
        }
    }
}

fn add<K: PartialEq>(
    files: &mut Vec<(K, KeptFile)>,
    key: K,
    file: impl FnOnce() -> Option<KeptFile>,
) {
    if files.iter().all(|(known, _)| *known != key)
        && let Some(file) = file()
    {
        files.push((key, file));
    }
}

fn count(file: &mut KeptFile) -> Option<u64> {
    std::str::from_utf8(file.read().ok()?.trim_ascii()).ok()?.parse().ok()
}
