//! The roles that the manifests give: with all of it no agent misses anything, and each right that is taken is missed by name.
//!
//! An agent that may not say which verb of which resource it wanted would hide a right too many. So each of them is run twice
//! by an account of its own, with every `list` taken and with every `watch` taken, and what its log misses is compared with
//! the role, resource by resource.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use e2e::agent::{self, local};
use e2e::cluster::{Cluster, Space};
use e2e::http::get;
use e2e::{Agent, free_port, wait_until};
use serde_json::{Value, json};

use crate::stage::PATIENCE;

/// Verb, group and resource.
type Rights = BTreeSet<(String, String, String)>;

fn manifests(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../manifests").join(path)
}

/// The objects of a file, as kubectl reads it.
fn objects(cluster: &Cluster, path: &str) -> Vec<Value> {
    let file = format!("--filename={}", manifests(path).display());
    let args = ["create", "--dry-run=client", "--validate=false", "--output=json", &file];
    let text = cluster.kubectl(&args).unwrap();
    serde_json::Deserializer::from_slice(&text).into_iter().map(Result::unwrap).collect()
}

fn role(objects: &[Value]) -> &Value {
    let mut roles = objects.iter().filter(|object| object["kind"] == "ClusterRole");
    roles.next().unwrap()
}

/// What a role allows; a rule about paths is none of ours.
fn rights(role: &Value) -> Rights {
    let list = |value: &Value| -> Vec<String> {
        let texts = value.as_array().into_iter().flatten();
        texts.filter_map(|text| text.as_str().map(str::to_owned)).collect()
    };
    let mut rights = Rights::new();
    for rule in role["rules"].as_array().unwrap() {
        for verb in list(&rule["verbs"]) {
            for group in list(&rule["apiGroups"]) {
                for resource in list(&rule["resources"]) {
                    rights.insert((verb.clone(), group.clone(), resource));
                }
            }
        }
    }
    rights
}

/// An account that may what it is given, and a kubeconfig with its token.
struct Account<'c> {
    cluster: &'c Cluster,
    space: Space<'c>,
    kubeconfig: PathBuf,
}

impl<'c> Account<'c> {
    /// The role of the manifests, less one verb; with `except` as "" the whole of it.
    fn with(cluster: &'c Cluster, role: &Value, except: &str) -> Self {
        let space = cluster.space("rights");
        let name = &space.name;
        let mut rules = role["rules"].clone();
        for rule in rules.as_array_mut().unwrap() {
            rule["verbs"].as_array_mut().unwrap().retain(|verb| verb != except);
        }
        rules.as_array_mut().unwrap().retain(|rule| rule["verbs"] != json!([]));
        let subjects = json!([{"kind": "ServiceAccount", "name": "default", "namespace": name}]);
        let group = "rbac.authorization.k8s.io";
        for object in [
            json!({"apiVersion": format!("{group}/v1"), "kind": "ClusterRole", "metadata": {"name": name}, "rules": rules}),
            json!({"apiVersion": format!("{group}/v1"), "kind": "ClusterRoleBinding", "metadata": {"name": name}, "subjects": subjects,
                "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": name}}),
        ] {
            cluster.apply(&object.to_string());
        }
        let kubeconfig = cluster.folder().join(format!("{name}.conf"));
        let account = Self { cluster, space, kubeconfig };
        account.write().unwrap();
        account
    }

    fn write(&self) -> Result<()> {
        let name = &self.space.name;
        let account =
            self.cluster.get(&format!("/api/v1/namespaces/{name}/serviceaccounts/default"))?;
        let secret = account["secrets"][0]["name"].as_str().context("no secret")?;
        let secret = self.cluster.get(&format!("/api/v1/namespaces/{name}/secrets/{secret}"))?;
        let token = secret["data"]["token"].as_str().context("no token")?;
        let token = exporter_toolkit::base64::decode(token).context("no base64")?;
        let ca = self.cluster.kubeconfig.with_file_name("pki").join("ca.crt");
        let config = json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "c",
            "clusters": [{"name": "c", "cluster": {
                "server": format!("https://{}", self.cluster.address()), "certificate-authority": ca}}],
            "users": [{"name": "u", "user": {"token": String::from_utf8(token)?}}],
            "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
        });
        Ok(std::fs::write(&self.kubeconfig, config.to_string())?)
    }

    fn flag(&self) -> String {
        format!("--kubeconfig={}", self.kubeconfig.display())
    }
}

