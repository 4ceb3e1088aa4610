//! What Consul and Prometheus take, enforced here: Consul's transaction takes port 70000 and any address, and one bad
//! address stops all of a Prometheus discovery.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use super::share::share;
use super::{Address, Draft, Held, Key, Meta, Target};

/// Meta keys that are ours: a draft's own are left out under these names.
pub const FIXED_KEYS: [&str; 7] =
    ["cluster_name", "group", "ip", "metrics_path", "node", "owner", "scheme"];

/// Tags that begin so say to which Prometheus a target belongs: a draft's own are left out.
pub const FIXED_TAGS: [&str; 2] = ["cluster=", "group="];

/// Consul takes 64 pairs; [`FIXED_KEYS`] and those of the command line have their share.
pub const MAX_META: usize = 40;
const KEY_BYTES: usize = 128;
const VALUE_BYTES: usize = 512;
const SERVICE_BYTES: usize = 128;
const MAX_TAGS: usize = 64;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Scheme {
    #[default]
    Http,
    Https,
}

impl Scheme {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }

    /// Empty is `http`.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "" | "http" => Some(Self::Http),
            "https" => Some(Self::Https),
            _ => None,
        }
    }
}

impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why a draft is no target.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadTarget {
    #[error("service name {0:?} is not made of letters, digits, '-', '_' and '.', at most 128")]
    Service(String),
    #[error("address {0:?} is neither an IP address to listen on nor a host name")]
    Address(String),
    #[error("port {0:?} is not one of 1 to 65535")]
    Port(String),
    #[error("scheme {0:?} is neither http nor https")]
    Scheme(String),
    #[error("metrics path {0:?} is no absolute path without query, at most 512 bytes")]
    Path(String),
    #[error("node name {0:?} is longer than 512 bytes or holds control characters")]
    Node(String),
    #[error("{0} labels are too many, {MAX_META} are taken")]
    Meta(usize),
    #[error("{0} tags are too many, {MAX_TAGS} are taken")]
    Tags(usize),
    #[error("the same service, address and port come from {0}, too")]
    Repeated(Box<str>),
}

impl Draft {
    /// The target, or why it is none.
    pub fn check(self) -> Result<Target, Held> {
        match self.checked() {
            Ok(target) => Ok(target),
            Err(bad) => {
                let address = match (self.address.as_str(), self.port.as_str()) {
                    ("", _) => String::new(),
                    (address, "") => address.to_owned(),
                    (address, port) => format!("{address}:{port}"),
                };
                Err(Held {
                    service: self.service.into(),
                    address: address.into(),
                    origin: (&*self.origin).into(),
                    reason: bad.to_string().into(),
                })
            }
        }
    }

    fn checked(&self) -> Result<Target, BadTarget> {
        let address = Address::parse(self.address.trim())
            .ok_or_else(|| BadTarget::Address(self.address.clone()))?;
        let port = self.port.trim().parse().ok().filter(|port| *port != 0);
        let path = match self.metrics_path.as_str() {
            "" => "/metrics",
            path => path,
        };
        let in_path = |c: char| c.is_control() || c.is_whitespace() || c == '?' || c == '#';
        if !path.starts_with('/') || path.len() > VALUE_BYTES || path.contains(in_path) {
            return Err(BadTarget::Path(self.metrics_path.clone()));
        }
        let node: Arc<str> = match self.node.as_str() {
            "" => share(&address.to_string()),
            node if node.len() > VALUE_BYTES || node.contains(char::is_control) => {
                return Err(BadTarget::Node(self.node.clone()));
            }
            node => share(node),
        };
        Ok(Target {
            key: Key {
                service: service(&self.service)?,
                address,
                port: port.ok_or_else(|| BadTarget::Port(self.port.clone()))?,
            },
            scheme: Scheme::parse(&self.scheme)
                .ok_or_else(|| BadTarget::Scheme(self.scheme.clone()))?,
            metrics_path: share(path),
            node,
            meta: meta(&self.meta)?,
            tags: tags(&self.tags)?,
            origin: Arc::clone(&self.origin),
        })
    }
}

fn service(name: &str) -> Result<Arc<str>, BadTarget> {
    let good = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    if name.is_empty() || name.len() > SERVICE_BYTES || !name.bytes().all(good) {
        return Err(BadTarget::Service(name.to_owned()));
    }
    Ok(share(name))
}

