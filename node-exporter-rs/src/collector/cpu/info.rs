//! `node_cpu_info` and its neighbours: what the CPUs are, from `/proc/cpuinfo`.

use crate::pattern::Pattern;
use exporter_toolkit::{Exposition, Gauge};

use crate::collector::CollectError;
use crate::host::{Host, KeptFile};

pub(super) static INFO: Gauge<10> = Gauge::new(
    "node_cpu_info",
    "Always 1: where a CPU sits, and its vendor, model, microcode and cache.",
    [
        "package",
        "core",
        "cpu",
        "vendor",
        "family",
        "model",
        "model_name",
        "microcode",
        "stepping",
        "cachesize",
    ],
);
/// The collector `cpufreq` has a family of this name too, with the label `cpu` alone.
pub(super) static FREQUENCY: Gauge<3> =
    Gauge::new("node_cpu_frequency_hertz", "Clock rate of a CPU now.", ["package", "core", "cpu"]);
pub(super) static FLAG: Gauge<1> = Gauge::new(
    "node_cpu_flag_info",
    "Always 1: a feature of the first CPU that --collector.cpu.info.flags-include asks for.",
    ["flag"],
);
pub(super) static BUG: Gauge<1> = Gauge::new(
    "node_cpu_bug_info",
    "Always 1: a hardware bug of the first CPU that --collector.cpu.info.bugs-include asks for.",
    ["bug"],
);

/// What of the file is wanted besides [`INFO`].
pub(super) struct Wanted {
    pub(super) frequency: bool,
    pub(super) flags: Option<Pattern>,
    pub(super) bugs: Option<Pattern>,
}

pub(super) struct Reader {
    file: KeptFile,
    wanted: Wanted,
}

impl Reader {
    pub(super) fn new(host: &Host, wanted: Wanted) -> Self {
        Self { file: host.keep_proc("cpuinfo"), wanted }
    }

    pub(super) fn collect(&mut self, out: &mut Exposition) -> Result<(), CollectError> {
        // A model's name is what the firmware or a hypervisor wrote, in any bytes.
        let text = String::from_utf8_lossy(self.file.read()?);
        let mut cpus = parse(&text);
        cpus.sort_by_key(|cpu| cpu.number);
        cpus.dedup_by_key(|cpu| cpu.number);
        let mut info = out.family(&INFO);
        for cpu in &cpus {
            let number = cpu.number.to_string();
            info.sample(&cpu.labels(&number), 1_u8);
        }
        if self.wanted.frequency {
            let mut frequency = out.family(&FREQUENCY);
            for cpu in &cpus {
                let hertz = cpu.megahertz.map(|megahertz| megahertz * 1e6);
                frequency.maybe((cpu.package, cpu.core, cpu.number), hertz);
            }
        }
        if let Some(first) = cpus.first() {
            words(out, &FLAG, first.flags, self.wanted.flags.as_ref());
            words(out, &BUG, first.bugs, self.wanted.bugs.as_ref());
        }
        Ok(())
    }
}

/// One sample for each word that is wanted.
fn words(out: &mut Exposition, family: &'static Gauge<1>, text: &str, wanted: Option<&Pattern>) {
    let Some(pattern) = wanted else { return };
    let mut words: Vec<&str> =
        text.split_ascii_whitespace().filter(|word| pattern.is_match(word)).collect();
    words.sort_unstable();
    words.dedup();
    let mut samples = out.family(family);
    for word in words {
        samples.sample(word, 1_u8);
    }
}

/// One CPU's paragraph. What an architecture does not tell is empty.
#[derive(Debug, Default, PartialEq)]
struct Info<'a> {
    number: u32,
    package: &'a str,
    core: &'a str,
    vendor: &'a str,
    family: &'a str,
    model: &'a str,
    model_name: &'a str,
    microcode: &'a str,
    stepping: &'a str,
    cache: &'a str,
    megahertz: Option<f64>,
    flags: &'a str,
    bugs: &'a str,
}

impl<'a> Info<'a> {
    fn set(&mut self, key: &str, value: &'a str) {
        match key {
            "physical id" => self.package = value,
            "core id" => self.core = value,
            "vendor_id" | "vendor" => self.vendor = value,
            "cpu family" => self.family = value,
            "model" => self.model = value,
            "model name" => self.model_name = value,
            "microcode" => self.microcode = value,
            "stepping" => self.stepping = value,
            "cache size" => self.cache = value,
            "cpu MHz" => self.megahertz = value.parse().ok(),
            "flags" | "Features" => self.flags = value,
            "bugs" => self.bugs = value,
            _ => {}
        }
    }

    /// In the order of [`INFO`].
    fn labels(&self, number: &'a str) -> [&'a str; 10] {
        [
            self.package,
            self.core,
            number,
            self.vendor,
            self.family,
            self.model,
            self.model_name,
            self.microcode,
            self.stepping,
            self.cache,
        ]
    }
}

/// Paragraphs that begin with `processor : N`, as x86, Arm and RISC-V print them.
fn parse(text: &str) -> Vec<Info<'_>> {
    let mut cpus = Vec::new();
    for line in text.lines() {
        let Some((key, value)) = line.split_once(':') else { continue };
        let (key, value) = (key.trim_ascii(), value.trim_ascii());
        match value.parse() {
            Ok(number) if key == "processor" => cpus.push(Info { number, ..Info::default() }),
            _ => {
                if let Some(cpu) = cpus.last_mut() {
                    cpu.set(key, value);
                }
            }
        }
    }
    cpus
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_arm_machine_has_features_and_no_clock_rate() {
        let text = "processor\t: 1\nBogoMIPS\t: 50.00\nFeatures\t: fp asimd\nCPU part\t: 0xd0c\n";
        let expected = Info { number: 1, flags: "fp asimd", ..Info::default() };
        assert_eq!(parse(text), [expected]);
    }

    #[test]
    fn a_line_before_the_first_cpu_is_passed_over() {
        assert_eq!(parse("model name\t: x\nHardware\n"), []);
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(text in "((processor|cpu MHz|flags)?[\\t ]*:?\\PC{0,8}\\n){0,6}") {
            let _cpus = parse(&text);
        }
    }
}
