//! `node_filefd_*`: open files of the whole host, from `/proc/sys/fs/file-nr`.

use exporter_toolkit::{Exposition, Gauge};

use super::{CollectError, Collector, Spec};
use crate::host::KeptFile;

static ALLOCATED: Gauge<0> = Gauge::new(
    "node_filefd_allocated",
    "Files that the whole host has open now, as the kernel's file table counts them.",
    [],
);
static MAXIMUM: Gauge<0> = Gauge::new(
    "node_filefd_maximum",
    "Files that the whole host may have open at once: sysctl fs.file-max.",
    [],
);

pub static SPEC: Spec = Spec {
    name: "filefd",
    enabled: true,
    about: "Open files of the host and their limit, from /proc/sys/fs/file-nr.",
    flags: &[],
    families: &[&ALLOCATED, &MAXIMUM],
    build: |setup| Ok(Box::new(Filefd { file: setup.host.keep_proc("sys/fs/file-nr") })),
};

struct Filefd {
    file: KeptFile,
}

impl Collector for Filefd {
    fn collect(&mut self, out: &mut Exposition) -> Result<(), CollectError> {
        let text = self.file.read_str()?;
        let (allocated, maximum) =
            parse(&text).ok_or_else(|| text.wrong("three counts expected", &text))?;
        out.family(&ALLOCATED).sample((), allocated);
        out.family(&MAXIMUM).sample((), maximum);
        Ok(())
    }
}

/// The first and the third column: the second has been 0 since Linux 2.6.
fn parse(text: &str) -> Option<(u64, u64)> {
    let mut columns = text.split_ascii_whitespace();
    let allocated = columns.next()?.parse().ok()?;
    Some((allocated, columns.nth(1)?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_columns_are_refused() {
        assert_eq!(parse("1024\t0\t1631329\n"), Some((1024, 1_631_329)));
        assert_eq!(parse("1024\t0\n"), None);
        assert_eq!(parse("x\t0\t1\n"), None);
    }

    #[test]
    fn a_limit_of_the_largest_count_is_read() {
        assert_eq!(parse("1 0 9223372036854775807"), Some((1, 9_223_372_036_854_775_807)));
    }
}
