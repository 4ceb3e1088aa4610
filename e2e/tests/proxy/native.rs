//! The native reader of cgroups beside a real `cAdvisor` in one run: every family of both, series by series.

mod compare;
mod known;
mod loads;
mod look;

use std::process::Command;
use std::time::Duration;

use anyhow::{Result, ensure};
use e2e::agent::local;
use e2e::{Agent, Server, free_port, servers, wait_until};

use crate::subject::proxy;
use compare::{Comparison, always, named};
use known::CADVISOR;
use loads::Loads;
use look::{Look, label};

const PATIENCE: Duration = Duration::from_mins(3);
/// Two that read at their own moments may disagree once.
const ROUNDS: usize = 3;

/// Reads all cgroups once a second, whatever their load.
fn cadvisor(program: &std::path::Path) -> (Server, u16) {
    let port = free_port().unwrap();
    let mut command = Command::new(program);
    command.args(["-listen_ip=127.0.0.1", &format!("-port={port}")]);
    command.args(["-housekeeping_interval=1s", "-allow_dynamic_housekeeping=false"]);
    command.args(["-store_container_labels=false", "-whitelisted_container_labels=com.example.app"]);
    command.arg("-disable_metrics=percpu,tcp,udp,advtcp,sched,hugetlb,referenced_memory,cpu_topology,resctrl");
    let server = Server::start("cadvisor", &mut command).unwrap();
    wait_until("cAdvisor's start", PATIENCE, || e2e::http::get(local(port), "/healthz")).unwrap();
    (server, port)
}

fn ask(port: u16) -> Result<String> {
    let response = e2e::http::get(local(port), "/metrics")?;
    ensure!(response.status == 200, "status {}", response.status);
    Ok(response.text()?)
}

/// Waits until all containers are in the answer.
fn all_there(what: &str, loads: &Loads, ask: &dyn Fn() -> Result<String>) {
    wait_until(what, PATIENCE, || {
        let look = Look::take(ask)?;
        for name in &loads.names {
            let usage = look.value("container_memory_usage_bytes", &[("name", name)]);
            ensure!(usage.is_some(), "no {name}");
        }
        Ok::<_, anyhow::Error>(())
    })
    .unwrap();
}

/// docker with the testbed's image, or a line about why the test is skipped.
fn has_docker(test: &str) -> bool {
    let known = Command::new("docker").args(["image", "inspect", "testbed/busybox:1"]).output();
    let has = known.is_ok_and(|output| output.status.success());
    if !has {
        servers::skip(test, "no docker, or no image of the testbed in it");
    }
    has
}
