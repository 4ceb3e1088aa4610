//! `node_load*`: the run queue's length, from `/proc/loadavg`.

use exporter_toolkit::{Exposition, Gauge};

use super::{CollectError, Collector, Spec};
use crate::host::KeptFile;

static LOAD1: Gauge<0> = Gauge::new("node_load1", "Load average over one minute.", []);
static LOAD5: Gauge<0> = Gauge::new("node_load5", "Load average over five minutes.", []);
static LOAD15: Gauge<0> = Gauge::new("node_load15", "Load average over fifteen minutes.", []);

pub static SPEC: Spec = Spec {
    name: "loadavg",
    enabled: true,
    about: "Load averages, from /proc/loadavg.",
    flags: &[],
    families: &[&LOAD1, &LOAD5, &LOAD15],
    build: |setup| Ok(Box::new(Loadavg { file: setup.host.keep_proc("loadavg") })),
};

struct Loadavg {
    file: KeptFile,
}

impl Collector for Loadavg {
    fn collect(&mut self, out: &mut Exposition) -> Result<(), CollectError> {
        let text = self.file.read_str()?;
        let [one, five, fifteen] =
            parse(&text).ok_or_else(|| text.wrong("three loads expected", &text))?;
        out.family(&LOAD1).sample((), one);
        out.family(&LOAD5).sample((), five);
        out.family(&LOAD15).sample((), fifteen);
        Ok(())
    }
}

fn parse(text: &str) -> Option<[f64; 3]> {
    let mut columns = text.split_ascii_whitespace().map(|column| column.parse().ok());
    Some([columns.next()??, columns.next()??, columns.next()??])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_line_is_refused() {
        assert_eq!(parse("0.21 0.37 0.39 1/719 19737"), Some([0.21, 0.37, 0.39]));
        assert_eq!(parse("0.21 0.37"), None);
        assert_eq!(parse("0.21 x 0.39"), None);
    }
}
