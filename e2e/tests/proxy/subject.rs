//! The proxy under test, and what a series says.

use std::net::SocketAddr;

use e2e::agent::{self, local};
use e2e::{Agent, free_port};

/// The proxy on free ports; the second is that of its own metrics.
pub(crate) fn proxy<S: AsRef<str>>(flags: &[S]) -> (Agent, SocketAddr) {
    let own = local(free_port().unwrap());
    let mut all = vec![format!("--telemetry.listen-address={own}")];
    all.extend(flags.iter().map(|flag| flag.as_ref().to_owned()));
    (Agent::start(&agent::cadvisor_proxy_rs().unwrap(), &all).unwrap(), own)
}

/// A label of a series' key; what is looked for here holds no quotes.
pub(crate) fn label<'a>(key: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = key.split_once(&format!(",{name}=\""))?;
    rest.split('"').next().filter(|value| !value.is_empty())
}
