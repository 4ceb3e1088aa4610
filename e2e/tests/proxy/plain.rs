//! A machine with docker and no Kubernetes: a real `cAdvisor` as the source, docker tells the addresses.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use e2e::agent::local;
use e2e::docker::docker;
use e2e::{Scrape, Server, free_port, servers, wait_until};

use crate::subject::{label, proxy};

const IMAGE: &str = "testbed/busybox:1";
/// `cAdvisor` finds a new container within a minute.
const PATIENCE: Duration = Duration::from_mins(3);

/// A container that goes with its guard.
struct Running(String);

impl Running {
    fn start(what: &str, flags: &[&str]) -> Self {
        let name = format!("e2e-{what}-{}", std::process::id());
        let mut args = vec!["run", "--detach", "--name", &name];
        args.extend(flags);
        args.extend([IMAGE, "sleep", "3600"]);
        docker(&args);
        Self(name)
    }

    fn address(&self) -> String {
        docker(&["inspect", "--format={{.NetworkSettings.IPAddress}}", &self.0])
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let removed = Command::new("docker").args(["rm", "--force", &self.0]).output();
        if !removed.is_ok_and(|output| output.status.success()) {
            eprintln!("{} stays", self.0);
        }
    }
}

fn cadvisor(program: &Path) -> (Server, String) {
    let port = free_port().unwrap();
    let mut command = Command::new(program);
    command.args(["-listen_ip=127.0.0.1", &format!("-port={port}")]);
    let server = Server::start("cadvisor", &mut command).unwrap();
    wait_until("cAdvisor's start", PATIENCE, || e2e::http::get(local(port), "/healthz")).unwrap();
    (server, format!("--target=http://127.0.0.1:{port}"))
}

/// The series of a container carry its name and this address.
fn is_labelled(scrape: &Scrape, container: &Running, ip: Option<&str>) -> Result<()> {
    let name = Some(container.0.as_str());
    let ours: Vec<_> = scrape.series.keys().filter(|key| label(key, "name") == name).collect();
    ensure!(ours.len() > 20, "{} has {} series", container.0, ours.len());
    for key in ours {
        ensure!(label(key, "pod_name") == name && label(key, "pod_ip") == ip, "{key}");
    }
    Ok(())
}

#[test]
fn containers_of_plain_docker_carry_their_name_and_the_address_that_docker_shows() {
    let test = "cAdvisor on plain docker through cadvisor-proxy-rs";
    let Some(program) = servers::need(test, "cadvisor") else { return };
    let known = Command::new("docker").args(["image", "inspect", IMAGE]).output();
    if !known.is_ok_and(|output| output.status.success()) {
        return servers::skip(test, "no docker, or no image of the testbed in it");
    }
    let (bridged, hosts) =
        (Running::start("own", &[]), Running::start("host", &["--network=host"]));
    let (_cadvisor, target) = cadvisor(&program);
    let flags = ["--source=cadvisor", &target, "--identity=docker", "--identity.host-ip=192.0.2.7"];
    let (proxy, own) = proxy(&flags);
    let check = |first: &Running| {
        wait_until("labelled series", PATIENCE, || {
            let scrape = proxy.scrape("/metrics")?;
            is_labelled(&scrape, first, Some(&first.address()))?;
            is_labelled(&scrape, &hosts, Some("192.0.2.7"))
        })
        .unwrap();
    };
    check(&bridged);
    // Another container gets the address that is free again.
    drop(bridged);
    check(&Running::start("next", &[]));
    let response = e2e::http::get(own, "/metrics").unwrap();
    let about = Scrape::parse(&response.text().unwrap()).unwrap();
    let up = about.one("cadvisor_proxy_upstream_up").context("no cadvisor_proxy_upstream_up");
    assert!(up.unwrap() > 0.0);
}
