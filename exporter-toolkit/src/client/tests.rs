//! Against servers on this machine that say what a test tells them to.

mod tls;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::HeaderMap;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, UnixListener};
use tokio::time::Instant;

use super::*;

/// What a test's server saw: one entry for each connection, with the heads of its requests.
type Seen = Arc<Mutex<Vec<Vec<String>>>>;

/// Reads requests and gives `answers` in turn; the connection is closed after those that end with `!`.
async fn converse<S: AsyncRead + AsyncWrite + Unpin>(
    mut stream: S,
    seen: Seen,
    answers: Arc<Mutex<Vec<String>>>,
) {
    let at = {
        let mut seen = seen.lock().unwrap();
        seen.push(Vec::new());
        seen.len() - 1
    };
    let mut head = Vec::new();
    loop {
        let Ok(byte) = stream.read_u8().await else { return };
        head.push(byte);
        if !head.ends_with(b"\r\n\r\n") {
            continue;
        }
        let text = String::from_utf8(std::mem::take(&mut head)).unwrap();
        seen.lock().unwrap()[at].push(text);
        let answer = {
            let mut answers = answers.lock().unwrap();
            if answers.is_empty() {
                return;
            }
            answers.remove(0)
        };
        let (text, close) = match answer.strip_suffix('!') {
            Some(text) => (text, true),
            None => (answer.as_str(), false),
        };
        let _sent = stream.write_all(text.as_bytes()).await;
        if close {
            return;
        }
        if text.is_empty() {
            std::future::pending::<()>().await;
        }
    }
}

async fn server(answers: &[&str]) -> (Target, Seen) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let target = format!("http://{}/", listener.local_addr().unwrap()).parse().unwrap();
    let seen = Seen::default();
    let answers = Arc::new(Mutex::new(answers.iter().map(|&a| a.to_owned()).collect()));
    let shown = Arc::clone(&seen);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(converse(stream, Arc::clone(&shown), Arc::clone(&answers)));
        }
    });
    (target, seen)
}

fn client(target: &Target) -> Client {
    Client::new(target.clone(), ClientSettings::default()).unwrap()
}

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(10)
}

async fn text(client: &Client, path: &str) -> Result<String, ClientError> {
    let response = client.get(path, HeaderMap::new(), soon()).await?;
    let bytes = response.into_body().collect(1000).await?;
    Ok(String::from_utf8(bytes.to_vec()).unwrap())
}

fn file(folder: &Path, name: &str, text: &str) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, text).unwrap();
    path
}

const HELLO: &str = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello";

#[tokio::test]
async fn a_connection_is_used_again_after_all_of_an_answer_was_read() {
    let chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n";
    let (target, seen) = server(&[HELLO, chunked, HELLO]).await;
    let client = client(&target);
    for path in ["/a?b=c", "/b", "/c"] {
        assert_eq!(text(&client, path).await.unwrap(), "hello");
    }
    let seen = seen.lock().unwrap();
    assert_eq!(seen.len(), 1);
    assert!(seen[0][0].starts_with("GET /a?b=c HTTP/1.1\r\nhost: 127.0.0.1:"), "{}", seen[0][0]);
}

#[tokio::test]
async fn an_answer_that_is_left_closes_its_connection() {
    let endless = "HTTP/1.1 200 OK\r\ncontent-length: 500000\r\n\r\nhello";
    let (target, seen) = server(&[endless, HELLO]).await;
    let client = client(&target);
    drop(client.get("/", HeaderMap::new(), soon()).await.unwrap());
    assert_eq!(text(&client, "/").await.unwrap(), "hello");
    assert_eq!(seen.lock().unwrap().len(), 2);
}

#[tokio::test]
async fn a_kept_connection_that_the_server_closed_is_replaced_once() {
    let (target, seen) = server(&[HELLO, "!", HELLO]).await;
    let client = client(&target);
    assert_eq!(text(&client, "/").await.unwrap(), "hello");
    assert_eq!(text(&client, "/").await.unwrap(), "hello");
    assert_eq!(seen.lock().unwrap().len(), 2);
}

