//! From a host that does not answer to the message about it: our rules on a real Prometheus, our Alertmanager's
//! configuration on a real Alertmanager.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::sync::mpsc::{self, Receiver};
use std::thread;

use anyhow::{Context, Result, ensure};
use e2e::agent::local;
use e2e::storage::{Kind, Storage};
use e2e::{Server, free_port, servers, wait_until};
use serde_json::{Value, json};

use crate::scene::{OFTEN, PATIENCE, manifests, ours};

/// Takes what Alertmanager sends: the path and the message.
fn receiver() -> (SocketAddr, Receiver<(String, Value)>) {
    let listener = TcpListener::bind(local(0)).unwrap();
    let address = listener.local_addr().unwrap();
    let (send, receive) = mpsc::channel();
    // It ends with the test's process: nobody waits for it.
    thread::spawn(move || {
        for stream in listener.incoming() {
            if let Some(message) = stream.ok().and_then(|stream| read(stream).ok())
                && send.send(message).is_err()
            {
                return;
            }
        }
    });
    (address, receive)
}

fn read(stream: TcpStream) -> Result<(String, Value)> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let path = line.split(' ').nth(1).context("no path")?.to_owned();
    let mut length = 0;
    loop {
        let mut header = String::new();
        reader.read_line(&mut header)?;
        if header.trim().is_empty() {
            break;
        }
        if let Some(value) = header.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse()?;
        }
    }
    ensure!(length < 1 << 20, "a message of {length} bytes");
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    reader
        .get_mut()
        .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")?;
    Ok((path, serde_json::from_slice(&body)?))
}

fn alertmanager(program: &Path, folder: &Path, receiver: SocketAddr) -> (Server, SocketAddr) {
    let config = ours(
        "alerting/alertmanager.yml",
        &[
            ("http://alert-receiver.example:8080", &format!("http://{receiver}")),
            ("group_wait: 30s", "group_wait: 1s"),
            ("group_interval: 5m", "group_interval: 1s"),
        ],
    );
    let file = folder.join("alertmanager.yml");
    std::fs::write(&file, config).unwrap();
    let address = local(free_port().unwrap());
    let mut command = Command::new(program);
    command.arg(format!("--config.file={}", file.display()));
    command.arg(format!("--storage.path={}", folder.join("silences").display()));
    command.arg(format!("--web.listen-address={address}")).arg("--cluster.listen-address=");
    let server = Server::start("alertmanager", &mut command).unwrap();
    wait_until("Alertmanager's start", PATIENCE, || e2e::http::get(address, "/-/ready")).unwrap();
    (server, address)
}

/// Services of a host, at a port where nobody is.
fn targets(folder: &Path, jobs: &[&str]) {
    let labels =
        |job: &str| json!({"job": job, "node": "a", "ip": "127.0.0.1", "cluster_name": "c"});
    let target = |job: &&str| json!({"targets": ["127.0.0.1:1"], "labels": labels(job)});
    let all: Vec<Value> = jobs.iter().map(target).collect();
    let new = folder.join("targets.new");
    std::fs::write(&new, Value::Array(all).to_string()).unwrap();
    std::fs::rename(new, folder.join("targets.json")).unwrap();
}

/// file.yaml with our rules, of which each fires at once, and one host that nobody is at.
fn prometheus(program: &Path, folder: &Path, alertmanager: SocketAddr) -> Storage {
    let rules = folder.join("rules");
    std::fs::create_dir(&rules).unwrap();
    for name in ["node", "kube", "container", "agents"] {
        let text = ours(&format!("rules/{name}.yaml"), &[]);
        let at_once = text
            .lines()
            .map(|line| if line.starts_with("    for: ") { "    for: 0s" } else { line });
        std::fs::write(rules.join(format!("{name}.yaml")), at_once.collect::<Vec<_>>().join("\n"))
            .unwrap();
    }
    targets(folder, &["node-exporter"]);
    std::fs::write(
        folder.join("alertmanagers.json"),
        format!("[{{\"targets\": [\"{alertmanager}\"]}}]"),
    )
    .unwrap();
    let at = |name: &str| folder.join(name).display().to_string();
    let config = ours(
        "file.yaml",
        &[
            OFTEN,
            ("rules/", &format!("{}/", rules.display())),
            ("/etc/prometheus/targets/*.json", &at("targets.json")),
            ("/etc/prometheus/alertmanagers/*.json", &at("alertmanagers.json")),
        ],
    );
    Storage::start(Kind::Prometheus, program, &config).unwrap()
}

#[test]
fn a_host_that_is_away_is_told_once_to_those_on_call() {
    let test = "alerts through Alertmanager";
    let Some(program) = servers::need(test, "prometheus") else { return };
    let Some(manager) = servers::need(test, "alertmanager") else { return };
    let Some(amtool) = servers::need(test, "amtool") else { return };
    let config = manifests().join("alerting/alertmanager.yml");
    let checked = Command::new(&amtool).arg("check-config").arg(&config).output().unwrap();
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
    let folder = tempfile::tempdir().unwrap();
    let (address, messages) = receiver();
    let (_manager, manager) = alertmanager(&manager, folder.path(), address);
    let storage = prometheus(&program, folder.path(), manager);
    let (path, message) = messages.recv_timeout(PATIENCE).unwrap();
    assert_eq!(path, "/on-call");
    assert_eq!(message["groupLabels"]["alertname"], "NodeDown");
    assert_eq!(message["status"], "firing");
    assert_eq!(message["groupLabels"]["cluster_name"], "c");
    let summary = &message["alerts"][0]["annotations"]["summary"];
    assert_eq!(*summary, "a (127.0.0.1) has not answered for 5 minutes");
    // What else the host had is known to Prometheus and to Alertmanager, which keeps it back.
    targets(folder.path(), &["node-exporter", "cadvisor-proxy"]);
    storage
        .expect("count(ALERTS{alertname=\"AgentDown\",alertstate=\"firing\",node=\"a\"})", |n| {
            n == 1.0
        })
        .unwrap();
    wait_until("inhibited alert", PATIENCE, || {
        let answer =
            e2e::http::get(manager, "/api/v2/alerts?filter=alertname%3D%22AgentDown%22")?.text()?;
        let alerts: Value = serde_json::from_str(&answer)?;
        ensure!(alerts[0]["status"]["state"] == "suppressed", "{answer}");
        Ok::<_, anyhow::Error>(())
    })
    .unwrap();
    let others =
        messages.try_iter().map(|(_, message)| message["groupLabels"]["alertname"].clone());
    let others: Vec<_> = others.filter(|name| name == "AgentDown").collect();
    assert!(others.is_empty(), "{others:?}");
}
