//! What a cgroup may use. Limits change seldom: they are read when something was written to them, and now and then.

use super::at::{At, Gone};
use super::hierarchy::{Controller, Tree};
use super::kept::{Access, Trouble};
use super::parse::{Limit, limit, number, words};

/// Beyond this the kernel means that there is no limit; it rounds to pages.
const UNLIMITED: u64 = 1 << 62;

#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Spec {
    pub(super) shares: Option<u64>,
    /// Microseconds.
    pub(super) period: Option<u64>,
    /// Microseconds; `None` where there is no quota.
    pub(super) quota: Option<u64>,
    /// Bytes, 0 where there is no limit, as cAdvisor has it.
    pub(super) memory: Option<u64>,
    pub(super) swap: Option<u64>,
    pub(super) reservation: Option<u64>,
    /// 0 where there is no limit.
    pub(super) threads: Option<u64>,
}

pub(super) fn read(access: &mut Access, at: &At<'_>) -> Result<Spec, Gone> {
    let mut spec = Spec::default();
    if let Some(tree) = at.tree(Controller::Cpu) {
        if tree.v2 {
            spec.shares = text(access, at, tree, "cpu.weight")?.and_then(number).and_then(shares);
            if let Some(max) = text(access, at, tree, "cpu.max")? {
                (spec.quota, spec.period) = max_of(max);
            }
        } else {
            spec.shares = text(access, at, tree, "cpu.shares")?.and_then(number);
            spec.period = text(access, at, tree, "cpu.cfs_period_us")?.and_then(number);
            spec.quota = text(access, at, tree, "cpu.cfs_quota_us")?.and_then(quota);
        }
    }
    if let Some(tree) = at.tree(Controller::Memory) {
        let names = if tree.v2 {
            ["memory.max", "memory.swap.max", "memory.min"]
        } else {
            ["memory.limit_in_bytes", "memory.memsw.limit_in_bytes", "memory.soft_limit_in_bytes"]
        };
        let Spec { memory, swap, reservation, .. } = &mut spec;
        for (slot, name) in [memory, swap, reservation].into_iter().zip(names) {
            *slot = text(access, at, tree, name)?.and_then(bytes);
        }
    }
    if let Some(tree) = at.tree(Controller::Pids) {
        spec.threads = text(access, at, tree, "pids.max")?.and_then(bytes);
    }
    Ok(spec)
}

/// Descriptors are for what every scrape reads.
fn text<'s>(
    access: &'s mut Access,
    at: &At<'_>,
    tree: &Tree,
    name: &str,
) -> Result<Option<&'s [u8]>, Gone> {
    match access.read_once(&tree.root, at.path, name) {
        Ok(text) => Ok(Some(text)),
        Err(Trouble::Gone) => Err(Gone),
        Err(Trouble::Absent | Trouble::Refused) => Ok(None),
    }
}

/// `cpu.max`: quota and period.
fn max_of(text: &[u8]) -> (Option<u64>, Option<u64>) {
    let mut words = words(text);
    (words.next().and_then(quota), words.next().and_then(number))
}

fn quota(text: &[u8]) -> Option<u64> {
    match limit(text)? {
        Limit::Of(quota) => Some(quota),
        Limit::None => None,
    }
}

fn bytes(text: &[u8]) -> Option<u64> {
    Some(match limit(text)? {
        Limit::Of(bytes) if bytes <= UNLIMITED => bytes,
        _ => 0,
    })
}

/// The weight of v2, from 1 to 10,000, as shares of v1, from 2 to 262,144, in the way that cAdvisor and the kubelet do.
fn shares(weight: u64) -> Option<u64> {
    (1..=10_000).contains(&weight).then(|| 2 + (weight - 1) * 262_142 / 9999)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_become_the_shares_that_they_were_made_of() {
        assert_eq!(
            [1, 39, 100, 10_000].map(|weight| shares(weight).unwrap()),
            [2, 998, 2597, 262_144]
        );
        assert_eq!((shares(0), shares(10_001)), (None, None));
    }

    #[test]
    fn no_limit_is_nothing_for_a_quota_and_zero_for_bytes() {
        assert_eq!(max_of(b"max 100000\n"), (None, Some(100_000)));
        assert_eq!(max_of(b"50000 100000\n"), (Some(50_000), Some(100_000)));
        assert_eq!(quota(b"-1\n"), None);
        assert_eq!(bytes(b"9223372036854771712\n"), Some(0));
        assert_eq!(
            (bytes(b"max"), bytes(b"67108864\n"), bytes(b"?")),
            (Some(0), Some(67_108_864), None)
        );
    }
}
