//! Commands that look, or do one thing and end; and that all sinks show one list.

use std::path::Path;
use std::process::Command;

use anyhow::{Result, ensure};
use e2e::agent::{consul_registrar, local};
use e2e::consul::Consul;
use e2e::{Agent, free_port, servers, wait_until};
use serde_json::{Value, json};

use crate::consul::{CONVERGED, NODE, host, targets};
use crate::faults::{SOME, guarded, secret, token};

/// What a command says, and whether it succeeds.
fn run(word: &str, flags: &[String]) -> (bool, String) {
    let mut command = Command::new(consul_registrar().unwrap());
    command.arg(word).args(flags).env_remove("APISERVER_VIP");
    let output = command.output().unwrap();
    let text = [&*output.stdout, &*output.stderr].concat();
    (output.status.success(), String::from_utf8(text).unwrap())
}

fn done(word: &str, flags: &[String]) -> String {
    let (good, said) = run(word, flags);
    assert!(good, "{word}: {said}");
    said
}

fn flags(consul: &Consul, file: &Path) -> Vec<String> {
    vec![
        "--source=static".to_owned(),
        "--cluster-name=bj-1".to_owned(),
        "--group-size=10".to_owned(),
        format!("--file={}", file.display()),
        format!("--consul={}", consul.url()),
    ]
}

fn rows(consul: &Consul) -> Vec<Value> {
    crate::consul::rows(consul).unwrap().0.into_values().collect()
}

#[test]
fn a_plan_tells_what_once_then_does_and_nothing_is_written_before() {
    let Some(program) = servers::need("plan, once, check, rebalance and purge", "consul") else {
        return;
    };
    let (consul, folder) = (Consul::start(&program).unwrap(), tempfile::tempdir().unwrap());
    let file = targets(folder.path(), 0..25);
    let flags = flags(&consul, &file);
    let plan = done("plan", &flags);
    assert!(plan.contains("+ bj-1/node-exporter/10.1.0.1:9100 node 10.1.0.1 group g0"), "{plan}");
    assert!(plan.ends_with("25 to register, 0 to change, 0 to delete\n"), "{plan}");
    let dry = done("run", &[&flags[..], &["--dry-run".to_owned()]].concat());
    assert_eq!(dry, plan);
    assert_eq!(rows(&consul), [json!(null); 0]);

    let once = [&flags[..], &["--once".to_owned()]].concat();
    done("run", &once);
    assert_eq!(rows(&consul).len(), 25);
    let plan = done("plan", &flags);
    assert!(plan.ends_with("0 to register, 0 to change, 0 to delete\n"), "{plan}");

    targets(folder.path(), 5..26);
    let labelled = [&flags[..], &["--meta=zone=a".to_owned()]].concat();
    let plan = done("plan", &labelled);
    assert!(plan.contains("- bj-1/node-exporter/10.1.0.1:9100\n"), "{plan}");
    assert!(plan.contains("+ bj-1/node-exporter/10.1.0.26:9100"), "{plan}");
    assert!(plan.ends_with("1 to register, 20 to change, 5 to delete\n"), "{plan}");
    done("run", &once);

    // Of 21 nodes in three groups, two are left half empty by those that went.
    let shown = done("rebalance", &[&flags[..], &["--dry-run".to_owned()]].concat());
    assert!(shown.contains("(was g1)") && shown.contains("would move"), "{shown}");
    let moved = done("rebalance", &flags);
    assert!(moved.contains(" of 21 targets moved"), "{moved}");
    let group = |row: &Value| row["Meta"]["group"].as_str().unwrap().to_owned();
    let of_first = rows(&consul).iter().filter(|row| group(row) == "g0").count();
    assert_eq!(of_first, 10);
    let plan = done("plan", &flags);
    assert!(plan.ends_with("0 to register, 0 to change, 0 to delete\n"), "{plan}");

    let checked = done("check", &flags);
    assert!(checked.contains("node registrar.bj-1 can be read, 21 rows of ours"), "{checked}");
    let owner = ["--owner=bj-1".to_owned(), format!("--consul={}", consul.url())];
    let dry = done("purge", &[&owner[..], &["--dry-run".to_owned()]].concat());
    assert!(dry.contains("with 21 rows would be deleted"), "{dry}");
    let (good, said) = run("purge", &["--owner=bj-2".to_owned(), owner[1].clone()]);
    assert!(!good && said.contains("there is no node registrar.bj-2"), "{said}");
    done("purge", &owner);
    assert_eq!(rows(&consul), [json!(null); 0]);
}

