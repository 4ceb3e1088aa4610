//! Following one resource: a list, then its changes, for ever, whatever the API server does meanwhile.

mod backoff;
mod counts;
mod handler;
mod list;
mod lists;
mod object;
mod pieces;
mod request;
mod shape;
mod watch;

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use crate::client::RequestError;
use crate::{Client, Discovery, DiscoveryError, Gvr};
use backoff::Backoff;
pub use counts::{Counts, Moment, Outcomes, Tally};
pub use handler::{Broken, Handler, Object, Problem, Status};
pub use lists::Lists;
use object::Meta;
use shape::Shape;

/// What all informers on one API server share.
#[derive(Clone, Debug)]
pub struct Cluster {
    pub client: Client,
    pub discovery: Arc<Discovery>,
    pub lists: Lists,
}

impl Cluster {
    /// With at most four lists at once.
    pub fn new(client: Client) -> Self {
        let discovery = Arc::new(Discovery::new(client.clone()));
        Self { client, discovery, lists: Lists::at_most(4) }
    }
}

/// What an informer follows.
#[derive(Clone, Debug)]
pub struct Selection {
    /// In order of preference: the first that the API server serves is followed.
    pub candidates: Vec<Gvr>,
    /// `None`: all namespaces. Ignored for a resource of the whole cluster.
    pub namespace: Option<String>,
    /// Such as `spec.nodeName=node-1`.
    pub field_selector: Option<String>,
    pub label_selector: Option<String>,
    pub view: View,
    /// Objects a page, where lists come in pages; 0: all in one answer.
    pub page_size: u32,
    /// Lists may come from the API server's cache and be a little old: less work for etcd.
    pub use_cache: bool,
    /// At most so many objects of a list are given to the handler. Streaming lists are not used then.
    pub object_limit: Option<u64>,
}

impl Selection {
    /// All objects of the first candidate that is served, in full.
    pub fn of(candidates: impl IntoIterator<Item = Gvr>) -> Self {
        Self {
            candidates: candidates.into_iter().collect(),
            namespace: None,
            field_selector: None,
            label_selector: None,
            view: View::Full,
            page_size: 500,
            use_cache: false,
            object_limit: None,
        }
    }
}

/// How much of each object the API server sends. Where it does not know how to leave things out, it sends all.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum View {
    #[default]
    Full,
    /// `kind`, `apiVersion` and `metadata` alone: `PartialObjectMetadata`.
    Metadata,
    /// The same, and columns of what kubectl prints, each as a field of the object: `[("Type", "type")]` of a secret
    /// gives `{"metadata":…,"type":"Opaque"}`, and its payload stays where it is.
    Table(&'static [(&'static str, &'static str)]),
}

/// How long an informer waits for what.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// For the start of an answer, and for each further part of a list. The API server itself gives up after a minute.
    pub answer: Duration,
    /// For the next object of a streaming list. A server that does not know them says nothing at all.
    pub streaming: Duration,
    /// For anything from an open watch. Bookmarks come about once a minute where anything changes; beyond this time the
    /// watch is replaced, in case its connection is dead.
    pub silence: Duration,
    /// The API server is asked to end a watch after a time between this and twice this.
    pub watch: Duration,
    /// Events of a watch that follow each other within this time are let gather for as long: to wake up for each of many
    /// costs several times what reading it does. An event that comes alone is handed on at once.
    pub gather: Duration,
    /// Until discovery is asked again for a resource that is not served.
    pub absent: Duration,
    /// After the first failure in a row; doubled with each further one, and spread by chance.
    pub first_retry: Duration,
    pub last_retry: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            answer: Duration::from_secs(65),
            streaming: Duration::from_secs(30),
            silence: Duration::from_secs(150),
            watch: Duration::from_mins(5),
            gather: Duration::ZERO,
            absent: Duration::from_secs(30),
            first_retry: Duration::from_secs(1),
            last_retry: Duration::from_mins(1),
        }
    }
}

/// Follows one resource and tells a [`Handler`]. What fails here touches no other informer.
#[derive(Debug)]
pub struct Informer {
    cluster: Cluster,
    selection: Selection,
    patience: Patience,
    counts: Arc<Counts>,
}

impl Informer {
    pub fn new(cluster: &Cluster, selection: Selection) -> Self {
        let counts = Arc::new(Counts::default());
        Self { cluster: cluster.clone(), selection, patience: Patience::default(), counts }
    }

    #[must_use]
    pub fn with_patience(mut self, patience: Patience) -> Self {
        self.patience = patience;
        self
    }

    pub fn counts(&self) -> Arc<Counts> {
        Arc::clone(&self.counts)
    }

