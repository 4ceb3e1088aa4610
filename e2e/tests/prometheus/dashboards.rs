//! Every panel of every dashboard, and every metric that an autoscaler may ask for.

use anyhow::ensure;
use e2e::cluster::Cluster;
use e2e::storage::Storage;
use e2e::{adapter, dashboards, servers, wait_until};

use crate::scene::{PATIENCE, Scene};

#[test]
fn every_panel_has_data_and_an_autoscaler_finds_its_metrics() {
    let test = "dashboards and custom metrics on Prometheus and a cluster";
    let Some(prometheus) = servers::need(test, "prometheus") else { return };
    let Some(consul) = servers::need(test, "consul") else { return };
    let Some(cluster) = Cluster::old(test) else { return };
    let live = cluster.live("dashboards-objects");
    let scene = Scene::new(&cluster, &consul);
    let storage = scene.prometheus(&prometheus);
    // Where a target is down, that says more than the panels that miss it.
    storage.expect("min(up{job!=\"app\"})", |up| up == 1.0).unwrap();
    // A pod that starts while somebody looks.
    let scale =
        ["scale", "deployment/application", "--replicas=2", "--namespace", &scene.space.name];
    cluster.kubectl(&scale).unwrap();
    let answers = wait_until("data for every panel", PATIENCE, || {
        let answers = dashboards::ask(&storage.asked())?;
        ensure!(answers.missing.is_empty(), "{}", answers.missing.join("\n"));
        Ok::<_, anyhow::Error>(answers)
    })
    .unwrap();
    println!("{} panels, {} queries; excused:", answers.panels, answers.queries);
    println!("{}", answers.excused.join("\n"));
    assert!(answers.panels > 100, "only {} panels", answers.panels);
    drill_down(&storage, &scene.space.name);
    autoscaler(&storage, &scene.space.name);
    drop(live);
}

/// From the application's own series to the pod's, and on to its node's.
fn drill_down(storage: &Storage, space: &str) {
    let app = format!("up{{job=\"app\",namespace=\"{space}\",pod_name=~\"application-.+\"}}");
    let pod = format!(
        "count({app} * on (cluster_name, namespace, pod_name, pod_ip) group_right () container_memory_rss{{container=\"application\"}})"
    );
    storage.expect(&pod, |pods| pods == 2.0).unwrap();
    let node = format!(
        "count({app} * on (cluster_name, node) group_left () node_load1 and on (cluster_name, node) kube_node_info)"
    );
    storage.expect(&node, |nodes| nodes == 2.0).unwrap();
}

fn autoscaler(storage: &Storage, space: &str) {
    let metrics = adapter::metrics(&storage.asked(), space).unwrap();
    for name in [
        "http_requests_per_second",
        "queue_length",
        "pod_cpu_usage_seconds_per_second",
        "pod_memory_rss",
    ] {
        let pods = metrics.get(name).unwrap_or_else(|| panic!("no {name}: {:?}", metrics.keys()));
        assert!(pods.keys().any(|pod| pod.starts_with("application-")), "{name}: {pods:?}");
    }
    let rates = &metrics["http_requests_per_second"];
    assert!(rates.values().any(|rate| (0.1..=10.0).contains(rate)), "{rates:?}");
}
