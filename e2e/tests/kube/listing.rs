//! Lists and watches by every way that the API server's flags leave open.

use std::time::Duration;

use anyhow::ensure;
use e2e::{Scrape, exposition, wait_until};

use crate::checker::Checker;
use crate::credentials::Account;
use crate::gate::Gate;
use crate::subject::{Subject, everything, only};
use crate::truth;
use e2e::cluster::Cluster;

const PAGES: &[&str] = &["--feature-gates", "WatchList=false"];

/// What the API server counted of a kind of request for pods.
fn counted(cluster: &Cluster, metric: &str, wanted: &[(&str, &str)]) -> f64 {
    let text = cluster.kubectl(&["get", "--raw", "/metrics"]).unwrap();
    let scrape = Scrape::parse(&String::from_utf8(text).unwrap()).unwrap();
    let series = scrape.of(metric).filter(|(key, _)| {
        let is =
            |(name, value): &(&str, &str)| exposition::label(key, name).as_deref() == Some(*value);
        wanted.iter().all(is)
    });
    series.map(|(_, value)| value).sum()
}

fn lists_of_pods(cluster: &Cluster) -> f64 {
    counted(cluster, "apiserver_request_total", &[("verb", "LIST"), ("resource", "pods")])
}

fn streams_of_pods(cluster: &Cluster) -> f64 {
    let metric = "apiserver_watch_list_duration_seconds_count";
    counted(cluster, metric, &[("resource", "pods")])
}

/// What is followed is true, also after a change, and nothing but the watch has told the change.
fn follows(cluster: &Cluster, subject: &Subject) {
    let space = cluster.space("listing");
    let yaml = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: later, namespace: SPACE}\n";
    cluster.apply(&yaml.replace("SPACE", &space.name));
    truth::reached(cluster, subject);
    let own = subject.own().unwrap();
    for (series, value) in own.of("kube_state_metrics_relists_total") {
        assert_eq!(value, 0.0, "{series}");
    }
}

#[test]
fn lists_are_streamed_where_the_server_can() {
    let Some(cluster) = Cluster::modern("streaming lists", &[]) else { return };
    let before = streams_of_pods(&cluster);
    // It says where it had to ask for pages; the API server's own clients list as they like.
    let subject = Subject::with(&cluster.kubeconfig, only("pods"), &["--log.level=debug"]);
    assert_eq!(subject.logged("asking for pages", ""), [""; 0]);
    assert_eq!(subject.of("kube_state_metrics_list_total", "*v1.Pod").unwrap(), 1.0);
    // The server counts a stream after it has sent the last of it.
    wait_until("a counted stream", Duration::from_mins(3), || {
        let streams = streams_of_pods(&cluster);
        ensure!(streams > before, "{streams} streams, {before} before");
        Ok::<_, anyhow::Error>(())
    })
    .unwrap();
    drop(subject);
    follows(&cluster, &Subject::start(&cluster));
}

#[test]
fn lists_come_in_pages_where_the_server_refuses_to_stream_them() {
    let Some(cluster) = Cluster::modern("lists in pages", PAGES) else { return };
    let lists = lists_of_pods(&cluster);
    let subject = Subject::start(&cluster);
    let asked = lists_of_pods(&cluster) - lists;
    assert!(asked >= 2.0, "{asked} pages for a thousand pods");
    follows(&cluster, &subject);
    assert_eq!(subject.logged("level=ERROR", ""), [""; 0]);
}

#[test]
fn a_server_that_learns_to_stream_in_an_upgrade_is_followed_before_and_after() {
    // In 1.33 streaming lists were off.
    let flags = ["--emulated-version", "1.33"];
    let Some(cluster) = Cluster::modern("an upgrade", &flags) else { return };
    let streams = streams_of_pods(&cluster);
    let subject = Subject::start(&cluster);
    assert_eq!(streams_of_pods(&cluster), streams);
    follows(&cluster, &subject);
    let checker = Checker::start(subject.agent.address, "e2e-listing");
    cluster.restart(&[]);
    let space = cluster.space("listing-upgraded");
    cluster.everything(&space.name);
    truth::reached(&cluster, &subject);
    checker.finish("an upgrade");
}

#[test]
fn a_server_without_a_watch_cache_is_followed() {
    let flags = ["--watch-cache=false"];
    let Some(cluster) = Cluster::modern("no watch cache", &flags) else { return };
    follows(&cluster, &Subject::start(&cluster));
}

#[test]
fn a_server_that_takes_one_request_at_a_time_is_followed() {
    // The limit is for requests that end: streaming lists and watches do not count.
    let flags = [PAGES, &["--max-requests-inflight", "1"]].concat();
    let Some(cluster) = Cluster::modern("one request at a time", &flags) else { return };
    let account = Account::new(&cluster);
    let refused = || counted(&cluster, "apiserver_request_total", &[("code", "429")]);
    let before = refused();
    let subject = Subject::with(&account.kubeconfig, everything(), &["--concurrent-lists=8"]);
    assert!(refused() > before, "nothing was refused");
    follows(&cluster, &subject);
}

#[test]
fn watches_that_the_server_ends_go_on_without_a_new_list() {
    let flags = ["--max-watch-seconds", "3", "--goaway-chance", "0.5"];
    let Some(cluster) = Cluster::modern("watches that end", &flags) else { return };
    let subject = Subject::start(&cluster);
    wait_until("watches", Duration::from_mins(3), || {
        let watches = subject.of("kube_state_metrics_watch_total", "*v1.Pod")?;
        ensure!(watches >= 4.0, "{watches} watches of pods");
        Ok::<_, anyhow::Error>(())
    })
    .unwrap();
    follows(&cluster, &subject);
    assert_eq!(subject.of("kube_state_metrics_list_total", "*v1.Pod").unwrap(), 1.0);
}

#[test]
fn a_list_that_is_older_than_etcd_keeps_is_made_again() {
    let flags = [PAGES, &["--etcd-compaction-interval", "6s"]].concat();
    let Some(cluster) = Cluster::modern("compaction while pages come", &flags) else { return };
    let gate = Gate::before(cluster.address());
    // The first page has some four megabytes.
    gate.slow(200 << 10);
    let subject = Subject::spawn(&cluster.kubeconfig, only("pods"), &[&gate.flag()]);
    wait_until("list made again", Duration::from_mins(2), || {
        let relists = subject.of("kube_state_metrics_relists_total", "pods")?;
        ensure!(relists > 0.0, "{relists} lists made again");
        Ok::<_, anyhow::Error>(())
    })
    .unwrap();
    gate.slow(0);
    subject.is_ready();
    truth::reached(&cluster, &subject);
}
