//! Follows resources of a cluster and prints what happens to them, with what it costs.
//!
//! `follow KUBECONFIG RESOURCE… [--view=full|metadata|table|names] [--quiet] [--slow] [--state] [--debug]`, where a resource is
//! `cronjobs.v1.batch,cronjobs.v1beta1.batch`: candidates in order of preference. With `--state` each object's name and
//! version is printed at the end, to be compared with what the API server tells others.
#![expect(clippy::print_stdout, reason = "a program for a person at a terminal")]

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read as _;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use kube_informer::{
    Access, Broken, Cluster, Gvr, Handler, Informer, Object, Problem, Resource, Selection, Status,
    View,
};
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinSet;

/// Versions by `resources namespace/name`.
type State = Arc<Mutex<BTreeMap<String, String>>>;
type Fault = Box<dyn std::error::Error + Send + Sync>;

struct Printer {
    resources: String,
    quiet: bool,
    slow: bool,
    objects: u64,
    bytes: usize,
    since: Instant,
    /// The list that is under way.
    next: Option<BTreeMap<String, String>>,
    state: State,
}

impl Printer {
    fn key(&self, object: &Object<'_>) -> String {
        format!("{} {}/{}", self.resources, object.namespace, object.name)
    }

    fn say(&self, text: &str) {
        println!("{:9.3} {}: {text}", self.since.elapsed().as_secs_f64(), self.resources);
    }
}

impl Handler for Printer {
    async fn begin(&mut self, resource: &Resource) {
        (self.objects, self.bytes) = (0, 0);
        self.next = Some(BTreeMap::new());
        self.say(&format!("begin {} ({})", resource.gvr, resource.kind));
    }

    async fn apply(&mut self, object: Object<'_>) -> Result<(), Problem> {
        self.objects += 1;
        if self.slow {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        self.bytes += object.raw.len();
        let (key, version) = (self.key(&object), object.resource_version.to_owned());
        match &mut self.next {
            Some(next) => next.insert(key, version),
            None => self.state.lock().unwrap_or_else(PoisonError::into_inner).insert(key, version),
        };
        if !self.quiet {
            let Object { namespace, name, resource_version, raw, .. } = object;
            self.say(&format!("apply {namespace}/{name} @{resource_version}, {} bytes", raw.len()));
        }
        Ok(())
    }

    async fn delete(&mut self, object: Object<'_>) -> Result<(), Problem> {
        let key = self.key(&object);
        match &mut self.next {
            Some(next) => next.remove(&key),
            None => self.state.lock().unwrap_or_else(PoisonError::into_inner).remove(&key),
        };
        if !self.quiet {
            self.say(&format!("delete {}/{}", object.namespace, object.name));
        }
        Ok(())
    }

    async fn listed(&mut self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let own = format!("{} ", self.resources);
        state.retain(|key, _| !key.starts_with(&own));
        state.extend(self.next.take().unwrap_or_default());
        drop(state);
        let text = format!("listed {} objects, {} bytes; {}", self.objects, self.bytes, cost());
        self.say(&text);
    }

    fn broken(&mut self, object: &Broken<'_>) {
        self.say(&format!("broken {:?}: {}", object.name, object.problem));
    }

    fn status(&mut self, status: &Status) {
        self.say(&format!("status {status:?}"));
    }
}

/// Memory now and at most, and CPU time up to now.
fn cost() -> String {
    let line = |text: &str, name: &str| {
        let line = text.lines().find(|line| line.starts_with(name)).unwrap_or_default();
        line.split_ascii_whitespace().nth(1).unwrap_or("?").to_owned()
    };
    let status = text("/proc/self/status");
    let stat = text("/proc/self/stat");
    let mut ticks = stat.rsplit(')').next().unwrap_or_default().split_ascii_whitespace().skip(11);
    let (user, kernel) = (ticks.next().unwrap_or("?"), ticks.next().unwrap_or("?"));
    let (now, most) = (line(&status, "VmRSS"), line(&status, "VmHWM"));
    format!("{now} kB resident, {most} kB at most, {user}+{kernel} ticks")
}

fn text(path: &str) -> String {
    let mut text = String::new();
    let read = File::open(path).and_then(|file| file.take(1 << 20).read_to_string(&mut text));
    read.map(|_| text).unwrap_or_default()
}

fn candidate(text: &str) -> Gvr {
    let mut parts = text.splitn(3, '.').map(|part| part.to_owned().into());
    let mut part = || parts.next().unwrap_or_default();
    let (resource, version, group) = (part(), part(), part());
    Gvr { group, version, resource }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Fault> {
    let (flags, words): (Vec<String>, Vec<String>) =
        std::env::args().skip(1).partition(|word| word.starts_with("--"));
    let Some((kubeconfig, resources)) = words.split_first() else {
        return Err(
            "follow KUBECONFIG RESOURCE… [--view=full|metadata|table|names] [--quiet] [--slow] [--state] [--debug]".into()
        );
    };
    let has = |flag: &str| flags.iter().any(|found| found == flag);
    let level = if has("--debug") { tracing::Level::DEBUG } else { tracing::Level::INFO };
    tracing_subscriber::fmt().with_max_level(level).with_ansi(false).init();
    let view = match flags.iter().find_map(|flag| flag.strip_prefix("--view=")) {
        Some("metadata") => View::Metadata,
        Some("table") => View::Table(&[("Type", "type")]),
        Some("names") => View::Table(&[("Name", "printed")]),
        _ => View::Full,
    };
    let access = Access {
        kubeconfig: Some(kubeconfig.into()),
        user_agent: "follow/1".to_owned(),
        ..Access::default()
    };
    let cluster = Cluster::new(access.connect().await?);
    println!("{:?}; {}", cluster.discovery.version().await, cost());
    let state = State::default();
    let mut informers = JoinSet::new();
    for resources in resources {
        let selection = Selection { view, ..Selection::of(resources.split(',').map(candidate)) };
        let informer = Informer::new(&cluster, selection);
        let mut printer = Printer {
            resources: resources.clone(),
            quiet: has("--quiet"),
            slow: has("--slow"),
            objects: 0,
            bytes: 0,
            since: Instant::now(),
            next: None,
            state: Arc::clone(&state),
        };
        informers.spawn(async move { match informer.run(&mut printer).await {} });
    }
    let mut end = signal(SignalKind::terminate())?;
    tokio::select! {
        _ = informers.join_next() => {}
        _ = end.recv() => {}
    }
    println!("{}", cost());
    for (key, version) in state.lock().unwrap_or_else(PoisonError::into_inner).iter() {
        if has("--state") {
            println!("state {key} {version}");
        }
    }
    Ok(())
}
