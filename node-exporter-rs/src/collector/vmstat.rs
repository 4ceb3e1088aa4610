//! `node_vmstat_*`: counts of the memory management, from `/proc/vmstat` (mm/vmstat.c).
//!
//! Names vary from kernel to kernel, so they are passed on as they are; the flag says which ones.

use crate::pattern::Pattern;
use exporter_toolkit::name::MetricName;
use exporter_toolkit::{Exposition, Kind, Untyped};

use super::{CollectError, Collector, Spec};
use crate::flags::Flag;
use crate::host::KeptFile;

static OOM_KILL: Untyped<0> =
    Untyped::new("node_vmstat_oom_kill", "Processes that were killed because memory ran out.", []);
static PGFAULT: Untyped<0> =
    Untyped::new("node_vmstat_pgfault", "Page faults, of which most are answered from memory.", []);
static PGMAJFAULT: Untyped<0> = Untyped::new(
    "node_vmstat_pgmajfault",
    "Page faults that had to wait for a device to read the page.",
    [],
);
static PGPGIN: Untyped<0> =
    Untyped::new("node_vmstat_pgpgin", "KiB read from block devices, swap included.", []);
static PGPGOUT: Untyped<0> =
    Untyped::new("node_vmstat_pgpgout", "KiB written to block devices, swap included.", []);
static PSWPIN: Untyped<0> = Untyped::new("node_vmstat_pswpin", "Pages read from swap.", []);
static PSWPOUT: Untyped<0> = Untyped::new("node_vmstat_pswpout", "Pages written to swap.", []);

static FIELDS: Flag<Pattern> = Flag::new(
    "collector.vmstat.fields",
    "^(oom_kill|pgpg|pswp|pg.*fault).*",
    "Fields of /proc/vmstat to give, as a regular expression.",
);

pub static SPEC: Spec = Spec {
    name: "vmstat",
    enabled: true,
    about: "Paging, swapping and page faults, from /proc/vmstat.",
    flags: &[&FIELDS],
    families: &[&OOM_KILL, &PGFAULT, &PGMAJFAULT, &PGPGIN, &PGPGOUT, &PSWPIN, &PSWPOUT],
    build: |setup| {
        let pattern = setup.flags.get(&FIELDS)?;
        Ok(Box::new(Vmstat { file: setup.host.keep_proc("vmstat"), pattern, fields: Vec::new() }))
    },
};

/// The fields that have a family of their own.
static KNOWN: [(&str, &Untyped<0>); 7] = [
    ("oom_kill", &OOM_KILL),
    ("pgfault", &PGFAULT),
    ("pgmajfault", &PGMAJFAULT),
    ("pgpgin", &PGPGIN),
    ("pgpgout", &PGPGOUT),
    ("pswpin", &PSWPIN),
    ("pswpout", &PSWPOUT),
];

struct Vmstat {
    file: KeptFile,
    pattern: Pattern,
    /// What was decided about the field of each line, as its name and order do not change while a kernel runs.
    fields: Vec<Field>,
}

struct Field {
    name: String,
    family: FamilyOf,
}

enum FamilyOf {
    Unwanted,
    Known(&'static Untyped<0>),
    Other(MetricName),
}

impl Collector for Vmstat {
    fn collect(&mut self, out: &mut Exposition) -> Result<(), CollectError> {
        let text = self.file.read_str()?;
        for (number, line) in text.as_str().lines().enumerate() {
            let (name, value) =
                line.split_once(' ').ok_or_else(|| text.wrong("name and count expected", line))?;
            if self.fields.get(number).is_none_or(|field| field.name != name) {
                self.fields.truncate(number);
                let field = Field::new(name, &self.pattern, &self.fields);
                self.fields.push(field);
            }
            let family = &self.fields[number].family;
            if matches!(family, FamilyOf::Unwanted) {
                continue;
            }
            let value: u64 =
                value.trim_ascii().parse().map_err(|_| text.wrong("no count", line))?;
            match family {
                FamilyOf::Unwanted => {}
                FamilyOf::Known(family) => out.family(family).sample((), value),
                FamilyOf::Other(metric) => {
                    let help = format_args!("The field {name} of /proc/vmstat.");
                    out.dynamic(metric, Kind::Untyped, help).plain(value);
                }
            }
        }
        // The kernel adds up all counts of all CPUs again for each page of the file, of which the last has little.
        let last = self.fields.iter().rposition(Field::is_wanted);
        self.file.want_lines(last.map(|number| number + 1));
        Ok(())
    }
}

impl Field {
    /// A field is unwanted where the pattern does not match its name, or where an earlier line has the name already.
    fn new(name: &str, pattern: &Pattern, earlier: &[Self]) -> Self {
        let again = earlier.iter().any(|field| field.name == name);
        let known = KNOWN.iter().find(|(field, _)| *field == name);
        let family = match known {
            _ if again || !pattern.is_match(name) => FamilyOf::Unwanted,
            Some((_, family)) => FamilyOf::Known(family),
            None => FamilyOf::Other(MetricName::sanitize(&["node_vmstat_", name])),
        };
        Self { name: name.to_owned(), family }
    }

    fn is_wanted(&self) -> bool {
        !matches!(self.family, FamilyOf::Unwanted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collector::testing::{collect, tree};

    const FILE: &str = "nr_free_pages x\npgpgin 1\npgfault 2\npgpgin 3\npgalloc_dma 4\n";

    #[test]
    fn only_the_fields_asked_for_are_read() {
        let (samples, result) = collect(&SPEC, tree(&[("proc/vmstat", FILE)]).path(), &[]);
        assert_eq!(samples, ["node_vmstat_pgpgin 1", "node_vmstat_pgfault 2"]);
        assert!(result.is_ok());
        let flags = [("collector.vmstat.fields", "alloc")];
        let (samples, _) = collect(&SPEC, tree(&[("proc/vmstat", FILE)]).path(), &flags);
        assert_eq!(samples, ["node_vmstat_pgalloc_dma 4"]);
        let (_, result) = collect(
            &SPEC,
            tree(&[("proc/vmstat", FILE)]).path(),
            &[("collector.vmstat.fields", "")],
        );
        assert!(result.unwrap_err().to_string().contains("no count: \"nr_free_pages x\""));
    }

    #[test]
    fn a_line_that_comes_or_goes_moves_no_count_to_another_name() {
        let folder = tree(&[("proc/vmstat", "pgpgin 1\npswpin 2\noom_kill 3\n")]);
        let setup = crate::collector::Setup {
            host: crate::host::Host::below(folder.path()),
            ..Default::default()
        };
        let mut collector = (SPEC.build)(&setup).unwrap();
        let mut text = |content: &str| {
            std::fs::write(folder.path().join("proc/vmstat"), content).unwrap();
            let mut out = Exposition::new(exporter_toolkit::Format::Text);
            collector.collect(&mut out).unwrap();
            String::from_utf8(out.text().to_vec()).unwrap()
        };
        assert!(text("pgpgin 1\npswpin 2\noom_kill 3\n").contains("\nnode_vmstat_oom_kill 3\n"));
        let shorter = text("pgpgin 1\noom_kill 4\n");
        assert!(shorter.ends_with("\nnode_vmstat_oom_kill 4\n"), "{shorter}");
        assert!(text("pgpgin 1\npswpin 2\noom_kill 5\n").contains("\nnode_vmstat_pswpin 2\n"));
    }
}
