use std::path::PathBuf;

use super::*;
use crate::identity::Directory;

const PAUSE: &str = "0000000000000000000000000000000000000000000000000000000000000001";
const APP: &str = "0000000000000000000000000000000000000000000000000000000000000002";
const NEW: &str = "0000000000000000000000000000000000000000000000000000000000000003";

fn settings() -> Settings {
    Settings {
        socket: PathBuf::new(),
        procfs: PathBuf::new(),
        host_ip: Some("192.0.2.1".to_owned()),
        node: Some("n1".to_owned()),
        labels: "app".parse().unwrap(),
        container_labels: "com.example.team".parse().unwrap(),
        compose_service: true,
    }
}

/// In the form of docker's own answer.
fn list(json: &str) -> Vec<Summary> {
    let list: Vec<ContainerSummary> = serde_json::from_str(json).unwrap();
    list.into_iter().filter_map(Summary::of).collect()
}

fn directory(json: &str) -> Directory {
    let inside = |id: &str| (id == NEW).then(|| Inside::Own("10.244.1.17".to_owned()));
    Directory::of(&facts(&list(json), &settings(), &inside, &HashMap::new()))
}

fn sandbox(id: &str, state: &str, created: i64, mode: &str, ip: &str) -> String {
    format!(
        r#"{{"Id":"{id}","Names":["/k8s_POD_web-1_shop_u1_0"],"Image":"pause","State":"{state}","Created":{created},
        "HostConfig":{{"NetworkMode":"{mode}"}},"NetworkSettings":{{"Networks":{{"{mode}":{{"IPAddress":"{ip}"}}}}}},
        "Labels":{{"io.kubernetes.docker.type":"podsandbox","io.kubernetes.pod.uid":"u1","io.kubernetes.pod.name":"web-1",
        "io.kubernetes.pod.namespace":"shop","app":"web"}}}}"#
    )
}

fn app(state: &str) -> String {
    format!(
        r#"{{"Id":"{APP}","Names":["/k8s_app_web-1_shop_u1_0"],"Image":"busybox:1","State":"{state}","Created":5,
        "HostConfig":{{"NetworkMode":"container:{PAUSE}"}},"NetworkSettings":{{"Networks":{{}}}},
        "Labels":{{"io.kubernetes.docker.type":"container","io.kubernetes.pod.uid":"u1","io.kubernetes.pod.name":"web-1",
        "io.kubernetes.pod.namespace":"shop","io.kubernetes.container.name":"app","io.kubernetes.sandbox.id":"{PAUSE}"}}}}"#
    )
}

#[test]
fn a_container_of_a_pod_has_the_address_of_its_sandbox() {
    let directory = directory(&format!(
        "[{},{}]",
        app("running"),
        sandbox(PAUSE, "running", 1, "default", "172.17.0.9")
    ));
    let container = directory.container(APP.as_bytes()).unwrap();
    assert_eq!((container.name.as_str(), container.image.as_deref()), ("app", Some("busybox:1")));
    assert_eq!(container.runtime_name.as_deref(), Some("k8s_app_web-1_shop_u1_0"));
    let pod = container.pod.as_ref().unwrap();
    assert_eq!((pod.ip.as_deref(), pod.node.as_deref()), (Some("172.17.0.9"), Some("n1")));
    assert_eq!(pod.labels.get("label_app").map(String::as_str), Some("web"));
    assert_eq!(directory.container(PAUSE.as_bytes()).unwrap().name, "POD");
}

#[test]
fn the_running_sandbox_tells_the_address_whatever_the_order() {
    let (old, new) =
        (sandbox(PAUSE, "exited", 9, "default", ""), sandbox(NEW, "running", 7, "none", ""));
    for json in [format!("[{old},{new}]"), format!("[{new},{old},{}]", app("exited"))] {
        let directory = directory(&json);
        assert_eq!(directory.pod(b"u1").unwrap().ip.as_deref(), Some("10.244.1.17"));
        assert!(!directory.container(PAUSE.as_bytes()).unwrap().running);
    }
}

