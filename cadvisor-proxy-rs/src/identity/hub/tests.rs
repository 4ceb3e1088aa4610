use super::*;
use crate::identity::{Cgroup, Container, ContainerFacts, Pod, PodFacts};

const A: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
const B: &str = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";

fn pod(uid: &str, name: &str, ip: Option<&str>) -> Pod {
    let (uid, name, ip) = (uid.to_owned(), name.to_owned(), ip.map(str::to_owned));
    Pod { uid, namespace: "shop".to_owned(), name, ip, ..Pod::default() }
}

fn container(id: &str, pod: &str) -> ContainerFacts {
    let container = Container { id: id.to_owned(), running: true, ..Container::default() };
    ContainerFacts { container, pod: Some(pod.to_owned()) }
}

fn facts(pods: impl IntoIterator<Item = Pod>, containers: &[ContainerFacts]) -> Facts {
    let pods = pods.into_iter().map(PodFacts::from).collect();
    Facts { pods, containers: containers.to_vec(), own: None }
}

fn ip(directory: &Directory, uid: &str) -> Option<String> {
    directory.pod(uid.as_bytes()).and_then(|pod| pod.ip.clone())
}

async fn settle() {
    sleep(GATHER * 2).await;
}

#[tokio::test(start_paused = true)]
async fn the_first_source_wins_and_the_others_fill_its_gaps() {
    let mut hub = Hub::default();
    let (mut docker, mut api) = (hub.add_source("docker"), hub.add_source("api"));
    let shared = hub.shared();
    let run = tokio::spawn(hub.run());
    let labelled = Pod { node: Some("n1".to_owned()), ..pod("1", "web-0", Some("10.0.0.9")) };
    api.tell(facts([labelled, pod("2", "web-1", Some("10.0.0.2"))], &[]));
    docker.tell(facts(
        [pod("1", "web-0", Some("10.0.0.1")), pod("2", "web-1", None)],
        &[container(A, "1")],
    ));
    settle().await;
    let directory = shared.load();
    assert_eq!(ip(&directory, "1").as_deref(), Some("10.0.0.1"));
    assert_eq!(ip(&directory, "2").as_deref(), Some("10.0.0.2"));
    let path = format!("/kubepods/pod1/{A}");
    let (container, pod) = directory.find(&Cgroup::of(path.as_bytes()));
    assert!(container.unwrap().running);
    assert_eq!(pod.unwrap().node.as_deref(), Some("n1"));
    assert_eq!(directory.named(b"shop", b"web-1").unwrap().uid, "2");
    run.abort();
}

#[tokio::test(start_paused = true)]
async fn an_address_that_is_lost_is_not_taken_from_a_source_that_does_not_know_it_yet() {
    let told = facts([pod("1", "web-0", Some("10.0.0.1"))], &[]);
    let mut lost = facts([pod("1", "web-0", None)], &[]);
    lost.pods[0].lost = true;
    for order in [[&told, &lost], [&lost, &told]] {
        let directory = Merged::of(order).directory(&Merged::default(), 1);
        assert_eq!(ip(&directory, "1"), None);
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_gone_is_known_for_five_minutes_but_no_longer_by_its_name() {
    let mut hub = Hub::default();
    let mut docker = hub.add_source("docker");
    let shared = hub.shared();
    let run = tokio::spawn(hub.run());
    docker.tell(facts([pod("1", "web-0", Some("10.0.0.1"))], &[container(A, "1")]));
    settle().await;
    docker.tell(facts([pod("2", "web-0", None)], &[container(B, "2")]));
    settle().await;
    let directory = shared.load();
    let gone = directory.container(A.as_bytes()).unwrap();
    assert!(!gone.running && gone.pod.as_ref().unwrap().ended);
    assert_eq!(ip(&directory, "1").as_deref(), Some("10.0.0.1"));
    assert_eq!(directory.named(b"shop", b"web-0").unwrap().uid, "2");
    assert_eq!(ip(&directory, "2"), None);
    sleep(Duration::from_mins(6)).await;
    let directory = shared.load();
    assert!(directory.container(A.as_bytes()).is_none() && directory.pod(b"1").is_none());
    assert!(directory.container(B.as_bytes()).unwrap().running);
    run.abort();
}

#[tokio::test(start_paused = true)]
async fn an_id_that_stays_unknown_is_asked_for_less_and_less() {
    let mut hub = Hub::default();
    let mut kubelet = hub.add_source("kubelet");
    let shared = hub.shared();
    let run = tokio::spawn(hub.run());
    let counting = tokio::spawn(async move {
        let mut asked = 0;
        loop {
            tokio::select! {
                () = kubelet.asked() => asked += 1,
                () = sleep(Duration::from_mins(20)) => return asked,
            }
        }
    });
    for _scrape in 0..40 {
        for _line in 0..300 {
            shared.unknown(A.as_bytes());
        }
        sleep(Duration::from_secs(15)).await;
    }
    assert_eq!(counting.await.unwrap(), 9, "after 0, 15, 30, 45, 60, 90, 135, 210 and 345 s");
    run.abort();
}

#[tokio::test(start_paused = true)]
async fn many_unknown_ids_make_one_look_a_second() {
    let mut hub = Hub::default();
    let mut kubelet = hub.add_source("kubelet");
    let shared = hub.shared();
    let run = tokio::spawn(hub.run());
    let start = Instant::now();
    for look in 0..3u64 {
        for id in 0..100 {
            shared.unknown(format!("{look}-{id}").as_bytes());
        }
        kubelet.asked().await;
        assert_eq!(start.elapsed().as_secs(), look);
    }
    run.abort();
}

#[tokio::test(start_paused = true)]
async fn a_mirror_pod_is_found_by_the_uid_of_its_static_pod_and_an_impostor_is_not() {
    let mirror = PodFacts { pod: pod("m", "proxy", None), hash: Some("h".to_owned()), lost: false };
    let thief = PodFacts {
        pod: pod("t", "thief", Some("6.6.6.6")),
        hash: Some("1".to_owned()),
        lost: false,
    };
    let api = Facts { pods: vec![thief, mirror, pod("1", "web", None).into()], ..Facts::default() };
    let kubelet = facts([pod("h", "proxy", Some("10.0.0.1"))], &[container(A, "h")]);
    let directory = Merged::of([&kubelet, &api]).directory(&Merged::default(), 1);
    for uid in ["h", "m"] {
        assert_eq!(ip(&directory, uid).as_deref(), Some("10.0.0.1"), "{uid}");
    }
    assert_eq!(directory.container(A.as_bytes()).unwrap().pod.as_ref().unwrap().uid, "m");
    assert_eq!((directory.pod(b"1").unwrap().name.as_str(), ip(&directory, "1")), ("web", None));
}

#[tokio::test(start_paused = true)]
async fn a_source_that_fails_keeps_what_it_told() {
    let mut hub = Hub::default();
    let mut docker = hub.add_source("docker");
    let shared = hub.shared();
    let run = tokio::spawn(hub.run());
    docker.tell(facts([pod("1", "web-0", Some("10.0.0.1"))], &[]));
    docker.fails("away");
    docker.fails("away");
    settle().await;
    assert_eq!(ip(&shared.load(), "1").as_deref(), Some("10.0.0.1"));
    let status = shared.sources().remove(0);
    assert_eq!((status.problem.as_deref(), status.failures, status.pods), (Some("away"), 2, 1));
    assert!(status.complete);
    run.abort();
}
