//! What a registrar follows goes away, or what it writes to: nothing is deleted that is still there.

use std::io::copy;
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{sleep, spawn};
use std::time::Duration;

use anyhow::ensure;
use e2e::cluster::Cluster;
use e2e::{servers, wait_until};

use crate::scene::{Consul, Nodes, PATIENCE, instances, registrar};

/// Long enough for many retries of a source, and for several passes.
const AWHILE: Duration = Duration::from_secs(8);

#[test]
fn an_api_server_that_is_away_empties_nothing_and_two_clusters_never_touch_each_other() {
    let test = "consul-registrar without its API server";
    let Some(cluster) = Cluster::empty(test) else { return };
    let Some(consul) = Consul::start(test) else { return };
    let nodes = Nodes::new(&cluster, "away");
    for number in [1, 2, 3] {
        nodes.add(number);
    }
    let to_consul = format!("--consul=http://{}", consul.address);
    let mut flags = nodes.flags(cluster.folder(), 9100);
    flags.push(to_consul.clone());
    let one = registrar("kubernetes", "one", &flags);
    // The other cluster has a target that the first one has, too.
    let file = cluster.folder().join("targets.yaml");
    std::fs::write(&file, "- {service: node-exporter, targets: ['127.0.77.1:9100']}\n").unwrap();
    let other = [format!("--file={}", file.display()), to_consul];
    let two = registrar("static", "two", &other);
    consul.expect("node-exporter", "one", &instances(&[1, 2, 3], 9100));
    consul.expect("node-exporter", "two", &instances(&[1], 9100));

    cluster.stop("apiserver136");
    sleep(AWHILE);
    consul.expect("node-exporter", "one", &instances(&[1, 2, 3], 9100));
    // One that starts meanwhile knows nothing and deletes nothing.
    drop(one);
    let program = e2e::agent::consul_registrar().unwrap();
    let mut command = Command::new(program);
    let address = e2e::agent::local(e2e::free_port().unwrap());
    command.args(["kubernetes", "--cluster-name=one"]).args(&flags);
    command.arg(format!("--web.listen-address={address}"));
    let _one = e2e::Agent::spawn(address, &mut command).unwrap();
    sleep(AWHILE);
    consul.expect("node-exporter", "one", &instances(&[1, 2, 3], 9100));

    cluster.up();
    cluster.kubectl(&["delete", "node", &nodes.name(3)]).unwrap();
    consul.expect("node-exporter", "one", &instances(&[1, 2], 9100));
    std::fs::write(&file, "[]\n").unwrap();
    consul.expect("node-exporter", "two", &[]);
    assert_eq!(consul.instances("node-exporter", "one").unwrap(), instances(&[1, 2], 9100));
    drop(two);
}

/// dockerd's socket under another path, until it is told to be away.
struct Relay(Arc<AtomicBool>);

impl Relay {
    fn start(at: &Path) -> Self {
        let listener = UnixListener::bind(at).unwrap();
        let away = Arc::new(AtomicBool::new(false));
        let state = Arc::clone(&away);
        spawn(move || {
            for stream in listener.incoming() {
                let (Ok(client), Ok(docker)) =
                    (stream, UnixStream::connect("/var/run/docker.sock"))
                else {
                    continue;
                };
                if !state.load(Ordering::Relaxed) {
                    relay(client, docker, Arc::clone(&state));
                }
            }
        });
        Self(away)
    }

    fn away(&self, away: bool) {
        self.0.store(away, Ordering::Relaxed);
    }
}

