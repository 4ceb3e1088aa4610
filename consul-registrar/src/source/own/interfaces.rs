//! The addresses of this host's interfaces, by one dump of rtnetlink (linux/rtnetlink.h, RFC 3549).

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::io::Errno;
use rustix::net::netdevice::index_to_name;
use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType};

/// An interface's name and one of its addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interface {
    pub name: String,
    pub ip: IpAddr,
}

/// Bridges and tunnels that container runtimes and network plugins make. Their addresses are on every host.
const CONTAINERS: [&str; 12] = [
    "docker",
    "br-",
    "cni",
    "cali",
    "flannel",
    "veth",
    "virbr",
    "kube-",
    "nodelocaldns",
    "tunl",
    "cilium",
    "podman",
];

impl Interface {
    pub fn is_for_containers(&self) -> bool {
        CONTAINERS.iter().any(|prefix| self.name.starts_with(prefix))
    }
}

const HEADER: usize = 16;
const GET_ADDRESS: u16 = 22;
const NEW_ADDRESS: u16 = 20;
const ERROR: u16 = 2;
const DONE: u16 = 3;
const REQUEST_DUMP: u16 = 0x301;
const INET: u8 = 2;
const INET6: u8 = 10;
/// `IFA_ADDRESS`, and `IFA_LOCAL`, the own end of a point-to-point link.
const ADDRESS: u16 = 1;
const LOCAL: u16 = 2;
/// `ifa_flags` of an address that another host may own (`IFA_F_DADFAILED`, `IFA_F_TENTATIVE`).
const DOUBTFUL: u8 = 0x08 | 0x40;
/// The kernel fills at most this much at once.
const PART: usize = 32 << 10;
/// A host with more addresses than fit into so many parts is told of the first ones.
const PARTS: usize = 256;

/// All addresses of all interfaces, in the kernel's order.
pub(super) fn list() -> io::Result<Vec<Interface>> {
    let flags = SocketFlags::CLOEXEC;
    let socket = rustix::net::socket_with(AddressFamily::NETLINK, SocketType::RAW, flags, None)?;
    rustix::net::connect(&socket, &SocketAddrNetlink::new(0, 0))?;
    set_socket_timeout(&socket, Timeout::Recv, Some(Duration::from_secs(2)))?;
    rustix::net::send(&socket, &request(), SendFlags::empty())?;
    let mut found = Vec::new();
    let mut part = vec![0; PART];
    for _ in 0..PARTS {
        let len = receive(&socket, &mut part)?;
        let mut each = |index, ip| {
            // An interface that has gone meanwhile has no name.
            if let Ok(name) = index_to_name(&socket, index) {
                found.push(Interface { name, ip });
            }
        };
        if messages(part.get(..len).unwrap_or_default(), &mut each)? {
            break;
        }
    }
    Ok(found)
}

/// `struct nlmsghdr` and `struct ifaddrmsg` of any family.
fn request() -> [u8; HEADER + 8] {
    let mut bytes = [0; HEADER + 8];
    bytes[..4].copy_from_slice(&24_u32.to_ne_bytes());
    bytes[4..6].copy_from_slice(&GET_ADDRESS.to_ne_bytes());
    bytes[6..8].copy_from_slice(&REQUEST_DUMP.to_ne_bytes());
    bytes
}

fn receive(socket: &OwnedFd, part: &mut Vec<u8>) -> io::Result<usize> {
    loop {
        match rustix::net::recv(socket, part.as_mut_slice(), RecvFlags::empty()) {
            Ok((_, 0)) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok((_, len)) => return Ok(len),
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
}

/// Reads one part; true at the end of the dump. What is cut short ends the walk.
fn messages(mut rest: &[u8], each: &mut dyn FnMut(u32, IpAddr)) -> io::Result<bool> {
    while let (Some(len), Some(kind)) = (u32_at(rest, 0), u16_at(rest, 4)) {
        let Some(message) = take(&mut rest, usize::try_from(len).unwrap_or(0).max(HEADER)) else {
            break;
        };
        let body = message.get(HEADER..).unwrap_or_default();
        match kind {
            ERROR => {
                let errno = u32_at(body, 0).map_or(0, u32::cast_signed).saturating_neg();
                return Err(io::Error::from_raw_os_error(errno));
            }
            DONE => return Ok(true),
            NEW_ADDRESS => {
                if let Some((index, ip)) = address(body) {
                    each(index, ip);
                }
            }
            _ => {}
        }
    }
    Ok(false)
}

/// `struct ifaddrmsg` and its attributes.
fn address(body: &[u8]) -> Option<(u32, IpAddr)> {
    let (family, flags, index) = (*body.first()?, *body.get(2)?, u32_at(body, 4)?);
    let mut rest = body.get(8..)?;
    let mut best = None;
    while let (Some(len), Some(kind)) = (u16_at(rest, 0), u16_at(rest, 2)) {
        let value = take(&mut rest, usize::from(len).max(4))?.get(4..)?;
        if kind == LOCAL || (kind == ADDRESS && best.is_none()) {
            best = Some(value);
        }
    }
    let ip = match family {
        INET => IpAddr::V4(Ipv4Addr::from(*best?.first_chunk::<4>()?)),
        INET6 => IpAddr::V6(Ipv6Addr::from(*best?.first_chunk::<16>()?)),
        _ => return None,
    };
    (flags & DOUBTFUL == 0).then_some((index, ip))
}

/// Takes what has a length off the front, with the padding to four bytes behind it.
fn take<'a>(rest: &mut &'a [u8], len: usize) -> Option<&'a [u8]> {
    let taken = rest.get(..len)?;
    *rest = rest.get(len.next_multiple_of(4)..).unwrap_or_default();
    Some(taken)
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_ne_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(*bytes.get(at..)?.first_chunk()?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_live_kernel_lists_the_loopback_address() {
        let loopback = Interface { name: "lo".into(), ip: Ipv4Addr::LOCALHOST.into() };
        assert!(list().unwrap().contains(&loopback));
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
            drop(messages(&bytes, &mut |_, _| ()));
            address(&bytes);
        }
    }
}
