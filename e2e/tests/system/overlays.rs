//! The other overlays on the same cluster, one after another, as an operator moves from one to the next.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use e2e::storage::Asked;
use e2e::wait_until;

use crate::found::{both, every_target_is_up};
use crate::images::PREFIX;
use crate::stage::{APPS, PATIENCE, SPACE, Stage, certificate_at, images_of};

/// What `external-prometheus` gives, and the names of that time in addition.
pub(crate) fn old_names_are_there_on_legacy_docker(stage: &Stage) {
    let text = stage.outside_overlay("legacy-docker", false);
    stage.files().overlay("legacy", &text);
    stage.files().apply("legacy").unwrap();
    stage.rolled_out();
    every_target_is_up(stage);
    for (how, asked) in both(stage) {
        for old in [
            format!(
                r#"count(container_memory_usage_bytes{{namespace="{SPACE}",container_name!="",pod_name!="",pod_ip!=""}})"#
            ),
            format!(
                r#"count(kube_pod_container_resource_requests_memory_bytes{{namespace="{SPACE}"}})"#
            ),
        ] {
            let found = asked.expect(&old, |count| count >= 4.0);
            found.unwrap_or_else(|error| panic!("{how}: {error:#}"));
        }
    }
}

/// The Prometheus of the overlay, by its pod's address: nobody forwards node ports here.
fn inside(stage: &Stage) -> Result<Asked> {
    let pods = stage.pods(SPACE, "app.kubernetes.io/name=prometheus")?;
    let pod = pods.first().context("no pod")?;
    let ip = pod["status"]["podIP"].as_str().context("no address")?;
    let address: SocketAddr = format!("{ip}:9090").parse()?;
    Ok(Asked(address))
}

pub(crate) fn a_prometheus_in_the_cluster_finds_the_same(stage: &Stage) {
    let certificate = stage.cluster.kubeconfig.with_file_name("pki").join("kubelet-serving.crt");
    let text = format!(
        "resources: [../in-cluster]\ncomponents: [../../components/docker-socket]\n{}- {{name: prom/prometheus, newName: {PREFIX}prometheus, newTag: {:?}}}\n{}",
        images_of(&stage.images),
        stage.images.tag,
        certificate_at(&certificate),
    );
    let files = stage.files();
    files.hasten("prometheus/kubernetes.yaml");
    files.overlay("inside", &text);
    // What was in the host's network keeps the ports of the host when it leaves it: the API server wrote them, nobody's
    // manifest takes them away.
    let agents = ["kube-state-rs", "consul-registrar", "--namespace", SPACE];
    stage.cluster.kubectl(&[&["delete", "deployment"], agents.as_slice()].concat()).unwrap();
    files.apply("inside").unwrap();
    stage.rolled_out();
    let jobs: BTreeSet<&str> = [
        "apiservers",
        "nodes",
        "node-exporter",
        "cadvisor",
        "kube-state",
        "kube-state-self",
        "cadvisor-proxy-self",
        "consul-registrar",
        "pods",
    ]
    .into();
    wait_until("targets inside", PATIENCE, || {
        let answer = inside(stage)?.get("/api/v1/targets?state=active")?;
        let mut found = BTreeSet::new();
        for target in answer["data"]["activeTargets"].as_array().context("no list")? {
            let (labels, error) = (&target["labels"], &target["lastError"]);
            if labels["job"] == "pods" && labels["namespace"] != APPS {
                continue;
            }
            ensure!(target["health"] == "up", "{} {labels}: {error}", target["scrapeUrl"]);
            found.insert(labels["job"].as_str().unwrap_or_default());
        }
        ensure!(found == jobs, "{found:?}");
        Ok::<_, anyhow::Error>(())
    })
    .unwrap();
    let asked = inside(stage).unwrap();
    // No right is missing, or a kind of object would not be listed.
    let failed = "sum(prometheus_sd_kubernetes_failures_total) or vector(0)";
    assert!(asked.series(failed).is_ok());
    for (query, count) in [
        (r#"count(app_requests_total{pod_ip!="",pod_name!="",namespace!=""})"#, 1.0),
        (r#"count(plain_requests_total{pod_ip!="",pod_name!="",namespace!=""})"#, 2.0),
        (r#"count(node_load1{ip!="",node!="",cluster_name!="",group!=""})"#, 1.0),
        (
            "count(app_requests_total * on (pod_ip, pod_name) group_left (created_by_name) kube_pod_info)",
            1.0,
        ),
    ] {
        asked.expect(query, |found| found == count).unwrap();
    }
}

/// With a new pod beside the old one, each moment has somebody who answers.
pub(crate) fn an_update_in_the_pods_network_loses_no_scrape(stage: &Stage) {
    let asked = inside(stage).unwrap();
    let start = Instant::now();
    for name in ["kube-state-rs", "consul-registrar"] {
        let what = format!("deployment/{name}");
        stage.cluster.kubectl(&["rollout", "restart", &what, "--namespace", SPACE]).unwrap();
    }
    for name in ["kube-state-rs", "consul-registrar"] {
        stage.rolls_out(SPACE, "deployment", name);
    }
    // What the old pods' last scrapes were is known by now.
    asked.expect(r#"count(up{job=~"kube-state|consul-registrar"} == 1)"#, |up| up == 2.0).unwrap();
    let window = start.elapsed().as_secs() + 1;
    for job in ["kube-state", "kube-state-self", "consul-registrar"] {
        let query =
            format!("min_over_time((max(up{{job={job:?}}}) or vector(0))[{window}s:500ms])");
        let least = asked.number(&query).unwrap();
        assert_eq!(least, 1.0, "{job}: a moment without an answer within {window} s");
    }
    let objects = format!("min_over_time((count(kube_node_info) or vector(0))[{window}s:500ms])");
    assert!(asked.number(&objects).unwrap() >= 1.0, "no objects for a moment within {window} s");
}
