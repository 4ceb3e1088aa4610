//! The native reader of cgroups beside a real `cAdvisor` in one run: every family of both, series by series.

mod churn;
mod compare;
mod fill;
mod generated;
mod known;
mod kubelet;
mod loads;
mod look;

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Result, ensure};
use e2e::agent::local;
use e2e::docker::docker;
use e2e::{Server, free_port, servers, wait_until};

use crate::subject::proxy;
use compare::{Comparison, always, told};
use known::CADVISOR;
use loads::Loads;
use look::{Look, family, label};

const PATIENCE: Duration = Duration::from_mins(3);
/// Two that read at their own moments may disagree once.
const ROUNDS: usize = 3;
const FLAGS: &[&str] = &[
    "--source=cgroup",
    "--identity=docker",
    "--identity.host-ip=192.0.2.7",
    "--identity.container-labels=com.example.app",
    "--cgroup.enable=descriptors",
];

/// Reads all cgroups once a second, whatever their load; `less` are further kinds of metrics that it leaves out.
fn cadvisor(program: &Path, less: &str) -> (Server, u16) {
    let port = free_port().unwrap();
    let mut command = Command::new(program);
    command.args(["-listen_ip=127.0.0.1", &format!("-port={port}")]);
    command.args(["-housekeeping_interval=1s", "-allow_dynamic_housekeeping=false"]);
    command
        .args(["-store_container_labels=false", "-whitelisted_container_labels=com.example.app"]);
    // What needs a walk of all sockets or files, and a series for each CPU, which the kubelet does not have either.
    let kinds = "percpu,tcp,udp,advtcp,sched,hugetlb,referenced_memory,cpu_topology,resctrl";
    command.arg(format!("-disable_metrics={kinds}{less}"));
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
    let known = Command::new("docker").args(["image", "inspect", loads::IMAGE]).output();
    let has = known.is_ok_and(|output| output.status.success());
    if !has {
        servers::skip(test, "no docker, or no image of the testbed in it");
    }
    has
}

#[test]
fn every_series_of_cadvisor_on_plain_docker_is_here_with_its_value() {
    let test = "cadvisor-proxy-rs reads cgroups beside cAdvisor";
    let Some(program) = servers::need(test, "cadvisor") else { return };
    if !has_docker(test) {
        return;
    }
    let Some(disk) = loads::disk() else {
        return servers::skip(test, "docker's files are on no device");
    };
    let loads = Loads::all("native", &disk);
    let (_cadvisor, port) = cadvisor(&program, "");
    let (agent, _own) = proxy(FLAGS);
    let (ours, theirs) = (|| agent.text("/metrics"), || ask(port));
    all_there("containers in cAdvisor", &loads, &theirs);
    all_there("containers in cadvisor-proxy-rs", &loads, &ours);
    let about = |key: &str| {
        family(key).starts_with("machine_")
            || label(key, "name").is_some_and(|name| loads.names.contains(name))
    };
    let (before, pause) = (Duration::from_secs(4), Duration::from_millis(250));
    let round = |_| Comparison::take(before, pause, &ours, &theirs).unwrap();
    let rounds: Vec<Comparison> = (0..ROUNDS).map(round).collect();
    let wrong = always(rounds.iter().map(|round| round.wrong(CADVISOR, &about)));
    assert!(wrong.is_empty(), "{}", told(&wrong));
    let last = rounds.last().unwrap();
    assert_eq!(last.stale(CADVISOR, &about), Vec::<String>::new());
    says_what_docker_was_told(&loads, rounds[0].ours().0, last.ours().1);
    // Limits that are changed are told at the very next scrape.
    let name = loads.name("fill");
    let memory = (loads::FILL_LIMIT + (8 << 20)).to_string();
    docker(&["update", "--memory", &memory, "--memory-swap", &memory, "--cpu-shares=300", &name]);
    let look = Look::take(ours).unwrap();
    for (what, wanted) in [
        ("container_spec_memory_limit_bytes", loads::FILL_LIMIT + (8 << 20)),
        ("container_spec_cpu_shares", 300),
    ] {
        let said = look.value(what, &[("name", &name)]);
        assert!(said.is_some_and(|said| look::is(said, wanted)), "{what} {said:?}, not {wanted}");
    }
}

/// What was asked for and what was done is there: two readers that are wrong in the same way are found out.
fn says_what_docker_was_told(loads: &Loads, first: &Look, last: &Look) {
    let value = |look: &Look, what: &str, name: &str| {
        let name = loads.name(name);
        let found = look.value(&format!("container_{what}"), &[("name", &name)]);
        found.unwrap_or_else(|| panic!("no container_{what} of {name}"))
    };
    for (what, name, wanted) in [
        ("spec_cpu_quota", "quota", loads::QUOTA),
        ("spec_cpu_period", "quota", loads::PERIOD),
        ("spec_cpu_shares", "burn", loads::SHARES),
        ("spec_memory_limit_bytes", "fill", loads::FILL_LIMIT),
        ("spec_memory_limit_bytes", "idle", 0),
        ("spec_memory_swap_limit_bytes", "fill", loads::FILL_LIMIT * 2),
        ("spec_memory_reservation_limit_bytes", "fill", loads::RESERVATION),
        ("threads_max", "fill", loads::PIDS),
        ("ulimits_soft", "idle", loads::FILES),
    ] {
        let said = value(last, what, name);
        assert!(look::is(said, wanted), "{what} of {name}: {said}, not {wanted}");
    }
    let filled = value(last, "memory_usage_bytes", "fill");
    let beyond = filled - loads::FILL as f64;
    assert!((0.0..4e6).contains(&beyond), "{filled}");
    assert!(value(last, "oom_events_total", "oom") >= 1.0);
    for (what, name) in [
        ("cpu_usage_seconds_total", "burn"),
        ("cpu_cfs_throttled_seconds_total", "quota"),
        ("fs_writes_bytes_total", "disk"),
        ("fs_reads_bytes_total", "disk"),
        ("network_transmit_packets_total", "net"),
        ("network_receive_packets_total", "net"),
    ] {
        assert!(
            value(last, what, name) > value(first, what, name),
            "{what} of {name} stands still"
        );
    }
    // The kernel gives it out in slices, so that it may be a little more.
    let usage = |look| value(look, "cpu_usage_seconds_total", "quota");
    let share = (usage(last) - usage(first)) / (last.to - first.from);
    assert!(share < 0.1, "{share} of a CPU");
}
