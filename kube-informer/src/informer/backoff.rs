//! Waiting longer after each failure, and never in step with others.

use std::hash::{BuildHasher as _, RandomState};
use std::time::Duration;

/// No API server is left alone longer, whatever it asks for.
const LONGEST: Duration = Duration::from_mins(5);

#[derive(Debug)]
pub(crate) struct Backoff {
    first: Duration,
    last: Duration,
    next: Duration,
    chance: Chance,
}

impl Backoff {
    pub(crate) fn new(first: Duration, last: Duration) -> Self {
        Self { first, last, next: first, chance: Chance::new() }
    }

    pub(crate) fn reset(&mut self) {
        self.next = self.first;
    }

    /// How long to wait now: half of it is left to chance, as all clients of a server that went away come back at once.
    pub(crate) fn next(&mut self) -> Duration {
        let now = self.next;
        self.next = (now * 2).min(self.last);
        now / 2 + now.mul_f64(self.chance.fraction() / 2.0)
    }

    /// The same, and at least as long as the server asked for.
    pub(crate) fn next_after(&mut self, asked: Option<Duration>) -> Duration {
        self.next().max(asked.unwrap_or_default().min(LONGEST))
    }

    /// A time between `least` and twice that.
    pub(crate) fn spread(&mut self, least: Duration) -> Duration {
        least.mul_f64(1.0 + self.chance.fraction())
    }
}

/// Chance that is good enough to spread requests over time.
#[derive(Debug)]
struct Chance {
    seed: RandomState,
    drawn: u64,
}

impl Chance {
    fn new() -> Self {
        Self { seed: RandomState::new(), drawn: 0 }
    }

    /// From 0 to 1.
    fn fraction(&mut self) -> f64 {
        self.drawn += 1;
        let bits = u32::try_from(self.seed.hash_one(self.drawn) >> 32).unwrap_or_default();
        f64::from(bits) / f64::from(u32::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: Duration = Duration::from_secs(1);
    const LAST: Duration = Duration::from_mins(1);

    #[test]
    fn waits_double_up_to_the_last_and_start_anew_after_success() {
        let mut backoff = Backoff::new(FIRST, LAST);
        for full in [1, 2, 4, 8, 16, 32, 60, 60] {
            let full = Duration::from_secs(full);
            let wait = backoff.next();
            assert!(wait >= full / 2 && wait <= full, "{wait:?} of {full:?}");
        }
        backoff.reset();
        assert!(backoff.next() <= FIRST);
    }

    #[test]
    fn a_server_is_left_alone_as_long_as_it_asks_but_not_for_ever() {
        let mut backoff = Backoff::new(FIRST, LAST);
        assert_eq!(backoff.next_after(Some(Duration::from_secs(7))), Duration::from_secs(7));
        assert_eq!(backoff.next_after(Some(Duration::MAX)), LONGEST);
        assert!(backoff.next_after(Some(Duration::ZERO)) >= FIRST);
    }

    #[test]
    fn two_clients_do_not_come_back_in_step() {
        let waits = |mut backoff: Backoff| (0..4).map(|_| backoff.next()).collect::<Vec<_>>();
        assert_ne!(waits(Backoff::new(FIRST, LAST)), waits(Backoff::new(FIRST, LAST)));
    }

    #[test]
    fn watches_end_at_different_times() {
        let spread = Backoff::new(FIRST, LAST).spread(LAST);
        assert!(spread >= LAST && spread <= LAST * 2, "{spread:?}");
    }
}
