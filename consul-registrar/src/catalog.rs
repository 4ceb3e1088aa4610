//! From what the sources know to what every sink shows: one sorted list of rows, and what may be deleted.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tokio::time::Instant;

use crate::group::{Assignment, Group, Grouping};
use crate::guard::{Gone, Guard};
use crate::row::{Identity, Row};
use crate::target::{Held, State, Target, repeated};

/// What all sinks show. Two of them from the same input are equal, byte by byte once written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Published {
    /// Sorted by key, none twice.
    pub rows: Vec<Row>,
    /// Ids of registered rows that may be deleted; none of `rows`.
    pub released: BTreeSet<Box<str>>,
    /// What sources found and what is not registered.
    pub held: Vec<Held>,
    /// Rows that no source has and that stay for now.
    pub kept: usize,
    /// Why they stay.
    pub kept_why: Option<String>,
    /// The first source that is not read yet or lost, and why.
    pub unsynced: Option<String>,
    /// Whether the list is one to go by: before the first complete one there is none.
    pub complete: bool,
    /// One more with each change.
    pub generation: u64,
}

/// A registered row that differs from what is published, or that nothing is published for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    pub id: Box<str>,
    /// `None` where this agent would not write such a row: it can only be deleted.
    pub row: Option<Row>,
}

/// More ids than this are not remembered for a Consul that is away.
const MOST_RELEASED: usize = 100_000;

/// Keeps what was published, so that only the sources' changes change it.
#[derive(Debug)]
pub struct Catalog {
    identity: Arc<Identity>,
    grouping: Grouping,
    guard: Guard,
    published: Arc<Published>,
    assignment: Assignment,
    /// Ids of published rows that no source has had since this process started.
    strange: BTreeSet<Box<str>>,
}

impl Catalog {
    pub fn new(identity: Arc<Identity>, grouping: Grouping, guard: Guard) -> Self {
        let published = Arc::default();
        let (assignment, strange) = (Assignment::new(), BTreeSet::new());
        Self { identity, grouping, guard, published, assignment, strange }
    }

    pub fn published(&self) -> &Arc<Published> {
        &self.published
    }

    /// Goes by the newest of the sources and by what a sink was found to hold. `settled` is the generation that the registry
    /// was made to hold last: what was released until then is deleted. Returns when to come again although nothing changes.
    pub fn pass(
        &mut self,
        now: Instant,
        states: &[(Arc<str>, State)],
        found: &[Found],
        settled: u64,
    ) -> Option<Instant> {
        let (wanted, held) = merge(states);
        let unread = states.iter().find(|(_, state)| state.snapshot.is_none());
        let (mut gone, candidates) = self.gone(&wanted, found);
        let registered = wanted.len() + gone.len();
        let mut released = self.released_before(&wanted, settled);
        gone.retain(|gone| !released.contains(&gone.id));
        let unsynced = unsynced(states);
        // Another replica may have read what a lost source would tell.
        let strange = gone.iter().filter(|gone| !gone.known).count();
        let others = if unsynced.is_some() { strange } else { 0 };
        if others > 0 {
            gone.retain(|gone| gone.known);
        }
        let mut decision = self.guard.decide(now, gone, registered, vouched(states));
        decision.held += others;
        if let (Some(problem), true, None) = (&unsynced, others > 0, &decision.reason) {
            decision.reason = Some(format!("rows that others wrote stay: {problem}"));
        }
        released.extend(decision.released.iter().cloned());
        if released.len() > MOST_RELEASED {
            released.clear();
        }
        let kept: Vec<Row> = candidates
            .into_iter()
            .filter(|(id, _)| !released.contains(id))
            .map(|(_, row)| row)
            .collect();
        let rows = self.rows(&wanted, kept, found);
        let published = Published {
            rows,
            released,
            held,
            kept: decision.held,
            kept_why: decision.reason,
            unsynced,
            complete: unread.is_none() || !self.published.rows.is_empty(),
            generation: self.published.generation,
        };
        if *self.published != published {
            let generation = published.generation + 1;
            self.published = Arc::new(Published { generation, ..published });
        }
        decision.again
    }

    /// What was released earlier and may still be registered somewhere: the guard is asked once only.
    fn released_before(&self, wanted: &[Arc<Target>], settled: u64) -> BTreeSet<Box<str>> {
        if settled >= self.published.generation {
            return BTreeSet::new();
        }
        let mut released = self.published.released.clone();
        if !released.is_empty() {
            for target in wanted {
                released.remove(&*self.identity.id(&target.key));
            }
        }
        released
    }

