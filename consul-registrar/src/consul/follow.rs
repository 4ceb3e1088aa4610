//! Keeps Consul as published: what is read, what is written, and how long after a failure it is tried again.

use std::collections::BTreeMap;
use std::hash::{BuildHasher as _, RandomState};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};

use super::apply::{Report, apply, make_node};
use super::client::{Consul, ConsulError, Listing};
use super::mirror::{Mirror, Plan, ReadError};
use crate::catalog::{Found, Published};
use crate::own::Counts;
use crate::row::Identity;

/// Own writes wake the query, too, and each answer is the whole list.
const LISTS_APART: Duration = Duration::from_secs(10);
const FIRST_RETRY: Duration = Duration::from_millis(250);
/// Rows that the token may not write are tried again after this.
const DENIED: Duration = Duration::from_secs(8);
/// Rounds without progress before what is refused counts as unreadable.
const MOST_ROUNDS: u32 = 3;

/// What is known of Consul, for the catalog and for people.
#[derive(Clone, Debug, Default)]
pub struct View {
    /// Whether our node was read since the start.
    pub read: bool,
    pub found: Arc<[Found]>,
    /// Rows of ours in Consul.
    pub rows: usize,
    /// Why Consul is not as published.
    pub error: Option<String>,
    /// Rows that Consul does not take, by id, with its reason.
    pub blocked: BTreeMap<Box<str>, String>,
    /// When Consul was last as published.
    pub settled: Option<Instant>,
    /// What was published then.
    pub generation: u64,
    pub address: String,
    /// Whether somebody else has rows on our node.
    pub shared: bool,
}

/// What a refused row waits for: its change, or the next session.
type Blocked = BTreeMap<Box<str>, (u64, String)>;

pub struct Follower {
    pub consul: Arc<Consul>,
    pub identity: Arc<Identity>,
    pub published: watch::Receiver<Arc<Published>>,
    pub view: watch::Sender<View>,
    pub counts: Arc<Counts>,
    /// Pauses after failures grow to this and are drawn from nought to it, so that many agents spread over it.
    pub longest_pause: Duration,
}

type Query<'a> = Pin<Box<dyn Future<Output = Result<Listing, ConsulError>> + Send + 'a>>;

impl Follower {
    /// Never ends: a Consul that is away is tried again.
    pub async fn run(mut self) {
        let mut failures = 0;
        loop {
            let began = Instant::now();
            let Err(error) = Box::pin(self.session()).await else { return };
            self.counts.consul_errors.inc();
            failures = if began.elapsed() > Duration::from_mins(1) { 0 } else { failures + 1 };
            let pause = pause(self.longest_pause, failures, error.is_denied());
            tracing::warn!(%error, ?pause, "Consul is not as it should be, trying again");
            self.view.send_modify(|view| {
                view.error = Some(error.to_string());
                view.address = self.consul.address();
            });
            sleep(pause).await;
        }
    }

    /// From the first list to the first failure. `Ok` where nobody publishes any more.
    async fn session(&mut self) -> Result<(), ConsulError> {
        let consul = Arc::clone(&self.consul);
        let first = consul.services(None).await?;
        let mut index = first.index;
        let mut mirror = self.read(first)?;
        let (mut written, mut blocked, mut rounds) = (0, Blocked::new(), 0);
        let mut listed = Instant::now();
        let mut query: Query<'_> = Box::pin(consul.services(Some(index.max(1))));
        loop {
            let report = Box::pin(self.settle(&mut mirror, &mut blocked)).await?;
            written = report.index.max(written);
            if report.stale {
                let progress = report.registered + report.deregistered > 0;
                rounds = if progress { 0 } else { rounds + 1 };
                if rounds > MOST_ROUNDS {
                    return Err(ConsulError::Blind { node: consul.node.clone() });
                }
                sleep(FIRST_RETRY).await;
                mirror = self.read(consul.services(None).await?)?;
                self.show(&mirror, &blocked, false);
                continue;
            }
            rounds = 0;
            tokio::select! {
                changed = self.published.changed() => if changed.is_err() { return Ok(()) },
                () = sleep(DENIED), if blocked.values().any(|(_, why)| why == DENIED_WHY) => {
                    blocked.retain(|_, (_, why)| why != DENIED_WHY);
                }
                answer = &mut query => {
                    let list = answer?;
                    // An index that goes back is that of another past (Consul's rule for blocking queries).
                    index = if list.index < index { 0 } else { list.index };
                    if list.index >= written || index == 0 {
                        mirror = self.read(list)?;
                        blocked.retain(|id, _| !mirror.rows.contains_key(id) || mirror.found.contains_key(id));
                        written = 0;
                        listed = Instant::now();
                    }
                    let (consul, after, due) = (&*consul, index.max(1), listed + LISTS_APART);
                    query = Box::pin(async move {
                        // A Consul that lost its data in the pause would let a query for the old index wait for long.
                        if due > Instant::now() {
                            sleep_until(due).await;
                            let list = consul.services(None).await?;
                            if list.index != after {
                                return Ok(list);
                            }
                        }
                        consul.services(Some(after)).await
                    });
                }
            }
        }
    }

