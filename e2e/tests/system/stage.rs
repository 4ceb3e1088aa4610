//! The system under test: one cluster with all agents in it by their manifests, and around it Consul, and two Prometheis that
//! know the cluster by Consul or by the registrar alone.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use e2e::agent::local;
use e2e::cluster::Cluster;
use e2e::storage::{Kind, Storage};
use e2e::{Consul, servers, wait_until};
use serde_json::Value;
use tempfile::TempDir;

use crate::images::Images;
use crate::passage::{Address, Passage};
use crate::scenery;

/// How long anything may take, on a machine that does much else.
pub(crate) const PATIENCE: Duration = Duration::from_mins(3);
/// Where the manifests put the agents.
pub(crate) const SPACE: &str = "monitoring";
/// Where the applications of this test are.
pub(crate) const APPS: &str = "e2e-system";
pub(crate) const CLUSTER: &str = "e2e-system";
pub(crate) const NODE: &str = "testbed-node";
/// Between two scrapes; the shipped configurations have 30 s.
pub(crate) const INTERVAL: &str = "2s";

/// The first address of the testbed's services, which `kubernetes` has.
const SERVICE: &str = "10.0.0.1";
const MASTER: &str = "node-role.kubernetes.io/control-plane";

pub(crate) struct Stage {
    pub(crate) cluster: Cluster,
    pub(crate) consul: Consul,
    /// Discovers by Consul with manifests/prometheus/consul.yaml.
    pub(crate) outside: Storage,
    /// Discovers by `http_sd` with manifests/prometheus/http.yaml.
    pub(crate) by_http: Storage,
    pub(crate) images: Images,
    /// The node's address.
    pub(crate) ip: String,
    pub(crate) folder: TempDir,
    /// The one whose kustomize knows components.
    kubectl: PathBuf,
    _passages: Vec<Passage>,
    _address: Address,
}

impl Stage {
    /// Everything is up and has been applied; or a line about why the test is skipped.
    pub(crate) fn set() -> Option<Self> {
        let test = "the whole system";
        let kubectl = servers::need(test, "kubectl-1.36")?;
        let consul = servers::need(test, "consul")?;
        let outside = servers::need(test, "prometheus-consul")?;
        let by_http = servers::need(test, "prometheus")?;
        let cluster = Cluster::old(test)?;
        let images = Images::build(&by_http);
        let consul = Consul::start(&consul).unwrap();
        let address = Address::add(SERVICE);
        let ip = node_ip(&cluster);
        let folder = tempfile::tempdir().unwrap();
        forget(&cluster);
        cluster.kubectl(&["label", "node", NODE, &format!("{MASTER}="), "--overwrite"]).unwrap();
        let passages = passages(&ip);
        let files = Files { folder: folder.path(), kubectl: &kubectl, cluster: &cluster };
        files.copy_manifests();
        files.hasten("base/kube-state-rs/deployment.yaml");
        files.hasten("base/consul-registrar/deployment.yaml");
        files.overlay(
            "outside",
            &outside_overlay("external-prometheus", true, &cluster, &consul, &images),
        );
        files.apply("outside").unwrap();
        scenery::raise(&files, &cluster, &images);
        files.credentials().unwrap();
        let texts = |name: &str| files.configuration(name, &consul, &ip);
        let outside = Storage::start(Kind::Prometheus, &outside, &texts("consul.yaml")).unwrap();
        let by_http = Storage::start(Kind::Prometheus, &by_http, &texts("http.yaml")).unwrap();
        let stage = Self {
            cluster,
            consul,
            outside,
            by_http,
            images,
            ip,
            folder,
            kubectl,
            _passages: passages,
            _address: address,
        };
        stage.rolled_out();
        Some(stage)
    }

    /// An overlay for a Prometheus outside; `docker`: the component that it lacks.
    pub(crate) fn outside_overlay(&self, of: &str, docker: bool) -> String {
        outside_overlay(of, docker, &self.cluster, &self.consul, &self.images)
    }