    /// Rows that are published or registered and that no source has, with those that can be shown on.
    fn gone(
        &mut self,
        wanted: &[Arc<Target>],
        found: &[Found],
    ) -> (Vec<Gone>, BTreeMap<Box<str>, Row>) {
        let missing = |row: &Row| wanted.binary_search_by(|t| t.key.cmp(&row.target.key)).is_err();
        let mut candidates = BTreeMap::new();
        let mut gone = Vec::new();
        let mut strange = BTreeSet::new();
        for row in self.published.rows.iter().filter(|row| missing(row)) {
            let id: Box<str> = self.identity.id(&row.target.key).into();
            let known = !self.strange.contains(&id);
            if !known {
                strange.insert(id.clone());
            }
            candidates.insert(id.clone(), row.clone());
            gone.push(Gone { id, known });
        }
        for Found { id, row } in found {
            if row.as_ref().is_some_and(|row| !missing(row)) || candidates.contains_key(id) {
                continue;
            }
            strange.insert(id.clone());
            if let Some(row) = row {
                candidates.insert(id.clone(), row.clone());
            }
            gone.push(Gone { id: id.clone(), known: false });
        }
        self.strange = strange;
        (gone, candidates)
    }

    fn rows(&mut self, wanted: &[Arc<Target>], kept: Vec<Row>, found: &[Found]) -> Vec<Row> {
        let mut sizes: BTreeMap<Arc<str>, usize> = BTreeMap::new();
        for target in wanted.iter().chain(kept.iter().map(|row| &row.target)) {
            *sizes.entry(Arc::clone(&target.node)).or_default() += 1;
        }
        for (node, group) in adopted(found, &sizes, &self.assignment) {
            self.assignment.insert(node, group);
        }
        self.assignment = self.grouping.assign(&sizes, &self.assignment);
        let mut targets: Vec<&Arc<Target>> =
            wanted.iter().chain(kept.iter().map(|row| &row.target)).collect();
        targets.sort_by(|a, b| a.key.cmp(&b.key));
        let old = &self.published.rows;
        let row = |target: &Arc<Target>| {
            let group = self.assignment.get(&target.node).copied();
            let before = old.binary_search_by(|row| row.target.key.cmp(&target.key)).ok();
            let before = before.and_then(|at| old.get(at));
            match before {
                Some(row) if row.group == group && row.target == *target => row.clone(),
                _ => self.identity.row(Arc::clone(target), group),
            }
        };
        targets.into_iter().map(row).collect()
    }
}

/// All targets, sorted by key. Of two with one key that of the earlier source is taken.
fn merge(states: &[(Arc<str>, State)]) -> (Vec<Arc<Target>>, Vec<Held>) {
    let mut held = Vec::new();
    let mut all: Vec<&Arc<Target>> = Vec::new();
    for snapshot in states.iter().filter_map(|(_, state)| state.snapshot.as_ref()) {
        all.extend(&snapshot.targets);
        held.extend(snapshot.held.iter().cloned());
    }
    all.sort_by(|a, b| a.key.cmp(&b.key));
    all.dedup_by(|next, kept| {
        let repeats = next.key == kept.key;
        if repeats {
            held.push(repeated(next, kept));
        }
        repeats
    });
    (all.into_iter().cloned().collect(), held)
}

/// The first source that is not read yet or lost, and why.
fn unsynced(states: &[(Arc<str>, State)]) -> Option<String> {
    states.iter().find_map(|(name, state)| {
        state.unsynced.as_ref().map(|reason| format!("source {name}: {reason}"))
    })
}

/// When the source that has been silent longest vouched for its list; an error names one that was never read.
fn vouched(states: &[(Arc<str>, State)]) -> Result<Instant, String> {
    let mut oldest = None;
    for (name, state) in states {
        let (Some(_), Some(confirmed)) = (&state.snapshot, state.confirmed) else {
            let reason = state.unsynced.as_deref().unwrap_or("no list yet");
            return Err(format!("nothing is deleted before source {name} is read: {reason}"));
        };
        oldest = Some(oldest.map_or(confirmed, |oldest: Instant| oldest.min(confirmed)));
    }
    oldest.ok_or_else(|| "there is no source".to_owned())
}

/// Groups that the registry holds and that count more than our own idea: those of nodes we have no idea of, and those that
/// all rows of a node agree on, as after a `rebalance` or where another replica was first.
fn adopted(
    found: &[Found],
    sizes: &BTreeMap<Arc<str>, usize>,
    ours: &Assignment,
) -> Vec<(Arc<str>, Group)> {
    let mut votes: BTreeMap<&Arc<str>, BTreeMap<Group, usize>> = BTreeMap::new();
    for row in found.iter().filter_map(|found| found.row.as_ref()) {
        if let Some(group) = row.group {
            *votes.entry(&row.target.node).or_default().entry(group).or_default() += 1;
        }
    }
    let adopt = |(node, groups): (&Arc<str>, BTreeMap<Group, usize>)| {
        let (group, count) =
            groups.iter().max_by_key(|(group, count)| (**count, std::cmp::Reverse(**group)))?;
        let whole = groups.len() == 1 && sizes.get(node).is_none_or(|size| size <= count);
        (whole || !ours.contains_key(node)).then(|| (Arc::clone(node), *group))
    };
    votes.into_iter().filter_map(adopt).collect()
}

#[cfg(test)]
mod tests;
