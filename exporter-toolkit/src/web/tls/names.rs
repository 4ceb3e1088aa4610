//! Go's names for TLS versions, cipher suites and curves, and what rustls has of them.

use rustls::crypto::SupportedKxGroup;
use rustls::crypto::ring::{ALL_KX_GROUPS, cipher_suite as ring};
use rustls::{NamedGroup, SupportedCipherSuite};
use serde::de::{self, Deserialize, Deserializer};

/// A TLS version of the configuration. rustls has 1.2 and 1.3 only.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, serde::Deserialize)]
pub(crate) enum Version {
    #[serde(rename = "TLS10")]
    Tls10,
    #[serde(rename = "TLS11")]
    Tls11,
    #[serde(rename = "TLS12")]
    Tls12,
    #[serde(rename = "TLS13")]
    Tls13,
}

/// A cipher suite by Go's name; without one of rustls where it is a CBC suite, which rustls leaves out as unsafe.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Suite {
    pub(crate) name: &'static str,
    pub(crate) suite: Option<SupportedCipherSuite>,
}

/// A curve by Go's name; without one of rustls where its provider lacks it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Curve {
    pub(crate) name: &'static str,
    pub(crate) group: Option<&'static dyn SupportedKxGroup>,
}

static SUITES: [Suite; 13] = [
    has("TLS_AES_128_GCM_SHA256", ring::TLS13_AES_128_GCM_SHA256),
    has("TLS_AES_256_GCM_SHA384", ring::TLS13_AES_256_GCM_SHA384),
    has("TLS_CHACHA20_POLY1305_SHA256", ring::TLS13_CHACHA20_POLY1305_SHA256),
    has("TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", ring::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256),
    has("TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", ring::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384),
    has(
        "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
        ring::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
    ),
    has("TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", ring::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256),
    has("TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", ring::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384),
    has(
        "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
        ring::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
    ),
    lacks("TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA"),
    lacks("TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA"),
    lacks("TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA"),
    lacks("TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA"),
];

const fn has(name: &'static str, suite: SupportedCipherSuite) -> Suite {
    Suite { name, suite: Some(suite) }
}

const fn lacks(name: &'static str) -> Suite {
    Suite { name, suite: None }
}

const CURVES: [(&str, NamedGroup); 4] = [
    ("CurveP256", NamedGroup::secp256r1),
    ("CurveP384", NamedGroup::secp384r1),
    ("CurveP521", NamedGroup::secp521r1),
    ("X25519", NamedGroup::X25519),
];

impl<'de> Deserialize<'de> for Suite {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let name = String::deserialize(from)?;
        let known = SUITES.iter().find(|suite| suite.name == name);
        known.copied().ok_or_else(|| unknown("cipher suite", &name, SUITES.map(|suite| suite.name)))
    }
}

impl<'de> Deserialize<'de> for Curve {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        let (name, group) = *CURVES
            .iter()
            .find(|(name, _)| *name == text)
            .ok_or_else(|| unknown("curve", &text, CURVES.map(|(name, _)| name)))?;
        let mut groups = ALL_KX_GROUPS.iter();
        Ok(Self { name, group: groups.find(|known| known.name() == group).copied() })
    }
}

fn unknown<E: de::Error, const N: usize>(what: &str, name: &str, known: [&str; N]) -> E {
    E::custom(format_args!("unknown {what} '{name}'; known are {}", known.join(", ")))
}
