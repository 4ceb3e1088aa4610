//! Where the API server is and who we are, from options, kubeconfig and environment.

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use http::header::{HeaderValue, USER_AGENT};
use kube::config::{AuthInfo, KubeConfigOptions, Kubeconfig};

use super::token::Token;
use super::{CONNECT_TIMEOUT, Client, ConnectError, kubeconfig, proxy};

/// Where a pod finds its service account: `token` and `ca.crt`.
const SERVICE_ACCOUNT: &str = "/var/run/secrets/kubernetes.io/serviceaccount";

/// How to reach the API server: the kubeconfig that is named, else the pod's own service account. As with the peer,
/// neither `KUBECONFIG` nor `~/.kube/config` is looked for.
#[derive(Clone, Debug, Default)]
pub struct Access {
    /// `--kubeconfig`.
    pub kubeconfig: Option<PathBuf>,
    /// Context of the kubeconfig; `None`: its current one.
    pub context: Option<String>,
    /// `--apiserver`: a URL that takes the place of the one in the kubeconfig or the environment. Where neither is
    /// there, requests go to it without credentials.
    pub apiserver: Option<String>,
    /// Sent with each request, such as `kube-state-rs/1.0`.
    pub user_agent: String,
}

/// What a client is made of.
pub(crate) struct Link {
    pub(crate) client: kube::Client,
    /// Sent with each request; read again each time, as it is replaced before it expires.
    pub(crate) token: Option<Token>,
    pub(crate) server: String,
    pub(crate) namespace: String,
}

impl Access {
    /// Reads credentials and builds the client; no request is sent.
    pub async fn connect(self) -> Result<Client, ConnectError> {
        Client::new(self).await
    }

    pub(crate) async fn link(&self) -> Result<Link, ConnectError> {
        let environment = |name: &str| std::env::var(name).ok().filter(|text| !text.is_empty());
        let (mut config, own_proxy) = self.source(environment).await?;
        self.override_server(&mut config)?;
        let agent = HeaderValue::from_str(&self.user_agent)
            .map_err(|_| ConnectError::UserAgent(self.user_agent.clone()))?;
        config.headers.push((USER_AGENT, agent));
        if !own_proxy {
            config.proxy_url = environment_proxy(&config.cluster_url, environment)?;
        }
        if config.cluster_url.scheme_str() == Some("http") && config.proxy_url.is_none() {
            // Without TLS the host's authorities need not be read.
            config.root_cert.get_or_insert_default();
        }
        // Each informer waits and counts by itself.
        config.default_retry = false;
        config.connect_timeout = Some(CONNECT_TIMEOUT);
        let token = own_token(&mut config.auth_info)?;
        let server = config.cluster_url.to_string();
        let namespace = config.default_namespace.clone();
        // Building it may run the exec plugin of the kubeconfig, which blocks.
        let built = tokio::task::spawn_blocking(move || kube::Client::try_from(config)).await;
        match built {
            Ok(Ok(client)) => Ok(Link { client, token, server, namespace }),
            Ok(Err(error)) => Err(ConnectError::Credentials(super::error::told(&error))),
            Err(error) => Err(ConnectError::Credentials(error.to_string())),
        }
    }

    /// The configuration, and whether it names its own proxy (or that there is none).
    async fn source(
        &self,
        environment: impl Fn(&str) -> Option<String>,
    ) -> Result<(kube::Config, bool), ConnectError> {
        if let Some(file) = &self.kubeconfig {
            return self.kubeconfig(file).await;
        }
        let service =
            (environment("KUBERNETES_SERVICE_HOST"), environment("KUBERNETES_SERVICE_PORT"));
        if let (Some(host), Some(port)) = service {
            return Ok((in_cluster(&host, &port, Path::new(SERVICE_ACCOUNT))?, false));
        }
        let url = self.apiserver.as_deref().ok_or(ConnectError::Unknown)?;
        Ok((kube::Config::new(parse_url(url, "http")?), false))
    }

    async fn kubeconfig(&self, file: &Path) -> Result<(kube::Config, bool), ConnectError> {
        let wrong = |problem| ConnectError::Kubeconfig { file: file.to_owned(), problem };
        let kubeconfig = kubeconfig::read(file).map_err(wrong)?;
        let options = KubeConfigOptions { context: self.context.clone(), ..Default::default() };
        let own_proxy = proxy_of(&kubeconfig, self.context.as_ref()).is_some();
        let config = kube::Config::from_custom_kubeconfig(kubeconfig, &options).await;
        Ok((config.map_err(|error| wrong(super::error::chain(&error)))?, own_proxy))
    }

