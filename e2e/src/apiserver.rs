//! An API server on loopback that serves a generated cluster: for benchmarks, and for tests that need many objects or a
//! fault at a moment of their choice. What a real API server says is for the testbed's servers to tell.
//!
//! It speaks lists (pages, continue tokens that expire, `resourceVersion=0`), watches (bookmarks, streaming lists, 410
//! Gone), `PartialObjectMetadata`, field selectors and discovery of core/v1's pods, nodes, namespaces, configmaps and
//! secrets, in JSON. An object is made from its number when it is asked for, so 200,000 pods cost a few megabytes. A pod is
//! one of a Deployment, with two containers: 4.2 kB of JSON, from which kube-state-metrics makes 50 series in 9.1 kB.
//!
//! Changes and faults come from [`ApiServer::control`], or from a POST to `/control/COMMAND`:
//!
//! | command | what happens |
//! | --- | --- |
//! | `restart?share=0.01`, `touch`, `replace`, `delete` | a container restarts in this share of the pods; something that no family shows changes; another pod comes in its place; it goes |
//! | `create?count=N` | so many pods come |
//! | `churn?what=restart&rate=500&seconds=30` | so many changes a second, one by one, for a while; it answers at once |
//! | `compact` | what has happened is forgotten: older watches and further pages are 410 |
//! | `cut` | all watches break off |
//! | `stall?seconds=N` | all watches stay open and say nothing |
//! | `forbid?resource=pods`, `allow?resource=pods` | 403, until it is allowed again |
//! | `fail?status=503&count=N` | the next lists and watches get this status |
//! | `state` | the present resourceVersion, and what was asked so far |

mod cluster;
mod control;
mod discovery;
mod fields;
pub(crate) mod http;
mod list;
mod objects;
mod selector;
mod template;
#[cfg(test)]
mod tests;
mod watch;

use std::io::{self, BufReader};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use cluster::Cluster;
use http::{Request, send};
use objects::{Form, KINDS, Object, Shape};
use selector::Selector;

/// What is served and how.
#[derive(Clone, Debug)]
pub struct Settings {
    pub pods: usize,
    /// Of 127.0.0.1; 0 for any.
    pub port: u16,
    pub streaming: Streaming,
    /// Time between two bookmarks of a watch.
    pub bookmarks: Duration,
    /// UIDs and container ids that count up, and so compress better than those of a real cluster.
    pub counted_ids: bool,
}

/// What becomes of a watch that asks for a streaming list (`sendInitialEvents`).
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Streaming {
    /// As Kubernetes does since 1.32.
    #[default]
    Served,
    /// Refused with 422, as while the feature gate is off.
    Refused,
    /// A plain watch, as before 1.27, which knew no such parameter.
    Ignored,
}

impl Settings {
    pub fn new(pods: usize) -> Self {
        let bookmarks = Duration::from_mins(1);
        Self { pods, port: 0, streaming: Streaming::default(), bookmarks, counted_ids: false }
    }
}

/// A running server. Dropping it breaks all connections off.
#[derive(Debug)]
pub struct ApiServer {
    shared: Arc<Shared>,
    address: SocketAddr,
}

/// Connections at a time.
const CONNECTIONS: usize = 256;

impl ApiServer {
    pub fn start(settings: Settings) -> Result<Self> {
        ensure!(settings.pods as u64 <= fields::MOST_PODS, "at most {} pods", fields::MOST_PODS);
        let address = crate::agent::local(settings.port);
        let listener = TcpListener::bind(address).with_context(|| address.to_string())?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            shape: Shape::new(settings.pods, settings.counted_ids),
            cluster: Mutex::new(Cluster::new(settings.pods)),
            settings,
            news: Condvar::new(),
            closing: AtomicBool::new(false),
            connections: AtomicUsize::new(0),
        });
        let server = Arc::clone(&shared);
        std::thread::Builder::new()
            .name("apiserver".to_owned())
            .spawn(move || accept(&listener, &server))
            .context("no thread")?;
        Ok(Self { shared, address })
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Does what the module's table says, and answers JSON: `control("restart?share=0.01")`.
    pub fn control(&self, command: &str) -> Result<String> {
        let request = Request::new("POST", &format!("/control/{command}"));
        control::run(&self.shared, &request)
            .map_err(|refusal| anyhow::anyhow!("{command}: {}", refusal.message))
    }
}

impl Drop for ApiServer {
    fn drop(&mut self) {
        self.shared.closing.store(true, Ordering::Relaxed);
        self.shared.tell(|_| {});
        // Wakes the thread that accepts; where nothing listens any more there is nothing to wake.
        _ = TcpStream::connect(self.address);
    }
}

/// What all connections see.
#[derive(Debug)]
struct Shared {
    settings: Settings,
    shape: Shape,
    cluster: Mutex<Cluster>,
    /// Told of each change.
    news: Condvar,
    closing: AtomicBool,
    connections: AtomicUsize,
}

