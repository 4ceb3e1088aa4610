//! `node_watchdog_*`: timers that restart the machine when nobody resets them, from `/sys/class/watchdog`
//! (kernel: Documentation/ABI/testing/sysfs-class-watchdog).

use std::path::PathBuf;

use exporter_toolkit::family::GaugeMark;
use exporter_toolkit::{Exposition, Gauge};

use super::sysclass::{Column, Folder, Row, Scale, families, read_columns, write};
use super::{CollectError, Collector, Spec};

static INFO: Gauge<6> = Gauge::new(
    "node_watchdog_info",
    "Always 1: what the timer is, whether it runs, and what happens shortly before it strikes.",
    ["name", "options", "identity", "state", "status", "pretimeout_governor"],
);

macro_rules! columns {
    ($($file:literal $suffix:literal $help:literal)*) => {
        [$(Column::new($file, Scale::One, concat!("node_watchdog_", $suffix), ["name"], $help)),*]
    };
}

static COLUMNS: [Column<GaugeMark, 1>; 7] = columns! {
    "bootstatus" "bootstatus" "Why the machine started last, as flags of the kernel's watchdog interface; 0 is an ordinary start."
    "fw_version" "fw_version" "Version of the timer's firmware."
    "nowayout" "nowayout" "1 where the timer cannot be stopped any more once it runs."
    "timeleft" "timeleft_seconds" "Seconds until the timer strikes unless it is reset."
    "timeout" "timeout_seconds" "Seconds that the timer waits to be reset."
    "pretimeout" "pretimeout_seconds" "How many seconds before it strikes the timer warns; 0 is never."
    "access_cs0" "access_cs0" "1 where the machine started from its second flash chip and the first can be reached."
};

pub static SPEC: Spec = Spec {
    name: "watchdog",
    enabled: true,
    about: "Watchdog timers, from /sys/class/watchdog.",
    flags: &[],
    families: &families::<_, 1, 8>(&[&INFO], &COLUMNS),
    build: |setup| Ok(Box::new(Watchdog { class: setup.host.sys("class/watchdog") })),
};

struct Watchdog {
    class: PathBuf,
}

impl Collector for Watchdog {
    fn collect(&mut self, out: &mut Exposition) -> Result<(), CollectError> {
        let class = Folder::open(&self.class)?;
        let (mut infos, mut rows) = (Vec::new(), Vec::new());
        for name in class.names() {
            let Some(timer) = class.below(&name) else { continue };
            let text = |file| timer.text(file).unwrap_or_default();
            let [options, identity, state, status, governor] =
                ["options", "identity", "state", "status", "pretimeout_governor"].map(text);
            infos.push([name.clone(), options, identity, state, status, governor]);
            rows.push(Row { labels: [name], values: read_columns(&timer, &COLUMNS) });
        }
        write(out, &COLUMNS, &rows);
        let mut info = out.family(&INFO);
        for labels in &infos {
            info.sample(labels, 1_u8);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collector::testing::{collect, tree};

    #[test]
    fn a_timer_whose_driver_shows_little_has_few_series() {
        let folder = tree(&[
            ("sys/class/watchdog/watchdog0/timeout", "60\n"),
            ("sys/class/watchdog/watchdog0/timeleft", "soon\n"),
            ("sys/class/watchdog/watchdog0/identity", "iTCO_wdt\n"),
        ]);
        let (lines, result) = collect(&SPEC, folder.path(), &[]);
        result.unwrap();
        assert_eq!(
            lines,
            [
                "node_watchdog_timeout_seconds{name=\"watchdog0\"} 60",
                "node_watchdog_info{name=\"watchdog0\",options=\"\",identity=\"iTCO_wdt\",state=\"\",status=\"\",pretimeout_governor=\"\"} 1",
            ]
        );
    }

    #[test]
    fn a_host_without_the_class_has_no_data() {
        assert!(collect(&SPEC, tree(&[]).path(), &[]).1.unwrap_err().is_no_data());
    }
}
