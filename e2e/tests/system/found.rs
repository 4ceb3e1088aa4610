//! What the two Prometheis outside find, and when.

use std::collections::BTreeMap;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, ensure};
use e2e::storage::Asked;
use e2e::wait_until;
use serde_json::Value;

use crate::scenery::plain;
use crate::stage::{APPS, CLUSTER, PATIENCE, Stage};

/// Targets by job. `app` are the sidecar of one pod and two pods without.
const TARGETS: [(&str, usize); 12] = [
    ("app", 3),
    ("cadvisor-proxy", 1),
    ("cadvisor-proxy-self", 1),
    ("consul-registrar", 1),
    ("etcd", 1),
    ("kube-apiserver", 1),
    ("kube-controller-manager", 1),
    ("kube-scheduler", 1),
    ("kube-state", 1),
    ("kube-state-self", 1),
    ("kubelet", 1),
    ("node-exporter", 1),
];
/// What the manifests ship as the time between two scrapes, in seconds.
const SHIPPED_INTERVAL: f64 = 30.0;

pub(crate) fn both(stage: &Stage) -> [(&'static str, Asked); 2] {
    [("by Consul", stage.outside.asked()), ("by http_sd", stage.by_http.asked())]
}

/// Active targets by job; one that is not up is an error.
fn targets(asked: Asked) -> Result<BTreeMap<String, usize>> {
    let answer = asked.get("/api/v1/targets?state=active")?;
    let mut counts = BTreeMap::new();
    for target in answer["data"]["activeTargets"].as_array().context("no list")? {
        let (labels, error) = (&target["labels"], &target["lastError"]);
        // Applications of others are none of ours, and those of one check not another's.
        let late = labels["pod_name"].as_str().is_some_and(|name| name.starts_with("late-"));
        if labels["job"] == "app" && (labels["namespace"] != APPS || late) {
            continue;
        }
        ensure!(target["health"] == "up", "{} {labels}: {error}", target["scrapeUrl"]);
        *counts.entry(labels["job"].as_str().unwrap_or_default().to_owned()).or_default() += 1;
    }
    Ok(counts)
}

pub(crate) fn every_target_is_up(stage: &Stage) {
    let expected: BTreeMap<String, usize> =
        TARGETS.iter().map(|(job, count)| ((*job).to_owned(), *count)).collect();
    for (how, asked) in both(stage) {
        wait_until(&format!("targets {how}"), PATIENCE, || {
            let found = targets(asked)?;
            ensure!(found == expected, "{found:?}");
            Ok::<_, anyhow::Error>(())
        })
        .unwrap();
        // All of them carry the cluster's name and a group; who is on a node, its name and an address.
        for (labels, jobs) in [
            (r#"cluster_name!="",group!="""#, ".+"),
            (r#"ip!="",node="testbed-node""#, "kube-state"),
        ] {
            let sign = if jobs == ".+" { "=~" } else { "!=" };
            let all = format!("count(up{{job{sign}{jobs:?}}})");
            let with = format!("count(up{{job{sign}{jobs:?},{labels}}})");
            assert_eq!(asked.number(&with).unwrap(), asked.number(&all).unwrap(), "{how}: {with}");
        }
        let named = format!("count(up{{cluster_name={CLUSTER:?}}})");
        assert_eq!(asked.number(&named).unwrap(), asked.number("count(up)").unwrap(), "{how}");
    }
}

/// Every rule has been evaluated without an error, and every recorded series that can have a value has one.
pub(crate) fn the_rules_are_evaluated(stage: &Stage) {
    // Containers of this test have no CPU limit.
    let silent = ["container:cpu_throttled:ratio_rate5m"];
    for (how, asked) in both(stage) {
        wait_until(&format!("rules {how}"), PATIENCE, || {
            let answer = asked.get("/api/v1/rules")?;
            let groups = answer["data"]["groups"].as_array().context("no groups")?;
            let rules: Vec<&Value> = groups
                .iter()
                .flat_map(|group| group["rules"].as_array().into_iter().flatten())
                .collect();
            ensure!(rules.len() > 30, "{} rules", rules.len());
            for rule in rules {
                let name = rule["name"].as_str().unwrap_or_default();
                ensure!(rule["health"] == "ok", "{name}: {} {}", rule["health"], rule["lastError"]);
                let recorded = rule["type"] == "recording" && !silent.contains(&name);
                ensure!(!recorded || !asked.series(name)?.is_empty(), "{name} has no value");
            }
            Ok::<_, anyhow::Error>(())
        })
        .unwrap();
    }
}

/// Addresses of our applications in Consul.
fn rows(stage: &Stage, count: usize) {
    wait_until("rows in Consul", PATIENCE, || {
        let answer =
            stage.consul.get(&format!("/v1/catalog/service/app?tag=cluster%3D{CLUSTER}"))?;
        let rows = answer.as_array().context("no list")?.iter();
        let ours = rows.filter(|row| row["ServiceMeta"]["namespace"] == APPS).count();
        ensure!(ours == count, "{ours} instead of {count}");
        Ok::<_, anyhow::Error>(())
    })
    .unwrap();
}

fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs_f64()
}

/// From the pods' readiness to the first samples, and from the deletion to the last.
pub(crate) fn a_new_deployment_is_found_and_a_deleted_one_goes(stage: &Stage) {
    let pods = r#"up{pod_name=~"late-.+"} == 1"#;
    stage.cluster.apply(&plain("late", 2));
    stage.rolls_out(APPS, "deployment", "late");
    let (ready, start) = (now(), Instant::now());
    rows(stage, 5);
    let written = start.elapsed();
    for (how, asked) in both(stage) {
        let found = wait_until("series of new pods", PATIENCE, || {
            let found = asked.series(pods)?;
            ensure!(found.len() == 2, "{found:?}");
            Ok::<_, anyhow::Error>(found)
        })
        .unwrap();
        let first = found.iter().map(|series| first_sample(asked, series)).fold(0.0, f64::max);
        let late = first - ready;
        println!(
            "{how}: in Consul {written:.1?} after the pods were ready, first samples after {late:.1} s"
        );
        assert!(late <= SHIPPED_INTERVAL, "{how}: a scrape interval has passed: {late} s");
    }
    let start = Instant::now();
    stage.cluster.kubectl(&["delete", "deployment", "late", "--namespace", APPS]).unwrap();
    rows(stage, 3);
    let deleted = start.elapsed();
    for (how, asked) in both(stage) {
        let gone = r#"count(up{pod_name=~"late-.+"}) or vector(0)"#;
        asked.expect(gone, |count| count == 0.0).unwrap();
        let series: Duration = start.elapsed();
        println!(
            "{how}: gone from Consul {deleted:.1?} after the deletion, its series after {series:.1?}"
        );
    }
}

/// When a target was scraped for the first time.
fn first_sample(asked: Asked, up: &Value) -> f64 {
    let name = up["metric"]["pod_name"].as_str().unwrap();
    let series = asked.series(&format!("up{{pod_name={name:?}}}[2m]")).unwrap();
    let samples = series[0]["values"].as_array().unwrap();
    samples.iter().find(|sample| sample[1] == "1").unwrap()[0].as_f64().unwrap()
}
