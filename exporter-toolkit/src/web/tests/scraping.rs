//! What is answered to whom.

use std::io::Read as _;

use tokio::io::AsyncWriteExt as _;

use super::agent::{exposition, started};
use super::client::{ask, connect, fetch, get, is_closed, receive};
use crate::Format;

fn unpacked(body: &[u8]) -> String {
    let mut text = String::new();
    flate2::read::MultiGzDecoder::new(body).read_to_string(&mut text).unwrap();
    text
}

#[tokio::test]
async fn an_empty_config_file_name_is_none() {
    let server = started(&["--web.config.file="]);
    assert_eq!(get(server.address(), "/metrics").await.status, 200);
}

#[tokio::test]
async fn a_scrape_is_answered_with_type_and_length() {
    let server = started(&[]);
    let answer = get(server.address(), "/metrics").await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), Some(Format::Text.content_type()));
    assert_eq!(answer.header("content-length"), Some("20"));
    assert_eq!(answer.text(), exposition(1));
}

#[tokio::test]
async fn open_metrics_is_answered_to_those_who_ask() {
    let server = started(&[]);
    let request = "GET /metrics HTTP/1.1\r\nAccept: application/openmetrics-text;q=0.9,*/*;q=0.1";
    let answer = fetch(server.address(), request).await;
    assert_eq!(answer.header("content-type"), Some(Format::OpenMetrics.content_type()));
}

#[tokio::test]
async fn gzip_members_decode_to_the_text() {
    let server = started(&[]);
    let request = "GET /metrics?lines=20000 HTTP/1.1\r\nAccept-Encoding: gzip";
    let answer = fetch(server.address(), request).await;
    assert_eq!(answer.header("content-encoding"), Some("gzip"));
    assert_eq!(answer.header("content-length").unwrap(), answer.body.len().to_string());
    assert_eq!(unpacked(&answer.body), exposition(20_000));
}

#[tokio::test]
async fn gzip_with_weight_0_means_no() {
    let server = started(&[]);
    let request = "GET /metrics?lines=20000 HTTP/1.1\r\nAccept-Encoding: gzip;q=0";
    let answer = fetch(server.address(), request).await;
    assert_eq!(answer.header("content-encoding"), None);
    assert_eq!(answer.text(), exposition(20_000));
}

#[tokio::test]
async fn head_has_the_headers_of_get_and_no_body() {
    let server = started(&[]);
    let mut stream = connect(server.address()).await;
    let head = ask(&mut stream, "HEAD /metrics?lines=100 HTTP/1.1").await;
    assert_eq!(head.header("content-length").unwrap(), exposition(100).len().to_string());
    // The connection is in step: what follows is the next answer.
    assert_eq!(ask(&mut stream, "GET /healthz HTTP/1.1").await.text(), "ok\n");
}

#[tokio::test]
async fn other_methods_are_405_and_name_those_that_work() {
    let server = started(&[]);
    for path in ["/metrics", "/healthz", "/readyz", "/"] {
        let answer = fetch(server.address(), &format!("POST {path} HTTP/1.1")).await;
        assert_eq!((answer.status, answer.header("allow")), (405, Some("GET, HEAD")), "{path}");
    }
}

#[tokio::test]
async fn health_readiness_landing_and_the_rest_have_their_paths() {
    let server = started(&[]);
    for (path, status, text) in [
        ("/healthz", 200, "ok"),
        ("/-/healthy", 200, "ok"),
        ("/readyz", 503, "the first list is not complete"),
        ("/-/ready", 503, "the first list is not complete"),
        ("/", 200, "&lt;cpu&gt;"),
        ("/metrics/cadvisor", 200, "demo_total"),
        ("/targets", 202, "targets"),
        ("/metrics/", 404, "nothing"),
        ("/nowhere", 404, "nothing"),
    ] {
        let answer = get(server.address(), path).await;
        assert_eq!(answer.status, status, "{path}");
        assert!(answer.text().contains(text), "{path}: {}", answer.text());
    }
}

#[tokio::test]
async fn the_telemetry_path_may_be_the_root() {
    let server = started(&["--web.telemetry-path=/"]);
    assert_eq!(get(server.address(), "/").await.text(), exposition(1));
    assert_eq!(get(server.address(), "/metrics").await.status, 404);
}

