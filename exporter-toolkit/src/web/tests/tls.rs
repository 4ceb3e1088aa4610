//! TLS with certificates made here: who is let in, what is spoken, what changes while running.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, SanType};
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion, version};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::agent::{exposition, start};
use super::client::{Received, connect, get, is_closed, receive};
use super::security::Folder;

/// A certificate and its key in PEM form.
struct Pair {
    certificate: String,
    key: String,
}

type Authority = CertifiedIssuer<'static, KeyPair>;

fn authority() -> Authority {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

fn signed(authority: &Authority, names: Vec<SanType>) -> Pair {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::default();
    params.subject_alt_names = names;
    let certificate = params.signed_by(&key, authority).unwrap();
    Pair { certificate: certificate.pem(), key: key.serialize_pem() }
}

fn dns(name: &str) -> SanType {
    SanType::DnsName(name.try_into().unwrap())
}

/// A server with TLS, the authority of both sides and its files.
struct Site {
    authority: Authority,
    folder: Folder,
}

impl Site {
    fn with(more: &str) -> Self {
        let config =
            format!("tls_server_config:\n  cert_file: cert.pem\n  key_file: key.pem\n{more}");
        let site = Self { authority: authority(), folder: Folder::with(&config) };
        site.folder.write("ca.pem", &site.authority.pem());
        site.renew();
        site
    }

    /// Writes a new certificate with its key.
    fn renew(&self) {
        let pair =
            signed(&self.authority, vec![SanType::IpAddress(IpAddr::V4(Ipv4Addr::LOCALHOST))]);
        self.folder.write("cert.pem", &pair.certificate);
        self.folder.write("key.pem", &pair.key);
    }

    fn client(&self, own: Option<&Pair>) -> ClientConfig {
        self.client_of(own, &[&version::TLS12, &version::TLS13])
    }

    fn client_of(
        &self,
        own: Option<&Pair>,
        versions: &[&'static SupportedProtocolVersion],
    ) -> ClientConfig {
        let mut roots = RootCertStore::empty();
        roots.add(self.authority.der().clone()).unwrap();
        let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(versions)
            .unwrap()
            .with_root_certificates(roots);
        match own {
            None => builder.with_no_client_auth(),
            Some(pair) => {
                let certificate =
                    CertificateDer::from_pem_slice(pair.certificate.as_bytes()).unwrap();
                let key = PrivateKeyDer::from_pem_slice(pair.key.as_bytes()).unwrap();
                builder.with_client_auth_cert(vec![certificate], key).unwrap()
            }
        }
    }
}

async fn shake_hands(
    address: SocketAddr,
    client: ClientConfig,
) -> std::io::Result<TlsStream<TcpStream>> {
    let name = ServerName::from(IpAddr::V4(Ipv4Addr::LOCALHOST));
    TlsConnector::from(Arc::new(client)).connect(name, connect(address).await).await
}

/// With TLS 1.3 a refusal comes only after the client's side of the handshake is done.
async fn scrape(address: SocketAddr, client: ClientConfig) -> Option<Received> {
    let mut stream = shake_hands(address, client).await.ok()?;
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n").await.ok()?;
    receive(&mut stream, true).await
}

#[tokio::test]
async fn metrics_are_served_by_tls() {
    let site = Site::with("");
    let server = site.folder.start().unwrap();
    let mut client = site.client(None);
    client.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let stream = shake_hands(server.address(), client.clone()).await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));
    assert_eq!(scrape(server.address(), client).await.unwrap().text(), exposition(1));
}

#[tokio::test]
async fn inline_certificates_work_like_files() {
    let authority = authority();
    let pair = signed(&authority, vec![SanType::IpAddress(IpAddr::V4(Ipv4Addr::LOCALHOST))]);
    let indented =
        |pem: &str| pem.lines().fold(String::new(), |text, line| text + "    " + line + "\n");
    let config = format!(
        "tls_server_config:\n  cert: |\n{}  key: |\n{}",
        indented(&pair.certificate),
        indented(&pair.key)
    );
    let site = Site { authority, folder: Folder::with(&config) };
    let server = site.folder.start().unwrap();
    assert_eq!(scrape(server.address(), site.client(None)).await.unwrap().status, 200);
}

#[tokio::test]
async fn http_on_the_tls_port_is_told_so() {
    let site = Site::with("");
    let server = site.folder.start().unwrap();
    let answer = get(server.address(), "/metrics").await;
    assert!(answer.head.starts_with("HTTP/1.0 400 "), "{}", answer.head);
    assert!(answer.text().contains("HTTPS"), "{}", answer.text());
}

#[tokio::test]
async fn a_handshake_that_does_not_come_is_given_up() {
    let site = Site::with("");
    let mut options = site.folder.options();
    options.limits.handshake = Duration::from_millis(100);
    let server = start(options).unwrap();
    assert!(is_closed(&mut connect(server.address()).await).await);
    assert_eq!(server.stats.handshake_errors.get(), 1);
}

