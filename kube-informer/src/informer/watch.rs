//! Changes since a version, and what to do when they stop coming.

use std::convert::Infallible;
use std::future::{Future as _, poll_fn};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use serde::Deserialize;
use tokio::time::Instant;

use super::list::{Change, too_long};
use super::object::{Bookmark, ListMeta};
use super::pieces::{Lines, OBJECT_LIMIT, Text};
use super::{End, Handler, Informer, Problem, Run, Status, View, request};
use crate::client::{ApiStatus, Chunks, RequestError};
use crate::{Resource, json};

/// A watch that is open: its lines, one event each.
pub(crate) struct Stream {
    chunks: Chunks,
    lines: Lines,
    /// See [`super::Patience::gather`].
    gather: Duration,
    /// When something came last.
    heard: Option<Instant>,
}

impl Stream {
    /// The next line; `None` where the API server ended the watch.
    pub(super) async fn next(&mut self) -> Result<Option<Text>, RequestError> {
        loop {
            if let Some(line) = self.lines.next() {
                return Ok(Some(line));
            }
            match self.chunk().await? {
                Some(chunk) => self.lines.push(chunk),
                None => return Ok(None),
            }
        }
    }

    /// What has arrived; while events follow each other closely and no more of them are there, they are let gather.
    async fn chunk(&mut self) -> Result<Option<Bytes>, RequestError> {
        let busy = self.heard.is_some_and(|heard| heard.elapsed() < self.gather);
        let mut next = pin!(self.chunks.next());
        let mut arrived = Poll::Pending;
        if busy {
            for _turn in 0..TURNS {
                arrived = poll_fn(|cx| Poll::Ready(next.as_mut().poll(cx))).await;
                if arrived.is_ready() {
                    break;
                }
                tokio::task::yield_now().await;
            }
            if arrived.is_pending() {
                tokio::time::sleep(self.gather).await;
            }
        }
        let chunk = match arrived {
            Poll::Ready(chunk) => chunk,
            Poll::Pending => next.await,
        };
        self.heard = Some(Instant::now());
        chunk
    }

    /// From now on, events that follow each other closely are let gather for so long.
    fn gathers(&mut self, gather: Duration) {
        self.gather = gather;
    }

    pub(super) fn wait_for(&mut self, silence: Duration) {
        self.chunks.wait_for(silence);
    }
}

/// One line of a watch.
#[derive(Debug)]
pub(super) enum Event {
    /// An object came, changed or went, and the handler was told.
    Changed,
    Bookmark(Bookmark),
    Error(ApiStatus),
    Unknown,
}

/// How a watch came to its end.
enum Watched {
    /// The API server ended it, as it does with all after some minutes.
    Ended,
    Silent,
    Cut(RequestError),
}

