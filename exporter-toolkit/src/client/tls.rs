//! TLS towards a server: whom we believe, by which names, and who we say we are.

mod verify;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore, WantsVerifier};
use rustls::{ConfigBuilder, client::WantsClientCert};
use tokio_rustls::TlsConnector;

use super::ClientError;
use crate::files::{Files, Watch};
use verify::{Believed, Peer};

/// How a server proves who it is, and we to it. Files are PEM and read again when they change.
#[derive(Clone, Debug, Default)]
pub struct TlsSettings {
    /// Authorities that may have signed the server's certificate; without it the system's.
    pub ca_file: Option<PathBuf>,
    /// Our own certificate, with its key in `key_file`.
    pub cert_file: Option<PathBuf>,
    pub key_file: Option<PathBuf>,
    /// The name that the server's certificate must carry, where it is not the address'.
    pub server_name: Option<String>,
    /// The server's certificate itself: exactly this one is believed, whoever signed it and whatever names it carries.
    pub pin_file: Option<PathBuf>,
    /// Believe anybody. What is sent may then reach anybody.
    pub insecure: bool,
}

/// What connects with TLS now.
pub(crate) struct Secure {
    settings: TlsSettings,
    name: ServerName<'static>,
    state: Mutex<State>,
}

struct State {
    connector: TlsConnector,
    watch: Watch,
}

impl Secure {
    /// Reads the files. `host` is the name that is verified where the settings give none.
    pub(crate) fn open(settings: TlsSettings, host: &str) -> Result<Self, ClientError> {
        let name = settings.server_name.as_deref().unwrap_or(host);
        let name = ServerName::try_from(name.to_owned())
            .map_err(|_| ClientError::Name { name: name.to_owned() })?;
        let (config, watch) = configured(&settings);
        let connector = TlsConnector::from(Arc::new(config?));
        if settings.insecure {
            tracing::warn!(
                server = host,
                "the server's certificate is NOT verified: whoever stands in between reads and writes all of it"
            );
        }
        Ok(Self { settings, name, state: Mutex::new(State { connector, watch }) })
    }

    pub(crate) fn name(&self) -> ServerName<'static> {
        self.name.clone()
    }

    /// Files that have changed are read again first; where they are wrong, what was read before stays.
    pub(crate) fn connector(&self) -> TlsConnector {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.watch.has_changed() {
            let (config, watch) = configured(&self.settings);
            state.watch = watch;
            match config {
                Ok(config) => state.connector = TlsConnector::from(Arc::new(config)),
                Err(error) => {
                    tracing::warn!(%error, "certificates not read again, the old ones stay");
                }
            }
        }
        state.connector.clone()
    }
}

fn configured(settings: &TlsSettings) -> (Result<ClientConfig, ClientError>, Watch) {
    let mut files = Files::default();
    let config = configure(settings, &mut files);
    (config, files.watch())
}

fn configure(settings: &TlsSettings, files: &mut Files) -> Result<ClientConfig, ClientError> {
    let provider = Arc::new(ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| ClientError::Tls { problem: error.to_string() })?;
    let builder = believing(settings, builder, provider, files)?;
    let mut config = match own(settings, files)? {
        None => builder.with_no_client_auth(),
        Some((chain, key, file)) => builder.with_client_auth_cert(chain, key).map_err(|error| {
            let problem = format!("key and certificate do not work together: {error}");
            ClientError::Content { path: file, problem }
        })?,
    };
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

fn believing(
    settings: &TlsSettings,
    builder: ConfigBuilder<ClientConfig, WantsVerifier>,
    provider: Arc<CryptoProvider>,
    files: &mut Files,
) -> Result<ConfigBuilder<ClientConfig, WantsClientCert>, ClientError> {
    let peer = match &settings.pin_file {
        Some(file) => Peer::Pinned(certificates(file, files)?),
        None if settings.insecure => Peer::Anybody,
        None => {
            let roots = match &settings.ca_file {
                Some(file) => authorities(file, files)?,
                None => system_authorities()?,
            };
            return Ok(builder.with_root_certificates(roots));
        }
    };
    let verifier: Arc<dyn ServerCertVerifier> = Arc::new(Believed { peer, provider });
    Ok(builder.dangerous().with_custom_certificate_verifier(verifier))
}

fn authorities(file: &Path, files: &mut Files) -> Result<RootCertStore, ClientError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(file, files)? {
        roots.add(certificate).map_err(|error| ClientError::Content {
            path: file.to_owned(),
            problem: format!("not a CA certificate: {error}"),
        })?;
    }
    Ok(roots)
}

/// The system's authorities, where `SSL_CERT_FILE` and `SSL_CERT_DIR` or the distribution say they are.
fn system_authorities() -> Result<RootCertStore, ClientError> {
    let mut roots = RootCertStore::empty();
    let found = rustls_native_certs::load_native_certs();
    let (added, _unreadable) = roots.add_parsable_certificates(found.certs);
    if added == 0 {
        let problem = "the system has no certificate authorities: give a CA file, or SSL_CERT_FILE";
        return Err(ClientError::Tls { problem: problem.to_owned() });
    }
    Ok(roots)
}

type Identity = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>, PathBuf);

fn own(settings: &TlsSettings, files: &mut Files) -> Result<Option<Identity>, ClientError> {
    let (cert, key) = match (&settings.cert_file, &settings.key_file) {
        (None, None) => return Ok(None),
        (Some(cert), Some(key)) => (cert, key),
        _ => {
            let problem = "a client certificate needs both its file and its key's file";
            return Err(ClientError::Tls { problem: problem.to_owned() });
        }
    };
    let chain = certificates(cert, files)?;
    let text = files.text(key)?;
    let found = PrivateKeyDer::from_pem_slice(text.as_bytes()).map_err(|_| {
        // The reader's error could quote the key.
        let problem = "no private key in PEM form is in it".to_owned();
        ClientError::Content { path: key.clone(), problem }
    })?;
    Ok(Some((chain, found, key.clone())))
}

fn certificates(
    file: &Path,
    files: &mut Files,
) -> Result<Vec<CertificateDer<'static>>, ClientError> {
    let text = files.text(file)?;
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(text.as_bytes()).collect();
    let wrong = |problem| ClientError::Content { path: file.to_owned(), problem };
    match all {
        Ok(all) if !all.is_empty() => Ok(all),
        Ok(_) => Err(wrong("no certificate in PEM form is in it".to_owned())),
        Err(error) => Err(wrong(format!("not a PEM file: {error}"))),
    }
}
