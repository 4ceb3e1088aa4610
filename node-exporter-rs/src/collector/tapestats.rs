//! `node_tape_*`: SCSI tape drives, from `/sys/class/scsi_tape/st*/stats` (kernel: Documentation/scsi/st.rst).

use std::path::PathBuf;

use crate::pattern::Pattern;
use exporter_toolkit::Exposition;
use exporter_toolkit::family::{CounterMark, GaugeMark};

use super::sysclass::{Column, Folder, Row, Scale, families, read_columns, write};
use super::{CollectError, Collector, Spec};
use crate::flags::Flag;

static IN_FLIGHT: [Column<GaugeMark, 1>; 1] = [Column::new(
    "in_flight",
    Scale::One,
    "node_tape_io_now",
    ["device"],
    "Commands that the drive is working on.",
)];

macro_rules! columns {
    ($($file:literal $scale:ident $suffix:literal $help:literal)*) => {
        [$(Column::new($file, Scale::$scale, concat!("node_tape_", $suffix), ["device"], $help)),*]
    };
}

#[rustfmt::skip]
static COUNTERS: [Column<CounterMark, 1>; 9] = columns! {
    "io_ns" Nano "io_time_seconds_total" "Time spent waiting for commands of all kinds, winding included."
    "other_cnt" One "io_others_total" "Commands that neither read nor wrote: winding, marks and the like."
    "read_byte_cnt" One "read_bytes_total" "Bytes read from tape."
    "read_cnt" One "reads_completed_total" "Read commands completed."
    "read_ns" Nano "read_time_seconds_total" "Time spent waiting for read commands."
    "resid_cnt" One "residual_total" "Reads and writes that moved less than was asked for."
    "write_byte_cnt" One "written_bytes_total" "Bytes written to tape."
    "write_cnt" One "writes_completed_total" "Write commands completed."
    "write_ns" Nano "write_time_seconds_total" "Time spent waiting for write commands."
};

static IGNORED: Flag<Pattern> = Flag::new(
    "collector.tapestats.ignored-devices",
    "^$",
    "Regular expression of tape drives to leave out.",
);

pub static SPEC: Spec = Spec {
    name: "tapestats",
    enabled: true,
    about: "SCSI tape drives, from /sys/class/scsi_tape.",
    flags: &[&IGNORED],
    families: &families::<_, 1, 10>(&families::<_, 1, 1>(&[], &IN_FLIGHT), &COUNTERS),
    build: |setup| {
        let class = setup.host.sys("class/scsi_tape");
        Ok(Box::new(Tapestats { class, ignored: setup.flags.get(&IGNORED)? }))
    },
};

struct Tapestats {
    class: PathBuf,
    ignored: Pattern,
}

impl Collector for Tapestats {
    fn collect(&mut self, out: &mut Exposition) -> Result<(), CollectError> {
        let class = Folder::open(&self.class)?;
        let (mut in_flight, mut counters) = (Vec::new(), Vec::new());
        for name in class.names().into_iter().filter(|name| is_drive(name)) {
            let stats = class.below(&name).and_then(|drive| drive.below("stats"));
            let Some(stats) = stats.filter(|_| !self.ignored.is_match(&name)) else { continue };
            let labels = [name];
            let values = read_columns(&stats, &IN_FLIGHT);
            in_flight.push(Row { labels: labels.clone(), values });
            counters.push(Row { labels, values: read_columns(&stats, &COUNTERS) });
        }
        write(out, &IN_FLIGHT, &in_flight);
        write(out, &COUNTERS, &counters);
        Ok(())
    }
}

/// A drive has several nodes (`nst0`, `st0a`, `st0l`): only `st0` stands for it.
fn is_drive(name: &str) -> bool {
    let number = name.strip_prefix("st").unwrap_or_default();
    !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collector::testing::{collect, tree};

    #[test]
    fn a_drive_is_counted_once_and_an_ignored_one_not_at_all() {
        let folder = tree(&[
            ("sys/class/scsi_tape/st0/stats/read_ns", "1500000000\n"),
            ("sys/class/scsi_tape/nst0/stats/read_ns", "1500000000\n"),
            ("sys/class/scsi_tape/st0a/stats/read_ns", "1500000000\n"),
            ("sys/class/scsi_tape/st1/stats/read_ns", "1\n"),
        ]);
        let flags = [("collector.tapestats.ignored-devices", "^st1$")];
        let (lines, result) = collect(&SPEC, folder.path(), &flags);
        result.unwrap();
        assert_eq!(lines, ["node_tape_read_time_seconds_total{device=\"st0\"} 1.5"]);
    }

    #[test]
    fn a_host_without_tapes_has_no_data() {
        assert!(collect(&SPEC, tree(&[]).path(), &[]).1.unwrap_err().is_no_data());
    }
}
