//! Prometheus' own linter.

use e2e::promtool::complaints;
use e2e::{Agent, servers};

use crate::targets::plain;

#[test]
fn promtool_complains_of_nothing_but_the_names_we_share_with_node_exporter() {
    let test = "promtool check metrics";
    let Some(promtool) = servers::need(test, "promtool") else { return };
    let Some(peer) = servers::need(test, "node_exporter") else { return };
    let ours = complaints(&promtool, &plain().text("/metrics").unwrap()).unwrap();
    let peer = Agent::start(&peer, &["--no-collector.systemd"]).unwrap();
    let peers = complaints(&promtool, &peer.text("/metrics").unwrap()).unwrap();
    // The rest are run-time names of /proc/meminfo and /proc/net, which 1.11 reads from a fixed list.
    let inherited = |complaint: &str| {
        let camel = complaint.ends_with("should be written in 'snake_case' not 'camelCase'");
        camel && ["node_memory_", "node_netstat_"].iter().any(|p| complaint.starts_with(p))
    };
    let own: Vec<_> = ours.difference(&peers).filter(|complaint| !inherited(complaint)).collect();
    assert!(own.is_empty(), "{own:#?}");
}
