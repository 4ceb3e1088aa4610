//! Watches and streaming lists.

use std::io;
use std::net::TcpStream;
use std::sync::PoisonError;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::cluster::{Change, Cluster, Event, State, present};
use super::fields::put;
use super::http::{Chunks, Request};
use super::list::too_large;
use super::objects::{Form, KINDS, Object, POD};
use super::{Refusal, Scope, Shared, Streaming};

/// Changes that are written without looking whether something else happens.
const BATCH: usize = 256;

struct Watch<'a> {
    shared: &'a Shared,
    scope: Scope,
    /// The version that the client has.
    seen: u64,
    /// Cuts before its time.
    cuts: u64,
    end: Instant,
    /// When the next one is due, where the client wants them.
    bookmark: Option<Instant>,
}

/// What a watch has to say next.
enum News {
    Events(Vec<Event>),
    Bookmark,
    /// Older changes than it has seen are forgotten.
    Gone,
    /// Its time is over.
    End,
    Cut,
}

pub(super) fn serve(
    shared: &Shared,
    scope: Scope,
    request: &Request,
    stream: &mut TcpStream,
) -> io::Result<Option<Refusal>> {
    let streaming = match streaming(shared, request) {
        Ok(streaming) => streaming,
        Err(refusal) => return Ok(Some(refusal)),
    };
    let from = request.number("resourceVersion").unwrap_or(0);
    let (version, cuts) = {
        let mut cluster = shared.cluster();
        if let Err(refusal) = too_large(from, cluster.version()) {
            return Ok(Some(refusal));
        }
        cluster.counts.watches += 1;
        cluster.counts.streaming_lists += u64::from(streaming);
        (cluster.version(), cluster.faults.cuts)
    };
    let start = Instant::now();
    let wants_bookmarks = request.is_set("allowWatchBookmarks");
    let end = start + Duration::from_secs(request.number("timeoutSeconds").unwrap_or(3000));
    let bookmark = wants_bookmarks.then(|| start + shared.settings.bookmarks);
    let seen = if from == 0 { version } else { from };
    let mut watch = Watch { shared, scope, seen, cuts, end, bookmark };
    let mut chunks = Chunks::start(stream)?;
    if streaming || from == 0 {
        watch.begin(streaming, &mut chunks)?;
    }
    shared.cluster().counts.open_watches += 1;
    let result = watch.run(&mut chunks);
    shared.cluster().counts.open_watches -= 1;
    match result? {
        News::Cut => Err(io::ErrorKind::ConnectionAborted.into()),
        _ => chunks.finish().map(|()| None),
    }
}

/// Whether the client gets a streaming list.
fn streaming(shared: &Shared, request: &Request) -> Result<bool, Refusal> {
    if !request.is_set("sendInitialEvents") || shared.settings.streaming == Streaming::Ignored {
        return Ok(false);
    }
    let refuse =
        |why| Err(Refusal::new(422, "Invalid", format!("sendInitialEvents: Forbidden: {why}")));
    if shared.settings.streaming == Streaming::Refused {
        return refuse(
            "sendInitialEvents is forbidden for watch unless the WatchList feature gate is enabled",
        );
    }
    if request.parameter("resourceVersionMatch") != Some("NotOlderThan") {
        return refuse("sendInitialEvents requires setting resourceVersionMatch to NotOlderThan");
    }
    Ok(true)
}

