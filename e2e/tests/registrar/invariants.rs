use std::time::Duration;

use rustix::process::Signal;
use serde_json::json;

use crate::consul::{self, CONVERGED, Consul, NODE, has, host, id, registrar, rows, targets};

#[test]
fn only_own_rows_are_touched_and_foreign_edits_are_repaired() {
    let folder = tempfile::tempdir().unwrap();
    let Some(consul) = consul::start("only_own_rows") else { return };
    let file = targets(folder.path(), 0..130);
    let _agent = registrar(&consul, &file).unwrap();
    has(&consul, 0..130);
    let foreign = json!({"Node": NODE, "SkipNodeUpdate": true,
        "Service": {"ID": "theirs", "Service": "node-exporter", "Address": "10.9.9.9", "Port": 9100}});
    consul.put("/v1/catalog/register", &foreign).unwrap();
    let edited = json!({"Node": NODE, "SkipNodeUpdate": true,
        "Service": {"ID": id(1), "Service": "node-exporter", "Address": "10.9.9.8", "Port": 1, "Meta": {"owner": "bj-1"}}});
    consul.put("/v1/catalog/register", &edited).unwrap();
    consul.put("/v1/catalog/deregister", &json!({"Node": NODE, "ServiceID": id(2)})).unwrap();
    e2e::wait_until("repair", CONVERGED, || {
        let (rows, _) = rows(&consul)?;
        let repaired = rows.get(&id(1)).is_some_and(|row| row["Address"] == json!(host(1)));
        anyhow::ensure!(repaired && rows.contains_key(&id(2)), "not yet repaired");
        Ok(())
    })
    .unwrap();
    // Whoever registers without care takes our mark from the node.
    let careless = json!({"Node": NODE, "Address": "127.0.0.1", "NodeMeta": {}});
    consul.put("/v1/catalog/register", &careless).unwrap();
    targets(folder.path(), 0..125);
    has(&consul, 0..125);
    e2e::wait_until("our mark on the node", CONVERGED, || {
        let list = e2e::http::get(consul.address, &format!("/v1/catalog/node-services/{NODE}"))?;
        let list: serde_json::Value = serde_json::from_str(&list.text()?)?;
        anyhow::ensure!(list["Node"]["Meta"]["owner"] == "bj-1", "{}", list["Node"]);
        Ok(())
    })
    .unwrap();
    assert!(rows(&consul).unwrap().0.contains_key("theirs"));
}

#[test]
fn at_rest_nothing_is_written_and_no_index_moves() {
    let folder = tempfile::tempdir().unwrap();
    let Some(consul) = consul::start("at_rest") else { return };
    let file = targets(folder.path(), 0..100);
    let agent = registrar(&consul, &file).unwrap();
    has(&consul, 0..100);
    // Own writes are read back once, ten seconds later at most.
    std::thread::sleep(Duration::from_secs(12));
    let before = (rows(&consul).unwrap().1, agent.text("/metrics").unwrap());
    std::thread::sleep(Duration::from_secs(12));
    let after = (rows(&consul).unwrap().1, agent.text("/metrics").unwrap());
    assert_eq!(before.0, after.0);
    let counters = |text: &str| -> Vec<String> {
        let about = |line: &&str| line.starts_with("consul_registrar_consul_");
        text.lines().filter(about).map(str::to_owned).collect()
    };
    assert_eq!(counters(&before.1), counters(&after.1));
}

#[test]
fn a_consul_that_comes_back_with_and_without_its_data_has_all_rows() {
    let folder = tempfile::tempdir().unwrap();
    let Some(mut consul) = consul::start("consul_restarts") else { return };
    let file = targets(folder.path(), 0..300);
    let _agent = registrar(&consul, &file).unwrap();
    has(&consul, 0..300);
    let group = |consul: &Consul| rows(consul).unwrap().0[&id(250)]["Meta"]["group"].clone();
    let before = group(&consul);
    for without_data in [false, true] {
        consul.kill().unwrap();
        consul.again(without_data).unwrap();
        consul.wait().unwrap();
        has(&consul, 0..300);
    }
    assert_eq!(before, group(&consul));
}

#[test]
fn a_consul_that_hangs_is_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let Some(consul) = consul::start("consul_hangs") else { return };
    let file = targets(folder.path(), 0..50);
    let _agent = registrar(&consul, &file).unwrap();
    has(&consul, 0..50);
    consul.server.signal(Signal::STOP).unwrap();
    targets(folder.path(), 0..55);
    std::thread::sleep(Duration::from_mins(1));
    consul.server.signal(Signal::CONT).unwrap();
    has(&consul, 0..55);
}

#[test]
fn a_list_that_is_suddenly_empty_deletes_nothing_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let Some(consul) = consul::start("mass_deletion") else { return };
    let file = targets(folder.path(), 0..100);
    let agent = registrar(&consul, &file).unwrap();
    has(&consul, 0..100);
    targets(folder.path(), 0..0);
    std::thread::sleep(Duration::from_secs(5));
    has(&consul, 0..100);
    assert!(agent.text("/metrics").unwrap().contains("consul_registrar_deletes_held 100"));
    // A registrar that has never read its source deletes nothing either.
    drop(agent);
    let _blind = registrar(&consul, &folder.path().join("missing.json")).unwrap();
    std::thread::sleep(Duration::from_secs(8));
    has(&consul, 0..100);
}
