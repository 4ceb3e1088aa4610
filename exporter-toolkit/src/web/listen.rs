//! The addresses an agent serves on: TCP, unix sockets, sockets that systemd passes.

mod share;
mod unix;

use std::fmt;
use std::io;
use std::net::{
    IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener as StdTcpListener,
    TcpStream as StdTcpStream, ToSocketAddrs as _,
};
use std::os::unix::net::UnixListener as StdUnixListener;

use rustix::net::{AddressFamily, SocketFlags, SocketType, sockopt};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};

use super::ServeError;
use super::options::WebOptions;
use super::socket::Socket;
use unix::{SocketFile, UnixAddress};

/// Connections that the kernel keeps while the agent is busy; the kernel cuts it to `net.core.somaxconn`.
pub(super) const BACKLOG: i32 = 1024;

/// A socket that is listening.
#[derive(Debug)]
pub(crate) enum Listener {
    Tcp(TcpListener, Hold),
    /// With its file, which lives as long, unless systemd owns it.
    Unix(UnixListener, Option<SocketFile>),
}

/// Who else has a part in a TCP address.
#[derive(Debug)]
pub(crate) enum Hold {
    Nobody,
    /// systemd, which keeps the socket when we are gone: who waits in its queue is served by the next process.
    Systemd,
    /// Another process of this agent may, by a socket of its own (`--web.reuse-port`).
    Shared {
        /// Somebody answered there when we came.
        taken: bool,
        /// A connection of our own, which tells to whom the kernel gives new ones.
        probe: Option<StdTcpStream>,
    },
}

impl Listener {
    pub(crate) async fn accept(&self) -> io::Result<Socket> {
        match self {
            Self::Tcp(listener, hold) => loop {
                let (stream, peer) = listener.accept().await?;
                if !hold.is_probe(peer) {
                    return Ok(socket_of(stream));
                }
                // We are the newer one ourselves, or alone.
                share::choose(listener, share::OLDER);
            },
            Self::Unix(listener, _) => Ok(Socket::Unix(listener.accept().await?.0)),
        }
    }

    /// The address of a TCP listener, with the port that the kernel chose where 0 was asked for.
    pub(crate) fn tcp_address(&self) -> Option<SocketAddr> {
        match self {
            Self::Tcp(listener, _) => listener.local_addr().ok(),
            Self::Unix(..) => None,
        }
    }

    /// Whether another process may serve on our address.
    pub(crate) fn is_shared(&self) -> bool {
        matches!(self, Self::Tcp(_, Hold::Shared { .. }))
    }

    /// Where another process was serving on our address when we came.
    pub(crate) fn taken(&self) -> Option<SocketAddr> {
        match self {
            Self::Tcp(_, Hold::Shared { taken: true, .. }) => {
                self.tcp_address().map(share::reached_at)
            }
            _ => None,
        }
    }

    /// Lets new connections go to the other process on this address. Whether there may be one.
    ///
    /// That is the newer one, or, where an update is taken back, the older one, which is seen when we accept our own
    /// connection.
    pub(crate) fn hand_over(&mut self) -> bool {
        let Self::Tcp(listener, Hold::Shared { probe, .. }) = self else { return false };
        share::choose(&*listener, share::NEWER);
        *probe = listener.local_addr().and_then(share::connect).ok();
        true
    }

    /// Those who wait to be accepted; closing the socket would reset their connections.
    pub(crate) fn into_waiting(self) -> Waiting {
        match self {
            Self::Tcp(_, Hold::Systemd) | Self::Unix(_, None) => Waiting::Kept,
            Self::Tcp(listener, _) => listener.into_std().map_or(Waiting::Kept, Waiting::Tcp),
            Self::Unix(listener, file) => match listener.into_std() {
                Ok(listener) => Waiting::Unix(listener, file),
                Err(_) => Waiting::Kept,
            },
        }
    }
}

impl Hold {
    /// Whether the connection from there is our own.
    fn is_probe(&self, peer: SocketAddr) -> bool {
        let Self::Shared { probe: Some(probe), .. } = self else { return false };
        let same = |own: SocketAddr| {
            own.port() == peer.port() && own.ip().to_canonical() == peer.ip().to_canonical()
        };
        probe.local_addr().is_ok_and(same)
    }
}

/// The queue of a socket that accepts nothing more by itself. It is asked for directly: the reactor hears of a connection
/// only some time after it is there.
pub(crate) enum Waiting {
    /// It is not ours to empty.
    Kept,
    Tcp(StdTcpListener),
    Unix(
        StdUnixListener,
        #[expect(dead_code, reason = "it is dropped with the listener")] Option<SocketFile>,
    ),
}

