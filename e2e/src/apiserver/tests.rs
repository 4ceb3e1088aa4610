use std::time::Duration;

use serde_json::Value;

use super::*;
use crate::http::{Error, Request as Get, Response};
use crate::wait_until;

const PODS: &str = "/api/v1/pods";

fn server(edit: impl FnOnce(&mut Settings)) -> ApiServer {
    let mut settings = Settings::new(120);
    edit(&mut settings);
    ApiServer::start(settings).unwrap()
}

fn get(server: &ApiServer, path: &str) -> Response {
    Get::new(server.address(), path).send().unwrap()
}

fn json(response: &Response) -> Value {
    serde_json::from_slice(&response.body).unwrap()
}

/// The type and the object of each event of a watch that has ended.
fn events(response: &Response) -> Vec<(String, Value)> {
    let lines = response.body.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    let event = |line| {
        let mut event: Value = serde_json::from_slice(line).unwrap();
        (event["type"].as_str().unwrap().to_owned(), event["object"].take())
    };
    lines.map(event).collect()
}

fn version(list: &Value) -> String {
    list["metadata"]["resourceVersion"].as_str().unwrap().to_owned()
}

#[test]
fn the_pages_of_a_list_are_of_one_version_while_pods_go() {
    let server = server(|_| {});
    let mut list = json(&get(&server, &format!("{PODS}?limit=50")));
    assert_eq!(list["metadata"]["remainingItemCount"], 70);
    let (first, mut names) = (version(&list), Vec::new());
    loop {
        assert_eq!(version(&list), first);
        let items = list["items"].as_array().unwrap();
        names.extend(items.iter().map(|pod| pod["metadata"]["name"].as_str().unwrap().to_owned()));
        let Some(token) = list["metadata"]["continue"].as_str() else { break };
        server.control("delete?share=1").unwrap();
        list = json(&get(&server, &format!("{PODS}?limit=50&continue={token}")));
    }
    names.sort();
    names.dedup();
    assert_eq!(names.len(), 120);
    assert_eq!(json(&get(&server, PODS))["items"].as_array().unwrap().len(), 0);
}

#[test]
fn a_token_expires_with_a_compaction_and_version_0_takes_no_pages() {
    let server = server(|_| {});
    let page = json(&get(&server, &format!("{PODS}?limit=50")));
    let token = page["metadata"]["continue"].as_str().unwrap();
    server.control("compact").unwrap();
    let gone = get(&server, &format!("{PODS}?limit=50&continue={token}"));
    assert_eq!((gone.status, json(&gone)["reason"].as_str()), (410, Some("Expired")));
    let all = json(&get(&server, &format!("{PODS}?limit=50&resourceVersion=0")));
    assert_eq!(all["items"].as_array().unwrap().len(), 120);
}

#[test]
fn selectors_and_namespaces_take_their_part_and_unknown_ones_are_refused() {
    let server = server(|_| {});
    let count = |path: &str| json(&get(&server, path))["items"].as_array().unwrap().len();
    assert_eq!(count("/api/v1/namespaces/team-00002/pods"), 20);
    assert_eq!(count("/api/v1/pods?fieldSelector=metadata.namespace!%3Dteam-00002"), 100);
    assert_eq!(count("/api/v1/pods?fieldSelector=spec.nodeName%3Dnode-00003"), 30);
    assert_eq!(count("/api/v1/nodes"), 4);
    assert_eq!(get(&server, "/api/v1/pods?fieldSelector=status.phase%3DRunning").status, 400);
    let pod = json(&get(&server, PODS))["items"][7]["metadata"].take();
    let path = format!(
        "/api/v1/namespaces/{}/pods/{}",
        pod["namespace"].as_str().unwrap(),
        pod["name"].as_str().unwrap()
    );
    assert_eq!(json(&get(&server, &path))["metadata"], pod);
    assert_eq!(get(&server, &format!("{path}x")).status, 404);
}

#[test]
fn metadata_alone_is_given_where_it_is_asked_for() {
    let server = server(|_| {});
    let accept = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1";
    let request = Get::new(server.address(), "/api/v1/secrets").header("Accept", accept);
    let list = json(&request.send().unwrap());
    assert_eq!(list["kind"], "PartialObjectMetadataList");
    assert_eq!(list["items"][0]["kind"], "PartialObjectMetadata");
    assert_eq!(list["items"][0]["data"], Value::Null);
    assert_ne!(json(&get(&server, "/api/v1/secrets"))["items"][0]["data"], Value::Null);
}

