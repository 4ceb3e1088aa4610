//! Waiting longer after each failure, and never in step with the other nodes.

use std::hash::{BuildHasher as _, RandomState};
use std::time::Duration;

#[derive(Debug)]
pub(super) struct Pause {
    first: Duration,
    last: Duration,
    next: Duration,
}

impl Pause {
    pub(super) fn new(first: Duration, last: Duration) -> Self {
        Self { first, last, next: first }
    }

    pub(super) fn reset(&mut self) {
        self.next = self.first;
    }

    /// Half of it is left to chance.
    pub(super) fn next(&mut self) -> Duration {
        let now = self.next;
        self.next = (now * 2).min(self.last);
        // A new state differs from the last one by chance.
        let chance = u32::try_from(RandomState::new().hash_one(0) >> 32).unwrap_or_default();
        now / 2 + now.mul_f64(f64::from(chance) / f64::from(u32::MAX) / 2.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_doubles_up_to_the_last_and_starts_anew() {
        let mut pause = Pause::new(Duration::from_secs(1), Duration::from_secs(4));
        for full in [1, 2, 4, 4] {
            let full = Duration::from_secs(full);
            let wait = pause.next();
            assert!(wait >= full / 2 && wait <= full, "{wait:?} of {full:?}");
        }
        pause.reset();
        assert!(pause.next() <= Duration::from_secs(1));
    }
}
