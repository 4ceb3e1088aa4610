//! Faults of Consul itself: rights that are missing or taken away, no leader, refusals and broken connections.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Result, ensure};
use e2e::agent::{Agent, consul_registrar, local};
use e2e::consul::Consul;
use e2e::{free_port, servers, wait_until};
use serde_json::{Value, json};

use crate::consul::{CLUSTER, CONVERGED, has, targets};
use crate::wall::{Manner, Wall};

const MANAGEMENT: &str = "9e6b6f0a-1111-2222-3333-444444444444";
const ALL: &str =
    "node_prefix \"\" { policy = \"write\" } service_prefix \"\" { policy = \"write\" }";
pub(crate) const SOME: &str =
    "node_prefix \"\" { policy = \"write\" } service \"node-exporter\" { policy = \"write\" }";

/// A server where nobody may do anything without a token.
pub(crate) fn guarded(program: &Path) -> Consul {
    let acl = json!({"enabled": true, "default_policy": "deny", "tokens": {"master": MANAGEMENT}});
    let consul = Consul::with(program, &json!({ "acl": acl })).unwrap();
    wait_until("ACLs of Consul", CONVERGED, || consul.get("/v1/acl/policies")).unwrap();
    consul
}

/// A new token with these rights: its accessor and itself.
pub(crate) fn token(consul: &Consul, name: &str, rules: &str) -> (String, String) {
    consul.put("/v1/acl/policy", &json!({"Name": name, "Rules": rules})).unwrap();
    let made = consul.put("/v1/acl/token", &json!({"Policies": [{"Name": name}]})).unwrap();
    let text = |key: &str| made[key].as_str().unwrap().to_owned();
    (text("AccessorID"), text("SecretID"))
}

/// A registrar that feeds a Consul from files, without a wait.
fn registrar(urls: &str, files: &[&Path], more: &[String]) -> Agent {
    let address = local(free_port().unwrap());
    let mut command = Command::new(consul_registrar().unwrap());
    command
        .args(["static", "--cluster-name=bj-1", "--group-size=100"])
        .arg(format!("--consul={urls}"))
        .args(files.iter().map(|file| format!("--file={}", file.display())))
        .args(more)
        .arg(format!("--web.listen-address={address}"));
    Agent::spawn(address, &mut command).unwrap()
}

/// Waits until the agent says that Consul is not as it should be.
fn is_unsettled(agent: &Agent) {
    wait_until("an agent that is not content", CONVERGED, || {
        let settled = agent.scrape("/metrics")?.one("consul_registrar_consul_settled");
        ensure!(settled == Some(0.0), "it says {settled:?}");
        Ok::<_, anyhow::Error>(())
    })
    .unwrap();
}

pub(crate) fn secret(folder: &Path, token: &str) -> (PathBuf, String) {
    let path = folder.join("token");
    std::fs::write(&path, token).unwrap();
    let flag = format!("--token-file={}", path.display());
    (path, flag)
}

#[test]
fn a_token_that_is_revoked_costs_no_row_and_a_new_one_in_the_file_makes_all_good() {
    let Some(program) = servers::need("a revoked token", "consul") else { return };
    let (consul, folder) = (guarded(&program), tempfile::tempdir().unwrap());
    let (accessor, first) = token(&consul, "first", ALL);
    let (path, flag) = secret(folder.path(), &first);
    let file = targets(folder.path(), 0..50);
    let agent = registrar(&consul.url(), &[&file], &[flag]);
    has(&consul, 0..50);
    let revoke = consul.request(&format!("/v1/acl/token/{accessor}"));
    let revoked = revoke.sending("DELETE", "application/json", Vec::new()).send().unwrap();
    assert_eq!(revoked.status, 200);
    targets(folder.path(), 2..55);
    is_unsettled(&agent);
    has(&consul, 0..50);
    std::fs::write(path, token(&consul, "second", ALL).1).unwrap();
    has(&consul, 2..55);
    let log = agent.server.log();
    assert!(!log.contains(&first), "the token is in the log");
}

#[test]
fn who_may_not_read_deletes_nothing_and_adds_nothing() {
    let Some(program) = servers::need("denied reads", "consul") else { return };
    let (consul, folder) = (guarded(&program), tempfile::tempdir().unwrap());
    let (_, good) = token(&consul, "good", ALL);
    let file = targets(folder.path(), 0..50);
    let (path, flag) = secret(folder.path(), &good);
    let agent = registrar(&consul.url(), &[&file], std::slice::from_ref(&flag));
    has(&consul, 0..50);
    drop(agent);
    // What it may not see reads like an empty Consul.
    for (name, rules) in [
        ("nothing", "key \"none\" { policy = \"read\" }"),
        ("services", "service_prefix \"\" { policy = \"write\" }"),
        ("nodes", "node_prefix \"\" { policy = \"write\" }"),
    ] {
        std::fs::write(&path, token(&consul, name, rules).1).unwrap();
        targets(folder.path(), 5..60);
        let agent = registrar(&consul.url(), &[&file], std::slice::from_ref(&flag));
        is_unsettled(&agent);
        std::thread::sleep(Duration::from_secs(5));
        has(&consul, 0..50);
    }
}

