//! `/proc/net/ip_vs`: a line for each virtual service, below it one for each backend (`ip_vs_info_seq_show`).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::collector::CollectError;
use crate::host::Text;

/// A virtual service and one of its backends. What is not a label is `None`.
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct Backend {
    pub(super) proto: Option<Proto>,
    pub(super) local_address: Option<IpAddr>,
    pub(super) local_port: Option<u16>,
    /// The firewall mark that makes packets the service's, in place of an address.
    pub(super) local_mark: Option<u32>,
    pub(super) remote_address: Option<IpAddr>,
    pub(super) remote_port: Option<u16>,
}

#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Proto {
    Tcp,
    Udp,
    Sctp,
    /// By firewall mark, whatever the protocol.
    Mark,
}

impl Proto {
    const ALL: [Self; 4] = [Self::Tcp, Self::Udp, Self::Sctp, Self::Mark];

    /// As the kernel prints it.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Tcp => "TCP",
            Self::Udp => "UDP",
            Self::Sctp => "SCTP",
            Self::Mark => "FWM",
        }
    }
}

/// What is counted of a backend.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Counts {
    pub(super) active: u64,
    pub(super) inactive: u64,
    pub(super) weight: u64,
}

impl Counts {
    pub(super) fn add(&mut self, other: Self) {
        self.active = self.active.wrapping_add(other.active);
        self.inactive = self.inactive.wrapping_add(other.inactive);
        self.weight = self.weight.wrapping_add(other.weight);
    }
}

/// Hands out every backend of the table with its service.
pub(super) fn each(
    text: Text<'_>,
    mut found: impl FnMut(Backend, Counts),
) -> Result<(), CollectError> {
    // Backends of a service of an unknown protocol are left out.
    let mut service = None;
    for line in text.lines() {
        let mut columns = line.split_ascii_whitespace();
        match (columns.next(), columns.next()) {
            (Some("->"), Some("RemoteAddress:Port")) => {}
            (Some("->"), Some(remote)) => {
                let Some(service) = service else { continue };
                let (backend, counts) = backend(service, remote, columns)
                    .ok_or_else(|| text.wrong("address, weight and connections expected", line))?;
                found(backend, counts);
            }
            (Some(word), Some(local)) => {
                let proto = Proto::ALL.into_iter().find(|proto| proto.word() == word);
                let parse = |proto| {
                    self::service(proto, local)
                        .ok_or_else(|| text.wrong("a service's address or mark expected", line))
                };
                service = proto.map(parse).transpose()?;
            }
            _ => {}
        }
    }
    Ok(())
}

fn service(proto: Proto, local: &str) -> Option<Backend> {
    let mut service = Backend { proto: Some(proto), local_port: Some(0), ..Backend::default() };
    if proto == Proto::Mark {
        service.local_mark = Some(u32::from_str_radix(local, 16).ok()?);
    } else {
        let (address, port) = endpoint(local)?;
        (service.local_address, service.local_port) = (Some(address), Some(port));
    }
    Some(service)
}

/// The columns after the address: the way of forwarding, weight, active and inactive connections.
fn backend<'a>(
    service: Backend,
    remote: &str,
    mut columns: impl Iterator<Item = &'a str>,
) -> Option<(Backend, Counts)> {
    let (address, port) = endpoint(remote)?;
    let _forwarding = columns.next()?;
    let mut number = || columns.next()?.parse().ok();
    let counts = Counts { weight: number()?, active: number()?, inactive: number()? };
    let backend = Backend { remote_address: Some(address), remote_port: Some(port), ..service };
    Some((backend, counts))
}

/// `C0A80016:0CEA` or `[2001:0db8:…:0001]:0050`: the address hexadecimal in network order, the port hexadecimal.
fn endpoint(text: &str) -> Option<(IpAddr, u16)> {
    let (address, port) = text.rsplit_once(':')?;
    let address = match address.strip_prefix('[') {
        Some(v6) => v6.strip_suffix(']')?.parse::<Ipv6Addr>().ok()?.into(),
        None if address.len() == 8 => Ipv4Addr::from(u32::from_str_radix(address, 16).ok()?).into(),
        None => return None,
    };
    Some((address, u16::from_str_radix(port, 16).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn endpoints_are_hexadecimal_in_both_families() {
        assert_eq!(endpoint("C0000201:0050"), Some((IpAddr::from([192, 0, 2, 1]), 80)));
        let v6 = endpoint("[2001:0db8:0000:0000:0000:0000:0000:0001]:1F90").unwrap();
        assert_eq!((v6.0.to_string().as_str(), v6.1), ("2001:db8::1", 8080));
        for wrong in ["", "C0000201", "C00002:0050", "[::1:0050", "C0000201:10000", "é:é"] {
            assert_eq!(endpoint(wrong), None, "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in ".*") {
            let _parsed = (endpoint(&text), service(Proto::Tcp, &text), service(Proto::Mark, &text));
            let _backend = backend(Backend::default(), &text, text.split(' '));
        }
    }
}
