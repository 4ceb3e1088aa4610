//! Starts what the options say.

use std::sync::Arc;

use exporter_toolkit::client::{Client, ClientSettings, Target, TlsSettings};
use exporter_toolkit::memory;
use exporter_toolkit::shutdown::Control;
use exporter_toolkit::telemetry::Telemetry;
use exporter_toolkit::web::{Server, WebOptions};

use crate::identity::{self, Kubelet, pod_token};
use crate::options::{BUILD, OWN_PORT, Options, TargetOptions};
use crate::own::Own;
use crate::proxy::{Proxy, SourceKind, Totals};
use crate::rewrite::{Settings, Subject, Workshop};

/// How the agent calls itself to others.
const USER_AGENT: &str = concat!("cadvisor-proxy-rs/", env!("CARGO_PKG_VERSION"));

/// Serves until the end is asked for.
pub async fn serve(options: Options, control: &Control) -> anyhow::Result<()> {
    let subject = match options.target.source {
        SourceKind::Exporter => Subject::Own,
        SourceKind::Kubelet | SourceKind::Cadvisor => Subject::Cgroups,
    };
    let settings = Settings::new(&options.series, subject)?;
    let client = client(&options.target)?;
    let metrics = Server::bind(options.web.clone(), ":4194")?;
    let addresses = vec![options.telemetry_address.clone()];
    let own_web = WebOptions { listen_addresses: addresses, systemd_socket: false, ..options.web };
    let own = Server::bind(own_web, &format!(":{OWN_PORT}"))?;
    let kubelet = options.target.source == SourceKind::Kubelet;
    let served = kubelet.then(|| Kubelet::of(client.clone()));
    let (shared, sources) = identity::start(&options.identity, USER_AGENT, served)?;
    let totals = Arc::<Totals>::default();
    let proxy = Proxy {
        kind: options.target.source,
        client,
        workshop: Arc::new(Workshop::new(settings, Arc::clone(&shared))),
        shared: Arc::clone(&shared),
        totals: Arc::clone(&totals),
        gzip: options.target.gzip,
        body_limit: options.target.body_limit,
    };
    let telemetry = Telemetry::new(BUILD).with_http(metrics.stats());
    let own_source = Own { totals, shared, telemetry };
    memory::give_back();
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

/// The client of what is asked; it connects when it is first asked for something.
fn client(options: &TargetOptions) -> anyhow::Result<Client> {
    let address = match (&options.target, options.source) {
        (Some(address), _) => address.as_str(),
        (None, SourceKind::Kubelet) => "https://127.0.0.1:10250",
        (None, SourceKind::Cadvisor) => "http://127.0.0.1:8080",
        (None, SourceKind::Exporter) => {
            anyhow::bail!("--source=exporter needs --target, the exporter's address")
        }
    };
    let target: Target = address.parse()?;
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
