//! `node_pressure_*`: how long tasks waited for CPU, memory and devices, from `/proc/pressure`
//! (Documentation/accounting/psi.rst).

use std::io;

use exporter_toolkit::{Counter, Exposition};

use super::{CollectError, Collector, Spec};
use crate::host::KeptFile;

static CPU_WAITING: Counter<0> = Counter::new(
    "node_pressure_cpu_waiting_seconds_total",
    "Time in which at least one task waited for a CPU.",
    [],
);
static IO_WAITING: Counter<0> = Counter::new(
    "node_pressure_io_waiting_seconds_total",
    "Time in which at least one task waited for a block device.",
    [],
);
static IO_STALLED: Counter<0> = Counter::new(
    "node_pressure_io_stalled_seconds_total",
    "Time in which nothing ran because every task with work to do waited for a block device.",
    [],
);
static MEMORY_WAITING: Counter<0> = Counter::new(
    "node_pressure_memory_waiting_seconds_total",
    "Time in which at least one task waited for memory to be freed or paged in.",
    [],
);
static MEMORY_STALLED: Counter<0> = Counter::new(
    "node_pressure_memory_stalled_seconds_total",
    "Time in which nothing ran because every task with work to do waited for memory.",
    [],
);
static IRQ_STALLED: Counter<0> = Counter::new(
    "node_pressure_irq_stalled_seconds_total",
    "Time in which every task with work to do stood still because its CPU served interrupts.",
    [],
);

pub static SPEC: Spec = Spec {
    name: "pressure",
    enabled: true,
    about: "Pressure stall information, from /proc/pressure (Linux 4.20 and later).",
    flags: &[],
    families: &[
        &CPU_WAITING,
        &IO_WAITING,
        &IO_STALLED,
        &MEMORY_WAITING,
        &MEMORY_STALLED,
        &IRQ_STALLED,
    ],
    build: |setup| {
        let files = RESOURCES.map(|resource| setup.host.keep_proc(resource.file));
        Ok(Box::new(Pressure { files }))
    },
};

/// A file, and the families of its lines `some` (tasks waited) and `full` (nothing ran).
struct Resource {
    file: &'static str,
    some: Option<&'static Counter<0>>,
    full: Option<&'static Counter<0>>,
}

/// The CPUs' `full` is 0 for the whole host by definition, and interrupts have no `some`.
const RESOURCES: [Resource; 4] = [
    Resource { file: "pressure/cpu", some: Some(&CPU_WAITING), full: None },
    Resource { file: "pressure/io", some: Some(&IO_WAITING), full: Some(&IO_STALLED) },
    Resource { file: "pressure/memory", some: Some(&MEMORY_WAITING), full: Some(&MEMORY_STALLED) },
    Resource { file: "pressure/irq", some: None, full: Some(&IRQ_STALLED) },
];

struct Pressure {
    files: [KeptFile; 4],
}

impl Collector for Pressure {
    fn collect(&mut self, out: &mut Exposition) -> Result<(), CollectError> {
        let mut found = false;
        for (resource, file) in RESOURCES.iter().zip(&mut self.files) {
            let text = match file.read_if_there() {
                Ok(Some(text)) => text,
                Ok(None) => continue,
                Err(CollectError::Read { source, .. }) if is_off(&source) => {
                    return Err(CollectError::NoData(
                        "pressure stall information is off: boot with psi=1",
                    ));
                }
                Err(error) => return Err(error),
            };
            found = true;
            for (word, family) in [("some", resource.some), ("full", resource.full)] {
                if let Some(family) = family
                    && let Some(line) = text.as_str().lines().find(|line| line.starts_with(word))
                {
                    let seconds = total(line).ok_or_else(|| text.wrong("no total", line))?;
                    out.family(family).sample((), seconds);
                }
            }
        }
        if found {
            return Ok(());
        }
        Err(CollectError::NoData("no /proc/pressure: needs Linux 4.20 built with CONFIG_PSI"))
    }
}

/// A kernel that could count but was not told to answers with `EOPNOTSUPP`.
fn is_off(error: &io::Error) -> bool {
    error.raw_os_error() == Some(rustix::io::Errno::OPNOTSUPP.raw_os_error())
}

/// The last column, `total=MICROSECONDS`, in seconds.
fn total(line: &str) -> Option<f64> {
    let (_, digits) = line.rsplit_once(" total=")?;
    let microseconds: u64 = digits.parse().ok()?;
    // In two steps, as the peer does: one division rounds differently in the last digit.
    Some(microseconds as f64 / 1000.0 / 1000.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collector::testing::{collect, tree};

    const LINE: &str = "avg10=0.18 avg60=0.34 avg300=0.10 total=1500000\n";

    #[test]
    fn a_kernel_without_interrupt_pressure_gives_the_rest() {
        let folder = tree(&[
            ("proc/pressure/cpu", &format!("some {LINE}full {LINE}")),
            ("proc/pressure/memory", &format!("some {LINE}")),
        ]);
        let (samples, result) = collect(&SPEC, folder.path(), &[]);
        assert_eq!(
            samples,
            [
                "node_pressure_cpu_waiting_seconds_total 1.5",
                "node_pressure_memory_waiting_seconds_total 1.5"
            ]
        );
        assert!(result.is_ok());
    }

    #[test]
    fn a_kernel_without_any_says_what_it_needs() {
        let (samples, result) = collect(&SPEC, tree(&[]).path(), &[]);
        assert!(samples.is_empty());
        assert!(result.unwrap_err().to_string().contains("CONFIG_PSI"));
    }

    #[test]
    fn a_line_without_a_total_is_refused() {
        assert_eq!(total("some avg10=0.00 total=1500000"), Some(1.5));
        assert_eq!(total("some avg10=0.00 total="), None);
        assert_eq!(total("some"), None);
    }
}
