//! Flags about the kubelet that is asked for pods, where it is not the one whose metrics are served.

use std::path::PathBuf;

use clap::Args;
use exporter_toolkit::client::{Client, ClientError, ClientSettings, Target, TlsSettings};

use super::{Kubelet, pod_token};

/// How the kubelet is asked for its pods.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Identity")]
pub struct KubeletOptions {
    /// URL of the kubelet whose /pods is asked, such as <https://10.0.0.1:10250> or <http://127.0.0.1:10255>. Without it the
    /// kubelet whose metrics are served is asked.
    #[arg(long = "identity.kubelet-url", value_name = "URL")]
    url: Option<String>,
    /// File with the bearer token for that kubelet; without it the pod's own token.
    #[arg(long = "identity.kubelet-token-file", value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// Authorities that may have signed that kubelet's certificate.
    #[arg(long = "identity.kubelet-ca-file", value_name = "FILE")]
    ca_file: Option<PathBuf>,
    /// That kubelet's certificate itself, such as /var/lib/kubelet/pki/kubelet.crt of this node.
    #[arg(long = "identity.kubelet-pin-file", value_name = "FILE")]
    pin_file: Option<PathBuf>,
    /// The name that kubelet's certificate carries.
    #[arg(long = "identity.kubelet-server-name", value_name = "NAME")]
    server_name: Option<String>,
    /// Client certificate for that kubelet.
    #[arg(long = "identity.kubelet-cert-file", value_name = "FILE")]
    cert_file: Option<PathBuf>,
    /// Key of the client certificate.
    #[arg(long = "identity.kubelet-key-file", value_name = "FILE")]
    key_file: Option<PathBuf>,
    /// Believe any certificate of that kubelet, and so send the token to anybody.
    #[arg(long = "identity.kubelet-insecure-skip-verify")]
    insecure: bool,
}

impl KubeletOptions {
    /// `None` where no URL is given.
    pub(in crate::identity) fn kubelet(&self) -> Result<Option<Kubelet>, ClientError> {
        let Some(url) = &self.url else { return Ok(None) };
        let target: Target = url.parse()?;
        let settings = ClientSettings {
            tls: TlsSettings {
                ca_file: self.ca_file.clone(),
                cert_file: self.cert_file.clone(),
                key_file: self.key_file.clone(),
                server_name: self.server_name.clone(),
                pin_file: self.pin_file.clone(),
                insecure: self.insecure,
            },
            token_file: self.token_file.clone().or_else(|| pod_token(&target)),
            connections: 1,
            ..ClientSettings::default()
        };
        Ok(Some(Kubelet::of(Client::new(target, settings)?)))
    }
}