impl Drop for Account<'_> {
    fn drop(&mut self) {
        let name = &self.space.name;
        let delete = ["delete", "clusterrole,clusterrolebinding", name, "--wait=false"];
        if let Err(error) = self.cluster.kubectl(&delete) {
            eprintln!("{error:#}");
        }
    }
}

/// What an agent's log says that it may not.
fn missed(log: &str) -> Rights {
    let between = |line: &str, start: &str| -> Option<String> {
        let (_, rest) = line.split_once(start)?;
        let end = rest.find(['"', '\\']).unwrap_or(rest.len());
        rest.get(..end).map(str::to_owned)
    };
    let lines = log.replace("\\\"", "\"");
    let found = lines.lines().filter_map(|line| {
        let (_, rest) = line.split_once("cannot ")?;
        let verb = rest.split(' ').next()?.to_owned();
        Some((verb, between(rest, "in API group \"")?, between(rest, "resource \"")?))
    });
    found.collect()
}

/// Groups and resources that the API server has.
fn served(cluster: &Cluster) -> BTreeSet<(String, String)> {
    let text = cluster.kubectl(&["api-resources", "--verbs=list,watch", "--output=name"]).unwrap();
    let text = String::from_utf8(text).unwrap();
    let pairs = text.lines().map(|name| name.split_once('.').unwrap_or((name, "")));
    pairs.map(|(resource, group)| (group.to_owned(), resource.to_owned())).collect()
}

