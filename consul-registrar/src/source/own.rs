//! `self`: where this host itself is scraped.

mod interfaces;

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::time::Duration;

use clap::Args;
use regex::Regex;
use tokio::time::sleep;

use super::Running;
use crate::target::{Draft, Publisher, Subscription, source};
pub use interfaces::Interface;

/// How often the own address is looked up again: a lease may have brought another.
const EVERY: Duration = Duration::from_secs(30);
/// Of TEST-NET-1 (RFC 5737): a socket that is connected to it shows the default route's source address. Nothing is sent.
const ELSEWHERE: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));

/// How the own address is found, in the order of the flags.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Own address (modes self and docker)")]
pub struct AddressOptions {
    /// This host's address, as the downward API gives it in `HOST_IP`. Without either it is looked up.
    #[arg(long, value_name = "IP")]
    pub ip: Option<IpAddr>,
    /// Regular expression for the interface whose address is meant, such as 'eth0|bond.*'.
    #[arg(long, value_name = "REGEXP", value_parser = whole)]
    pub iface: Option<Regex>,
    /// Take the source address of the route to this address.
    #[arg(long, value_name = "IP")]
    pub route_to: Option<IpAddr>,
    /// Take a loopback address, too, where everything runs on one host.
    #[arg(long)]
    pub allow_loopback: bool,
    /// This host's name. Without it `NODE_NAME`, then the kernel's.
    #[arg(long, value_name = "NAME")]
    pub node_name: Option<String>,
}

/// What this host serves.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Mode self")]
pub struct OwnOptions {
    /// Service that the ports of --port belong to, and of targets in files that name none.
    #[arg(id = "own.service", long = "service", value_name = "NAME", default_value = "")]
    pub service: String,
    /// Port of this host to be scraped, or SERVICE=PORT.
    #[arg(id = "own.port", long = "port", value_name = "[SERVICE=]PORT")]
    pub port: Vec<String>,
    /// Path of the metrics.
    #[arg(id = "own.path", long = "path", value_name = "PATH", default_value = "/metrics")]
    pub path: String,
    /// Scheme: http or https.
    #[arg(id = "own.scheme", long = "scheme", value_name = "SCHEME", default_value = "http", value_parser = ["http", "https"])]
    pub scheme: String,
}

fn whole(text: &str) -> Result<Regex, regex::Error> {
    Regex::new(&format!("^(?:{text})$"))
}

/// Why the own address is not known.
#[derive(Debug, thiserror::Error)]
pub enum AddressError {
    #[error("{origin}: {ip} is {kind}: no other host reaches it")]
    Unusable { origin: String, ip: IpAddr, kind: &'static str },
    #[error("HOST_IP: '{0}' is no IP address")]
    HostIp(String),
    #[error(
        "--iface: none of the interfaces {0} is meant and has an address that other hosts reach"
    )]
    NoInterface(String),
    #[error("cannot list the interfaces")]
    Interfaces(#[source] io::Error),
    #[error("there is no route to {0}, which would tell the own address: give --ip")]
    NoRoute(IpAddr, #[source] io::Error),
    #[error("{ip} is of the interface {name}, which is for containers: give --ip or --iface")]
    Containers { ip: IpAddr, name: String },
}

impl AddressOptions {
    /// This host's address by flag, `HOST_IP`, interface or route.
    pub fn find(&self) -> Result<IpAddr, AddressError> {
        let host_ip = std::env::var("HOST_IP").ok().filter(|text| !text.is_empty());
        self.find_with(host_ip, interfaces::list, source_address)
    }

    fn find_with(
        &self,
        host_ip: Option<String>,
        interfaces: impl Fn() -> io::Result<Vec<Interface>>,
        route: impl Fn(IpAddr) -> io::Result<IpAddr>,
    ) -> Result<IpAddr, AddressError> {
        if let Some(ip) = self.ip {
            return self.usable(ip, "--ip");
        }
        if let Some(text) = host_ip.filter(|_| self.iface.is_none()) {
            let ip = text.parse().map_err(|_| AddressError::HostIp(text))?;
            return self.usable(ip, "HOST_IP");
        }
        let to = self.route_to.unwrap_or(ELSEWHERE);
        let listed = interfaces().map_err(AddressError::Interfaces);
        if let Some(pattern) = &self.iface {
            return self.of_interface(pattern, listed?);
        }
        let ip = route(to).map_err(|error| AddressError::NoRoute(to, error))?;
        // The route alone does not tell whose address it is; where interfaces cannot be listed, it has to do.
        let own = listed.unwrap_or_default().into_iter().find(|interface| interface.ip == ip);
        match own {
            Some(own) if own.is_for_containers() => {
                Err(AddressError::Containers { ip, name: own.name })
            }
            _ => self.usable(ip, &format!("the route to {to}")),
        }
    }

    fn of_interface(&self, pattern: &Regex, all: Vec<Interface>) -> Result<IpAddr, AddressError> {
        let good =
            |one: &&Interface| pattern.is_match(&one.name) && self.unusable(one.ip).is_none();
        // IPv4 first, as the kernel lists them.
        let mut meant: Vec<&Interface> = all.iter().filter(good).collect();
        meant.sort_by_key(|one| one.ip.is_ipv6());
        if let Some(own) = meant.first() {
            return Ok(own.ip);
        }
        let mut names: Vec<&str> = all.iter().map(|one| one.name.as_str()).collect();
        names.dedup();
        Err(AddressError::NoInterface(names.join(", ")))
    }

    fn usable(&self, ip: IpAddr, origin: &str) -> Result<IpAddr, AddressError> {
        match self.unusable(ip) {
            Some(kind) => Err(AddressError::Unusable { origin: origin.to_owned(), ip, kind }),
            None => Ok(ip),
        }
    }

    fn unusable(&self, ip: IpAddr) -> Option<&'static str> {
        let link_local = match ip {
            IpAddr::V4(ip) => ip.is_link_local(),
            IpAddr::V6(ip) => ip.is_unicast_link_local(),
        };
        match ip {
            _ if ip.is_loopback() && !self.allow_loopback => Some("a loopback address"),
            _ if link_local => Some("a link-local address"),
            _ if ip.is_unspecified() => Some("the unspecified address"),
            _ if ip.is_multicast() => Some("a multicast address"),
            _ => None,
        }
    }

    /// This host's name by flag, `NODE_NAME` or the kernel.
    pub fn node(&self) -> String {
        let named = |name: &str| std::env::var(name).ok().filter(|text| !text.is_empty());
        let given = self.node_name.clone().filter(|text| !text.is_empty());
        given
            .or_else(|| named("NODE_NAME"))
            .unwrap_or_else(|| rustix::system::uname().nodename().to_string_lossy().into_owned())
    }
}