#[test]
fn a_pod_whose_sandbox_has_ended_has_no_address() {
    let directory = directory(&format!(
        "[{},{}]",
        app("running"),
        sandbox(PAUSE, "exited", 1, "default", "172.17.0.9")
    ));
    assert_eq!(directory.pod(b"u1").unwrap().ip, None);
    let running = sandbox(NEW, "running", 1, "none", "");
    let awaited = facts(
        &list(&format!("[{running}]")),
        &settings(),
        &|_| Some(Inside::Awaited),
        &HashMap::new(),
    );
    assert!(awaited.pods[0].lost && awaited.pods[0].pod.ip.is_none());
}

#[test]
fn a_container_that_has_ended_keeps_the_address_it_had() {
    let json = format!("[{},{}]", app("exited"), sandbox(PAUSE, "exited", 1, "default", ""));
    let past = HashMap::from([(PAUSE.to_owned(), "172.17.0.9".to_owned())]);
    let facts = facts(&list(&json), &settings(), &|_| None, &past);
    let directory = Directory::of(&facts);
    let container = directory.container(APP.as_bytes()).unwrap();
    assert_eq!(container.pod.as_ref().unwrap().ip.as_deref(), Some("172.17.0.9"));
    assert_eq!(directory.pod(b"u1").unwrap().ip, None, "the next sandbox may have another one");
}

#[test]
fn a_pod_in_the_hosts_network_has_the_hosts_address() {
    let directory = directory(&format!("[{}]", sandbox(PAUSE, "running", 1, "host", "")));
    let pod = directory.pod(b"u1").unwrap();
    assert_eq!((pod.ip.as_deref(), pod.host_network), (Some("192.0.2.1"), true));
}

#[test]
fn names_are_enough_where_an_old_kubelet_gives_no_labels() {
    let directory = directory(&format!(
        r#"[{{"Id":"{APP}","Names":["/k8s_app.1a2b_web-1_shop_u1_9f"],"State":"running","Labels":{{}}}},
        {{"Id":"{PAUSE}","Names":["/k8s_POD.1a2b_web-1_shop_u1_9e"],"State":"running","Labels":null,
        "NetworkSettings":{{"Networks":{{"bridge":{{"IPAddress":"172.17.0.4"}}}}}}}}]"#
    ));
    let container = directory.container(APP.as_bytes()).unwrap();
    assert_eq!(
        (container.name.as_str(), container.pod.as_ref().unwrap().ip.as_deref()),
        ("app", Some("172.17.0.4"))
    );
}

#[test]
fn plain_containers_have_names_and_addresses_of_their_own() {
    let directory = directory(&format!(
        r#"[{{"Id":"{APP}","Names":["/web/db","/shop_db_1"],"Image":"db:1","State":"running",
        "Labels":{{"com.docker.compose.service":"db"}},"HostConfig":{{"NetworkMode":"shop"}},
        "NetworkSettings":{{"Networks":{{"b":{{"IPAddress":"172.18.0.3"}},"a":{{"IPAddress":"172.19.0.3"}}}}}}}},
        {{"Id":"{PAUSE}","Names":["/side"],"State":"running","HostConfig":{{"NetworkMode":"container:{APP}"}}}},
        {{"Id":"{NEW}","Names":["/agent"],"State":"running","HostConfig":{{"NetworkMode":"host"}}}}]"#
    ));
    let db = directory.container(APP.as_bytes()).unwrap();
    assert_eq!((db.name.as_str(), db.ip.as_deref()), ("db", Some("172.19.0.3")));
    assert_eq!(db.runtime_name.as_deref(), Some("shop_db_1"));
    assert_eq!(directory.container(PAUSE.as_bytes()).unwrap().ip, db.ip);
    let agent = directory.container(NEW.as_bytes()).unwrap();
    assert_eq!((agent.ip.as_deref(), agent.host_network), (Some("192.0.2.1"), true));
    assert!(directory.pods.is_empty());
}
