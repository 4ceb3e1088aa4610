//! What the informers told, as far as rules want it: targets, and for `source: endpoints` the services and what is
//! behind them.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use kube_informer::Status;
use tokio::sync::Notify;

use super::evaluate::Found;
use super::object::{Node, Pod, Service};
use super::rules::{From, Pairs, Rules};
use super::slice::{self, Slice};

/// A resource that rules may need.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Nodes,
    Pods,
    Services,
    Slices,
}

impl Kind {
    pub(super) fn plural(self) -> &'static str {
        match self {
            Self::Nodes => "nodes",
            Self::Pods => "pods",
            Self::Services => "services",
            Self::Slices => "endpoint slices",
        }
    }

    /// What the rules look at, and nothing else.
    pub(super) fn needed(rules: &Rules) -> Vec<Self> {
        let any = |from| rules.any(from);
        let services = any(From::Service) || any(From::Endpoints);
        let needs = [
            (Self::Nodes, any(From::Node)),
            (Self::Pods, any(From::Pod)),
            (Self::Services, services),
            (Self::Slices, any(From::Endpoints)),
        ];
        needs.into_iter().filter(|(_, needed)| *needed).map(|(kind, _)| kind).collect()
    }
}

/// Everything known of one cluster.
pub(super) struct Store {
    pub rules: Rules,
    fixed: Vec<Found>,
    parts: Mutex<BTreeMap<Kind, Part>>,
    /// Told when [`Store::all`] may have changed.
    pub news: Notify,
}

#[derive(Default)]
struct Part {
    items: BTreeMap<Box<str>, Item>,
    /// Of the list that is being read.
    generation: u64,
    /// A whole list has been read.
    synced: bool,
    /// Why what is known may be old.
    problem: Option<String>,
}

struct Item {
    generation: u64,
    content: Content,
}

/// What is kept of an object.
#[derive(Default, PartialEq)]
pub(super) struct Content {
    found: Vec<Found>,
    /// Of a service whose endpoints are wanted.
    facts: Option<Box<(Pairs, Pairs)>>,
    slices: Vec<Slice>,
    /// It has no address now: a node that restarts its kubelet may be so for a while. What it had is the best there is.
    lost: bool,
}

/// How complete it is.
pub(super) enum Standing {
    /// All first lists have been read, and all watches are open.
    Good,
    /// All first lists have been read, but something fails since.
    Old(String),
    /// A first list is awaited.
    Incomplete(String),
}

impl Store {
    pub(super) fn new(rules: Rules) -> Self {
        let kinds = Kind::needed(&rules);
        let parts = kinds.into_iter().map(|kind| (kind, Part::default())).collect();
        Self { fixed: rules.fixed(), rules, parts: Mutex::new(parts), news: Notify::new() }
    }

    fn parts(&self) -> MutexGuard<'_, BTreeMap<Kind, Part>> {
        self.parts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn with(&self, kind: Kind, change: impl FnOnce(&mut Part) -> bool) {
        let changed = self.parts().get_mut(&kind).is_some_and(change);
        if changed {
            self.news.notify_one();
        }
    }

    /// A new list begins; what is known stays until it is complete.
    pub(super) fn begin(&self, kind: Kind) {
        self.with(kind, |part| {
            part.generation += 1;
            false
        });
    }

    /// The list is complete: what did not come is gone.
    pub(super) fn listed(&self, kind: Kind) {
        self.with(kind, |part| {
            let generation = part.generation;
            part.items.retain(|_, item| item.generation == generation);
            part.synced = true;
            true
        });
    }

    /// The object is there in this form.
    pub(super) fn set(&self, kind: Kind, key: String, content: Content) {
        self.with(kind, |part| {
            let generation = part.generation;
            let key = key.into_boxed_str();
            if content == Content::default() {
                return part.items.remove(&key).is_some();
            }
            let item = Item { generation, content };
            match part.items.get_mut(&key) {
                Some(known) if known.content == item.content || item.content.lost => {
                    known.generation = generation;
                    false
                }
                Some(known) => {
                    *known = item;
                    true
                }
                None => {
                    part.items.insert(key, item);
                    true
                }
            }
        });
    }

    /// The object is there, but nobody can read it: what is known of it stays.
    pub(super) fn keep(&self, kind: Kind, key: &str) {
        self.with(kind, |part| {
            let generation = part.generation;
            if let Some(item) = part.items.get_mut(key) {
                item.generation = generation;
            }
            false
        });
    }

    pub(super) fn remove(&self, kind: Kind, key: &str) {
        self.with(kind, |part| part.items.remove(key).is_some());
    }

    /// How the informer stands. A resource that is no longer served keeps what it had: nothing is deleted on ignorance.
    pub(super) fn status(&self, kind: Kind, status: &Status) {
        let problem = match status {
            Status::Following => None,
            other => Some(format!("{}: {other}", kind.plural())),
        };
        self.with(kind, |part| std::mem::replace(&mut part.problem, problem.clone()) != problem);
    }

    pub(super) fn standing(&self) -> Standing {
        let parts = self.parts();
        let problems = parts.values().filter_map(|part| part.problem.clone());
        let problems = problems.collect::<Vec<_>>().join("; ");
        let unread = parts.iter().find(|(_, part)| !part.synced);
        match unread {
            Some(_) if !problems.is_empty() => Standing::Incomplete(problems),
            Some((kind, _)) => {
                Standing::Incomplete(format!("{}: the first list is awaited", kind.plural()))
            }
            None if problems.is_empty() => Standing::Good,
            None => Standing::Old(problems),
        }
    }

    /// All targets, and what is held back.
    pub(super) fn all(&self) -> Vec<Found> {
        let parts = self.parts();
        let mut all = self.fixed.clone();
        for item in parts.values().flat_map(|part| part.items.values()) {
            all.extend(item.content.found.iter().cloned());
        }
        let (Some(slices), Some(services)) = (parts.get(&Kind::Slices), parts.get(&Kind::Services))
        else {
            return all;
        };
        for (key, item) in &slices.items {
            let namespace = key.split('/').next().unwrap_or_default();
            for slice in &item.content.slices {
                let service = services.items.get(format!("{namespace}/{}", slice.service).as_str());
                if let Some(facts) = service.and_then(|item| item.content.facts.as_deref()) {
                    self.rules.endpoints(namespace, slice, facts, &mut all);
                }
            }
        }
        all
    }

    /// Reads an object. `endpoints` says that slices come as core Endpoints.
    pub(super) fn read(
        &self,
        kind: Kind,
        endpoints: bool,
        (namespace, name): (&str, &str),
        raw: &str,
    ) -> Result<Content, serde_json::Error> {
        let mut content = Content::default();
        match kind {
            Kind::Nodes => {
                let mut node: Node = serde_json::from_str(raw)?;
                content.lost = !node.has_address();
                content.found = self.rules.node(name, &mut node);
            }
            Kind::Pods => {
                let mut pod: Pod = serde_json::from_str(raw)?;
                content.found = self.rules.pod(namespace, name, &mut pod);
            }
            Kind::Services => {
                let mut service: Service = serde_json::from_str(raw)?;
                let facts = service.metadata.clone().pairs();
                content.found = self.rules.service(namespace, name, &mut service);
                let wanted = self.rules.wants_endpoints(namespace, name, &facts);
                content.facts = wanted.then(|| Box::new(facts));
            }
            Kind::Slices if endpoints => content.slices = slice::of_endpoints(name, raw)?,
            Kind::Slices => content.slices = slice::of_slice(raw)?,
        }
        Ok(content)
    }
}

#[cfg(test)]
mod tests;
