//! `node_cpu_frequency_*`, `node_cpu_scaling_*`: clock rates and governors, from `/sys/devices/system/cpu/cpuN/cpufreq`
//! (Documentation/admin-guide/pm/cpufreq.rst).
//!
//! CPUs that change their rate together share a policy; its files are read once for all of them.

use std::path::PathBuf;

use exporter_toolkit::{Exposition, Gauge};

use super::cpu::list;
use super::{CollectError, Collector, Spec};
use crate::host::{Host, KeptFile, attribute, number};

static CURRENT: Gauge<1> =
    Gauge::new("node_cpu_frequency_hertz", "Clock rate of a CPU now.", ["cpu"]);
static AVERAGE: Gauge<1> = Gauge::new(
    "node_cpu_frequency_avg_hertz",
    "Clock rate of a CPU on average over the last moments in which it was busy.",
    ["cpu"],
);
static MINIMUM: Gauge<1> = Gauge::new(
    "node_cpu_frequency_min_hertz",
    "Lowest clock rate that a CPU is able to run at.",
    ["cpu"],
);
static MAXIMUM: Gauge<1> = Gauge::new(
    "node_cpu_frequency_max_hertz",
    "Highest clock rate that a CPU is able to run at.",
    ["cpu"],
);
static SCALING: Gauge<1> = Gauge::new(
    "node_cpu_scaling_frequency_hertz",
    "Clock rate that the kernel last asked of a CPU, or measured where the driver can.",
    ["cpu"],
);
static SCALING_MINIMUM: Gauge<1> = Gauge::new(
    "node_cpu_scaling_frequency_min_hertz",
    "Lowest clock rate that the current policy allows a CPU.",
    ["cpu"],
);
static SCALING_MAXIMUM: Gauge<1> = Gauge::new(
    "node_cpu_scaling_frequency_max_hertz",
    "Highest clock rate that the current policy allows a CPU.",
    ["cpu"],
);
static GOVERNOR: Gauge<2> = Gauge::new(
    "node_cpu_scaling_governor",
    "1 for the governor that chooses a CPU's clock rate, 0 for the others that it could have.",
    ["cpu", "governor"],
);

pub static SPEC: Spec = Spec {
    name: "cpufreq",
    enabled: true,
    about: "Clock rates and governors of the CPUs, from /sys/devices/system/cpu.",
    flags: &[],
    families: &[
        &CURRENT,
        &AVERAGE,
        &MINIMUM,
        &MAXIMUM,
        &SCALING,
        &SCALING_MINIMUM,
        &SCALING_MAXIMUM,
        &GOVERNOR,
    ],
    build: |setup| {
        Ok(Box::new(Cpufreq {
            host: setup.host.clone(),
            offline: setup.host.keep_sys("devices/system/cpu/offline"),
            made_for: None,
            cpus: Vec::new(),
            policies: Vec::new(),
        }))
    },
};

/// The files whose values move, each with its family.
static MOVING: [(&str, &Gauge<1>); 5] = [
    ("cpuinfo_cur_freq", &CURRENT),
    ("cpuinfo_avg_freq", &AVERAGE),
    ("scaling_cur_freq", &SCALING),
    ("scaling_min_freq", &SCALING_MINIMUM),
    ("scaling_max_freq", &SCALING_MAXIMUM),
];

struct Cpufreq {
    host: Host,
    offline: KeptFile,
    /// The content of the file `offline` that the lists below were made for; `None` before the first time.
    made_for: Option<Vec<u8>>,
    /// Each CPU with the place of its policy.
    cpus: Vec<(u16, usize)>,
    policies: Vec<Policy>,
}

/// What CPUs share that change their rate together. Rates are in kHz.
struct Policy {
    folder: PathBuf,
    /// Of [`MOVING`]; `None` for a file that the driver does not have.
    files: [Option<KeptFile>; MOVING.len()],
    rates: [Option<u64>; MOVING.len()],
    minimum: Option<u64>,
    maximum: Option<u64>,
    governor: KeptFile,
    /// The governor now, and all that could be.
    current: String,
    governors: Vec<String>,
}

impl Collector for Cpufreq {
    fn collect(&mut self, out: &mut Exposition) -> Result<(), CollectError> {
        let offline = self.offline.read().unwrap_or_default();
        if self.made_for.as_deref() != Some(offline) {
            let offline = offline.to_vec();
            self.find(&list::ranges(&offline));
            self.made_for = Some(offline);
        }
        self.policies.iter_mut().for_each(Policy::read);
        self.write(out);
        Ok(())
    }
}

