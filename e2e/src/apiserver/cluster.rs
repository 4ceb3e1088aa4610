//! What the cluster is at a resourceVersion, what has happened since, and what makes something happen.
//!
//! An object is a few numbers; its text is made when it is asked for. Lists are of one resourceVersion however many pages
//! they have, and a watch tells each change with the object as it was then.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::fields::mix;
use super::objects::{KINDS, POD};

/// What of an object can change.
#[derive(Clone, Copy, Debug)]
pub(super) struct State {
    /// Its resourceVersion.
    pub(super) version: u64,
    /// How many had its number before it.
    pub(super) incarnation: u32,
    /// Of its first container.
    pub(super) restarts: u32,
    /// Changes that no metric family shows.
    pub(super) touches: u32,
    present: bool,
}

/// All objects of a kind, by number.
pub(super) type Objects = Arc<Vec<State>>;

/// The present ones of them.
pub(super) fn present(objects: &[State]) -> impl Iterator<Item = (usize, State)> {
    objects.iter().copied().enumerate().filter(|(_, state)| state.present)
}

/// The state of one object.
pub(super) fn one(objects: &[State], number: usize) -> Option<State> {
    objects.get(number).copied().filter(|state| state.present)
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Change {
    Added,
    Modified,
    Deleted,
}

/// One change: the next resourceVersion.
#[derive(Clone, Copy, Debug)]
pub(super) struct Event {
    pub(super) kind: usize,
    pub(super) number: usize,
    pub(super) change: Change,
    pub(super) state: State,
}

/// What can be done to pods.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Deed {
    /// The first container runs anew.
    Restart,
    /// Something changes that no metric family shows.
    Touch,
    /// Another pod comes in its place, as in a rollout: everything about it is new.
    Replace,
    Delete,
}

impl Deed {
    pub(super) fn named(name: &str) -> Option<Self> {
        match name {
            "restart" => Some(Self::Restart),
            "touch" => Some(Self::Touch),
            "replace" => Some(Self::Replace),
            "delete" => Some(Self::Delete),
            _ => None,
        }
    }
}

/// Events kept for watches: all pods of a large cluster replaced once.
const LOG: usize = 1 << 19;
/// Lists of which the next page may be asked for.
const SNAPSHOTS: usize = 4;

/// The data and what goes wrong with it.
#[derive(Debug)]
pub(super) struct Cluster {
    version: u64,
    objects: Vec<Objects>,
    /// The last changes; the youngest is of the present version.
    events: VecDeque<Event>,
    snapshots: VecDeque<(u64, usize, Objects)>,
    pub(super) faults: Faults,
    pub(super) counts: Counts,
}

/// Faults that were asked for.
#[derive(Debug, Default)]
pub(super) struct Faults {
    /// How often all watches were cut.
    pub(super) cuts: u64,
    pub(super) stalled_until: Option<Instant>,
    /// Plurals that nobody may read.
    pub(super) forbidden: Vec<String>,
    /// This status for so many requests.
    pub(super) failing: (u16, u32),
}

/// What was asked of the server.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) lists: u64,
    pub(super) pages: u64,
    pub(super) watches: u64,
    pub(super) streaming_lists: u64,
    pub(super) open_watches: u64,
    pub(super) changes: u64,
}

impl Cluster {
    pub(super) fn new(pods: usize) -> Self {
        let mut version = 1000;
        let objects = KINDS.iter().map(|kind| {
            let objects = (0..(kind.count)(pods)).map(|_| {
                version += 1;
                State { version, incarnation: 0, restarts: 0, touches: 0, present: true }
            });
            Arc::new(objects.collect())
        });
        let objects = objects.collect();
        Self {
            version,
            objects,
            events: VecDeque::new(),
            snapshots: VecDeque::new(),
            faults: Faults::default(),
            counts: Counts::default(),
        }
    }

    pub(super) fn version(&self) -> u64 {
        self.version
    }

    pub(super) fn now(&self, kind: usize) -> Objects {
        Arc::clone(&self.objects[kind])
    }

    /// The objects as they are, to be found again by [`Cluster::at`].
    pub(super) fn snapshot(&mut self, kind: usize) -> (u64, Objects) {
        let (version, objects) = (self.version, self.now(kind));
        if self.at(kind, version).is_none() {
            if self.snapshots.len() == SNAPSHOTS {
                self.snapshots.pop_front();
            }
            self.snapshots.push_back((version, kind, Arc::clone(&objects)));
        }
        (version, objects)
    }

    /// The objects as they were; `None` where nobody knows any more.
    pub(super) fn at(&self, kind: usize, version: u64) -> Option<Objects> {
        let is_it = |(at, of, _): &&(u64, usize, Objects)| (*at, *of) == (version, kind);
        self.snapshots.iter().find(is_it).map(|(_, _, objects)| Arc::clone(objects))
    }