impl<H: Handler> Run<'_, H> {
    /// Follows changes from `version` on, watch after watch.
    pub(super) async fn watch(
        &mut self,
        resource: &Resource,
        mut version: String,
        mut stream: Option<Stream>,
    ) -> Result<Infallible, End> {
        loop {
            let mut open = match stream.take() {
                Some(open) => open,
                None => self.reopen(resource, &version).await?,
            };
            self.informer.counts.watches.success.one();
            self.tell(Status::Following);
            let since = Instant::now();
            let mut heard = false;
            let watched = self.events(&mut open, &mut version, &mut heard).await;
            drop(open);
            // A server that ends each watch at once is asked less and less often.
            let lasted = since.elapsed() >= self.informer.patience.first_retry;
            if heard || lasted {
                self.backoff.reset();
            }
            match watched? {
                Watched::Silent => self.silent(resource, &version).await?,
                Watched::Ended if lasted => {}
                Watched::Ended => tokio::time::sleep(self.backoff.next()).await,
                Watched::Cut(error) => self.cut(error).await,
            }
        }
    }

    /// Opens a watch, waiting longer after each failure; only what a new list can cure is an error.
    async fn reopen(&mut self, resource: &Resource, version: &str) -> Result<Stream, End> {
        loop {
            let timeout = self.backoff.spread(self.informer.patience.watch);
            let selection = &self.informer.selection;
            let path = request::watch(resource, selection, self.shape.view, version, timeout);
            let error = match self.open(&path, self.informer.patience.silence).await {
                Ok(stream) => return Ok(stream),
                Err(error) => error,
            };
            self.informer.counts.watches.error.one();
            match &error {
                RequestError::Refused { code: 400 | 410, message, .. } => {
                    return Err(End::Expired(message.clone()));
                }
                // etcd was restored from a backup: versions start anew below ours.
                RequestError::Refused { message, .. } if message.contains(TOO_LARGE) => {
                    return Err(End::Expired(message.clone()));
                }
                RequestError::Refused { code: 404, .. } => return Err(End::Failed(error)),
                _ => {}
            }
            let retry_in = self.backoff.next_after(error.retry_after());
            self.failed(error, retry_in);
            tokio::time::sleep(retry_in).await;
        }
    }

    pub(super) async fn open(
        &mut self,
        path: &str,
        silence: Duration,
    ) -> Result<Stream, RequestError> {
        let client = &self.informer.cluster.client;
        let accept = request::accept_watch(self.shape.view);
        let answer = client.get(path, accept, self.informer.patience.answer).await?;
        let chunks = Chunks::new(answer.into_body(), silence);
        let lines = Lines::new(OBJECT_LIMIT);
        Ok(Stream { chunks, lines, gather: Duration::ZERO, heard: None })
    }

    /// Hands on events until the watch ends, and keeps the version to go on from.
    async fn events(
        &mut self,
        stream: &mut Stream,
        version: &mut String,
        heard: &mut bool,
    ) -> Result<Watched, End> {
        stream.gathers(self.informer.patience.gather);
        loop {
            let text = match stream.next().await {
                Ok(Some(text)) => text,
                Ok(None) => return Ok(Watched::Ended),
                Err(RequestError::Silent(_)) => return Ok(Watched::Silent),
                Err(error) => return Ok(Watched::Cut(error)),
            };
            match self.event(&text).await? {
                Event::Changed => {
                    self.informer.counts.events.one();
                    if !self.seen.is_empty() {
                        version.clone_from(&self.seen);
                    }
                }
                Event::Bookmark(bookmark) => {
                    self.informer.counts.bookmarks.one();
                    went_back(version, &bookmark.resource_version)?;
                    *version = bookmark.resource_version;
                }
                Event::Error(status) => {
                    self.informer.counts.watches.error.one();
                    return error(status);
                }
                Event::Unknown => continue,
            }
            *heard = true;
            self.informer.counts.last_event.is_now();
        }
    }

    /// Reads one line, and gives its object to the handler.
    pub(super) async fn event(&mut self, line: &Text) -> Result<Event, End> {
        self.seen.clear();
        let text = match line {
            Text::Whole(bytes) => match std::str::from_utf8(bytes) {
                Ok(text) => text,
                Err(error) => {
                    self.broken(bytes, &Problem(error.to_string()));
                    return Ok(Event::Changed);
                }
            },
            Text::Head(head) => {
                self.broken(head, &too_long());
                return Ok(Event::Changed);
            }
        };
        let (kind, object) = parts(text);
        let change = match kind {
            r#""ADDED""# | r#""MODIFIED""# => Change::Applied,
            r#""DELETED""# => Change::Deleted,
            r#""BOOKMARK""# => {
                let bookmark = Bookmark::of(self.shape.bookmark(object)?);
                return Ok(bookmark.map_or(Event::Unknown, Event::Bookmark));
            }
            r#""ERROR""# => {
                return Ok(Event::Error(serde_json::from_str(object).unwrap_or_default()));
            }
            _ => {
                tracing::debug!(resources = self.name(), "a line of the watch is no event");
                return Ok(Event::Unknown);
            }
        };
        let Some(item) = self.shape.event(object)? else { return Ok(Event::Unknown) };
        self.deliver(change, item).await;
        Ok(Event::Changed)
    }

    async fn cut(&mut self, error: RequestError) {
        self.informer.counts.watches.error.one();
        tracing::debug!(resources = self.name(), %error, "a watch was cut");
        tokio::time::sleep(self.backoff.next()).await;
    }

    /// Decides whether another watch may go on from `version`. The connection may be dead, or there is nothing to tell: an
    /// API server sends no bookmark while it knows no version above the one that the watch started at, which goes for
    /// each resource that does not change on old ones, and for a whole cluster at rest on new ones. Or the version is
    /// still to come, as etcd was restored from a backup and counts from below it; then all changes would be missed.
    async fn silent(&mut self, resource: &Resource, version: &str) -> Result<(), End> {
        self.informer.counts.silent.one();
        tracing::debug!(resources = self.name(), "a watch was silent, opening another");
        // Whatever fails here fails for the next watch as well, and is told then.
        match self.current_version(resource).await {
            Some(current) => went_back(version, &current),
            None => Ok(()),
        }
    }

    async fn current_version(&self, resource: &Resource) -> Option<String> {
        #[derive(Deserialize)]
        struct List {
            metadata: ListMeta,
        }
        let Informer { cluster, selection, patience, .. } = self.informer;
        let path = request::shortest(resource, selection);
        let accept = request::accept_list(View::Metadata);
        let answer = cluster.client.get(&path, accept, patience.answer).await.ok()?;
        let mut chunks = Chunks::new(answer.into_body(), patience.answer);
        let list: List = serde_json::from_slice(&chunks.collect(OBJECT_LIMIT).await.ok()?).ok()?;
        Some(list.metadata.resource_version)
    }
}

