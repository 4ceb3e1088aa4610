//! Five thousand pods: a quarter of a million series.

use std::time::Duration;

use crate::checker::Checker;
use crate::churn::Churn;
use crate::gate::Gate;
use crate::subject::{Subject, only};
use crate::truth;
use e2e::cluster::Cluster;

const PODS: usize = 5000;

/// Ten times what the pods' text takes in memory, in any build.
const BOUND: u64 = 100 << 20;

#[test]
fn five_thousand_pods_come_and_change_while_it_runs_and_a_restart_loses_none() {
    let test = "five thousand pods";
    let Some(cluster) = Cluster::empty(test) else { return };
    let gate = Gate::before(cluster.address());
    let choice = only("pods,nodes,namespaces,replicasets");
    let subject = Subject::with(&cluster.kubeconfig, choice, &[&gate.flag()]);
    let is_true = || truth::equal(|| truth::raw(&cluster, &subject.choice), || subject.scrape());
    cluster.fill_with(PODS);
    assert!(is_true().series.len() > 50 * PODS);
    let checker = Checker::start(subject.agent.address, "");
    let churn = Churn::start(&cluster, "team-00");
    std::thread::sleep(Duration::from_secs(5));
    gate.shut();
    std::thread::sleep(Duration::from_secs(1));
    cluster.restart(&[]);
    gate.open();
    std::thread::sleep(Duration::from_secs(5));
    let changes = churn.finish();
    is_true();
    checker.finish(&format!("{test}, {changes} changes"));
    assert!(subject.of("kube_state_metrics_relists_total", "pods").unwrap() > 0.0);
    let (now, highest) = subject.memory();
    eprintln!("{test}: {} kB of memory, {} kB at most", now >> 10, highest >> 10);
    assert!(highest < BOUND, "{highest} bytes");
}
