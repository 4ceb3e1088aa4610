//! All informers of one configuration, and what they fill.

use std::sync::Arc;
use std::time::Duration;

use kube_informer::{Cluster, Gvr, Informer, Patience, Resource, Selection, View};
use tokio::sync::Notify;
use tokio::task::JoinSet;

use crate::follow::Follower;
use crate::group::{Group, PackError, Part};
use crate::resource::{AnyResource, BuiltIn, Needs, Renderer, Scope};
use crate::settings::Settings;
use crate::shard::Shard;
use crate::store::Store;

/// A scrape may be that much behind; much less than between two of them.
const GATHER: Duration = Duration::from_millis(50);

/// Informers that run until this is dropped, and the groups that they fill.
pub struct Fleet {
    pub groups: Vec<Arc<Group>>,
    progress: Arc<Notify>,
    _informers: JoinSet<()>,
}

impl Fleet {
    /// Follows the built-in resources: an informer for each, or for each of its namespaces where some are named.
    pub fn built_in(
        cluster: &Cluster,
        settings: &Settings,
        shard: Shard,
    ) -> Result<Self, PackError> {
        let mut crew = Crew::new(cluster, settings, shard);
        let built_ins = settings.built_ins().into_iter();
        // Of a resource whose families are all filtered out nothing has to be known.
        let given = built_ins.filter(|built_in| !built_in.families().is_empty());
        let groups = given.map(|built_in| crew.built_in(built_in));
        let groups = groups.collect::<Result<_, _>>()?;
        Ok(crew.sets_out(groups))
    }

    /// Follows these custom resources.
    pub fn custom(
        cluster: &Cluster,
        settings: &Settings,
        shard: Shard,
        resources: &[Resource],
    ) -> Result<Self, PackError> {
        let mut crew = Crew::new(cluster, settings, shard);
        let groups = resources.iter().map(|resource| crew.custom(resource));
        let groups = groups.collect::<Result<_, _>>()?;
        Ok(crew.sets_out(groups))
    }

    /// Returns when everything that is served has been listed.
    pub async fn ready(&self) {
        let waiting = |group: &Arc<Group>| group.parts.iter().any(|part| !part.is_ready());
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

impl<'a> Crew<'a> {
    fn new(cluster: &'a Cluster, settings: &'a Settings, shard: Shard) -> Self {
        Self { cluster, settings, shard, progress: Arc::default(), informers: JoinSet::new() }
    }

    fn sets_out(self, groups: Vec<Arc<Group>>) -> Fleet {
        Fleet { groups, progress: self.progress, _informers: self.informers }
    }

    fn custom(&mut self, resource: &Resource) -> Result<Arc<Group>, PackError> {
        let mut selection = Selection::of([resource.gvr.clone()]);
        selection.field_selector = self.settings.custom_field_selector(resource);
        let renderer = Arc::new(self.settings.custom(resource));
        // Several versions of a resource may be followed, so the plural alone does not name it.
        self.group(&resource.gvr.to_string(), resource.namespaced, selection, renderer)
    }

    fn built_in(&mut self, built_in: BuiltIn) -> Result<Arc<Group>, PackError> {
        let resource = built_in.resource;
        let candidates = resource.versions().iter();
        let candidates: Vec<Gvr> = candidates
            .map(|version| Gvr::new(version.group, version.version, resource.plural()))
            .collect();
        let mut selection = Selection::of(candidates);
        selection.view = view(resource);
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
    ) -> Result<Arc<Group>, PackError> {
        selection.use_cache = self.settings.use_cache;
        selection.object_limit = self.settings.object_limit;
        let followed = match self.settings.namespaces.as_slice() {
            some if namespaced && !some.is_empty() => some.iter().cloned().map(Some).collect(),
            _ => vec![None],
        };
        let parts = followed.into_iter().map(|namespace| {
            let selection = Selection { namespace: namespace.clone(), ..selection.clone() };
            self.part(namespace, selection, &renderer)
        });
        let parts = parts.collect();
        Group::new(name.to_owned(), renderer.families(), parts).map(Arc::new)
    }

    fn part(
        &mut self,
        namespace: Option<String>,
        selection: Selection,
        renderer: &Arc<dyn Renderer>,
    ) -> Arc<Part> {
        let patience = Patience { gather: GATHER, ..Patience::default() };
        let informer = Informer::new(self.cluster, selection).with_patience(patience);
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

/// How much of each object is asked for.
fn view(resource: &dyn AnyResource) -> View {
    match resource.needs() {
        Needs::Everything => View::Full,
        Needs::Metadata => View::Metadata,
        Needs::Columns(columns) => View::Table(columns),
    }
}