#[tokio::test]
async fn a_new_connection_that_is_closed_without_an_answer_is_an_error() {
    let (target, seen) = server(&["!", HELLO]).await;
    let error = text(&client(&target), "/").await.unwrap_err().to_string();
    assert!(error.contains(&target.to_string()) && error.contains("waiting"), "{error}");
    assert_eq!(seen.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn a_body_that_breaks_off_or_is_too_long_is_an_error() {
    let short = "HTTP/1.1 200 OK\r\ncontent-length: 50\r\n\r\nhello!";
    let long = format!("HTTP/1.1 200 OK\r\ncontent-length: 1001\r\n\r\n{}", "x".repeat(1001));
    let (target, _) = server(&[short, &long]).await;
    let client = client(&target);
    let error = text(&client, "/").await.unwrap_err().to_string();
    assert!(error.contains("reading the answer failed"), "{error}");
    let error = text(&client, "/").await.unwrap_err().to_string();
    assert!(error.contains("longer than 1000 bytes"), "{error}");
}

#[tokio::test]
async fn headers_without_end_are_refused() {
    let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "a: b\r\n".repeat(101));
    // hyper looks at its limit between two reads, and one read holds as much again.
    let large = format!("HTTP/1.1 200 OK\r\na: {}\r\n\r\n", "x".repeat(1_000_000));
    let (target, _) = server(&[&many, &large]).await;
    let client = client(&target);
    for _ in 0..2 {
        let error = text(&client, "/").await.unwrap_err();
        assert!(matches!(error, ClientError::Broken { .. }), "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn every_wait_ends_at_the_deadline() {
    let slow = "HTTP/1.1 200 OK\r\ncontent-length: 50\r\n\r\nhello";
    let (target, _) = server(&["", slow]).await;
    let client = client(&target);
    let asked = client.get("/", HeaderMap::new(), soon()).await.unwrap_err();
    assert!(matches!(asked, ClientError::Late { doing: Doing::Asking, .. }), "{asked}");
    let read = text(&client, "/").await.unwrap_err();
    assert!(matches!(read, ClientError::Late { doing: Doing::Reading, .. }), "{read}");
}

#[tokio::test(start_paused = true)]
async fn no_more_connections_than_the_limit_are_open() {
    let (target, seen) = server(&["", HELLO]).await;
    let settings = ClientSettings { connections: 1, ..ClientSettings::default() };
    let client = Client::new(target, settings).unwrap();
    let first = client.get("/", HeaderMap::new(), soon() + Duration::from_secs(10));
    let second = client.get("/", HeaderMap::new(), soon());
    let (first, second) = tokio::join!(first, second);
    assert!(matches!(first, Err(ClientError::Late { .. })));
    assert!(matches!(second, Err(ClientError::Busy { connections: 1, .. })));
    assert_eq!(seen.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn an_unused_connection_is_closed() {
    let (target, _) = server(&[HELLO]).await;
    let settings = ClientSettings { idle: Duration::from_millis(20), ..ClientSettings::default() };
    let client = Client::new(target, settings).unwrap();
    text(&client, "/").await.unwrap();
    let closed = async {
        while client.0.pool.holds() > 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), closed).await.unwrap();
}

#[tokio::test]
async fn a_token_is_read_again_when_it_changes_and_after_a_401() {
    let folder = tempfile::tempdir().unwrap();
    let token = file(folder.path(), "token", "first\n");
    let no = "HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\n\r\n";
    let (target, seen) = server(&[HELLO, HELLO, no]).await;
    let settings = ClientSettings { token_file: Some(token), ..ClientSettings::default() };
    let client = Client::new(target, settings).unwrap();
    text(&client, "/").await.unwrap();
    file(folder.path(), "token", "second");
    text(&client, "/").await.unwrap();
    let refused = client.get("/", HeaderMap::new(), soon()).await.unwrap();
    assert_eq!(refused.status(), 401);
    let seen = seen.lock().unwrap();
    let requests: Vec<_> = seen.iter().flatten().collect();
    assert_eq!(requests.len(), 3);
    assert!(requests[0].contains("authorization: Bearer first\r\n"));
    assert!(requests[1].contains("authorization: Bearer second\r\n"));
}

#[tokio::test]
async fn an_unusable_token_file_is_named_without_its_content() {
    let folder = tempfile::tempdir().unwrap();
    let (target, _) = server(&[]).await;
    for (text, problem) in [("", "no token"), ("two\nlines", "no token")] {
        let path = file(folder.path(), "token", text);
        let settings = ClientSettings { token_file: Some(path), ..ClientSettings::default() };
        let error = Client::new(target.clone(), settings).unwrap_err().to_string();
        assert!(error.contains(problem) && !error.contains("lines "), "{error}");
    }
}

#[tokio::test]
async fn a_unix_socket_is_asked_like_any_other() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.sock");
    let listener = UnixListener::bind(&path).unwrap();
    let answers = Arc::new(Mutex::new(vec![HELLO.to_owned()]));
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        converse(stream, Seen::default(), answers).await;
    });
    let target: Target = format!("unix:{}:/metrics", path.display()).parse().unwrap();
    assert_eq!(text(&client(&target), target.path()).await.unwrap(), "hello");
}

#[tokio::test]
async fn a_server_that_is_away_is_an_error_with_its_address() {
    let target: Target = "http://127.0.0.1:1/".parse().unwrap();
    let error = text(&client(&target), "/").await.unwrap_err().to_string();
    assert!(error.contains("cannot connect to http://127.0.0.1:1"), "{error}");
}
