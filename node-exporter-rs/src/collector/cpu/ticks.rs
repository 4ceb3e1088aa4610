//! The lines `cpuN` of `/proc/stat`: what each CPU spent its time on, in ticks (Documentation/filesystems/proc.rst, 1.8).

use crate::collector::CollectError;
use crate::host::Text;

/// `USER_HZ`: what the kernel counts in towards user space, whatever its own clock is.
const TICKS_PER_SECOND: f64 = 100.0;
/// A CPU whose idle time falls by this much was switched off and on again: three seconds.
const RESET: u64 = 300;
/// The place of idle among the modes.
const IDLE: usize = 3;

/// The columns in the kernel's order; the last two are parts of user and nice.
pub(super) const MODES: [&str; 10] =
    ["user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal", "user", "nice"];

/// How many of them are no part of another.
pub(super) const OWN_MODES: usize = 8;

#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Ticks {
    pub(super) cpu: u32,
    columns: [u64; MODES.len()],
    /// How many columns the kernel printed: Linux before 2.6.33 has fewer.
    count: usize,
}

impl Ticks {
    /// Never less than before, column by column; unless the CPU started anew.
    pub(super) fn settle(&mut self, before: &Self) {
        if before.columns[IDLE].saturating_sub(self.columns[IDLE]) >= RESET {
            return;
        }
        for (now, before) in self.columns.iter_mut().zip(before.columns) {
            *now = before.max(*now);
        }
    }

    /// In the order of [`MODES`].
    pub(super) fn seconds(&self) -> impl Iterator<Item = f64> {
        self.columns.iter().take(self.count).map(|ticks| *ticks as f64 / TICKS_PER_SECOND)
    }

    /// What stands behind `cpu` in a CPU's line; `None` where that is no number and at least four columns.
    fn parse(line: &str) -> Option<Self> {
        let (cpu, columns) = line.split_once(' ')?;
        Self::of(cpu.parse().ok()?, columns)
    }

    fn of(cpu: u32, line: &str) -> Option<Self> {
        let mut this = Self { cpu, ..Self::default() };
        for (place, part) in this.columns.iter_mut().zip(line.split_ascii_whitespace()) {
            *place = part.parse().ok()?;
            this.count += 1;
        }
        (this.count > IDLE).then_some(this)
    }
}

/// Reads the lines of all CPUs, which stand together at the file's start, sorted and each CPU once.
pub(super) fn read(text: Text<'_>, ticks: &mut Vec<Ticks>) -> Result<(), CollectError> {
    ticks.clear();
    for line in text.as_str().lines() {
        let Some(rest) = line.strip_prefix("cpu") else { break };
        // The sum of all CPUs.
        if rest.starts_with(' ') {
            continue;
        }
        ticks.push(
            Ticks::parse(rest).ok_or_else(|| text.wrong("CPU and its times expected", line))?,
        );
    }
    if !ticks.is_sorted_by(|a, b| a.cpu < b.cpu) {
        ticks.sort_by_key(|ticks| ticks.cpu);
        ticks.dedup_by_key(|ticks| ticks.cpu);
    }
    Ok(())
}

/// The times of all CPUs together, which never fall though CPUs come and go.
///
/// The kernel adds up every CPU that there can be, but reads the idle time of one that is switched off from another
/// place (`get_idle_time` of fs/proc/stat.c), so that the sum may leap back by days. What is told goes on from where it was.
#[derive(Debug, Default)]
pub(super) struct Total {
    before: Ticks,
    /// How far the kernel's sum fell, column by column.
    fallen: [u64; MODES.len()],
    told: Ticks,
}

impl Total {
    /// Reads the file's first line; gives how many CPUs are in use.
    pub(super) fn read(&mut self, text: Text<'_>) -> Result<usize, CollectError> {
        let mut lines = text.as_str().lines();
        let first = lines.next().unwrap_or_default();
        let now = first.strip_prefix("cpu ").and_then(|columns| Ticks::of(0, columns));
        self.take(now.ok_or_else(|| text.wrong("times of all CPUs expected", first))?);
        Ok(lines.take_while(|line| line.starts_with("cpu")).count())
    }