#[test]
fn a_streaming_list_ends_with_its_bookmark_and_a_watch_tells_what_came_later() {
    let server = server(|_| {});
    let start = version(&json(&get(&server, PODS)));
    server.control("replace?share=1").unwrap();
    let path = format!(
        "{PODS}?watch=1&timeoutSeconds=0&allowWatchBookmarks=true&sendInitialEvents=true\
         &resourceVersionMatch=NotOlderThan"
    );
    let all = events(&get(&server, &path));
    assert_eq!(all.len(), 121);
    assert!(all.iter().take(120).all(|(kind, _)| kind == "ADDED"));
    let (kind, bookmark) = all.last().unwrap();
    assert_eq!(kind, "BOOKMARK");
    assert_eq!(bookmark["metadata"]["annotations"]["k8s.io/initial-events-end"], "true");

    let later = get(&server, &format!("{PODS}?watch=1&timeoutSeconds=0&resourceVersion={start}"));
    let later = events(&later);
    assert_eq!(later.iter().filter(|(kind, _)| kind == "DELETED").count(), 120);
    assert_eq!(later.iter().filter(|(kind, _)| kind == "ADDED").count(), 120);
    assert_eq!(later.last().unwrap().1["metadata"]["resourceVersion"], version(bookmark));
}

#[test]
fn a_version_that_is_forgotten_is_an_error_event_and_one_to_come_is_504() {
    let server = server(|_| {});
    let start = version(&json(&get(&server, PODS)));
    server.control("touch?share=1").unwrap();
    server.control("compact").unwrap();
    let watch = get(&server, &format!("{PODS}?watch=1&resourceVersion={start}"));
    let told = events(&watch);
    assert_eq!((watch.status, told.len(), told[0].0.as_str()), (200, 1, "ERROR"));
    assert_eq!(told[0].1["code"], 410);
    assert_eq!(get(&server, &format!("{PODS}?watch=1&resourceVersion=999999")).status, 504);
}

#[test]
fn old_servers_refuse_streaming_lists_or_do_not_know_them() {
    let path = format!(
        "{PODS}?watch=1&timeoutSeconds=0&sendInitialEvents=true&resourceVersionMatch=NotOlderThan"
    );
    let refusing = server(|settings| settings.streaming = Streaming::Refused);
    assert_eq!(get(&refusing, &path).status, 422);
    let old = server(|settings| settings.streaming = Streaming::Ignored);
    let told = events(&get(&old, &path));
    assert_eq!(told.len(), 120);
    assert!(told.iter().all(|(kind, _)| kind == "ADDED"));
}

#[test]
fn bookmarks_come_in_their_time_and_a_cut_is_no_end() {
    let server = server(|settings| settings.bookmarks = Duration::from_millis(20));
    let start = version(&json(&get(&server, PODS)));
    let path = format!("{PODS}?watch=1&allowWatchBookmarks=true&resourceVersion={start}");
    let told = events(&get(&server, &format!("{path}&timeoutSeconds=1")));
    assert!(!told.is_empty() && told.iter().all(|(kind, _)| kind == "BOOKMARK"));

    let address = server.address();
    let watch = std::thread::spawn(move || Get::new(address, &path).send());
    wait_until("watch", Duration::from_mins(2), || {
        let state = server.control("state").unwrap();
        if state.contains(r#""openWatches":1"#) { Ok(()) } else { Err(state) }
    })
    .unwrap();
    server.control("cut").unwrap();
    assert!(matches!(watch.join().unwrap(), Err(Error::Cut(_))));
}

#[test]
fn faults_last_as_long_as_they_are_asked_for() {
    let server = server(|_| {});
    server.control("fail?status=503&count=1").unwrap();
    let failed = get(&server, PODS);
    assert_eq!((failed.status, failed.header("Retry-After")), (503, Some("1")));
    assert_eq!(get(&server, PODS).status, 200);
    server.control("forbid?resource=pods").unwrap();
    assert_eq!((get(&server, PODS).status, get(&server, "/api/v1/nodes").status), (403, 200));
    server.control("allow?resource=pods").unwrap();
    assert_eq!(get(&server, PODS).status, 200);
    assert!(server.control("nonsense").is_err());
    assert!(server.control("delete").is_err());
}

#[test]
fn churn_changes_as_many_pods_as_it_says() {
    let server = server(|_| {});
    server.control("churn?what=restart&rate=1000&seconds=0.05").unwrap();
    wait_until("churn", Duration::from_mins(2), || {
        let state = server.control("state").unwrap();
        if state.contains(r#""restarts":50,"#) { Ok(()) } else { Err(state) }
    })
    .unwrap();
}

#[test]
fn it_says_what_it_serves() {
    let server = server(|_| {});
    assert_eq!(get(&server, "/livez").body, b"ok");
    assert_eq!(json(&get(&server, "/version"))["minor"], "36");
    assert_eq!(json(&get(&server, "/apis"))["groups"].as_array().map(Vec::len), Some(0));
    let resources = json(&get(&server, "/api/v1"));
    assert_eq!(resources["resources"].as_array().map(Vec::len), Some(KINDS.len()));
    assert_eq!(get(&server, "/apis/apps/v1/deployments").status, 404);
}
