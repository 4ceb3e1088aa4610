//! Parts of a cluster: shards, namespaces, nodes, and what a request or a file asks for.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Result, ensure};
use e2e::{Scrape, wait_until};
use serde_json::Value;

use crate::checker::Checker;
use crate::subject::{Subject, everything};
use crate::truth;
use e2e::cluster::{Cluster, FIXED};

/// The truth of the objects that `takes` takes.
fn part(cluster: &Cluster, takes: impl Fn(&Value) -> bool) -> Result<Scrape> {
    let mut list: Value = serde_json::from_slice(&truth::objects(cluster, &everything())?)?;
    list["items"].as_array_mut().unwrap().retain(takes);
    truth::rendered(cluster, &serde_json::to_vec(&list)?, &everything())
}

fn namespace(object: &Value) -> Option<&str> {
    object["metadata"]["namespace"].as_str()
}

fn is_part(cluster: &Cluster, flag: &str, takes: impl Fn(&Value) -> bool) {
    let subject = Subject::with(&cluster.kubeconfig, everything(), &[flag]);
    truth::equal(|| part(cluster, &takes), || subject.scrape());
}

#[test]
fn some_namespaces_or_all_but_some_are_followed_with_what_has_none() {
    let Some(cluster) = Cluster::modern("namespaces", &[]) else { return };
    let some = ["team-01", FIXED];
    is_part(&cluster, &format!("--namespaces={}", some.join(",")), |object| {
        namespace(object).is_none_or(|name| some.contains(&name))
    });
    is_part(&cluster, &format!("--namespaces-denylist={}", some.join(",")), |object| {
        namespace(object).is_none_or(|name| !some.contains(&name))
    });
}

#[test]
fn of_one_node_its_pods_are_followed() {
    let Some(cluster) = Cluster::modern("one node", &[]) else { return };
    let node = |object: &Value| object["spec"]["nodeName"].as_str().unwrap_or_default().to_owned();
    is_part(&cluster, "--node=fake-0003", |object| {
        object["kind"] != "Pod" || node(object) == "fake-0003"
    });
    is_part(&cluster, "--track-unscheduled-pods", |object| {
        object["kind"] != "Pod" || node(object).is_empty()
    });
}

#[test]
fn shards_share_all_series_and_no_two_have_the_same() {
    let Some(cluster) = Cluster::modern("shards", &[]) else { return };
    let shards: Vec<Subject> = (0..3)
        .map(|number| {
            let flags = [format!("--shard={number}"), "--total-shards=3".to_owned()];
            Subject::with(&cluster.kubeconfig, everything(), &flags.each_ref().map(String::as_str))
        })
        .collect();
    let together = || {
        let mut all = Scrape::default();
        for shard in &shards {
            let scrape = shard.scrape()?;
            let (pods, count) = (scrape.of("kube_pod_info").count(), scrape.series.len());
            ensure!(pods > 200, "{pods} of a thousand pods");
            let before = all.series.len();
            all.series.extend(scrape.series);
            all.types.extend(scrape.types);
            ensure!(all.series.len() == before + count, "two shards have the same series");
        }
        Ok(all)
    };
    truth::equal(|| truth::now(&cluster, &everything()), together);
}

#[test]
fn a_request_takes_some_resources_or_leaves_some_out() {
    let Some(cluster) = Cluster::modern("resources of a request", &[]) else { return };
    let subject = Subject::start(&cluster);
    let all = truth::reached(&cluster, &subject);
    let of_pods = |key: &str| key.starts_with("kube_pod_");
    let some = subject.agent.scrape("/metrics?resources=pods").unwrap();
    let rest = subject.agent.scrape("/metrics?exclude_resources=pods").unwrap();
    let due = |pods: bool| -> BTreeMap<&String, u64> {
        let wanted = all.series.iter().filter(|(key, _)| of_pods(key) == pods);
        wanted.map(|(key, value)| (key, value.to_bits())).collect()
    };
    let got = |scrape: &Scrape| -> Vec<String> { scrape.series.keys().cloned().collect() };
    assert_eq!(got(&some), due(true).into_keys().cloned().collect::<Vec<_>>());
    assert_eq!(got(&rest), due(false).into_keys().cloned().collect::<Vec<_>>());
}

/// A set of which the agent's pod is the first, with so many replicas.
fn set(replicas: u32) -> String {
    format!(
        "apiVersion: apps/v1\nkind: StatefulSet\nmetadata: {{name: state, namespace: {FIXED}}}\n\
         spec: {{replicas: {replicas}, serviceName: x, selector: {{matchLabels: {{a: b}}}}, template: {{}}}}\n"
    )
}

#[test]
fn a_set_that_shrinks_leaves_no_gap() {
    let test = "shards of a StatefulSet";
    let Some(cluster) = Cluster::modern(test, &[]) else { return };
    cluster.apply(&set(3));
    let owner =
        cluster.get(&format!("/apis/apps/v1/namespaces/{FIXED}/statefulsets/state")).unwrap();
    cluster.apply(&format!(
        "apiVersion: v1\nkind: Pod\nmetadata: {{name: state-0, namespace: {FIXED}, ownerReferences: [{{apiVersion: apps/v1, \
         kind: StatefulSet, name: state, uid: {}, controller: true}}]}}\nspec: {{containers: [{{name: c, image: i}}]}}\n",
        owner["metadata"]["uid"].as_str().unwrap()
    ));
    let flags = ["--pod=state-0", &format!("--pod-namespace={FIXED}")];
    let subject = Subject::with(&cluster.kubeconfig, everything(), &flags);
    let pods = |scrape: Scrape| scrape.of("kube_pod_info").count();
    let third = pods(subject.scrape().unwrap());
    assert!((200..600).contains(&third), "{third} of a thousand pods");
    let checker = Checker::start(subject.agent.address, FIXED);
    cluster.apply(&set(1));
    truth::reached(&cluster, &subject);
    checker.finish(test);
    cluster.apply(&set(3));
    wait_until("its third", Duration::from_mins(3), || {
        let now = pods(subject.scrape()?);
        ensure!(now == third, "{now} pods instead of {third}");
        Ok::<_, anyhow::Error>(())
    })
    .unwrap();
    for object in ["statefulset/state", "pod/state-0"] {
        cluster.kubectl(&["delete", object, "--namespace", FIXED]).unwrap();
    }
}

#[test]
fn a_configuration_that_changes_leaves_no_gap() {
    let test = "a new configuration";
    let Some(cluster) = Cluster::modern(test, &[]) else { return };
    let file = cluster.folder().join("config.yaml");
    let configured = |denied: &str| {
        let next = file.with_extension("next");
        std::fs::write(&next, format!("metric_denylist: [{denied}]\n")).unwrap();
        std::fs::rename(next, &file).unwrap();
    };
    configured("kube_pod_labels");
    let flag = format!("--config={}", file.display());
    let subject = Subject::with(&cluster.kubeconfig, everything(), &[&flag]);
    assert_eq!(subject.scrape().unwrap().of("kube_pod_labels").count(), 0);
    let checker = Checker::start(subject.agent.address, "");
    configured("");
    truth::reached(&cluster, &subject);
    // What is wrong leaves all as it was.
    configured("'('");
    wait_until("complaint", Duration::from_mins(2), || {
        let lines = subject.logged("level=ERROR", "what was configured before stays in force");
        ensure!(!lines.is_empty(), "no line");
        Ok::<_, anyhow::Error>(())
    })
    .unwrap();
    truth::reached(&cluster, &subject);
    checker.finish(test);
}