    fn take(&mut self, now: Ticks) {
        for i in 0..MODES.len() {
            let fall = self.before.columns[i].saturating_sub(now.columns[i]);
            if fall >= RESET {
                self.fallen[i] += fall;
            }
            let goes_on = now.columns[i].saturating_add(self.fallen[i]);
            self.told.columns[i] = self.told.columns[i].max(goes_on);
        }
        self.told.count = now.count;
        self.before = now;
    }

    /// In the order of [`MODES`].
    pub(super) fn seconds(&self) -> impl Iterator<Item = f64> {
        self.told.seconds()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn ticks(line: &str) -> Ticks {
        Ticks::parse(line).unwrap()
    }

    #[test]
    fn a_small_step_back_is_held() {
        let mut now = ticks("0 11 0 5 898 9 0 0 0 0 0");
        now.settle(&ticks("0 10 0 5 900 10 0 0 0 0 0"));
        assert_eq!(now, ticks("0 11 0 5 900 10 0 0 0 0 0"));
    }

    #[test]
    fn an_idle_time_that_falls_by_three_seconds_starts_anew() {
        let mut now = ticks("0 1 0 0 600 0 0 0 0 0 0");
        now.settle(&ticks("0 10 0 5 900 10 0 0 0 0 0"));
        assert_eq!(now, ticks("0 1 0 0 600 0 0 0 0 0 0"));
        let mut held = ticks("0 1 0 0 601 0 0 0 0 0 0");
        held.settle(&ticks("0 10 0 5 900 10 0 0 0 0 0"));
        assert_eq!(held, ticks("0 10 0 5 900 10 0 0 0 0 0"));
    }

    #[test]
    fn a_mode_that_an_old_kernel_does_not_know_is_left_out() {
        assert_eq!(ticks("0 1 2 3 4").seconds().collect::<Vec<_>>(), [0.01, 0.02, 0.03, 0.04]);
        assert_eq!(Ticks::parse("0 1 2 3"), None);
        assert_eq!(Ticks::parse("freq 1 2 3 4"), None);
        assert_eq!(ticks("0 1 2 3 4 5 6 7 8 9 10 11").seconds().count(), 10);
    }

    #[test]
    fn the_sum_goes_on_from_where_it_was_when_a_cpu_goes() {
        let mut total = Total::default();
        let mut idle = |ticks: u64| {
            total.take(Ticks::of(0, &format!("0 0 0 {ticks} 7")).unwrap());
            total.told.columns[IDLE]
        };
        assert_eq!([100_000, 99_990, 100_010].map(&mut idle), [100_000, 100_000, 100_010]);
        assert_eq!([60_010, 60_020, 60_010].map(&mut idle), [100_010, 100_020, 100_020]);
    }

    proptest! {
        #[test]
        fn the_sum_never_falls(steps in proptest::collection::vec(0_u64..5000, 0..20)) {
            let mut total = Total::default();
            let mut before = 0.0;
            for ticks in steps {
                total.take(Ticks::of(0, &format!("{ticks} 0 0 0 0")).unwrap());
                let now = total.seconds().next().unwrap();
                prop_assert!(now >= before);
                before = now;
            }
        }

        #[test]
        fn no_bytes_make_it_panic(line in "\\PC{0,60}") {
            let _ticks = Ticks::parse(&line);
        }

        #[test]
        fn what_is_told_never_falls_without_a_reset(
            before in proptest::array::uniform10(0_u64..2000),
            now in proptest::array::uniform10(0_u64..2000),
        ) {
            prop_assume!(before[IDLE].saturating_sub(now[IDLE]) < RESET);
            let mut told = Ticks { cpu: 0, columns: now, count: 10 };
            told.settle(&Ticks { cpu: 0, columns: before, count: 10 });
            for (told, (before, now)) in told.columns.iter().zip(before.iter().zip(now)) {
                prop_assert!(*told >= *before && *told >= now);
            }
        }
    }
}
