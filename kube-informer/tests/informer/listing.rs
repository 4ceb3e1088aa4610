use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use kube_informer::{Informer, Lists};

use super::*;
use crate::server::{Answer, Step, bookmark, end_of_list, event, list, object, status_object};

fn two_pods() -> String {
    list(9, "", &[object("a", 1), object("b", 2)])
}

#[tokio::test]
async fn a_streamed_list_goes_on_as_a_watch_over_the_same_connection() {
    let api = Api::new(|asked| {
        asked.is_streaming_list().then(|| {
            Answer::watch(&[
                event("ADDED", &object("a", 1)),
                event("ADDED", &object("b", 7)),
                end_of_list(9),
                event("MODIFIED", &object("a", 10)),
                event("DELETED", &object("b", 11)),
            ])
        })
    })
    .await;
    let log = follow(&api, pods(), told(["delete b@11"])).await;
    let expected = [
        "begin pods.v1",
        "apply a@1",
        "apply b@7",
        "listed",
        "following",
        "apply a@10",
        "delete b@11",
    ];
    assert_eq!(log.lines(), expected);
    assert_eq!(api.asked().len(), 1);
}

/// Runs two informers against a server that answers streaming lists with `refusal`; both must list in pages, and the
/// second must know it at once.
async fn pages_instead(refusal: impl Fn() -> Answer + Send + Sync + 'static) {
    let api = Api::new(move |asked| match asked.path.as_str() {
        "/api/v1/pods" if asked.is_streaming_list() => Some(refusal()),
        "/api/v1/pods" if asked.is_list() => Some(Answer::ok(two_pods())),
        "/api/v1/pods" => Some(Answer::watch(&[])),
        _ => None,
    })
    .await;
    let cluster = Cluster::new(connect(&api).await);
    for streamed in [1, 0] {
        let before = api.asked().len();
        let log = follow_on(&cluster, pods(), CALM, told(["following"])).await;
        let last_list = log.lines().iter().rposition(|line| line == "begin pods.v1").unwrap();
        let expected = ["begin pods.v1", "apply a@1", "apply b@2", "listed", "following"];
        assert_eq!(log.lines()[last_list..], expected);
        let asked = api.asked().split_off(before);
        assert_eq!(asked.iter().filter(|asked| asked.is_streaming_list()).count(), streamed);
    }
}

#[tokio::test]
async fn a_server_that_refuses_streaming_lists_is_asked_for_pages() {
    pages_instead(|| Answer::refused(422, "Invalid")).await;
    pages_instead(|| Answer::refused(400, "BadRequest")).await;
}

#[tokio::test]
async fn a_server_whose_etcd_is_too_old_for_streaming_lists_is_asked_for_pages() {
    pages_instead(|| Answer::watch(&[event("ERROR", &status_object(500, "InternalError"))])).await;
}

#[tokio::test]
async fn a_server_that_never_marks_the_end_of_a_streaming_list_is_asked_for_pages() {
    pages_instead(|| Answer::watch(&[event("ADDED", &object("a", 1))])).await;
    pages_instead(|| Answer::watch(&[event("ADDED", &object("a", 1)), bookmark(3)])).await;
    pages_instead(|| Answer::ok(event("ADDED", &object("a", 1)))).await;
}

#[tokio::test]
async fn a_server_before_streaming_lists_is_never_asked_for_one() {
    let api = Api::of_version(20, |asked| match asked.path.as_str() {
        "/api/v1/pods" if asked.is_list() => Some(Answer::ok(two_pods())),
        "/api/v1/pods" => Some(Answer::watch(&[])),
        _ => None,
    })
    .await;
    follow(&api, pods(), told(["listed", "following"])).await;
    let queries: Vec<_> = api.asked().into_iter().map(|asked| asked.query).collect();
    assert_eq!(queries[0], "limit=500");
    assert!(queries[1].starts_with("watch=true&allowWatchBookmarks=true&timeoutSeconds="));
    assert!(queries[1].ends_with("&resourceVersion=9"));
}

