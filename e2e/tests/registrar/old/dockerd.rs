//! A dockerd that is away, and containers that come and go.

use std::io::copy;
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{sleep, spawn};
use std::time::Duration;

use e2e::cluster::Cluster;
use e2e::docker::docker;

use crate::away::AWHILE;
use crate::consul;
use crate::scene::registrar;

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
    let Some(consul) = consul::start(test) else { return };
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
        format!("--consul={}", consul.url()),
        "--label-prefix=e2e".to_owned(),
        "--ip=10.77.0.1".to_owned(),
    ];
    let _registrar = registrar("docker", "docker", &flags);
    let at = |port: u16| format!("10.77.0.1:{port}");
    consul.expect(&service, "docker", &[at(8081)]).unwrap();
    let second = run(2, "8082");
    consul.expect(&service, "docker", &[at(8081), at(8082)]).unwrap();

    relay.away(true);
    drop(first);
    sleep(AWHILE);
    consul.expect(&service, "docker", &[at(8081), at(8082)]).unwrap();
    relay.away(false);
    consul.expect(&service, "docker", &[at(8082)]).unwrap();
    drop(second);
    consul.expect(&service, "docker", &[]).unwrap();
}
