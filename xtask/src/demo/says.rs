//! What a person may want to know of a target at a glance, from its own samples.

use std::collections::{BTreeMap, BTreeSet};

use e2e::Scrape;
use e2e::exposition::label;

use super::host;

/// A few words; empty where there is nothing to tell.
pub(crate) fn of(service: &str, scrape: &Scrape) -> String {
    let said = match service {
        "node-exporter" => node(scrape),
        "cadvisor-proxy" => containers(scrape),
        "kube-state" => objects(scrape),
        "consul-registrar" => Some(registrar(scrape)),
        "prometheus" => prometheus(scrape),
        _ => None,
    };
    said.unwrap_or_default()
}

fn node(scrape: &Scrape) -> Option<String> {
    let load = scrape.one("node_load1").map(|load| format!("load {load}"));
    let memory = host::memory(scrape).map(|memory| format!("memory {memory}"));
    joined([load, memory].into_iter().flatten())
}

/// Only a runtime knows names; without one there are still the cgroups.
fn containers(scrape: &Scrape) -> Option<String> {
    let of = |name: &str| -> BTreeSet<String> {
        let keys = scrape.series.keys().filter(|key| key.starts_with("container_"));
        keys.filter_map(|key| label(key, name)).filter(|value| !value.is_empty()).collect()
    };
    let (names, pods) = (of("name"), of("pod_name"));
    let counts = [(names.len(), "containers"), (pods.len(), "pods"), (of("id").len(), "cgroups")];
    joined(counts.into_iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{n} {what}")))
}

fn objects(scrape: &Scrape) -> Option<String> {
    let mut phases: BTreeMap<String, usize> = BTreeMap::new();
    for (key, _) in scrape.of("kube_pod_status_phase").filter(|(_, value)| *value > 0.0) {
        *phases.entry(label(key, "phase")?.to_lowercase()).or_default() += 1;
    }
    let nodes = scrape.of("kube_node_info").count();
    let pods: Vec<String> =
        phases.iter().map(|(phase, count)| format!("{count} {phase}")).collect();
    joined([format!("{nodes} nodes"), format!("pods: {}", pods.join(", "))].into_iter())
}

fn registrar(scrape: &Scrape) -> String {
    let targets: f64 = scrape.of("consul_registrar_targets").map(|(_, value)| value).sum();
    format!("{targets} targets listed")
}

fn prometheus(scrape: &Scrape) -> Option<String> {
    Some(format!("{} series in its head", scrape.one("prometheus_tsdb_head_series")?))
}

fn joined(parts: impl Iterator<Item = String>) -> Option<String> {
    let parts: Vec<String> = parts.collect();
    (!parts.is_empty()).then(|| parts.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pods_are_counted_by_their_phase_and_only_the_one_they_are_in() {
        let text = "kube_node_info{node=\"n\"} 1\n\
            kube_pod_status_phase{pod=\"a\",phase=\"Running\"} 1\nkube_pod_status_phase{pod=\"a\",phase=\"Pending\"} 0\n\
            kube_pod_status_phase{pod=\"b\",phase=\"Running\"} 1\nkube_pod_status_phase{pod=\"c\",phase=\"Pending\"} 1\n";
        let scrape = Scrape::parse(text).unwrap();
        assert_eq!(of("kube-state", &scrape), "1 nodes; pods: 1 pending, 2 running");
        assert_eq!(of("another", &scrape), "");
    }

    #[test]
    fn a_container_counts_once_whatever_it_gives() {
        let text = "container_a{id=\"/\"} 1\ncontainer_a{id=\"/d/1\",name=\"x\",pod_name=\"p\"} 1\n\
            container_b{id=\"/d/1\",name=\"x\",pod_name=\"p\"} 1\n";
        let scrape = Scrape::parse(text).unwrap();
        assert_eq!(of("cadvisor-proxy", &scrape), "1 containers; 1 pods; 2 cgroups");
    }
}
