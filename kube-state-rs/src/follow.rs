//! What an informer's news do to a store.

use std::sync::Arc;

use exporter_toolkit::memory;
use kube_informer::{Handler, Object, Problem, Resource, Status};
use tokio::sync::Notify;

use crate::group::Part;
use crate::shard::Shard;
use crate::store::Identity;

/// Takes the objects of one part that belong to this shard.
pub struct Follower {
    part: Arc<Part>,
    shard: Shard,
    /// Told whenever the part may have become ready.
    progress: Arc<Notify>,
}

impl Follower {
    pub fn new(part: Arc<Part>, shard: Shard, progress: Arc<Notify>) -> Self {
        Self { part, shard, progress }
    }
}

fn identity<'a>(object: &Object<'a>) -> Identity<'a> {
    Identity { namespace: object.namespace, name: object.name, uid: object.uid }
}

impl Handler for Follower {
    async fn begin(&mut self, resource: &Resource) {
        self.part.set_served(resource);
        self.part.store.begin().await;
    }

    async fn apply(&mut self, object: Object<'_>) -> Result<(), Problem> {
        if !self.shard.holds(object.uid) {
            return Ok(());
        }
        let applied = self.part.store.apply(identity(&object), object.raw.as_bytes()).await;
        applied.map_err(Problem::from)
    }

    async fn delete(&mut self, object: Object<'_>) -> Result<(), Problem> {
        self.part.store.delete(identity(&object));
        Ok(())
    }

    async fn listed(&mut self) {
        self.part.store.listed().await;
        // A list leaves much free memory between what is kept.
        memory::trim();
        self.progress.notify_one();
    }

    fn status(&mut self, status: &Status) {
        if matches!(status, Status::NotServed { .. }) {
            self.part.store.clear();
        }
        self.part.set_status(status.clone());
        self.progress.notify_one();
    }
}
