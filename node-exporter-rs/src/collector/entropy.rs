//! `node_entropy_*`: the random number generator's state, from `/proc/sys/kernel/random`.

use exporter_toolkit::{Exposition, Gauge};

use super::{CollectError, Collector, Spec};
use crate::host::KeptFile;

static AVAILABLE: Gauge<0> = Gauge::new(
    "node_entropy_available_bits",
    "Bits of entropy that the kernel's random number generator holds; 256 at all times since Linux 5.18.",
    [],
);
static POOL: Gauge<0> = Gauge::new(
    "node_entropy_pool_size_bits",
    "Bits of entropy that the random number generator can hold.",
    [],
);

pub static SPEC: Spec = Spec {
    name: "entropy",
    enabled: true,
    about: "Entropy at hand, from /proc/sys/kernel/random.",
    flags: &[],
    families: &[&AVAILABLE, &POOL],
    build: |setup| {
        Ok(Box::new(Entropy {
            available: setup.host.keep_proc("sys/kernel/random/entropy_avail"),
            pool: setup.host.keep_proc("sys/kernel/random/poolsize"),
        }))
    },
};

struct Entropy {
    available: KeptFile,
    pool: KeptFile,
}

impl Collector for Entropy {
    fn collect(&mut self, out: &mut Exposition) -> Result<(), CollectError> {
        out.family(&AVAILABLE).sample((), bits(&mut self.available)?);
        out.family(&POOL).sample((), bits(&mut self.pool)?);
        Ok(())
    }
}

fn bits(file: &mut KeptFile) -> Result<u64, CollectError> {
    let text = file.read_str()?;
    text.trim_ascii().parse().map_err(|_| text.wrong("no count of bits", &text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collector::testing::{collect, tree};

    #[test]
    fn a_missing_pool_size_costs_only_its_own_sample() {
        let folder = tree(&[("proc/sys/kernel/random/entropy_avail", "256\n")]);
        let (samples, result) = collect(&SPEC, folder.path(), &[]);
        assert_eq!(samples, ["node_entropy_available_bits 256"]);
        assert!(result.unwrap_err().is_no_data());
    }

    #[test]
    fn what_is_no_number_is_named() {
        let folder = tree(&[("proc/sys/kernel/random/entropy_avail", "much")]);
        let error = collect(&SPEC, folder.path(), &[]).1.unwrap_err().to_string();
        assert!(error.ends_with("entropy_avail: no count of bits: \"much\""), "{error}");
    }
}
