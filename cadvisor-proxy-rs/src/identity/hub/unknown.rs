//! Ids that no source knows: each is asked for again, less and less often.

use std::collections::HashMap;
use std::time::Duration;

use tokio::time::Instant;

const FIRST: Duration = Duration::from_secs(1);
/// A sandbox, which the kubelet does not name, and a container of another runtime stay unknown for ever.
const LAST: Duration = Duration::from_mins(10);
const MOST: usize = 4096;

#[derive(Debug, Default)]
pub(super) struct Unknown {
    ids: HashMap<Box<[u8]>, Question>,
}

#[derive(Debug)]
struct Question {
    next: Instant,
    wait: Duration,
}

impl Unknown {
    /// True where the sources should look now.
    pub(super) fn is_due(&mut self, id: &[u8], now: Instant) -> bool {
        if let Some(question) = self.ids.get_mut(id) {
            let due = now >= question.next;
            if due {
                question.wait = (question.wait * 2).min(LAST);
                question.next = now + question.wait;
            }
            return due;
        }
        let room = self.ids.len() < MOST;
        if room {
            self.ids.insert(id.into(), Question { next: now + FIRST, wait: FIRST });
        }
        room
    }

    /// Forgets what nobody has asked for in a while.
    pub(super) fn tidy(&mut self, now: Instant) {
        self.ids.retain(|_, question| now < question.next + LAST);
    }
}
