//! What consul-k8s does: each row by a call of its own, one after another on one connection, all on one synthetic node.

use std::time::Instant;

use anyhow::{Result, ensure};
use e2e::Consul;
use e2e::http::{Connection, Request};
use serde_json::json;

use super::host;
use super::measure::Cost;
use crate::bench::usage::cpu_time;

/// Wall time, and Consul's CPU time.
pub(super) fn one_by_one(consul: &Consul, targets: usize) -> Result<Cost> {
    let before = cpu_time(consul.server.pid())?;
    let start = Instant::now();
    let mut connection = Connection::default();
    for n in 0..targets {
        let host = host(n);
        let row = json!({
            "Node": "k8s-sync", "Address": "127.0.0.1", "SkipNodeUpdate": n > 0,
            "NodeMeta": {"external-source": "kubernetes"},
            "Service": {
                "ID": format!("node-exporter-{n}"), "Service": "node-exporter", "Address": host, "Port": 9100,
                "Tags": ["k8s", "cluster=bench", "group=g0"],
                "Meta": {
                    "external-source": "kubernetes", "cluster_name": "bench", "group": "g0", "ip": host, "node": host,
                    "metrics_path": "/metrics", "scheme": "http", "zone": "eu-1a",
                },
            },
        });
        let request = Request::new(consul.address, "/v1/catalog/register");
        let request = request.sending("PUT", "application/json", row.to_string().into_bytes());
        let answer = connection.send(&request)?;
        ensure!(answer.status == 200, "{}: {}", answer.status, answer.text()?);
    }
    let wall = start.elapsed().as_secs_f64();
    let cpu = cpu_time(consul.server.pid())?.saturating_sub(before).as_secs_f64();
    Ok(Cost { cpu, wall })
}
