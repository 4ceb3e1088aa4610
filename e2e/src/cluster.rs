//! The API servers that `e2e/testbed/k8s` starts, and kubectl on them.
//!
//! What a test needs of a server is there or the test fails: its helpers panic.
#![expect(clippy::unwrap_used, reason = "support of tests: what fails is to be seen")]

use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use tempfile::TempDir;

use crate::http::Request;
use crate::turn::Turn;
use crate::{Server, agent, servers, wait_until};

/// Of the testbed's 1.36 servers these are the tests' own. The first is filled once and restarted at will.
const OWN: u16 = 1;
/// This one is there for one test and starts empty.
const EMPTY: u16 = 2;
/// Pods of the first: nobody runs them.
const PODS: usize = 1000;

const EVERYTHING: &str = include_str!("../tests/kube/objects/everything.yaml");
const MODERN: &str = include_str!("../tests/kube/objects/modern.yaml");
/// A namespace with an object of every resource is there in each test of the 1.36 server.
pub const FIXED: &str = "e2e-fixed";

/// What the tests of this process, which are the only ones on it, have left the filled server in.
static LEFT: Mutex<Left> = Mutex::new(Left { flags: None, filled: false });

struct Left {
    /// The flags that it runs with; `None` where it has to be started anew.
    flags: Option<Vec<String>>,
    filled: bool,
}

/// One API server, for one test at a time.
pub struct Cluster {
    /// The number of a 1.36 server; `None` for the cluster of 1.20.
    modern: Option<u16>,
    pub kubeconfig: PathBuf,
    kubectl: PathBuf,
    folder: TempDir,
    _turn: Turn,
}

impl Cluster {
    /// The cluster of Kubernetes 1.20, or a line about why the test is skipped.
    pub fn old(test: &str) -> Option<Self> {
        let kubectl = servers::need(test, "kubectl")?;
        for name in ["kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet"] {
            servers::need(test, name)?;
        }
        if !servers::is_root() {
            servers::skip(test, "a kubelet needs root");
            return None;
        }
        let (turn, folder) = (Turn::take("k8s"), tempfile::tempdir().unwrap());
        let kubeconfig = k8s(&["up"]);
        Some(Self { modern: None, kubeconfig, kubectl, folder, _turn: turn })
    }

    /// The API server of Kubernetes 1.36 with these flags, filled; or a line about why the test is skipped.
    pub fn modern(test: &str, flags: &[&str]) -> Option<Self> {
        let cluster = Self::of(test, OWN)?;
        let so = left().flags.as_ref().is_some_and(|now| now == flags);
        if !so {
            cluster.restart(flags);
        }
        cluster.fill();
        Some(cluster)
    }

    /// A 1.36 API server with nothing in it, which is forgotten after the test.
    pub fn empty(test: &str) -> Option<Self> {
        let cluster = Self::of(test, EMPTY)?;
        k8s(&["down", &cluster.flag()]);
        k8s(&["up", &cluster.flag()]);
        Some(cluster)
    }

    fn of(test: &str, number: u16) -> Option<Self> {
        let kubectl = servers::need(test, "kubectl-1.36")?;
        servers::need(test, "apiserver136")?;
        servers::need(test, "etcd-3.5")?;
        let run = servers::testbed().join("run");
        if let Err(error) = std::fs::create_dir_all(run.join(format!("k8s-modern-{number}"))) {
            servers::skip(test, &format!("{}: {error}", run.display()));
            return None;
        }
        let turn = Turn::take(&format!("k8s-modern-{number}"));
        let folder = tempfile::tempdir().unwrap();
        let kubeconfig = servers::testbed().join(format!("run/k8s-modern-{number}/admin.conf"));
        Some(Self { modern: Some(number), kubeconfig, kubectl, folder, _turn: turn })
    }

    /// What chooses the server for `e2e/testbed/k8s` and `k8s-fill`.
    fn flag(&self) -> String {
        self.modern.map(|number| format!("--modern={number}")).unwrap_or_default()
    }

    pub fn is_modern(&self) -> bool {
        self.modern.is_some()
    }

    /// The 1.36 API server ends and comes back: to it every version that a watch stands at is unknown.
    pub fn restart(&self, flags: &[&str]) {
        self.stop("apiserver136");
        let flag = self.flag();
        let up: Vec<&str> = ["up", &flag, "--"].into_iter().chain(flags.iter().copied()).collect();
        k8s(&up);
        self.left_with(Some(flags));
    }

