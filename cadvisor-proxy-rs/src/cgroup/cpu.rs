//! Times of the CPUs, and what the quota held back.

use super::at::{At, Gone};
use super::hierarchy::Controller;
use super::kept::{Access, Kept};
use super::parse::{keyed, number, words};

/// Nanoseconds of a microsecond.
const MICRO: u64 = 1000;
/// `USER_HZ`, in which the kernel tells user space its ticks on every architecture that has containers.
const TICKS: u64 = 100;

#[derive(Debug, Default)]
pub(super) struct Files {
    stat: Kept,
    usage: Kept,
    times: Kept,
    by_cpu: Kept,
}

impl Files {
    pub(super) fn retry(&mut self) {
        for file in [&mut self.stat, &mut self.usage, &mut self.times, &mut self.by_cpu] {
            file.retry();
        }
    }
}

/// Times are nanoseconds.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Cpu {
    pub(super) usage: Option<u64>,
    pub(super) user: Option<u64>,
    pub(super) system: Option<u64>,
    pub(super) periods: Option<u64>,
    pub(super) throttled_periods: Option<u64>,
    pub(super) throttled: Option<u64>,
    pub(super) burst_periods: Option<u64>,
    pub(super) burst: Option<u64>,
}

/// `by_cpu` takes the time of each CPU, where it is asked for and v1 tells it.
pub(super) fn read(
    files: &mut Files,
    access: &mut Access,
    at: &At<'_>,
    by_cpu: Option<&mut Vec<u64>>,
) -> Result<Cpu, Gone> {
    let mut cpu = Cpu::default();
    if let Some(tree) = at.tree(Controller::Cpu)
        && let Some(text) = at.read(access, &mut files.stat, tree, "cpu.stat")?
    {
        cpu.stat(text);
    }
    let Some(tree) = at.tree(Controller::Cpuacct) else { return Ok(cpu) };
    if tree.v2 {
        return Ok(cpu);
    }
    cpu.usage = at.number(access, &mut files.usage, tree, "cpuacct.usage")?;
    if let Some(text) = at.read(access, &mut files.times, tree, "cpuacct.stat")? {
        cpu.ticks(text);
    }
    if let Some(out) = by_cpu
        && let Some(text) = at.read(access, &mut files.by_cpu, tree, "cpuacct.usage_percpu")?
    {
        out.extend(words(text).map_while(number));
    }
    Ok(cpu)
}

impl Cpu {
    /// `cpu.stat` of v2, with microseconds, and of v1, with nanoseconds.
    fn stat(&mut self, text: &[u8]) {
        for (key, value) in keyed(text) {
            let micro = || value.checked_mul(MICRO);
            match key {
                b"usage_usec" => self.usage = micro(),
                b"user_usec" => self.user = micro(),
                b"system_usec" => self.system = micro(),
                b"nr_periods" => self.periods = Some(value),
                b"nr_throttled" => self.throttled_periods = Some(value),
                b"throttled_usec" => self.throttled = micro(),
                b"throttled_time" => self.throttled = Some(value),
                b"nr_bursts" => self.burst_periods = Some(value),
                b"burst_usec" => self.burst = micro(),
                b"burst_time" => self.burst = Some(value),
                _ => {}
            }
        }
    }

    /// `cpuacct.stat`.
    fn ticks(&mut self, text: &[u8]) {
        for (key, value) in keyed(text) {
            let time = value.checked_mul(1_000_000_000 / TICKS);
            match key {
                b"user" => self.user = time,
                b"system" => self.system = time,
                _ => {}
            }
        }
    }
}

pub(super) fn fuzz(text: &[u8]) {
    let mut cpu = Cpu::default();
    cpu.stat(text);
    cpu.ticks(text);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_versions_give_nanoseconds() {
        let mut v2 = Cpu::default();
        v2.stat(
            b"usage_usec 1500001\nuser_usec 1000000\nsystem_usec 500001\nnice_usec 0\n\
              nr_periods 7\nnr_throttled 2\nthrottled_usec 30\nnr_bursts 1\nburst_usec 4\n",
        );
        let mut v1 = Cpu { usage: Some(1_500_001_000), ..Cpu::default() };
        v1.ticks(b"user 100\nsystem 50\n");
        v1.stat(
            b"nr_periods 7\nnr_throttled 2\nthrottled_time 30000\nnr_bursts 1\nburst_time 4000\n",
        );
        assert_eq!(v1.system, Some(500_000_000));
        assert_eq!(Cpu { system: v1.system, ..v2 }, v1);
    }
}
