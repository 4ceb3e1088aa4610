//! With certificates made here: who is believed, by which name, and who is not.

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

use super::*;

/// A server whose certificate carries a name that is not its address.
struct Site {
    folder: tempfile::TempDir,
    target: Target,
}

async fn site() -> Site {
    let folder = tempfile::tempdir().unwrap();
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["node-1".to_owned()]).unwrap();
    let certificate = params.signed_by(&key, &authority).unwrap().pem();
    file(folder.path(), "ca.pem", &authority.pem());
    file(folder.path(), "cert.pem", &certificate);
    let chain = vec![CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap()];
    let key = PrivateKeyDer::from_pem_slice(key.serialize_pem().as_bytes()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let target = format!("https://{}/", listener.local_addr().unwrap()).parse().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            if let Ok(stream) = acceptor.accept(stream).await {
                let answers = Arc::new(Mutex::new(vec![HELLO.to_owned()]));
                tokio::spawn(converse(stream, Seen::default(), answers));
            }
        }
    });
    Site { folder, target }
}

impl Site {
    async fn asked(&self, tls: TlsSettings) -> Result<String, String> {
        let settings = ClientSettings { tls, ..ClientSettings::default() };
        let client = Client::new(self.target.clone(), settings).map_err(|e| e.to_string())?;
        text(&client, "/").await.map_err(|error| error.to_string())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

#[tokio::test]
async fn a_server_is_believed_by_authority_and_name_by_its_certificate_or_blindly() {
    let site = site().await;
    for tls in [
        TlsSettings {
            ca_file: Some(site.path("ca.pem")),
            server_name: Some("node-1".to_owned()),
            ..TlsSettings::default()
        },
        TlsSettings { pin_file: Some(site.path("cert.pem")), ..TlsSettings::default() },
        TlsSettings { insecure: true, ..TlsSettings::default() },
    ] {
        assert_eq!(site.asked(tls.clone()).await.as_deref(), Ok("hello"), "{tls:?}");
    }
}

#[tokio::test]
async fn a_server_that_is_not_believed_is_an_error_with_what_to_do() {
    let site = site().await;
    let named = Some("node-1".to_owned());
    for (tls, problem) in [
        (
            TlsSettings { ca_file: Some(site.path("ca.pem")), ..TlsSettings::default() },
            "give the name",
        ),
        (
            TlsSettings {
                ca_file: Some(site.path("cert.pem")),
                server_name: named,
                ..TlsSettings::default()
            },
            "give the CA",
        ),
        (
            TlsSettings { pin_file: Some(site.path("ca.pem")), ..TlsSettings::default() },
            "pinned file",
        ),
        (
            TlsSettings { ca_file: Some(site.path("no.pem")), ..TlsSettings::default() },
            "no.pem: cannot be read",
        ),
        (
            TlsSettings { cert_file: Some(site.path("cert.pem")), ..TlsSettings::default() },
            "its key's file",
        ),
    ] {
        let error = site.asked(tls).await.unwrap_err();
        assert!(error.contains(problem), "{error}");
    }
}