    /// Notes in which state other tests will find the filled server.
    fn left_with(&self, flags: Option<&[&str]>) {
        if self.modern == Some(OWN) {
            let owned = |flags: &[&str]| flags.iter().map(|&flag| flag.to_owned()).collect();
            left().flags = flags.map(owned);
        }
    }

    /// Ends one server.
    pub fn stop(&self, name: &str) {
        self.left_with(None);
        k8s(&["stop", name, &self.flag()]);
    }

    /// Starts what is not running, and waits until the API server is ready.
    pub fn up(&self) {
        k8s(&["up", &self.flag()]);
        self.left_with(Some(&[]));
    }

    fn fill(&self) {
        if left().filled {
            return;
        }
        let list = self.get("/api/v1/pods?limit=1").unwrap();
        let more = list["metadata"]["remainingItemCount"].as_u64().unwrap_or(0);
        if more + 1 < PODS as u64 {
            self.fill_with(PODS);
        }
        self.everything(FIXED);
        left().filled = true;
    }

    /// Makes nodes, replica sets and so many pods that nobody runs.
    pub fn fill_with(&self, pods: usize) {
        let mut fill = Command::new(testbed("k8s-fill"));
        let output = fill.args([&pods.to_string(), &self.flag()]).output().unwrap();
        assert!(output.status.success(), "{output:?}");
    }

    /// Makes or renews an object of every resource that the server has, in a namespace of this name.
    pub fn everything(&self, space: &str) {
        self.apply(&self.every_object(space));
    }

    fn every_object(&self, space: &str) -> String {
        let mut yaml = EVERYTHING.replace("SPACE", space);
        if self.is_modern() {
            for (old, new) in [
                ("batch/v1beta1", "batch/v1"),
                ("policy/v1beta1", "policy/v1"),
                ("autoscaling/v2beta2", "autoscaling/v2"),
            ] {
                yaml = yaml.replace(old, new);
            }
            yaml.push_str("---\n");
            yaml.push_str(&MODERN.replace("SPACE", space));
        }
        yaml
    }

    pub fn apply(&self, yaml: &str) {
        self.tell(&["apply", "--validate=false", "--filename=-"], yaml);
    }

    /// Gives kubectl a text to work on.
    fn tell(&self, args: &[&str], yaml: &str) {
        let mut command = self.command(args);
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(yaml.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    /// What kubectl says.
    pub fn kubectl(&self, args: &[&str]) -> Result<Vec<u8>> {
        let output = self.command(args).output().context("kubectl")?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "kubectl {}: {said}", args.join(" "));
        Ok(output.stdout)
    }

    /// An answer of the API as it comes, without kubectl's own reading of it.
    pub fn get(&self, path: &str) -> Result<Value> {
        Ok(serde_json::from_slice(&self.kubectl(&["get", "--raw", path])?)?)
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(&self.kubectl);
        command.arg(format!("--kubeconfig={}", self.kubeconfig.display()));
        // What one server serves is not what another one did.
        command.arg(format!("--cache-dir={}", self.folder.path().join("cache").display()));
        command.arg("--request-timeout=30s").args(args);
        command
    }

    /// Where the API server listens.
    pub fn address(&self) -> SocketAddr {
        agent::local(self.modern.map_or(16443, |number| 26443 + 10 * number))
    }

    /// Flags of cadvisor-proxy-rs for the kubelet, known by its very certificate.
    pub fn kubelet(&self) -> Vec<String> {
        let pki = self.kubeconfig.with_file_name("pki");
        let file = |name: &str| pki.join(name).display().to_string();
        vec![
            "--target=https://127.0.0.1:10250".to_owned(),
            format!("--target.pin-file={}", file("kubelet-serving.crt")),
            format!("--target.cert-file={}", file("admin.crt")),
            format!("--target.key-file={}", file("admin.key")),
        ]
    }

    /// Where a test may put files.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A namespace of the test's own.
    pub fn space(&self, name: &str) -> Space<'_> {
        let name = unique(name);
        self.begin(&name);
        Space { cluster: self, name }
    }

    /// Waits until no namespace of another test is on its way out, so that nothing goes that this test did not delete.
    pub fn rest(&self) {
        let leaving = || -> Result<()> {
            let list = self.get("/api/v1/namespaces")?;
            let mut spaces = list["items"].as_array().into_iter().flatten();
            let leaving = spaces.find(|space| space["status"]["phase"] == "Terminating");
            ensure!(
                leaving.is_none(),
                "on its way out: {}",
                leaving.unwrap_or(&Value::Null)["metadata"]["name"]
            );
            Ok(())
        };
        wait_until("the end of other namespaces", Duration::from_mins(4), leaving).unwrap();
    }

