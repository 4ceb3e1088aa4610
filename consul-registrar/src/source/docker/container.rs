//! One container and its labels make targets.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::Arc;

use bollard::models::{ContainerSummary, PortSummary, PortSummaryTypeEnum};

use crate::source::kubernetes::Found;
use crate::target::{Draft, Held};

/// The label that docker compose gives, which names a service where ours does not.
const COMPOSE_SERVICE: &str = "com.docker.compose.service";

/// Reads containers on one host.
pub(super) struct Reader<'a> {
    pub(super) prefix: &'a str,
    /// Published ports are passed over.
    pub(super) container_address: bool,
    /// This host's address, or why it is not known.
    pub(super) host: Result<IpAddr, String>,
    pub(super) node: String,
}

/// A container whose labels ask for targets.
struct Asking<'a> {
    reader: &'a Reader<'a>,
    container: &'a ContainerSummary,
    labels: &'a HashMap<String, String>,
    name: &'a str,
}

impl Reader<'_> {
    /// The targets in a container, one for each port of its label `PREFIX.port`; none without that label.
    pub(super) fn targets(&self, container: &ContainerSummary) -> Vec<Found> {
        let Some(labels) = &container.labels else { return Vec::new() };
        let names = container.names.iter().flatten();
        let name = names.map(|name| name.trim_start_matches('/')).next().unwrap_or_default();
        let asking = Asking { reader: self, container, labels, name };
        let Some(ports) = asking.label("port") else { return Vec::new() };
        ports.split(',').map(|port| asking.target(port.trim())).collect()
    }
}

impl<'a> Asking<'a> {
    fn label(&self, name: &str) -> Option<&'a str> {
        self.labels.get(&format!("{}.{name}", self.reader.prefix)).map(String::as_str)
    }

    fn target(&self, port: &str) -> Found {
        let (address, port) = match self.place(port) {
            Ok(place) => place,
            Err(reason) => return Err(self.held(port, reason)),
        };
        let text = |name| self.label(name).unwrap_or_default().to_owned();
        let meta_prefix = format!("{}.meta.", self.reader.prefix);
        let own = self.labels.iter().filter_map(|(key, value)| {
            Some((key.strip_prefix(&meta_prefix)?.to_owned(), value.clone()))
        });
        let mut meta = BTreeMap::from([("container".to_owned(), self.name.to_owned())]);
        meta.extend(own);
        let draft = Draft {
            service: self.service().to_owned(),
            address,
            port,
            scheme: text("scheme"),
            metrics_path: text("path"),
            node: self.reader.node.clone(),
            meta,
            tags: text("tags").split(',').map(str::to_owned).collect(),
            origin: self.origin().into(),
        };
        draft.check().map(Arc::new)
    }

    fn service(&self) -> &'a str {
        let named = self.label("service").filter(|service| !service.is_empty());
        let compose = || self.labels.get(COMPOSE_SERVICE).map(String::as_str);
        named.or_else(compose).unwrap_or(self.name)
    }

    /// Where the container's port is reached: on the host's network, published on the host, or in the container's own
    /// network.
    fn place(&self, port: &str) -> Result<(String, String), String> {
        let mode = self.container.host_config.as_ref().and_then(|c| c.network_mode.as_deref());
        if mode == Some("host") {
            return Ok((self.host()?, port.to_owned()));
        }
        if !self.reader.container_address && self.label("network").is_none() {
            match published(self.container.ports.as_deref().unwrap_or_default(), port) {
                Published::At(None, public) => return Ok((self.host()?, public.to_string())),
                Published::At(Some(ip), public) => return Ok((ip.to_string(), public.to_string())),
                Published::Loopback => {
                    return Err(format!("port {port} is published on a loopback address alone"));
                }
                Published::No => {}
            }
        }
        self.network_address().map(|ip| (ip, port.to_owned()))
    }

    fn host(&self) -> Result<String, String> {
        self.reader.host.as_ref().map(IpAddr::to_string).map_err(Clone::clone)
    }

    /// The address in the network of the label `PREFIX.network`, or in the first one by name.
    fn network_address(&self) -> Result<String, String> {
        let settings = self.container.network_settings.as_ref();
        let networks = settings.and_then(|settings| settings.networks.as_ref());
        let wanted = self.label("network");
        let meant = networks.into_iter().flatten();
        let meant = meant.filter(|(name, _)| wanted.is_none_or(|wanted| wanted == *name));
        let addresses = meant.filter_map(|(name, network)| {
            let four = network.ip_address.as_deref().filter(|ip| !ip.is_empty());
            let six = || network.global_ipv6_address.as_deref().filter(|ip| !ip.is_empty());
            Some((name, four.or_else(six)?))
        });
        let first = addresses.min();
        first.map(|(_, ip)| ip.to_owned()).ok_or_else(|| match wanted {
            Some(network) => format!("the container has no address in the network '{network}'"),
            None => "the container has no address, and its port is not published".to_owned(),
        })
    }

    fn origin(&self) -> String {
        format!("container {} on {}", self.name, self.reader.node)
    }

    fn held(&self, port: &str, reason: String) -> Held {
        Held {
            service: self.service().into(),
            address: if port.is_empty() { "".into() } else { format!(":{port}").into() },
            origin: self.origin().into(),
            reason: reason.into(),
        }
    }
}

enum Published {
    /// On this address, or on all of the host's.
    At(Option<IpAddr>, u16),
    Loopback,
    No,
}

