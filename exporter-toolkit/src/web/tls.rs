//! TLS as `tls_server_config` asks for it, by rustls with the ring provider.

mod clients;
pub(crate) mod names;

use std::path::Path;
use std::sync::Arc;

use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{ServerSessionMemoryCache, WebPkiClientVerifier};
use rustls::{RootCertStore, ServerConfig, SupportedProtocolVersion, version};
use tokio_rustls::TlsAcceptor;

use super::config::{ClientAuth, ConfigError, Tls};
use crate::files::Files;
use clients::{Clients, Issuer};
use names::Version;

/// Scrapers keep their connections, so few sessions are ever resumed.
const SESSIONS: usize = 64;

impl Tls {
    /// A section without a certificate, a key or a client policy is none, as for the peer.
    pub(crate) fn is_given(&self) -> bool {
        self.cert.is_some()
            || self.cert_file.is_some()
            || self.key.is_some()
            || self.key_file.is_some()
            || self.client_ca.is_some()
            || self.client_ca_file.is_some()
            || self.client_auth() != ClientAuth::NoClientCert
    }

    fn client_auth(&self) -> ClientAuth {
        self.client_auth_type.unwrap_or_default()
    }
}

/// A PEM text and the file to blame for it.
struct Pem<'a> {
    text: String,
    file: std::borrow::Cow<'a, Path>,
}

/// What reading the section needs: where it stands, what relative paths start from, which files it leads to.
struct Reader<'a> {
    tls: &'a Tls,
    file: &'a Path,
    base: &'a Path,
    files: &'a mut Files,
}

/// Builds what accepts connections. Relative paths start from `base`, the folder of the configuration `file`.
pub(crate) fn acceptor(
    tls: &Tls,
    file: &Path,
    base: &Path,
    files: &mut Files,
) -> Result<TlsAcceptor, ConfigError> {
    let mut reader = Reader { tls, file, base, files };
    let provider = Arc::new(reader.provider()?);
    let versions = reader.versions()?;
    let clients = reader.clients(&provider)?;
    let (chain, key, key_file) = reader.identity()?;
    let wrong = |error| ConfigError::new(file, format!("tls_server_config: {error}"));
    let builder = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&versions)
        .map_err(wrong)?;
    let builder = match clients {
        Some(clients) => builder.with_client_cert_verifier(clients),
        None => builder.with_no_client_auth(),
    };
    let mut config = builder.with_single_cert(chain, key).map_err(|error| {
        ConfigError::new(&key_file, format!("key and certificate do not work together: {error}"))
    })?;
    config.ignore_client_order = tls.prefer_server_cipher_suites.unwrap_or(true);
    config.session_storage = ServerSessionMemoryCache::new(SESSIONS);
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

impl<'a> Reader<'a> {
    fn wrong(&self, problem: impl Into<String>) -> ConfigError {
        ConfigError::new(self.file, problem)
    }

    /// The provider with the suites and curves that were asked for, in that order.
    fn provider(&self) -> Result<CryptoProvider, ConfigError> {
        let mut provider = ring::default_provider();
        let suites = &self.tls.cipher_suites;
        if !suites.is_empty() {
            for lacking in suites.iter().filter(|suite| suite.suite.is_none()) {
                tracing::warn!(suite = lacking.name, "cipher suite left out: it is not safe");
            }
            // As in Go, the list is about TLS 1.2; the suites of 1.3 are always there.
            let wanted = suites.iter().filter_map(|suite| suite.suite);
            let wanted = wanted.filter(|suite| suite.tls13().is_none());
            let modern = provider.cipher_suites.iter().copied().filter(|s| s.tls13().is_some());
            provider.cipher_suites = modern.chain(wanted).collect();
        }
        let curves = &self.tls.curve_preferences;
        if !curves.is_empty() {
            for lacking in curves.iter().filter(|curve| curve.group.is_none()) {
                tracing::warn!(curve = lacking.name, "curve left out: it is not supported");
            }
            provider.kx_groups = curves.iter().filter_map(|curve| curve.group).collect();
            if provider.kx_groups.is_empty() {
                let problem = "curve_preferences has none of CurveP256, CurveP384, X25519";
                return Err(self.wrong(problem));
            }
        }
        Ok(provider)
    }

