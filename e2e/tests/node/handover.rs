//! An update on one port: the new process starts, the old one ends, and nobody who scrapes sees it.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::ensure;
use e2e::agent::{cadvisor_proxy_rs, local, node_exporter_rs};
use e2e::scraper::Scraper;
use e2e::storage::{Kind, Storage};
use e2e::{Server, free_port, servers, wait_until};
use rustix::process::Signal;

const PATIENCE: Duration = Duration::from_mins(2);
const UPDATES: usize = 8;

/// A process that shares the address, once it is ready itself: a unix socket of its own tells, as in
/// `manifests/components/surge`.
fn started(address: SocketAddr, folder: &Path, number: usize) -> Server {
    let program = node_exporter_rs().unwrap();
    let socket = folder.join(format!("{number}.sock"));
    let mut command = Command::new(&program);
    command.args(["--web.reuse-port", "--collector.disable-defaults", "--collector.loadavg"]);
    command.arg(format!("--web.listen-address={address}"));
    command.arg(format!("--web.listen-address=unix:{}", socket.display()));
    let mut server = Server::start("node-exporter-rs", &mut command).unwrap();
    let url = format!("--healthcheck.url=unix:{}:/readyz", socket.display());
    wait_until("readiness", PATIENCE, || {
        ensure!(server.ended()?.is_none(), "it has ended:\n{}", server.log());
        let output = Command::new(&program).args(["healthcheck", &url]).output()?;
        ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        Ok(())
    })
    .unwrap();
    server
}

fn config(address: SocketAddr) -> String {
    format!(
        "global: {{scrape_interval: 1s, scrape_timeout: 1s}}\nscrape_configs:\n\
         - job_name: node\n  static_configs: [{{targets: ['{address}']}}]\n"
    )
}

#[test]
fn an_update_on_one_port_loses_no_scrape() {
    let test = "Prometheus 3 while node-exporter-rs is updated";
    let Some(program) = servers::need(test, "prometheus") else { return };
    let (folder, address) = (tempfile::tempdir().unwrap(), local(free_port().unwrap()));
    let mut older = started(address, folder.path(), 0);
    let storage = Storage::start(Kind::Prometheus, &program, &config(address)).unwrap();
    storage.expect("count(process_start_time_seconds)", |count| count == 1.0).unwrap();
    let clients = [(); 2].map(|()| Scraper::start(vec![address], "\nnode_load1 ", Duration::ZERO));
    for number in 1..=UPDATES {
        let newer = started(address, folder.path(), number);
        older.signal(Signal::TERM).unwrap();
        let status = older.wait(PATIENCE).unwrap();
        assert!(status.success(), "{status}");
        older = newer;
        // Prometheus has seen it before the next one comes.
        let starts = format!("changes(process_start_time_seconds[1h]) == {number}");
        wait_until(&starts, PATIENCE, || {
            let found = storage.asked().series(&starts)?;
            ensure!(found.len() == 1, "{found:?}");
            Ok::<_, anyhow::Error>(())
        })
        .unwrap();
    }
    let scrapes: usize = clients.into_iter().map(|client| client.end().unwrap()).sum();
    assert!(scrapes > UPDATES);
    assert_eq!(storage.number("min_over_time(up[1h])").unwrap(), 1.0);
    // Each process was followed by the next, and none answered before its time or after it.
    let changes = storage.number("changes(process_start_time_seconds[1h])").unwrap();
    assert_eq!(changes, UPDATES as f64);
}

#[test]
fn another_agent_on_a_shared_port_ends_and_says_who_is_there() {
    let (folder, address) = (tempfile::tempdir().unwrap(), local(free_port().unwrap()));
    let _node = started(address, folder.path(), 0);
    let output = Command::new(cadvisor_proxy_rs().unwrap())
        .args(["--source=exporter", "--target=http://127.0.0.1:1", "--identity=none"])
        .args(["--web.reuse-port", "--telemetry.listen-address=127.0.0.1:0"])
        .arg(format!("--web.listen-address={address}"))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success(), "{said}");
    let reason = format!("node-exporter-rs serves on {address}");
    assert!(said.contains(&reason) && said.contains("--web.listen-address"), "{said}");
}