/// Connecting a UDP socket sends nothing; it only asks the kernel for the route.
fn source_address(to: IpAddr) -> io::Result<IpAddr> {
    let any = if to.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
    let socket = UdpSocket::bind(any)?;
    socket.connect(SocketAddr::new(to, 9))?;
    Ok(socket.local_addr()?.ip())
}

/// Why mode `self` cannot start.
#[derive(Debug, thiserror::Error)]
pub enum OwnError {
    #[error("mode self needs --port")]
    NoPort,
    #[error("--port {0}: which service is it of? give --service or SERVICE=PORT")]
    NoService(String),
    #[error("--port {given}: {problem}")]
    Bad { given: String, problem: String },
    #[error("the own address cannot be told: {0}")]
    Address(#[from] AddressError),
}

impl OwnOptions {
    /// Fails where flags are wrong, and where `--ip` or `HOST_IP` name an address that no other host reaches. An address
    /// that is not there yet is waited for.
    pub fn start(&self, address: &AddressOptions) -> Result<(Subscription, Running), OwnError> {
        let node = address.node();
        if self.port.is_empty() {
            return Err(OwnError::NoPort);
        }
        for given in &self.port {
            let draft = self.draft(given, Ipv4Addr::new(10, 0, 0, 1).into(), &node);
            if draft.service.is_empty() {
                return Err(OwnError::NoService(given.clone()));
            }
            if let Err(held) = draft.check() {
                return Err(OwnError::Bad { given: given.clone(), problem: held.reason.into() });
            }
        }
        if let Err(error @ (AddressError::Unusable { .. } | AddressError::HostIp(_))) =
            address.find()
        {
            return Err(error.into());
        }
        let (publisher, subscription) = source("self");
        Ok((subscription, Box::pin(run(self.clone(), address.clone(), node, publisher))))
    }

    fn draft(&self, given: &str, ip: IpAddr, node: &str) -> Draft {
        let (service, port) = given.split_once('=').unwrap_or((&self.service, given));
        Draft {
            service: service.to_owned(),
            address: ip.to_string(),
            port: port.to_owned(),
            scheme: self.scheme.clone(),
            metrics_path: self.path.clone(),
            node: node.to_owned(),
            origin: format!("--port {given} of {node}").into(),
            ..Draft::default()
        }
    }
}

async fn run(options: OwnOptions, address: AddressOptions, node: String, publisher: Publisher) {
    let mut said = String::new();
    loop {
        match address.find() {
            Ok(ip) => {
                let drafts = options.port.iter().map(|given| options.draft(given, ip, &node));
                publisher.publish(drafts, Vec::new());
                said.clear();
            }
            Err(error) => {
                let reason = error.to_string();
                if said != reason {
                    tracing::error!(reason, "the own address cannot be told");
                }
                publisher.unsynced(reason.as_str());
                said = reason;
            }
        }
        tokio::select! {
            () = publisher.closed() => return,
            () = sleep(EVERY) => {}
        }
    }
}

#[cfg(test)]
mod tests;
