//! manifests/prometheus/kubernetes.yaml on a real cluster: each of its jobs finds what it is for, with the labels that tie an
//! application to its pod and its node.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};

use anyhow::{Context as _, Result, ensure};
use e2e::agent::local;
use e2e::cluster::Cluster;
use e2e::site::Site;
use e2e::storage::{Kind, Storage};
use e2e::{Server, dashboards, free_port, servers, wait_until};
use serde_json::Value;

use crate::scene::{OFTEN, PATIENCE, manifests, ours};

/// Beside the application: a Service before it, one that asks to be probed, and an Ingress.
const MORE: &str = "
---
apiVersion: v1
kind: Service
metadata:
  name: application
  namespace: SPACE
  annotations: {prometheus.io/scrape: 'true', prometheus.io/port: '8080', prometheus.io/path: /metrics.txt}
spec:
  selector: {app: application}
  ports: [{name: http, port: 80, targetPort: 8080, protocol: TCP}]
---
apiVersion: v1
kind: Service
metadata: {name: probed, namespace: SPACE, annotations: {prometheus.io/probe: 'true'}}
spec: {selector: {app: application}, ports: [{name: http, port: 80, targetPort: 8080, protocol: TCP}]}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: door, namespace: SPACE, annotations: {prometheus.io/probe: 'true'}}
spec:
  rules:
  - host: door.example
    http: {paths: [{path: /shop, pathType: Prefix, backend: {service: {name: application, port: {number: 80}}}}]}
";

/// A label and its value; `*` is anything.
type Label = (&'static str, &'static str);

/// A job, the label that tells the target meant, its value, and what else has to be on it.
const EXPECTED: &[(&str, &str, &str, &[Label])] = &[
    (
        "apiservers",
        "job",
        "apiservers",
        &[("ip", "*"), ("cluster_name", "cluster-1"), ("group", "g0")],
    ),
    ("nodes", "node", "testbed-node", &[("ip", "*"), ("cluster_name", "cluster-1")]),
    // The name of a node is its instance, whatever the port.
    ("node-exporter", "node", "testbed-node", &[("ip", "*")]),
    ("cadvisor", "node", "testbed-node", &[("ip", "*")]),
    (
        "service-endpoints",
        "service",
        "application",
        &[
            ("node", "testbed-node"),
            ("namespace", "SPACE"),
            ("pod_name", "application-*"),
            ("pod_ip", "*"),
            ("ip", "*"),
        ],
    ),
    (
        "services",
        "service",
        "probed",
        &[("instance", "probed.SPACE.svc:80"), ("namespace", "SPACE")],
    ),
    (
        "ingresses",
        "ingress",
        "door",
        &[("instance", "http://door.example/shop"), ("namespace", "SPACE")],
    ),
    (
        "pods",
        "namespace",
        "SPACE",
        &[("node", "testbed-node"), ("pod_name", "application-*"), ("pod_ip", "*"), ("ip", "*")],
    ),
];

/// The configuration as it is, but that the API server is found and believed from outside the cluster.
fn config(cluster: &Cluster, blackbox: SocketAddr) -> String {
    let pki =
        |name: &str| cluster.kubeconfig.with_file_name("pki").join(name).display().to_string();
    let api = format!(
        "{{api_server: 'https://{}', tls_config: {{ca_file: {}, cert_file: {}, key_file: {}}}, role: ",
        cluster.address(),
        pki("ca.crt"),
        pki("admin.crt"),
        pki("admin.key")
    );
    let rules = format!("{}/rules/", manifests().display());
    ours(
        "kubernetes.yaml",
        &[
            OFTEN,
            ("rules/", &rules),
            ("{role: ", &api),
            ("blackbox-exporter.monitoring:9115", &blackbox.to_string()),
            ("/var/run/secrets/kubernetes.io/serviceaccount/ca.crt", &pki("ca.crt")),
        ],
    )
}