#[tokio::test]
async fn client_certificates_are_checked_as_the_policy_says() {
    for (policy, none, own, foreign) in [
        ("NoClientCert", true, true, true),
        ("RequestClientCert", true, true, true),
        ("RequireAnyClientCert", false, true, true),
        ("RequireClientCert", false, true, true),
        ("VerifyClientCertIfGiven", true, true, false),
        ("RequireAndVerifyClientCert", false, true, false),
    ] {
        let authority = if policy == "NoClientCert" { "" } else { "  client_ca_file: ca.pem\n" };
        let site = Site::with(&format!("  client_auth_type: {policy}\n{authority}"));
        let server = site.folder.start().unwrap();
        let good = signed(&site.authority, vec![dns("scraper")]);
        let bad = signed(&super::tls::authority(), vec![dns("scraper")]);
        for (pair, welcome) in [(None, none), (Some(&good), own), (Some(&bad), foreign)] {
            for versions in [[&version::TLS12], [&version::TLS13]] {
                let client = site.client_of(pair, &versions);
                let answer = scrape(server.address(), client).await;
                assert_eq!(answer.is_some(), welcome, "{policy} {}", pair.is_some());
            }
        }
    }
}

#[tokio::test]
async fn without_a_client_ca_a_certificate_that_is_given_is_refused() {
    let site = Site::with("  client_auth_type: VerifyClientCertIfGiven\n");
    let server = site.folder.start().unwrap();
    let pair = signed(&site.authority, vec![dns("scraper")]);
    assert!(scrape(server.address(), site.client(Some(&pair))).await.is_none());
    assert!(scrape(server.address(), site.client(None)).await.is_some());
}

#[tokio::test]
async fn a_client_must_carry_an_allowed_name() {
    let site = Site::with(
        "  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: ca.pem\n  \
         client_allowed_sans: [scraper, 10.0.0.1, a@b.example, 'spiffe://x/y']\n",
    );
    let server = site.folder.start().unwrap();
    for (name, welcome) in [
        (dns("scraper"), true),
        (dns("other"), false),
        (SanType::IpAddress(IpAddr::from([10, 0, 0, 1])), true),
        (SanType::Rfc822Name("a@b.example".try_into().unwrap()), true),
        (SanType::URI("spiffe://x/y".try_into().unwrap()), true),
        (SanType::URI("spiffe://x/z".try_into().unwrap()), false),
    ] {
        let pair = signed(&site.authority, vec![dns("decoy"), name.clone()]);
        let answer = scrape(server.address(), site.client(Some(&pair))).await;
        assert_eq!(answer.is_some(), welcome, "{name:?}");
    }
}

#[tokio::test]
async fn versions_and_suites_are_those_of_the_configuration() {
    let site = Site::with("  min_version: TLS13\n");
    let server = site.folder.start().unwrap();
    assert!(scrape(server.address(), site.client_of(None, &[&version::TLS12])).await.is_none());
    assert!(scrape(server.address(), site.client_of(None, &[&version::TLS13])).await.is_some());

    let wanted = "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256";
    let site = Site::with(&format!(
        "  min_version: TLS10\n  max_version: TLS12\n  curve_preferences: [CurveP521, CurveP384]\n  \
         cipher_suites: [TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA, {wanted}]\n"
    ));
    let server = site.folder.start().unwrap();
    let stream = shake_hands(server.address(), site.client(None)).await.unwrap();
    let connection = stream.get_ref().1;
    let spoken = connection.negotiated_cipher_suite().unwrap().suite();
    assert_eq!(format!("{spoken:?}"), wanted);
    let group = connection.negotiated_key_exchange_group().unwrap().name();
    assert_eq!(format!("{group:?}"), "secp384r1");
}

async fn shown(address: SocketAddr, site: &Site) -> Vec<u8> {
    let stream = shake_hands(address, site.client(None)).await.unwrap();
    stream.get_ref().1.peer_certificates().unwrap()[0].to_vec()
}

#[tokio::test]
async fn a_renewed_certificate_is_served_without_a_restart() {
    let site = Site::with("");
    let server = site.folder.start().unwrap();
    let first = shown(server.address(), &site).await;
    assert_eq!(shown(server.address(), &site).await, first);
    site.renew();
    let second = shown(server.address(), &site).await;
    assert_ne!(second, first);
    assert_eq!(server.stats.reloads.get(), 1);
}

#[tokio::test]
async fn a_certificate_without_its_key_leaves_the_old_one_in_force() {
    let site = Site::with("");
    let server = site.folder.start().unwrap();
    let first = shown(server.address(), &site).await;
    let pair = signed(&site.authority, vec![SanType::IpAddress(IpAddr::V4(Ipv4Addr::LOCALHOST))]);
    site.folder.write("cert.pem", &pair.certificate);
    assert_eq!(shown(server.address(), &site).await, first);
    assert_eq!(server.stats.reload_errors.get(), 1);
    site.folder.write("key.pem", &pair.key);
    assert_ne!(shown(server.address(), &site).await, first);
}

#[tokio::test]
async fn tls_is_not_switched_off_by_a_file_that_is_emptied() {
    let site = Site::with("");
    let server = site.folder.start().unwrap();
    site.folder.write("web.yml", "");
    assert!(scrape(server.address(), site.client(None)).await.is_some());
    assert_eq!(server.stats.reload_errors.get(), 1);
}

#[tokio::test]
async fn a_key_that_is_none_stops_the_start_and_is_not_shown() {
    let site = Site::with("");
    site.folder
        .write("key.pem", "-----BEGIN PRIVATE KEY-----\nhunter2\n-----END PRIVATE KEY-----\n");
    let Err(error) = site.folder.start() else { panic!("it started") };
    let error = error.to_string();
    assert!(error.contains("key.pem: ") && !error.contains("hunter2"), "{error}");
}
