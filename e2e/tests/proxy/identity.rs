//! Each source of identity by itself, while pods start, restart, use the host's network and die, and while dockerd and
//! the API server are away.

use std::process::Command;
use std::time::Duration;

use anyhow::{Result, ensure};
use e2e::cluster::Cluster;
use e2e::{Server, agent, wait_until};

use crate::truth::{self, Addresses, Past};

const PODS: &str = include_str!("objects/pods.yaml");
/// A kubelet that could not make a sandbox tries again after a minute and more.
const PATIENCE: Duration = Duration::from_mins(5);

/// The example that prints each change of what a source knows.
struct Source {
    name: &'static str,
    server: Server,
}

/// A line about a pod: `12.345 + pod NAMESPACE/NAME UID ADDRESS …`.
struct Line {
    added: bool,
    name: String,
    uid: String,
    ip: Option<String>,
    there: bool,
}

impl Line {
    fn of(text: &str, space: &str) -> Option<Self> {
        let words: Vec<&str> = text.split_ascii_whitespace().collect();
        let [_, sign, "pod", name, uid, ip, rest @ ..] = words.as_slice() else { return None };
        Some(Self {
            added: *sign == "+",
            name: name.strip_prefix(space)?.strip_prefix('/')?.to_owned(),
            uid: (*uid).to_owned(),
            ip: Some(*ip).filter(|ip| *ip != "-").map(str::to_owned),
            there: rest.contains(&"there"),
        })
    }
}

impl Source {
    fn start(name: &'static str, flags: &[String]) -> Self {
        let mut command = Command::new(agent::identity_example().unwrap());
        command.arg(format!("--identity={name}")).args(flags);
        Self { name, server: Server::start(name, &mut command).unwrap() }
    }

    fn lines(&self, space: &str) -> Vec<Line> {
        self.server.log().lines().filter_map(|text| Line::of(text, space)).collect()
    }

    /// What it says now of pods that are there.
    fn addresses(&self, space: &str) -> Addresses {
        let mut now = Addresses::new();
        for line in self.lines(space) {
            let key = (line.name, line.uid);
            match line.ip.filter(|_| line.added && line.there) {
                Some(ip) => drop(now.insert(key, ip)),
                None => drop(now.remove(&key)),
            }
        }
        now
    }

    /// It never gave a pod an address that kubectl never showed.
    fn was_never_wrong(&self, space: &str, past: &Past) {
        for line in self.lines(space) {
            let Some(ip) = &line.ip else { continue };
            let known = past.holds(&line.uid, ip);
            assert!(known, "{}: {} {} never had {ip}", self.name, line.name, line.uid);
        }
    }
}

/// Those that are told of each change.
fn told(cluster: &Cluster) -> Vec<Source> {
    let host = vec![truth::host_ip(cluster)];
    let api = vec![
        "--identity.node=testbed-node".to_owned(),
        format!("--identity.kubeconfig={}", cluster.kubeconfig.display()),
    ];
    let both: Vec<String> = api.iter().chain(&host).cloned().collect();
    let sources = [("docker", host), ("api", api), ("docker,api", both)];
    sources.map(|(name, flags)| Source::start(name, &flags)).into()
}

/// The kubelet, known by its very certificate; it is asked now, and again when somebody meets an unknown id.
fn asked(cluster: &Cluster) -> Source {
    let file =
        |name: &str| cluster.kubeconfig.with_file_name("pki").join(name).display().to_string();
    let flags = [
        truth::host_ip(cluster),
        "--identity.kubelet-url=https://127.0.0.1:10250".to_owned(),
        format!("--identity.kubelet-pin-file={}", file("kubelet-serving.crt")),
        format!("--identity.kubelet-cert-file={}", file("admin.crt")),
        format!("--identity.kubelet-key-file={}", file("admin.key")),
    ];
    Source::start("kubelet", &flags)
}

/// Waits until kubectl shows four pods with addresses, and the sources say the same.
fn agree(cluster: &Cluster, space: &str, sources: &[Source], past: &mut Past) -> Addresses {
    wait_until("agreement with kubectl", PATIENCE, || -> Result<Addresses> {
        let shown = truth::now(cluster, space)?;
        past.add(&shown);
        ensure!(shown.len() == 4, "kubectl shows {shown:?}");
        for source in sources {
            let told = source.addresses(space);
            ensure!(told == shown, "{}: {told:?}, kubectl shows {shown:?}", source.name);
        }
        Ok(shown)
    })
    .unwrap()
}

#[test]
fn every_source_tells_the_addresses_that_kubectl_shows_and_never_another() {
    let Some(cluster) = Cluster::old("sources of identity") else { return };
    let (space, mut past) = (cluster.space("identity"), Past::default());
    let space = &space.name;
    let sources = told(&cluster);
    cluster.apply(&PODS.replace("SPACE", space));
    let before = agree(&cluster, space, &sources, &mut past);
    assert!(before.keys().any(|(name, _)| name == "host"), "{before:?}");
    agree(&cluster, space, &[asked(&cluster)], &mut past);
    // Two pods die, and others take their place.
    let delete = ["delete", "pod", "--namespace", space, "--selector=app=web", "--wait=true"];
    cluster.kubectl(&delete).unwrap();
    let after = agree(&cluster, space, &sources, &mut past);
    assert_ne!(before, after);
    for source in &sources {
        source.was_never_wrong(space, &past);
    }
    // All sandboxes are made anew, in any order, while nobody can tell the API server.
    cluster.stop("kube-apiserver");
    cluster.stop("dockerd");
    cluster.up();
    wait_until("new sandboxes", PATIENCE, || {
        let ready = truth::restarted(&cluster, space)?;
        ensure!(ready, "kubectl still shows the old ones");
        Ok::<_, anyhow::Error>(())
    })
    .unwrap();
    agree(&cluster, space, &sources, &mut past);
    agree(&cluster, space, &[asked(&cluster)], &mut past);
}
