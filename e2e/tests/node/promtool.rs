//! Prometheus' own linter.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use e2e::{Agent, servers};

use crate::targets::plain;

/// What `promtool check metrics` says of a text: its complaints, and nothing but complaints.
fn complaints(promtool: &Path, text: &str) -> BTreeSet<String> {
    let mut child = Command::new(promtool)
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    // 0: clean. 3: complaints. 1: it could not read the text.
    assert!(matches!(output.status.code(), Some(0 | 3)), "{}: {said}", output.status);
    said.lines().map(str::to_owned).collect()
}

#[test]
fn promtool_complains_of_nothing_but_the_names_we_share_with_node_exporter() {
    let test = "promtool check metrics";
    let Some(promtool) = servers::need(test, "promtool") else { return };
    let Some(peer) = servers::need(test, "node_exporter") else { return };
    let ours = complaints(&promtool, &plain().text("/metrics").unwrap());
    let peer = Agent::start(&peer, &["--no-collector.systemd"]).unwrap();
    let peers = complaints(&promtool, &peer.text("/metrics").unwrap());
    // The rest are run-time names of /proc/meminfo and /proc/net, which 1.11 reads from a fixed list.
    let inherited = |complaint: &str| {
        let camel = complaint.ends_with("should be written in 'snake_case' not 'camelCase'");
        camel && ["node_memory_", "node_netstat_"].iter().any(|p| complaint.starts_with(p))
    };
    let own: Vec<_> = ours.difference(&peers).filter(|complaint| !inherited(complaint)).collect();
    assert!(own.is_empty(), "{own:#?}");
}