#[test]
fn a_service_that_is_denied_does_not_stop_the_others() {
    let Some(program) = servers::need("one denied service", "consul") else { return };
    let (consul, folder) = (guarded(&program), tempfile::tempdir().unwrap());
    let (_, some) = token(&consul, "some", SOME);
    let (_, flag) = secret(folder.path(), &some);
    let other = folder.path().join("other.json");
    let list =
        json!([{"targets": ["10.2.0.1:9200", "10.2.0.2:9200"], "labels": {"job": "secret"}}]);
    std::fs::write(&other, list.to_string()).unwrap();
    let file = targets(folder.path(), 0..130);
    let agent = registrar(&consul.url(), &[&file, &other], &[flag]);
    has(&consul, 0..130);
    targets(folder.path(), 1..131);
    has(&consul, 1..131);
    wait_until("refusals that are counted", CONVERGED, || {
        let blocked = agent.scrape("/metrics")?.one("consul_registrar_consul_blocked");
        ensure!(blocked == Some(2.0), "it says {blocked:?}");
        Ok::<_, anyhow::Error>(())
    })
    .unwrap();
}

#[test]
fn three_servers_of_which_two_are_killed_have_every_change_once_they_are_back() {
    let Some(program) = servers::need("a Consul without a leader", "consul") else { return };
    let folder = tempfile::tempdir().unwrap();
    let more = |join: &[&Consul]| -> Value {
        let join: Vec<String> = join.iter().map(|other| other.serf.to_string()).collect();
        json!({"bootstrap_expect": 3, "retry_join": join, "retry_interval": "1s"})
    };
    let first = Consul::spawn(&program, &more(&[])).unwrap();
    let mut second = Consul::spawn(&program, &more(&[&first])).unwrap();
    let mut third = Consul::spawn(&program, &more(&[&first])).unwrap();
    for consul in [&first, &second, &third] {
        consul.wait().unwrap();
    }
    let file = targets(folder.path(), 0..80);
    let urls = [&first, &second, &third].map(Consul::url).join(",");
    let agent = registrar(&urls, &[&file], &[]);
    has(&first, 0..80);
    second.kill().unwrap();
    third.kill().unwrap();
    targets(folder.path(), 3..90);
    is_unsettled(&agent);
    second.again(false).unwrap();
    third.again(false).unwrap();
    first.wait().unwrap();
    has(&first, 3..90);
}

#[test]
fn refusals_and_broken_connections_are_waited_out() {
    let Some(program) = servers::need("refusals and resets", "consul") else { return };
    let folder = tempfile::tempdir().unwrap();
    let consul = Consul::start(&program).unwrap();
    let wall = Wall::before(consul.address);
    let file = targets(folder.path(), 0..200);
    let agent = registrar(&format!("http://{}", wall.address), &[&file], &[]);
    has(&consul, 0..200);
    for (round, manner) in (1..).zip([Manner::TooMany, Manner::Breaks, Manner::Hangs]) {
        wall.turn(manner);
        targets(folder.path(), round..200 + round);
        is_unsettled(&agent);
        wall.turn(Manner::Passes);
        has(&consul, round..200 + round);
    }
    let most = wall.most();
    assert!(most <= 4, "{most} connections at the same time");
}

#[test]
fn half_a_plan_is_finished_by_whoever_comes_next() {
    let Some(program) = servers::need("half a plan", "consul") else { return };
    let (consul, folder) = (Consul::start(&program).unwrap(), tempfile::tempdir().unwrap());
    let wall = Wall::before(consul.address);
    let file = targets(folder.path(), 0..2000);
    // Some transactions of the 32 go through on each connection, the next one breaks in its middle.
    wall.turn(Manner::Halts(60_000));
    let agent = registrar(&format!("http://{}", wall.address), &[&file], &[]);
    wait_until("half a plan", CONVERGED, || {
        let count = consul.instances("node-exporter", CLUSTER)?.len();
        ensure!(count > 0, "{count} rows");
        Ok::<_, anyhow::Error>(())
    })
    .unwrap();
    drop(agent);
    let half = consul.instances("node-exporter", CLUSTER).unwrap().len();
    assert!(half < 2000 && half.is_multiple_of(64), "{half} rows");
    targets(folder.path(), 5..2005);
    let _next = registrar(&consul.url(), &[&file], &[]);
    has(&consul, 5..2005);
}

#[test]
fn fifty_kills_while_targets_come_and_go_leave_what_is_wanted() -> Result<()> {
    let Some(program) = servers::need("fifty kills", "consul") else { return Ok(()) };
    let folder = tempfile::tempdir()?;
    let consul = Consul::start(&program)?;
    let file = targets(folder.path(), 0..300);
    for round in 0..50_u32 {
        let agent = registrar(&consul.url(), &[&file], &[]);
        targets(folder.path(), round..300 + round);
        std::thread::sleep(Duration::from_millis(u64::from(20 + round * 37 % 400)));
        agent.server.signal(rustix::process::Signal::KILL)?;
    }
    let _agents =
        [registrar(&consul.url(), &[&file], &[]), registrar(&consul.url(), &[&file], &[])];
    has(&consul, 49..349);
    Ok(())
}
