//! How the whole of a source reaches the reconciler: the newest state wins, nothing queues.

use std::sync::Arc;

use tokio::sync::watch;
use tokio::time::Instant;

use super::{BadTarget, Draft, Held, Target};

/// Everything that one source knows at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// Sorted by key, none twice.
    pub targets: Vec<Arc<Target>>,
    /// Sorted by service, address and origin.
    pub held: Vec<Held>,
}

impl Snapshot {
    /// Checks the drafts, whatever their order. Of two with one key the one with the smaller origin is taken, the other
    /// one is held back.
    pub fn new(drafts: impl IntoIterator<Item = Draft>, held: Vec<Held>) -> Self {
        let checked = drafts.into_iter().map(|draft| draft.check().map(Arc::new));
        Self::of(checked.chain(held.into_iter().map(Err)))
    }

    /// The same of drafts that have been checked.
    pub fn of(found: impl IntoIterator<Item = Result<Arc<Target>, Held>>) -> Self {
        let mut snapshot = Self::default();
        for one in found {
            match one {
                Ok(target) => snapshot.targets.push(target),
                Err(held) => snapshot.held.push(held),
            }
        }
        let Self { targets, held } = &mut snapshot;
        targets.sort_by(|a, b| (&a.key, &a.origin).cmp(&(&b.key, &b.origin)));
        targets.dedup_by(|next, kept| {
            let repeats = next.key == kept.key;
            if repeats {
                held.push(repeated(next, kept));
            }
            repeats
        });
        held.sort_by(|a, b| {
            (&a.service, &a.address, &a.origin).cmp(&(&b.service, &b.address, &b.origin))
        });
        snapshot
    }
}

/// `next` is held back because `kept` is there.
pub(crate) fn repeated(next: &Target, kept: &Target) -> Held {
    Held {
        service: (&*next.key.service).into(),
        address: next.key.host_port().into(),
        origin: (&*next.origin).into(),
        reason: BadTarget::Repeated((&*kept.origin).into()).to_string().into(),
    }
}

/// What is known of a source.
#[derive(Clone, Debug)]
pub struct State {
    /// The newest complete list. It stays when the source is lost: an API server that is down empties nothing.
    pub snapshot: Option<Arc<Snapshot>>,
    /// Why the snapshot is not there or may be old; `None` while the source vouches for it.
    pub unsynced: Option<Arc<str>>,
    /// When the source last vouched for its snapshot.
    pub confirmed: Option<Instant>,
}

/// A source's end. When it is dropped, the source counts as unsynced and its snapshot stays.
#[derive(Debug)]
pub struct Publisher {
    name: Arc<str>,
    state: watch::Sender<State>,
}

/// The reconciler's end.
#[derive(Clone, Debug)]
pub struct Subscription {
    pub name: Arc<str>,
    pub state: watch::Receiver<State>,
}

/// A source by its name for a person, such as `kubernetes` or `static /etc/registrar/*.yaml`. It starts unsynced.
pub fn source(name: impl Into<Arc<str>>) -> (Publisher, Subscription) {
    let name = name.into();
    let unsynced = Some("its first list is awaited".into());
    let (sender, receiver) = watch::channel(State { snapshot: None, unsynced, confirmed: None });
    (Publisher { name: Arc::clone(&name), state: sender }, Subscription { name, state: receiver })
}

impl Publisher {
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Hands on a complete list: what is not in it is to go. `held` are things the source itself leaves out, such as a
    /// pod without an address. Nobody is woken where nothing has changed.
    pub fn publish(&self, drafts: impl IntoIterator<Item = Draft>, held: Vec<Held>) {
        self.put(Snapshot::new(drafts, held));
    }

    /// The same for a source that checks its drafts when they come and keeps the targets.
    pub fn publish_found(&self, found: impl IntoIterator<Item = Result<Arc<Target>, Held>>) {
        self.put(Snapshot::of(found));
    }

    fn put(&self, snapshot: Snapshot) {
        self.state.send_if_modified(|state| {
            state.confirmed = Some(Instant::now());
            let was_unsynced = state.unsynced.take().is_some();
            let same = state.snapshot.as_deref() == Some(&snapshot);
            if !same {
                state.snapshot = Some(Arc::new(snapshot));
            }
            was_unsynced || !same
        });
    }

    /// Vouches for the last list: it has been read again, or the watch that follows it is alive. A source calls this or
    /// [`Self::publish`] at least once a minute, or a mass deletion is held back for as long as it does not.
    pub fn confirm(&self) {
        self.state.send_if_modified(|state| {
            if state.snapshot.is_none() {
                return false;
            }
            state.confirmed = Some(Instant::now());
            state.unsynced.take().is_some()
        });
    }

    /// The source is lost or not read yet; the last list stays. `reason` is for a person: `cannot list pods: 403`.
    pub fn unsynced(&self, reason: impl Into<Arc<str>>) {
        let reason = reason.into();
        self.state.send_if_modified(|state| {
            let news = state.unsynced.as_ref() != Some(&reason);
            state.unsynced = Some(reason);
            news
        });
    }

    /// Ends when nobody listens any more: the source may stop.
    pub async fn closed(&self) {
        self.state.closed().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draft(address: &str, origin: &str) -> Draft {
        Draft {
            service: "a".into(),
            address: address.into(),
            port: "1".into(),
            origin: origin.into(),
            ..Draft::default()
        }
    }

    #[test]
    fn a_snapshot_does_not_depend_on_the_order_of_the_drafts() {
        let mut drafts =
            vec![draft("10.0.0.2", "x"), draft("10.0.0.1", "y"), draft("10.0.0.1", "x")];
        let one = Snapshot::new(drafts.clone(), Vec::new());
        drafts.reverse();
        assert_eq!(one, Snapshot::new(drafts, Vec::new()));
        assert_eq!(one.targets.len(), 2);
        assert_eq!(&*one.targets[0].origin, "x");
        assert_eq!(&*one.held[0].reason, "the same service, address and port come from x, too");
    }

    #[test]
    fn a_lost_source_keeps_its_last_list() {
        let (publisher, subscription) = source("a test");
        publisher.confirm();
        assert!(subscription.state.borrow().unsynced.is_some());
        publisher.publish([draft("10.0.0.1", "x")], Vec::new());
        assert!(subscription.state.borrow().unsynced.is_none());
        publisher.unsynced("gone");
        let state = subscription.state.borrow();
        assert_eq!(state.unsynced.as_deref(), Some("gone"));
        assert_eq!(state.snapshot.as_ref().unwrap().targets.len(), 1);
    }

    #[test]
    fn the_same_list_again_wakes_nobody() {
        let (publisher, mut subscription) = source("a test");
        publisher.publish([draft("10.0.0.1", "x")], Vec::new());
        assert!(subscription.state.has_changed().unwrap());
        subscription.state.mark_unchanged();
        publisher.publish([draft("10.0.0.1", "x")], Vec::new());
        publisher.confirm();
        assert!(!subscription.state.has_changed().unwrap());
    }
}
