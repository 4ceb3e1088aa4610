//! `node_cpu_vulnerabilities_info`: which flaws of processors concern this one and what the kernel does about them, from
//! `/sys/devices/system/cpu/vulnerabilities` (Documentation/admin-guide/hw-vuln).

use exporter_toolkit::{Exposition, Gauge};

use super::sysclass::{Attribute, text};
use super::{CollectError, Collector, Spec};
use crate::host::{Host, names};

static INFO: Gauge<3> = Gauge::new(
    "node_cpu_vulnerabilities_info",
    "Always 1: how the processor stands to a known flaw, and what is done about it.",
    ["codename", "state", "mitigation"],
);

const FOLDER: &str = "devices/system/cpu/vulnerabilities";

pub static SPEC: Spec = Spec {
    name: "cpu_vulnerabilities",
    enabled: false,
    about: "Known flaws of the processor and their mitigations, from /sys/devices/system/cpu/vulnerabilities.",
    flags: &[],
    families: &[&INFO],
    build: |setup| Ok(Box::new(CpuVulnerabilities { host: setup.host.clone(), files: Vec::new() })),
};

struct CpuVulnerabilities {
    host: Host,
    /// The flaws that the kernel knows, which are the same as long as it runs; empty before the first scrape.
    files: Vec<(String, Attribute)>,
}

impl Collector for CpuVulnerabilities {
    fn collect(&mut self, out: &mut Exposition) -> Result<(), CollectError> {
        if self.files.is_empty() {
            self.files = self.list()?;
        }
        let mut info = out.family(&INFO);
        for (name, file) in &mut self.files {
            if let Ok(status) = file.read(text) {
                let (state, mitigation) = judge(&status);
                info.sample((&*name, state, mitigation), 1_u8);
            }
        }
        Ok(())
    }
}

impl CpuVulnerabilities {
    /// A kernel without the folder knows of no flaw, which is no failure.
    fn list(&self) -> Result<Vec<(String, Attribute)>, CollectError> {
        let folder = self.host.sys(FOLDER);
        let names = match names(&folder) {
            Err(error) if error.is_no_data() => return Ok(Vec::new()),
            names => names?,
        };
        let open = |name: String| {
            let file = Attribute::new(&self.host, folder.join(&name));
            (name, file)
        };
        Ok(names.into_iter().map(open).collect())
    }
}

/// What the kernel says first decides, in whatever case; the words after it are the mitigation. A status that starts
/// otherwise, as `KVM: Mitigation: VMX disabled`, is passed on as it is.
fn judge(status: &str) -> (&'static str, String) {
    let starts =
        |word: &str| status.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word));
    let rest = || status.split_whitespace().skip(1).collect::<Vec<_>>().join(" ");
    match ["vulnerable", "mitigation", "unknown"].into_iter().find(|word| starts(word)) {
        _ if starts("not affected") => ("not affected", String::new()),
        Some(state) => (state, rest()),
        None => ("unknown", status.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collector::testing::{collect, tree};

    #[test]
    fn the_first_word_is_the_state_and_the_rest_the_mitigation() {
        let owned = |(state, rest): (&'static str, String)| format!("{state}|{rest}");
        assert_eq!(owned(judge("Not affected")), "not affected|");
        assert_eq!(owned(judge("Vulnerable")), "vulnerable|");
        assert_eq!(owned(judge("Vulnerable: No microcode")), "vulnerable|No microcode");
        assert_eq!(owned(judge("Mitigation:  PTI;  a")), "mitigation|PTI; a");
        assert_eq!(owned(judge("Unknown: No mitigations")), "unknown|No mitigations");
        assert_eq!(owned(judge("KVM: Vulnerable")), "unknown|KVM: Vulnerable");
        assert_eq!(owned(judge("")), "unknown|");
        assert_eq!(owned(judge("vulnérable")), "unknown|vulnérable");
    }

    #[test]
    fn a_kernel_that_knows_no_flaw_gives_no_sample_and_does_not_fail() {
        let (samples, result) = collect(&SPEC, tree(&[]).path(), &[]);
        assert!(samples.is_empty() && result.is_ok());
    }
}
