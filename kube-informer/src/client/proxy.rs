//! Which proxy leads to the API server, by the environment, as Go's programs understand it.

use std::net::IpAddr;

/// `HTTPS_PROXY` or `HTTP_PROXY` in either case, unless `NO_PROXY` names the host. `variable` reads the environment.
pub(crate) fn from_environment(
    scheme: &str,
    host: &str,
    port: u16,
    variable: impl Fn(&str) -> Option<String>,
) -> Option<String> {
    let set = |upper: &str| {
        variable(upper).or_else(|| variable(&upper.to_lowercase())).filter(|text| !text.is_empty())
    };
    let proxy = set(if scheme == "http" { "HTTP_PROXY" } else { "HTTPS_PROXY" })?;
    let host = host.trim_start_matches('[').trim_end_matches(']').to_lowercase();
    let local =
        host == "localhost" || host.parse().is_ok_and(|address: IpAddr| address.is_loopback());
    let excepted = set("NO_PROXY")
        .is_some_and(|list| list.split(',').any(|entry| excepts(entry.trim(), &host, port)));
    // A proxy without a scheme is an HTTP proxy.
    let proxy = if proxy.contains("://") { proxy } else { format!("http://{proxy}") };
    (!local && !excepted).then_some(proxy)
}

/// An entry is `*`, an address, a network, a domain with all below it, or `.domain` for those below alone; all but
/// networks may end with a port.
fn excepts(entry: &str, host: &str, port: u16) -> bool {
    if entry == "*" {
        return true;
    }
    if let (Some((network, bits)), Ok(address)) = (entry.split_once('/'), host.parse()) {
        return contains(network, bits, address).unwrap_or(false);
    }
    let (name, wanted) = match entry.rsplit_once(':') {
        Some((name, digits)) if !name.contains(':') || name.ends_with(']') => {
            (name, digits.parse().ok())
        }
        _ => (entry, None),
    };
    let name = name.trim_start_matches('[').trim_end_matches(']').to_lowercase();
    if name.is_empty() || wanted.is_some_and(|wanted: u16| wanted != port) {
        return false;
    }
    let name = name.strip_prefix('*').unwrap_or(&name);
    match (host.strip_suffix(name), name.starts_with('.')) {
        (Some(below), true) => !below.is_empty(),
        (Some(below), false) => {
            below.is_empty() || (below.ends_with('.') && host.parse::<IpAddr>().is_err())
        }
        (None, _) => false,
    }
}

fn contains(network: &str, bits: &str, address: IpAddr) -> Option<bool> {
    let bits: u32 = bits.parse().ok()?;
    let (network, address, width) = match (network.parse().ok()?, address) {
        (IpAddr::V4(network), IpAddr::V4(address)) => {
            (u128::from(u32::from(network)), u128::from(u32::from(address)), 32)
        }
        (IpAddr::V6(network), IpAddr::V6(address)) => (network.into(), address.into(), 128),
        _ => return Some(false),
    };
    let host_bits: u32 = u32::checked_sub(width, bits)?;
    let cut = |address: u128| address.checked_shr(host_bits).unwrap_or(0);
    Some(cut(network) == cut(address))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proxy(host: &str, except: &str) -> Option<String> {
        from_environment("https", host, 6443, |name| match name {
            "https_proxy" => Some("proxy.example:3128".to_owned()),
            "NO_PROXY" => Some(except.to_owned()),
            _ => None,
        })
    }

    #[test]
    fn a_proxy_is_taken_from_the_environment_for_its_scheme() {
        assert_eq!(proxy("10.0.0.1", "").as_deref(), Some("http://proxy.example:3128"));
        assert_eq!(
            from_environment("http", "api", 80, |name| {
                (name == "HTTPS_PROXY").then(|| "http://p".to_owned())
            }),
            None
        );
    }

    #[test]
    fn this_machine_is_never_behind_a_proxy() {
        for host in ["localhost", "127.0.0.1", "[::1]"] {
            assert_eq!(proxy(host, ""), None, "{host}");
        }
    }

    #[test]
    fn no_proxy_names_hosts_domains_addresses_and_networks() {
        let excepted = [
            ("10.96.0.1", "*"),
            ("10.96.0.1", "10.96.0.0/12"),
            ("10.96.0.1", "other, 10.96.0.1"),
            ("10.96.0.1", "10.96.0.1:6443"),
            ("[fd00::1]", "fd00::/8"),
            ("[fd00::1]", "fd00::1"),
            ("[fd00::1]", "[fd00::1]:6443"),
            ("api.example.com", "example.com"),
            ("api.example.com", ".example.com"),
            ("api.example.com", "*.example.com"),
            ("API.example.com", "api.EXAMPLE.com:6443"),
        ];
        for (host, except) in excepted {
            assert_eq!(proxy(host, except), None, "{host} by {except}");
        }
        let meant = [
            ("10.96.0.1", "10.95.0.0/16"),
            ("10.96.0.1", "10.96.0.1:443"),
            ("110.96.0.1", "10.96.0.1"),
            ("10.96.0.1", "10.96.0.0/99,nonsense/8,,:"),
            ("api.example.com", "ample.com"),
            ("example.com", ".example.com"),
        ];
        for (host, except) in meant {
            assert!(proxy(host, except).is_some(), "{host} by {except}");
        }
    }
}
