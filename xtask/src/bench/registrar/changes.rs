//! One pod comes; how long until who watches its service in Consul is told.

use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use e2e::Consul;
use e2e::http::{Connection, Request};

use super::program::Program;
use crate::bench::kube::cluster::Cluster;

/// Pods of one namespace in the generated cluster.
const NAMESPACE: u64 = 50;

/// Seconds, sorted.
#[derive(Clone, Debug)]
pub(super) struct Waits {
    pub(super) sorted: Vec<f64>,
    /// Our CPU seconds for each change.
    pub(super) cpu: f64,
}

impl Waits {
    /// The value that this share of all is not above.
    pub(super) fn quantile(&self, share: f64) -> f64 {
        let below = |place: &usize| (*place as f64) < self.sorted.len() as f64 * share - 1.0;
        let place = (0..self.sorted.len()).take_while(below).count();
        self.sorted.get(place).copied().unwrap_or(f64::NAN)
    }
}

/// One service for the pods that are there, and one for those that are still to come, so that a watcher's answer is small.
pub(super) fn rules(pods: u64, changes: usize) -> String {
    let spaces = |range: std::ops::RangeInclusive<u64>| {
        range.map(|n| format!("team-{n:05}")).collect::<Vec<_>>().join(", ")
    };
    let first = pods.div_ceil(NAMESPACE);
    let (old, new) = (spaces(0..=first - 1), spaces(first..=first + changes as u64 / NAMESPACE));
    format!(
        "- {{service: app, source: pod, namespace: [{old}], port: 8080}}\n\
         - {{service: coming, source: pod, namespace: [{new}], port: 8080}}\n"
    )
}

pub(super) fn measure(
    program: &Program,
    consul: &Consul,
    cluster: &Cluster,
    count: usize,
) -> Result<Waits> {
    // What is missing in the last namespace belongs to the first service.
    let missing = (NAMESPACE - cluster.pods % NAMESPACE) % NAMESPACE;
    cluster.does(&format!("create?count={missing}"))?;
    sleep(Duration::from_secs(15));
    let mut watcher = Watcher { connection: Connection::default(), index: 0, consul };
    watcher.look()?;
    let before = program.cpu()?;
    let mut sorted = Vec::with_capacity(count);
    for number in 1..=count {
        let start = Instant::now();
        cluster.does("create?count=1")?;
        while watcher.look()? < number {
            ensure!(start.elapsed() < Duration::from_mins(1), "pod {number} is not registered");
        }
        sorted.push(start.elapsed().as_secs_f64());
        // Unevenly, so that no timer of the agent is met in step.
        sleep(Duration::from_millis(150 + 37 * (number as u64 % 11)));
    }
    let cpu = program.cpu()?.saturating_sub(before).as_secs_f64() / count.max(1) as f64;
    sorted.sort_by(f64::total_cmp);
    Ok(Waits { sorted, cpu })
}

/// Waits for news of the service as Prometheus does: by a blocking query.
struct Watcher<'a> {
    connection: Connection,
    index: u64,
    consul: &'a Consul,
}

impl Watcher<'_> {
    /// The number of instances, once it may be another than before.
    fn look(&mut self) -> Result<usize> {
        let path = format!("/v1/health/service/coming?stale&wait=10s&index={}", self.index);
        let answer = self.connection.send(&Request::new(self.consul.address, &path))?;
        ensure!(answer.status == 200, "{path}: {}", answer.status);
        let index = answer.header("x-consul-index").context("no index")?;
        self.index = index.parse()?;
        let list: serde_json::Value = serde_json::from_str(&answer.text()?)?;
        Ok(list.as_array().map_or(0, Vec::len))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantile_is_one_of_the_values() {
        let waits = Waits { sorted: (1..=100).map(f64::from).collect(), cpu: 0.0 };
        let texts = [0.0, 0.5, 0.99, 1.0].map(|share| waits.quantile(share).to_string());
        assert_eq!(texts, ["1", "50", "99", "100"]);
    }
}
