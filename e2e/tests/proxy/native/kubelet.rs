//! Beside the kubelet's own cAdvisor, on pods of a real cluster.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use e2e::cluster::Cluster;
use e2e::{Agent, Scrape, wait_until};

use super::compare::{Comparison, always, told};
use super::known::KUBELET;
use super::look::{Look, label};
use super::{PATIENCE, ROUNDS};
use crate::subject::{self, proxy};
use crate::truth;

const PODS: &str = include_str!("../objects/native.yaml");
/// Four containers that work, and a pause for each of three pods.
const CONTAINERS: usize = 7;

/// The kubelet reads a cgroup every ten to fifteen seconds.
const BEFORE: Duration = Duration::from_secs(20);
const PAUSE: Duration = Duration::from_millis(500);

fn has_all(look: &Look, space: &str) -> Result<()> {
    let running = |key: &&String| {
        key.starts_with("container_memory_usage_bytes,")
            && label(key, "namespace") == Some(space)
            && label(key, "container").is_some()
    };
    let count = look.series.keys().filter(running).count();
    ensure!(count == CONTAINERS, "{count} of {CONTAINERS} containers");
    // It has the least share of the processor that there is, and is done when it is one process.
    let filling = look.value("container_processes", &[("namespace", space), ("container", "fill")]);
    ensure!(filling == Some(1.0), "the container that fills its memory has not done so");
    Ok(())
}

/// Every series of a pod carries the name and the address that kubectl shows.
fn is_labelled(agent: &Agent, cluster: &Cluster, space: &str, path: &str) {
    let shown = truth::now(cluster, space).unwrap();
    let scrape: Scrape = agent.scrape(path).unwrap();
    for key in scrape.series.keys().filter(|key| label(key, "namespace") == Some(space)) {
        let pod = subject::label(key, "pod").unwrap_or_default();
        let ip = shown.iter().find(|((name, _), _)| name == pod).map(|(_, ip)| ip.as_str());
        assert!(ip.is_some(), "{key}: no such pod");
        assert_eq!(subject::label(key, "pod_name"), Some(pod), "{key}");
        assert_eq!(subject::label(key, "pod_ip"), ip, "{key}");
    }
}

/// With `--fill-from=cgroup` no series of the kubelet's is lost or there twice, and what it lacks is there with the pod's labels.
fn is_completed(
    cluster: &Cluster,
    space: &str,
    theirs: &dyn Fn() -> Result<String>,
    about: &dyn Fn(&str) -> bool,
) {
    const LACKED: &str = "container_oom_events_total";
    let fill = ["--fill-from=cgroup", "--identity=docker"].map(str::to_owned);
    let flags = [cluster.kubelet(), fill.to_vec(), vec![truth::host_ip(cluster)]].concat();
    let (agent, _own) = proxy(&flags);
    let filled = || agent.text("/metrics/cadvisor");
    wait_until("the completed answer", PATIENCE, || has_all(&Look::take(filled)?, space)).unwrap();
    let (both, alone) = (Look::take(filled).unwrap(), Look::take(theirs).unwrap());
    let lost = alone.series.keys().filter(|key| about(key) && !both.series.contains_key(*key));
    assert_eq!(lost.collect::<Vec<_>>(), Vec::<&String>::new());
    let lacked = |look: &Look| {
        let keys = look.series.keys().filter(|key| about(key) && key.starts_with(LACKED));
        keys.count()
    };
    assert_eq!((lacked(&alone), lacked(&both)), (0, CONTAINERS));
    is_labelled(&agent, cluster, space, "/metrics/cadvisor");
}

#[test]
fn every_series_of_the_kubelet_about_pods_is_here_with_its_value_and_labels() {
    let test = "cadvisor-proxy-rs reads cgroups beside the kubelet";
    let Some(cluster) = Cluster::old(test) else { return };
    let space = cluster.space("native");
    let space = space.name.as_str();
    cluster.apply(&PODS.replace("SPACE", space));
    let flags = [
        "--source=cgroup".to_owned(),
        "--identity=docker".to_owned(),
        "--cgroup.enable=descriptors".to_owned(),
        truth::host_ip(&cluster),
    ];
    let (agent, _own) = proxy(&flags);
    let ours = || agent.text("/metrics");
    // Passed on as it comes.
    let (peer, _own) = proxy(&[cluster.kubelet(), vec!["--identity=none".to_owned()]].concat());
    let theirs = || peer.text("/metrics/cadvisor");
    for (what, ask) in [
        ("pods in the kubelet's answer", &theirs as &dyn Fn() -> Result<String>),
        ("pods in our answer", &ours),
    ] {
        wait_until(what, PATIENCE, || has_all(&Look::take(ask)?, space)).unwrap();
    }
    // Containers alone: what is around them is asked for by a switch.
    let about =
        |key: &str| label(key, "namespace") == Some(space) && label(key, "container").is_some();
    let round = |_| Comparison::take(BEFORE, PAUSE, &ours, &theirs).unwrap();
    let rounds: Vec<Comparison> = (0..ROUNDS).map(round).collect();
    let wrong = always(rounds.iter().map(|round| round.wrong(KUBELET, &about)));
    assert!(wrong.is_empty(), "{}", told(&wrong));
    let last = rounds.last().context("no round").unwrap();
    assert_eq!(last.stale(KUBELET, &about), Vec::<String>::new());
    is_labelled(&agent, &cluster, space, "/metrics");
    is_completed(&cluster, space, &theirs, &about);
    let of = |container| [("namespace", space), ("container", container)];
    let (_, look) = last.ours();
    assert_eq!(look.value("container_spec_cpu_quota", &of("burn")), Some(2_000.0));
    let limit = look.value("container_spec_memory_limit_bytes", &of("fill"));
    assert_eq!(limit, Some(f64::from(64 << 20)));
}
