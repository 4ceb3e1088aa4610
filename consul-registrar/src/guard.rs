//! Never a deletion by ignorance: what may be deleted now, and what waits until its absence is certain.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use tokio::time::Instant;

/// Two complete lists that lie this far apart must agree before a mass of rows is deleted.
pub const APART: Duration = Duration::from_mins(1);

/// A row that this process has never wanted may belong to a replica whose source was quicker.
pub const GRACE: Duration = Duration::from_secs(5);

/// So many rows may always be deleted within [`APART`].
const ALWAYS: usize = 10;

/// A row that is registered and that no source has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gone {
    pub id: Box<str>,
    /// Whether this process has wanted it before.
    pub known: bool,
}

/// What a pass may do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Decision {
    /// Sorted as they were given.
    pub released: Vec<Box<str>>,
    /// Rows that stay for now.
    pub held: usize,
    /// Why, for a person.
    pub reason: Option<String>,
    /// When to look again.
    pub again: Option<Instant>,
}

#[derive(Clone, Debug)]
pub struct Guard {
    /// The share of the rows that may be deleted within [`APART`]; from 1 on nothing is held.
    pub max_ratio: f64,
    /// How long rows of others are left alone.
    pub grace: Duration,
    since: BTreeMap<Box<str>, Instant>,
    recent: VecDeque<(Instant, usize)>,
}

impl Guard {
    pub fn new(max_ratio: f64) -> Self {
        Self { max_ratio, grace: GRACE, since: BTreeMap::new(), recent: VecDeque::new() }
    }

    /// `gone` are all rows that are registered and unwanted now, `rows` is how many are registered. `vouched` is when the
    /// source that has been silent longest vouched for its list, or why there is none.
    pub fn decide(
        &mut self,
        now: Instant,
        gone: Vec<Gone>,
        rows: usize,
        vouched: Result<Instant, String>,
    ) -> Decision {
        let before = std::mem::take(&mut self.since);
        let vouched = match vouched {
            Ok(vouched) => vouched,
            Err(reason) => {
                let reason = (!gone.is_empty()).then_some(reason);
                return Decision { held: gone.len(), reason, ..Decision::default() };
            }
        };
        let (mut due, mut waiting) = (Vec::new(), Vec::new());
        for Gone { id, known } in gone {
            let since = before.get(&id).copied().unwrap_or(now);
            self.since.insert(id.clone(), since);
            let wait = if known { Duration::ZERO } else { self.grace };
            if since + wait <= now { due.push((id, since)) } else { waiting.push(since + wait) }
        }
        let mut decision = self.judge(now, due, rows, vouched);
        decision.held += waiting.len();
        decision.again = decision.again.into_iter().chain(waiting).min();
        decision
    }

    fn judge(
        &mut self,
        now: Instant,
        due: Vec<(Box<str>, Instant)>,
        rows: usize,
        vouched: Instant,
    ) -> Decision {
        while self.recent.front().is_some_and(|(at, _)| *at + APART <= now) {
            self.recent.pop_front();
        }
        let recent: usize = self.recent.iter().map(|(_, count)| count).sum();
        if due.len() + recent <= self.most(rows + recent) {
            if !due.is_empty() {
                self.recent.push_back((now, due.len()));
            }
            return Decision { released: self.release(due), ..Decision::default() };
        }
        let total = due.len();
        let (sure, unsure): (Vec<_>, Vec<_>) =
            due.into_iter().partition(|(_, since)| *since + APART <= vouched);
        let again = unsure.iter().map(|(_, since)| (*since + APART).max(now + GRACE)).min();
        let reason = (!unsure.is_empty()).then(|| {
            format!(
                "{total} of {rows} rows would go, more than --max-delete-ratio={} allows: they stay until complete lists \
                 of all sources have agreed for {} s",
                self.max_ratio,
                APART.as_secs()
            )
        });
        Decision { released: self.release(sure), held: unsure.len(), reason, again }
    }

    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a share of a count is a count"
    )]
    fn most(&self, rows: usize) -> usize {
        if self.max_ratio >= 1.0 {
            return usize::MAX;
        }
        ((rows as f64 * self.max_ratio) as usize).max(ALWAYS)
    }

    fn release(&mut self, due: Vec<(Box<str>, Instant)>) -> Vec<Box<str>> {
        due.into_iter()
            .map(|(id, _)| {
                self.since.remove(&id);
                id
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gone(count: usize, known: bool) -> Vec<Gone> {
        (0..count).map(|n| Gone { id: format!("{n:05}").into(), known }).collect()
    }

    #[test]
    fn a_few_rows_go_at_once() {
        let (mut guard, now) = (Guard::new(0.2), Instant::now());
        let decision = guard.decide(now, gone(10, true), 10, Ok(now));
        assert_eq!((decision.released.len(), decision.held), (10, 0));
        let decision = guard.decide(now + APART, gone(200, true), 1000, Ok(now));
        assert_eq!((decision.released.len(), decision.held), (200, 0));
    }

    #[test]
    fn nothing_goes_while_a_source_is_unknown() {
        let (mut guard, now) = (Guard::new(1.0), Instant::now());
        let decision = guard.decide(now, gone(3, true), 10, Err("a is away".to_owned()));
        assert_eq!((decision.released.len(), decision.held), (0, 3));
        assert_eq!(decision.reason.as_deref(), Some("a is away"));
    }

    #[test]
    fn a_mass_waits_until_a_later_list_agrees() {
        let (mut guard, start) = (Guard::new(0.2), Instant::now());
        let decision = guard.decide(start, gone(500, true), 1000, Ok(start));
        assert_eq!((decision.released.len(), decision.held), (0, 500));
        let later = start + APART * 2;
        let decision = guard.decide(later, gone(500, true), 1000, Ok(start + APART / 2));
        assert_eq!(decision.held, 500, "no source has vouched again");
        let decision = guard.decide(later, gone(500, true), 1000, Ok(start + APART));
        assert_eq!((decision.released.len(), decision.held), (500, 0));
    }

    #[test]
    fn what_comes_back_in_between_starts_anew() {
        let (mut guard, start) = (Guard::new(0.2), Instant::now());
        guard.decide(start, gone(500, true), 1000, Ok(start));
        guard.decide(start + APART / 2, gone(0, true), 1000, Ok(start + APART / 2));
        let later = start + APART;
        let decision = guard.decide(later, gone(500, true), 1000, Ok(later));
        assert_eq!(decision.held, 500);
    }

    #[test]
    fn a_mass_in_small_steps_is_a_mass() {
        let (mut guard, start) = (Guard::new(0.2), Instant::now());
        let mut released = 0;
        for step in 0..100_u32 {
            let now = start + Duration::from_millis(100) * step;
            released += guard.decide(now, gone(9, true), 1000 - released, Ok(now)).released.len();
        }
        assert!(released <= 200, "{released}");
    }

    #[test]
    fn a_row_of_somebody_else_has_its_time_of_grace() {
        let (mut guard, start) = (Guard::new(0.2), Instant::now());
        let decision = guard.decide(start, gone(1, false), 10, Ok(start));
        assert_eq!((decision.held, decision.again), (1, Some(start + GRACE)));
        let decision = guard.decide(start + GRACE, gone(1, false), 10, Ok(start));
        assert_eq!(decision.released.len(), 1);
    }
}
