//! One object and the rules make targets.

use std::sync::Arc;

use super::object::{Node, NumberedPort, Pod, Service};
use super::rules::{Facts, From, Pairs, Port, Rule, Rules, Which};
use super::slice::Slice;
use crate::source::text::host_and_port;
use crate::target::{Draft, Held, Target};

/// A target, or why there is none.
pub type Found = Result<Arc<Target>, Held>;

/// What one rule makes of one object.
struct Case<'a> {
    rule: &'a Rule,
    facts: Facts<'a>,
    /// `pod shop/web-1`.
    object: String,
    /// Labels that targets of this kind have unless the rule says otherwise.
    given: Vec<(&'static str, &'a str)>,
    declared: Vec<(&'a str, i64)>,
}

impl Rules {
    /// The targets on a node.
    pub fn node(&self, name: &str, node: &mut Node) -> Vec<Found> {
        let (labels, annotations) = node.metadata.pairs();
        let mut found = Vec::new();
        for rule in self.of(From::Node) {
            let kind = match rule.address {
                Which::Internal => "InternalIP",
                Which::External => "ExternalIP",
                Which::Hostname => "Hostname",
            };
            let address = node.address(kind);
            let ip = address.unwrap_or_default();
            let facts = Facts {
                namespace: "",
                name,
                node: name,
                ip,
                labels: &labels,
                annotations: &annotations,
            };
            let object = format!("node {name}");
            let case = Case { rule, facts, object, given: Vec::new(), declared: Vec::new() };
            if !rule.takes(&facts) {
                continue;
            }
            match address {
                Some(ip) => case.targets(ip, &mut found),
                None => found.push(Err(case.held("", format!("the node has no {kind}")))),
            }
        }
        found
    }

    /// The targets in a pod; none where it has ended or has no address yet.
    pub fn pod(&self, namespace: &str, name: &str, pod: &mut Pod) -> Vec<Found> {
        if pod.ip().is_none() {
            return Vec::new();
        }
        let (labels, annotations) = pod.metadata.pairs();
        let Some(ip) = pod.ip() else { return Vec::new() };
        let facts = Facts {
            namespace,
            name,
            node: pod.node(),
            ip,
            labels: &labels,
            annotations: &annotations,
        };
        let mut found = Vec::new();
        for rule in self.of(From::Pod).filter(|rule| rule.takes(&facts)) {
            let given = vec![("namespace", namespace), ("pod_name", name)];
            let object = format!("pod {namespace}/{name}");
            let case = Case { rule, facts, object, given, declared: pod.ports().collect() };
            case.targets(ip, &mut found);
        }
        found
    }

    /// The targets that a service itself is.
    pub fn service(&self, namespace: &str, name: &str, service: &mut Service) -> Vec<Found> {
        let (labels, annotations) = service.metadata.pairs();
        let mut found = Vec::new();
        for rule in self.of(From::Service) {
            let addresses: Vec<&str> = match rule.address {
                Which::External => service.external().collect(),
                _ => service.cluster_ip().into_iter().collect(),
            };
            for ip in addresses {
                let facts = Facts {
                    namespace,
                    name,
                    node: "",
                    ip,
                    labels: &labels,
                    annotations: &annotations,
                };
                let given = vec![("namespace", namespace), ("service_name", name)];
                let object = format!("service {namespace}/{name}");
                let declared = service.ports().collect();
                let case = Case { rule, facts, object, given, declared };
                if rule.takes(&facts) {
                    case.targets(ip, &mut found);
                }
            }
        }
        found
    }

    /// Whether a rule looks at what is behind this service.
    pub fn wants_endpoints(
        &self,
        namespace: &str,
        name: &str,
        (labels, annotations): &(Pairs, Pairs),
    ) -> bool {
        let facts = Facts { namespace, name, node: "", ip: "", labels, annotations };
        self.of(From::Endpoints).any(|rule| rule.takes(&facts))
    }

    /// The targets behind a service whose labels and annotations these are.
    pub fn endpoints(
        &self,
        namespace: &str,
        slice: &Slice,
        (labels, annotations): &(Pairs, Pairs),
        found: &mut Vec<Found>,
    ) {
        for endpoint in &slice.endpoints {
            let (name, ip) = (&*slice.service, &*endpoint.ip);
            let facts = Facts { namespace, name, node: &endpoint.node, ip, labels, annotations };
            let mut given = vec![("namespace", namespace), ("service_name", name)];
            given.extend(endpoint.pod.as_deref().map(|pod| ("pod_name", pod)));
            for rule in self.of(From::Endpoints).filter(|rule| rule.takes(&facts)) {
                let object = format!("endpoints {namespace}/{name}");
                let declared = NumberedPort::pairs(&slice.ports).collect();
                let case = Case { rule, facts, object, given: given.clone(), declared };
                case.targets(ip, found);
            }
        }
    }