#[test]
fn every_sink_shows_the_same_list_in_the_same_order() {
    let Some(program) = servers::need("one list in every sink", "consul") else { return };
    let (consul, folder) = (Consul::start(&program).unwrap(), tempfile::tempdir().unwrap());
    // Backwards, and with addresses that sort otherwise as texts.
    let file = folder.path().join("targets.yaml");
    let listed: Vec<String> = (0..40).rev().map(|n| format!("'{}:9100'", host(n))).collect();
    let more = "- {service: app, targets: ['[fd00::1]:80', 'web.example:80'], tags: [blue], meta: {team: 'süd \"1\"'}}";
    let text = format!("- {{service: node-exporter, targets: [{}]}}\n{more}\n", listed.join(", "));
    std::fs::write(&file, text).unwrap();
    let (json, yaml) = (folder.path().join("sd.json"), folder.path().join("sd.yaml"));
    let mut flags = flags(&consul, &file);
    let list = done("targets", &flags);
    flags.extend([
        format!("--sink=file={}", json.display()),
        format!("--sink=file={}", yaml.display()),
    ]);
    flags.extend(["--sink=consul".to_owned(), "--sink=http".to_owned()]);
    let mut command = Command::new(consul_registrar().unwrap());
    command.arg("run").args(&flags);
    let agent = Agent::start_at(local(free_port().unwrap()), command).unwrap();

    let answer = agent.request("/targets").send().unwrap();
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(answer.text().unwrap(), list);
    assert_eq!(std::fs::read_to_string(&json).unwrap(), list);
    let entries: Vec<Value> = serde_json::from_str(&list).unwrap();
    assert_eq!(entries.len(), 42);
    let yaml = std::fs::read_to_string(&yaml).unwrap();
    let order = |text: &str, start: &str| -> Vec<String> {
        let lines = text.lines().filter_map(|line| line.split_once(start)?.1.split_once(']'));
        lines.map(|(place, _)| place.to_owned()).collect()
    };
    assert_eq!(order(&yaml, "targets: [\""), order(&list, "\"targets\":[\""));

    // What Consul holds of each target is what its entry says.
    let rows = rows(&consul);
    assert_eq!(rows.len(), entries.len());
    for row in &rows {
        let (address, port) = (row["Address"].as_str().unwrap(), &row["Port"]);
        let place = if address.contains(':') {
            format!("[{address}]:{port}")
        } else {
            format!("{address}:{port}")
        };
        let entry = entries.iter().find(|entry| entry["targets"] == json!([place])).unwrap();
        for (key, value) in row["Meta"].as_object().unwrap() {
            let label = match &**key {
                "owner" => continue,
                "scheme" => "__scheme__",
                "metrics_path" => "__metrics_path__",
                other => other,
            };
            assert_eq!(&entry["labels"][label], value, "{place} {key}");
        }
    }

    // Who knows the list is told that it is the same.
    let tag = answer.header("etag").unwrap().to_owned();
    let again = agent.request("/targets").header("If-None-Match", &tag).send().unwrap();
    assert_eq!((again.status, again.body.len()), (304, 0));
    let some = agent.text("/targets?service=node-exporter&group=g3").unwrap();
    let some: Vec<Value> = serde_json::from_str(&some).unwrap();
    assert!(!some.is_empty() && some.iter().all(|entry| entry["labels"]["group"] == "g3"));
}

#[test]
fn a_check_names_the_rights_that_are_missing() {
    let Some(program) = servers::need("a check of rights", "consul") else { return };
    let (consul, folder) = (guarded(&program), tempfile::tempdir().unwrap());
    let file = targets(folder.path(), 0..3);
    let other = folder.path().join("other.yaml");
    std::fs::write(&other, "- {service: secret, targets: ['10.2.0.1:1']}\n").unwrap();
    let (path, flag) = secret(folder.path(), &token(&consul, "some", SOME).1);
    let mut flags = flags(&consul, &file);
    flags.extend([flag, format!("--file={}", other.display())]);
    let (good, said) = run("check", &flags);
    assert!(
        !good && said.contains("it needs: service \"secret\" { policy = \"write\" }"),
        "{said}"
    );
    assert!(!said.contains("service \"node-exporter\""), "{said}");
    let services = "service_prefix \"\" { policy = \"write\" }";
    std::fs::write(&path, token(&consul, "services", services).1).unwrap();
    let (good, said) = run("check", &[&flags[..], &["--owner=bj-9".to_owned()]].concat());
    assert!(
        !good && said.contains("it needs: node \"registrar.bj-9\" { policy = \"write\" }"),
        "{said}"
    );
    let all = "node_prefix \"\" { policy = \"write\" } service_prefix \"\" { policy = \"write\" }";
    std::fs::write(&path, token(&consul, "all", all).1).unwrap();
    let said = done("check", &flags);
    assert!(said.ends_with("ok: 2 services can be written\n"), "{said}");
    let list = consul.get(&format!("/v1/catalog/node-services/{NODE}")).unwrap();
    let rows = list["Services"].as_array().map_or(0, Vec::len);
    assert_eq!((list["Node"]["Meta"]["owner"].as_str(), rows), (Some("bj-1"), 0), "{list}");
    std::fs::write(&other, "- {service: secret\n").unwrap();
    let (good, said) = run("check", &flags);
    assert!(!good && said.contains("other.yaml: line"), "{said}");
}

