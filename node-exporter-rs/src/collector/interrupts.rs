//! `node_interrupts_total`: interrupts by source and CPU, from `/proc/interrupts`.

use exporter_toolkit::{Counter, Exposition};

use super::{CollectError, Collector, Spec};
use crate::filter::{Filter, PatternFlag};
use crate::flags::Flag;
use crate::host::KeptFile;

static INTERRUPTS: Counter<4> = Counter::new(
    "node_interrupts_total",
    "Interrupts that each CPU served, by their number or name.",
    ["cpu", "type", "info", "devices"],
);

static INCLUDE: PatternFlag = Flag::new(
    "collector.interrupts.name-include",
    "",
    "Regular expression of interrupts to show, matched against type;info;devices.",
);
static EXCLUDE: PatternFlag = Flag::new(
    "collector.interrupts.name-exclude",
    "",
    "Regular expression of interrupts to leave out, matched against type;info;devices.",
);
static ZEROS: Flag<bool> = Flag::new(
    "collector.interrupts.include-zeros",
    "true",
    "Show interrupts that a CPU never served.",
);

pub static SPEC: Spec = Spec {
    name: "interrupts",
    enabled: false,
    about: "Interrupts by source and CPU, from /proc/interrupts.",
    flags: &[&INCLUDE, &EXCLUDE, &ZEROS],
    families: &[&INTERRUPTS],
    build: |setup| {
        Ok(Box::new(Interrupts {
            file: setup.host.keep_proc("interrupts").with_long_records(),
            filter: Filter::from_both_flags(&setup.flags, &INCLUDE, &EXCLUDE)?,
            zeros: setup.flags.get(&ZEROS)?,
        }))
    },
};

struct Interrupts {
    file: KeptFile,
    filter: Filter,
    zeros: bool,
}

impl Collector for Interrupts {
    fn collect(&mut self, out: &mut Exposition) -> Result<(), CollectError> {
        let text = self.file.read_str()?;
        let mut lines = text.as_str().lines();
        let header = lines.next().unwrap_or_default();
        let cpus = cpus(header).ok_or_else(|| text.wrong("a column for each CPU", header))?;
        let mut samples = out.family(&INTERRUPTS);
        for line in lines.filter(|line| is_described(line, cpus.len())) {
            let source = Source::parse(line, cpus.len())
                .ok_or_else(|| text.wrong("a count for each CPU expected", line))?;
            let Source { name, counts, info, devices } = &source;
            if self.filter.ignores(&format!("{name};{info};{devices}")) {
                continue;
            }
            for (cpu, count) in cpus.iter().zip(counts) {
                if self.zeros || *count > 0 {
                    samples.sample((cpu, *name, info, devices), *count);
                }
            }
        }
        Ok(())
    }
}

/// The CPUs of a header `CPU0 CPU1 …`: those that are switched off have no column here.
pub(super) fn cpus(header: &str) -> Option<Vec<u32>> {
    header.split_ascii_whitespace().map(|name| name.strip_prefix("CPU")?.parse().ok()).collect()
}

/// False for `ERR` and `MIS`, which count for the whole host.
fn is_described(line: &str, cpus: usize) -> bool {
    line.split_once(':').is_some_and(|(_, rest)| rest.split_ascii_whitespace().nth(cpus).is_some())
}

/// One line: `36:  0  766995  PCI-MSIX-0000:00:02.0  1-edge  virtio1-req.0` (`show_interrupts` of kernel/irq/proc.c).
struct Source<'a> {
    name: &'a str,
    counts: Vec<u64>,
    info: String,
    devices: String,
}

impl<'a> Source<'a> {
    /// What has a number has a controller and devices, what has a name has a description. On aarch64 no blank need stand
    /// between the colon and the first count.
    fn parse(line: &'a str, cpus: usize) -> Option<Self> {
        let (name, rest) = line.split_once(':')?;
        let name = name.trim_start();
        let mut words = rest.split_ascii_whitespace();
        let counts: Option<_> = words.by_ref().take(cpus).map(|count| count.parse().ok()).collect();
        let words: Vec<&str> = words.collect();
        let numbered = name.parse::<i64>().is_ok();
        let (info, devices) =
            words.split_at(if numbered { 1.min(words.len()) } else { words.len() });
        Some(Self { name, counts: counts?, info: info.join(" "), devices: devices.join(" ") })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collector::testing::{collect, tree};
    use proptest::prelude::*;

    const FILE: (&str, &str) = (
        "proc/interrupts",
        "      CPU0  CPU2\n  8:  1  0  IO-APIC   8-edge  rtc0\nLOC:  7  9   Local timer interrupts\nERR:  3\n",
    );

    fn series(flags: &[(&str, &str)]) -> Vec<String> {
        let (samples, result) = collect(&SPEC, tree(&[FILE]).path(), flags);
        assert!(result.is_ok(), "{result:?}");
        samples.iter().map(|line| line.replace("node_interrupts_total", "")).collect()
    }

    const LOC: [&str; 2] = [
        "{cpu=\"0\",type=\"LOC\",info=\"Local timer interrupts\",devices=\"\"} 7",
        "{cpu=\"2\",type=\"LOC\",info=\"Local timer interrupts\",devices=\"\"} 9",
    ];
    const RTC: [&str; 2] = [
        "{cpu=\"0\",type=\"8\",info=\"IO-APIC\",devices=\"8-edge rtc0\"} 1",
        "{cpu=\"2\",type=\"8\",info=\"IO-APIC\",devices=\"8-edge rtc0\"} 0",
    ];

    #[test]
    fn a_count_belongs_to_the_cpu_above_it() {
        assert_eq!(series(&[]), [RTC, LOC].concat());
    }

    #[test]
    fn zeros_and_names_can_be_left_out() {
        let zeros = ("collector.interrupts.include-zeros", "false");
        assert_eq!(series(&[zeros]), [&RTC[..1], &LOC].concat());
        assert_eq!(series(&[("collector.interrupts.name-exclude", ";.*rtc")]), LOC);
        assert_eq!(series(&[("collector.interrupts.name-include", "^8;IO-APIC;")]), RTC);
    }

    #[test]
    fn no_blank_need_stand_behind_the_colon() {
        let source = Source::parse("IPI0:12345 6 Rescheduling interrupts", 2).unwrap();
        assert_eq!((source.name, source.counts), ("IPI0", vec![12345, 6]));
    }

    #[test]
    fn what_is_malformed_is_named() {
        for text in ["  CPUx\n", "CPU0 CPU1\n 1: 2 x IO-APIC\n"] {
            let (_, result) = collect(&SPEC, tree(&[("proc/interrupts", text)]).path(), &[]);
            assert!(result.unwrap_err().to_string().contains("proc/interrupts: a c"));
        }
    }

    proptest! {
        #[test]
        fn no_line_makes_it_panic(line in "[ 0-9A-Z]{0,5}:?\\PC{0,40}", cpus in 0_usize..4) {
            let _source = is_described(&line, cpus).then(|| Source::parse(&line, cpus).is_some());
        }
    }
}
