//! What an informer's news do to the store.

use std::sync::Arc;

use kube_informer::{Broken, Gvr, Handler, Object, Problem, Resource, Selection, Status};

use super::store::{Kind, Store};

/// Follows one resource.
pub(super) struct Follower {
    store: Arc<Store>,
    kind: Kind,
    /// The API server serves core Endpoints, but no slices.
    endpoints: bool,
}

impl Follower {
    pub(super) fn new(store: Arc<Store>, kind: Kind) -> Self {
        Self { store, kind, endpoints: false }
    }
}

/// What is followed, in order of preference.
pub(super) fn selection(kind: Kind) -> Selection {
    Selection::of(candidates(kind))
}

/// Discovery v1beta1 is gone since Kubernetes 1.25, and slices are not there before 1.17.
pub(super) fn candidates(kind: Kind) -> Vec<Gvr> {
    match kind {
        Kind::Nodes => vec![Gvr::new("", "v1", "nodes")],
        Kind::Pods => vec![Gvr::new("", "v1", "pods")],
        Kind::Services => vec![Gvr::new("", "v1", "services")],
        Kind::Slices => vec![
            Gvr::new("discovery.k8s.io", "v1", "endpointslices"),
            Gvr::new("discovery.k8s.io", "v1beta1", "endpointslices"),
            Gvr::new("", "v1", "endpoints"),
        ],
    }
}

fn key(namespace: &str, name: &str) -> String {
    format!("{namespace}/{name}")
}

impl Handler for Follower {
    async fn begin(&mut self, resource: &Resource) {
        self.endpoints = resource.gvr.resource == "endpoints";
        self.store.begin(self.kind);
    }

    async fn apply(&mut self, object: Object<'_>) -> Result<(), Problem> {
        let identity = (object.namespace, object.name);
        let content = self.store.read(self.kind, self.endpoints, identity, object.raw)?;
        self.store.set(self.kind, key(object.namespace, object.name), content);
        Ok(())
    }

    async fn delete(&mut self, object: Object<'_>) -> Result<(), Problem> {
        self.store.remove(self.kind, &key(object.namespace, object.name));
        Ok(())
    }

    async fn listed(&mut self) {
        self.store.listed(self.kind);
    }

    fn broken(&mut self, object: &Broken<'_>) {
        if let Some(name) = object.name {
            self.store.keep(self.kind, &key(object.namespace.unwrap_or_default(), name));
        }
    }

    fn status(&mut self, status: &Status) {
        self.store.status(self.kind, status);
    }
}
