//! What readers of named numbers share: tables that say which name of the kernel's becomes which family.

use exporter_toolkit::family::TypeMark;
use exporter_toolkit::{Described, Family};

/// A number as the kernel names it, and the family that it becomes.
#[derive(Debug)]
pub(super) struct Field<K, const N: usize> {
    pub name: &'static str,
    pub family: Family<K, N>,
}

impl<K: TypeMark, const N: usize> Field<K, N> {
    pub(super) const fn new(
        name: &'static str,
        family: &'static str,
        labels: [&'static str; N],
        help: &'static str,
    ) -> Self {
        Self { name, family: Family::new(family, help, labels) }
    }
}

/// The place of a name in a table.
pub(super) fn position<K, const N: usize>(fields: &[Field<K, N>], name: &str) -> Option<usize> {
    fields.iter().position(|field| field.name == name)
}

/// Writes families into a list for [`super::Spec`], from a place on.
pub(super) const fn describe_plain<K: TypeMark + 'static, const N: usize, const M: usize>(
    mut list: [&'static dyn Described; M],
    from: usize,
    families: &'static [Family<K, N>],
) -> [&'static dyn Described; M] {
    let mut i = 0;
    while i < families.len() {
        list[from + i] = &families[i];
        i += 1;
    }
    list
}

/// As [`describe_plain`], for a table.
pub(super) const fn describe<K: TypeMark + 'static, const N: usize, const M: usize>(
    mut list: [&'static dyn Described; M],
    from: usize,
    fields: &'static [Field<K, N>],
) -> [&'static dyn Described; M] {
    let mut i = 0;
    while i < fields.len() {
        list[from + i] = &fields[i].family;
        i += 1;
    }
    list
}

/// Samples of families whose names the kernel gives, gathered from several files, so that they are written family by
/// family. The memory is reused.
#[derive(Debug)]
pub(super) struct Gathered<L> {
    families: Vec<(String, Vec<(L, u64)>)>,
    /// Files name the same fields in the same order: where the next one is expected.
    next: usize,
}

impl<L> Default for Gathered<L> {
    fn default() -> Self {
        Self { families: Vec::new(), next: 0 }
    }
}

impl<L> Gathered<L> {
    /// Forgets the samples and keeps the families' places.
    pub(super) fn clear(&mut self) {
        self.families.iter_mut().for_each(|(_, samples)| samples.clear());
    }

    /// The place of a field's family.
    pub(super) fn place(&mut self, name: &str) -> usize {
        let families = &mut self.families;
        let expected = families.get(self.next).is_some_and(|(found, _)| found == name);
        let found = expected.then_some(self.next);
        let found = found.or_else(|| families.iter().position(|(found, _)| found == name));
        let at = found.unwrap_or_else(|| {
            families.push((name.to_owned(), Vec::new()));
            families.len() - 1
        });
        self.next = at + 1;
        at
    }

    pub(super) fn add(&mut self, place: usize, labels: L, value: u64) {
        self.families[place].1.push((labels, value));
    }

    /// The fields that have samples, with these.
    pub(super) fn each(&self) -> impl Iterator<Item = (&str, &[(L, u64)])> {
        let filled = self.families.iter().filter(|(_, samples)| !samples.is_empty());
        filled.map(|(name, samples)| (name.as_str(), samples.as_slice()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_of_a_field_stand_together_wherever_it_was_read() {
        let mut gathered = Gathered::default();
        for round in 0..2 {
            gathered.clear();
            for (label, fields) in [("a", &["x", "y"][..]), ("b", &["y", "z", "x"])] {
                for field in fields {
                    let place = gathered.place(field);
                    gathered.add(place, label, round);
                }
            }
            let found: Vec<_> = gathered.each().map(|(name, all)| (name, all.len())).collect();
            assert_eq!(found, [("x", 2), ("y", 2), ("z", 1)]);
            assert_eq!(gathered.families[0].1, [("a", round), ("b", round)]);
        }
    }

    #[test]
    fn a_field_that_went_has_no_samples() {
        let mut gathered = Gathered::default();
        let place = gathered.place("x");
        gathered.add(place, (), 1);
        gathered.clear();
        assert_eq!(gathered.each().count(), 0);
    }
}
