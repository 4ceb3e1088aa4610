//! All four agents as processes beside the cluster of Kubernetes 1.20, their targets in a file of the registrar, and a
//! Prometheus that knows that file and our configuration for files.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use e2e::agent::{self, local};
use e2e::cluster::{Cluster, Space};
use e2e::storage::{Kind, Storage};
use e2e::{Agent, Consul, dashboards, free_port, wait_until};
use serde_json::{Value, json};

/// How long anything may take, on a machine that does much else.
pub(crate) const PATIENCE: Duration = Duration::from_mins(5);

/// The folder of manifests for Prometheus.
pub(crate) fn manifests() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../manifests/prometheus").canonicalize().unwrap()
}

/// One of our files with some of its texts replaced; each has to be there.
pub(crate) fn ours(name: &str, replaced: &[(&str, &str)]) -> String {
    let text = std::fs::read_to_string(manifests().join(name)).unwrap();
    replaced.iter().fold(text, |text, (old, new)| {
        assert!(text.contains(old), "{name} has no {old}");
        text.replace(old, new)
    })
}

/// The shape of a configuration that is scraped and judged often enough for a test.
pub(crate) const OFTEN: (&str, &str) = (
    "global: {scrape_interval: 30s, scrape_timeout: 20s}",
    "global: {scrape_interval: 2s, scrape_timeout: 2s, evaluation_interval: 2s}",
);

/// The agents, and the application that is looked at.
pub(crate) struct Scene<'c> {
    pub(crate) space: Space<'c>,
    cluster: &'c Cluster,
    targets: PathBuf,
    token: PathBuf,
    role: String,
    _agents: Vec<Agent>,
    _consul: Consul,
}

impl<'c> Scene<'c> {
    pub(crate) fn new(cluster: &'c Cluster, consul: &Path) -> Self {
        let space = cluster.space("dashboards");
        cluster.apply(&dashboards::APPLICATION.replace("SPACE", &space.name));
        let role = space.name.clone();
        let token = token(cluster, &space.name, &role);
        let (targets, consul) =
            (cluster.folder().join("targets.json"), Consul::start(consul).unwrap());
        let agents = agents(cluster, &consul, &targets);
        Self { space, cluster, targets, token, role, _agents: agents, _consul: consul }
    }

    /// Prometheus with file.yaml as it is committed, but for places and times.
    pub(crate) fn prometheus(&self, program: &Path) -> Storage {
        let pki = |name: &str| {
            self.cluster.kubeconfig.with_file_name("pki").join(name).display().to_string()
        };
        let rules = format!("{}/rules/", manifests().display());
        let config = ours(
            "file.yaml",
            &[
                OFTEN,
                ("rules/", &rules),
                ("/etc/prometheus/targets/*.json", &self.targets.display().to_string()),
                ("/etc/prometheus/cluster/token", &self.token.display().to_string()),
                ("/etc/prometheus/cluster/ca.crt", &pki("ca.crt")),
                ("/etc/prometheus/etcd/ca.crt", &pki("ca.crt")),
                ("/etc/prometheus/etcd/client.crt", &pki("admin.crt")),
                ("/etc/prometheus/etcd/client.key", &pki("admin.key")),
            ],
        );
        Storage::start(Kind::Prometheus, program, &config).unwrap()
    }
}

impl Drop for Scene<'_> {
    fn drop(&mut self) {
        for kind in ["clusterrole", "clusterrolebinding"] {
            if let Err(error) = self.cluster.kubectl(&["delete", kind, &self.role]) {
                eprintln!("{error:#}");
            }
        }
    }
}

