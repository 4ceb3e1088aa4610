//! The keys of `--web.config.file`, as Prometheus' exporter-toolkit documents them (docs/web-configuration.md there).

use std::collections::HashMap;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr as _;
use std::time::Duration;

use http::header::{
    CONTENT_SECURITY_POLICY, STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
    X_XSS_PROTECTION,
};
use http::{HeaderName, HeaderValue};
use serde::de::{self, Deserialize, Deserializer, MapAccess, Visitor};

use crate::options::duration;
use crate::web::tls::names::{Curve, Suite, Version};

/// The whole file. What is missing has the default.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct File {
    pub(crate) tls_server_config: Option<Tls>,
    pub(crate) http_server_config: Option<Http>,
    #[serde(default)]
    pub(crate) basic_auth_users: Users,
    pub(crate) rate_limit: Option<RateLimit>,
}

#[derive(Debug, Default, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Tls {
    pub(crate) cert: Option<String>,
    pub(crate) key: Option<Secret>,
    pub(crate) client_ca: Option<String>,
    pub(crate) cert_file: Option<PathBuf>,
    pub(crate) key_file: Option<PathBuf>,
    pub(crate) client_ca_file: Option<PathBuf>,
    pub(crate) client_auth_type: Option<ClientAuth>,
    pub(crate) client_allowed_sans: Option<Vec<String>>,
    pub(crate) min_version: Option<Version>,
    pub(crate) max_version: Option<Version>,
    pub(crate) cipher_suites: Vec<Suite>,
    pub(crate) prefer_server_cipher_suites: Option<bool>,
    pub(crate) curve_preferences: Vec<Curve>,
}

/// Go's `tls.ClientAuthType`.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, serde::Deserialize)]
pub(crate) enum ClientAuth {
    /// No certificate is asked for.
    #[default]
    NoClientCert,
    /// A certificate is asked for and may be any or none.
    RequestClientCert,
    /// Some certificate must be given; who signed it does not matter.
    #[serde(alias = "RequireClientCert")]
    RequireAnyClientCert,
    /// A certificate that is given must be signed by the client CA.
    VerifyClientCertIfGiven,
    /// A certificate signed by the client CA must be given.
    RequireAndVerifyClientCert,
}

#[derive(Debug, Default, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Http {
    /// Accepted for the peer's files; agents speak HTTP/1.1, which every HTTP/2 client does too.
    #[serde(rename = "http2")]
    _http2: Option<bool>,
    #[serde(default)]
    pub(crate) headers: Headers,
}

/// The response headers that may be set. A blank value is none.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Headers {
    #[serde(rename = "Content-Security-Policy", deserialize_with = "any_value")]
    content_security_policy: Option<HeaderValue>,
    #[serde(rename = "X-Frame-Options", deserialize_with = "frame_options")]
    frame_options: Option<HeaderValue>,
    #[serde(rename = "X-Content-Type-Options", deserialize_with = "nosniff")]
    content_type_options: Option<HeaderValue>,
    #[serde(rename = "X-XSS-Protection", deserialize_with = "any_value")]
    xss_protection: Option<HeaderValue>,
    #[serde(rename = "Strict-Transport-Security", deserialize_with = "any_value")]
    strict_transport_security: Option<HeaderValue>,
}

impl Headers {
    pub(crate) fn into_pairs(self) -> Vec<(HeaderName, HeaderValue)> {
        let all = [
            (CONTENT_SECURITY_POLICY, self.content_security_policy),
            (X_FRAME_OPTIONS, self.frame_options),
            (X_CONTENT_TYPE_OPTIONS, self.content_type_options),
            (X_XSS_PROTECTION, self.xss_protection),
            (STRICT_TRANSPORT_SECURITY, self.strict_transport_security),
        ];
        all.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
    }
}

fn any_value<'de, D: Deserializer<'de>>(from: D) -> Result<Option<HeaderValue>, D::Error> {
    let text = Option::<String>::deserialize(from)?.unwrap_or_default();
    let value = (!text.is_empty()).then(|| HeaderValue::from_str(&text)).transpose();
    value.map_err(|_| de::Error::custom("the value has characters that no header may have"))
}

fn one_of<'de, D>(from: D, allowed: &[&str]) -> Result<Option<HeaderValue>, D::Error>
where
    D: Deserializer<'de>,
{
    let value = any_value(from)?;
    if value.as_ref().is_some_and(|value| !allowed.iter().any(|known| value == known)) {
        return Err(de::Error::custom(format_args!("allowed values: {}", allowed.join(", "))));
    }
    Ok(value)
}

fn frame_options<'de, D: Deserializer<'de>>(from: D) -> Result<Option<HeaderValue>, D::Error> {
    one_of(from, &["deny", "sameorigin"])
}

fn nosniff<'de, D: Deserializer<'de>>(from: D) -> Result<Option<HeaderValue>, D::Error> {
    one_of(from, &["nosniff"])
}

#[derive(Clone, Copy, Debug, Default, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RateLimit {
    /// Time between two requests; 0 turns the limit off.
    #[serde(deserialize_with = "interval")]
    pub(crate) interval: Duration,
    /// Requests that may come at once.
    pub(crate) burst: u32,
}

fn interval<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
    let text = String::deserialize(from)?;
    duration(&text).map_err(|error| de::Error::custom(format!("'{text}': {error}")))
}

/// A text that never appears in logs.
#[derive(Clone, Eq, PartialEq)]
pub(crate) struct Secret(pub(crate) String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<secret>")
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        // The error of a failed reading would quote the text.
        let text = String::deserialize(from).map_err(|_| de::Error::custom("expected a text"))?;
        Ok(Self(text))
    }
}

/// User names with the bcrypt hashes of their passwords.
#[derive(Debug, Default)]
pub(crate) struct Users(pub(crate) HashMap<String, Secret>);

impl<'de> Deserialize<'de> for Users {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Pairs;
        impl<'de> Visitor<'de> for Pairs {
            type Value = Users;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("user names with bcrypt hashes")
            }

            fn visit_unit<E>(self) -> Result<Users, E> {
                Ok(Users::default())
            }

            fn visit_none<E>(self) -> Result<Users, E> {
                Ok(Users::default())
            }

            fn visit_str<E: de::Error>(self, _: &str) -> Result<Users, E> {
                // The text may be a password, so it is not quoted.
                Err(E::custom("expected user names with bcrypt hashes, one 'name: hash' a line"))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut pairs: A) -> Result<Users, A::Error> {
                let mut users = HashMap::new();
                while let Some(name) = pairs.next_key::<String>()? {
                    let Hash(hash) = pairs.next_value()?;
                    users.insert(name, hash);
                }
                Ok(Users(users))
            }
        }
        from.deserialize_any(Pairs)
    }
}

/// A bcrypt hash that can be checked against.
struct Hash(Secret);

impl<'de> Deserialize<'de> for Hash {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let Secret(text) = Secret::deserialize(from)?;
        if bcrypt::HashParts::from_str(&text).is_err() {
            return Err(de::Error::custom(
                "this is no bcrypt hash ('$2y$10$…'); make one with: htpasswd -nBC 10 NAME",
            ));
        }
        Ok(Self(Secret(text)))
    }
}
