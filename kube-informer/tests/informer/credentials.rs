use std::path::Path;

use super::*;
use crate::server::{Answer, Asked, end_of_list};

/// Pods for who has the token `new`.
fn guarded(asked: &Asked) -> Option<Answer> {
    (asked.path == "/api/v1/pods").then(|| match asked.token.as_str() {
        "Bearer new" => Answer::watch(&[end_of_list(9)]),
        _ => Answer::refused(401, "Unauthorized"),
    })
}

async fn connect_by(api: &Api, folder: &Path, user: &str) -> Client {
    let file = folder.join("config");
    let text = format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: c\n\
         contexts: [{{name: c, context: {{cluster: c, user: u}}}}]\n\
         clusters: [{{name: c, cluster: {{server: '{}'}}}}]\nusers: [{{name: u, user: {user}}}]\n",
        api.url()
    );
    std::fs::write(&file, text).unwrap();
    let access =
        Access { kubeconfig: Some(file), user_agent: "test/1".to_owned(), ..Access::default() };
    access.connect().await.unwrap()
}

#[tokio::test]
async fn a_token_that_expired_is_read_again() {
    let folder = tempfile::tempdir().unwrap();
    let token = folder.path().join("token");
    std::fs::write(&token, "old\n").unwrap();
    let api = Api::new(guarded).await;
    let client = connect_by(&api, folder.path(), "{tokenFile: token}").await;
    let cluster = Cluster::new(client);
    let informer = Informer::new(&cluster, pods()).with_patience(CALM);
    let log = Log::default();
    let mut recorder = Recorder::new(&log);
    let rotate = async {
        log.until(told(["failing: the API server answers 401: told Unauthorized"])).await;
        std::fs::write(&token, "new\n").unwrap();
        log.until(told(["following"])).await;
    };
    tokio::select! {
        never = informer.run(&mut recorder) => match never {},
        () = rotate => {}
    }
}

#[tokio::test]
async fn an_exec_plugin_that_fails_later_is_told_without_what_it_wrote() {
    let folder = tempfile::tempdir().unwrap();
    let broken = folder.path().join("broken");
    let api = Api::new(guarded).await;
    // A token whose time is over is asked for again with each request.
    let credential = r#"{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":{"token":"new","expirationTimestamp":"2020-01-01T00:00:00Z"}}"#;
    let script = folder.path().join("plugin");
    let text =
        format!("test -e {} && echo sesame && exit 3\necho '{credential}'\n", broken.display());
    std::fs::write(&script, text).unwrap();
    let plugin = format!(
        "{{exec: {{apiVersion: client.authentication.k8s.io/v1, command: sh, interactiveMode: Never, args: ['{}']}}}}",
        script.display()
    );
    let cluster = Cluster::new(connect_by(&api, folder.path(), &plugin).await);
    follow_on(&cluster, pods(), CALM, told(["following"])).await;
    std::fs::write(&broken, "").unwrap();
    let log = follow_on(&cluster, pods(), CALM, |log| !log.is_empty()).await;
    let expected = "failing: connection: the kubeconfig's exec plugin failed: exit status: 3";
    assert_eq!(log.lines()[0], expected);
}

#[tokio::test]
async fn an_exec_plugin_gives_the_token() {
    let folder = tempfile::tempdir().unwrap();
    let api = Api::new(guarded).await;
    let plugin = "{exec: {apiVersion: client.authentication.k8s.io/v1, command: sh, interactiveMode: Never, args: [-c, \
        'echo ''{\"apiVersion\":\"client.authentication.k8s.io/v1\",\"kind\":\"ExecCredential\",\"status\":{\"token\":\"new\"}}''']}}";
    let client = connect_by(&api, folder.path(), plugin).await;
    follow_on(&Cluster::new(client), pods(), CALM, told(["following"])).await;
}
