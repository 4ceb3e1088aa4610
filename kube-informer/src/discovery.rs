//! What the API server serves: which version of a resource is there, and which custom resources.
//!
//! The groups come in two answers, `/api` and `/apis`. Since Kubernetes 1.27 these hold all resources too (aggregated
//! discovery); an older server is asked for the resources of one group and version when they are wanted. One aggregated
//! API that is down makes its own resources unknown and no others.

mod wire;

use std::collections::HashMap;
use std::sync::{Arc, Mutex as SyncMutex, PoisonError};
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::client::{Chunks, RequestError};
use crate::resource::root;
use crate::{Client, Gvr, Pattern, Resource};
pub use wire::Version;
use wire::{GroupVersion, Listed};

/// No answer is asked for again before it is this old.
const FRESH: Duration = Duration::from_secs(30);
/// A failure is shared by those who ask at the same time, and soon tried again.
const FAILED: Duration = Duration::from_secs(2);
/// Versions change with an upgrade only.
const VERSION_FRESH: Duration = Duration::from_mins(10);
const TIMEOUT: Duration = Duration::from_secs(20);
/// A cluster with a thousand custom resources answers some MB.
const LIMIT: usize = 64 << 20;

/// Why it is not known what is served.
#[derive(Clone, Debug, thiserror::Error)]
#[error("discovery of {path}: {problem}")]
pub struct DiscoveryError {
    pub path: String,
    /// The HTTP status code, where there was an answer.
    pub code: Option<u16>,
    pub problem: String,
}

/// All resources that can be listed and watched.
#[derive(Clone, Debug, Default)]
pub struct Catalog {
    pub resources: Vec<Resource>,
    /// Groups and versions whose API is down: their resources are missing above.
    pub broken: Vec<DiscoveryError>,
}

impl Catalog {
    /// Resources that a pattern of custom resources means.
    pub fn matching<'a>(&'a self, pattern: &'a Pattern) -> impl Iterator<Item = &'a Resource> {
        self.resources.iter().filter(|resource| pattern.matches(resource))
    }
}

/// Asks the API server what it serves, at most every 30 s for the same thing, however many want to know.
#[derive(Debug)]
pub struct Discovery {
    client: Client,
    version: Memory<Version>,
    groups: Memory<Vec<GroupVersion>>,
    resources: SyncMutex<HashMap<String, Memory<Vec<Resource>>>>,
}

/// An answer and its age; locked while it is asked for, so that others wait for the same answer.
type Memory<T> = Arc<Mutex<Option<(Instant, Result<Arc<T>, DiscoveryError>)>>>;

impl Discovery {
    pub fn new(client: Client) -> Self {
        let (version, groups) = (Memory::default(), Memory::default());
        Self { client, version, groups, resources: SyncMutex::default() }
    }

    /// The API server's version; `None` where it does not tell.
    pub async fn version(&self) -> Option<Version> {
        let version = remembered(&self.version, VERSION_FRESH, self.fetch_version()).await;
        version.ok().map(|version| (*version).clone())
    }

    /// The first candidate that can be listed and watched; `None` where none is served.
    pub async fn choose(&self, candidates: &[Gvr]) -> Result<Option<Resource>, DiscoveryError> {
        let groups = self.groups().await?;
        for wanted in candidates {
            let here = |served: &&GroupVersion| {
                served.group == wanted.group && served.version == wanted.version
            };
            let Some(served) = groups.iter().find(here) else { continue };
            let resources = self.resources(served).await?;
            if let Some(found) = resources.iter().find(|resource| resource.gvr == *wanted) {
                return Ok(Some(found.clone()));
            }
        }
        Ok(None)
    }

    /// All that is served. On a server before 1.27 it takes a request for each group and version.
    pub async fn all(&self) -> Result<Catalog, DiscoveryError> {
        let mut catalog = Catalog::default();
        for served in self.groups().await?.iter() {
            match self.resources(served).await {
                Ok(resources) => catalog.resources.extend(resources.iter().cloned()),
                Err(error) => catalog.broken.push(error),
            }
        }
        Ok(catalog)
    }

    /// Forgets what is known: it proved wrong, or there is reason to believe that it changed.
    pub async fn forget(&self) {
        *self.groups.lock().await = None;
        self.resources.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    async fn groups(&self) -> Result<Arc<Vec<GroupVersion>>, DiscoveryError> {
        remembered(&self.groups, FRESH, async {
            let mut groups = self.fetch("/api", wire::groups).await?;
            groups.extend(self.fetch("/apis", wire::groups).await?);
            Ok(groups)
        })
        .await
    }

    async fn resources(&self, served: &GroupVersion) -> Result<Arc<Vec<Resource>>, DiscoveryError> {
        let path = root(&served.group, &served.version);
        match &served.listed {
            Listed::Here(resources) => return Ok(Arc::clone(resources)),
            Listed::Stale => {
                let problem = "its API server does not answer".to_owned();
                return Err(DiscoveryError { path, code: None, problem });
            }
            Listed::Elsewhere => {}
        }
        let memory = {
            let mut all = self.resources.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(all.entry(path.clone()).or_default())
        };
        let parse = |bytes: &[u8]| wire::resources(&served.group, &served.version, bytes);
        remembered(&memory, FRESH, self.fetch(&path, parse)).await
    }

    async fn fetch_version(&self) -> Result<Version, DiscoveryError> {
        self.fetch("/version", |bytes| serde_json::from_slice(bytes)).await
    }

    async fn fetch<T>(
        &self,
        path: &str,
        parse: impl Fn(&[u8]) -> Result<T, serde_json::Error>,
    ) -> Result<T, DiscoveryError> {
        let bytes = async {
            let answer = self.client.get(path, wire::ACCEPT, TIMEOUT).await?;
            Chunks::new(answer.into_body(), TIMEOUT).collect(LIMIT).await
        };
        let wrong = |error: RequestError| DiscoveryError {
            path: path.to_owned(),
            code: error.code(),
            problem: error.to_string(),
        };
        let bytes = bytes.await.map_err(wrong)?;
        parse(&bytes).map_err(|error| wrong(RequestError::Unreadable(error.to_string())))
    }
}

async fn remembered<T>(
    memory: &Memory<T>,
    fresh: Duration,
    fetch: impl Future<Output = Result<T, DiscoveryError>>,
) -> Result<Arc<T>, DiscoveryError> {
    let mut memory = memory.lock().await;
    if let Some((since, answer)) = &*memory
        && since.elapsed() < if answer.is_ok() { fresh } else { FAILED }
    {
        return answer.clone();
    }
    let answer = fetch.await.map(Arc::new);
    *memory = Some((Instant::now(), answer.clone()));
    answer
}
