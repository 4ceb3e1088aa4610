//! A small synchronous client of netlink (linux/rtnetlink.h, RFC 3549): dumps of links, addresses, neighbours, routes,
//! queueing disciplines, TCP sockets and what generic netlink knows of Ethernet and wireless devices.
//!
//! One request brings what would be a file read per interface. The socket and the memory stay from dump to dump, and
//! messages are handed out borrowed, so a dump allocates nothing.

mod device;
mod ethtool;
mod generic;
mod links;
mod message;
mod route;
pub mod wireless;

use std::io;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::net::netdevice::index_to_name_inlined;
use rustix::net::netlink::{GENERIC, SOCK_DIAG, SocketAddrNetlink};
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{AddressFamily, Protocol, RecvFlags, SendFlags, SocketFlags, SocketType};

pub use device::{DeviceName, DeviceNames};
pub use ethtool::{LinkMode, LinkModes};
pub use links::Links;
#[cfg(test)]
pub(crate) use message::attribute_bytes;
pub use message::{
    Address, Attributes, LINK_STATS64_LEN, Link, LinkStats, Neighbour, attribute, u32_at, u32_of,
};
use message::{Fate, Messages};
pub use route::{Hop, Route};

/// The kernel makes the parts of a dump as large as the memory that it has seen offered, from some 4 KiB up to 32 KiB
/// (`netlink_recvmsg`). A few devices fit into the first; who has more offers more from the next dump on.
const FIRST_PART: usize = 8 << 10;
const PART: usize = 32 << 10;
/// A dump of more parts than this is worth more memory.
const MANY_PARTS: usize = 4;
/// A single message that is larger is refused.
const LARGEST_PART: usize = 1 << 20;
/// How long one part, and how long a whole dump may take.
const PART_TIMEOUT: Duration = Duration::from_secs(2);
const DUMP_TIMEOUT: Duration = Duration::from_secs(5);
/// How often a dump that was interrupted by a change is begun.
const ATTEMPTS: usize = 4;

/// A question whose answer is a dump.
#[derive(Clone, Copy, Debug)]
pub struct Request {
    bytes: [u8; message::LONGEST_REQUEST],
    len: usize,
}

impl Request {
    /// All links (`RTM_GETLINK`), without the statistics of IPv6, which are a third of a message.
    pub fn links() -> Self {
        let mut body = [0; 24];
        body[16..18].copy_from_slice(&8_u16.to_ne_bytes());
        body[18..20].copy_from_slice(&message::IFLA_EXT_MASK.to_ne_bytes());
        body[20..].copy_from_slice(&message::RTEXT_FILTER_SKIP_STATS.to_ne_bytes());
        Self::new(message::GET_LINK, &body)
    }

    /// The addresses of all interfaces (`RTM_GETADDR`).
    pub fn addresses() -> Self {
        Self::new(message::GET_ADDRESS, &[0; 8])
    }

    /// The IPv4 neighbours (`RTM_GETNEIGH`), which ARP found.
    pub fn ipv4_neighbours() -> Self {
        let mut body = [0; 12];
        body[0] = message::AF_INET;
        Self::new(message::GET_NEIGHBOUR, &body)
    }

    /// The routes of every table and every family (`RTM_GETROUTE`).
    pub fn routes() -> Self {
        Self::new(message::GET_ROUTE, &[0; 12])
    }

    /// The queueing disciplines of all interfaces (`RTM_GETQDISC`).
    pub fn qdiscs() -> Self {
        Self::new(message::GET_QDISC, &[0; 20])
    }

    /// The TCP sockets of IPv4 or of IPv6 in any state, without details (`struct inet_diag_req_v2`): for a client of
    /// [`Client::sockets`].
    pub fn tcp_sockets(version_six: bool) -> Self {
        const TCP: u8 = 6;
        const ALL_STATES: u32 = 0xfff;
        let mut body = [0; 56];
        body[0] = if version_six { message::AF_INET6 } else { message::AF_INET };
        body[1] = TCP;
        body[4..8].copy_from_slice(&ALL_STATES.to_ne_bytes());
        Self::new(message::GET_SOCKETS, &body)
    }

    /// `body` is at most 56 bytes long.
    fn new(kind: u16, body: &[u8]) -> Self {
        let mut bytes = [0; message::LONGEST_REQUEST];
        let len = message::write_request(kind, body, &mut bytes);
        Self { bytes, len }
    }

    fn numbered(mut self, sequence: u32) -> Self {
        message::set_sequence(&mut self.bytes, sequence);
        self
    }

    fn bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

/// What a dump hands out.
#[derive(Debug)]
pub enum Step<'a> {
    /// The dump begins, perhaps once more after an interruption: what was gathered before does not count.
    Begin,
    /// One message, without its header.
    Message(&'a [u8]),
}

/// A netlink socket, opened with the first dump and after every failure; by default one of rtnetlink.
#[derive(Debug, Default)]
pub struct Client {
    /// `None` is protocol 0, which is rtnetlink.
    protocol: Option<Protocol>,
    socket: Option<OwnedFd>,
    sequence: u32,
    buffer: Vec<u8>,
    /// Of the last dump.
    parts: usize,
}

/// How a dump ended that did not fail.
enum End {
    Complete,
    Interrupted,
}

impl Client {
    /// A socket of generic netlink.
    pub(crate) fn generic() -> Self {
        Self { protocol: Some(GENERIC), ..Self::default() }
    }