    pub(crate) fn files(&self) -> Files<'_> {
        Files { folder: self.folder.path(), kubectl: &self.kubectl, cluster: &self.cluster }
    }

    /// Waits until each `DaemonSet` and `Deployment` is as it was asked for.
    pub(crate) fn rolled_out(&self) {
        for space in [SPACE, APPS] {
            for kind in ["daemonset", "deployment"] {
                let list = format!("/apis/apps/v1/namespaces/{space}/{kind}s");
                let list = self.cluster.get(&list).unwrap();
                for item in list["items"].as_array().unwrap() {
                    self.rolls_out(space, kind, item["metadata"]["name"].as_str().unwrap());
                }
            }
        }
    }

    pub(crate) fn rolls_out(&self, space: &str, kind: &str, name: &str) {
        wait_until(&format!("{kind} {name}"), PATIENCE, || {
            let item =
                self.cluster.get(&format!("/apis/apps/v1/namespaces/{space}/{kind}s/{name}"))?;
            let (status, of) =
                (&item["status"], |field: &str| item["status"][field].as_u64().unwrap_or(0));
            let current = status["observedGeneration"] == item["metadata"]["generation"];
            let done = if kind == "daemonset" {
                let wanted = of("desiredNumberScheduled");
                wanted > 0 && of("updatedNumberScheduled") == wanted && of("numberReady") == wanted
            } else {
                let wanted = item["spec"]["replicas"].as_u64().unwrap_or(1);
                [of("updatedReplicas"), of("replicas"), of("availableReplicas")] == [wanted; 3]
            };
            ensure!(current && done, "{status}\n{}", self.events(space));
            Ok::<_, anyhow::Error>(())
        })
        .unwrap();
    }

    /// What the cluster complains of.
    fn events(&self, space: &str) -> String {
        let args = ["get", "events", "--namespace", space, "--field-selector=type=Warning"];
        String::from_utf8_lossy(&self.cluster.kubectl(&args).unwrap_or_default()).into_owned()
    }

    /// The pods of an agent that are not on their way out.
    pub(crate) fn pods(&self, space: &str, selector: &str) -> Result<Vec<Value>> {
        let selector = selector.replace('=', "%3D").replace('/', "%2F");
        let list = self
            .cluster
            .get(&format!("/api/v1/namespaces/{space}/pods?labelSelector={selector}"))?;
        let items = list["items"].as_array().context("no list")?.iter();
        Ok(items.filter(|pod| pod["metadata"]["deletionTimestamp"].is_null()).cloned().collect())
    }

    /// Takes everything away again.
    pub(crate) fn clear(&self) {
        forget(&self.cluster);
        self.cluster.kubectl(&["label", "node", NODE, &format!("{MASTER}-")]).unwrap();
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        // What `clear` has done already is not there to be done again.
        forget(&self.cluster);
        _ = self.cluster.kubectl(&["label", "node", NODE, &format!("{MASTER}-")]);
        _ = self.cluster.kubectl(&["uncordon", NODE]);
    }
}

/// Deletes what is ours in the cluster, and waits until its pods are gone.
fn forget(cluster: &Cluster) {
    let roles = cluster.kubectl(&["get", "clusterroles,clusterrolebindings", "--output=name"]);
    let roles = String::from_utf8(roles.unwrap()).unwrap();
    let ours = roles.lines().filter(|name| {
        let name = name.rsplit('/').next().unwrap_or_default();
        name.starts_with("monitoring-") || crate::images::AGENTS.contains(&name)
    });
    let ours: Vec<&str> = ours.collect();
    if !ours.is_empty() {
        cluster.kubectl(&[&["delete", "--ignore-not-found"], ours.as_slice()].concat()).unwrap();
    }
    let class = ["delete", "priorityclass", "monitoring-agents", "--ignore-not-found"];
    cluster.kubectl(&class).unwrap();
    let gone = ["delete", "namespace", SPACE, APPS, "--ignore-not-found", "--timeout=150s"];
    wait_until("the end of our namespaces", PATIENCE, || cluster.kubectl(&gone)).unwrap();
}

fn node_ip(cluster: &Cluster) -> String {
    let node = cluster.get(&format!("/api/v1/nodes/{NODE}")).unwrap();
    let addresses = node["status"]["addresses"].as_array().unwrap();
    let internal = addresses.iter().find(|address| address["type"] == "InternalIP").unwrap();
    internal["address"].as_str().unwrap().to_owned()
}

/// The node's ports are those of any cluster, and the API server is behind its service's address.
fn passages(ip: &str) -> Vec<Passage> {
    let ports = [
        (6443, 16443),
        (16443, 16443),
        (2379, 12381),
        (10250, 10250),
        (10257, 10257),
        (10259, 10259),
    ];
    let at = |ip: &str, port: u16| format!("{ip}:{port}").parse().unwrap();
    let mut passages: Vec<_> =
        ports.into_iter().map(|(from, to)| Passage::open(at(ip, from), local(to))).collect();
    passages.push(Passage::open(at(SERVICE, 443), local(16443)));
    passages
}

/// The overlay of this run: names of images, addresses, and where the testbed's kubelet has its certificate.
fn outside_overlay(
    of: &str,
    docker: bool,
    cluster: &Cluster,
    consul: &Consul,
    images: &Images,
) -> String {
    let certificate = cluster.kubeconfig.with_file_name("pki").join("kubelet-serving.crt");
    let docker = if docker { "../../components/docker-socket" } else { "" };
    format!(
        "resources: [../{of}]
components: [{docker}]
configMapGenerator:
- name: registrar-settings
  namespace: monitoring
  behavior: merge
  literals: [REGISTRAR_CLUSTER_NAME={CLUSTER}, REGISTRAR_CONSUL={}]
{}{}",
        consul.url(),
        images_of(images),
        certificate_at(&certificate),
    )
}

