use kube_informer::View;

use super::*;
use crate::server::{Answer, event};

const TYPES: View = View::Table(&[("Type", "type")]);

fn secrets(view: View) -> Selection {
    Selection { view, ..Selection::of([Gvr::new("", "v1", "pods")]) }
}

/// Runs with the objects' texts.
async fn texts(api: &Api, view: View, enough: impl Fn(&[String]) -> bool) -> Vec<String> {
    let cluster = Cluster::new(connect(api).await);
    let informer = Informer::new(&cluster, secrets(view)).with_patience(CALM);
    let log = Log::default();
    let mut recorder = Recorder::of_texts(&log);
    tokio::select! {
        never = informer.run(&mut recorder) => match never {},
        () = log.until(enough) => {}
    }
    log.starting("{")
}

fn partial(name: &str) -> String {
    format!(
        r#"{{"kind":"PartialObjectMetadata","metadata":{{"name":"{name}","resourceVersion":"1"}}}}"#
    )
}

fn row(name: &str) -> String {
    format!(r#"{{"cells":["{name}","Opaque",3],"object":{}}}"#, partial(name))
}

fn table(columns: &str, rows: &str) -> String {
    format!(
        r#"{{"kind":"Table","metadata":{{"resourceVersion":"9"}},"columnDefinitions":{columns},"rows":[{rows}]}}"#
    )
}

const COLUMNS: &str = r#"[{"name":"Name"},{"name":"Type"},{"name":"Data"}]"#;

#[tokio::test]
async fn metadata_alone_is_asked_for_in_both_forms() {
    let api = Api::of_version(20, |asked| match asked.path.as_str() {
        "/api/v1/pods" if asked.is_list() => {
            let wanted = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io,";
            assert!(asked.accept.starts_with(wanted), "{}", asked.accept);
            let items = partial("a");
            Some(Answer::ok(format!(
                r#"{{"metadata":{{"resourceVersion":"9"}},"items":[{items}]}}"#
            )))
        }
        "/api/v1/pods" => {
            let wanted = "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io,";
            assert!(asked.accept.starts_with(wanted), "{}", asked.accept);
            Some(Answer::watch(&[event("ADDED", &partial("b"))]))
        }
        _ => None,
    })
    .await;
    let found = texts(&api, View::Metadata, told(["apply b@1"])).await;
    assert_eq!(found, [partial("a"), partial("b")]);
}

#[tokio::test]
async fn cells_of_a_table_become_fields_of_the_object() {
    let api = Api::of_version(20, |asked| match asked.path.as_str() {
        "/api/v1/pods" if !asked.has("includeObject=Metadata") => None,
        "/api/v1/pods" if asked.is_list() => Some(Answer::ok(table(COLUMNS, &row("a")))),
        "/api/v1/pods" => Some(Answer::watch(&[
            event("ADDED", &table(COLUMNS, &row("b"))),
            event("DELETED", &table("null", &row("b"))),
            event("ADDED", &table("null", &row("c"))),
        ])),
        _ => None,
    })
    .await;
    let found = texts(&api, TYPES, told(["apply c@1"])).await;
    let expected = |name: &str| partial(name).replace("}}", r#"},"type":"Opaque"}"#);
    assert_eq!(found, ["a", "b", "c"].map(expected));
}

#[tokio::test]
async fn a_streamed_table_ends_with_the_mark_in_the_row_of_its_bookmark() {
    // As Kubernetes 1.36 sends it.
    let mark = r#"{"cells":["","0001-01-01T00:00:00Z",0],"object":{"kind":"PartialObjectMetadata","metadata":
        {"resourceVersion":"9","annotations":{"k8s.io/initial-events-end":"true"}}}}"#;
    let mark = mark.replace('\n', "");
    let api = Api::new(move |asked| {
        asked.is_streaming_list().then(|| {
            Answer::watch(&[
                event("ADDED", &table(COLUMNS, &row("a"))),
                event("BOOKMARK", &table("null", &mark)),
                event("ADDED", &table("null", &row("b"))),
            ])
        })
    })
    .await;
    let found = texts(&api, TYPES, told(["listed", "apply b@1"])).await;
    assert_eq!(found.len(), 2);
}

#[tokio::test]
async fn a_table_without_the_column_leads_to_whole_objects() {
    let secret = r#"{"metadata":{"name":"a"},"type":"Opaque"}"#;
    let api = Api::of_version(20, move |asked| match asked.path.as_str() {
        "/api/v1/pods" if asked.is_watch() => Some(Answer::watch(&[])),
        "/api/v1/pods" if asked.has("includeObject=Metadata") => {
            Some(Answer::ok(table(r#"[{"name":"Name"}]"#, &row("a"))))
        }
        "/api/v1/pods" => {
            assert_eq!(asked.accept, "application/json");
            Some(Answer::ok(format!(r#"{{"metadata":{{}},"items":[{secret}]}}"#)))
        }
        _ => None,
    })
    .await;
    assert_eq!(texts(&api, TYPES, told(["following"])).await, [secret]);
}