/// An account that may read metrics as the one of overlays/in-cluster may, and its token in a file.
fn token(cluster: &Cluster, space: &str, role: &str) -> PathBuf {
    cluster.apply(&format!(
        "apiVersion: v1
kind: ServiceAccount
metadata: {{name: prometheus, namespace: {space}}}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {{name: {role}}}
rules:
- {{apiGroups: [''], resources: [nodes/metrics], verbs: [get]}}
- {{nonResourceURLs: [/metrics], verbs: [get]}}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {{name: {role}}}
roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: {role}}}
subjects: [{{kind: ServiceAccount, name: prometheus, namespace: {space}}}]
"
    ));
    let asked = cluster.folder().join("request.json");
    let request = json!({"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"audiences": []}});
    std::fs::write(&asked, request.to_string()).unwrap();
    let path = format!("/api/v1/namespaces/{space}/serviceaccounts/prometheus/token");
    let answer = cluster
        .kubectl(&["create", "--raw", &path, "--filename", &asked.display().to_string()])
        .unwrap();
    let answer: Value = serde_json::from_slice(&answer).unwrap();
    let file = cluster.folder().join("token");
    std::fs::write(&file, answer["status"]["token"].as_str().unwrap()).unwrap();
    file
}

/// The address of the cluster's only node.
fn node_address(cluster: &Cluster) -> Result<String> {
    let nodes = cluster.get("/api/v1/nodes/testbed-node")?;
    let mut addresses = nodes["status"]["addresses"].as_array().context("no addresses")?.iter();
    let internal = addresses.find(|address| address["type"] == "InternalIP");
    internal
        .and_then(|address| address["address"].as_str())
        .map(str::to_owned)
        .context("no address")
}

/// Starts all four, and waits until their targets are in the file.
fn agents(cluster: &Cluster, consul: &Consul, targets: &Path) -> Vec<Agent> {
    let host = node_address(cluster).unwrap();
    let at = |port: u16| -> SocketAddr { format!("{host}:{port}").parse().unwrap() };
    let node =
        Agent::start_at(at(free_port().unwrap()), Command::new(agent::node_exporter_rs().unwrap()))
            .unwrap();
    let (proxy, proxy_self) = (at(free_port().unwrap()), at(free_port().unwrap()));
    let pki =
        |name: &str| cluster.kubeconfig.with_file_name("pki").join(name).display().to_string();
    let mut command = Command::new(agent::cadvisor_proxy_rs().unwrap());
    command.args([
        "--source=kubelet",
        "--target=https://127.0.0.1:10250",
        "--labels=namespace,container,node",
    ]);
    command.args(["--profile=noise", "--identity=docker", &format!("--identity.host-ip={host}")]);
    command.arg(format!("--target.pin-file={}", pki("kubelet-serving.crt")));
    command.arg(format!("--target.cert-file={}", pki("admin.crt")));
    command.arg(format!("--target.key-file={}", pki("admin.key")));
    command
        .arg(format!("--telemetry.listen-address={proxy_self}"))
        .env("NODE_NAME", "testbed-node");
    let proxy = Agent::start_at(proxy, command).unwrap();
    let (state, state_self) = (local(free_port().unwrap()), local(free_port().unwrap()));
    let mut command = Command::new(agent::kube_state_rs().unwrap());
    command.arg(format!("--kubeconfig={}", cluster.kubeconfig.display()));
    for (prefix, address) in [("", state), ("telemetry-", state_self)] {
        command.arg(format!("--{prefix}host={}", address.ip()));
        command.arg(format!("--{prefix}port={}", address.port()));
    }
    let state = Agent::spawn(state, &mut command).unwrap();
    let own = local(free_port().unwrap());
    let services = [
        ("kube-state", state.address),
        ("kube-state-self", state_self),
        ("consul-registrar", own),
        ("cadvisor-proxy-self", proxy_self),
    ];
    let rules = rules(node.address.port(), proxy.address.port(), &services);
    let file = cluster.folder().join("rules.yaml");
    std::fs::write(&file, rules.to_string()).unwrap();
    let mut command = Command::new(agent::consul_registrar().unwrap());
    command.args([
        "kubernetes",
        "--cluster-name=testbed",
        &format!("--consul={}", consul.url()),
        "--sink=consul",
    ]);
    command.arg(format!("--rules={}", file.display()));
    command.arg(format!("--kubeconfig={}", cluster.kubeconfig.display()));
    command.arg(format!("--sink=file={}", targets.display()));
    let registrar = Agent::start_at(own, command).unwrap();
    wait_until("application among the targets", PATIENCE, || {
        let text = std::fs::read_to_string(targets)?;
        ensure!(text.contains("application"), "{text}");
        Ok::<_, anyhow::Error>(())
    })
    .unwrap();
    vec![node, proxy, state, registrar]
}

/// The rules of manifests/base, where these agents and this cluster's control plane are.
fn rules(node: u16, proxy: u16, fixed: &[(&str, SocketAddr)]) -> Value {
    let mut rules = vec![
        json!({"service": "node-exporter", "source": "node", "port": node}),
        json!({"service": "cadvisor-proxy", "source": "node", "port": proxy, "path": "/metrics/cadvisor"}),
        json!({
            "service": "app", "source": "pod", "when": {"annotation": "prometheus.io/scrape", "equals": "true"},
            "port": ["@prometheus.io/port", "metrics"], "path": "@prometheus.io/path",
            "scheme": "@prometheus.io/scheme", "labels": ["app"],
        }),
        json!({"service": "etcd", "source": "fixed", "targets": "127.0.0.1:12379"}),
    ];
    let secure = [
        ("kubelet", 10250),
        ("kube-apiserver", 16443),
        ("kube-scheduler", 10259),
        ("kube-controller-manager", 10257),
    ];
    for (service, port) in secure {
        let targets = format!("127.0.0.1:{port}");
        rules.push(
            json!({"service": service, "source": "fixed", "targets": targets, "scheme": "https"}),
        );
    }
    for (service, address) in fixed {
        rules.push(json!({"service": service, "source": "fixed", "targets": address.to_string()}));
    }
    Value::Array(rules)
}