#[tokio::test]
async fn a_refusal_is_shown_with_its_status() {
    let server = started(&[]);
    let answer = get(server.address(), "/metrics?do=refuse").await;
    assert_eq!((answer.status, answer.text()), (400, "unknown collector\n"));
    assert_eq!(server.stats.gathering_errors.get(), 0);
}

#[tokio::test]
async fn a_panic_is_a_500_and_the_connection_lives_on() {
    let server = started(&[]);
    let mut stream = connect(server.address()).await;
    assert_eq!(ask(&mut stream, "GET /metrics?do=panic HTTP/1.1").await.status, 500);
    assert_eq!(ask(&mut stream, "GET /metrics HTTP/1.1").await.status, 200);
    assert_eq!(server.stats.gathering_errors.get(), 1);
    let codes: Vec<_> = server.stats.scrapes().collect();
    assert_eq!(codes, [(200, 1), (500, 1), (503, 0)]);
}

#[tokio::test]
async fn the_deadline_is_the_scrapers_timeout_less_a_margin() {
    let server = started(&["--web.scrape-timeout=1h"]);
    let request = "GET /metrics?do=deadline HTTP/1.1\r\nX-Prometheus-Scrape-Timeout-Seconds: 200";
    let left = fetch(server.address(), request).await;
    let left: u32 = left.text().trim().strip_prefix("left ").unwrap().parse().unwrap();
    assert!((100_000..=199_500).contains(&left), "{left}");
}

#[tokio::test]
async fn a_scrape_that_never_ends_is_given_up() {
    let server = started(&[]);
    let request = "GET /metrics?do=never HTTP/1.1\r\nX-Prometheus-Scrape-Timeout-Seconds: 0.1";
    assert_eq!(fetch(server.address(), request).await.status, 503);
    assert_eq!(server.stats.gathering_errors.get(), 1);
    assert_eq!(server.stats.in_flight.get(), 0);
}

#[tokio::test]
async fn beyond_the_limit_scrapes_are_503_and_health_is_not() {
    let server = started(&["--web.max-requests=1"]);
    let address = server.address();
    let first = tokio::spawn(get(address, "/metrics?do=wait"));
    while server.stats.in_flight.get() == 0 {
        tokio::task::yield_now().await;
    }
    let refused = get(address, "/metrics").await;
    assert_eq!(refused.status, 503);
    assert!(refused.text().starts_with("Limit of concurrent requests reached (1)"));
    assert_eq!(get(address, "/healthz").await.status, 200);
    server.agent.released.notify_one();
    assert_eq!(first.await.unwrap().status, 200);
    assert_eq!(get(address, "/metrics").await.status, 200);
}

#[tokio::test]
async fn a_limit_of_0_is_none() {
    let server = started(&["--web.max-requests=0"]);
    assert_eq!(get(server.address(), "/metrics").await.status, 200);
}

#[tokio::test]
async fn a_stream_that_breaks_off_is_never_taken_for_complete() {
    let server = started(&[]);
    let mut stream = connect(server.address()).await;
    stream.write_all(b"GET /metrics?do=stream HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    assert!(receive(&mut stream, true).await.is_none());
}

#[tokio::test]
async fn a_request_with_a_body_is_answered_and_the_connection_closed() {
    let server = started(&[]);
    let mut stream = connect(server.address()).await;
    let answer = ask(&mut stream, "GET /metrics HTTP/1.1\r\nContent-Length: 100000000").await;
    assert_eq!((answer.status, answer.header("connection")), (200, Some("close")));
    assert!(is_closed(&mut stream).await);
}

#[tokio::test]
async fn a_client_that_sends_a_long_body_still_reads_its_answer() {
    let server = started(&[]);
    let mut stream = connect(server.address()).await;
    let head = "POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    for _ in 0..10 {
        stream.write_all(&vec![b'x'; 100_000]).await.unwrap();
        tokio::task::yield_now().await;
    }
    assert_eq!(receive(&mut stream, true).await.unwrap().status, 405);
}

#[tokio::test]
async fn a_client_of_http_1_0_gets_its_answer_and_the_end() {
    let server = started(&[]);
    let mut stream = connect(server.address()).await;
    let answer = ask(&mut stream, "GET /metrics HTTP/1.0").await;
    assert_eq!(answer.text(), exposition(1));
    assert!(is_closed(&mut stream).await);
}