    /// A socket that lists the sockets of the network namespace (`sock_diag(7)`).
    pub fn sockets() -> Self {
        Self { protocol: Some(SOCK_DIAG), ..Self::default() }
    }

    /// Hands out a whole, consistent dump: one that a change interrupts (`NLM_F_DUMP_INTR`) is begun anew.
    ///
    /// Bounded by five seconds, as far as the kernel lets go: it may hold the caller where another has its lock.
    /// `PermissionDenied` and the like where a sandbox allows no such socket.
    pub fn dump(
        &mut self,
        request: Request,
        mut each: impl FnMut(Step<'_>),
    ) -> Result<(), io::Error> {
        let until = Instant::now() + DUMP_TIMEOUT;
        for _ in 0..ATTEMPTS {
            each(Step::Begin);
            match self.attempt(request, until, &mut each) {
                Ok(End::Complete) => return Ok(()),
                Ok(End::Interrupted) => {}
                Err(error) => {
                    self.socket = None;
                    return Err(error);
                }
            }
        }
        Err(io::Error::other("the kernel's tables changed during every attempt to read them"))
    }

    /// What the interface of this index is called now, where the last dump left a socket to ask by (`SIOCGIFNAME`). For
    /// a few interfaces this is less work for the kernel than a dump of all.
    pub fn device_name(&self, index: u32) -> Option<DeviceName> {
        let name = index_to_name_inlined(self.socket.as_ref()?, index).ok()?;
        Some(DeviceName::new(name.as_bytes()))
    }

    fn attempt(
        &mut self,
        request: Request,
        until: Instant,
        each: &mut impl FnMut(Step<'_>),
    ) -> io::Result<End> {
        self.sequence = self.sequence.wrapping_add(1);
        let socket = match self.socket.take() {
            Some(socket) => socket,
            None => open(self.protocol)?,
        };
        let socket = self.socket.insert(socket);
        rustix::net::send(&*socket, request.numbered(self.sequence).bytes(), SendFlags::empty())?;
        if self.buffer.is_empty() {
            self.buffer.resize(FIRST_PART, 0);
        } else if self.parts > MANY_PARTS && self.buffer.len() < PART {
            self.buffer.resize(PART, 0);
        }
        self.parts = 0;
        let mut end = End::Complete;
        while Instant::now() < until {
            let part = receive(socket, &mut self.buffer)?;
            self.parts += 1;
            for message in Messages::new(part).filter(|found| found.sequence == self.sequence) {
                if message.interrupted {
                    end = End::Interrupted;
                }
                match message.fate() {
                    Fate::Done => return Ok(end),
                    Fate::Failed(errno) => return Err(io::Error::from_raw_os_error(errno)),
                    Fate::Body(body) => each(Step::Message(body)),
                }
            }
        }
        Err(io::ErrorKind::TimedOut.into())
    }
}

/// Connected to the kernel (port 0), so that no other process can send to it.
fn open(protocol: Option<Protocol>) -> io::Result<OwnedFd> {
    let flags = SocketFlags::CLOEXEC;
    let socket =
        rustix::net::socket_with(AddressFamily::NETLINK, SocketType::RAW, flags, protocol)?;
    rustix::net::connect(&socket, &SocketAddrNetlink::new(0, 0))?;
    set_socket_timeout(&socket, Timeout::Recv, Some(PART_TIMEOUT))?;
    Ok(socket)
}

/// Receives one part of a dump. A part larger than the memory is lost, so the memory grows for the next dump.
fn receive<'a>(socket: &OwnedFd, buffer: &'a mut Vec<u8>) -> io::Result<&'a [u8]> {
    loop {
        match rustix::net::recv(socket, buffer.as_mut_slice(), RecvFlags::TRUNC) {
            Ok((_, 0)) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok((_, size)) if size > buffer.len() => {
                buffer.resize(size.min(LARGEST_PART), 0);
                return Err(io::Error::other("a message larger than the memory for it"));
            }
            Ok((count, _)) => return Ok(&buffer[..count]),
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_live_kernel_lists_the_loopback_link_its_address_and_its_counters() {
        let mut client = Client::default();
        for _ in 0..2 {
            let mut found = Vec::new();
            let result = client.dump(Request::links(), |step| match step {
                Step::Begin => found.clear(),
                Step::Message(body) => {
                    let link = Link::parse(body).unwrap();
                    found.push((link.index, link.name(), LinkStats::of(&link).is_some()));
                }
            });
            result.unwrap();
            assert!(found.contains(&(1, DeviceName::new(b"lo"), true)), "{found:?}");
        }
    }

    #[test]
    fn a_question_that_the_kernel_does_not_know_is_an_error_and_spoils_no_later_one() {
        let mut client = Client::default();
        let unknown = Request::new(0xfff0, &[0; 16]);
        assert_eq!(client.dump(unknown, |_| ()).unwrap_err().raw_os_error(), Some(95));
        assert!(client.dump(Request::addresses(), |_| ()).is_ok());
        assert!(client.dump(Request::ipv4_neighbours(), |_| ()).is_ok());
    }
}