#[tokio::test]
async fn pages_follow_each_other_and_are_one_list() {
    let api = Api::of_version(20, |asked| match asked.path.as_str() {
        "/api/v1/pods" if asked.is_watch() => Some(Answer::watch(&[])),
        "/api/v1/pods" if asked.has("continue=t1") => {
            Some(Answer::ok(list(9, "t2", &[object("b", 2)])))
        }
        "/api/v1/pods" if asked.has("continue=t2") => Some(Answer::ok(list(9, "", &[]))),
        "/api/v1/pods" => Some(Answer::ok(list(9, "t1", &[object("a", 1)]))),
        _ => None,
    })
    .await;
    let log = follow(&api, pods(), told(["following"])).await;
    assert_eq!(log.lines(), ["begin pods.v1", "apply a@1", "apply b@2", "listed", "following"]);
}

#[tokio::test]
async fn a_list_whose_pages_expire_starts_anew_all_at_once() {
    let api = Api::of_version(20, |asked| match asked.path.as_str() {
        "/api/v1/pods" if asked.is_watch() => Some(Answer::watch(&[])),
        "/api/v1/pods" if asked.has("continue=t1") => Some(Answer::refused(410, "Expired")),
        "/api/v1/pods" if asked.has("limit=500") => {
            Some(Answer::ok(list(9, "t1", &[object("a", 1)])))
        }
        "/api/v1/pods" => Some(Answer::ok(two_pods())),
        _ => None,
    })
    .await;
    let log = follow(&api, pods(), told(["following"])).await;
    let expected = [
        "begin pods.v1",
        "apply a@1",
        "begin pods.v1",
        "apply a@1",
        "apply b@2",
        "listed",
        "following",
    ];
    assert_eq!(log.lines(), expected);
}

fn half() -> Vec<u8> {
    two_pods().into_bytes()[..150].to_vec()
}

#[tokio::test]
async fn a_list_that_is_cut_is_never_taken_for_whole() {
    let api = Api::of_version(20, |asked| match asked.path.as_str() {
        "/api/v1/pods" if asked.is_watch() => Some(Answer::watch(&[])),
        "/api/v1/pods" if asked.before == 0 => Some(Answer::ok(half()).then(Step::Cut)),
        "/api/v1/pods" if asked.before == 1 => Some(Answer::ok(half())),
        "/api/v1/pods" => Some(Answer::ok(two_pods())),
        _ => None,
    })
    .await;
    let log = follow(&api, pods(), told(["following"])).await;
    assert_eq!(log.starting("listed").len(), 1);
    assert_eq!(log.starting("begin").len(), 3);
    assert_eq!(log.lines().last().unwrap(), "following");
}

#[tokio::test]
async fn a_bad_object_of_a_list_is_told_and_the_rest_goes_on() {
    let mut body = list(
        9,
        "",
        &[object("a", 1), object("torn", 2), "{\"metadata\":{}}".to_owned(), object("b", 3)],
    )
    .into_bytes();
    let bad = body.windows(4).position(|window| window == b"torn").unwrap();
    body[bad + 3] = 0xff;
    let body = bytes::Bytes::from(body);
    let api = Api::of_version(20, move |asked| match asked.path.as_str() {
        "/api/v1/pods" if asked.is_list() => Some(Answer::ok(body.clone())),
        "/api/v1/pods" => Some(Answer::watch(&[])),
        _ => None,
    })
    .await;
    let cluster = Cluster::new(connect(&api).await);
    let informer = Informer::new(&cluster, pods()).with_patience(CALM);
    let log = run(&informer, told(["following"])).await;
    let expected = [
        "begin pods.v1",
        "apply a@1",
        "broken tor\u{fffd}",
        "broken ?",
        "apply b@3",
        "listed",
        "following",
    ];
    assert_eq!(log.lines(), expected);
    let counts = informer.counts();
    assert_eq!((counts.broken.get(), counts.objects.get(), counts.lists.success.get()), (2, 4, 1));
    assert!(counts.last_list.get().is_some());
}

