//! Starts what the options say.

use std::sync::Arc;

use anyhow::Context as _;
use exporter_toolkit::client::{Client, ClientSettings, Target, TlsSettings};
use exporter_toolkit::memory;
use exporter_toolkit::shutdown::Control;
use exporter_toolkit::telemetry::Telemetry;
use exporter_toolkit::web::{Server, WebOptions};
use tokio::task::JoinSet;

use crate::cgroup::Reader;
use crate::identity::{self, Kubelet, Shared, pod_token};
use crate::options::{BUILD, OWN_PORT, Options, TargetOptions};
use crate::own::Own;
use crate::proxy::{FillKind, Merge, Native, Passes, Proxy, SourceKind, Totals, Upstream, named};
use crate::rewrite::{Settings, Subject, Workshop};

/// How the agent calls itself to others.
const USER_AGENT: &str = concat!("cadvisor-proxy-rs/", env!("CARGO_PKG_VERSION"));

/// What is made of the options before a port is opened.
struct Prepared {
    settings: Settings,
    upstream: Upstream,
    fill: Option<Native>,
    shared: Arc<Shared>,
    /// The sources of identity, which run until this is dropped.
    sources: JoinSet<()>,
}

fn prepared(options: &Options) -> anyhow::Result<Prepared> {
    let subject = match options.target.source {
        SourceKind::Exporter => Subject::Own,
        SourceKind::Kubelet | SourceKind::Cadvisor | SourceKind::Cgroup => Subject::Cgroups,
    };
    let settings = Settings::new(&options.series, subject)?;
    let fill = fill(options)?;
    let upstream = match options.target.source {
        SourceKind::Cgroup => {
            anyhow::ensure!(
                options.target.targets.is_empty(),
                "--target: nobody is asked with --source=cgroup"
            );
            Upstream::Cgroups(native(options)?)
        }
        _ => upstream(&options.target)?,
    };
    let served = match &upstream {
        Upstream::One(client) if options.target.source == SourceKind::Kubelet => {
            Some(Kubelet::of(client.clone()))
        }
        _ => None,
    };
    let paths = options.cgroup.paths(options.identity.procfs.clone());
    let native = match &upstream {
        Upstream::Cgroups(native) => Some(native),
        _ => fill.as_ref(),
    };
    let host = (paths.clone(), native.is_some());
    let (shared, mut sources) = identity::start(&options.identity, USER_AGENT, served, host)?;
    if let Some((usage, interval)) =
        native.and_then(|n| n.usage.clone()).zip(options.cgroup.disk_usage)
    {
        sources.spawn(usage.follow(paths, interval));
    }
    Ok(Prepared { settings, upstream, fill, shared, sources })
}

/// Reads all that the start reads, and serves nothing. Must be called inside a tokio runtime.
pub fn check(options: &Options) -> anyhow::Result<()> {
    drop(prepared(options)?);
    Ok(Server::check(&options.web)?)
}

/// Serves until the end is asked for.
pub async fn serve(options: Options, control: &Control) -> anyhow::Result<()> {
    let Prepared { settings, upstream, fill, shared, sources } = prepared(&options)?;
    let metrics = Server::bind(options.web.clone(), ":4194")?;
    let addresses = vec![options.telemetry_address.clone()];
    let own_web = WebOptions { listen_addresses: addresses, systemd_socket: false, ..options.web };
    let own = Server::bind(own_web, &format!(":{OWN_PORT}"))?;
    let totals = Arc::<Totals>::default();
    let merges = matches!(upstream, Upstream::Several(_));
    let cgroups = match &upstream {
        Upstream::Cgroups(native) => Some(native),
        _ => fill.as_ref(),
    };
    let cgroups = cgroups.map(|native| Arc::clone(&native.totals));
    let proxy = Proxy {
        kind: options.target.source,
        upstream,
        fill,
        passes: Passes {
            query: options.target.pass_query,
            authorization: options.target.pass_authorization,
        },
        workshop: Arc::new(Workshop::new(settings, Arc::clone(&shared))),
        shared: Arc::clone(&shared),
        totals: Arc::clone(&totals),
        gzip: options.target.gzip,
        body_limit: options.target.body_limit,
    };
    let telemetry = Telemetry::new(BUILD).with_http(metrics.stats());
    let own_source = Own { totals, shared, telemetry, merges, cgroups };
    memory::give_back_now_and_later();
    let end = || {
        let shutdown = control.shutdown();
        async move { shutdown.requested().await }
    };
    let metrics = metrics.serve(Arc::new(proxy), end());
    let own = own.serve(Arc::new(own_source), end());
    let served = tokio::try_join!(metrics, own);
    drop(sources);
    served?;
    Ok(())
}