pub(crate) fn images_of(images: &Images) -> String {
    let mut out = "images:\n".to_owned();
    for name in crate::images::AGENTS {
        let (new, tag) = (format!("{}{name}", crate::images::PREFIX), &images.tag);
        // Writing to a String cannot fail.
        _ = writeln!(out, "- {{name: {name}, newName: {new}, newTag: {tag:?}}}");
    }
    out
}

pub(crate) fn certificate_at(path: &Path) -> String {
    format!(
        "patches:
- target: {{kind: DaemonSet, name: cadvisor-proxy-rs}}
  patch: |
    apiVersion: apps/v1
    kind: DaemonSet
    metadata: {{name: cadvisor-proxy-rs}}
    spec:
      template:
        spec:
          volumes:
          - {{name: kubelet-certificate, hostPath: {{path: {}, type: File}}}}
",
        path.display()
    )
}

/// Files of this run, and kubectl on them.
pub(crate) struct Files<'a> {
    folder: &'a Path,
    kubectl: &'a Path,
    cluster: &'a Cluster,
}

impl Files<'_> {
    /// A copy, so that overlays of this run stand beside those that are shipped.
    fn copy_manifests(&self) {
        let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("../manifests");
        let copied = Command::new("cp").arg("-r").arg(from).arg(self.folder).status().unwrap();
        assert!(copied.success());
    }

    pub(crate) fn overlay(&self, name: &str, text: &str) {
        let folder = self.folder.join("manifests/overlays").join(name);
        std::fs::create_dir_all(&folder).unwrap();
        let head = "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n";
        std::fs::write(folder.join("kustomization.yaml"), format!("{head}{text}")).unwrap();
    }

    pub(crate) fn apply(&self, overlay: &str) -> Result<()> {
        let folder = self.folder.join("manifests/overlays").join(overlay);
        let output = Command::new(self.kubectl)
            .arg(format!("--kubeconfig={}", self.cluster.kubeconfig.display()))
            .arg(format!("--cache-dir={}", self.folder.join("cache").display()))
            .args(["apply", "-k"])
            .arg(folder)
            .stdin(Stdio::null())
            .output()?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "kubectl apply -k {overlay}: {said}");
        Ok(())
    }

    /// What the configurations look for in /etc/prometheus.
    fn credentials(&self) -> Result<()> {
        let (cluster, etcd) = (self.folder.join("cluster"), self.folder.join("etcd"));
        std::fs::create_dir_all(&cluster)?;
        std::fs::create_dir_all(&etcd)?;
        let token = wait_until("token of the outside Prometheus", PATIENCE, || {
            let path = format!("/api/v1/namespaces/{SPACE}/secrets/prometheus-external");
            let secret = self.cluster.get(&path)?;
            let token = secret["data"]["token"].as_str().context("no token yet")?.to_owned();
            Ok::<_, anyhow::Error>(token)
        })?;
        std::fs::write(cluster.join("token"), decoded(&token)?)?;
        let pki = self.cluster.kubeconfig.with_file_name("pki");
        for (from, to) in [
            ("ca.crt", cluster.join("ca.crt")),
            ("ca.crt", etcd.join("ca.crt")),
            ("admin.crt", etcd.join("client.crt")),
            ("admin.key", etcd.join("client.key")),
        ] {
            std::fs::copy(pki.join(from), to)?;
        }
        Ok(())
    }

    /// Gives a shipped configuration the interval of this run.
    pub(crate) fn hasten(&self, name: &str) {
        let path = self.folder.join("manifests").join(name);
        let text = hastened(&std::fs::read_to_string(&path).unwrap());
        std::fs::write(path, text).unwrap();
    }

    /// A shipped configuration with the addresses, paths and the interval of this run.
    fn configuration(&self, name: &str, consul: &Consul, ip: &str) -> String {
        let folder = self.folder.join("manifests/prometheus");
        let text = std::fs::read_to_string(folder.join(name)).unwrap();
        hastened(&text)
            .replace("consul.example:8500", &consul.address.to_string())
            .replace("consul-registrar.example", ip)
            .replace("/etc/prometheus", &self.folder.display().to_string())
            .replace("rules/", &format!("{}/rules/", folder.display()))
    }
}

fn hastened(text: &str) -> String {
    text.replace("scrape_interval: 30s", &format!("scrape_interval: {INTERVAL}"))
        .replace("scrape_timeout: 20s", &format!("scrape_timeout: {INTERVAL}"))
        .replace("global: {", "global: {evaluation_interval: 5s, ")
        .replace("refresh_interval: 30s", "refresh_interval: 1s")
        .replace("refresh_interval: 15s", "refresh_interval: 1s")
        // Agents beside each other as long as a few of these scrapes.
        .replace("minReadySeconds: 40", "minReadySeconds: 8")
}

/// Base64, which kubectl's JSON has of secrets.
fn decoded(text: &str) -> Result<Vec<u8>> {
    exporter_toolkit::base64::decode(text).context("no base64")
}
