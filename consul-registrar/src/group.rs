//! Which Prometheus of several scrapes a target: all targets of a node are in one group.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// A group by its number; `g0` is the first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Group(pub u32);

impl Group {
    pub fn parse(text: &str) -> Option<Self> {
        text.strip_prefix('g')?.parse().ok().map(Self)
    }
}

impl fmt::Display for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "g{}", self.0)
    }
}

/// How nodes come to groups.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grouping {
    /// No group label and no group tag.
    None,
    /// A node keeps its group; a new one comes to the first group that has room. A group takes `size` targets.
    Sticky { size: usize },
    /// The group of the highest random weight of node and group: of `groups` that become one more, only what the new
    /// one gets is moved.
    Rendezvous { groups: u32 },
    /// The node's hash modulo `groups`.
    Hash { groups: u32 },
}

/// The group of each node. A node's targets move together.
pub type Assignment = BTreeMap<Arc<str>, Group>;

impl Grouping {
    /// Groups for `nodes` (each with its number of targets). `before` is what they have.
    pub fn assign(self, nodes: &BTreeMap<Arc<str>, usize>, before: &Assignment) -> Assignment {
        match self {
            Self::None => Assignment::new(),
            Self::Sticky { size } => sticky(nodes, before, size),
            Self::Rendezvous { groups } => each(nodes, |node| rendezvous(node, groups)),
            Self::Hash { groups } => {
                let group = |node: &str| hash(node.as_bytes(), 0) % u64::from(groups.max(1));
                each(nodes, |node| Group(u32::try_from(group(node)).unwrap_or(0)))
            }
        }
    }
}

fn each(nodes: &BTreeMap<Arc<str>, usize>, group: impl Fn(&str) -> Group) -> Assignment {
    nodes.keys().map(|node| (Arc::clone(node), group(node))).collect()
}

/// First fit, in the order of the names; nobody who has a group is moved, however full it is.
fn sticky(nodes: &BTreeMap<Arc<str>, usize>, before: &Assignment, size: usize) -> Assignment {
    let mut assigned = Assignment::new();
    let mut room: BTreeMap<u32, usize> = BTreeMap::new();
    for (node, count) in nodes {
        if let Some(group) = before.get(node) {
            assigned.insert(Arc::clone(node), *group);
            let left = room.entry(group.0).or_insert(size);
            *left = left.saturating_sub(*count);
        }
    }
    // No group before this one has room for even the smallest node.
    let mut first = 0;
    for (node, count) in nodes {
        if assigned.contains_key(node) {
            continue;
        }
        let fits =
            |group: u32| room.get(&group).is_none_or(|left| *left == size || *left >= *count);
        let group = (first..=u32::MAX).find(|group| fits(*group)).unwrap_or(first);
        let left = room.entry(group).or_insert(size);
        *left = left.saturating_sub(*count);
        assigned.insert(Arc::clone(node), Group(group));
        while room.get(&first) == Some(&0) {
            first += 1;
        }
    }
    assigned
}

fn rendezvous(node: &str, groups: u32) -> Group {
    let weight = |group: u32| hash(node.as_bytes(), u64::from(group) + 1);
    Group((0..groups.max(1)).max_by_key(|group| weight(*group)).unwrap_or(0))
}

/// FNV-1a with a finish that spreads its bits (that of `MurmurHash3`): the same on every host and in every version.
fn hash(bytes: &[u8], seed: u64) -> u64 {
    let start = 0xcbf2_9ce4_8422_2325 ^ seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mixed = bytes
        .iter()
        .fold(start, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3));
    let mixed = (mixed ^ (mixed >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    let mixed = (mixed ^ (mixed >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    mixed ^ (mixed >> 33)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn nodes(names: impl IntoIterator<Item = u32>) -> BTreeMap<Arc<str>, usize> {
        names.into_iter().map(|n| (format!("node-{n:05}").into(), 3)).collect()
    }

    fn sizes(nodes: &BTreeMap<Arc<str>, usize>, assigned: &Assignment) -> BTreeMap<Group, usize> {
        let mut sizes = BTreeMap::new();
        for (node, group) in assigned {
            *sizes.entry(*group).or_default() += nodes[node];
        }
        sizes
    }

    #[test]
    fn groups_are_filled_one_after_another() {
        let nodes = nodes(0..5000);
        let assigned = Grouping::Sticky { size: 1500 }.assign(&nodes, &Assignment::new());
        let sizes = sizes(&nodes, &assigned);
        assert_eq!(sizes.len(), 10);
        assert!(sizes.values().all(|size| *size == 1500), "{sizes:?}");
    }

    #[test]
    fn a_node_larger_than_a_group_has_one_of_its_own() {
        let nodes: BTreeMap<Arc<str>, usize> =
            [("a".into(), 1), ("b".into(), 9), ("c".into(), 1)].into();
        let assigned = Grouping::Sticky { size: 4 }.assign(&nodes, &Assignment::new());
        assert_eq!(assigned.values().map(|group| group.0).collect::<Vec<_>>(), [0, 1, 0]);
    }

    #[test]
    fn one_group_more_moves_only_what_it_gets() {
        let nodes = nodes(0..1000);
        let before = Grouping::Rendezvous { groups: 8 }.assign(&nodes, &Assignment::new());
        let after = Grouping::Rendezvous { groups: 9 }.assign(&nodes, &before);
        for (node, group) in &after {
            assert!(*group == before[node] || *group == Group(8), "{node}");
        }
        let sizes = sizes(&nodes, &after);
        assert_eq!(sizes.len(), 9);
        assert!(sizes.values().all(|size| (200..480).contains(size)), "{sizes:?}");
    }

    #[test]
    fn the_hash_of_a_node_is_the_same_for_ever() {
        let group = Grouping::Hash { groups: 16 }.assign(&nodes([1]), &Assignment::new());
        assert_eq!(group.values().next(), Some(&Group(HASHED)));
    }

    /// Changing it moves targets between the Prometheus servers of every user.
    const HASHED: u32 = 7;

    proptest! {
        #[test]
        fn who_has_a_group_keeps_it(
            first in proptest::collection::btree_set(0..300_u32, 0..200),
            second in proptest::collection::btree_set(0..300_u32, 0..200),
            size in 1..40_usize,
        ) {
            let sticky = Grouping::Sticky { size };
            let (one, two) = (nodes(first), nodes(second));
            let before = sticky.assign(&one, &Assignment::new());
            let after = sticky.assign(&two, &before);
            prop_assert_eq!(after.len(), two.len());
            for (node, group) in &after {
                if let Some(old) = before.get(node) {
                    prop_assert_eq!(old, group);
                }
            }
            let alone = size.max(3);
            prop_assert!(sizes(&two, &after).values().all(|size| *size <= alone));
            let used: BTreeSet<Group> = after.values().copied().collect();
            prop_assert!(used.len() <= two.len());
        }
    }
}
