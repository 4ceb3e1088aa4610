use kube_informer::{Broken, Handler, Object, Problem, Resource, Status};

use super::*;
use crate::server::{Answer, end_of_list, event, object};

fn listed() -> Answer {
    Answer::watch(&[event("ADDED", &object("a", 1)), end_of_list(9)])
}

#[tokio::test]
async fn what_is_forbidden_is_told_and_followed_once_it_is_allowed() {
    let api = Api::new(|asked| {
        (asked.path == "/api/v1/pods").then(|| match asked.before {
            0 | 1 => Answer::refused(403, "Forbidden"),
            _ => listed(),
        })
    })
    .await;
    let log = follow(&api, pods(), told(["following"])).await;
    assert_eq!(log.starting("forbidden"), ["forbidden: told Forbidden"; 2]);
}

#[tokio::test]
async fn what_is_not_served_is_followed_once_it_is() {
    let api = Api::new(|asked| match asked.path.as_str() {
        "/apis" if asked.before < 2 => Some(Answer::ok(r#"{"groups":[]}"#)),
        "/apis/batch/v1" => Some(Answer::ok(r#"{"resources":[]}"#)),
        "/apis/batch/v1beta1/cronjobs" => Some(listed()),
        _ => None,
    })
    .await;
    let cluster = Cluster::new(connect(&api).await);
    let cronjobs = Selection::of([
        Gvr::new("batch", "v1", "cronjobs"),
        Gvr::new("batch", "v1beta1", "cronjobs"),
    ]);
    let forget = async {
        // Discovery is asked at most every 30 s; a test does not wait for that.
        loop {
            cluster.discovery.forget().await;
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let log = tokio::select! {
        log = follow_on(&cluster, cronjobs, CALM, told(["following"])) => log,
        () = forget => unreachable!(),
    };
    assert!(log.starting("not served").len() >= 2);
    let lines = log.lines();
    assert_eq!(lines[lines.len() - 4..][..2], ["begin cronjobs.v1beta1.batch", "apply a@1"]);
}

#[tokio::test]
async fn what_is_no_longer_served_is_told_when_discovery_has_said_it_twice() {
    let api = Api::new(|asked| match asked.path.as_str() {
        "/apis" if asked.before > 0 => Some(Answer::ok(r#"{"groups":[]}"#)),
        "/apis/batch/v1/cronjobs" if asked.is_streaming_list() => {
            Some(Answer::ok(event("ADDED", &object("a", 1)) + &end_of_list(9)))
        }
        _ => None,
    })
    .await;
    let cronjobs = Selection::of([Gvr::new("batch", "v1", "cronjobs")]);
    let gone = "not served by this API server";
    let log = follow(&api, cronjobs, told(["listed", gone])).await;
    let failing: Vec<_> = log.starting("failing");
    assert_eq!(failing.last().unwrap(), "failing: no longer served by this API server");
    assert_eq!(log.lines().last().unwrap(), gone);
}

#[tokio::test]
async fn a_version_that_an_upgrade_took_away_is_replaced_by_the_next() {
    let api = Api::new(|asked| match asked.path.as_str() {
        "/apis/batch/v1beta1/cronjobs" if asked.is_streaming_list() => {
            Some(Answer::ok(event("ADDED", &object("a", 1)) + &end_of_list(9)))
        }
        "/apis/batch/v1beta1" if asked.before > 0 => Some(Answer::ok(r#"{"resources":[]}"#)),
        "/apis/batch/v1/cronjobs" => Some(listed()),
        _ => None,
    })
    .await;
    let cronjobs = Selection::of([
        Gvr::new("batch", "v1beta1", "cronjobs"),
        Gvr::new("batch", "v1", "cronjobs"),
    ]);
    let log =
        follow(&api, cronjobs, |log| log.iter().filter(|line| *line == "listed").count() == 2)
            .await;
    let begun = ["begin cronjobs.v1beta1.batch", "begin cronjobs.v1.batch"];
    assert_eq!(log.starting("begin"), begun);
}

#[tokio::test]
async fn a_busy_server_is_left_alone_as_long_as_it_asks() {
    let api = Api::new(|asked| {
        (asked.path == "/api/v1/pods").then(|| match asked.before {
            0 => Answer::refused(429, "TooManyRequests").retry_after(1),
            _ => listed(),
        })
    })
    .await;
    let log = follow(&api, pods(), told(["following", "retry in 1s"])).await;
    assert_eq!(log.starting("failing").len(), 1);
}

#[tokio::test]
async fn a_server_that_is_not_there_is_waited_for() {
    let api = Api::new(|_| None).await;
    let url = api.url();
    drop(api);
    let access =
        Access { apiserver: Some(url), user_agent: "test/1".to_owned(), ..Access::default() };
    let cluster = Cluster::new(access.connect().await.unwrap());
    let log = follow_on(&cluster, pods(), CALM, |log| log.len() > 3).await;
    assert!(
        log.lines().iter().all(|line| line.starts_with("failing: ") || line.starts_with("retry"))
    );
}

/// Cannot read anything.
struct Blind(Log);

impl Handler for Blind {
    async fn begin(&mut self, _: &Resource) {}

    async fn apply(&mut self, _: Object<'_>) -> Result<(), Problem> {
        Err(Problem("no pod".to_owned()))
    }

    async fn delete(&mut self, _: Object<'_>) -> Result<(), Problem> {
        Ok(())
    }

    async fn listed(&mut self) {}

    fn broken(&mut self, object: &Broken<'_>) {
        Recorder::new(&self.0).broken(object);
    }

    fn status(&mut self, status: &Status) {
        Recorder::new(&self.0).status(status);
    }
}

#[tokio::test]
async fn an_object_that_the_handler_cannot_read_is_counted_and_told() {
    let api = Api::new(|asked| (asked.path == "/api/v1/pods").then(listed)).await;
    let cluster = Cluster::new(connect(&api).await);
    let informer = Informer::new(&cluster, pods()).with_patience(CALM);
    let log = Log::default();
    tokio::select! {
        never = async { informer.run(&mut Blind(log.clone())).await } => match never {},
        () = log.until(told(["following"])) => {}
    }
    assert_eq!(log.lines(), ["broken a", "following"]);
    assert_eq!(informer.counts().broken.get(), 1);
}
