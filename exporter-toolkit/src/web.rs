//! The HTTP server in front of every agent: listening, TLS and authentication, health, limits, compression.
//!
//! An agent is a [`Source`]; [`Server::bind`] opens its addresses and [`Server::serve`] answers on them until the process
//! ends. It speaks HTTP/1.1 on the caller's tokio runtime, which may be single-threaded.

mod answer;
mod auth;
mod body;
mod compress;
mod config;
mod connection;
mod landing;
mod limits;
mod listen;
mod negotiate;
mod neighbour;
mod options;
mod packed;
mod routes;
mod socket;
mod source;
mod stats;
#[cfg(test)]
mod tests;
mod tls;
mod watched;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use sd_notify::NotifyState;
use tokio::sync::{Notify, Semaphore, watch};
use tokio::task::JoinSet;

pub use answer::{Answer, BLOCK_BYTES, Block, cut};
pub use body::{Body, StreamError};
pub use config::ConfigError;
pub use landing::{Cell, Landing, Table};
pub use options::{Limits, WebOptions};
pub use packed::{Member, Packer, Unpacker};
pub use source::{Refusal, Scrape, Source, Visit};
pub use stats::{CODES, Count, Level, Stats};

use config::Keeper;
use connection::{Hub, Stage};
use listen::Listener;
use routes::Front;
use watched::Surroundings;

/// Why an agent cannot serve.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error("cannot listen on '{address}': {problem} (--web.listen-address)")]
    Address { address: String, problem: String },
    #[error("cannot listen on '{address}': {source}; {remedy}")]
    Listen { address: String, remedy: &'static str, source: io::Error },
    #[error(
        "--web.systemd-socket is given, but systemd passed no socket: start the agent by its .socket unit"
    )]
    NoSystemdSocket,
    #[error(
        "{agent} serves on {address}, and --web.reuse-port is for processes of one agent: choose another port with \
         --web.listen-address"
    )]
    Another { address: String, agent: String },
}

/// An agent's server with its sockets open.
#[derive(Debug)]
pub struct Server {
    options: WebOptions,
    listeners: Vec<Listener>,
    keeper: Arc<Keeper>,
    stats: Arc<Stats>,
    reload: Reload,
}

/// Asks a running server to read its configuration again.
#[derive(Clone, Debug, Default)]
pub struct Reload(Arc<Notify>);

impl Reload {
    /// Returns at once; requests that come together are one reload.
    pub fn request(&self) {
        self.0.notify_one();
    }
}

impl Server {
    /// Reads `--web.config.file` and every file that it names, as [`Server::bind`] does, and opens nothing.
    pub fn check(options: &WebOptions) -> Result<(), ServeError> {
        let file = options.config_file.clone().filter(|file| !file.as_os_str().is_empty());
        Keeper::open(file, options.limits.recheck, Arc::default())?;
        Ok(())
    }

    /// Reads `--web.config.file` and opens the addresses; `default` (`:9100`) stands for the flag where it is not
    /// given. Must be called inside a tokio runtime.
    pub fn bind(options: WebOptions, default: &str) -> Result<Self, ServeError> {
        let stats = Arc::<Stats>::default();
        // An empty name is the peer's way to say none.
        let file = options.config_file.clone().filter(|file| !file.as_os_str().is_empty());
        let recheck = options.limits.recheck;
        let keeper = Arc::new(Keeper::open(file, recheck, Arc::clone(&stats))?);
        let listeners = listen::open(&options, default)?;
        Ok(Self { options, listeners, keeper, stats, reload: Reload::default() })
    }

    /// The counts of this server, for the agent's telemetry.
    pub fn stats(&self) -> Arc<Stats> {
        Arc::clone(&self.stats)
    }

    /// What SIGHUP calls.
    pub fn reload(&self) -> Reload {
        self.reload.clone()
    }

    /// The TCP addresses that are served.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.listeners.iter().filter_map(Listener::tcp_address).collect()
    }

    /// Answers requests until `shutdown` is ready, then finishes the open ones and those that wait to be accepted within
    /// [`Limits::drain`].
    pub async fn serve<S: Source>(
        self,
        source: Arc<S>,
        shutdown: impl Future<Output = ()>,
    ) -> Result<(), ServeError> {
        let (stage, watching) = watch::channel(Stage::Serving);
        let places = self.options.max_connections.get();
        let hub = Arc::new(self.hub(&source, watching));
        let tls = self.keeper.current().tls.is_some();
        neighbour::check(&self.listeners, &*source, tls).await?;
        let mut accepting = JoinSet::new();
        for listener in self.listeners {
            tracing::info!(address = %listener, tls, "Listening on");
            accepting.spawn(connection::accept(Arc::clone(&hub), listener));
        }
        notify(&[NotifyState::Ready]);
        tokio::select! {
            () = shutdown => {}
            () = reloads(&self.reload, &self.keeper, &*source) => {}
        }
        notify(&[NotifyState::Stopping]);
        stage.send_replace(Stage::Draining);
        let drained = async {
            while accepting.join_next().await.is_some() {}
            hub.places.acquire_many(places).await.is_ok()
        };
        if tokio::time::timeout(self.options.limits.drain, drained).await.is_err() {
            tracing::warn!("answers that were not finished in time are cut off");
        }
        stage.send_replace(Stage::Ended);
        Ok(())
    }

    fn hub<S: Source>(&self, source: &Arc<S>, stage: watch::Receiver<Stage>) -> Hub<S> {
        let (keeper, stats) = (Arc::clone(&self.keeper), Arc::clone(&self.stats));
        let around = Surroundings {
            limits: self.options.limits.clone(),
            room: Arc::default(),
            stats: Arc::clone(&stats),
        };
        Hub {
            front: Front::new(Arc::clone(source), &self.options, Arc::clone(&keeper), stats),
            around: Arc::new(around),
            keeper,
            places: Arc::new(Semaphore::new(self.options.max_connections.get() as usize)),
            shares: self.listeners.iter().any(Listener::is_shared),
            stage,
        }
    }
}

/// Reads the configuration again and tells the agent, as often as it is asked for.
async fn reloads<S: Source>(reload: &Reload, keeper: &Keeper, source: &S) {
    loop {
        reload.0.notified().await;
        // systemd wants the time with RELOADING=1 (sd_notify(3), Type=notify-reload).
        match NotifyState::monotonic_usec_now() {
            Ok(now) => notify(&[NotifyState::Reloading, now]),
            Err(_) => notify(&[NotifyState::Reloading]),
        }
        keeper.reload();
        source.reload();
        notify(&[NotifyState::Ready]);
    }
}

/// Binds and serves in one step, for agents that need neither counts nor reloads.
pub async fn serve<S: Source>(
    source: Arc<S>,
    options: WebOptions,
    default: &str,
    shutdown: impl Future<Output = ()>,
) -> Result<(), ServeError> {
    Server::bind(options, default)?.serve(source, shutdown).await
}

/// Tells systemd; where it did not start the agent, this does nothing.
fn notify(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::debug!(%error, "systemd could not be told");
    }
}
