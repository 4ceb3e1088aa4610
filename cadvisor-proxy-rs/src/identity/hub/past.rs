//! What was there a while ago: cAdvisor serves a container's series for minutes after its end.

use std::collections::HashMap;
use std::hash::Hash;
use std::time::Duration;

use tokio::time::Instant;

use crate::identity::facts::Merged;

const KEPT: Duration = Duration::from_mins(5);
/// Pods, and containers; beyond that the oldest go first.
const MOST: usize = 4096;

#[derive(Debug, Default)]
pub(super) struct Past {
    merged: Merged,
    pods: HashMap<String, Instant>,
    containers: HashMap<String, Instant>,
}

impl Past {
    pub(super) fn merged(&self) -> &Merged {
        &self.merged
    }

    /// What was in `before` and is not in `after` is kept; what has come back is not past.
    pub(super) fn remember(&mut self, before: &Merged, after: &Merged, now: Instant) {
        remember(&mut self.merged.pods, &mut self.pods, &before.pods, &after.pods, now);
        let (containers, since) = (&mut self.merged.containers, &mut self.containers);
        remember(containers, since, &before.containers, &after.containers, now);
        self.forget(now);
    }

    /// Lets go of what is old; true where there was such.
    pub(super) fn forget(&mut self, now: Instant) -> bool {
        let before = self.pods.len() + self.containers.len();
        forget(&mut self.merged.pods, &mut self.pods, now);
        forget(&mut self.merged.containers, &mut self.containers, now);
        before != self.pods.len() + self.containers.len()
    }
}

fn remember<K: Clone + Eq + Hash, V: Clone>(
    kept: &mut HashMap<K, V>,
    since: &mut HashMap<K, Instant>,
    before: &HashMap<K, V>,
    after: &HashMap<K, V>,
    now: Instant,
) {
    for (key, value) in before.iter().filter(|(key, _)| !after.contains_key(*key)) {
        kept.insert(key.clone(), value.clone());
        since.insert(key.clone(), now);
    }
    kept.retain(|key, _| !after.contains_key(key));
    since.retain(|key, _| !after.contains_key(key));
}

fn forget<K: Eq + Hash, V>(
    kept: &mut HashMap<K, V>,
    since: &mut HashMap<K, Instant>,
    now: Instant,
) {
    since.retain(|_, gone| now.duration_since(*gone) < KEPT);
    if since.len() > MOST {
        let mut times: Vec<Instant> = since.values().copied().collect();
        times.sort_unstable();
        let oldest = times.get(times.len() - MOST).copied();
        since.retain(|_, gone| Some(*gone) > oldest);
    }
    kept.retain(|key, _| since.contains_key(key));
}
