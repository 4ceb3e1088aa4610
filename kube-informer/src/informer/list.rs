//! All objects there are: streamed where the API server can, else in pages; each is handed on while the rest is under way.

use bytes::Bytes;

use super::object::{ListMeta, identity};
use super::pieces::{OBJECT_LIMIT, Piece, Splitter, Text};
use super::request::{self, Page};
use super::watch::{Event, Stream};
use super::{Broken, End, Handler, Meta, Problem, Run};
use crate::Resource;
use crate::client::{Chunks, RequestError};

/// The oldest Kubernetes whose API server can have streaming lists; older ones may take the request for a plain watch.
const STREAMING_SINCE: (u32, u32) = (1, 27);

/// What becomes of an object.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Change {
    Applied,
    Deleted,
}

impl<H: Handler> Run<'_, H> {
    /// Lists; returns the version to watch from, and the watch that is already open where the list was streamed.
    pub(super) async fn list(
        &mut self,
        resource: &Resource,
    ) -> Result<(String, Option<Stream>), End> {
        let counts = &self.informer.counts;
        let _permit = self.informer.cluster.lists.permit().await;
        self.complaints = 0;
        let listed = if self.may_stream(resource).await {
            self.streamed(resource).await.map(|(version, stream)| (version, Some(stream)))
        } else {
            self.paged(resource).await.map(|version| (version, None))
        };
        match &listed {
            Ok(_) => {
                counts.lists.success.one();
                counts.last_list.is_now();
                self.served = true;
                self.handler.listed().await;
            }
            Err(End::NoStreaming(_)) => {
                self.informer.cluster.lists.refuses_streaming(&resource.gvr.group);
            }
            Err(End::NoColumn(_)) => {}
            Err(_) => counts.lists.error.one(),
        }
        listed
    }

    async fn may_stream(&self, resource: &Resource) -> bool {
        let cluster = &self.informer.cluster;
        self.informer.selection.object_limit.is_none()
            && cluster.lists.may_stream(&resource.gvr.group)
            && cluster.discovery.version().await.is_none_or(|version| {
                version.major == 0 || (version.major, version.minor) >= STREAMING_SINCE
            })
    }

    /// A watch whose first events are all objects there are; the bookmark that says so ends the list.
    async fn streamed(&mut self, resource: &Resource) -> Result<(String, Stream), End> {
        let mut stream = self.open_streaming(resource).await?;
        self.handler.begin(resource).await;
        let mut objects = 0;
        loop {
            let text = match stream.next().await {
                Ok(Some(text)) => text,
                Ok(None) => return Err(End::NoStreaming("it ended without a mark".to_owned())),
                Err(RequestError::Silent(_)) => {
                    return Err(End::NoStreaming("its end was never marked".to_owned()));
                }
                Err(error) => return Err(End::Failed(error)),
            };
            match self.event(&text).await? {
                Event::Changed => objects += 1,
                Event::Bookmark(bookmark) if bookmark.ends_list() => {
                    self.informer.counts.objects.set(objects);
                    stream.wait_for(self.informer.patience.silence);
                    return Ok((bookmark.resource_version, stream));
                }
                Event::Bookmark(_) => {
                    return Err(End::NoStreaming("a plain bookmark came first".to_owned()));
                }
                Event::Error(status) => return Err(End::NoStreaming(status.message)),
                Event::Unknown => {}
            }
        }
    }

    async fn open_streaming(&mut self, resource: &Resource) -> Result<Stream, End> {
        let patience = &self.informer.patience;
        let timeout = self.backoff.spread(patience.watch);
        let path = request::streaming(resource, &self.informer.selection, self.shape.view, timeout);
        let opened = self.open(&path, patience.streaming).await;
        opened.map_err(|error| match error {
            RequestError::Refused { code: 400 | 422, message, .. } => End::NoStreaming(message),
            error => End::Failed(error),
        })
    }

    /// Page after page; returns the version that all of them show.
    async fn paged(&mut self, resource: &Resource) -> Result<String, End> {
        let selection = &self.informer.selection;
        let limit = selection.object_limit.unwrap_or(u64::from(selection.page_size));
        let mut page = Page { limit, next: String::new() };
        let mut objects = 0;
        loop {
            let meta = match self.page(resource, &page, &mut objects).await {
                Err(End::Failed(error)) if error.code() == Some(410) && !page.next.is_empty() => {
                    // The version that the pages show is forgotten before the last one came: all at once, then.
                    tracing::debug!(
                        resources = self.name(),
                        "a list was older than etcd keeps, starting anew"
                    );
                    self.informer.counts.relists.one();
                    page = Page::default();
                    objects = 0;
                    continue;
                }
                meta => meta?,
            };
            if meta.next.is_empty() || selection.object_limit.is_some() {
                self.informer.counts.objects.set(objects);
                return Ok(meta.resource_version);
            }
            page.next = meta.next;
        }
    }

    async fn page(
        &mut self,
        resource: &Resource,
        page: &Page,
        objects: &mut u64,
    ) -> Result<ListMeta, End> {
        let informer = self.informer;
        let view = self.shape.view;
        let path = request::list(resource, &informer.selection, view, page);
        let client = &informer.cluster.client;
        let answer = client.get(&path, request::accept_list(view), informer.patience.answer).await;
        let body = answer.map_err(End::Failed)?.into_body();
        if page.next.is_empty() {
            self.handler.begin(resource).await;
        }
        let mut chunks = Chunks::new(body, informer.patience.answer);
        let mut splitter = Splitter::new(OBJECT_LIMIT);
        let mut meta = None;
        while let Some(chunk) = chunks.next().await.map_err(End::Failed)? {
            splitter.push(chunk);
            while let Some(piece) = splitter.next().map_err(|error| unreadable(&error))? {
                match piece {
                    Piece::Member { name, value } => self.beside(&name, &value, &mut meta)?,
                    Piece::Item(text) => self.item(text, objects).await,
                }
            }
        }
        if !splitter.is_complete() {
            return Err(unreadable(&"the list was cut off"));
        }
        meta.ok_or_else(|| unreadable(&"a list without metadata"))
    }

    /// What stands beside the items of a list.
    fn beside(
        &mut self,
        name: &str,
        value: &Bytes,
        meta: &mut Option<ListMeta>,
    ) -> Result<(), End> {
        match name {
            "metadata" => {
                *meta = Some(serde_json::from_slice(value).map_err(|error| unreadable(&error))?);
            }
            "columnDefinitions" => {
                let definitions = std::str::from_utf8(value).map_err(|error| unreadable(&error))?;
                self.shape.define(definitions)?;
            }
            _ => {}
        }
        Ok(())
    }

    async fn item(&mut self, text: Text, objects: &mut u64) {
        if self.informer.selection.object_limit.is_some_and(|limit| *objects >= limit) {
            return;
        }
        *objects += 1;
        match &text {
            Text::Whole(bytes) => match std::str::from_utf8(bytes) {
                Ok(item) => self.deliver(Change::Applied, item).await,
                Err(error) => self.broken(bytes, &Problem(error.to_string())),
            },
            Text::Head(head) => self.broken(head, &too_long()),
        }
    }

    /// Gives one object to the handler; its version is the last one seen then.
    pub(super) async fn deliver(&mut self, change: Change, item: &str) {
        let told = match self.shape.object(item) {
            Ok(raw) => match Meta::of(raw) {
                Ok(meta) => {
                    self.seen.replace_range(.., &meta.resource_version);
                    match change {
                        Change::Applied => self.handler.apply(meta.object(raw)).await,
                        Change::Deleted => self.handler.delete(meta.object(raw)).await,
                    }
                }
                Err(problem) => Err(problem),
            },
            Err(problem) => Err(problem),
        };
        if let Err(problem) = told {
            self.broken(item.as_bytes(), &problem);
        }
    }

    pub(super) fn broken(&mut self, text: &[u8], problem: &Problem) {
        let head = String::from_utf8_lossy(text.get(..HEAD).unwrap_or(text));
        let (namespace, name) = identity(&head);
        self.informer.counts.broken.one();
        self.complaints += 1;
        if self.complaints <= COMPLAINTS {
            let resources = self.name();
            tracing::warn!(resources, namespace, name, %problem, "an object cannot be read");
        }
        self.handler.broken(&Broken { namespace, name, problem });
    }
}

/// So many objects of a list and what follows it are named in the log; all are counted.
const COMPLAINTS: u32 = 5;

/// How much of an object that cannot be read is searched for its name.
const HEAD: usize = 16 << 10;

pub(super) fn too_long() -> Problem {
    Problem(format!("longer than {OBJECT_LIMIT} bytes"))
}

fn unreadable(error: &impl std::fmt::Display) -> End {
    End::Failed(RequestError::Unreadable(error.to_string()))
}