/// Whom the targets name: the source's usual address where there is none, several only beside an app.
fn upstream(options: &TargetOptions) -> anyhow::Result<Upstream> {
    let usual = match options.source {
        SourceKind::Kubelet => Some("https://127.0.0.1:10250"),
        SourceKind::Cadvisor => Some("http://127.0.0.1:8080"),
        SourceKind::Exporter | SourceKind::Cgroup => None,
    };
    let given = options.targets.iter().map(|text| named(text));
    let mut targets: Vec<(Option<&str>, Target)> = given.collect::<Result<_, _>>()?;
    if targets.is_empty() {
        let usual = usual.context("--source=exporter needs --target, the exporter's address")?;
        targets.push((None, usual.parse()?));
    }
    if let [(None, target)] = targets.as_slice() {
        return Ok(Upstream::One(client(options, target.clone())?));
    }
    anyhow::ensure!(
        options.source == SourceKind::Exporter,
        "--target: several, or one with a name, go with --source=exporter alone"
    );
    let mut clients: Vec<(String, Client)> = Vec::new();
    for (name, target) in targets {
        let name = name.map_or_else(|| target.endpoint(), str::to_owned);
        anyhow::ensure!(!name.is_empty(), "--target: a name stands before the '=': NAME=URL");
        anyhow::ensure!(
            !clients.iter().any(|(known, _)| *known == name),
            "--target: two are called {name}: give them names, --target=NAME=URL"
        );
        clients.push((name, client(options, target)?));
    }
    Ok(Upstream::Several(Merge::new(clients, usize::try_from(options.merge_limit)?)))
}

/// What completes upstream's answers.
fn fill(options: &Options) -> anyhow::Result<Option<Native>> {
    let Some(FillKind::Cgroup) = options.target.fill_from else { return Ok(None) };
    anyhow::ensure!(
        matches!(options.target.source, SourceKind::Kubelet | SourceKind::Cadvisor),
        "--fill-from: goes with --source=kubelet and --source=cadvisor alone"
    );
    native(options).map(Some)
}

/// What reads the kernel's cgroups.
fn native(options: &Options) -> anyhow::Result<Native> {
    let paths = options.cgroup.paths(options.identity.procfs.clone());
    let reader = Reader::new(&options.cgroup, paths)?;
    tracing::info!(version = reader.version(), "cgroups are read");
    Ok(Native::new(reader, options.cgroup.enabled()))
}

/// It connects when it is first asked for something.
fn client(options: &TargetOptions, target: Target) -> anyhow::Result<Client> {
    let kubelet = options.source == SourceKind::Kubelet;
    let of_pod = || kubelet.then(|| pod_token(&target)).flatten();
    let token_file = options.token_file.clone().or_else(of_pod);
    let tls = TlsSettings {
        ca_file: options.ca_file.clone(),
        cert_file: options.cert_file.clone(),
        key_file: options.key_file.clone(),
        server_name: options.server_name.clone(),
        pin_file: options.pin_file.clone(),
        insecure: options.insecure,
    };
    Ok(Client::new(target, ClientSettings { tls, token_file, ..ClientSettings::default() })?)
}