impl Watch<'_> {
    /// Tells all objects there are, and of a streaming list also that these were all.
    fn begin(&mut self, streaming: bool, chunks: &mut Chunks<'_>) -> io::Result<()> {
        let (version, objects) = {
            let cluster = self.shared.cluster();
            (cluster.version(), cluster.now(self.scope.kind))
        };
        self.seen = version;
        for (number, state) in present(&objects) {
            self.write(Change::Added, number, state, &mut chunks.out);
            chunks.pace()?;
        }
        drop(objects);
        if streaming {
            self.write_bookmark(
                r#","annotations":{"k8s.io/initial-events-end":"true"}"#,
                &mut chunks.out,
            );
        }
        chunks.flush()
    }

    fn run(&mut self, chunks: &mut Chunks<'_>) -> io::Result<News> {
        loop {
            match self.next() {
                News::Events(events) => {
                    for event in events {
                        self.write(event.change, event.number, event.state, &mut chunks.out);
                        chunks.pace()?;
                    }
                }
                News::Bookmark => {
                    self.bookmark = Some(Instant::now() + self.shared.settings.bookmarks);
                    self.write_bookmark("", &mut chunks.out);
                }
                News::Gone => {
                    let message = format!("too old resource version: {}", self.seen);
                    let status = Refusal::new(410, "Expired", message).json();
                    put(&mut chunks.out, &format!("{{\"type\":\"ERROR\",\"object\":{status}}}\n"));
                    return Ok(News::End);
                }
                end @ (News::End | News::Cut) => return Ok(end),
            }
            chunks.flush()?;
        }
    }

    /// Waits for what comes next.
    fn next(&mut self) -> News {
        let mut cluster = self.shared.cluster();
        loop {
            let now = Instant::now();
            if cluster.faults.cuts != self.cuts || self.shared.closing.load(Ordering::Relaxed) {
                return News::Cut;
            }
            let wake = match cluster.silence() {
                Some(silence) => now + silence,
                None => match self.at_once(&cluster, now) {
                    Ok(news) => return news,
                    Err(wake) => wake,
                },
            };
            if now >= self.end {
                return News::End;
            }
            let waited = self.shared.news.wait_timeout(cluster, wake.min(self.end) - now);
            cluster = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// What there is to say now, or when there will be something.
    fn at_once(&mut self, cluster: &Cluster, now: Instant) -> Result<News, Instant> {
        loop {
            let Some(events) = cluster.since(self.seen, BATCH) else { return Ok(News::Gone) };
            let mut events: Vec<Event> = events.collect();
            if events.is_empty() {
                break;
            }
            self.seen += events.len() as u64;
            events.retain(|event| event.kind == self.scope.kind);
            if !events.is_empty() {
                return Ok(News::Events(events));
            }
        }
        match self.bookmark {
            Some(due) if due <= now => Ok(News::Bookmark),
            due => Err(due.unwrap_or(self.end)),
        }
    }

    fn write(&self, change: Change, number: usize, state: State, out: &mut Vec<u8>) {
        let object = Object { shape: &self.shared.shape, kind: self.scope.kind, number, state };
        if !self.scope.selector.is_any() && !self.scope.selector.takes(&object) {
            return;
        }
        put(
            out,
            match change {
                Change::Added => r#"{"type":"ADDED","object":"#,
                Change::Modified => r#"{"type":"MODIFIED","object":"#,
                Change::Deleted => r#"{"type":"DELETED","object":"#,
            },
        );
        object.write(self.scope.form, out);
        put(out, "}\n");
    }

    /// An object with nothing but its version, and what Go writes for fields that must not be left out.
    fn write_bookmark(&self, annotations: &str, out: &mut Vec<u8>) {
        let (kind, version) = (&KINDS[self.scope.kind], self.seen);
        let (kind, api_version, rest) = match self.scope.form {
            Form::Metadata => ("PartialObjectMetadata", "meta.k8s.io/v1", ""),
            _ if self.scope.kind == POD => {
                (kind.name, "v1", r#","spec":{"containers":null},"status":{}"#)
            }
            _ => (kind.name, "v1", ""),
        };
        put(
            out,
            &format!(
                "{{\"type\":\"BOOKMARK\",\"object\":{{\"kind\":\"{kind}\",\"apiVersion\":\"{api_version}\",\
             \"metadata\":{{\"resourceVersion\":\"{version}\",\"creationTimestamp\":null{annotations}}}{rest}}}}}\n"
            ),
        );
    }
}
