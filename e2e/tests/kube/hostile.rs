//! Objects that mean no good, or whose makers did not think of us.

use anyhow::Result;
use e2e::exposition::label;
use serde_json::{Value, json};

use crate::subject::{Subject, only};
use crate::truth;
use e2e::cluster::Cluster;

/// Letters that mean something in an exposition, in JSON and to a terminal.
const LETTERS: &str =
    "\"quoted\" \\ back\\\\slash {brace}, = # \t\r\nnext 你好 🦀 \u{1b}[31m \u{2028} é";

/// 10 kB of them.
fn long() -> String {
    LETTERS.repeat(10_000 / LETTERS.len() + 1)
}

/// A label's key of the greatest length: a DNS subdomain of 253 letters, and 63.
fn longest_key() -> String {
    let part = "a".repeat(62);
    let domain = format!("{part}.{part}.{part}.{}", "b".repeat(253 - 3 * 63));
    format!("{domain}/{}", "C-".repeat(31) + "d")
}

fn pod() -> Value {
    let container = json!({"name": long(), "image": long(), "resources": {
        "requests": {"cpu": "1m", "e2e.example/odd-Name.x": "7"},
        "limits": {"memory": "1Ki", "hugepages-2Mi": "2Mi"}}});
    json!({
        "metadata": {
            "name": "hostile",
            "labels": {longest_key(): "e".repeat(63), "a.b": "1", "a-b": "2", "a_b": "3", "A_b": "4"},
            "annotations": {"text": LETTERS, "long": long(), "longer": "x".repeat(200 << 10)},
            "finalizers": ["e2e.example/never"],
            "ownerReferences": [{"apiVersion": "v1", "kind": long(), "name": long(), "uid": LETTERS}],
        },
        "spec": {"nodeName": long(), "priorityClassName": long(), "containers": [container],
            "tolerations": [{"key": LETTERS, "value": LETTERS}, {"operator": LETTERS}, {}]},
    })
}

fn status() -> Value {
    json!({"status": {"phase": LETTERS, "reason": long(), "podIP": LETTERS,
        "podIPs": [{"ip": LETTERS}, {"ip": ""}],
        "conditions": [{"type": long(), "status": LETTERS, "reason": LETTERS}, {"type": "", "status": ""}],
        "containerStatuses": [{"name": long(), "image": LETTERS, "imageID": long(), "ready": true,
            "restartCount": -1, "state": {"waiting": {"reason": long()}}},
            {"name": "", "image": "", "imageID": "", "ready": false, "restartCount": i32::MAX}]}})
}

#[test]
fn texts_of_ten_kilobytes_and_odd_letters_come_out_as_they_went_in() {
    let Some(cluster) = Cluster::modern("hostile texts", &[]) else { return };
    let (api, space) = (cluster.api(), cluster.space("hostile"));
    let subject = Subject::start(&cluster);
    let pods = format!("/api/v1/namespaces/{}/pods", space.name);
    api.post(&pods, &pod()).unwrap();
    api.patch(&format!("{pods}/hostile/status"), &status()).unwrap();
    let scrape = truth::reached(&cluster, &subject);
    let one = |metric: &str| -> String {
        let mut found = scrape.of(metric).filter(|(key, _)| key.contains(&space.name));
        found.next().unwrap_or_else(|| panic!("no {metric}")).0.to_owned()
    };
    let info = one("kube_pod_container_info");
    assert_eq!(label(&info, "image_spec"), Some(long()));
    assert_eq!(label(&info, "container"), Some(long()));
    assert_eq!(label(&one("kube_pod_info"), "node"), Some(long()));
    let annotations = one("kube_pod_annotations");
    assert_eq!(label(&annotations, "annotation_text").as_deref(), Some(LETTERS));
    assert_eq!(label(&annotations, "annotation_longer").map(|text| text.len()), Some(200 << 10));
    let labels = one("kube_pod_labels");
    let conflicts = labels.split(',').filter(|label| label.starts_with("label_a_b_conflict"));
    assert_eq!(conflicts.count(), 4, "{labels}");
    assert_eq!(subject.of("kube_state_metrics_broken_objects_total", "pods").unwrap(), 0.0);
    let keep = json!({"metadata": {"finalizers": null}});
    api.patch(&format!("{pods}/hostile"), &keep).unwrap();
}

/// Makes many objects of nearly a megabyte, changes each, and returns how much memory that cost: now and at its highest.
pub(crate) fn grown(
    cluster: &Cluster,
    resource: &str,
    payload: impl Fn(char) -> Value,
) -> Result<[u64; 2]> {
    let (api, space) = (cluster.api(), cluster.space("large"));
    let objects = format!("/api/v1/namespaces/{}/{resource}", space.name);
    let subject = Subject::with(&cluster.kubeconfig, only("configmaps,secrets,pods"), &[]);
    let before = subject.memory();
    for letter in ['x', 'y'] {
        for number in 0..25 {
            let mut object = payload(letter);
            object["metadata"] = json!({"name": format!("large-{number}")});
            match letter {
                'x' => api.post(&objects, &object)?,
                _ => api.put(&format!("{objects}/large-{number}"), &object)?,
            }
        }
    }
    // Another one lists them.
    let listing = Subject::with(&cluster.kubeconfig, only("configmaps,secrets,pods"), &[]);
    assert!(listing.of("kube_state_metrics_objects", resource)? >= 25.0);
    truth::reached(cluster, &subject);
    let [after, listed] = [subject.memory(), listing.memory()];
    eprintln!(
        "{resource} of 23 MB: {before:?} before, {after:?} after, {listed:?} where they were listed"
    );
    for number in 0..25 {
        api.delete(&format!("{objects}/large-{number}"))?;
    }
    Ok([after.0.saturating_sub(before.0), after.1.max(listed.1).saturating_sub(before.1)])
}

pub(crate) fn config_map(letter: char) -> Value {
    json!({"data": {"large": letter.to_string().repeat(900 << 10)}})
}

pub(crate) fn secret(letter: char) -> Value {
    json!({"stringData": {"large": letter.to_string().repeat(900 << 10)}})
}

/// What twenty-five objects of nearly a megabyte may cost: a third of them. One at a time passes through; the allocator
/// keeps the room of a few.
pub(crate) const BOUND: u64 = 8 << 20;

#[test]
fn large_config_maps_of_a_streaming_list_cost_no_memory() {
    let Some(cluster) = Cluster::modern("large config maps, streamed", &[]) else { return };
    let [now, highest] = grown(&cluster, "configmaps", config_map).unwrap();
    assert!(now < BOUND && highest < BOUND, "{now} bytes more, {highest} at most");
}

#[test]
fn large_secrets_of_a_server_that_gives_them_whole_are_held_one_at_a_time() {
    let Some(cluster) = Cluster::modern("large secrets, whole", &[]) else { return };
    let [now, highest] = grown(&cluster, "secrets", secret).unwrap();
    assert!(now < 2 * BOUND && highest < 2 * BOUND, "{now} bytes more, {highest} at most");
}