    /// Up to `limit` changes since a version, of whatever kind; `None` where some of them are forgotten.
    pub(super) fn since(
        &self,
        version: u64,
        limit: usize,
    ) -> Option<impl Iterator<Item = Event> + use<'_>> {
        let behind = usize::try_from(self.version.saturating_sub(version)).ok()?;
        let first = self.events.len().checked_sub(behind)?;
        Some(self.events.range(first..).take(limit).copied())
    }

    /// Forgets what has happened: older watches and further pages are 410 Gone.
    pub(super) fn compact(&mut self) {
        self.events.clear();
        self.snapshots.clear();
    }

    fn change(&mut self, number: usize, change: Change, edit: impl FnOnce(&mut State)) {
        let Some(state) = Arc::make_mut(&mut self.objects[POD]).get_mut(number) else { return };
        self.version += 1;
        self.counts.changes += 1;
        edit(state);
        state.version = self.version;
        if self.events.len() == LOG {
            self.events.pop_front();
        }
        self.events.push_back(Event { kind: POD, number, change, state: *state });
    }

    pub(super) fn does(&mut self, deed: Deed, number: usize) {
        match deed {
            Deed::Restart => self.change(number, Change::Modified, |pod| pod.restarts += 1),
            Deed::Touch => self.change(number, Change::Modified, |pod| pod.touches += 1),
            Deed::Delete => self.change(number, Change::Deleted, |pod| pod.present = false),
            Deed::Replace => {
                self.does(Deed::Delete, number);
                self.revive(number);
            }
        }
    }

    fn revive(&mut self, number: usize) {
        self.change(number, Change::Added, |pod| {
            let incarnation = pod.incarnation + 1;
            *pod = State { incarnation, restarts: 0, touches: 0, present: true, ..*pod };
        });
    }

    /// Does it to this share of the pods, wherever they are; says to how many.
    pub(super) fn does_to_share(&mut self, deed: Deed, share: f64) -> usize {
        let (salt, objects) = (self.version, self.now(POD));
        let chosen = |&number: &usize| {
            (mix(number as u64 ^ salt << 32) >> 11) as f64 / ((1_u64 << 53) as f64) < share
        };
        let numbers: Vec<usize> =
            present(&objects).map(|(number, _)| number).filter(chosen).collect();
        drop(objects);
        for &number in &numbers {
            self.does(deed, number);
        }
        numbers.len()
    }

    /// Does it to some pod or other.
    pub(super) fn does_to_any(&mut self, deed: Deed, draw: u64) {
        let pods = self.objects[POD].len() as u64;
        let number = usize::try_from(mix(draw) % pods.max(1)).unwrap_or(0);
        if one(&self.objects[POD], number).is_some() {
            self.does(deed, number);
        }
    }

    /// Makes pods: in the place of deleted ones first, then beyond the last.
    pub(super) fn create(&mut self, count: usize) {
        let free: Vec<usize> = self.objects[POD]
            .iter()
            .enumerate()
            .filter_map(|(number, state)| (!state.present).then_some(number))
            .take(count)
            .collect();
        for &number in &free {
            self.revive(number);
        }
        for _ in free.len()..count {
            let pods = Arc::make_mut(&mut self.objects[POD]);
            let number = pods.len();
            pods.push(State { version: 0, incarnation: 0, restarts: 0, touches: 0, present: true });
            self.change(number, Change::Added, |_| {});
        }
    }

    /// A fault that this request is to meet.
    pub(super) fn failure(&mut self) -> Option<u16> {
        let (status, left) = &mut self.faults.failing;
        *left = left.checked_sub(1)?;
        Some(*status)
    }

    /// How long watches are still silent.
    pub(super) fn silence(&self) -> Option<Duration> {
        let left = self.faults.stalled_until?.saturating_duration_since(Instant::now());
        (!left.is_zero()).then_some(left)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_stays_as_it_was_while_the_cluster_changes() {
        let mut cluster = Cluster::new(10);
        let (version, before) = cluster.snapshot(POD);
        cluster.does(Deed::Delete, 3);
        cluster.does(Deed::Restart, 4);
        assert_eq!(present(&before).count(), 10);
        assert_eq!(present(&cluster.now(POD)).count(), 9);
        assert_eq!(present(&cluster.at(POD, version).unwrap()).count(), 10);
        cluster.compact();
        assert!(cluster.at(POD, version).is_none());
    }

    #[test]
    fn a_watch_gets_each_change_since_its_version_or_learns_that_some_are_forgotten() {
        let mut cluster = Cluster::new(10);
        let start = cluster.version();
        assert_eq!(cluster.since(start, 9).unwrap().count(), 0);
        cluster.does(Deed::Replace, 7);
        let events: Vec<Event> = cluster.since(start, 9).unwrap().collect();
        assert_eq!(
            events.iter().map(|e| e.change).collect::<Vec<_>>(),
            [Change::Deleted, Change::Added]
        );
        assert_eq!(events[1].state.version, cluster.version());
        assert_eq!((events[0].state.incarnation, events[1].state.incarnation), (0, 1));
        assert_eq!(cluster.since(start, 1).unwrap().count(), 1);
        cluster.compact();
        assert!(cluster.since(start, 9).is_none());
        assert_eq!(cluster.since(cluster.version(), 9).unwrap().count(), 0);
    }

    #[test]
    fn a_share_is_about_that_share_and_a_deleted_place_is_taken_first() {
        let mut cluster = Cluster::new(10_000);
        let restarted = cluster.does_to_share(Deed::Restart, 0.01);
        assert!((60..140).contains(&restarted), "{restarted}");
        assert_eq!(cluster.does_to_share(Deed::Delete, 1.0), 10_000);
        cluster.create(10_001);
        assert_eq!(present(&cluster.now(POD)).count(), 10_001);
        assert_eq!(cluster.now(POD).len(), 10_001);
    }
}
