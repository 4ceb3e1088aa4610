use kube_informer::{Discovery, Pattern};

use super::*;
use crate::server::Answer;

const AGGREGATED: &str = r#"{"kind":"APIGroupDiscoveryList","items":[
    {"metadata":{"name":"example.com"},"versions":[
      {"version":"v1","freshness":"Current","resources":[
        {"resource":"widgets","responseKind":{"group":"","version":"","kind":"Widget"},"scope":"Namespaced","verbs":["list","watch"]}]},
      {"version":"v1alpha1","freshness":"Current","resources":[
        {"resource":"widgets","responseKind":{"group":"","version":"","kind":"Widget"},"scope":"Namespaced","verbs":["list","watch"]}]}]},
    {"metadata":{"name":"metrics.k8s.io"},"versions":[{"version":"v1beta1","freshness":"Stale"}]}]}"#;

#[tokio::test]
async fn aggregated_discovery_takes_two_requests_for_everything() {
    let api = Api::new(|asked| match asked.path.as_str() {
        "/api" => Some(Answer::ok(r#"{"kind":"APIGroupDiscoveryList","items":[]}"#)),
        "/apis" => Some(Answer::ok(AGGREGATED)),
        _ => None,
    })
    .await;
    let discovery = Discovery::new(connect(&api).await);
    let widgets =
        [Gvr::new("example.com", "v2", "widgets"), Gvr::new("example.com", "v1", "widgets")];
    let chosen = discovery.choose(&widgets).await.unwrap().unwrap();
    assert_eq!((chosen.gvr, chosen.kind.as_str()), (widgets[1].clone(), "Widget"));
    let catalog = discovery.all().await.unwrap();
    let pattern =
        Pattern { group: "example.com".into(), version: "*".into(), kind: "Widget".into() };
    assert_eq!(catalog.matching(&pattern).count(), 2);
    assert_eq!(catalog.broken.len(), 1);
    assert_eq!(catalog.broken[0].path, "/apis/metrics.k8s.io/v1beta1");
    assert_eq!((api.count("/api"), api.count("/apis")), (1, 1));
}

#[tokio::test]
async fn an_aggregated_api_that_is_down_hides_no_other() {
    let api = Api::of_version(20, |asked| match asked.path.as_str() {
        "/apis" => Some(Answer::ok(
            r#"{"groups":[{"name":"metrics.k8s.io","versions":[{"version":"v1beta1"}]},
            {"name":"batch","versions":[{"version":"v1beta1"}]}]}"#,
        )),
        "/apis/metrics.k8s.io/v1beta1" => Some(Answer::of(503, "service unavailable")),
        _ => None,
    })
    .await;
    let discovery = Discovery::new(connect(&api).await);
    let catalog = discovery.all().await.unwrap();
    let found: Vec<_> = catalog.resources.iter().map(|resource| resource.gvr.to_string()).collect();
    assert_eq!(found, ["pods.v1", "cronjobs.v1beta1.batch"]);
    assert_eq!(catalog.broken[0].code, Some(503));
    let cronjobs = [Gvr::new("batch", "v1", "cronjobs"), Gvr::new("batch", "v1beta1", "cronjobs")];
    let chosen = discovery.choose(&cronjobs).await.unwrap().unwrap();
    assert_eq!(chosen.gvr, cronjobs[1]);
    let metrics = discovery.choose(&[Gvr::new("metrics.k8s.io", "v1beta1", "pods")]).await;
    assert!(metrics.unwrap_err().to_string().contains("/apis/metrics.k8s.io/v1beta1"));
    // Failures are remembered as well as answers.
    assert_eq!(api.count("/apis/metrics.k8s.io/v1beta1"), 1);
}

#[tokio::test]
async fn many_who_ask_at_once_share_one_answer() {
    let api = Api::new(|_| None).await;
    let discovery = Discovery::new(connect(&api).await);
    let pods = [Gvr::new("", "v1", "pods")];
    let (one, two, three) =
        tokio::join!(discovery.choose(&pods), discovery.choose(&pods), discovery.version());
    assert_eq!(one.unwrap(), two.unwrap());
    assert_eq!(three.map(|version| version.minor), Some(36));
    assert_eq!((api.count("/apis"), api.count("/api/v1")), (1, 1));
    discovery.forget().await;
    discovery.choose(&pods).await.unwrap();
    assert_eq!((api.count("/apis"), api.count("/api/v1")), (2, 2));
}
