//! Agents that are killed, and a node that is drained.

use std::process::Command;

use anyhow::{Context, Result, ensure};
use e2e::docker::docker;
use e2e::wait_until;

use crate::found::{both, every_target_is_up};
use crate::images::AGENTS;
use serde_json::Value;

use crate::stage::{APPS, CLUSTER, NODE, PATIENCE, SPACE, Stage};

/// Restarts of an agent's container, all pods together.
fn restarts(stage: &Stage, agent: &str) -> Result<u64> {
    let pods = stage.pods(SPACE, &format!("app.kubernetes.io/name={agent}"))?;
    let status = &pods.first().context("no pod")?["status"]["containerStatuses"][0];
    status["restartCount"].as_u64().context("no restartCount")
}

/// SIGKILL to the agent's process, as the kernel does where memory is out.
fn kill(agent: &str) {
    let filter = format!("--filter=label=io.kubernetes.container.name={agent}");
    let space = format!("--filter=label=io.kubernetes.pod.namespace={SPACE}");
    let id = docker(&["ps", "--quiet", &filter, &space]);
    let pid = docker(&["inspect", "--format={{.State.Pid}}", &id]);
    let killed = Command::new("kill").args(["-KILL", &pid]).status().unwrap();
    assert!(killed.success(), "kill {pid}");
}

pub(crate) fn every_agent_survives_being_killed(stage: &Stage) {
    let before: Vec<u64> = AGENTS.iter().map(|agent| restarts(stage, agent).unwrap()).collect();
    let rows = rows(stage);
    for agent in AGENTS {
        kill(agent);
    }
    for (agent, before) in AGENTS.iter().zip(before) {
        wait_until(&format!("restart of {agent}"), PATIENCE, || {
            let now = restarts(stage, agent)?;
            ensure!(now > before, "{now} restarts");
            Ok::<_, anyhow::Error>(())
        })
        .unwrap();
    }
    stage.rolled_out();
    every_target_is_up(stage);
    // Nothing of what Prometheus knows has changed by it: no row was written anew, none went.
    assert_eq!(self::rows(stage), rows);
    // Counters start again at 0, and rates over it are still rates.
    for (how, asked) in both(stage) {
        let query = r#"min(rate(node_cpu_seconds_total{mode="idle"}[1m])) >= 0"#;
        asked.expect(query, |rate| rate <= 1.5).unwrap_or_else(|error| panic!("{how}: {error:#}"));
    }
}

/// Every row of ours in Consul with the index of its last change.
fn rows(stage: &Stage) -> Vec<(String, u64)> {
    let mut rows = Vec::new();
    for service in stage.consul.get("/v1/catalog/services").unwrap().as_object().unwrap().keys() {
        let answer =
            stage.consul.get(&format!("/v1/catalog/service/{service}?tag=cluster%3D{CLUSTER}"));
        // Applications of others may come and go.
        let others = |row: &&Value| {
            row["ServiceMeta"]["namespace"].as_str().is_none_or(|of| [SPACE, APPS].contains(&of))
        };
        for row in answer.unwrap().as_array().unwrap().iter().filter(others) {
            rows.push((row["ServiceID"].to_string(), row["ModifyIndex"].as_u64().unwrap()));
        }
    }
    rows.sort();
    rows
}

/// Of the only node everything goes that can; what is on every node stays, and the rest comes back.
pub(crate) fn a_drained_node_stays_in_sight(stage: &Stage) {
    let drain = [
        "drain",
        NODE,
        "--ignore-daemonsets",
        "--delete-emptydir-data",
        "--timeout=120s",
        "--pod-selector=app.kubernetes.io/name in (kube-state-rs,consul-registrar,node-exporter-rs,cadvisor-proxy-rs)",
    ];
    stage.cluster.kubectl(&drain).unwrap();
    for (how, asked) in both(stage) {
        let stays = r#"count(up{job=~"node-exporter|cadvisor-proxy"} == 1)"#;
        asked.expect(stays, |count| count == 2.0).unwrap();
        // While nobody tells the registrar's rows, they stay: a target that is down is to be seen as down.
        let down = r#"up{job="kube-state"}"#;
        let up = asked.expect(down, |up| up == 0.0);
        up.unwrap_or_else(|error| panic!("{how}: {error:#}"));
    }
    stage.cluster.kubectl(&["uncordon", NODE]).unwrap();
    stage.rolled_out();
    every_target_is_up(stage);
    for (how, asked) in both(stage) {
        let lost = r#"min_over_time(up{job="node-exporter"}[30s])"#;
        let lost = asked.number(lost).unwrap();
        assert_eq!(lost, 1.0, "{how}: a scrape of the node was lost");
    }
}
