//! Keeps the fleets that the configuration, the shards and the API server's catalog ask for.

use std::cmp::max;
use std::sync::Arc;
use std::time::Duration;

use exporter_toolkit::memory;
use exporter_toolkit::shutdown;
use exporter_toolkit::web::Reload;
use kube_informer::{Cluster, Resource};
use tokio::sync::watch;

use crate::agent::{Groups, Shown};
use crate::configured::Configured;
use crate::fleet::Fleet;
use crate::group::PackError;
use crate::options::Options;
use crate::reading::{Files, read};
use crate::settings::Settings;
use crate::shard::Shard;

/// How often files are looked at for a change.
const LOOK: Duration = Duration::from_secs(2);
/// How often it is asked whether custom resources came or went.
const CATALOG: Duration = Duration::from_secs(30);

/// Who decides what is followed.
pub struct Captain {
    pub given: Options,
    pub cluster: Cluster,
    pub shown: Arc<Shown>,
    pub configured: Arc<Configured>,
    pub reloads: shutdown::Reload,
    /// Those of the servers, which read their own configuration again.
    pub webs: [Reload; 2],
    /// `None` until the `StatefulSet` that says it is found.
    pub shards: watch::Receiver<Option<Shard>>,
    pub files: Files,
}

/// What is followed, and by what.
struct Standing {
    settings: Settings,
    shard: Shard,
    customs: Vec<Resource>,
    built_in: Arc<Fleet>,
    custom: Arc<Fleet>,
}

/// What may have changed; the later includes the earlier.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum News {
    Catalog,
    All,
}

impl Standing {
    async fn ready(&self) {
        self.built_in.ready().await;
        self.custom.ready().await;
    }

    fn groups(&self) -> Groups {
        self.built_in.groups.iter().chain(&self.custom.groups).cloned().collect()
    }
}

impl Captain {
    /// Returns only where a fleet cannot be started.
    pub async fn run(mut self, settings: Settings) -> Result<(), PackError> {
        let shard = self.shard().await;
        let customs = self.customs(&settings, &[]).await;
        let mut standing = self.set_out(settings, shard, customs)?;
        self.shown.set(standing.groups());
        standing.ready().await;
        memory::give_back();
        tracing::info!("everything that is served has been listed");
        let mut news = self.news(&standing.settings).await;
        loop {
            if let Some(next) = self.next(&standing, news).await? {
                // The old fleet answers until the new one is complete, so no scrape sees a part of the objects.
                tokio::select! {
                    () = next.ready() => {}
                    further = self.news(&standing.settings) => {
                        news = max(news, further);
                        continue;
                    }
                }
                self.shown.set(next.groups());
                standing = next;
                memory::trim();
                tracing::info!("what changed is in force");
            }
            news = self.news(&standing.settings).await;
        }
    }

    /// What is to be followed after the news; `None` where that is what is followed.
    async fn next(
        &mut self,
        standing: &Standing,
        news: News,
    ) -> Result<Option<Standing>, PackError> {
        if news == News::Catalog {
            let customs = self.customs(&standing.settings, &standing.customs).await;
            if customs == standing.customs {
                return Ok(None);
            }
            let (settings, shard) = (standing.settings.clone(), standing.shard);
            let custom = Arc::new(Fleet::custom(&self.cluster, &settings, shard, &customs)?);
            let built_in = Arc::clone(&standing.built_in);
            return Ok(Some(Standing { settings, shard, customs, built_in, custom }));
        }
        let settings = match read(&self.given, &self.configured) {
            Ok((_, settings)) => settings,
            Err(error) => {
                tracing::error!("{error:#}; what was configured before stays in force");
                standing.settings.clone()
            }
        };
        let shard = self.shard().await;
        let customs = self.customs(&settings, &standing.customs).await;
        self.set_out(settings, shard, customs).map(Some)
    }

    fn set_out(
        &self,
        settings: Settings,
        shard: Shard,
        customs: Vec<Resource>,
    ) -> Result<Standing, PackError> {
        self.configured.set(shard, settings.object_limit);
        let built_in = Arc::new(Fleet::built_in(&self.cluster, &settings, shard)?);
        let custom = Arc::new(Fleet::custom(&self.cluster, &settings, shard, &customs)?);
        let standing = Standing { settings, shard, customs, built_in, custom };
        let groups = standing.groups();
        let names: Vec<&str> = groups.iter().map(|group| group.resource.as_str()).collect();
        let (count, resources) = (names.len(), names.join(","));
        let (shard, shards) = (shard.number(), shard.total());
        tracing::info!(count, resources, shard, shards, "Following");
        Ok(standing)
    }

    async fn shard(&mut self) -> Shard {
        // Nobody is left who could find one: that is the end of the process.
        self.shards
            .wait_for(Option::is_some)
            .await
            .map_or_else(|_| Shard::default(), |shard| shard.unwrap_or_default())
    }

    /// The custom resources that are meant and served; those in `known` where that cannot be told.
    async fn customs(&self, settings: &Settings, known: &[Resource]) -> Vec<Resource> {
        if !settings.has_custom() {
            return Vec::new();
        }
        let catalog = match self.cluster.discovery.all().await {
            Ok(catalog) => catalog,
            Err(error) => {
                tracing::warn!(%error, "it is not known which custom resources are served");
                return settings.customs(known);
            }
        };
        let mut customs = settings.customs(&catalog.resources);
        if !catalog.broken.is_empty() {
            // An API that is down is not gone.
            let more = settings.customs(known).into_iter().filter(|one| !customs.contains(one));
            customs.extend(more.collect::<Vec<_>>());
        }
        customs.sort_by(|a, b| a.gvr.cmp(&b.gvr));
        customs
    }

    /// Returns when something may have to be configured anew.
    async fn news(&mut self, settings: &Settings) -> News {
        let catalog = tokio::time::sleep(CATALOG);
        tokio::pin!(catalog);
        loop {
            tokio::select! {
                () = self.reloads.requested() => {
                    self.webs.iter().for_each(Reload::request);
                    return News::All;
                }
                Ok(()) = self.shards.changed() => return News::All,
                () = &mut catalog, if settings.has_custom() => return News::Catalog,
                () = tokio::time::sleep(LOOK) => {
                    if self.files.changed() {
                        return News::All;
                    }
                }
            }
        }
    }
}
