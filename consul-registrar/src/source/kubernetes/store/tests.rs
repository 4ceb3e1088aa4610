use proptest::prelude::*;
use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::target::{Held, Target};

fn store(rules: &str) -> Store {
    Store::new(Rules::parse("rules.yaml", rules, &|_| None).unwrap())
}

fn set(store: &Store, kind: Kind, (namespace, name): (&str, &str), raw: &str) {
    let content = store.read(kind, false, (namespace, name), raw).unwrap();
    store.set(kind, format!("{namespace}/{name}"), content);
}

fn node(ip: &str) -> String {
    format!(r#"{{"status":{{"addresses":[{{"type":"InternalIP","address":"{ip}"}}]}}}}"#)
}

fn keys(store: &Store) -> Vec<String> {
    let mut keys: Vec<String> =
        store.all().into_iter().flatten().map(|target| target.key.to_string()).collect();
    keys.sort();
    keys
}

const NODES: &str = "- {service: n, source: node, port: 9100}";

#[test]
fn a_list_replaces_what_was_known_only_when_it_is_complete() {
    let store = store(NODES);
    assert!(matches!(store.standing(), Standing::Incomplete(_)));
    store.begin(Kind::Nodes);
    set(&store, Kind::Nodes, ("", "a"), &node("10.0.0.1"));
    set(&store, Kind::Nodes, ("", "b"), &node("10.0.0.2"));
    store.listed(Kind::Nodes);
    assert!(matches!(store.standing(), Standing::Good));

    store.begin(Kind::Nodes);
    set(&store, Kind::Nodes, ("", "b"), &node("10.0.0.2"));
    assert_eq!(keys(&store), ["n/10.0.0.1:9100", "n/10.0.0.2:9100"]);
    store.begin(Kind::Nodes);
    store.keep(Kind::Nodes, "/a");
    set(&store, Kind::Nodes, ("", "c"), &node("10.0.0.3"));
    store.listed(Kind::Nodes);
    assert_eq!(keys(&store), ["n/10.0.0.1:9100", "n/10.0.0.3:9100"]);
    store.remove(Kind::Nodes, "/a");
    assert_eq!(keys(&store), ["n/10.0.0.3:9100"]);
}

#[test]
fn a_node_that_loses_its_address_keeps_its_targets_until_it_has_another() {
    let store = store(NODES);
    set(&store, Kind::Nodes, ("", "a"), "{}");
    assert!(keys(&store).is_empty());
    set(&store, Kind::Nodes, ("", "a"), &node("10.0.0.1"));
    set(&store, Kind::Nodes, ("", "a"), r#"{"status":{"addresses":null}}"#);
    assert_eq!(keys(&store), ["n/10.0.0.1:9100"]);
    set(&store, Kind::Nodes, ("", "a"), &node("10.0.0.2"));
    assert_eq!(keys(&store), ["n/10.0.0.2:9100"]);
}

#[test]
fn a_resource_that_may_not_be_listed_says_so_and_empties_nothing() {
    let store = store(NODES);
    let retry_in = Duration::from_secs(1);
    let forbidden = Status::Forbidden { message: "no rights".into(), retry_in };
    store.status(Kind::Nodes, &forbidden);
    let Standing::Incomplete(reason) = store.standing() else { panic!("complete") };
    assert_eq!(reason, "nodes: forbidden: no rights");
    store.begin(Kind::Nodes);
    set(&store, Kind::Nodes, ("", "a"), &node("10.0.0.1"));
    store.listed(Kind::Nodes);
    store.status(Kind::Nodes, &Status::Following);
    assert!(matches!(store.standing(), Standing::Good));
    store.status(Kind::Nodes, &Status::NotServed { retry_in });
    assert!(matches!(store.standing(), Standing::Old(_)));
    assert_eq!(keys(&store), ["n/10.0.0.1:9100"]);
}

#[test]
fn only_what_the_rules_need_is_followed() {
    assert_eq!(Kind::needed(&store(NODES).rules), [Kind::Nodes]);
    let endpoints = store("- {service: e, source: endpoints}");
    assert_eq!(Kind::needed(&endpoints.rules), [Kind::Services, Kind::Slices]);
    let fixed = store("- {service: f, source: fixed, targets: 'a:1'}");
    assert!(Kind::needed(&fixed.rules).is_empty());
    assert!(matches!(fixed.standing(), Standing::Good));
    assert_eq!(keys(&fixed), ["f/a:1"]);
}

#[test]
fn what_is_behind_a_service_follows_the_service_and_its_slices() {
    let rules = "- {service: e, source: endpoints, when: {annotation: scrape}, port: [http, 99]}";
    let store = store(rules);
    let slice = r#"{"metadata":{"labels":{"kubernetes.io/service-name":"web"}},"endpoints":
        [{"addresses":["10.0.0.1"],"nodeName":"w1"}],"ports":[{"name":"http","port":80}]}"#;
    set(&store, Kind::Slices, ("shop", "web-x"), slice);
    assert!(keys(&store).is_empty());
    let service = r#"{"metadata":{"annotations":{"scrape":"true"}}}"#;
    set(&store, Kind::Services, ("till", "web"), service);
    assert!(keys(&store).is_empty(), "a service of another namespace");
    set(&store, Kind::Services, ("shop", "web"), service);
    assert_eq!(keys(&store), ["e/10.0.0.1:80"]);
    set(&store, Kind::Services, ("shop", "web"), "{}");
    assert!(keys(&store).is_empty());
}

#[test]
fn a_pod_goes_when_it_has_ended_and_not_when_it_is_not_ready() {
    let store = store("- {service: p, source: pod, port: 80}");
    let pod = |rest: &str| format!(r#"{{{rest},"spec":{{"nodeName":"w1"}}}}"#);
    for (raw, there) in [
        (r#""status":{"phase":"Running","podIP":"10.0.0.1"}"#, true),
        (
            r#""status":{"phase":"Running","podIP":"10.0.0.1","conditions":[{"type":"Ready","status":"False"}]}"#,
            true,
        ),
        (r#""status":{"phase":"Pending"}"#, false),
        (r#""status":{"phase":"Failed","podIP":"10.0.0.1"}"#, false),
        (r#""status":{"phase":"Succeeded","podIP":"10.0.0.1"}"#, false),
        (
            r#""metadata":{"deletionTimestamp":"2026-01-01T00:00:00Z"},"status":{"phase":"Running","podIP":"10.0.0.1",
            "containerStatuses":[{"state":{"running":{}}},{"state":{"terminated":{}}}]}"#,
            true,
        ),
        (
            r#""metadata":{"deletionTimestamp":"2026-01-01T00:00:00Z"},"status":{"phase":"Running","podIP":"10.0.0.1",
            "containerStatuses":[{"state":{"terminated":{}}}]}"#,
            false,
        ),
    ] {
        set(&store, Kind::Pods, ("shop", "web-1"), &pod(raw));
        assert_eq!(!keys(&store).is_empty(), there, "{raw}");
    }
}

fn found(store: &Store) -> (Vec<Arc<Target>>, Vec<Held>) {
    let (mut targets, mut held) = (Vec::new(), Vec::new());
    for one in store.all() {
        match one {
            Ok(target) => targets.push(target),
            Err(why) => held.push(why),
        }
    }
    (targets, held)
}

#[test]
fn a_pod_s_annotations_and_labels_make_its_target() {
    let store = store(crate::source::kubernetes::SHIPPED);
    let raw = r#"{"metadata":{"labels":{"app":"web","app.kubernetes.io/part-of":"shop","x":"y"},
        "annotations":{"prometheus.io/scrape":"true","prometheus.io/port":"http","prometheus.io/path":"/m"}},
        "spec":{"nodeName":"w1","containers":[{"ports":[{"name":"http","containerPort":8080}]}]},
        "status":{"phase":"Running","podIP":"10.0.0.1"}}"#;
    set(&store, Kind::Pods, ("shop", "web-1"), raw);
    let (targets, _) = found(&store);
    let [target] = targets.as_slice() else { panic!("{targets:?}") };
    assert_eq!(target.key.to_string(), "app/10.0.0.1:8080");
    assert_eq!((&*target.metrics_path, &*target.node), ("/m", "w1"));
    let meta: Vec<String> = target.meta.iter().map(|(k, v)| format!("{k}={v}")).collect();
    assert_eq!(
        meta,
        [
            "label_app=web",
            "label_app_kubernetes_io_part_of=shop",
            "namespace=shop",
            "pod_name=web-1"
        ]
    );
    assert_eq!(&*target.origin, "pod shop/web-1 by rule 10 of rules.yaml");
}

#[test]
fn what_cannot_be_a_target_is_held_back_with_its_reason() {
    let store = store(
        "- {service: a, source: pod, port: ['@prometheus.io/port', metrics]}\n\
         - {service: b, source: node, port: 1}\n",
    );
    let pod = |annotations: &str| {
        format!(r#"{{"metadata":{{"annotations":{annotations}}},"status":{{"podIP":"10.0.0.1"}}}}"#)
    };
    set(&store, Kind::Pods, ("shop", "none"), &pod("null"));
    set(&store, Kind::Pods, ("shop", "port"), &pod(r#"{"prometheus.io/port":"70000"}"#));
    set(&store, Kind::Nodes, ("", "w1"), "{}");
    let (targets, held) = found(&store);
    assert!(targets.is_empty());
    let reasons: Vec<&str> = held.iter().map(|held| &*held.reason).collect();
    assert_eq!(
        reasons,
        [
            "the node has no InternalIP",
            "the annotation prometheus.io/port is missing, and no port is named 'metrics'",
            "port \"70000\" is not one of 1 to 65535",
        ]
    );
}

proptest! {
    #[test]
    fn no_label_or_annotation_panics(key in "\\PC{0,200}", value in "\\PC{0,600}") {
        let store = store("- {service: a, source: pod, port: ['@a/b', 1], path: '@a/b', labels: '*', meta: {x: '@a/b'}, tags: '@a/b'}");
        let pairs = serde_json::json!({ &key: &value, "a/b": &value });
        let pod = serde_json::json!({
            "metadata": {"labels": pairs, "annotations": pairs},
            "spec": {"nodeName": value},
            "status": {"podIP": "10.0.0.1"},
        });
        set(&store, Kind::Pods, (&value, &key), &pod.to_string());
        for target in store.all().into_iter().flatten() {
            prop_assert!(target.meta.iter().all(|(k, v)| k.len() <= 128 && v.len() <= 512));
        }
    }
}