impl Waiting {
    /// The next one; `None` where nobody waits.
    pub(crate) fn next(&self) -> Option<Socket> {
        match self {
            Self::Kept => None,
            Self::Tcp(listener) => {
                let stream = accepted(|| listener.accept())?;
                stream.set_nonblocking(true).ok()?;
                TcpStream::from_std(stream).ok().map(socket_of)
            }
            Self::Unix(listener, _) => {
                let stream = accepted(|| listener.accept())?;
                stream.set_nonblocking(true).ok()?;
                UnixStream::from_std(stream).ok().map(Socket::Unix)
            }
        }
    }
}

/// Asks until there is a connection or none: one that its client took back does not hide the next.
fn accepted<S, A>(accept: impl Fn() -> io::Result<(S, A)>) -> Option<S> {
    use io::ErrorKind::{ConnectionAborted, ConnectionReset, Interrupted};
    loop {
        match accept() {
            Ok((stream, _)) => return Some(stream),
            Err(error)
                if matches!(error.kind(), ConnectionAborted | ConnectionReset | Interrupted) => {}
            Err(_) => return None,
        }
    }
}

fn socket_of(stream: TcpStream) -> Socket {
    // Small chunks of a stream should not wait for the client's acknowledgement.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "small chunks may be delayed");
    }
    Socket::Tcp(stream)
}

impl fmt::Display for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(listener, _) => match listener.local_addr() {
                Ok(address) => address.fmt(f),
                Err(_) => f.write_str("unknown"),
            },
            Self::Unix(listener, _) => {
                let address = listener.local_addr().ok();
                let path = address.as_ref().and_then(|address| address.as_pathname());
                match path {
                    Some(path) => write!(f, "unix:{}", path.display()),
                    None => f.write_str("unix:"),
                }
            }
        }
    }
}

/// Opens what `options` ask for; `default` stands for the flag where it is not given.
pub(crate) fn open(options: &WebOptions, default: &str) -> Result<Vec<Listener>, ServeError> {
    if options.systemd_socket {
        return passed_by_systemd();
    }
    let shared = options.reuse_port;
    if options.listen_addresses.is_empty() {
        return open_one(default, shared).map(|listener| vec![listener]);
    }
    options.listen_addresses.iter().map(|address| open_one(address, shared)).collect()
}

fn open_one(text: &str, shared: bool) -> Result<Listener, ServeError> {
    match Address::parse(text)? {
        Address::Everywhere(port) => tcp_everywhere(port, shared),
        Address::Host(host, port) => tcp_host(&host, port, shared),
        Address::Unix(address) => unix::bind(&address),
    }
    .map_err(|source| ServeError::Listen {
        address: text.to_owned(),
        remedy: remedy(&source, shared),
        source,
    })
}

/// What to do about a socket that cannot be opened.
fn remedy(error: &io::Error, shared: bool) -> &'static str {
    match error.kind() {
        io::ErrorKind::AddrInUse if shared => {
            "another process serves there, without --web.reuse-port or as another user: stop it, or choose another port \
             with --web.listen-address"
        }
        io::ErrorKind::AddrInUse => {
            "another process serves there: stop it, or choose another port with --web.listen-address"
        }
        io::ErrorKind::AddrNotAvailable => {
            "no interface has this address: give --web.listen-address one that this host has"
        }
        io::ErrorKind::PermissionDenied => {
            "ports below 1024 need CAP_NET_BIND_SERVICE, a unix socket a folder that may be written: \
             choose another --web.listen-address"
        }
        _ => "check --web.listen-address",
    }
}

/// A checked `--web.listen-address`.
#[derive(Debug, Eq, PartialEq)]
enum Address {
    /// Every interface, IPv6 and IPv4.
    Everywhere(u16),
    Host(String, u16),
    Unix(UnixAddress),
}

impl Address {
    fn parse(text: &str) -> Result<Self, ServeError> {
        let wrong = |problem: &str| ServeError::Address {
            address: text.to_owned(),
            problem: problem.to_owned(),
        };
        if text.starts_with("vsock:") {
            return Err(wrong("vsock is not supported; serve on TCP or on a unix socket"));
        }
        if let Some(rest) = text.strip_prefix("unix:") {
            return UnixAddress::parse(rest).map(Self::Unix).map_err(|problem| wrong(&problem));
        }
        let Some((host, port)) = text.rsplit_once(':') else {
            return Err(wrong("no port: write ':9100' or '127.0.0.1:9100'"));
        };
        let port = port.parse().map_err(|_| wrong("the port is not a number from 0 to 65535"))?;
        let bracketed = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        match bracketed {
            // Go takes an IPv4 address in brackets too, and Helm charts write '[$(HOST_IP)]:9100' for either.
            Some(host) if host.parse::<IpAddr>().is_err() && !host.contains('%') => {
                Err(wrong("what stands in brackets is no IP address"))
            }
            Some(host) => Ok(Self::Host(host.to_owned(), port)),
            None if host.is_empty() => Ok(Self::Everywhere(port)),
            None if host.contains(':') => {
                Err(wrong("an IPv6 address stands in brackets: '[::1]:9100'"))
            }
            None => Ok(Self::Host(host.to_owned(), port)),
        }
    }
}

