use super::*;

const ID: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
const OLD: &str = "fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210";

fn read(json: &str) -> (PodFacts, Vec<ContainerFacts>) {
    let defaults =
        Defaults { labels: "app=app".parse().unwrap(), host_ip: Some("192.0.2.1".to_owned()) };
    serde_json::from_str::<ApiPod>(json).unwrap().facts(&defaults).unwrap()
}

#[test]
fn a_pod_tells_its_address_its_owner_its_labels_and_its_containers() {
    let json = format!(
        r#"{{"metadata":{{"name":"web-1","namespace":"shop","uid":"u1","labels":{{"app":"web","b":"c"}},
        "ownerReferences":[{{"kind":"Gang","name":"g"}},{{"kind":"ReplicaSet","name":"web","controller":true}}]}},
        "spec":{{"nodeName":"n1"}},"status":{{"phase":"Running","podIP":"10.0.0.1","hostIP":"192.0.2.9",
        "containerStatuses":[{{"name":"app","image":"busybox:1","containerID":"docker://{ID}","state":{{"running":{{"startedAt":null}}}},
        "lastState":{{"terminated":{{"exitCode":1,"containerID":"docker://{OLD}"}}}}}},
        {{"name":"waits","state":{{"waiting":{{}}}}}}]}}}}"#
    );
    let (PodFacts { pod, hash, .. }, containers) = read(&json);
    assert_eq!(
        (pod.ip.as_deref(), pod.node.as_deref(), hash),
        (Some("10.0.0.1"), Some("n1"), None)
    );
    assert_eq!(pod.owner, Some(("ReplicaSet".to_owned(), "web".to_owned())));
    assert_eq!(pod.labels, BTreeMap::from([("app".to_owned(), "web".to_owned())]));
    let found: Vec<_> =
        containers.iter().map(|c| (c.container.id.as_str(), c.container.running)).collect();
    assert_eq!(found, [(ID, true), (OLD, false)]);
    assert!(containers.iter().all(|c| c.container.name == "app" && c.pod.as_deref() == Some("u1")));
}

#[test]
fn a_static_pod_without_a_status_has_the_hosts_address_in_the_hosts_network_only() {
    let pod = |host: bool| {
        read(&format!(
            r#"{{"metadata":{{"name":"proxy","namespace":"kube-system","uid":"d41d8cd98f00b204e9800998ecf8427e",
            "annotations":{{"kubernetes.io/config.hash":"d41d8cd98f00b204e9800998ecf8427e"}}}},
            "spec":{{"hostNetwork":{host}}},"status":{{"phase":"Pending"}}}}"#
        ))
        .0
    };
    assert_eq!(pod(true).pod.ip.as_deref(), Some("192.0.2.1"));
    assert_eq!(pod(true).hash, None);
    assert_eq!(pod(false).pod.ip, None);
}

#[test]
fn a_mirror_pod_has_its_static_pods_uid_as_second_key() {
    let (facts, containers) = read(&format!(
        r#"{{"metadata":{{"name":"proxy","namespace":"kube-system","uid":"m","annotations":
        {{"kubernetes.io/config.hash":"h","kubernetes.io/config.mirror":"h"}}}},"spec":{{"hostNetwork":true}},
        "status":{{"hostIP":"192.0.2.7","containerStatuses":[{{"name":"p","containerID":"{ID}"}}]}}}}"#
    ));
    assert_eq!((facts.pod.uid.as_str(), facts.hash.as_deref()), ("m", Some("h")));
    assert_eq!(facts.pod.ip.as_deref(), Some("192.0.2.7"));
    assert_eq!(containers[0].pod.as_deref(), Some("h"));
}

#[test]
fn nulls_and_nonsense_are_no_pod_and_no_panic() {
    for json in ["{}", r#"{"metadata":{"name":"a","uid":""}}"#] {
        let pod: ApiPod = serde_json::from_str(json).unwrap();
        assert!(pod.facts(&Defaults::default()).is_none());
    }
    let json = r#"{"metadata":{"name":"a","uid":"b","labels":null},"status":{"podIP":"","containerStatuses":
        [{"name":"x","containerID":"docker://short"}]}}"#;
    let (facts, containers) = read(json);
    assert_eq!((facts.pod.ip, containers), (None, Vec::new()));
}
