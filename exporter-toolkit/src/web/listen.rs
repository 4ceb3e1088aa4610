//! The addresses an agent serves on: TCP, unix sockets, sockets that systemd passes.

mod unix;

use std::fmt;
use std::io;
use std::net::{
    IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener as StdTcpListener, ToSocketAddrs as _,
};

use rustix::net::{AddressFamily, SocketFlags, SocketType, sockopt};
use tokio::net::{TcpListener, UnixListener};

use super::ServeError;
use super::options::WebOptions;
use super::socket::Socket;
use unix::{SocketFile, UnixAddress};

/// Connections that the kernel keeps while the agent is busy; the kernel cuts it to `net.core.somaxconn`.
const BACKLOG: i32 = 1024;

/// A socket that is listening.
#[derive(Debug)]
pub(crate) enum Listener {
    Tcp(TcpListener),
    /// With its file, which lives as long, unless systemd owns it.
    Unix(
        UnixListener,
        #[expect(dead_code, reason = "it is dropped with the listener")] Option<SocketFile>,
    ),
}

impl Listener {
    pub(crate) async fn accept(&self) -> io::Result<Socket> {
        match self {
            Self::Tcp(listener) => {
                let (stream, _) = listener.accept().await?;
                // Small chunks of a stream should not wait for the client's acknowledgement.
                if let Err(error) = stream.set_nodelay(true) {
                    tracing::debug!(%error, "small chunks may be delayed");
                }
                Ok(Socket::Tcp(stream))
            }
            Self::Unix(listener, _) => Ok(Socket::Unix(listener.accept().await?.0)),
        }
    }

    /// The address of a TCP listener, with the port that the kernel chose where 0 was asked for.
    pub(crate) fn tcp_address(&self) -> Option<SocketAddr> {
        match self {
            Self::Tcp(listener) => listener.local_addr().ok(),
            Self::Unix(..) => None,
        }
    }
}

impl fmt::Display for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(listener) => match listener.local_addr() {
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
    if options.listen_addresses.is_empty() {
        return open_one(default).map(|listener| vec![listener]);
    }
    options.listen_addresses.iter().map(|address| open_one(address)).collect()
}

fn open_one(text: &str) -> Result<Listener, ServeError> {
    match Address::parse(text)? {
        Address::Everywhere(port) => tcp_everywhere(port),
        Address::Host(host, port) => tcp_host(&host, port),
        Address::Unix(address) => unix::bind(&address),
    }
    .map_err(|source| ServeError::Listen {
        address: text.to_owned(),
        remedy: remedy(&source),
        source,
    })
}

/// What to do about a socket that cannot be opened.
fn remedy(error: &io::Error) -> &'static str {
    match error.kind() {
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
fn tcp_everywhere(port: u16) -> io::Result<Listener> {
    match tcp(SocketAddr::from((Ipv6Addr::UNSPECIFIED, port))) {
        Err(error) if is_without_ipv6(&error) => {
            tcp(SocketAddr::from((Ipv4Addr::UNSPECIFIED, port)))
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
fn tcp_host(host: &str, port: u16) -> io::Result<Listener> {
    let mut addresses: Vec<SocketAddr> = (host, port).to_socket_addrs()?.collect();
    addresses.sort_by_key(SocketAddr::is_ipv6);
    let mut failure = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for address in addresses {
        match tcp(address) {
            Ok(listener) => return Ok(listener),
            Err(error) => failure = error,
        }
    }
    Err(failure)
}

fn tcp(address: SocketAddr) -> io::Result<Listener> {
    let family = if address.is_ipv6() { AddressFamily::INET6 } else { AddressFamily::INET };
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = rustix::net::socket_with(family, SocketType::STREAM, flags, None)?;
    // A restarted agent takes its port back while old connections are still in TIME_WAIT.
    sockopt::set_socket_reuseaddr(&socket, true)?;
    if address.is_ipv6() {
        sockopt::set_ipv6_v6only(&socket, !address.ip().is_unspecified())?;
    }
    rustix::net::bind(&socket, &address)?;
    rustix::net::listen(&socket, BACKLOG)?;
    TcpListener::from_std(StdTcpListener::from(socket)).map(Listener::Tcp)
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
        return TcpListener::from_std(listener).map(Listener::Tcp);
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
        let listener = open_one(":0").unwrap();
        let port = listener.tcp_address().unwrap().port();
        tokio::net::TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.unwrap();
        listener.accept().await.unwrap();
    }

    #[tokio::test]
    async fn a_port_in_use_is_an_error_with_address_flag_and_remedy() {
        let first = open_one("127.0.0.1:0").unwrap();
        let address = first.tcp_address().unwrap().to_string();
        let error = open_one(&address).unwrap_err().to_string();
        for part in [address.as_str(), "--web.listen-address", "stop it"] {
            assert!(error.contains(part), "{error}");
        }
    }

    #[tokio::test]
    async fn a_name_is_resolved() {
        assert!(open_one("localhost:0").unwrap().tcp_address().unwrap().ip().is_loopback());
    }

    #[tokio::test]
    async fn without_sockets_from_systemd_the_flag_is_an_error() {
        let error = passed_by_systemd().unwrap_err().to_string();
        assert!(error.contains("--web.systemd-socket"), "{error}");
    }
}