    /// Runs until it is dropped; nothing goes on after that.
    pub async fn run<H: Handler>(&self, handler: &mut H) -> Infallible {
        let mut run = Run {
            informer: self,
            handler,
            shape: Shape::new(self.selection.view),
            backoff: Backoff::new(self.patience.first_retry, self.patience.last_retry),
            status: None,
            seen: String::new(),
            complaints: 0,
            served: false,
        };
        loop {
            let Err(end) = run.session().await;
            run.pause(end).await;
        }
    }
}

/// Why a list or a watch ended before its time.
#[derive(Debug)]
enum End {
    NotServed,
    /// The version that a watch stood at is no longer known: list again.
    Expired(String),
    /// The API server has no streaming lists: list in pages.
    NoStreaming(String),
    /// The table lacks a column: ask for whole objects.
    NoColumn(&'static str),
    Failed(RequestError),
    Discovery(DiscoveryError),
}

/// One informer's run: what it carries from list to list.
struct Run<'r, H> {
    informer: &'r Informer,
    handler: &'r mut H,
    shape: Shape,
    backoff: Backoff,
    /// As it was told last.
    status: Option<Status>,
    /// The version of the object that came last; empty where it could not be read.
    seen: String,
    /// Objects that could not be read since the last list began.
    complaints: u32,
    /// It was listed since discovery missed it last.
    served: bool,
}

impl<H: Handler> Run<'_, H> {
    /// One list and the watches that follow it.
    async fn session(&mut self) -> Result<Infallible, End> {
        let informer = self.informer;
        let discovery = &informer.cluster.discovery;
        let chosen = discovery.choose(&informer.selection.candidates).await;
        let resource = chosen.map_err(End::Discovery)?.ok_or(End::NotServed)?;
        let (version, stream) = self.list(&resource).await?;
        self.watch(&resource, version, stream).await
    }

    /// Tells how it stands, and waits.
    async fn pause(&mut self, end: End) {
        let retry_in = match &end {
            End::NotServed => self.informer.patience.absent,
            End::NoColumn(_) | End::NoStreaming(_) => Duration::ZERO,
            End::Failed(error) => self.backoff.next_after(error.retry_after()),
            _ => self.backoff.next(),
        };
        let resources = self.name();
        if matches!(&end, End::Failed(error) if error.code() == Some(404)) {
            // What was served is gone: an upgrade or the end of a custom resource.
            self.informer.cluster.discovery.forget().await;
        }
        match end {
            End::NoStreaming(why) => {
                tracing::debug!(resources, why, "no streaming list, asking for pages");
            }
            End::NoColumn(column) => {
                tracing::warn!(
                    resources,
                    column,
                    "the API server's table has no such column, asking for whole objects"
                );
                self.shape = Shape::new(View::Full);
            }
            End::Expired(why) => {
                self.informer.counts.relists.one();
                tracing::debug!(resources, why, "listing again");
            }
            // An API server that has just started does not know its custom resources yet: once is not enough.
            End::NotServed if std::mem::take(&mut self.served) => {
                let error = "no longer served by this API server".to_owned();
                self.tell(Status::Failing { error, retry_in });
            }
            End::NotServed => self.tell(Status::NotServed { retry_in }),
            End::Failed(error) => self.failed(error, retry_in),
            End::Discovery(error) => {
                self.tell(Status::Failing { error: error.to_string(), retry_in });
            }
        }
        tokio::time::sleep(retry_in).await;
    }

    fn failed(&mut self, error: RequestError, retry_in: Duration) {
        match error {
            RequestError::Refused { code: 403, message, .. } => {
                self.tell(Status::Forbidden { message, retry_in });
            }
            error => self.tell(Status::Failing { error: error.to_string(), retry_in }),
        }
    }

    /// Tells the handler, and the log when it changes.
    fn tell(&mut self, status: Status) {
        let resources = self.name();
        let same = self.status.as_ref().is_some_and(|last| last.to_string() == status.to_string());
        match &status {
            _ if same => {}
            Status::Following if self.status.is_none() => tracing::debug!(resources, "following"),
            Status::Following => tracing::info!(resources, "following again"),
            Status::NotServed { .. } => tracing::info!(resources, "not served by this API server"),
            Status::Forbidden { .. } | Status::Failing { .. } => {
                tracing::warn!(resources, "{status}");
            }
        }
        if same && status == Status::Following {
            return;
        }
        self.handler.status(&status);
        self.status = Some(status);
    }

    fn name(&self) -> String {
        self.informer.name()
    }
}

impl Informer {
    /// The preferred candidate and the namespace, for the log.
    fn name(&self) -> String {
        let resource = self.selection.candidates.first().map(ToString::to_string);
        match &self.selection.namespace {
            Some(namespace) => format!("{namespace}/{}", resource.unwrap_or_default()),
            None => resource.unwrap_or_default(),
        }
    }
}