    fn override_server(&self, config: &mut kube::Config) -> Result<(), ConnectError> {
        if let Some(url) = &self.apiserver {
            let scheme = config.cluster_url.scheme_str().unwrap_or("https");
            config.cluster_url = parse_url(url, scheme)?;
        }
        Ok(())
    }
}

/// `proxy-url` of the cluster that the context names; no environment variable overrides it.
fn proxy_of<'a>(kubeconfig: &'a Kubeconfig, context: Option<&String>) -> Option<&'a str> {
    let wanted = context.or(kubeconfig.current_context.as_ref())?;
    let context = kubeconfig.contexts.iter().find(|context| context.name == *wanted)?;
    let wanted = &context.context.as_ref()?.cluster;
    let cluster = kubeconfig.clusters.iter().find(|cluster| cluster.name == *wanted)?;
    cluster.cluster.as_ref()?.proxy_url.as_deref().filter(|url| !url.is_empty())
}

/// A pod's own access; host and port may be set by hand, to go round the cluster's service network.
fn in_cluster(host: &str, port: &str, account: &Path) -> Result<kube::Config, ConnectError> {
    let wrong = || ConnectError::Service { host: host.to_owned(), port: port.to_owned() };
    let port: u16 = port.parse().map_err(|_| wrong())?;
    let url = match host.parse() {
        Ok(IpAddr::V6(address)) => format!("https://[{address}]:{port}"),
        _ => format!("https://{host}:{port}"),
    };
    let mut config = kube::Config::new(url.parse().map_err(|_| wrong())?);
    let authority = account.join("ca.crt");
    if authority.exists() {
        // The verifier reads it again about once a minute: authorities are replaced, too.
        config.root_cert_file = Some(authority);
        // Not used beside the file, but without it the roots of the host would be looked for.
        config.root_cert = Some(Vec::new());
    } else {
        tracing::warn!(file = %authority.display(), "no authority beside the token: trusting the host's");
    }
    config.auth_info.token_file = Some(account.join("token").display().to_string());
    if let Ok(namespace) = super::token::read(&account.join("namespace")) {
        config.default_namespace = namespace;
    }
    Ok(config)
}

/// Takes the token file out of the credentials: it is read for each request by us. As in client-go it wins over a token
/// that stands beside it.
fn own_token(credentials: &mut AuthInfo) -> Result<Option<Token>, ConnectError> {
    let Some(file) = credentials.token_file.take().filter(|file| !file.is_empty()) else {
        return Ok(None);
    };
    credentials.token = None;
    Token::read(PathBuf::from(file)).map(Some)
}

fn parse_url(text: &str, scheme: &str) -> Result<http::Uri, ConnectError> {
    let wrong = || ConnectError::Url { url: text.to_owned() };
    let text = if text.contains("://") { text.to_owned() } else { format!("{scheme}://{text}") };
    let url: http::Uri = text.parse().map_err(|_| wrong())?;
    match (url.scheme_str(), url.host()) {
        (Some("http" | "https"), Some(_)) => Ok(url),
        _ => Err(wrong()),
    }
}

fn environment_proxy(
    server: &http::Uri,
    environment: impl Fn(&str) -> Option<String>,
) -> Result<Option<http::Uri>, ConnectError> {
    let scheme = server.scheme_str().unwrap_or("https");
    let port = server.port_u16().unwrap_or(if scheme == "http" { 80 } else { 443 });
    let host = server.host().unwrap_or_default();
    let Some(url) = proxy::from_environment(scheme, host, port, environment) else {
        return Ok(None);
    };
    let proxy: Option<http::Uri> = url.parse().ok();
    match proxy.filter(|proxy| matches!(proxy.scheme_str(), Some("http" | "https"))) {
        Some(proxy) => Ok(Some(proxy)),
        // The user and password of a proxy are not told.
        None => Err(ConnectError::Proxy(url.rsplit('@').next().unwrap_or_default().to_owned())),
    }
}

#[cfg(test)]
mod tests;