    /// Makes a namespace that pods can be made in: where there are controllers, they give it an account first, and they
    /// take their time after their API server was away.
    fn begin(&self, name: &str) {
        self.kubectl(&["create", "namespace", name]).unwrap();
        if !self.is_modern() {
            let account = ["get", "serviceaccount", "default", "--namespace", name];
            let within = Duration::from_mins(2);
            wait_until("account of a namespace", within, || self.kubectl(&account)).unwrap();
        }
    }

    /// An object of every resource, for as long as its guard lives.
    pub fn live(&self, name: &str) -> Live<'_> {
        let live = Live { cluster: self, name: unique(name) };
        self.begin(&live.name);
        self.everything(&live.name);
        live
    }

    /// A way to change objects that costs no process each time.
    pub fn api(&self) -> Api {
        let server =
            Server::start("kubectl proxy", &mut self.command(&["proxy", "--port=0"])).unwrap();
        let port = wait_until("port of kubectl proxy", Duration::from_mins(2), || {
            let log = server.log();
            let port = log.trim().rsplit(':').next().and_then(|port| port.parse().ok());
            port.ok_or(log)
        });
        Api { address: agent::local(port.unwrap()), _server: server }
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // After a test that failed nobody knows how the server runs.
        if self.modern == Some(OWN) && std::thread::panicking() {
            *left() = Left { flags: None, filled: false };
        }
        if self.modern == Some(EMPTY) {
            k8s(&["down", &self.flag()]);
        }
    }
}

/// A name that no namespace has, not even one that is on its way out.
fn unique(name: &str) -> String {
    static NUMBER: AtomicUsize = AtomicUsize::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    format!("e2e-{name}-{}-{number}", std::process::id())
}

/// A namespace that goes with its guard.
pub struct Space<'c> {
    cluster: &'c Cluster,
    pub name: String,
}

impl Drop for Space<'_> {
    fn drop(&mut self) {
        let delete = ["delete", "namespace", &self.name, "--wait=false", "--ignore-not-found"];
        if let Err(error) = self.cluster.kubectl(&delete) {
            eprintln!("{error:#}");
        }
    }
}

/// An object of every resource; all of them go with their guard.
pub struct Live<'c> {
    pub cluster: &'c Cluster,
    /// The namespace.
    pub name: String,
}

impl Drop for Live<'_> {
    fn drop(&mut self) {
        let delete = ["delete", "--filename=-", "--ignore-not-found", "--wait=false"];
        self.cluster.tell(&delete, &self.cluster.every_object(&self.name));
    }
}

/// Plain HTTP to the API server, by `kubectl proxy`.
pub struct Api {
    address: SocketAddr,
    _server: Server,
}

impl Api {
    pub fn post(&self, path: &str, body: &Value) -> Result<()> {
        self.call("POST", path, "application/json", body)
    }

    /// A JSON merge patch.
    pub fn patch(&self, path: &str, body: &Value) -> Result<()> {
        self.call("PATCH", path, "application/merge-patch+json", body)
    }

    pub fn put(&self, path: &str, body: &Value) -> Result<()> {
        self.call("PUT", path, "application/json", body)
    }

    pub fn delete(&self, path: &str) -> Result<()> {
        self.call("DELETE", path, "application/json", &serde_json::json!({}))
    }

    fn call(&self, method: &'static str, path: &str, kind: &str, body: &Value) -> Result<()> {
        let request = Request::new(self.address, path).timeout(Duration::from_secs(5));
        let answer = request.sending(method, kind, serde_json::to_vec(body)?).send()?;
        let text = answer.text()?;
        let head: String = text.chars().take(300).collect();
        ensure!((200..300).contains(&answer.status), "{method} {path}: {} {head}", answer.status);
        Ok(())
    }
}

fn left() -> MutexGuard<'static, Left> {
    LEFT.lock().unwrap()
}

/// Runs `e2e/testbed/k8s`; the last line it prints is the kubeconfig's path.
fn k8s(args: &[&str]) -> PathBuf {
    let args: Vec<&str> = args.iter().copied().filter(|arg| !arg.is_empty()).collect();
    let output = Command::new(testbed("k8s")).args(&args).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "k8s {}: {said}", args.join(" "));
    let printed = String::from_utf8_lossy(&output.stdout);
    printed.lines().next_back().unwrap_or_default().into()
}

fn testbed(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testbed").join(name)
}
