//! How long tasks waited for CPU, memory and I/O (PSI, Documentation/accounting/psi.rst).

use super::at::{At, Gone};
use super::hierarchy::Controller;
use super::kept::{Access, Kept};
use super::parse::{lines, number, split, words};

#[derive(Debug, Default)]
pub(super) struct Files([Kept; 3]);

impl Files {
    pub(super) fn retry(&mut self) {
        self.0.iter_mut().for_each(Kept::retry);
    }
}

/// Nanoseconds; `some`: one task at least waited, `full`: all did.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Stall {
    pub(super) some: Option<u64>,
    pub(super) full: Option<u64>,
}

#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Pressure {
    pub(super) cpu: Stall,
    pub(super) memory: Stall,
    pub(super) io: Stall,
}

pub(super) fn read(files: &mut Files, access: &mut Access, at: &At<'_>) -> Result<Pressure, Gone> {
    let mut pressure = Pressure::default();
    let Some(tree) = at.tree(Controller::Pressure) else { return Ok(pressure) };
    let Pressure { cpu, memory, io } = &mut pressure;
    let names = ["cpu.pressure", "memory.pressure", "io.pressure"];
    for ((stall, name), kept) in [cpu, memory, io].into_iter().zip(names).zip(&mut files.0) {
        if let Some(text) = at.read(access, kept, tree, name)? {
            *stall = Stall::of(text);
        }
    }
    Ok(pressure)
}

impl Stall {
    /// `some avg10=0.00 avg60=0.00 avg300=0.00 total=1234`, microseconds.
    pub(super) fn of(text: &[u8]) -> Self {
        let mut stall = Self::default();
        for line in lines(text) {
            let mut words = words(line);
            let slot = match words.next() {
                Some(b"some") => &mut stall.some,
                Some(b"full") => &mut stall.full,
                _ => continue,
            };
            let total =
                words.filter_map(|word| split(word, b'=')).find(|(key, _)| *key == b"total");
            *slot = total.and_then(|(_, value)| number(value)?.checked_mul(1000));
        }
        stall
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn totals_are_told_of_those_kinds_that_the_kernel_has() {
        let text = b"some avg10=0.00 avg60=0.12 avg300=0.00 total=1234\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=56\n";
        assert_eq!(Stall::of(text), Stall { some: Some(1_234_000), full: Some(56_000) });
        // Kernels before 5.13 have no full stall of the CPU.
        assert_eq!(Stall::of(b"some total=1\n").full, None);
        assert_eq!(Stall::of(b"some avg10=0\nfull total=x\n"), Stall::default());
    }
}