/// The kind of an event, with its quotes, and its object. Every API server writes these two members in this order, so the
/// object's end need not be looked for: that would be a pass over all of it.
fn parts(line: &str) -> (&str, &str) {
    let usual = || {
        let rest = line.trim_ascii().strip_prefix(r#"{"type":"#)?.strip_suffix('}')?;
        let (kind, object) = rest.split_once(r#","object":"#)?;
        (kind.len() <= LONGEST_KIND).then_some((kind, object))
    };
    usual().unwrap_or_else(|| {
        let member = |name| json::member(line, name);
        (member("type").unwrap_or_default(), member("object").unwrap_or("null"))
    })
}

/// The connection is read by a task of its own, which hands over one chunk and reads on when that was taken. So often
/// must it have had its turn, and the runtime have looked at its socket, before nothing more is there for sure.
const TURNS: usize = 5;

/// `"BOOKMARK"`.
const LONGEST_KIND: usize = 10;

/// How the API server says that it does not know a version yet, with the status 504.
const TOO_LARGE: &str = "Too large resource version";

/// What an ERROR event means: some the API server sends when it is busy; after all others the version is of no use.
fn error(status: ApiStatus) -> Result<Watched, End> {
    let busy = matches!(status.code, 429 | 503 | 504) && !status.message.contains(TOO_LARGE);
    if !busy {
        return Err(End::Expired(status.message));
    }
    Ok(Watched::Cut(RequestError::Refused {
        code: status.code,
        retry_after: status.details.and_then(|details| details.retry_after()),
        reason: status.reason,
        message: status.message,
    }))
}

/// etcd that was restored from a backup gives lower versions than before; what changed meanwhile is unknown then.
fn went_back(last: &str, next: &str) -> Result<(), End> {
    match (last.parse::<u64>(), next.parse::<u64>()) {
        (Ok(last), Ok(next)) if next < last => {
            Err(End::Expired(format!("versions went back from {last} to {next}")))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_has_its_parts_however_it_is_written() {
        let object = r#"{"metadata":{"name":"a,\"object\":"}}"#;
        for line in [
            format!(r#"{{"type":"ADDED","object":{object}}}"#),
            format!(r#"{{"type":"ADDED","object":{object}}}  "#),
            format!(r#" {{ "object": {object}, "type": "ADDED" }}"#),
            format!(r#"{{"object":{object},"type":"ADDED"}}"#),
        ] {
            assert_eq!(parts(&line), (r#""ADDED""#, object), "{line}");
        }
        assert_eq!(parts("nonsense"), ("", "null"));
    }
}
