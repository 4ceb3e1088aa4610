//! `node_memory_*`: every field of `/proc/meminfo` (Documentation/filesystems/proc.rst, fs/proc/meminfo.c).
//!
//! A field in kB becomes `node_memory_FIELD_bytes`; one without a unit, as `HugePages_Free`, keeps its name. Fields that
//! this build does not know are passed on under their sanitised name, so that no new kernel's field is lost.

mod fields;

use exporter_toolkit::name::MetricName;
use exporter_toolkit::{Described, Exposition, Gauge, Kind};

use self::fields::{DESCRIBED, FIELDS};
use super::{CollectError, Collector, Spec};
use crate::host::KeptFile;

pub static SPEC: Spec = Spec {
    name: "meminfo",
    enabled: true,
    about: "Memory by use, from /proc/meminfo.",
    flags: &[],
    families: &DESCRIBED,
    build: |setup| {
        let file = setup.host.keep_proc("meminfo").with_one_record();
        Ok(Box::new(Meminfo { file, name: MetricName::default() }))
    },
};

struct Meminfo {
    file: KeptFile,
    /// The name of a field that is not in the table, in memory that is reused.
    name: MetricName,
}

impl Collector for Meminfo {
    fn collect(&mut self, out: &mut Exposition) -> Result<(), CollectError> {
        let text = self.file.read_str()?;
        let mut table = Table::default();
        for (number, line) in text.as_str().lines().enumerate() {
            let field = Field::parse(line).ok_or_else(|| text.wrong("no amount", line))?;
            match table.find(field.name) {
                Place::First(family) => out.family(family).sample((), field.value),
                Place::Again => {}
                Place::Unknown => {
                    let earlier = text.as_str().lines().take(number).filter_map(Field::parse);
                    if earlier.into_iter().all(|other| other.name != field.name) {
                        field.set_name(&mut self.name);
                        let help = format_args!(
                            "The field {} of /proc/meminfo, which this build knows no more about.",
                            field.name
                        );
                        out.dynamic(&self.name, Kind::Gauge, help).plain(field.value);
                    }
                }
            }
        }
        Ok(())
    }
}

/// What is known of a field, by the kernel's name for it.
pub(super) fn about(field: &str) -> Option<&'static str> {
    FIELDS.iter().find(|(name, _)| *name == field).map(|(_, family)| family.help())
}

/// One line: its name without the colon, and its value in bytes or, without a unit, in pieces.
#[derive(Debug, PartialEq)]
pub(super) struct Field<'a> {
    pub(super) name: &'a str,
    pub(super) value: u64,
    bytes: bool,
}

impl<'a> Field<'a> {
    /// `Name:   123 kB` or `Name:   123`; the kernel knows no other unit.
    pub(super) fn parse(line: &'a str) -> Option<Self> {
        let (name, rest) = line.split_once(':')?;
        let mut columns = rest.split_ascii_whitespace();
        let amount: u64 = columns.next()?.parse().ok()?;
        match columns.next() {
            None => Some(Self { name, value: amount, bytes: false }),
            Some("kB") => Some(Self { name, value: amount.checked_mul(1024)?, bytes: true }),
            Some(_) => None,
        }
    }

    /// `Active(anon)` is named `Active_anon`.
    fn set_name(&self, name: &mut MetricName) {
        let (stem, inner) = self.name.split_once('(').unwrap_or((self.name, ""));
        let join = if inner.is_empty() { "" } else { "_" };
        let suffix = if self.bytes { "_bytes" } else { "" };
        name.set(&["node_memory_", stem, join, inner.trim_end_matches(')'), suffix]);
    }
}

/// Where a field stands in the table of known ones.
enum Place {
    First(&'static Gauge<0>),
    /// Already met in this file: a family has one sample.
    Again,
    Unknown,
}

/// A walk through [`FIELDS`]: they stand in the kernel's order, so that the next field is nearly always the next entry.
#[derive(Default)]
struct Table {
    next: usize,
    met: u128,
}

const _: () = assert!(FIELDS.len() <= 128, "each field has a bit in Table::met");

impl Table {
    fn find(&mut self, name: &str) -> Place {
        let (before, after) = FIELDS.split_at(self.next);
        let ahead = after.iter().position(|(field, _)| *field == name).map(|at| self.next + at);
        let found = ahead.or_else(|| before.iter().position(|(field, _)| *field == name));
        let Some(at) = found else { return Place::Unknown };
        self.next = at + 1;
        let bit = 1 << at;
        if self.met & bit != 0 {
            return Place::Again;
        }
        self.met |= bit;
        Place::First(&FIELDS[at].1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collector::testing::{collect, tree};
    use proptest::prelude::*;

    #[test]
    fn a_field_that_is_not_known_is_passed_on() {
        let folder = tree(&[(
            "proc/meminfo",
            "MemTotal: 2 kB\nNew(part): 3 kB\nNew_Pages:  4\nNew(part): 3 kB\nMemTotal: 2 kB\n",
        )]);
        let (samples, result) = collect(&SPEC, folder.path(), &[]);
        assert_eq!(
            samples,
            [
                "node_memory_MemTotal_bytes 2048",
                "node_memory_New_part_bytes 3072",
                "node_memory_New_Pages 4"
            ]
        );
        assert!(result.is_ok());
    }

    #[test]
    fn a_field_in_another_place_is_found_all_the_same() {
        let mut table = Table::default();
        assert!(matches!(table.find("Hugepagesize"), Place::First(_)));
        assert!(matches!(table.find("MemTotal"), Place::First(family)
            if family.name() == "node_memory_MemTotal_bytes"));
        assert!(matches!(table.find("MemFree"), Place::First(_)));
        assert!(matches!(table.find("MemFree"), Place::Again));
        assert!(matches!(table.find("memfree"), Place::Unknown));
    }

    #[test]
    fn the_table_names_each_family_as_the_rule_does() {
        for (field, family) in &FIELDS {
            let bytes = !field.starts_with("HugePages_");
            let mut name = MetricName::default();
            Field { name: field, value: 0, bytes }.set_name(&mut name);
            assert_eq!(name.as_str(), family.name());
        }
    }

    #[test]
    fn an_unknown_unit_is_refused() {
        let folder = tree(&[("proc/meminfo", "MemTotal: 2 MB\n")]);
        let error = collect(&SPEC, folder.path(), &[]).1.unwrap_err().to_string();
        assert!(error.ends_with("proc/meminfo: no amount: \"MemTotal: 2 MB\""), "{error}");
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(text in "[A-Z(]{0,3}[:)]? ?[0-9]{0,21} ?(kB)?\\PC{0,5}") {
            let _field = Field::parse(&text);
            let _verdict = collect(&SPEC, tree(&[("proc/meminfo", &text)]).path(), &[]);
        }
    }
}