/// The exporter behind the jobs of Services and Ingresses. The names that it is told to ask exist inside the cluster alone,
/// so a proxy answers for them.
struct Probes {
    _exporter: Server,
    _proxy: Site,
    address: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Probes {
    fn start(program: &Path, folder: &Path) -> Self {
        let asked = Arc::<Mutex<Vec<String>>>::default();
        let note = Arc::clone(&asked);
        let proxy = Site::start(0, move |request, reply| {
            note.lock().unwrap().push(request.path.clone());
            reply.send(200, "", b"open")
        });
        let proxy = proxy.unwrap();
        let file = folder.join("blackbox.yaml");
        let http = format!(
            "{{proxy_url: 'http://{}', skip_resolve_phase_with_proxy: true}}",
            proxy.address()
        );
        let module = format!("modules: {{http_2xx: {{prober: http, http: {http}}}}}\n");
        std::fs::write(&file, module).unwrap();
        let address = local(free_port().unwrap());
        let mut command = Command::new(program);
        command.arg(format!("--config.file={}", file.display()));
        command.arg(format!("--web.listen-address={address}"));
        let exporter = Server::start("blackbox_exporter", &mut command).unwrap();
        Self { _exporter: exporter, _proxy: proxy, address, asked }
    }

    fn has_asked(&self, url: &str) -> bool {
        self.asked.lock().unwrap().iter().any(|asked| asked == url)
    }
}

fn matches(pattern: &str, value: &str, space: &str) -> bool {
    let pattern = pattern.replace("SPACE", space);
    match pattern.split_once('*') {
        Some((start, end)) => {
            value.len() > start.len() + end.len()
                && value.starts_with(start)
                && value.ends_with(end)
        }
        None => value == pattern,
    }
}

fn are_found(storage: &Storage, space: &str) -> Result<()> {
    let answer = storage.get("/api/v1/targets?state=active")?;
    let targets = answer["data"]["activeTargets"].as_array().context("no targets")?;
    for (job, label, value, expected) in EXPECTED {
        let meant = |target: &&Value| {
            target["scrapePool"] == **job
                && target["labels"][label]
                    .as_str()
                    .is_some_and(|found| matches(value, found, space))
        };
        let target =
            targets.iter().find(meant).with_context(|| format!("{job} finds no {value}"))?;
        for (label, pattern) in *expected {
            let found = target["labels"][label].as_str().unwrap_or_default();
            ensure!(
                matches(pattern, found, space),
                "{job}: {label} is {found:?}: {}",
                target["labels"]
            );
        }
    }
    Ok(())
}

#[test]
fn seven_jobs_find_a_cluster_and_an_application_is_scraped_with_its_pods_name_and_address() {
    let test = "Prometheus by kubernetes_sd";
    let Some(program) = servers::need(test, "prometheus") else { return };
    let Some(exporter) = servers::need(test, "blackbox_exporter") else { return };
    let Some(cluster) = Cluster::old(test) else { return };
    let space = cluster.space("discovered");
    let folder = tempfile::tempdir().unwrap();
    let probes = Probes::start(&exporter, folder.path());
    let objects = format!("{}{MORE}", dashboards::APPLICATION);
    cluster.apply(&objects.replace("SPACE", &space.name));
    let storage =
        Storage::start(Kind::Prometheus, &program, &config(&cluster, probes.address)).unwrap();
    wait_until("targets of all jobs", PATIENCE, || are_found(&storage, &space.name)).unwrap();
    for job in ["pods", "service-endpoints"] {
        let up = format!(
            "sum(up{{job=\"{job}\",namespace=\"{}\",pod_ip!=\"\",pod_name=~\"application-.+\"}})",
            space.name
        );
        storage.expect(&up, |up| up == 1.0).unwrap();
    }
    let service = format!("probed.{}.svc:80", space.name);
    let door = "http://door.example/shop";
    for (instance, url) in [(&*service, &*format!("http://{service}/")), (door, door)] {
        let open = format!("probe_success{{instance=\"{instance}\",namespace=\"{}\"}}", space.name);
        storage.expect(&open, |open| open == 1.0).unwrap();
        assert!(probes.has_asked(url), "{url} is not among {:?}", probes.asked);
    }
    // What etcd's job needs is not here: it alone is not started, and the log says so.
    let log = storage.log();
    let failed: Vec<&str> = log.lines().filter(|line| line.contains("scrape pool")).collect();
    assert!(failed.iter().all(|line| line.contains("scrape_pool=etcd")), "{failed:?}");
}
