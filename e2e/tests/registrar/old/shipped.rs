//! The shipped rules on a real cluster.

use std::collections::BTreeSet;
use std::process::Command;

use e2e::agent::consul_registrar;
use e2e::cluster::Cluster;
use serde_json::{Value, json};

/// What is usually scraped of a cluster, without a rules file: two masters, a worker, and a pod that asks for it.
#[test]
fn the_shipped_rules_give_the_usual_list_on_a_real_cluster() {
    let test = "the shipped rules";
    let Some(cluster) = Cluster::old(test) else { return };
    let space = cluster.space("shipped");
    let api = cluster.api();
    let _gone = Gone(&cluster, space.name.clone());
    for (n, role) in [(1, "master"), (2, "control-plane"), (3, "worker")] {
        let labels = json!({"e2e": space.name, format!("node-role.kubernetes.io/{role}"): ""});
        let name = format!("{}-{n}", space.name);
        let node = json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "labels": labels},
            "spec": {"unschedulable": true}});
        api.post("/api/v1/nodes", &node).unwrap();
        let addresses = json!([{"type": "InternalIP", "address": format!("127.0.78.{n}")}]);
        let status = json!({"status": {"addresses": addresses}});
        api.patch(&format!("/api/v1/nodes/{name}/status"), &status).unwrap();
    }
    let annotations = json!({"prometheus.io/scrape": "true", "prometheus.io/port": "8080", "prometheus.io/path": "/m"});
    let place = format!("/api/v1/namespaces/{}/pods", space.name);
    let pod = json!({"apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": "web", "labels": {"app": "web"}, "annotations": annotations},
        "spec": {"nodeName": format!("{}-3", space.name), "containers": [{"name": "c", "image": "testbed/pause:1"}]}});
    api.post(&place, &pod).unwrap();
    let status = json!({"status": {"phase": "Running", "podIP": "127.0.79.1"}});
    api.patch(&format!("{place}/web/status"), &status).unwrap();

    let mut command = Command::new(consul_registrar().unwrap());
    command.args(["targets", "--source=kubernetes", "--cluster-name=bj-1"]);
    command.env("APISERVER_VIP", "127.0.78.100");
    command.arg(format!("--kubeconfig={}", cluster.kubeconfig.display()));
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let list: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
    let label = |entry: &Value, name: &str| entry["labels"][name].as_str().unwrap_or("").to_owned();
    let found: BTreeSet<String> = list
        .iter()
        .filter(|entry| {
            let place = entry["targets"][0].as_str().unwrap();
            place.starts_with("127.0.78.") || place.starts_with("127.0.79.")
        })
        .map(|entry| {
            let [scheme, path, job] =
                ["__scheme__", "__metrics_path__", "job"].map(|name| label(entry, name));
            format!("{job} {scheme}://{}{path}", entry["targets"][0].as_str().unwrap())
        })
        .collect();
    let mut wanted: BTreeSet<String> = [
        "kube-apiserver https://127.0.78.100:6443/metrics".to_owned(),
        "kube-state http://127.0.78.100:10241/metrics".to_owned(),
        "app http://127.0.79.1:8080/m".to_owned(),
    ]
    .into();
    for n in 1..=3 {
        for (job, scheme, port) in [
            ("node-exporter", "http", 9100),
            ("cadvisor-proxy", "http", 4194),
            ("kubelet", "https", 10250),
        ] {
            wanted.insert(format!("{job} {scheme}://127.0.78.{n}:{port}/metrics"));
        }
    }
    for n in 1..=2 {
        for (job, scheme, port) in [
            ("kube-scheduler", "http", 10251),
            ("kube-controller-manager", "http", 10252),
            ("etcd", "https", 2379),
            ("etcd-events", "https", 2382),
        ] {
            wanted.insert(format!("{job} {scheme}://127.0.78.{n}:{port}/metrics"));
        }
    }
    assert_eq!(found, wanted);
    let app = list.iter().find(|entry| entry["targets"][0] == "127.0.79.1:8080").unwrap();
    assert_eq!(
        [label(app, "pod_name"), label(app, "namespace")],
        ["web".to_owned(), space.name.clone()]
    );
    assert_eq!(label(app, "label_app"), "web");
}

/// Nodes that go with this guard.
struct Gone<'c>(&'c Cluster, String);

impl Drop for Gone<'_> {
    fn drop(&mut self) {
        let selector = format!("--selector=e2e={}", self.1);
        if let Err(error) = self.0.kubectl(&["delete", "nodes", "--wait=false", &selector]) {
            eprintln!("{error:#}");
        }
    }
}