/// Where a TCP port of a container is published; all addresses before a certain one.
fn published(ports: &[PortSummary], port: &str) -> Published {
    let mut best = Published::No;
    for one in ports {
        let tcp = one.typ.is_none_or(|kind| kind == PortSummaryTypeEnum::TCP);
        let (Some(public), true) = (one.public_port, tcp && one.private_port.to_string() == port)
        else {
            continue;
        };
        let ip: Option<IpAddr> = one.ip.as_deref().and_then(|ip| ip.parse().ok());
        match ip {
            Some(ip) if ip.is_loopback() => {
                if matches!(best, Published::No) {
                    best = Published::Loopback;
                }
            }
            Some(ip) if !ip.is_unspecified() => best = Published::At(Some(ip), public),
            _ => return Published::At(None, public),
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(raw: &str) -> Vec<String> {
        read_with(false, raw)
    }

    fn read_with(container_address: bool, raw: &str) -> Vec<String> {
        let container: ContainerSummary = serde_json::from_str(raw).unwrap();
        let host = Ok("192.0.2.7".parse().unwrap());
        let reader = Reader { prefix: "registrar", container_address, host, node: "h1".into() };
        let row = |found: Found| match found {
            Ok(target) => {
                let meta: Vec<String> =
                    target.meta.iter().map(|(k, v)| format!("{k}={v}")).collect();
                let (scheme, path, tags) =
                    (target.scheme, &target.metrics_path, target.tags.join(","));
                let key = &target.key;
                format!("{key} {scheme} {path} {} [{}] [{tags}]", target.node, meta.join(","))
            }
            Err(held) => format!("{} {}: {}", held.service, held.address, held.reason),
        };
        reader.targets(&container).into_iter().map(row).collect()
    }

    /// As dockerd 20.10 writes it, less what is not read.
    fn container(labels: &str, mode: &str, ports: &str) -> String {
        format!(
            r#"{{"Id":"ab","Names":["/web-1"],"Image":"web","State":"running","Labels":{{{labels}}},
            "Ports":[{ports}],"HostConfig":{{"NetworkMode":"{mode}"}},"NetworkSettings":{{"Networks":{{
            "b":{{"IPAddress":"172.18.0.2"}},"a":{{"IPAddress":"172.17.0.2"}},"c":{{"IPAddress":""}}}}}}}}"#
        )
    }

    const PORT: &str = r#""registrar.port":"8080""#;

    #[test]
    fn labels_say_what_a_target_is() {
        let labels = r#""registrar.port":"8080, 9090","registrar.service":"web","registrar.path":"/m",
            "registrar.scheme":"https","registrar.meta.team":"shop","registrar.tags":"blue,green","other":"x""#;
        assert_eq!(
            read(&container(labels, "default", "")),
            [
                "web/172.17.0.2:8080 https /m h1 [container=web-1,team=shop] [blue,green]",
                "web/172.17.0.2:9090 https /m h1 [container=web-1,team=shop] [blue,green]",
            ]
        );
        assert!(read(&container(r#""registrar.service":"web""#, "default", "")).is_empty());
        let compose = r#""registrar.port":"1","com.docker.compose.service":"db""#;
        assert!(read(&container(compose, "default", ""))[0].starts_with("db/172.17.0.2:1 "));
    }

    #[test]
    fn a_port_is_found_where_it_is_reached() {
        let ports = |ip: &str| {
            format!(
                r#"{{"PrivatePort":8080,"PublicPort":32768,"Type":"udp"}},
                {{"IP":"{ip}","PrivatePort":8080,"PublicPort":32769,"Type":"tcp"}}"#
            )
        };
        let place = |raw: String| read(&raw)[0].split(' ').next().unwrap().to_owned();
        assert_eq!(place(container(PORT, "host", "")), "web-1/192.0.2.7:8080");
        for (ip, expected) in [
            ("0.0.0.0", "web-1/192.0.2.7:32769"),
            ("::", "web-1/192.0.2.7:32769"),
            ("10.0.0.9", "web-1/10.0.0.9:32769"),
        ] {
            assert_eq!(place(container(PORT, "default", &ports(ip))), expected, "{ip}");
        }
        assert_eq!(
            read(&container(PORT, "default", &ports("127.0.0.1"))),
            ["web-1 :8080: port 8080 is published on a loopback address alone"]
        );
        let network = r#""registrar.port":"8080","registrar.network":"b""#;
        assert_eq!(
            place(container(network, "default", &ports("0.0.0.0"))),
            "web-1/172.18.0.2:8080"
        );
        let own = read_with(true, &container(PORT, "default", &ports("0.0.0.0")));
        assert!(own[0].starts_with("web-1/172.17.0.2:8080 "), "{own:?}");
    }

    #[test]
    fn what_cannot_be_reached_is_held_back_with_its_reason() {
        let network = r#""registrar.port":"8080","registrar.network":"z""#;
        assert_eq!(
            read(&container(network, "default", "")),
            ["web-1 :8080: the container has no address in the network 'z'"]
        );
        assert_eq!(
            read(r#"{"Names":["/x"],"Labels":{"registrar.port":"1"}}"#),
            ["x :1: the container has no address, and its port is not published"]
        );
        let bad = read(&container(r#""registrar.port":"http""#, "default", ""));
        assert_eq!(bad, ["web-1 172.17.0.2:http: port \"http\" is not one of 1 to 65535"]);
    }

    proptest! {
        #[test]
        fn no_label_panics(key in "\\PC{0,60}", value in "\\PC{0,60}") {
            let container = serde_json::json!({
                "Names": [key],
                "Labels": {"registrar.port": value, "registrar.service": value, "registrar.path": value,
                    format!("registrar.meta.{key}"): value, "registrar.tags": value},
                "NetworkSettings": {"Networks": {&key: {"IPAddress": value}}},
            });
            read(&container.to_string());
        }
    }
}
