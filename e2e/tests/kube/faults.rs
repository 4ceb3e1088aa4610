//! What happens to an API server sooner or later. No scrape may tell less than there is meanwhile, and afterwards all is
//! true again.

use std::time::Duration;

use crate::checker::Checker;
use crate::churn::Churn;
use crate::gate::Gate;
use crate::subject::{Subject, everything};
use crate::truth;
use e2e::cluster::Cluster;

/// A cluster in motion is scraped while `fault` happens; then it rests, and all must be true.
fn survives(cluster: &Cluster, test: &str, fault: impl FnOnce(&Gate)) -> Subject {
    let gate = Gate::before(cluster.address());
    let subject = Subject::with(&cluster.kubeconfig, everything(), &[&gate.flag()]);
    let space = cluster.space("churn");
    let checker = Checker::start(subject.agent.address, &space.name);
    let churn = Churn::start(cluster, &space.name);
    // Changes before the fault, which may let none through, and after it.
    std::thread::sleep(Duration::from_secs(3));
    fault(&gate);
    std::thread::sleep(Duration::from_secs(3));
    let changes = churn.finish();
    truth::reached(cluster, &subject);
    checker.finish(&format!("{test}, {changes} changes"));
    assert!(changes > 20, "only {changes} changes");
    subject
}

#[test]
fn a_restarted_server_that_knows_the_last_version_no_more_costs_no_sample() {
    let test = "restart of the API server";
    let Some(cluster) = Cluster::modern(test, &[]) else { return };
    let subject = survives(&cluster, test, |gate| {
        // What changes now is not told before the server ends, and the next one begins after it: 410 for all.
        gate.shut();
        std::thread::sleep(Duration::from_secs(1));
        cluster.restart(&[]);
        gate.open();
    });
    for resource in ["pods", "configmaps"] {
        let relists = subject.of("kube_state_metrics_relists_total", resource).unwrap();
        assert!(relists > 0.0, "{resource}: no new list");
    }
}

#[test]
fn an_etcd_that_is_away_for_half_a_minute_costs_no_sample() {
    let test = "etcd away for 30 s";
    let Some(cluster) = Cluster::modern(test, &[]) else { return };
    survives(&cluster, test, |_| {
        cluster.stop("etcd");
        std::thread::sleep(Duration::from_secs(30));
        cluster.up();
    });
}

#[test]
fn watches_that_are_cut_all_at_once_and_again_go_on_where_they_stood() {
    let test = "all watches cut";
    let Some(cluster) = Cluster::modern(test, &[]) else { return };
    let subject = survives(&cluster, test, |gate| {
        for _ in 0..3 {
            std::thread::sleep(Duration::from_secs(2));
            assert!(gate.cut() > 30);
        }
    });
    assert_eq!(subject.of("kube_state_metrics_list_total", "*v1.Pod").unwrap(), 1.0);
}

#[test]
fn a_namespace_that_goes_and_comes_again_with_the_same_names_is_told_anew() {
    let test = "a namespace made again";
    let Some(cluster) = Cluster::modern(test, &[]) else { return };
    let subject = Subject::start(&cluster);
    let name = "e2e-again";
    let checker = Checker::start(subject.agent.address, name);
    for _ in 0..3 {
        cluster.everything(name);
        cluster.kubectl(&["delete", "namespace", name]).unwrap();
    }
    cluster.everything(name);
    truth::reached(&cluster, &subject);
    cluster.kubectl(&["delete", "namespace", name]).unwrap();
    truth::reached(&cluster, &subject);
    checker.finish(test);
}
