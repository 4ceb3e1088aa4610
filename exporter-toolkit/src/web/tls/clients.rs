//! Who may connect: client certificates in the five ways of Go's `tls.ClientAuthType`, and names they must carry.

use std::collections::HashSet;
use std::net::IpAddr;
use std::sync::Arc;

use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{CertificateError, DigitallySignedStruct, DistinguishedName, Error, SignatureScheme};
use x509_parser::prelude::{FromDer as _, GeneralName, X509Certificate};

/// Who must have signed a client's certificate.
#[derive(Debug)]
pub(super) enum Issuer {
    Anybody,
    Authority(Arc<dyn ClientCertVerifier>),
    /// There is no authority, so a certificate that is given is refused.
    Unknown,
}

/// Checks a client's certificate: its issuer, and its names where `names` are given.
#[derive(Debug)]
pub(super) struct Clients {
    pub(super) issuer: Issuer,
    pub(super) names: Option<HashSet<String>>,
    pub(super) mandatory: bool,
    pub(super) provider: Arc<CryptoProvider>,
}

impl ClientCertVerifier for Clients {
    fn client_auth_mandatory(&self) -> bool {
        self.mandatory
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        match &self.issuer {
            Issuer::Authority(verifier) => verifier.root_hint_subjects(),
            Issuer::Anybody | Issuer::Unknown => &[],
        }
    }

    fn verify_client_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        match &self.issuer {
            Issuer::Anybody => {}
            Issuer::Authority(verifier) => {
                verifier.verify_client_cert(certificate, intermediates, now)?;
            }
            Issuer::Unknown => return Err(CertificateError::UnknownIssuer.into()),
        }
        if let Some(allowed) = &self.names
            && !names(certificate)?.any(|name| allowed.contains(&name))
        {
            return Err(CertificateError::ApplicationVerificationFailure.into());
        }
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// The subject's alternative names as Go writes them: DNS names, e-mail addresses, IP addresses, URIs.
fn names(certificate: &CertificateDer<'_>) -> Result<impl Iterator<Item = String>, Error> {
    let bad = || Error::from(CertificateError::BadEncoding);
    let (_, certificate) = X509Certificate::from_der(certificate).map_err(|_| bad())?;
    let extension = certificate.subject_alternative_name().map_err(|_| bad())?;
    let names = extension.map(|extension| extension.value.general_names.as_slice());
    let names: Vec<String> = names.unwrap_or_default().iter().filter_map(name).collect();
    Ok(names.into_iter())
}

fn name(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(text) | GeneralName::RFC822Name(text) | GeneralName::URI(text) => {
            Some((*text).to_owned())
        }
        GeneralName::IPAddress(bytes) => {
            let four = <[u8; 4]>::try_from(*bytes).map(IpAddr::from);
            let any = four.or_else(|_| <[u8; 16]>::try_from(*bytes).map(IpAddr::from));
            any.ok().map(|address| address.to_string())
        }
        _ => None,
    }
}
