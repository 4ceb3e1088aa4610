//! All informers of one configuration, and what they fill.

use std::sync::Arc;

use kube_informer::{Cluster, Gvr, Informer, Selection, View};
use tokio::sync::Notify;
use tokio::task::JoinSet;

use crate::follow::Follower;
use crate::group::{Group, PackError, Part};
use crate::resource::{AnyResource, BuiltIn, Needs, Renderer, Scope};
use crate::settings::Settings;
use crate::shard::Shard;
use crate::store::Store;

/// Informers that run until this is dropped, and the groups that they fill.
pub struct Fleet {
    pub groups: Arc<Vec<Group>>,
    progress: Arc<Notify>,
    _informers: JoinSet<()>,
}

impl Fleet {
    /// Starts an informer for each resource, or for each of its namespaces where some are named.
    pub fn start(cluster: &Cluster, settings: &Settings, shard: Shard) -> Result<Self, PackError> {
        let mut crew =
            Crew { cluster, settings, shard, progress: Arc::default(), informers: JoinSet::new() };
        let groups = settings.built_ins();
        let groups = groups.into_iter().map(|built_in| crew.built_in(built_in));
        let groups: Vec<Group> = groups.collect::<Result<_, _>>()?;
        Ok(Self { groups: Arc::new(groups), progress: crew.progress, _informers: crew.informers })
    }

    /// Returns when everything that is served has been listed.
    pub async fn ready(&self) {
        let waiting = |group: &Group| group.parts.iter().any(|part| !part.is_ready());
        while self.groups.iter().any(waiting) {
            self.progress.notified().await;
        }
    }
}

/// Starts the informers.
struct Crew<'a> {
    cluster: &'a Cluster,
    settings: &'a Settings,
    shard: Shard,
    progress: Arc<Notify>,
    informers: JoinSet<()>,
}

impl Crew<'_> {
    fn built_in(&mut self, built_in: BuiltIn) -> Result<Group, PackError> {
        let resource = built_in.resource;
        let candidates = resource.versions().iter();
        let candidates: Vec<Gvr> = candidates
            .map(|version| Gvr::new(version.group, version.version, resource.plural()))
            .collect();
        let mut selection = Selection::of(candidates);
        selection.view = view(resource, &built_in);
        selection.field_selector = self.settings.field_selector(resource);
        let namespaced = resource.scope() == Scope::Namespaced;
        self.group(resource.plural(), namespaced, selection, Arc::new(built_in))
    }

    /// Follows what `selection` names, in each of the namespaces that were chosen.
    fn group(
        &mut self,
        name: &str,
        namespaced: bool,
        mut selection: Selection,
        renderer: Arc<dyn Renderer>,
    ) -> Result<Group, PackError> {
        selection.use_cache = self.settings.use_cache;
        selection.object_limit = self.settings.object_limit;
        let namespaces = match self.settings.namespaces.as_slice() {
            some if namespaced && !some.is_empty() => some.iter().cloned().map(Some).collect(),
            _ => vec![None],
        };
        let parts = namespaces.into_iter().map(|namespace| {
            let selection = Selection { namespace: namespace.clone(), ..selection.clone() };
            self.part(namespace, selection, &renderer)
        });
        let parts = parts.collect();
        Group::new(name.to_owned(), renderer.families(), parts)
    }

    fn part(
        &mut self,
        namespace: Option<String>,
        selection: Selection,
        renderer: &Arc<dyn Renderer>,
    ) -> Arc<Part> {
        let informer = Informer::new(self.cluster, selection);
        let store = Arc::new(Store::new(Arc::clone(renderer)));
        let part = Arc::new(Part::new(namespace, store, informer.counts()));
        let progress = Arc::clone(&self.progress);
        let mut follower = Follower::new(Arc::clone(&part), self.shard, progress);
        self.informers.spawn(async move {
            informer.run(&mut follower).await;
        });
        part
    }
}

/// How much of each object is asked for: no more than the families that are given need.
fn view(resource: &dyn AnyResource, built_in: &BuiltIn) -> View {
    match resource.needs() {
        _ if built_in.families().is_empty() => View::Metadata,
        Needs::Everything => View::Full,
        Needs::Metadata => View::Metadata,
        Needs::Columns(columns) => View::Table(columns),
    }
}