    fn versions(&self) -> Result<Vec<&'static SupportedProtocolVersion>, ConfigError> {
        let lowest = self.tls.min_version.unwrap_or(Version::Tls12);
        let highest = self.tls.max_version.unwrap_or(Version::Tls13);
        if lowest > highest {
            return Err(self.wrong("min_version is above max_version"));
        }
        if highest < Version::Tls12 {
            return Err(
                self.wrong("max_version is below TLS12, the oldest version that is supported")
            );
        }
        if lowest < Version::Tls12 {
            tracing::warn!("min_version: TLS 1.0 and 1.1 are not supported, the least is TLS 1.2");
        }
        let all = [(Version::Tls12, &version::TLS12), (Version::Tls13, &version::TLS13)];
        let wanted = all.into_iter().filter(|(name, _)| (lowest..=highest).contains(name));
        Ok(wanted.map(|(_, version)| version).collect())
    }

    fn clients(
        &mut self,
        provider: &Arc<CryptoProvider>,
    ) -> Result<Option<Arc<dyn ClientCertVerifier>>, ConfigError> {
        let authority = self.authority()?;
        let names = self.tls.client_allowed_sans.clone();
        let mandatory = match self.tls.client_auth() {
            ClientAuth::NoClientCert => {
                let set =
                    [("client CA", authority.is_some()), ("client_allowed_sans", names.is_some())];
                return match set.iter().find(|(_, is_set)| *is_set) {
                    None => Ok(None),
                    Some((key, _)) => Err(self.wrong(format!(
                        "{key} without client_auth_type checks nobody: set it to RequireAndVerifyClientCert"
                    ))),
                };
            }
            ClientAuth::RequestClientCert | ClientAuth::VerifyClientCertIfGiven => false,
            ClientAuth::RequireAnyClientCert | ClientAuth::RequireAndVerifyClientCert => true,
        };
        Ok(Some(Arc::new(Clients {
            issuer: self.issuer(authority, provider)?,
            names: names.map(|names| names.into_iter().collect()),
            mandatory,
            provider: Arc::clone(provider),
        })))
    }

    /// Without a CA Go takes the system's, which are about servers; here such a certificate is refused.
    fn issuer(
        &self,
        authority: Option<RootCertStore>,
        provider: &Arc<CryptoProvider>,
    ) -> Result<Issuer, ConfigError> {
        match (self.tls.client_auth(), authority) {
            (ClientAuth::VerifyClientCertIfGiven, None) => {
                tracing::warn!("client certificates will be refused: there is no client_ca_file");
                Ok(Issuer::Unknown)
            }
            (ClientAuth::RequireAndVerifyClientCert, None) => {
                Err(self.wrong("RequireAndVerifyClientCert needs client_ca_file or client_ca"))
            }
            (
                ClientAuth::VerifyClientCertIfGiven | ClientAuth::RequireAndVerifyClientCert,
                Some(roots),
            ) => WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider))
                .build()
                .map(Issuer::Authority)
                .map_err(|error| self.wrong(format!("client CA: {error}"))),
            _ => Ok(Issuer::Anybody),
        }
    }

    /// The client CA, where one is named.
    fn authority(&mut self) -> Result<Option<RootCertStore>, ConfigError> {
        let (inline, path) = (self.tls.client_ca.as_deref(), self.tls.client_ca_file.as_deref());
        if inline.is_none() && path.is_none() {
            return Ok(None);
        }
        let pem = self.pem("client_ca", inline, path)?;
        let mut roots = RootCertStore::empty();
        for certificate in certificates(&pem)? {
            roots.add(certificate).map_err(|error| {
                ConfigError::new(&pem.file, format!("not a CA certificate: {error}"))
            })?;
        }
        Ok(Some(roots))
    }

    fn identity(
        &mut self,
    ) -> Result<
        (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>, std::path::PathBuf),
        ConfigError,
    > {
        let tls = self.tls;
        let pem = self.pem("cert", tls.cert.as_deref(), tls.cert_file.as_deref())?;
        let chain = certificates(&pem)?;
        let inline = tls.key.as_ref().map(|key| key.0.as_str());
        let pem = self.pem("key", inline, tls.key_file.as_deref())?;
        let key = PrivateKeyDer::from_pem_slice(pem.text.as_bytes()).map_err(|_| {
            // The reader's error could quote the key.
            ConfigError::new(&pem.file, "no private key in PEM form is in it")
        })?;
        Ok((chain, key, pem.file.into_owned()))
    }

    /// The text of `key`, from the file where both are given, as for the peer.
    fn pem(
        &mut self,
        key: &str,
        inline: Option<&str>,
        path: Option<&Path>,
    ) -> Result<Pem<'a>, ConfigError> {
        let filled = path.filter(|path| !path.as_os_str().is_empty());
        match (filled, inline.filter(|text| !text.is_empty())) {
            (Some(path), _) => {
                let path = self.base.join(path);
                Ok(Pem { text: self.files.text(&path)?, file: path.into() })
            }
            (None, Some(text)) => Ok(Pem { text: text.to_owned(), file: self.file.into() }),
            (None, None) => Err(self.wrong(format!("tls_server_config needs {key}_file or {key}"))),
        }
    }
}

fn certificates(pem: &Pem<'_>) -> Result<Vec<CertificateDer<'static>>, ConfigError> {
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.text.as_bytes()).collect();
    match all {
        Ok(all) if !all.is_empty() => Ok(all),
        Ok(_) => Err(ConfigError::new(&pem.file, "no certificate in PEM form is in it")),
        Err(error) => Err(ConfigError::new(&pem.file, format!("not a PEM file: {error}"))),
    }
}