/// One socket for IPv6 and IPv4, whatever `net.ipv6.bindv6only` says; IPv4 alone where the host has no IPv6.
fn tcp_everywhere(port: u16, shared: bool) -> io::Result<Listener> {
    match tcp(SocketAddr::from((Ipv6Addr::UNSPECIFIED, port)), shared) {
        Err(error) if is_without_ipv6(&error) => {
            tcp(SocketAddr::from((Ipv4Addr::UNSPECIFIED, port)), shared)
        }
        done => done,
    }
}

/// `EAFNOSUPPORT`: IPv6 is not built in or off at boot; `EADDRNOTAVAIL`: off by sysctl.
fn is_without_ipv6(error: &io::Error) -> bool {
    use rustix::io::Errno;
    Errno::from_io_error(error)
        .is_some_and(|e| matches!(e, Errno::AFNOSUPPORT | Errno::ADDRNOTAVAIL))
}

/// The first address of a host that can be bound, IPv4 before IPv6 as Go's exporters do.
fn tcp_host(host: &str, port: u16, shared: bool) -> io::Result<Listener> {
    let mut addresses: Vec<SocketAddr> = (host, port).to_socket_addrs()?.collect();
    addresses.sort_by_key(SocketAddr::is_ipv6);
    let mut failure = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for address in addresses {
        match tcp(address, shared) {
            Ok(listener) => return Ok(listener),
            Err(error) => failure = error,
        }
    }
    Err(failure)
}

fn tcp(address: SocketAddr, shared: bool) -> io::Result<Listener> {
    let hold = if shared {
        Hold::Shared { taken: share::is_served(address), probe: None }
    } else {
        Hold::Nobody
    };
    let family = if address.is_ipv6() { AddressFamily::INET6 } else { AddressFamily::INET };
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = rustix::net::socket_with(family, SocketType::STREAM, flags, None)?;
    // A restarted agent takes its port back while old connections are still in TIME_WAIT.
    sockopt::set_socket_reuseaddr(&socket, true)?;
    if shared {
        sockopt::set_socket_reuseport(&socket, true)?;
    }
    if address.is_ipv6() {
        sockopt::set_ipv6_v6only(&socket, !address.ip().is_unspecified())?;
    }
    rustix::net::bind(&socket, &address)?;
    rustix::net::listen(&socket, BACKLOG)?;
    if shared {
        share::choose(&socket, share::OLDER);
    }
    let listener = TcpListener::from_std(StdTcpListener::from(socket))?;
    Ok(Listener::Tcp(listener, hold))
}

fn passed_by_systemd() -> Result<Vec<Listener>, ServeError> {
    let mut passed = listenfd::ListenFd::from_env();
    if passed.len() == 0 {
        return Err(ServeError::NoSystemdSocket);
    }
    let wrong = |source| ServeError::Listen {
        address: "systemd socket".to_owned(),
        remedy: "the .socket unit may have ListenStream= with TCP ports or unix paths only",
        source,
    };
    (0..passed.len()).map(|index| take(&mut passed, index).map_err(wrong)).collect()
}

