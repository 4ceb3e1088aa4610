//! Memory: what is used and of which kind, and what the limits cost.

use super::at::{At, Gone};
use super::hierarchy::Controller;
use super::kept::{Access, Kept};
use super::parse::{keyed, value_of};

#[derive(Debug, Default)]
pub(super) struct Files {
    usage: Kept,
    peak: Kept,
    stat: Kept,
    events: Kept,
    swap: Kept,
    failures: Kept,
    kernel: Kept,
    ooms: Kept,
}

impl Files {
    pub(super) fn retry(&mut self) {
        let Self { usage, peak, stat, events, swap, failures, kernel, ooms } = self;
        for file in [usage, peak, stat, events, swap, failures, kernel, ooms] {
            file.retry();
        }
    }
}

/// Bytes, pages and counts, of the cgroup and all below it.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Memory {
    pub(super) usage: Option<u64>,
    pub(super) peak: Option<u64>,
    pub(super) failcnt: Option<u64>,
    pub(super) cache: Option<u64>,
    pub(super) rss: Option<u64>,
    pub(super) kernel: Option<u64>,
    pub(super) mapped_file: Option<u64>,
    pub(super) swap: Option<u64>,
    pub(super) active_file: Option<u64>,
    pub(super) inactive_file: Option<u64>,
    pub(super) dirty: Option<u64>,
    pub(super) writeback: Option<u64>,
    pub(super) events_high: Option<u64>,
    pub(super) events_max: Option<u64>,
    pub(super) scanned: Option<u64>,
    pub(super) stolen: Option<u64>,
    pub(super) refault_file: Option<u64>,
    pub(super) refault_anon: Option<u64>,
    /// Of the cgroup alone; v2 has no such counts.
    pub(super) own_faults: Option<u64>,
    pub(super) own_major_faults: Option<u64>,
    pub(super) faults: Option<u64>,
    pub(super) major_faults: Option<u64>,
    pub(super) ooms: Option<u64>,
}

impl Memory {
    /// What cannot be given back at once: all but the file pages that were not used for long.
    pub(super) fn working_set(&self) -> Option<u64> {
        Some(self.usage?.saturating_sub(self.inactive_file.unwrap_or_default()))
    }

    /// `memory.stat` of v1: keys with `total_` are of the whole subtree.
    fn stat_v1(&mut self, text: &[u8]) {
        for (key, value) in keyed(text) {
            let slot = match key {
                b"total_cache" => &mut self.cache,
                b"total_rss" => &mut self.rss,
                b"total_mapped_file" => &mut self.mapped_file,
                b"total_swap" => &mut self.swap,
                b"total_active_file" => &mut self.active_file,
                b"total_inactive_file" => &mut self.inactive_file,
                b"total_dirty" => &mut self.dirty,
                b"total_writeback" => &mut self.writeback,
                b"total_workingset_refault_file" => &mut self.refault_file,
                b"total_workingset_refault_anon" => &mut self.refault_anon,
                b"pgfault" => &mut self.own_faults,
                b"pgmajfault" => &mut self.own_major_faults,
                b"total_pgfault" => &mut self.faults,
                b"total_pgmajfault" => &mut self.major_faults,
                _ => continue,
            };
            *slot = Some(value);
        }
    }

    fn stat_v2(&mut self, text: &[u8]) {
        for (key, value) in keyed(text) {
            let slot = match key {
                b"anon" => &mut self.rss,
                b"file" => &mut self.cache,
                b"kernel" => &mut self.kernel,
                b"file_mapped" => &mut self.mapped_file,
                b"file_dirty" => &mut self.dirty,
                b"file_writeback" => &mut self.writeback,
                b"active_file" => &mut self.active_file,
                b"inactive_file" => &mut self.inactive_file,
                b"pgscan" => &mut self.scanned,
                b"pgsteal" => &mut self.stolen,
                b"workingset_refault_file" => &mut self.refault_file,
                b"workingset_refault_anon" => &mut self.refault_anon,
                b"pgfault" => &mut self.faults,
                b"pgmajfault" => &mut self.major_faults,
                _ => continue,
            };
            *slot = Some(value);
        }
        (self.own_faults, self.own_major_faults) = (self.faults, self.major_faults);
    }

