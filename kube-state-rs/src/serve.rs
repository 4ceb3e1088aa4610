//! Starts what the options say, and starts it anew when a file or the number of shards changes.

use std::sync::Arc;

use exporter_toolkit::memory;
use exporter_toolkit::shutdown::Control;
use exporter_toolkit::telemetry::Telemetry;
use exporter_toolkit::web::{Server, WebOptions};
use kube_informer::{Access, Cluster, Lists};
use tokio::sync::watch;

use crate::agent::{Agent, Shown};
use crate::autoshard;
use crate::captain::Captain;
use crate::configured::Configured;
use crate::options::{BUILD, Options};
use crate::own::Own;
use crate::reading::{Files, read};

/// Reads what the start reads before it connects, and starts nothing.
pub fn check(given: &Options) -> anyhow::Result<()> {
    let (options, _) = read(given, &Configured::default())?;
    Ok(Server::check(&options.web)?)
}

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
    let files = Files::of(&given);
    let captain = Captain {
        given,
        cluster,
        shown: Arc::clone(&shown),
        configured: Arc::clone(&configured),
        reloads: control.reload(),
        webs: [metrics.reload(), own.reload()],
        shards,
        files,
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