/// Runs a program with the whole role and with each verb taken, and compares what it misses with what was taken.
fn each_is_needed(cluster: &Cluster, role: &Value, start: impl Fn(&Account<'_>) -> Agent) {
    let served = served(cluster);
    let all: Rights = rights(role)
        .into_iter()
        .filter(|(_, group, resource)| served.contains(&(group.clone(), resource.clone())))
        .collect();
    assert!(!all.is_empty());
    let run = |except: &str| {
        let account = Account::with(cluster, role, except);
        let agent = start(&account);
        (account, agent)
    };
    let (lists, watches, whole) = (run("list"), run("watch"), run(""));
    for ((_, agent), verb) in [(&lists, "list"), (&watches, "watch")] {
        let taken: Rights = all.iter().filter(|(of, ..)| of == verb).cloned().collect();
        wait_until(&format!("complaints about {verb}"), PATIENCE, || {
            let missed = missed(&agent.server.log());
            let unknown: Vec<_> = taken.difference(&missed).collect();
            ensure!(unknown.is_empty(), "rights that nobody misses: {unknown:?}");
            let more: Vec<_> = missed.difference(&taken).collect();
            ensure!(more.is_empty(), "rights that the role lacks: {more:?}");
            Ok::<_, anyhow::Error>(())
        })
        .unwrap();
    }
    let (_account, agent) = whole;
    wait_until("readiness with the whole role", PATIENCE, || {
        let answer = get(agent.address, "/readyz")?;
        ensure!(answer.status == 200, "{} {}", answer.status, answer.text()?);
        Ok::<_, anyhow::Error>(())
    })
    .unwrap();
    assert_eq!(missed(&agent.server.log()), Rights::new(), "rights that the role lacks");
}

/// Starts a program that need not become ready.
fn spawn(program: &std::path::Path, args: &[String], port: u16) -> Agent {
    let mut command = Command::new(program);
    Agent::spawn(local(port), command.args(args).stdin(Stdio::null())).unwrap()
}

pub(crate) fn each_right_of_kube_state_rs_is_needed() {
    let Some(cluster) = Cluster::old("the role of kube-state-rs") else { return };
    let objects = objects(&cluster, "base/kube-state-rs/role.yaml");
    each_is_needed(&cluster, role(&objects), |account| {
        let (port, own) = (free_port().unwrap(), free_port().unwrap());
        let args = [
            account.flag(),
            "--host=127.0.0.1".to_owned(),
            format!("--port={port}"),
            "--telemetry-host=127.0.0.1".to_owned(),
            format!("--telemetry-port={own}"),
        ];
        spawn(&agent::kube_state_rs().unwrap(), &args, port)
    });
}

pub(crate) fn each_right_of_consul_registrar_is_needed() {
    let Some(cluster) = Cluster::old("the role of consul-registrar") else { return };
    let objects = objects(&cluster, "base/consul-registrar/rbac.yaml");
    let rules = manifests("base/consul-registrar/rules.yaml");
    each_is_needed(&cluster, role(&objects), |account| {
        let port = free_port().unwrap();
        let args = [
            "kubernetes".to_owned(),
            "--cluster-name=rights".to_owned(),
            account.flag(),
            format!("--rules={}", rules.display()),
            format!("--web.listen-address=127.0.0.1:{port}"),
        ];
        spawn(&agent::consul_registrar().unwrap(), &args, port)
    });
}

/// Pods for who is who, and the kubelet's own metrics.
pub(crate) fn each_right_of_cadvisor_proxy_rs_is_needed() {
    let Some(cluster) = Cluster::old("the role of cadvisor-proxy-rs") else { return };
    let objects = objects(&cluster, "base/cadvisor-proxy-rs/rbac.yaml");
    let role = role(&objects);
    let start = |account: &Account<'_>| {
        let (port, own) = (free_port().unwrap(), free_port().unwrap());
        let token = account.kubeconfig.with_extension("token");
        let config: Value =
            serde_json::from_slice(&std::fs::read(&account.kubeconfig).unwrap()).unwrap();
        std::fs::write(&token, config["users"][0]["user"]["token"].as_str().unwrap()).unwrap();
        let pin = cluster.kubeconfig.with_file_name("pki").join("kubelet-serving.crt");
        let args = [
            "--source=kubelet".to_owned(),
            "--target=https://127.0.0.1:10250".to_owned(),
            format!("--target.pin-file={}", pin.display()),
            format!("--target.token-file={}", token.display()),
            "--identity=api".to_owned(),
            "--identity.node=testbed-node".to_owned(),
            format!("--identity.kubeconfig={}", account.kubeconfig.display()),
            format!("--web.listen-address=127.0.0.1:{port}"),
            format!("--telemetry.listen-address=127.0.0.1:{own}"),
        ];
        spawn(&agent::cadvisor_proxy_rs().unwrap(), &args, port)
    };
    each_is_needed(&cluster, role, start);
    let without = Account::with(&cluster, role, "get");
    let proxy = start(&without);
    let scrape = |proxy: &Agent, status: u16| {
        wait_until("answer", PATIENCE, || {
            let request = proxy.request("/metrics/cadvisor").timeout(Duration::from_secs(30));
            let answer = request.send()?;
            let text = answer.text()?;
            ensure!(answer.status == status, "{} {text}", answer.status);
            Ok::<_, anyhow::Error>(text)
        })
        .unwrap()
    };
    let refused = scrape(&proxy, 502);
    assert!(refused.contains("nodes/metrics"), "{refused}");
    let with = Account::with(&cluster, role, "");
    scrape(&start(&with), 200);
}

/// What the programs print for their flags and rules is what the manifests hold.
pub(crate) fn the_manifests_give_what_the_programs_print() {
    let Some(cluster) = Cluster::old("roles in the manifests") else { return };
    let printed = |program: PathBuf, args: &[String]| {
        let output = Command::new(program).arg("rbac").args(args).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        let file = cluster.folder().join("printed.yaml");
        std::fs::write(&file, output.stdout).unwrap();
        // An absolute path stands for itself.
        rights(role(&objects(&cluster, file.to_str().unwrap())))
    };
    let kube = rights(role(&objects(&cluster, "base/kube-state-rs/role.yaml")));
    assert_eq!(printed(agent::kube_state_rs().unwrap(), &[]), kube);
    let registrar = rights(role(&objects(&cluster, "base/consul-registrar/rbac.yaml")));
    let rules = format!("--rules={}", manifests("base/consul-registrar/rules.yaml").display());
    assert_eq!(printed(agent::consul_registrar().unwrap(), &[rules]), registrar);
}
