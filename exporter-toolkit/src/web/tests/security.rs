//! Basic auth, response headers and the rate limit.

use std::fs;
use std::path::PathBuf;

use tempfile::TempDir;

use super::agent::{Running, options, start};
use super::client::{ask, connect, fetch, get};
use crate::web::{ServeError, WebOptions};

/// A folder with a `web.yml` in it.
pub(super) struct Folder(TempDir);

impl Folder {
    pub(super) fn with(config: &str) -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        folder.write("web.yml", config);
        folder
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(super) fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    pub(super) fn options(&self) -> WebOptions {
        WebOptions { config_file: Some(self.path("web.yml")), ..options(&[]) }
    }

    pub(super) fn start(&self) -> Result<Running, ServeError> {
        start(self.options())
    }
}

fn users(names: &[&str]) -> String {
    let hash = bcrypt::hash("secret", 4).unwrap();
    names
        .iter()
        .fold("basic_auth_users:\n".to_owned(), |text, name| text + &format!("  {name}: {hash}\n"))
}

const ALICE: &str = "YWxpY2U6c2VjcmV0";
const ALICE_WRONG: &str = "YWxpY2U6d3Jvbmc=";
const BOB: &str = "Ym9iOnNlY3JldA==";

fn request(path: &str, credentials: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nAuthorization: Basic {credentials}")
}

#[tokio::test]
async fn only_the_right_name_and_password_are_let_in() {
    let server = Folder::with(&users(&["alice"])).start().unwrap();
    let address = server.address();
    for path in ["/metrics", "/healthz", "/", "/targets"] {
        let refused = get(address, path).await;
        assert_eq!(refused.status, 401, "{path}");
        assert!(refused.header("www-authenticate").unwrap().starts_with("Basic realm="));
        for wrong in [ALICE_WRONG, BOB, "", "%%%"] {
            assert_eq!(fetch(address, &request(path, wrong)).await.status, 401, "{path} {wrong}");
        }
        for _ in 0..2 {
            let status = fetch(address, &request(path, ALICE)).await.status;
            assert!(matches!(status, 200 | 202), "{path}: {status}");
        }
    }
    assert_eq!(server.stats.unauthorized.get(), 20);
}

#[tokio::test]
async fn many_first_requests_at_once_are_all_let_in() {
    let server = Folder::with(&users(&["alice"])).start().unwrap();
    let address = server.address();
    let fetches: Vec<_> = (0..30)
        .map(|_| tokio::spawn(async move { fetch(address, &request("/healthz", ALICE)).await }))
        .collect();
    for answer in fetches {
        assert_eq!(answer.await.unwrap().status, 200);
    }
}

#[tokio::test]
async fn a_user_who_is_taken_out_is_refused_on_an_open_connection() {
    let folder = Folder::with(&users(&["alice", "bob"]));
    let server = folder.start().unwrap();
    let mut stream = connect(server.address()).await;
    assert_eq!(ask(&mut stream, &request("/metrics", BOB)).await.status, 200);
    folder.write("web.yml", &users(&["alice"]));
    assert_eq!(ask(&mut stream, &request("/metrics", BOB)).await.status, 401);
    assert_eq!(ask(&mut stream, &request("/metrics", ALICE)).await.status, 200);
    assert_eq!(server.stats.reloads.get(), 1);
}

#[tokio::test]
async fn configured_headers_are_on_every_answer() {
    let headers = "http_server_config:\n  headers:\n    X-Frame-Options: deny\n    \
        Content-Security-Policy: default-src 'self'\n";
    let server = Folder::with(&(headers.to_owned() + &users(&["alice"]))).start().unwrap();
    for request in [
        request("/metrics", ALICE),
        request("/", ALICE),
        request("/nowhere", ALICE),
        request("/", BOB),
    ] {
        let answer = fetch(server.address(), &request).await;
        assert_eq!(answer.header("x-frame-options"), Some("deny"));
        assert_eq!(answer.header("content-security-policy"), Some("default-src 'self'"));
    }
}

#[tokio::test]
async fn beyond_the_rate_requests_are_429() {
    let server = Folder::with("rate_limit:\n  interval: 1h\n  burst: 2\n").start().unwrap();
    let mut statuses = Vec::new();
    for _ in 0..3 {
        statuses.push(get(server.address(), "/metrics").await.status);
    }
    assert_eq!(statuses, [200, 200, 429]);
    assert_eq!(server.stats.rate_limited.get(), 1);
}

#[tokio::test]
async fn a_broken_configuration_stops_the_start() {
    let folder = Folder::with("basic_auth_users:\n  bob: hunter2\n");
    let Err(error) = folder.start() else { panic!("it started") };
    let error = error.to_string();
    assert!(error.contains("web.yml:2: ") && !error.contains("hunter2"), "{error}");
}

#[tokio::test]
async fn a_broken_reload_keeps_the_old_users() {
    let folder = Folder::with(&users(&["alice"]));
    let server = folder.start().unwrap();
    folder.write("web.yml", "basic_auth_users: [");
    server.reload.request();
    server.agent.reloaded.notified().await;
    assert_eq!(fetch(server.address(), &request("/metrics", ALICE)).await.status, 200);
    assert_eq!(get(server.address(), "/metrics").await.status, 401);
    assert!(server.stats.reload_errors.get() >= 1);
}
