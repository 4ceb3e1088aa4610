//! The pod that the proxy itself runs in, as the downward API puts it into the environment.

use super::{Facts, Pod};

/// `POD_NAME`, `POD_NAMESPACE`, `POD_UID`, `POD_IP` (or `KUBERNETES_POD_IP`) and `NODE_NAME`; `None` where neither a name
/// nor an address is there.
pub(super) fn facts(variable: &dyn Fn(&str) -> Option<String>) -> Option<Facts> {
    let ip = variable("POD_IP").or_else(|| variable("KUBERNETES_POD_IP"));
    let name = variable("POD_NAME");
    if ip.is_none() && name.is_none() {
        return None;
    }
    let host_ip = variable("HOST_IP");
    let own = Pod {
        uid: variable("POD_UID").unwrap_or_default(),
        namespace: variable("POD_NAMESPACE").unwrap_or_default(),
        name: name.unwrap_or_default(),
        host_network: ip.is_some() && ip == host_ip,
        ip,
        node: variable("NODE_NAME"),
        ..Pod::default()
    };
    Some(Facts { own: Some(own), ..Facts::default() })
}

/// A variable that is set to something.
pub(super) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(set: &[(&str, &str)]) -> Option<Facts> {
        facts(&|name| {
            set.iter().find(|(known, _)| *known == name).map(|(_, text)| (*text).to_owned())
        })
    }

    #[test]
    fn the_downward_api_tells_the_own_pod() {
        let own = of(&[
            ("POD_NAME", "web-1"),
            ("POD_NAMESPACE", "shop"),
            ("KUBERNETES_POD_IP", "10.0.0.1"),
        ]);
        let own = own.unwrap().own.unwrap();
        assert_eq!((own.name.as_str(), own.namespace.as_str()), ("web-1", "shop"));
        assert_eq!(
            (own.ip.as_deref(), own.host_network, own.node),
            (Some("10.0.0.1"), false, None)
        );
    }

    #[test]
    fn a_node_alone_makes_no_pod() {
        assert_eq!(of(&[("NODE_NAME", "n1"), ("HOST_IP", "192.0.2.1")]), None);
        let host = of(&[("POD_IP", "192.0.2.1"), ("HOST_IP", "192.0.2.1")]).unwrap().own.unwrap();
        assert!(host.host_network);
    }
}
