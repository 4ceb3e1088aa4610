use super::*;
use crate::server::{Answer, Asked, Step, bookmark, event, list, object, status_object};

/// A server of 1.20 with pod `a` at version 5, whose first list is at version 9 and later ones at 40, and whose watches are answered by `watch`.
async fn server(watch: impl Fn(&Asked, usize) -> Answer + Send + Sync + 'static) -> Api {
    let watches = std::sync::atomic::AtomicUsize::new(0);
    Api::of_version(20, move |asked| {
        if asked.path != "/api/v1/pods" {
            return None;
        }
        if asked.is_list() {
            let version = if asked.before == 0 { 9 } else { 40 };
            return Some(Answer::ok(list(version, "", &[object("a", 5)])));
        }
        Some(watch(asked, watches.fetch_add(1, std::sync::atomic::Ordering::SeqCst)))
    })
    .await
}

/// Versions that watches started from.
fn versions(api: &Api) -> Vec<String> {
    let watches = api.asked().into_iter().filter(Asked::is_watch);
    let version = |asked: Asked| asked.query.split_once("resourceVersion=").unwrap().1.to_owned();
    watches.map(version).collect()
}

#[tokio::test]
async fn a_watch_that_ends_goes_on_from_the_last_event_or_bookmark() {
    let api = server(|_, watch| match watch {
        0 => Answer::ok(event("MODIFIED", &object("a", 12))),
        1 => Answer::ok(bookmark(20)),
        2 => Answer::ok(event("DELETED", &object("a", 23))),
        _ => Answer::watch(&[event("ADDED", &object("b", 30))]),
    })
    .await;
    let log = follow(&api, pods(), told(["apply b@30"])).await;
    assert_eq!(versions(&api), ["9", "12", "20", "23"]);
    assert_eq!(log.starting("begin").len(), 1);
    assert_eq!(log.starting("following").len(), 1);
}

#[tokio::test]
async fn an_expired_version_is_listed_again_without_forgetting_the_old_list_before() {
    let answers: [fn() -> Answer; 3] = [
        || Answer::ok(event("ERROR", &status_object(410, "Expired"))),
        || Answer::refused(410, "Gone"),
        || Answer::refused(400, "BadRequest"),
    ];
    for gone in answers {
        let api = server(move |_, watch| match watch {
            0 => gone(),
            _ => Answer::watch(&[event("ADDED", &object("b", 30))]),
        })
        .await;
        let cluster = Cluster::new(connect(&api).await);
        let informer = Informer::new(&cluster, pods()).with_patience(CALM);
        let log = run(&informer, told(["apply b@30"])).await;
        let lines: Vec<_> = log.lines().into_iter().filter(|line| line != "following").collect();
        let list = ["begin pods.v1", "apply a@5", "listed"];
        assert_eq!(lines, [&list[..], &list[..], &["apply b@30"]].concat());
        assert_eq!(informer.counts().relists.get(), 1);
    }
}

#[tokio::test]
async fn a_watch_that_is_cut_within_a_line_goes_on_without_loss() {
    let api = server(|_, watch| {
        let whole = event("ADDED", &object("b", 12));
        match watch {
            0 => Answer::ok(whole + "{\"type\":\"ADDED\",\"obj").then(Step::Cut),
            _ => Answer::watch(&[event("ADDED", &object("c", 13))]),
        }
    })
    .await;
    let log = follow(&api, pods(), told(["apply c@13"])).await;
    assert_eq!(versions(&api), ["9", "12"]);
    assert_eq!(log.starting("apply"), ["apply a@5", "apply b@12", "apply c@13"]);
}

#[tokio::test]
async fn a_silent_watch_is_replaced_and_goes_on_from_its_version() {
    let api = server(|_, watch| match watch {
        0 => Answer::watch(&[bookmark(15)]),
        _ => Answer::watch(&[event("ADDED", &object("b", 30))]),
    })
    .await;
    let cluster = Cluster::new(connect(&api).await);
    let informer = Informer::new(&cluster, pods()).with_patience(PATIENCE);
    let log = run(&informer, told(["apply b@30"])).await;
    assert_eq!(versions(&api)[..2], ["9", "15"]);
    assert_eq!(log.starting("begin").len(), 1);
    let counts = informer.counts();
    assert!(counts.silent.get() >= 1 && counts.bookmarks.get() >= 1);
    assert!(counts.last_event.get().is_some());
}

