//! `node_softirqs_functions_total`: deferred interrupt work by kind and CPU, from `/proc/softirqs`.

use exporter_toolkit::{Counter, Exposition};

use super::interrupts::cpus;
use super::{CollectError, Collector, Spec};
use crate::host::KeptFile;

static SOFTIRQS: Counter<2> = Counter::new(
    "node_softirqs_functions_total",
    "How often each CPU ran the handler of each kind of deferred interrupt work.",
    ["cpu", "type"],
);

pub static SPEC: Spec = Spec {
    name: "softirqs",
    enabled: false,
    about: "Deferred interrupt work by kind and CPU, from /proc/softirqs.",
    flags: &[],
    families: &[&SOFTIRQS],
    build: |setup| {
        let file = setup.host.keep_proc("softirqs").with_one_record();
        Ok(Box::new(Softirqs { file }))
    },
};

struct Softirqs {
    file: KeptFile,
}

impl Collector for Softirqs {
    fn collect(&mut self, out: &mut Exposition) -> Result<(), CollectError> {
        let text = self.file.read_str()?;
        let mut lines = text.as_str().lines();
        let header = lines.next().unwrap_or_default();
        let cpus = cpus(header).ok_or_else(|| text.wrong("a column for each CPU", header))?;
        let mut samples = out.family(&SOFTIRQS);
        for line in lines {
            let (kind, counts) =
                line.split_once(':').ok_or_else(|| text.wrong("no kind with a colon", line))?;
            for (cpu, count) in cpus.iter().zip(counts.split_ascii_whitespace()) {
                let count: u64 = count.parse().map_err(|_| text.wrong("no count", line))?;
                samples.sample((cpu, kind.trim_start()), count);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collector::testing::{collect, tree};

    #[test]
    fn what_is_malformed_is_named() {
        for (text, problem) in [
            ("CPU0 1", "a column for each CPU"),
            ("CPU0\nHI 1\n", "no kind with a colon"),
            ("CPU0\nHI: x\n", "no count"),
        ] {
            let (_, result) = collect(&SPEC, tree(&[("proc/softirqs", text)]).path(), &[]);
            let error = result.unwrap_err().to_string();
            assert!(error.contains(problem), "{text}: {error}");
        }
    }
}