/// Carries bytes both ways until either side ends or dockerd is to be away.
fn relay(client: UnixStream, docker: UnixStream, away: Arc<AtomicBool>) {
    for (from, to) in [(&client, &docker), (&docker, &client)] {
        let (mut from, mut to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
        spawn(move || {
            // Either end may be gone first.
            drop(copy(&mut from, &mut to));
            drop(to.shutdown(Shutdown::Both));
        });
    }
    spawn(move || {
        while !away.load(Ordering::Relaxed) {
            sleep(Duration::from_millis(50));
        }
        drop(client.shutdown(Shutdown::Both));
    });
}

fn docker(args: &[&str]) {
    let output = Command::new("docker").args(args).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// A container that goes with its guard.
struct Container(String);

impl Drop for Container {
    fn drop(&mut self) {
        docker(&["rm", "--force", &self.0]);
    }
}

#[test]
fn a_dockerd_that_is_away_empties_nothing_and_containers_come_and_go() {
    let test = "consul-registrar docker";
    // The cluster brings the image.
    let Some(cluster) = Cluster::old(test) else { return };
    let Some(consul) = Consul::start(test) else { return };
    let socket = cluster.folder().join("docker.sock");
    let relay = Relay::start(&socket);
    let service = format!("e2e-{}", std::process::id());
    let run = |number: u8, port: &str| {
        let name = format!("{service}-{number}");
        let labels = [format!("e2e.service={service}"), format!("e2e.port={port}")];
        let [service, port] = labels.each_ref().map(|label| format!("--label={label}"));
        docker(&[
            "run",
            "--detach",
            "--network=host",
            "--name",
            &name,
            &service,
            &port,
            "testbed/pause:1",
        ]);
        Container(name)
    };
    let first = run(1, "8081");
    let flags = [
        format!("--docker=unix://{}", socket.display()),
        format!("--consul=http://{}", consul.address),
        "--label-prefix=e2e".to_owned(),
        "--ip=10.77.0.1".to_owned(),
    ];
    let _registrar = registrar("docker", "docker", &flags);
    let at = |port: u16| format!("10.77.0.1:{port}");
    consul.expect(&service, "docker", &[at(8081)]);
    let second = run(2, "8082");
    consul.expect(&service, "docker", &[at(8081), at(8082)]);

    relay.away(true);
    drop(first);
    sleep(AWHILE);
    consul.expect(&service, "docker", &[at(8081), at(8082)]);
    relay.away(false);
    consul.expect(&service, "docker", &[at(8082)]);
    drop(second);
    consul.expect(&service, "docker", &[]);
}

#[test]
fn a_full_disk_leaves_the_file_of_before_whole_and_is_made_good() {
    let test = "consul-registrar and a full disk";
    if !servers::is_root() {
        return servers::skip(test, "a mount needs root");
    }
    let folder = tempfile::tempdir().unwrap();
    let mount = folder.path().join("small");
    std::fs::create_dir(&mount).unwrap();
    let mounted = Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=64k", "tmpfs"])
        .arg(&mount)
        .status()
        .unwrap();
    assert!(mounted.success());
    let _mounted = Mounted(&mount);
    let targets = folder.path().join("targets.yaml");
    let write = |count: u16| {
        let list: Vec<String> =
            (1..=count).map(|n| format!("10.77.{}.{}:1", n / 250, n % 250 + 1)).collect();
        std::fs::write(&targets, format!("- {{service: a, targets: [{}]}}\n", list.join(", ")))
            .unwrap();
    };
    write(2);
    let file = mount.join("sd.json");
    let flags =
        [format!("--file={}", targets.display()), format!("--sink=file={}", file.display())];
    let _registrar = registrar("static", "disk", &flags);
    let expect = |count: usize| {
        wait_until("targets in the file", PATIENCE, || {
            let list: serde_json::Value = serde_json::from_slice(&std::fs::read(&file)?)?;
            let found = list.as_array().map_or(0, Vec::len);
            ensure!(found == count, "{found} targets instead of {count}");
            Ok::<_, anyhow::Error>(())
        })
        .unwrap();
    };
    expect(2);
    write(2000);
    sleep(AWHILE);
    expect(2);
    assert_eq!(
        std::fs::read_dir(&mount).unwrap().count(),
        1,
        "nothing half-written is left behind"
    );
    let larger =
        Command::new("mount").args(["-o", "remount,size=8m"]).arg(&mount).status().unwrap();
    assert!(larger.success());
    expect(2000);
}

struct Mounted<'a>(&'a Path);

impl Drop for Mounted<'_> {
    fn drop(&mut self) {
        if let Err(error) = Command::new("umount").arg("--lazy").arg(self.0).status() {
            eprintln!("umount: {error}");
        }
    }
}