#[tokio::test]
async fn a_watch_that_waits_for_a_version_of_before_a_restore_leads_to_a_new_list() {
    let api = Api::of_version(20, |asked| match asked.path.as_str() {
        "/api/v1/pods" if asked.is_watch() && asked.has("resourceVersion=3") => {
            Some(Answer::watch(&[event("ADDED", &object("b", 4))]))
        }
        "/api/v1/pods" if asked.is_watch() => Some(Answer::watch(&[])),
        "/api/v1/pods" if asked.before == 0 => Some(Answer::ok(list(9, "", &[object("a", 5)]))),
        "/api/v1/pods" => Some(Answer::ok(list(3, "", &[object("a", 2)]))),
        _ => None,
    })
    .await;
    let cluster = Cluster::new(connect(&api).await);
    let log = follow_on(&cluster, pods(), PATIENCE, told(["apply b@4"])).await;
    assert_eq!(log.starting("apply")[..3], ["apply a@5", "apply a@2", "apply b@4"]);
    assert!(api.asked().iter().any(|asked| asked.query == "limit=1"));
}

#[tokio::test]
async fn versions_that_went_back_lead_to_a_new_list() {
    let api = server(|_, watch| match watch {
        0 => Answer::watch(&[bookmark(3)]),
        1 => Answer::of(504, r#"{"message":"Timeout: Too large resource version: 9, current: 3"}"#),
        _ => Answer::watch(&[bookmark(10)]),
    })
    .await;
    let log =
        follow(&api, pods(), |log| log.iter().filter(|line| *line == "listed").count() == 3).await;
    assert_eq!(log.starting("apply"), ["apply a@5"; 3]);
}

#[tokio::test]
async fn what_is_no_object_in_a_watch_is_told_and_the_rest_goes_on() {
    let api = server(|_, _| {
        let mut lines = event("ADDED", &object("X", 12)).into_bytes();
        let bad = lines.iter().position(|&byte| byte == b'X').unwrap();
        lines[bad] = 0xff;
        lines.extend_from_slice(b"nonsense\n{}\n");
        let broken = r#"{"metadata":{"name":"c","resourceVersion":"13"},"spec":tru}"#;
        lines.extend_from_slice(event("ADDED", broken).as_bytes());
        lines.extend_from_slice(event("ADDED", &object("b", 14)).as_bytes());
        Answer::ok(lines).then(Step::Hang)
    })
    .await;
    let log = follow(&api, pods(), told(["apply b@14"])).await;
    assert_eq!(log.starting("broken"), ["broken \u{fffd}", "broken c"]);
}

#[tokio::test]
async fn a_watch_that_is_refused_is_tried_again_from_where_it_was() {
    let api = server(|_, watch| match watch {
        0 => Answer::refused(403, "Forbidden"),
        1 => Answer::refused(503, "ServiceUnavailable"),
        2 => Answer::ok(event("ERROR", &status_object(429, "TooManyRequests"))),
        _ => Answer::watch(&[event("ADDED", &object("b", 30))]),
    })
    .await;
    let log = follow(&api, pods(), told(["apply b@30"])).await;
    assert_eq!(versions(&api), ["9"; 4]);
    assert_eq!(log.starting("forbidden").len() + log.starting("failing").len(), 2);
    assert_eq!(log.starting("listed").len(), 1);
}

#[tokio::test]
async fn a_dropped_informer_closes_its_watch() {
    let (sender, mut closed) = tokio::sync::mpsc::channel::<()>(1);
    let api = server(move |_, _| Answer::watch(&[]).tells_its_end(sender.clone())).await;
    follow(&api, pods(), told(["following"])).await;
    let told = tokio::time::timeout(Duration::from_mins(1), closed.recv()).await;
    assert_eq!(told, Ok(Some(())));
}

/// A chunk each, and more of them than the test could wait for one by one.
#[tokio::test]
async fn events_that_gathered_are_handed_on_all_at_once() {
    let api = server(|_, _| {
        let events = (1..=300).map(|n| event("MODIFIED", &object("a", 10 + n)));
        let sends = events.map(|event| Step::Send(event.into()));
        sends.fold(Answer::ok(""), Answer::then).then(Step::Hang)
    })
    .await;
    let cluster = Cluster::new(connect(&api).await);
    let patience = Patience { gather: Duration::from_secs(1), ..CALM };
    let log = follow_on(&cluster, pods(), patience, told(["apply a@310"])).await;
    assert_eq!(log.starting("apply").len(), 301);
}
