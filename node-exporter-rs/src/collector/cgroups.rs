//! `node_cgroups_*`: control groups by controller, from `/proc/cgroups` (cgroups(7)).

use exporter_toolkit::{Exposition, Gauge};

use super::{CollectError, Collector, Spec};
use crate::host::KeptFile;

static CGROUPS: Gauge<1> = Gauge::new(
    "node_cgroups_cgroups",
    "Control groups in the hierarchy that the controller is attached to.",
    ["subsys_name"],
);
static ENABLED: Gauge<1> = Gauge::new(
    "node_cgroups_enabled",
    "1 for a controller that can be used, 0 for one that was switched off at boot (cgroup_disable).",
    ["subsys_name"],
);

pub static SPEC: Spec = Spec {
    name: "cgroups",
    enabled: false,
    about: "Control groups by controller, from /proc/cgroups.",
    flags: &[],
    families: &[&CGROUPS, &ENABLED],
    build: |setup| {
        let file = setup.host.keep_proc("cgroups").with_one_record();
        Ok(Box::new(Cgroups { file }))
    },
};

struct Cgroups {
    file: KeptFile,
}

impl Collector for Cgroups {
    fn collect(&mut self, out: &mut Exposition) -> Result<(), CollectError> {
        let text = self.file.read_str()?;
        let mut controllers = Vec::new();
        for line in text.as_str().lines().filter(|line| !line.starts_with('#')) {
            controllers.push(parse(line).ok_or_else(|| {
                text.wrong("a controller, its hierarchy and two numbers expected", line)
            })?);
        }
        let mut cgroups = out.family(&CGROUPS);
        for (name, count, _) in &controllers {
            cgroups.sample(*name, *count);
        }
        let mut enabled = out.family(&ENABLED);
        for (name, _, on) in &controllers {
            enabled.sample(*name, *on);
        }
        Ok(())
    }
}

/// `memory 4 16 1`: the controller, its hierarchy, how many groups that has, and whether it is enabled.
fn parse(line: &str) -> Option<(&str, u64, u64)> {
    let mut columns = line.split_ascii_whitespace();
    let name = columns.next()?;
    let mut numbers = columns.skip(1).map_while(|column| column.parse().ok());
    Some((name, numbers.next()?, numbers.next()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collector::testing::{collect, tree};

    #[test]
    fn a_short_line_is_named() {
        let folder = tree(&[("proc/cgroups", "#subsys_name\ncpu\t1\t2\n")]);
        let (samples, result) = collect(&SPEC, folder.path(), &[]);
        assert!(samples.is_empty());
        let error = result.unwrap_err().to_string();
        assert!(error.contains("proc/cgroups: a controller") && error.contains("cpu"), "{error}");
    }

    #[test]
    fn a_kernel_without_control_groups_has_no_data() {
        assert!(collect(&SPEC, tree(&[]).path(), &[]).1.unwrap_err().is_no_data());
    }
}