    /// The targets that stand in the rules themselves.
    pub fn fixed(&self) -> Vec<Found> {
        let none = Pairs::new();
        let mut found = Vec::new();
        for rule in self.of(From::Fixed) {
            for target in &rule.targets {
                let (host, port) = target.as_ref().map_or(("", ""), |text| host_and_port(text));
                let facts = Facts {
                    namespace: "",
                    name: "",
                    node: "",
                    ip: host,
                    labels: &none,
                    annotations: &none,
                };
                let object = "fixed".to_owned();
                let case = Case { rule, facts, object, given: Vec::new(), declared: Vec::new() };
                found.push(match target {
                    Ok(_) => case.draft(host, port.to_owned()).check().map(Arc::new),
                    Err(reason) => Err(case.held("", reason.clone())),
                });
            }
        }
        found
    }
}

impl Case<'_> {
    fn targets(&self, ip: &str, found: &mut Vec<Found>) {
        match self.ports() {
            Ok(ports) => {
                found.extend(
                    ports.into_iter().map(|port| self.draft(ip, port).check().map(Arc::new)),
                );
            }
            Err(reason) => found.push(Err(self.held(ip, reason))),
        }
    }

    /// The first port of the rule that the object has; all that it declares where the rule names none.
    fn ports(&self) -> Result<Vec<String>, String> {
        if self.rule.ports.is_empty() {
            let mut numbers: Vec<i64> = self.declared.iter().map(|(_, number)| *number).collect();
            numbers.sort_unstable();
            numbers.dedup();
            if numbers.is_empty() {
                return Err("no port is named by the rule, and none is declared".into());
            }
            return Ok(numbers.iter().map(ToString::to_string).collect());
        }
        let mut reasons = Vec::new();
        for port in &self.rule.ports {
            match self.port(port) {
                Ok(port) => return Ok(vec![port]),
                Err(reason) => reasons.push(reason),
            }
        }
        Err(reasons.join(", and "))
    }

    fn port(&self, port: &Port) -> Result<String, String> {
        match port {
            Port::Number(number) => Ok(number.to_string()),
            Port::Name(name) => {
                self.declared(name).ok_or_else(|| format!("no port is named '{name}'"))
            }
            Port::Value(value) => {
                let text = value.of(&self.facts).ok_or_else(|| value.missing())?;
                Ok(self.declared(text).unwrap_or_else(|| text.to_owned()))
            }
        }
    }

    fn declared(&self, name: &str) -> Option<String> {
        let found =
            self.declared.iter().find(|(declared, _)| *declared == name && !name.is_empty());
        found.map(|(_, number)| number.to_string())
    }

    fn draft(&self, address: &str, port: String) -> Draft {
        let (rule, facts) = (self.rule, &self.facts);
        let text = |value: &Option<super::rules::Value>| {
            value.as_ref().and_then(|value| value.of(facts)).unwrap_or_default().to_owned()
        };
        let mut draft = Draft {
            service: rule.service.clone(),
            address: address.to_owned(),
            port,
            scheme: text(&rule.scheme),
            metrics_path: text(&rule.path),
            node: facts.node.to_owned(),
            origin: self.origin().into(),
            ..Draft::default()
        };
        for (key, value) in &self.given {
            draft.meta.insert((*key).to_owned(), (*value).to_owned());
        }
        for (key, value) in rule.copied(facts) {
            draft.meta.entry(key).or_insert_with(|| value.to_owned());
        }
        for (key, value) in &rule.meta {
            match value.of(facts) {
                Some(value) => draft.meta.insert(key.clone(), value.to_owned()),
                None => draft.meta.remove(key),
            };
        }
        draft.tags = rule.tags.iter().filter_map(|tag| tag.of(facts)).map(str::to_owned).collect();
        draft
    }

    fn origin(&self) -> String {
        format!("{} by {}", self.object, self.rule.name)
    }

    fn held(&self, address: &str, reason: String) -> Held {
        Held {
            service: self.rule.service.as_str().into(),
            address: address.into(),
            origin: self.origin().into(),
            reason: reason.into(),
        }
    }
}