/// The pairs as Consul takes them. Of keys that become the same one the first wins.
fn meta(pairs: &BTreeMap<String, String>) -> Result<Meta, BadTarget> {
    let mut clean: BTreeMap<Arc<str>, Arc<str>> = BTreeMap::new();
    for (key, value) in pairs {
        let key = meta_key(key);
        if !key.is_empty() && !FIXED_KEYS.contains(&&*key) {
            let value = meta_value(value);
            // No two targets have the same one.
            let value = if key == "pod_name" { value.into() } else { share(&value) };
            clean.entry(share(&key)).or_insert(value);
        }
    }
    if clean.len() > MAX_META {
        return Err(BadTarget::Meta(clean.len()));
    }
    Ok(clean.into_iter().collect())
}

fn tags(given: &[String]) -> Result<Box<[Box<str>]>, BadTarget> {
    let good =
        |tag: &String| !tag.is_empty() && !FIXED_TAGS.iter().any(|begin| tag.starts_with(begin));
    let clean: BTreeSet<String> = given.iter().map(|text| tag(text)).filter(good).collect();
    if clean.len() > MAX_TAGS {
        return Err(BadTarget::Tags(clean.len()));
    }
    Ok(clean.into_iter().map(Into::into).collect())
}

/// The key with `_` for what Consul does not take (`app.kubernetes.io/name` is `app_kubernetes_io_name`), cut at 128
/// bytes.
pub fn meta_key(key: &str) -> String {
    key.chars()
        .map(|c| if c.is_ascii_alphanumeric() || c == '-' || c == '_' { c } else { '_' })
        .take(KEY_BYTES)
        .collect()
}

/// The value with spaces for control characters, cut at the character that goes beyond Consul's 512 bytes.
pub fn meta_value(value: &str) -> String {
    let end = value.floor_char_boundary(VALUE_BYTES);
    let kept = value.get(..end).unwrap_or(value);
    kept.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// The tag with `_` for commas and control characters: Prometheus joins tags by commas.
pub fn tag(text: &str) -> String {
    let clean = text.trim().chars().map(|c| if c.is_control() || c == ',' { '_' } else { c });
    meta_value(&clean.collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draft() -> Draft {
        Draft {
            service: "node-exporter".into(),
            address: "10.0.0.1".into(),
            port: "9100".into(),
            origin: "a test".into(),
            ..Draft::default()
        }
    }

    #[test]
    fn what_is_left_empty_has_its_default() {
        let target = draft().check().unwrap();
        assert_eq!(target.key.to_string(), "node-exporter/10.0.0.1:9100");
        assert_eq!((target.scheme, &*target.metrics_path), (Scheme::Http, "/metrics"));
        assert_eq!(&*target.node, "10.0.0.1");
    }

    #[test]
    fn a_bad_draft_is_held_back_with_its_reason() {
        let bad = [
            (Draft { port: "70000".into(), ..draft() }, "port \"70000\" is not one of 1 to 65535"),
            (Draft { port: "0".into(), ..draft() }, "port \"0\" is not one of 1 to 65535"),
            (
                Draft { scheme: "gopher".into(), ..draft() },
                "scheme \"gopher\" is neither http nor https",
            ),
        ];
        for (draft, reason) in bad {
            let held = draft.check().unwrap_err();
            assert_eq!(&*held.reason, reason);
            assert_eq!(&*held.origin, "a test");
        }
        for bad in [
            Draft { address: "0.0.0.0".into(), ..draft() },
            Draft { service: "a b".into(), ..draft() },
            Draft { service: String::new(), ..draft() },
            Draft { metrics_path: "metrics".into(), ..draft() },
            Draft { metrics_path: "/m?x=1".into(), ..draft() },
            Draft { node: "a\nb".into(), ..draft() },
            Draft { meta: (0..50).map(|n| (format!("k{n}"), "v".into())).collect(), ..draft() },
            Draft { tags: (0..99).map(|n| format!("t{n}")).collect(), ..draft() },
        ] {
            assert!(bad.clone().check().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn labels_are_made_such_that_consul_takes_them() {
        let pairs = [
            ("app.kubernetes.io/name", "web"),
            ("app_kubernetes_io_name", "second"),
            ("owner", "somebody"),
            ("", "empty"),
        ];
        let meta = pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
        let target = Draft { meta, ..draft() }.check().unwrap();
        assert_eq!(*target.meta, [("app_kubernetes_io_name".into(), "web".into())]);
        assert_eq!(meta_value(&"ä".repeat(300)).len(), 512);
        assert_eq!(meta_key(&"k".repeat(300)).len(), 128);
        assert_eq!(tag(" a,b\n"), "a_b");
        let tags = ["group=g9", "cluster=other", "", "mine"].map(str::to_owned).into();
        assert_eq!(*Draft { tags, ..draft() }.check().unwrap().tags, ["mine".into()]);
    }
}
