//! The agent at work: sources, the catalog, and its sinks, each in a task of its own so that none waits for another.

use std::sync::Arc;
use std::time::Duration;

use exporter_toolkit::memory;
use exporter_toolkit::shutdown::Control;
use exporter_toolkit::telemetry::Telemetry;
use exporter_toolkit::web::Server;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep, sleep_until};

use crate::agent::Agent;
use crate::catalog::{Catalog, Found, Published};
use crate::consul::follow::{Follower, View};
use crate::group::Grouping;
use crate::options::{BUILD, OnExit, Options, OptionsError};
use crate::own::Counts;
use crate::row::Identity;
use crate::sink::file::{FileSink, Written};
use crate::target::{State, Subscription};

/// Our port in ARCHITECTURE.md.
pub const PORT: u16 = 10243;
/// Changes that come together are one pass.
const DEBOUNCE: Duration = Duration::from_millis(100);
/// Everything is looked at again this often although nothing was told.
const RESYNC: Duration = Duration::from_mins(5);

/// Runs until the end is asked for.
pub async fn serve(options: Options, control: &Control) -> anyhow::Result<()> {
    let identity = options.identity()?;
    let consul = options.consul()?;
    let files = options.files()?;
    let counts = Arc::<Counts>::default();
    let sources = start(&options)?;
    let server = Server::bind(options.web.clone(), &format!(":{PORT}"))?;
    let (sender, published) = watch::channel(Arc::<Published>::default());
    let (told, file_state) = watch::channel(None);
    let view = watch::Sender::new(View::default());
    let mut telemetry = Telemetry::new(BUILD).with_http(server.stats());
    counts.register(telemetry.registry_mut());
    let agent = Agent {
        identity: Arc::clone(&identity),
        sources: sources.clone(),
        published: published.clone(),
        view: consul.as_ref().map(|_| view.subscribe()),
        files: file_state,
        file_names: files.iter().map(|file| file.path().display().to_string()).collect(),
        telemetry,
    };
    let reconciler = Reconciler {
        catalog: Catalog::new(Arc::clone(&identity), options.grouping()?, options.guard()?),
        sources,
        view: consul.as_ref().map(|_| view.subscribe()),
        restored: restored(&files, &identity),
        waits_for_groups: matches!(options.grouping()?, Grouping::Sticky { .. }),
        published: sender,
        counts: Arc::clone(&counts),
    };
    tokio::spawn(reconciler.run());
    tokio::spawn(write_files(
        files,
        Arc::clone(&identity),
        published.clone(),
        told,
        Arc::clone(&counts),
    ));
    let following = consul.clone().map(|consul| {
        let longest_pause = options.longest_pause();
        let follower = Follower { consul, identity, published, view, counts, longest_pause };
        tokio::spawn(follower.run())
    });
    memory::give_back_now_and_later();
    let shared = agent.view.clone();
    let shutdown = control.shutdown();
    server.serve(Arc::new(agent), async move { shutdown.requested().await }).await?;
    if let (Some(following), Some(consul)) = (following, consul) {
        following.abort();
        let shared = shared.is_some_and(|view| view.borrow().shared);
        if options.rows.on_exit == OnExit::Deregister && !shared {
            consul.deregister_node().await?;
        }
    }
    Ok(())
}

/// Starts the sources as tasks.
pub fn start(options: &Options) -> anyhow::Result<Vec<Subscription>> {
    if options.modes.is_empty() {
        return Err(OptionsError::NoSource.into());
    }
    let mut subscriptions = Vec::new();
    for mode in &options.modes {
        let (subscription, running) = options.sources.start(*mode)?;
        tokio::spawn(running);
        subscriptions.push(subscription);
    }
    Ok(subscriptions)
}

