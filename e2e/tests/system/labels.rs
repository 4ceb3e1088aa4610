//! What ties series together: an application's to its pod, a pod's to its node.

use std::collections::BTreeSet;

use anyhow::{Result, ensure};
use e2e::storage::value;
use e2e::wait_until;

use crate::found::both;
use crate::stage::{APPS, PATIENCE, SPACE, Stage};

/// Name and address of each pod, as the API server has them.
fn pods(stage: &Stage) -> Result<BTreeSet<(String, String)>> {
    let mut pods = BTreeSet::new();
    for space in [SPACE, APPS] {
        for pod in stage.pods(space, "")? {
            let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
            pods.insert((text(&pod["metadata"]["name"]), text(&pod["status"]["podIP"])));
        }
    }
    Ok(pods)
}

pub(crate) fn every_series_of_a_pod_carries_its_address_and_name(stage: &Stage) {
    for (how, asked) in both(stage) {
        let of_pods = format!(r#"{{job="cadvisor-proxy",namespace=~"{SPACE}|{APPS}",pod!=""}}"#);
        wait_until(&format!("every pod in its series {how}"), PATIENCE, || {
            let series = asked.series(&format!("count by (pod, pod_name, pod_ip) ({of_pods})"))?;
            let mut found = BTreeSet::new();
            for one in &series {
                let label =
                    |name: &str| one["metric"][name].as_str().unwrap_or_default().to_owned();
                ensure!(label("pod") == label("pod_name"), "{one}");
                ensure!(!label("pod_ip").is_empty(), "{one}");
                ensure!(value(one)? > 20.0, "{one}");
                found.insert((label("pod_name"), label("pod_ip")));
            }
            let expected = pods(stage)?;
            ensure!(found == expected, "{found:?} instead of {expected:?}");
            Ok::<_, anyhow::Error>(())
        })
        .unwrap();
        // Applications, with the sidecar and without, and each family of theirs.
        let bare = r#"count({job="app",pod_ip=""} or {job="app",pod_name=""} or {job="app",namespace=""}) or vector(0)"#;
        assert_eq!(asked.number(bare).unwrap(), 0.0, "{how}");
        let renamed = r#"count({exported_pod_name!=""} or {exported_pod_ip!=""}) or vector(0)"#;
        assert_eq!(asked.number(renamed).unwrap(), 0.0, "{how}");
    }
}

/// Each way of the drill-down as PromQL, with what it gives of the application with the sidecar.
const WAYS: [(&str, &str); 5] = [
    (
        "application to its pod's containers",
        r#"app_requests_total * on (cluster_name, pod_ip, pod_name) group_left ()
           (0 * sum by (cluster_name, pod_ip, pod_name) (container_memory_working_set_bytes{container="app"}) + 1)"#,
    ),
    (
        "application to the pod's object",
        "app_requests_total * on (cluster_name, pod_ip, pod_name) group_left (host_ip, created_by_name) kube_pod_info",
    ),
    (
        "application to its node, by name",
        "app_requests_total * on (cluster_name, node) group_left ()
           (0 * sum by (cluster_name, node) (node_load1) + 1)",
    ),
    (
        "application to its pod to its node, by address",
        r#"app_requests_total * on (cluster_name, pod_ip, pod_name) group_left (node_ip)
           max by (cluster_name, pod_ip, pod_name, node_ip)
             (label_replace(container_last_seen{container="app"}, "node_ip", "$1", "ip", "(.+)") ^ 0)
           * on (cluster_name, node_ip) group_left ()
             (label_replace(node_load1, "node_ip", "$1", "ip", "(.+)") ^ 0)"#,
    ),
    (
        "node to the applications on it",
        r#"sum by (cluster_name, node) (app_requests_total) and on (cluster_name, node) node_load1{ip="IP"}"#,
    ),
];

pub(crate) fn an_applications_series_lead_to_its_pod_and_its_node(stage: &Stage) {
    for (how, asked) in both(stage) {
        for (way, query) in WAYS {
            let query = query.replace("IP", &stage.ip);
            wait_until(&format!("{way}, {how}"), PATIENCE, || {
                let number = asked.number(&query)?;
                ensure!(number == 42.0, "{number}");
                Ok::<_, anyhow::Error>(())
            })
            .unwrap();
        }
        // The same for the pods without a sidecar, two of them.
        let plain = "count(plain_requests_total * on (cluster_name, pod_ip, pod_name) group_left (created_by_name) kube_pod_info)";
        asked.expect(plain, |count| count == 2.0).unwrap();
    }
}
