//! Starts what the options say, and starts it anew when a file or the number of shards changes.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use exporter_toolkit::memory;
use exporter_toolkit::shutdown::{self, Control};
use exporter_toolkit::telemetry::Telemetry;
use exporter_toolkit::web::{Reload, Server, WebOptions};
use kube_informer::{Access, Cluster, Lists};
use tokio::sync::watch;

use crate::agent::{Agent, Shown};
use crate::autoshard;
use crate::configured::Configured;
use crate::fleet::Fleet;
use crate::options::{BUILD, Options};
use crate::own::Own;
use crate::settings::Settings;
use crate::shard::Shard;

/// How often files are looked at for a change.
const LOOK: Duration = Duration::from_secs(2);

/// Runs until the end is asked for.
pub async fn serve(given: Options, control: &Control) -> anyhow::Result<()> {
    let configured = Arc::<Configured>::default();
    let (options, settings) = read(&given, &configured)?;
    let access = Access {
        kubeconfig: options.cluster.kubeconfig.clone(),
        apiserver: options.cluster.apiserver.clone(),
        user_agent: concat!("kube-state-rs/", env!("CARGO_PKG_VERSION")).to_owned(),
        ..Access::default()
    };
    let client = access.connect().await?;
    let mut cluster = Cluster::new(client.clone());
    cluster.lists = Lists::at_most(options.cluster.concurrent_lists);

    let metrics = Server::bind(options.web.clone(), &options.ports.metrics_address())?;
    let own_web =
        WebOptions { listen_addresses: Vec::new(), systemd_socket: false, ..options.web.clone() };
    let own = Server::bind(own_web, &options.ports.telemetry_address())?;
    let shown = Arc::<Shown>::default();
    let agent = Arc::new(Agent::new(Arc::clone(&shown), client));
    let mut telemetry = Telemetry::new(BUILD).with_http(metrics.stats());
    agent.register(telemetry.registry_mut());
    let (found, shards) = watch::channel(autoshard::fixed(&options.shards));
    let finding = autoshard::follow(cluster.clone(), options.shards.clone(), found);
    let captain = Captain {
        given,
        cluster,
        shown: Arc::clone(&shown),
        configured: Arc::clone(&configured),
        reloads: control.reload(),
        webs: [metrics.reload(), own.reload()],
        shards,
    };
    memory::give_back();
    let end = || {
        let shutdown = control.shutdown();
        async move { shutdown.requested().await }
    };
    let metrics = metrics.serve(agent, end());
    let own = own.serve(Arc::new(Own::new(shown, configured, telemetry)), end());
    let servers = async { tokio::try_join!(metrics, own) };
    tokio::select! {
        served = servers => { served?; }
        failed = captain.run(settings) => failed?,
        never = finding => match never {},
    }
    Ok(())
}

/// Keeps the fleet that the configuration and the shards ask for.
struct Captain {
    given: Options,
    cluster: Cluster,
    shown: Arc<Shown>,
    configured: Arc<Configured>,
    reloads: shutdown::Reload,
    webs: [Reload; 2],
    /// `None` until the StatefulSet that says it is found.
    shards: watch::Receiver<Option<Shard>>,
}

impl Captain {
    /// Returns only where the first fleet cannot be started.
    async fn run(mut self, mut settings: Settings) -> anyhow::Result<()> {
        let mut files = Files::of(&self.given);
        let mut shard = self.shard().await;
        let mut fleet = self.start(&settings, shard)?;
        self.shown.set(Arc::clone(&fleet.groups));
        fleet.ready().await;
        memory::give_back();
        tracing::info!("everything that is served has been listed");
        let mut changed = false;
        loop {
            if !changed {
                self.change(&mut files).await;
            }
            changed = false;
            match read(&self.given, &self.configured) {
                Ok((_, read)) => settings = read,
                Err(error) => {
                    tracing::error!("{error:#}; what was configured before stays in force")
                }
            }
            shard = self.shard().await;
            let next = self.start(&settings, shard)?;
            // The old fleet answers until the new one is complete, so no scrape sees a part of the objects.
            tokio::select! {
                () = next.ready() => {
                    self.shown.set(Arc::clone(&next.groups));
                    fleet = next;
                    tracing::info!(resources = fleet.groups.len(), "the new configuration is in force");
                    memory::trim();
                }
                () = self.change(&mut files) => changed = true,
            }
        }
    }

    async fn shard(&mut self) -> Shard {
        match self.shards.wait_for(Option::is_some).await {
            Ok(shard) => shard.unwrap_or_default(),
            // Nobody is left who could find one.
            Err(_) => Shard::default(),
        }
    }

    fn start(&self, settings: &Settings, shard: Shard) -> anyhow::Result<Fleet> {
        let Settings { object_limit, .. } = settings;
        self.configured.set(shard, *object_limit);
        let fleet = Fleet::start(&self.cluster, settings, shard)?;
        let names: Vec<&str> = fleet.groups.iter().map(|group| group.resource.as_str()).collect();
        tracing::info!(
            count = names.len(),
            resources = names.join(","),
            shard = shard.number(),
            shards = shard.total(),
            "Following"
        );
        Ok(fleet)
    }

    /// Returns when something may have to be configured anew.
    async fn change(&mut self, files: &mut Files) {
        loop {
            tokio::select! {
                () = self.reloads.requested() => {
                    self.webs.iter().for_each(Reload::request);
                    return;
                }
                Ok(()) = self.shards.changed() => return,
                () = tokio::time::sleep(LOOK) => {
                    if files.changed() {
                        return;
                    }
                }
            }
        }
    }
}

/// The options with what the configuration file says, and what follows from them.
fn read(given: &Options, configured: &Configured) -> anyhow::Result<(Options, Settings)> {
    let name = given.config.as_deref().map_or_else(String::new, |file| file.display().to_string());
    let read = given.with_config().map_err(anyhow::Error::from).and_then(|(options, text)| {
        let settings = Settings::new(&options)?;
        Ok((options, settings, text))
    });
    match read {
        Ok((options, settings, text)) => {
            if let Some(text) = text {
                configured.read("config", &name, Some(text.as_bytes()));
            }
            Ok((options, settings))
        }
        Err(error) => {
            if !name.is_empty() {
                configured.read("config", &name, None);
            }
            Err(error)
        }
    }
}

/// The configuration files, and how they looked last.
struct Files(Vec<(PathBuf, Option<Look>)>);

/// Differs when a file is written or replaced, as a mounted `ConfigMap` is.
type Look = (u64, u64, Option<SystemTime>);

impl Files {
    fn of(options: &Options) -> Self {
        let named = [&options.config, &options.custom.custom_resource_state_config_file];
        let files = named.into_iter().flatten().filter(|file| !file.as_os_str().is_empty());
        Self(files.map(|file| (file.clone(), look(file))).collect())
    }

    fn changed(&mut self) -> bool {
        let mut changed = false;
        for (file, seen) in &mut self.0 {
            let now = look(file);
            changed |= now != *seen;
            *seen = now;
        }
        changed
    }
}

fn look(file: &Path) -> Option<Look> {
    let metadata = std::fs::metadata(file).ok()?;
    Some((metadata.ino(), metadata.len(), metadata.modified().ok()))
}