    fn read(&self, list: Listing) -> Result<Mirror, ConsulError> {
        self.counts.lists.inc();
        let published = Arc::clone(&self.published.borrow());
        let read = Mirror::read(&list.body, &self.consul.node, &self.identity, &published);
        let mirror = read.map_err(|error| match error {
            ReadError::Json(error) => self.consul.unreadable(&error),
            ReadError::Foreign(error) => error,
        })?;
        drop(list);
        exporter_toolkit::memory::trim();
        // The groups that are registered count before the first plan is made.
        self.view.send_modify(|view| {
            view.read = true;
            view.found = mirror.found();
            view.rows = mirror.rows.len();
        });
        Ok(mirror)
    }

    /// Writes what is to be written now.
    async fn settle(
        &mut self,
        mirror: &mut Mirror,
        blocked: &mut Blocked,
    ) -> Result<Report, ConsulError> {
        let published = Arc::clone(&self.published.borrow_and_update());
        if !published.complete {
            self.show(mirror, blocked, false);
            return Ok(Report::default());
        }
        mirror.forget_settled(&self.identity, &published);
        let left_out =
            |id: &str, digest: u64| blocked.get(id).is_some_and(|(refused, _)| *refused == digest);
        let plan = Plan::new(&self.identity, &published, mirror, left_out);
        let mut report = Report::default();
        if let Some(index) = mirror.unmarked {
            report.stale = !make_node(&self.consul, &self.identity.owner, index).await?;
            mirror.unmarked = None;
        }
        if !plan.is_empty() && !mirror.node {
            report.stale = !make_node(&self.consul, &self.identity.owner, 0).await?;
            mirror.node = true;
        }
        if !plan.is_empty() && !report.stale {
            report = Box::pin(apply(&self.consul, &self.identity, &plan, mirror)).await;
            self.count(&report);
        }
        for id in &plan.taken {
            blocked.insert(id.clone(), (u64::MAX, "somebody else's row has this id".to_owned()));
        }
        let poison = report.poison.drain(..).map(|(id, digest, why)| (id, (digest, why)));
        for (id, (digest, why)) in poison {
            tracing::warn!(%id, %why, "Consul does not take this target");
            blocked.insert(id, (digest, why));
        }
        for (id, digest, _) in report.denied.drain(..) {
            blocked.insert(id, (digest, DENIED_WHY.to_owned()));
        }
        let settled = report.failed.is_none() && !report.stale;
        self.show(mirror, blocked, settled);
        // A deletion that was refused is still to be made.
        if settled && blocked.values().all(|(refused, _)| *refused != 0) {
            let generation = published.generation;
            self.view.send_if_modified(|view| {
                view.generation = generation;
                false
            });
        }
        match report.failed.take() {
            Some(error) => Err(error),
            None => Ok(report),
        }
    }

    fn count(&self, report: &Report) {
        self.counts.transactions.inc_by(report.transactions);
        self.counts.registered.inc_by(report.registered);
        self.counts.deregistered.inc_by(report.deregistered);
        let (set, deleted) = (report.registered, report.deregistered);
        tracing::debug!(set, deleted, transactions = report.transactions, "Consul written");
    }

    fn show(&self, mirror: &Mirror, blocked: &Blocked, settled: bool) {
        self.view.send_if_modified(|view| {
            let found = mirror.found();
            let news = view.found != found || !view.read;
            view.read = true;
            view.found = found;
            view.rows = mirror.rows.len();
            view.shared = !mirror.foreign.is_empty();
            view.blocked = blocked.iter().map(|(id, (_, why))| (id.clone(), why.clone())).collect();
            view.address = self.consul.address();
            if settled {
                view.settled = Some(Instant::now());
                view.error = None;
            }
            news
        });
    }
}

const DENIED_WHY: &str = "the token may not write this service";

/// Full jitter: of all pauses up to the longest any may come, so that agents that failed together return apart.
fn pause(longest: Duration, failures: u32, denied: bool) -> Duration {
    let grown = FIRST_RETRY.saturating_mul(1 << failures.min(16)).min(longest);
    let most = if denied { longest } else { grown };
    let part = RandomState::new().hash_one(failures) % 1024;
    let drawn = most.saturating_mul(u32::try_from(part).unwrap_or(0)) / 1024;
    drawn.max(FIRST_RETRY / 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thousand_hosts_that_lost_one_consul_come_back_over_half_a_minute() {
        let longest = Duration::from_secs(40);
        for (failures, denied) in [(9, false), (1, true)] {
            let mut seconds = [0_u32; 41];
            for _ in 0..1000 {
                let pause = pause(longest, failures, denied);
                seconds[usize::try_from(pause.as_secs()).unwrap()] += 1;
            }
            // 25 a second on average; more than 75 do not come about in the age of the universe.
            assert!(seconds.iter().all(|count| *count < 75), "{seconds:?}");
            assert!(seconds[..5].iter().sum::<u32>() > 0 && seconds[35..].iter().sum::<u32>() > 0);
        }
    }

    #[test]
    fn the_one_agent_of_a_cluster_is_back_within_seconds() {
        for failures in 0..40 {
            let pause = pause(Duration::from_secs(5), failures, false);
            assert!(pause >= FIRST_RETRY / 2 && pause <= Duration::from_secs(5), "{pause:?}");
        }
    }
}
