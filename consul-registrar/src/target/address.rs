//! Where a target listens.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

/// IP addresses come before names and sort as numbers.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Address {
    Ip(IpAddr),
    /// A host name in lower case.
    Name(Box<str>),
}

/// A host name has this many bytes at most (RFC 1035).
const NAME_BYTES: usize = 253;

impl Address {
    /// `None` for what is neither an IP address that something can listen on nor a host name.
    pub fn parse(text: &str) -> Option<Self> {
        let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        if let Some(inside) = bare {
            return inside.parse::<Ipv6Addr>().ok().map(IpAddr::V6).and_then(Self::usable);
        }
        if let Ok(ip) = text.parse::<IpAddr>() {
            return Self::usable(ip);
        }
        let label = |part: &str| {
            !part.is_empty()
                && part.len() <= 63
                && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
        };
        // A last label of digits alone is an IPv4 address that was mistyped.
        let numeric =
            text.rsplit('.').next().is_some_and(|l| l.bytes().all(|b| b.is_ascii_digit()));
        let good = text.len() <= NAME_BYTES && !numeric && text.split('.').all(label);
        good.then(|| Self::Name(text.to_ascii_lowercase().into()))
    }

    fn usable(ip: IpAddr) -> Option<Self> {
        let ip = ip.to_canonical();
        (!ip.is_unspecified() && !ip.is_multicast()).then_some(Self::Ip(ip))
    }
}

/// Without brackets, as Consul takes an IPv6 address.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip(ip) => ip.fmt(f),
            Self::Name(name) => f.write_str(name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_an_ip_or_a_name_and_nothing_else() {
        for (text, expected) in [
            ("10.0.0.1", Some("10.0.0.1")),
            ("[fd00::1]", Some("fd00::1")),
            ("FD00:0::1", Some("fd00::1")),
            ("::ffff:10.0.0.1", Some("10.0.0.1")),
            ("Node-1.example.com", Some("node-1.example.com")),
            ("0.0.0.0", None),
            ("::", None),
            ("10.0.0.300", None),
            ("10.0.0.1:9100", None),
            ("a b", None),
            ("a..b", None),
            ("", None),
        ] {
            let parsed = Address::parse(text).map(|address| address.to_string());
            assert_eq!(parsed.as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn addresses_sort_as_numbers() {
        assert!(Address::parse("10.0.0.9") < Address::parse("10.0.0.10"));
    }
}
