//! What one source knows, and one directory made of what several know.

use std::collections::HashMap;
use std::sync::Arc;

use super::{Container, Directory, Pod};

/// All that one source knows at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    pub pods: Vec<PodFacts>,
    pub containers: Vec<ContainerFacts>,
    /// See [`Directory::own`].
    pub own: Option<Pod>,
}

/// A pod as one source sees it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PodFacts {
    pub pod: Pod,
    /// `kubernetes.io/config.hash` of a mirror pod: the uid that its static pod has on its node.
    pub hash: Option<String>,
    /// Its sandbox is gone, and with it its address: what other sources say of that is of the past.
    pub lost: bool,
}

/// A container as one source sees it; its pod is put in when all sources are put together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ContainerFacts {
    pub container: Container,
    /// The uid of its pod.
    pub pod: Option<String>,
}

impl From<Pod> for PodFacts {
    fn from(pod: Pod) -> Self {
        Self { pod, hash: None, lost: false }
    }
}

/// Pods and containers of several sources, by the uids and ids under which they are found.
#[derive(Debug, Default)]
pub(super) struct Merged {
    pub(super) pods: HashMap<String, PodFacts>,
    pub(super) containers: HashMap<String, ContainerFacts>,
    pub(super) own: Option<Pod>,
}

impl Merged {
    /// Of all sources; where two differ, the one that comes first is right.
    pub(super) fn of<'a>(sources: impl IntoIterator<Item = &'a Facts>) -> Self {
        let mut merged = Self::default();
        let sources: Vec<&Facts> = sources.into_iter().collect();
        let pods = || sources.iter().flat_map(|facts| &facts.pods);
        // A pod may be annotated with any hash: that alone does not make it another one's mirror, so a uid comes first.
        pods().filter(|told| told.hash.is_none()).for_each(|told| merged.pod(told));
        pods().filter(|told| told.hash.is_some()).for_each(|told| merged.pod(told));
        for facts in sources {
            facts.containers.iter().for_each(|told| merged.container(told));
            merged.own = merged.own.or_else(|| facts.own.clone());
        }
        merged
    }

    fn pod(&mut self, told: &PodFacts) {
        let key = told.hash.as_ref().unwrap_or(&told.pod.uid);
        match self.pods.get_mut(key) {
            Some(known) if known.pod.names_differ(&told.pod) => {}
            Some(known) => {
                known.pod.complete(&told.pod);
                known.lost |= told.lost;
                if known.lost {
                    known.pod.ip = None;
                }
                if told.hash.is_some() {
                    known.hash.clone_from(&told.hash);
                    // What kubectl shows.
                    known.pod.uid.clone_from(&told.pod.uid);
                }
            }
            None => drop(self.pods.insert(key.clone(), told.clone())),
        }
    }

    fn container(&mut self, told: &ContainerFacts) {
        match self.containers.get_mut(&told.container.id) {
            Some(known) => known.complete(told),
            None => drop(self.containers.insert(told.container.id.clone(), told.clone())),
        }
    }

    /// The directory of what is there and what is kept of the past.
    pub(super) fn directory(&self, past: &Self, generation: u64) -> Directory {
        let mut directory =
            Directory { own: self.own.clone().map(Arc::new), generation, ..Directory::default() };
        // What is there takes the place of what was.
        for (merged, there) in [(past, false), (self, true)] {
            merged.pods.iter().for_each(|(key, facts)| directory.add_pod(key, &facts.pod, there));
        }
        for (merged, there) in [(past, false), (self, true)] {
            merged.containers.values().for_each(|facts| directory.add_container(facts, there));
        }
        directory
    }
}

impl Directory {
    /// What is added later takes the place of what has the same key.
    pub(super) fn add_pod(&mut self, key: &str, pod: &Pod, there: bool) {
        let pod = Arc::new(Pod { ended: pod.ended || !there, ..pod.clone() });
        if there && !pod.name.is_empty() {
            let names = self.names.entry(pod.namespace.as_bytes().into()).or_default();
            // Of two with one name, the one that has ended is about to go.
            let ended =
                names.get(pod.name.as_bytes()).is_some_and(|known| !known.ended && pod.ended);
            if !ended {
                names.insert(pod.name.as_bytes().into(), Arc::clone(&pod));
            }
        }
        if key != pod.uid {
            self.pods.insert(pod.uid.as_bytes().into(), Arc::clone(&pod));
        }
        self.pods.insert(key.as_bytes().into(), pod);
    }

    pub(super) fn add_container(&mut self, facts: &ContainerFacts, there: bool) {
        let mut pod = facts.pod.as_ref().and_then(|uid| self.pod(uid.as_bytes())).cloned();
        let running = there && facts.container.running;
        if let (Some(known), false, Some(ip)) = (&mut pod, running, &facts.container.ip)
            && known.ip.is_none()
        {
            Arc::make_mut(known).ip = Some(ip.clone());
        }
        let container = Container { pod, running, ..facts.container.clone() };
        self.containers.insert(container.id.as_bytes().into(), Arc::new(container));
    }

    /// Of one source's facts, as tests and a file have them.
    pub fn of(facts: &Facts) -> Self {
        Merged::of([facts]).directory(&Merged::default(), 1)
    }
}

impl Pod {
    /// A source that knows no names can still tell the address.
    fn names_differ(&self, other: &Self) -> bool {
        let named = !self.name.is_empty() && !other.name.is_empty();
        named && (&self.namespace, &self.name) != (&other.namespace, &other.name)
    }

    /// Takes over what is not known yet.
    fn complete(&mut self, other: &Self) {
        if self.name.is_empty() {
            self.name.clone_from(&other.name);
            self.namespace.clone_from(&other.namespace);
        }
        self.ip = self.ip.take().or_else(|| other.ip.clone());
        self.node = self.node.take().or_else(|| other.node.clone());
        self.owner = self.owner.take().or_else(|| other.owner.clone());
        self.host_network |= other.host_network;
        self.ended |= other.ended;
        for (name, value) in &other.labels {
            self.labels.entry(name.clone()).or_insert_with(|| value.clone());
        }
    }
}

impl ContainerFacts {
    fn complete(&mut self, other: &Self) {
        let (own, other) = (&mut self.container, other);
        let told = &other.container;
        if own.name.is_empty() {
            own.name.clone_from(&told.name);
        }
        own.runtime_name = own.runtime_name.take().or_else(|| told.runtime_name.clone());
        own.image = own.image.take().or_else(|| told.image.clone());
        own.ip = own.ip.take().or_else(|| told.ip.clone());
        self.pod = self.pod.take().or_else(|| other.pod.clone());
    }
}