impl Cpufreq {
    /// Finds the CPUs that are on, and their policies: a CPU's folder `cpufreq` is a link to its policy's.
    fn find(&mut self, offline: &[u16]) {
        self.cpus.clear();
        self.policies.clear();
        for cpu in list::cpus(&self.host) {
            let relative = format!("devices/system/cpu/cpu{cpu}/cpufreq");
            let Ok(folder) = self.host.sys(&relative).canonicalize() else { continue };
            if offline.contains(&cpu) {
                continue;
            }
            let known = self.policies.iter().position(|policy| policy.folder == folder);
            let place = known.unwrap_or(self.policies.len());
            if known.is_none() {
                self.policies.push(Policy::new(&self.host, &relative, folder));
            }
            self.cpus.push((cpu, place));
        }
    }

    fn write(&self, out: &mut Exposition) {
        let mut write = |family, rate: &dyn Fn(&Policy) -> Option<u64>| {
            let mut samples = out.family(family);
            for (cpu, place) in &self.cpus {
                let hertz = rate(&self.policies[*place]).map(|kilohertz| kilohertz as f64 * 1000.0);
                samples.maybe(cpu, hertz);
            }
        };
        for (i, (_, family)) in MOVING.iter().enumerate() {
            write(family, &|policy| policy.rates[i]);
        }
        write(&MINIMUM, &|policy| policy.minimum);
        write(&MAXIMUM, &|policy| policy.maximum);
        let mut governors = out.family(&GOVERNOR);
        for (cpu, place) in &self.cpus {
            let policy = &self.policies[*place];
            for governor in policy.governors.iter().filter(|_| !policy.current.is_empty()) {
                governors.sample((cpu, governor), *governor == policy.current);
            }
        }
    }
}

impl Policy {
    fn new(host: &Host, relative: &str, folder: PathBuf) -> Self {
        let keep =
            |name| folder.join(name).exists().then(|| host.keep_sys(&format!("{relative}/{name}")));
        let governors = attribute(&folder.join("scaling_available_governors"));
        let mut governors: Vec<String> =
            governors.unwrap_or_default().split_ascii_whitespace().map(str::to_owned).collect();
        governors.sort_unstable();
        governors.dedup();
        Self {
            files: MOVING.map(|(name, _)| keep(name)),
            rates: [None; MOVING.len()],
            minimum: number(&folder.join("cpuinfo_min_freq")),
            maximum: number(&folder.join("cpuinfo_max_freq")),
            governor: host.keep_sys(&format!("{relative}/scaling_governor")),
            current: String::new(),
            governors,
            folder,
        }
    }

    /// Takes over the files' values. One that the driver refuses (`cpuinfo_cur_freq` is root's) is a missing sample.
    fn read(&mut self) {
        for (rate, file) in self.rates.iter_mut().zip(&mut self.files) {
            *rate = file.as_mut().and_then(|file| text(file)?.parse().ok());
        }
        self.current.clear();
        self.current.push_str(text(&mut self.governor).unwrap_or_default());
    }
}

fn text(file: &mut KeptFile) -> Option<&str> {
    std::str::from_utf8(file.read().ok()?.trim_ascii()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collector::testing::{collect, tree};

    const CPU: &str = "sys/devices/system/cpu";

    #[test]
    fn a_cpu_that_is_off_and_a_value_that_the_driver_does_not_know_are_left_out() {
        let folder = tree(&[
            (&format!("{CPU}/offline"), "1\n"),
            (&format!("{CPU}/cpu0/cpufreq/scaling_cur_freq"), "1700000\n"),
            (&format!("{CPU}/cpu0/cpufreq/cpuinfo_avg_freq"), "<unknown>\n"),
            (&format!("{CPU}/cpu1/cpufreq/scaling_cur_freq"), "1700000\n"),
        ]);
        let (samples, result) = collect(&SPEC, folder.path(), &[]);
        assert_eq!(samples, ["node_cpu_scaling_frequency_hertz{cpu=\"0\"} 1.7e+09"]);
        assert!(result.is_ok());
    }

    #[test]
    fn cpus_of_one_policy_each_have_its_values() {
        let folder = tree(&[(&format!("{CPU}/cpufreq/policy0/scaling_max_freq"), "2000000\n")]);
        for cpu in ["cpu0", "cpu3"] {
            let path = folder.path().join(CPU).join(cpu);
            std::fs::create_dir(&path).unwrap();
            std::os::unix::fs::symlink("../cpufreq/policy0", path.join("cpufreq")).unwrap();
        }
        let (samples, _) = collect(&SPEC, folder.path(), &[]);
        assert_eq!(
            samples,
            [
                "node_cpu_scaling_frequency_max_hertz{cpu=\"0\"} 2e+09",
                "node_cpu_scaling_frequency_max_hertz{cpu=\"3\"} 2e+09"
            ]
        );
    }

    #[test]
    fn a_machine_without_scaling_has_no_samples_and_no_error() {
        let (samples, result) = collect(&SPEC, tree(&[]).path(), &[]);
        assert!(samples.is_empty());
        assert!(result.is_ok());
    }
}