/// What the files hold from before: rows stay and nodes keep their groups until the sources are read.
pub fn restored(files: &[FileSink], identity: &Identity) -> Vec<Found> {
    let mut found = Vec::new();
    for file in files {
        file.sweep();
        match file.read(identity) {
            Ok(rows) => found.extend(
                rows.into_iter()
                    .map(|row| Found { id: identity.id(&row.target.key).into(), row: Some(row) }),
            ),
            Err(error) => tracing::warn!(%error, "groups of before are not known"),
        }
    }
    found
}

/// What the sources say now.
pub fn states(sources: &[Subscription]) -> Vec<(Arc<str>, State)> {
    sources.iter().map(|source| (Arc::clone(&source.name), source.state.borrow().clone())).collect()
}

struct Reconciler {
    catalog: Catalog,
    sources: Vec<Subscription>,
    view: Option<watch::Receiver<View>>,
    restored: Vec<Found>,
    waits_for_groups: bool,
    published: watch::Sender<Arc<Published>>,
    counts: Arc<Counts>,
}

impl Reconciler {
    async fn run(mut self) {
        let wake = Arc::<Notify>::default();
        for source in &self.sources {
            tokio::spawn(wakes(source.state.clone(), Arc::clone(&wake)));
        }
        if let Some(view) = &self.view {
            tokio::spawn(wakes(view.clone(), Arc::clone(&wake)));
        }
        loop {
            let again = self.pass();
            let resync = Instant::now() + RESYNC;
            tokio::select! {
                () = wake.notified() => sleep(DEBOUNCE).await,
                () = sleep_until(again.map_or(resync, |again| again.min(resync))) => {}
            }
        }
    }

    fn pass(&mut self) -> Option<Instant> {
        let mut found: Vec<Found> = std::mem::take(&mut self.restored);
        // Without a registry nothing is left to be deleted.
        let mut settled = u64::MAX;
        if let Some(view) = &self.view {
            let view = view.borrow();
            // Who knows no groups would give new ones: the registry is asked first.
            if !view.read && found.is_empty() && self.waits_for_groups {
                return None;
            }
            found.extend(view.found.iter().cloned());
            settled = view.generation;
        }
        self.counts.passes.inc();
        let again = self.catalog.pass(Instant::now(), &states(&self.sources), &found, settled);
        let newest = self.catalog.published();
        self.published.send_if_modified(|published| {
            let news = published.generation != newest.generation;
            if news {
                *published = Arc::clone(newest);
            }
            news
        });
        again
    }
}

async fn wakes<T>(mut changes: watch::Receiver<T>, wake: Arc<Notify>) {
    while changes.changed().await.is_ok() {
        wake.notify_one();
    }
}

/// Keeps the files as published; one that cannot be written keeps its text and is tried again.
async fn write_files(
    mut files: Vec<FileSink>,
    identity: Arc<Identity>,
    mut published: watch::Receiver<Arc<Published>>,
    told: watch::Sender<Option<String>>,
    counts: Arc<Counts>,
) {
    let retry = Duration::from_secs(5);
    loop {
        let rows = Arc::clone(&published.borrow_and_update());
        if rows.complete {
            let (mut sinks, identity) = (files.clone(), Arc::clone(&identity));
            let write = move || {
                let mut written = Written::default();
                for sink in &mut sinks {
                    written.add(sink.write(&identity, &rows.rows));
                }
                (sinks, written)
            };
            let problem = match tokio::task::spawn_blocking(write).await {
                Ok((sinks, written)) => {
                    files = sinks;
                    counts.files_written.inc_by(written.replaced as u64);
                    let problems: Vec<String> =
                        written.failed.iter().map(ToString::to_string).collect();
                    (!problems.is_empty()).then(|| problems.join("; "))
                }
                Err(error) => Some(error.to_string()),
            };
            if let Some(problem) = &problem {
                counts.file_errors.inc();
                if told.borrow().as_ref() != Some(problem) {
                    tracing::warn!("{problem}");
                }
            }
            told.send_replace(problem);
        }
        let failed = told.borrow().is_some();
        tokio::select! {
            changed = published.changed() => if changed.is_err() { return },
            () = sleep(retry), if failed => {}
        }
    }
}
