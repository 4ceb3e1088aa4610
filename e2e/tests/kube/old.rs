//! A whole cluster of Kubernetes 1.20: controllers, scheduler, kubelet, and everything that can be in it. `e2e/run` has these
//! tests in one lane with all others that need it.

mod pod;

use std::collections::BTreeSet;

use e2e::promtool::complaints;
use e2e::{exposition, servers};
use serde_json::Value;

use crate::hostile::{BOUND, config_map, grown, secret};
use crate::resources;
use crate::subject::Subject;
use crate::truth;
use e2e::cluster::{Cluster, Live};

/// What a cluster of 1.20 lacks.
fn lacking() -> BTreeSet<&'static str> {
    let all = resources::ALL.iter();
    all.filter(|known| known.full_name(false).is_none()).map(|known| known.plural).collect()
}

/// Waits until controllers and kubelet have done what the objects ask for.
fn settled(live: &Live<'_>) {
    rolled_out(live);
    does(live, &["wait", "--for=condition=complete", "job/done"]);
    does(live, &["wait", "--for=condition=failed", "job/failing"]);
}

fn rolled_out(live: &Live<'_>) {
    for what in ["deployment/web", "statefulset/db", "daemonset/everywhere"] {
        does(live, &["rollout", "status", what]);
    }
}

fn does(live: &Live<'_>, args: &[&str]) {
    let flags = ["--timeout=120s", "--namespace", &live.name];
    live.cluster.kubectl(&[args, &flags].concat()).unwrap();
}

#[test]
fn all_that_lives_in_a_cluster_of_1_20_is_told_and_followed() {
    let Some(cluster) = Cluster::old("a cluster of 1.20") else { return };
    let live = cluster.live("live");
    let subject = Subject::start(&cluster);
    settled(&live);
    truth::reached(&cluster, &subject);
    let own = subject.own().unwrap();
    for known in resources::ALL.iter().filter(|known| !lacking().contains(known.plural)) {
        let objects = crate::subject::of(&own, "kube_state_metrics_objects", known.plural).unwrap();
        assert!(objects > 0.0, "no {} in the cluster: nothing is proved of them", known.plural);
    }
    for args in [
        &["scale", "deployment/web", "--replicas=3"][..],
        &["delete", "pod/crashing", "pod/no-image", "job/done", "--wait=false"],
        &["label", "pod/nowhere", "later=yes", "e2e/odd.key=x"],
        &["annotate", "service/web", "later=a\"b"],
        &["create", "configmap", "later"],
        &["cordon", "testbed-node"],
    ] {
        cluster.kubectl(&[args, &["--namespace", &live.name]].concat()).unwrap();
    }
    cluster.kubectl(&["uncordon", "testbed-node"]).unwrap();
    rolled_out(&live);
    let scrape = truth::reached(&cluster, &subject);
    let replicas = scrape.of("kube_deployment_status_replicas_available");
    let mut web = replicas.filter(|(key, _)| key.contains(&live.name));
    assert_eq!(web.next().map(|(_, value)| value), Some(3.0));
}

#[test]
fn what_1_20_does_not_serve_is_one_line_each_and_harms_nothing() {
    let Some(cluster) = Cluster::old("resources that 1.20 lacks") else { return };
    let subject = Subject::start(&cluster);
    for known in resources::ALL {
        let reason = if lacking().contains(known.plural) { "not_served" } else { "" };
        subject.tells(known.plural, reason);
    }
    let lines = subject.logged("level=INFO", "not served by this API server");
    assert_eq!(lines.len(), lacking().len(), "{lines:#?}");
    for level in ["level=WARN", "level=ERROR"] {
        assert_eq!(subject.logged(level, ""), [""; 0]);
    }
    let own = subject.own().unwrap();
    let lists = own.of("kube_state_metrics_list_total");
    let kinds: BTreeSet<String> =
        lists.filter_map(|(key, _)| exposition::label(key, "resource")).collect();
    for kind in [
        "*v1beta1.CronJob",
        "*v1beta1.PodDisruptionBudget",
        "*v1beta1.EndpointSlice",
        "*v2beta2.HorizontalPodAutoscaler",
    ] {
        assert!(kinds.contains(kind), "{kind} is not in {kinds:?}");
    }
}

#[test]
fn promtool_complains_of_no_name_but_those_that_are_the_peers() {
    let test = "promtool check metrics of kube-state-rs";
    let Some(promtool) = servers::need(test, "promtool") else { return };
    let Some(cluster) = Cluster::old(test) else { return };
    let live = cluster.live("lint");
    let subject = Subject::start(&cluster);
    settled(&live);
    let found = complaints(&promtool, &subject.agent.text("/metrics").unwrap()).unwrap();
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn large_config_maps_and_secrets_pass_by_a_server_that_gives_their_metadata_alone() {
    let Some(cluster) = Cluster::old("large config maps and secrets") else { return };
    for (resource, payload) in
        [("configmaps", config_map as fn(char) -> Value), ("secrets", secret)]
    {
        let [now, highest] = grown(&cluster, resource, payload).unwrap();
        assert!(now < BOUND && highest < BOUND, "{resource}: {now} bytes more, {highest} at most");
    }
}
