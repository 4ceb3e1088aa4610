//! Labels that are filled in, added and renamed; none is ever there twice.

use std::borrow::Cow;

use super::options::{Conflict, Settings, Subject};
use super::scan::Label;
use super::whose::Known;

/// A series' labels while they change. Those behind `original` are new; `changed` says that one before it is another.
#[derive(Debug)]
pub(crate) struct Set<'a> {
    pub(crate) labels: Vec<Label<'a>>,
    pub(crate) original: usize,
    pub(crate) changed: bool,
    /// The pod's name as the body has it, where nobody knows the pod yet.
    told: Option<Cow<'a, [u8]>>,
}

impl<'a> Set<'a> {
    pub(crate) fn new(labels: Vec<Label<'a>>) -> Self {
        let original = labels.len();
        Self { labels, original, changed: false, told: None }
    }

    /// What stands before all else: lost labels are filled in, and those of both ages are there; answers whether some
    /// were lost.
    pub(crate) fn restore(&mut self, known: Option<&'a Known>, settings: &Settings) -> bool {
        if known.is_some_and(|known| !known.named) && settings.subject != Subject::Own {
            let pod = self.position(b"pod").and_then(|at| self.labels.get(at));
            self.told = pod.filter(|pod| !pod.value.is_empty()).map(|pod| pod.value.clone());
        }
        let repaired = known.is_some_and(|known| known.found && self.repair(known));
        if settings.old_labels {
            self.alias();
        }
        repaired
    }

    /// Adds what is known; answers whether something is.
    pub(crate) fn complete(&mut self, known: Option<&'a Known>, settings: &Settings) -> bool {
        let added = known.map_or(&[][..], |known| known.added.as_slice());
        for (name, value) in added {
            self.add(name, Cow::Borrowed(value), settings.conflict);
        }
        let told = self.told.take();
        let labelled = !added.is_empty() || told.is_some();
        if let Some(pod) = told {
            self.add(b"pod_name", pod, settings.conflict);
        }
        labelled
    }

    /// The value of a label, empty where there is none.
    pub(crate) fn value(&self, name: &[u8]) -> &[u8] {
        self.position(name).and_then(|at| self.labels.get(at)).map_or(&[], |l| l.value.as_ref())
    }

    fn position(&self, name: &[u8]) -> Option<usize> {
        self.labels.iter().position(|label| *label.name == *name)
    }

    /// Fills in what the runtime lost: labels that are there without a value.
    fn repair(&mut self, known: &'a Known) -> bool {
        let before = self.changed;
        self.changed = false;
        let lost = self.value(b"pod").is_empty();
        for (name, value) in &known.repairs {
            self.fill(name, value);
        }
        // The sandbox of containerd has no container's name, and is not to get one.
        if lost || !known.sandbox {
            for (name, value) in &known.container {
                self.fill(name, value);
            }
        }
        let repaired = self.changed;
        self.changed |= before;
        repaired
    }

    fn fill(&mut self, name: &[u8], value: &'a [u8]) {
        let empty = |label: &&mut Label<'a>| *label.name == *name && label.value.is_empty();
        if let Some(label) = self.labels.iter_mut().find(empty) {
            label.value = Cow::Borrowed(value);
            self.changed = true;
        }
    }

    /// The names that kubelets up to 1.15 had, and those since.
    fn alias(&mut self) {
        for (old, new) in [("pod_name", "pod"), ("container_name", "container")] {
            self.copy(old.as_bytes(), new.as_bytes());
            self.copy(new.as_bytes(), old.as_bytes());
        }
    }

    fn copy(&mut self, from: &[u8], to: &'static [u8]) {
        let Some(source) = self.position(from).and_then(|at| self.labels.get(at)) else { return };
        if source.value.is_empty() || !self.value(to).is_empty() {
            return;
        }
        let value = source.value.clone();
        self.set(to, value);
    }

    fn set(&mut self, name: &'a [u8], value: Cow<'a, [u8]>) {
        match self.labels.iter_mut().find(|label| *label.name == *name) {
            Some(label) => {
                label.value = value;
                self.changed = true;
            }
            None => self.labels.push(Label { name: Cow::Borrowed(name), value }),
        }
    }

    /// An empty value is no label, and the same value no conflict.
    fn add(&mut self, name: &'a [u8], value: Cow<'a, [u8]>, conflict: Conflict) {
        let there = self.value(name);
        if there == &*value {
            return;
        }
        if !there.is_empty() {
            match conflict {
                Conflict::Keep => return,
                Conflict::Overwrite => {}
                Conflict::Rename => self.rename(name),
            }
        }
        self.set(name, value);
    }

    /// As Prometheus renames what a target has already, as often as that takes.
    fn rename(&mut self, name: &[u8]) {
        let mut other = [b"exported_", name].concat();
        while self.position(&other).is_some() {
            other.splice(0..0, *b"exported_");
        }
        if let Some(label) = self.labels.iter_mut().find(|label| *label.name == *name) {
            label.name = Cow::Owned(other);
            self.changed = true;
        }
    }

    pub(crate) fn drop_empty(&mut self) {
        let before = self.labels.len();
        self.labels.retain(|label| !label.value.is_empty());
        self.changed |= self.labels.len() < before;
    }
}