fn take(passed: &mut listenfd::ListenFd, index: usize) -> io::Result<Listener> {
    if let Ok(Some(listener)) = passed.take_tcp_listener(index) {
        listener.set_nonblocking(true)?;
        let listener = TcpListener::from_std(listener)?;
        return Ok(Listener::Tcp(listener, Hold::Systemd));
    }
    let listener = passed.take_unix_listener(index)?;
    let listener = listener.ok_or_else(|| io::Error::other("the socket was taken before"))?;
    listener.set_nonblocking(true)?;
    Ok(Listener::Unix(UnixListener::from_std(listener)?, None))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<Address, String> {
        Address::parse(text).map_err(|error| error.to_string())
    }

    #[test]
    fn addresses_are_what_the_peer_takes() {
        assert_eq!(parsed(":9100"), Ok(Address::Everywhere(9100)));
        for (text, host) in [
            ("127.0.0.1:9100", "127.0.0.1"),
            ("[::1]:9100", "::1"),
            ("[0.0.0.0]:9100", "0.0.0.0"),
            ("localhost:9100", "localhost"),
            ("[fe80::1%eth0]:9100", "fe80::1%eth0"),
        ] {
            assert_eq!(parsed(text), Ok(Address::Host(host.to_owned(), 9100)), "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_address_makes_it_panic(text: String, close in "(unix:)?[\\[\\]:/0-9a-z,=]{0,20}") {
            let _any = (Address::parse(&text).is_ok(), Address::parse(&close).is_ok());
        }
    }

    #[test]
    fn a_wrong_address_is_named_with_what_is_wrong() {
        for (text, problem) in [
            ("9100", "no port"),
            (":http", "not a number"),
            (":65536", "not a number"),
            ("::1:9100", "in brackets"),
            ("[localhost]:1", "no IP address"),
            ("vsock://:9100", "vsock is not supported"),
            ("unix:", "path"),
        ] {
            let error = parsed(text).unwrap_err();
            assert!(error.contains(problem) && error.contains(text), "{error}");
        }
    }

    #[tokio::test]
    async fn the_empty_host_serves_ipv4_too() {
        let listener = open_one(":0", false).unwrap();
        let port = listener.tcp_address().unwrap().port();
        tokio::net::TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.unwrap();
        listener.accept().await.unwrap();
    }

    #[tokio::test]
    async fn a_port_in_use_is_an_error_with_address_flag_and_remedy() {
        let first = open_one("127.0.0.1:0", false).unwrap();
        let address = first.tcp_address().unwrap().to_string();
        for (shared, more) in [(false, "stop it"), (true, "without --web.reuse-port")] {
            let error = open_one(&address, shared).unwrap_err().to_string();
            for part in [address.as_str(), "--web.listen-address", more] {
                assert!(error.contains(part), "{error}");
            }
        }
    }

    #[tokio::test]
    async fn a_shared_port_is_shared_with_those_alone_who_share_theirs() {
        let first = open_one("127.0.0.1:0", true).unwrap();
        assert_eq!(first.taken(), None);
        let address = first.tcp_address().unwrap();
        let second = open_one(&address.to_string(), true).unwrap();
        assert_eq!(second.taken(), Some(address));
        let error = open_one(&address.to_string(), false).unwrap_err().to_string();
        assert!(error.contains("stop it"), "{error}");
    }

    /// Who accepts new connections, all of them.
    async fn all_go_to(address: SocketAddr, chosen: &Listener, other: &Listener) {
        for _ in 0..64 {
            TcpStream::connect(address).await.unwrap();
            tokio::select! {
                biased;
                accepted = chosen.accept() => drop(accepted.unwrap()),
                _ = other.accept() => panic!("it went to the other one"),
            }
        }
    }

    #[tokio::test]
    async fn the_older_one_is_asked_until_it_hands_over() {
        let mut older = open_one("127.0.0.1:0", true).unwrap();
        let address = older.tcp_address().unwrap();
        let newer = open_one(&address.to_string(), true).unwrap();
        // Its question whether somebody serves there.
        older.accept().await.unwrap();
        all_go_to(address, &older, &newer).await;
        assert!(older.hand_over());
        // Its question who is asked now.
        newer.accept().await.unwrap();
        all_go_to(address, &newer, &older).await;
        drop(older);
        // Who is left is the older one for the next.
        let next = open_one(&address.to_string(), true).unwrap();
        newer.accept().await.unwrap();
        all_go_to(address, &newer, &next).await;
    }

    #[tokio::test]
    async fn a_newer_one_that_goes_first_hands_back() {
        let older = open_one("127.0.0.1:0", true).unwrap();
        let address = older.tcp_address().unwrap();
        let mut newer = open_one(&address.to_string(), true).unwrap();
        older.accept().await.unwrap();
        assert!(newer.hand_over());
        // It finds its own question, which nobody else sees.
        tokio::select! {
            _ = newer.accept() => panic!("nobody came"),
            () = tokio::time::sleep(std::time::Duration::from_millis(20)) => {}
        }
        all_go_to(address, &older, &newer).await;
    }

    #[tokio::test]
    async fn a_name_is_resolved() {
        assert!(open_one("localhost:0", false).unwrap().tcp_address().unwrap().ip().is_loopback());
    }

    #[tokio::test]
    async fn without_sockets_from_systemd_the_flag_is_an_error() {
        let error = passed_by_systemd().unwrap_err().to_string();
        assert!(error.contains("--web.systemd-socket"), "{error}");
    }
}