/// Without a Consul the plan is about the files, and what somebody else wrote is not touched.
#[test]
fn files_alone_are_planned_written_once_and_never_taken_from_somebody_else() {
    let folder = tempfile::tempdir().unwrap();
    let file = targets(folder.path(), 0..3);
    let sink = folder.path().join("sd.json");
    let flags = [
        "--source=static".to_owned(),
        "--cluster-name=bj-1".to_owned(),
        format!("--file={}", file.display()),
        format!("--sink=file={}", sink.display()),
    ];
    let plan = done("plan", &flags);
    assert!(plan.ends_with("3 to register, 0 to change, 0 to delete\n"), "{plan}");
    assert!(!sink.exists());
    let once = [&flags[..], &["--once".to_owned()]].concat();
    done("run", &once);
    targets(folder.path(), 1..4);
    let plan = done("plan", &flags);
    assert!(plan.contains("- bj-1/node-exporter/10.1.0.1:9100\n"), "{plan}");
    assert!(plan.ends_with("1 to register, 0 to change, 1 to delete\n"), "{plan}");
    let theirs = r#"[{"targets": ["10.9.9.9:1"], "labels": {"job": "by hand"}}]"#;
    std::fs::write(&sink, theirs).unwrap();
    let (good, said) = run("run", &once);
    assert!(!good && said.contains("move it away"), "{said}");
    assert_eq!(std::fs::read_to_string(&sink).unwrap(), theirs);
}

#[test]
fn two_replicas_write_each_row_once_and_then_nothing_more() {
    let Some(program) = servers::need("two replicas", "consul") else { return };
    let (consul, folder) = (Consul::start(&program).unwrap(), tempfile::tempdir().unwrap());
    let file = targets(folder.path(), 0..300);
    let start = || -> Result<Agent> {
        let address = local(free_port()?);
        let mut command = Command::new(consul_registrar()?);
        command.arg("run").args(flags(&consul, &file));
        Agent::spawn(address, command.arg(format!("--web.listen-address={address}")))
    };
    let agents = [start().unwrap(), start().unwrap()];
    let settled = |count: usize| {
        wait_until("both replicas", CONVERGED, || {
            ensure!(rows(&consul).len() == count, "{} rows", rows(&consul).len());
            for agent in &agents {
                agent.text("/readyz")?;
                let scrape = agent.scrape("/metrics")?;
                let own = scrape.one("consul_registrar_consul_rows");
                ensure!(own == Some(count as f64), "one of them knows {own:?}");
            }
            Ok::<_, anyhow::Error>(())
        })
        .unwrap();
    };
    settled(300);
    targets(folder.path(), 10..320);
    settled(310);
    let written = |agent: &Agent| -> f64 {
        let scrape = agent.scrape("/metrics").unwrap();
        scrape.one("consul_registrar_consul_transactions_total").unwrap()
    };
    let index = || rows(&consul).iter().map(|row| row["ModifyIndex"].as_u64()).max();
    // Who was late with the last change tries it, finds it done, and that is the end.
    wait_until("rest", CONVERGED, || {
        let before = (agents.each_ref().map(written), index());
        std::thread::sleep(std::time::Duration::from_secs(15));
        let after = (agents.each_ref().map(written), index());
        ensure!(before == after, "{before:?}, then {after:?}");
        Ok::<_, anyhow::Error>(())
    })
    .unwrap();
    for agent in &agents {
        let log = agent.server.log();
        assert!(!log.contains("trying again"), "{log}");
    }
}