#[tokio::test]
async fn a_large_object_comes_whole_and_one_beyond_all_bounds_is_left_out() {
    let sized = |name: &str, megabytes: usize| {
        let metadata = format!(r#""metadata":{{"name":"{name}","resourceVersion":"1"}}"#);
        format!(r#"{{{metadata},"data":"{}"}}"#, "x".repeat(megabytes << 20))
    };
    let body =
        bytes::Bytes::from(list(9, "", &[sized("large", 20), sized("huge", 33), object("b", 2)]));
    let events =
        bytes::Bytes::from(event("ADDED", &sized("huge", 33)) + &event("ADDED", &object("c", 10)));
    let api = Api::of_version(20, move |asked| match asked.path.as_str() {
        "/api/v1/pods" if asked.is_list() => Some(Answer::ok(body.clone())),
        "/api/v1/pods" => Some(Answer::ok(events.clone()).then(Step::Hang)),
        _ => None,
    })
    .await;
    let log = follow(&api, pods(), told(["apply c@10"])).await;
    let expected = [
        "begin pods.v1",
        "apply large@1",
        "broken huge",
        "apply b@2",
        "listed",
        "following",
        "broken huge",
        "apply c@10",
    ];
    assert_eq!(log.lines(), expected);
}

#[tokio::test]
async fn an_object_limit_ends_the_list_and_the_watch_goes_on() {
    let api = Api::new(|asked| match asked.path.as_str() {
        "/api/v1/pods" if asked.is_list() && asked.has("limit=1") => {
            Some(Answer::ok(list(9, "more", &[object("a", 1), object("b", 2)])))
        }
        "/api/v1/pods" if asked.is_watch() => {
            Some(Answer::watch(&[event("ADDED", &object("c", 10))]))
        }
        _ => None,
    })
    .await;
    let selection = Selection { object_limit: Some(1), ..pods() };
    let log = follow(&api, selection, told(["apply c@10"])).await;
    assert_eq!(log.lines(), ["begin pods.v1", "apply a@1", "listed", "following", "apply c@10"]);
}

#[tokio::test]
async fn only_so_many_lists_are_made_at_once() {
    let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let seen = Arc::clone(&most);
    let api = Api::new(move |asked| {
        if asked.is_streaming_list() {
            // It counts as over when the informer has read it; the next one may not ask before.
            seen.fetch_max(now.fetch_add(1, SeqCst) + 1, SeqCst);
            return Some(Answer::watch(&[end_of_list(1)]));
        }
        (asked.path == "/ended").then(|| {
            now.fetch_sub(1, SeqCst);
            Answer::ok("{}")
        })
    })
    .await;
    let cluster = Cluster { lists: Lists::at_most(1), ..Cluster::new(connect(&api).await) };
    let one = || async {
        let log = Log::default();
        let mut slow = Slow { log: log.clone(), cluster: cluster.clone() };
        let informer = Informer::new(&cluster, pods()).with_patience(CALM);
        tokio::select! {
            never = informer.run(&mut slow) => match never {},
            () = log.until(told(["listed"])) => {}
        }
    };
    tokio::join!(one(), one(), one());
    assert_eq!(most.load(SeqCst), 1);
}

/// Tells the server when it has read a list.
struct Slow {
    log: Log,
    cluster: Cluster,
}

impl kube_informer::Handler for Slow {
    async fn begin(&mut self, _: &kube_informer::Resource) {}

    async fn apply(&mut self, _: kube_informer::Object<'_>) -> Result<(), kube_informer::Problem> {
        Ok(())
    }

    async fn delete(&mut self, _: kube_informer::Object<'_>) -> Result<(), kube_informer::Problem> {
        Ok(())
    }

    async fn listed(&mut self) {
        let request = http::Request::get("/ended").body(Vec::new()).unwrap();
        self.cluster.client.bytes(request, 100).await.unwrap();
        kube_informer::Handler::listed(&mut Recorder::new(&self.log)).await;
    }
}