    fn events(&mut self, text: &[u8]) {
        for (key, value) in keyed(text) {
            match key {
                b"high" => self.events_high = Some(value),
                // As often as the limit was met, which v1 calls a failure.
                b"max" => (self.events_max, self.failcnt) = (Some(value), Some(value)),
                b"oom_kill" => self.ooms = Some(value),
                _ => {}
            }
        }
    }
}

pub(super) fn read(files: &mut Files, access: &mut Access, at: &At<'_>) -> Result<Memory, Gone> {
    let mut memory = Memory::default();
    let Some(tree) = at.tree(Controller::Memory) else { return Ok(memory) };
    if tree.v2 {
        memory.usage = at.number(access, &mut files.usage, tree, "memory.current")?;
        memory.peak = at.number(access, &mut files.peak, tree, "memory.peak")?;
        memory.swap = at.number(access, &mut files.swap, tree, "memory.swap.current")?;
        if let Some(text) = at.read(access, &mut files.stat, tree, "memory.stat")? {
            memory.stat_v2(text);
        }
        if let Some(text) = at.read(access, &mut files.events, tree, "memory.events")? {
            memory.events(text);
        }
        return Ok(memory);
    }
    memory.usage = at.number(access, &mut files.usage, tree, "memory.usage_in_bytes")?;
    memory.peak = at.number(access, &mut files.peak, tree, "memory.max_usage_in_bytes")?;
    memory.failcnt = at.number(access, &mut files.failures, tree, "memory.failcnt")?;
    memory.kernel = at.number(access, &mut files.kernel, tree, "memory.kmem.usage_in_bytes")?;
    if let Some(text) = at.read(access, &mut files.stat, tree, "memory.stat")? {
        memory.stat_v1(text);
    }
    if let Some(text) = at.read(access, &mut files.ooms, tree, "memory.oom_control")? {
        memory.ooms = value_of(text, b"oom_kill");
    }
    Ok(memory)
}

pub(super) fn fuzz(text: &[u8]) {
    let mut memory = Memory::default();
    memory.stat_v1(text);
    memory.stat_v2(text);
    memory.events(text);
    let _bytes = memory.working_set();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_working_set_is_never_below_nothing() {
        let memory = Memory { usage: Some(10), inactive_file: Some(4), ..Memory::default() };
        assert_eq!(memory.working_set(), Some(6));
        assert_eq!(Memory { inactive_file: Some(11), ..memory }.working_set(), Some(0));
        assert_eq!(Memory { inactive_file: None, ..memory }.working_set(), Some(10));
        assert_eq!(Memory { usage: None, ..memory }.working_set(), None);
    }

    #[test]
    fn version_one_tells_the_subtree_and_the_cgroup_itself() {
        let mut memory = Memory::default();
        memory.stat_v1(b"cache 1\nrss 2\npgfault 3\ntotal_cache 10\ntotal_rss 20\ntotal_pgfault 30\ntotal_dirty 4\n");
        let wanted = [memory.cache, memory.rss, memory.own_faults, memory.faults, memory.dirty];
        assert_eq!(wanted, [10, 20, 3, 30, 4].map(Some));
        assert_eq!(memory.swap, None);
    }

    #[test]
    fn version_two_tells_one_count_for_both_scopes() {
        let mut memory = Memory::default();
        memory.stat_v2(b"anon 1\nfile 2\nkernel 3\npgfault 4\npgmajfault 5\nanon_thp 9\n");
        memory.events(b"low 0\nhigh 6\nmax 7\noom 1\noom_kill 8\noom_group_kill 0\n");
        assert_eq!((memory.own_faults, memory.faults), (Some(4), Some(4)));
        assert_eq!((memory.failcnt, memory.ooms, memory.rss), (Some(7), Some(8), Some(1)));
    }
}