impl Shared {
    fn cluster(&self) -> MutexGuard<'_, Cluster> {
        self.cluster.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the cluster and wakes the watches.
    fn tell<T>(&self, change: impl FnOnce(&mut Cluster) -> T) -> T {
        let result = change(&mut self.cluster());
        self.news.notify_all();
        result
    }
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    for stream in listener.incoming() {
        if shared.closing.load(Ordering::Relaxed) {
            return;
        }
        let Ok(stream) = stream else { continue };
        if shared.connections.fetch_add(1, Ordering::Relaxed) >= CONNECTIONS {
            shared.connections.fetch_sub(1, Ordering::Relaxed);
            continue;
        }
        let server = Arc::clone(shared);
        let started = std::thread::Builder::new().name("connection".to_owned()).spawn(move || {
            // A connection that breaks is its client's loss.
            _ = serve(&server, stream);
            server.connections.fetch_sub(1, Ordering::Relaxed);
        });
        if started.is_err() {
            shared.connections.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

fn serve(shared: &Arc<Shared>, mut stream: TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut reader = BufReader::new(stream.try_clone()?);
    while let Some(request) = Request::read(&mut reader)? {
        if shared.closing.load(Ordering::Relaxed) {
            break;
        }
        answer(shared, &request, &mut stream)?;
        if request.close {
            break;
        }
    }
    stream.shutdown(Shutdown::Both)
}

/// Why a request has no other answer: a `Status` of the API.
#[derive(Debug)]
struct Refusal {
    code: u16,
    reason: &'static str,
    message: String,
}

impl Refusal {
    fn new(code: u16, reason: &'static str, message: impl Into<String>) -> Self {
        Self { code, reason, message: message.into() }
    }

    fn not_found() -> Self {
        Self::new(404, "NotFound", "the server could not find the requested resource")
    }

    fn json(&self) -> String {
        let Self { code, reason, message } = self;
        let message = message.replace('\\', "\\\\").replace('"', "\\\"");
        format!(
            r#"{{"kind":"Status","apiVersion":"v1","metadata":{{}},"status":"Failure","message":"{message}","reason":"{reason}","code":{code}}}"#
        )
    }
}

fn answer(shared: &Arc<Shared>, request: &Request, stream: &mut TcpStream) -> io::Result<()> {
    let refused = match request.path.as_str() {
        path if path.starts_with("/control/") => match control::run(shared, request) {
            Ok(json) => return send(stream, 200, json.as_bytes()),
            Err(refusal) => Some(refusal),
        },
        path => match discovery::find(path) {
            Some(json) => return send(stream, 200, json.as_bytes()),
            None => read(shared, request, stream)?,
        },
    };
    match refused {
        Some(refusal) => send(stream, refusal.code, refusal.json().as_bytes()),
        None => Ok(()),
    }
}

/// What a request to read is about.
struct Scope {
    kind: usize,
    selector: Selector,
    form: Form,
}

/// Answers a list, a watch or a single object, or says why not.
fn read(shared: &Shared, request: &Request, stream: &mut TcpStream) -> io::Result<Option<Refusal>> {
    let target = match target(shared, request) {
        Ok(target) => target,
        Err(refusal) => return Ok(Some(refusal)),
    };
    match target {
        (scope, None) if request.is_set("watch") => watch::serve(shared, scope, request, stream),
        (scope, None) => list::serve(shared, &scope, request, stream),
        (scope, Some(name)) => get(shared, &scope, &name, stream),
    }
}

fn target(shared: &Shared, request: &Request) -> Result<(Scope, Option<String>), Refusal> {
    let path = request.path.strip_prefix("/api/v1/").ok_or_else(Refusal::not_found)?;
    let parts: Vec<&str> = path.split('/').collect();
    let (namespace, plural, name) = match parts[..] {
        [plural] => (None, plural, None),
        ["namespaces", name] => (None, "namespaces", Some(name)),
        ["namespaces", namespace, plural] => (Some(namespace), plural, None),
        ["namespaces", namespace, plural, name] => (Some(namespace), plural, Some(name)),
        [plural, name] => (None, plural, Some(name)),
        _ => return Err(Refusal::not_found()),
    };
    let kind = KINDS.iter().position(|kind| kind.plural == plural);
    let kind = kind.ok_or_else(Refusal::not_found)?;
    may_read(&mut shared.cluster(), plural)?;
    let text = request.parameter("fieldSelector").unwrap_or_default();
    let mut selector = Selector::parse(text)
        .filter(|_| request.parameter("labelSelector").is_none())
        .ok_or_else(|| Refusal::new(400, "BadRequest", "this server knows no such selector"))?;
    if let Some(namespace) = namespace {
        selector = selector.within(namespace);
    }
    let partial = request.accept.contains("as=PartialObjectMetadata");
    let form = if partial { Form::Metadata } else { Form::Whole };
    Ok((Scope { kind, selector, form }, name.map(str::to_owned)))
}

fn may_read(cluster: &mut Cluster, plural: &str) -> Result<(), Refusal> {
    if let Some(status) = cluster.failure() {
        return Err(Refusal::new(status, "ServiceUnavailable", "this server was asked to fail"));
    }
    if cluster.faults.forbidden.iter().any(|other| other == plural) {
        let message = format!(
            "{plural} is forbidden: User \"system:anonymous\" cannot list resource \"{plural}\" in API group \"\" at the cluster scope"
        );
        return Err(Refusal::new(403, "Forbidden", message));
    }
    Ok(())
}

fn get(
    shared: &Shared,
    scope: &Scope,
    name: &str,
    stream: &mut TcpStream,
) -> io::Result<Option<Refusal>> {
    let objects = shared.cluster().now(scope.kind);
    let number = fields::number_in(scope.kind, name);
    let state = number.and_then(|number| Some((number, cluster::one(&objects, number)?)));
    let object = state
        .map(|(number, state)| Object { shape: &shared.shape, kind: scope.kind, number, state })
        .filter(|object| object.name() == name && scope.selector.takes(object));
    let Some(object) = object else { return Ok(Some(Refusal::not_found())) };
    let mut json = Vec::new();
    object.write(scope.form, &mut json);
    send(stream, 200, &json)?;
    Ok(None)
}
