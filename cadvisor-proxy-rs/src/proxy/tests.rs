//! Against upstreams on this machine that do what they should not.

mod filled;
mod merged;
mod passed;

use std::io::Write as _;
use std::time::Duration;

use exporter_toolkit::client::ClientSettings;
use exporter_toolkit::web::{Server, WebOptions};
use flate2::Compression;
use flate2::write::GzEncoder;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::identity::{Directory, Facts, Pod};
use crate::rewrite::{Settings, Subject};

#[derive(clap::Parser)]
struct Command {
    #[command(flatten)]
    web: WebOptions,
    #[command(flatten)]
    series: crate::rewrite::RewriteOptions,
}

/// A server that gives each connection these bytes, pausing between them, then closes it.
async fn upstream(pieces: Vec<Vec<u8>>, pause: Duration) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let pieces = pieces.clone();
            tokio::spawn(async move {
                let _request = stream.read(&mut [0; 4096]).await;
                for piece in pieces {
                    if stream.write_all(&piece).await.is_err() {
                        return;
                    }
                    tokio::time::sleep(pause).await;
                }
            });
        }
    });
    format!("http://{address}/metrics")
}

fn client(target: &str) -> Client {
    Client::new(target.parse().unwrap(), ClientSettings::default()).unwrap()
}

/// A proxy in front of one target, with its counts.
fn proxy(target: &str, kind: SourceKind, limit: u64) -> (std::net::SocketAddr, Arc<Totals>) {
    before(Upstream::One(client(target)), kind, limit, ALL)
}

const ALL: Passes = Passes { query: true, authorization: true };

fn before(
    upstream: Upstream,
    kind: SourceKind,
    limit: u64,
    passes: Passes,
) -> (std::net::SocketAddr, Arc<Totals>) {
    completed(upstream, None, kind, limit, passes)
}

fn completed(
    upstream: Upstream,
    fill: Option<Native>,
    kind: SourceKind,
    limit: u64,
    passes: Passes,
) -> (std::net::SocketAddr, Arc<Totals>) {
    let args = ["proxy", "--web.listen-address=127.0.0.1:0"];
    let command = <Command as clap::Parser>::parse_from(args);
    let server = Server::bind(command.web, ":0").unwrap();
    let address = server.addresses()[0];
    let pod = Pod { name: "web-1".to_owned(), ip: Some("10.0.0.1".to_owned()), ..Pod::default() };
    let facts = Facts { own: Some(pod), ..Facts::default() };
    let shared = Arc::new(Shared::fixed(Directory::of(&facts)));
    let settings = Settings::new(&command.series, Subject::Own).unwrap();
    let totals = Arc::<Totals>::default();
    let source = Proxy {
        kind,
        upstream,
        fill,
        passes,
        workshop: Arc::new(Workshop::new(settings, Arc::clone(&shared))),
        shared,
        totals: Arc::clone(&totals),
        gzip: true,
        body_limit: limit,
    };
    tokio::spawn(server.serve(Arc::new(source), std::future::pending()));
    (address, totals)
}

/// The answer's bytes as they come, until the connection closes.
async fn asked(address: std::net::SocketAddr, headers: &str) -> Vec<u8> {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("GET /metrics HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{headers}\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    let _end = stream.read_to_end(&mut answer).await;
    answer
}

async fn answer(pieces: Vec<Vec<u8>>, limit: u64) -> (String, Arc<Totals>) {
    let target = upstream(pieces, Duration::ZERO).await;
    let (address, totals) = proxy(&target, SourceKind::Exporter, limit);
    let text = asked(address, "").await;
    (String::from_utf8_lossy(&text).into_owned(), totals)
}

fn whole(body: &[u8], header: &str) -> Vec<u8> {
    let head = format!("HTTP/1.1 200 OK\r\n{header}content-length: {}\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}

fn packed(text: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

/// The end mark of a chunked body, without which nobody takes it for complete.
const END: &str = "\r\n0\r\n\r\n";
const LIMIT: u64 = 64 << 20;

#[tokio::test]
async fn series_beside_an_app_get_the_pods_name_and_address() {
    let (text, totals) = answer(vec![whole(b"a 1\n", "")], LIMIT).await;
    assert!(text.starts_with("HTTP/1.1 200 OK\r\n"), "{text}");
    assert!(text.contains("content-type: text/plain; version=0.0.4"), "{text}");
    assert!(text.contains("a{pod_ip=\"10.0.0.1\",pod_name=\"web-1\"} 1\n"), "{text}");
    assert!(text.ends_with(END), "{text}");
    assert_eq!((totals.counts().labelled, totals.problem()), (1, None));
}

#[tokio::test]
async fn gzip_of_several_members_is_unpacked_and_packed_again() {
    let body = [packed(b"a 1\nb"), packed(b" 2\n")].concat();
    let (text, _) = answer(vec![whole(&body, "content-encoding: gzip\r\n")], LIMIT).await;
    assert!(text.contains("a{pod_ip") && text.contains("} 2\n") && text.ends_with(END), "{text}");
    let target = upstream(vec![whole(b"a 1\n", "")], Duration::ZERO).await;
    let (address, _) = proxy(&target, SourceKind::Exporter, LIMIT);
    let text = asked(address, "accept-encoding: gzip\r\n").await;
    assert!(String::from_utf8_lossy(&text).contains("content-encoding: gzip"));
}

#[tokio::test]
async fn a_body_that_breaks_off_is_never_ended_cleanly() {
    let short = b"HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\na 1\nb 2\n".to_vec();
    let chunked = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\na 1\n\r\n".to_vec();
    let cut = packed(&b"a 1\n".repeat(1000));
    let cut = whole(&cut[..cut.len() - 9], "content-encoding: gzip\r\n");
    let wrong = whole(b"this is no gzip", "content-encoding: gzip\r\n");
    for pieces in [short, chunked, cut, wrong] {
        let (text, totals) = answer(vec![pieces], LIMIT).await;
        assert!(!text.ends_with(END), "{text}");
        assert_eq!(totals.aborted.load(Relaxed), 1, "{text}");
        assert!(totals.problem().is_some());
    }
}

#[tokio::test]
async fn a_bomb_is_broken_off_at_the_limit() {
    let bomb = packed(&b"a_long_name_that_packs_well 1\n".repeat(200_000));
    let (text, totals) = answer(vec![whole(&bomb, "content-encoding: gzip\r\n")], 1 << 20).await;
    assert!(!text.ends_with(END));
    assert_eq!(totals.aborted.load(Relaxed), 1);
    assert!(totals.counts().bytes_in <= 1 << 21, "{:?}", totals.counts());
}

#[tokio::test]
async fn an_endless_line_and_an_endless_body_end_at_the_limit() {
    for piece in [vec![b'x'; 1 << 20], b"a 1\n".repeat(1 << 18)] {
        let mut pieces = vec![b"HTTP/1.1 200 OK\r\n\r\n".to_vec()];
        pieces.resize(20, piece);
        let (text, totals) = answer(pieces, 4 << 20).await;
        assert!(!text.ends_with(END));
        assert_eq!(totals.aborted.load(Relaxed), 1);
    }
}

#[tokio::test]
async fn a_flood_of_headers_is_a_bad_gateway() {
    let flood = format!("HTTP/1.1 200 OK\r\n{}\r\n", "a: b\r\n".repeat(100_000));
    let (text, _) = answer(vec![flood.into_bytes()], LIMIT).await;
    assert!(text.starts_with("HTTP/1.1 502"), "{text}");
}

#[tokio::test]
async fn an_upstream_that_is_away_is_a_bad_gateway_with_the_reason() {
    let (address, totals) = proxy("http://127.0.0.1:1/", SourceKind::Exporter, LIMIT);
    let text = String::from_utf8(asked(address, "").await).unwrap();
    assert!(text.starts_with("HTTP/1.1 502") && text.contains("cannot connect"), "{text}");
    assert_eq!(totals.failed.load(Relaxed), 1);
}

#[tokio::test]
async fn a_slow_upstream_is_a_gateway_timeout_and_a_slow_body_an_aborted_one() {
    let seconds = "x-prometheus-scrape-timeout-seconds: 0.4\r\n";
    let hour = Duration::from_hours(1);
    let target = upstream(vec![Vec::new(), Vec::new()], hour).await;
    let (address, totals) = proxy(&target, SourceKind::Exporter, LIMIT);
    let text = String::from_utf8(asked(address, seconds).await).unwrap();
    assert!(text.starts_with("HTTP/1.1 504"), "{text}");
    assert_eq!(totals.late.load(Relaxed), 1);
    let mut drip = vec![b"HTTP/1.1 200 OK\r\ncontent-length: 400\r\n\r\na 1\n".to_vec()];
    drip.extend(std::iter::repeat_n(b"a".to_vec(), 100));
    let target = upstream(drip, Duration::from_millis(50)).await;
    let (address, totals) = proxy(&target, SourceKind::Exporter, LIMIT);
    let text = String::from_utf8(asked(address, seconds).await).unwrap();
    assert!(text.contains("a{pod_ip") && !text.ends_with(END), "{text}");
    assert_eq!(totals.aborted.load(Relaxed), 1);
}

#[tokio::test]
async fn refusals_are_mirrored_beside_an_app_and_explained_for_a_kubelet() {
    let no = b"HTTP/1.1 403 Forbidden\r\ncontent-length: 14\r\n\r\nForbidden (me)".to_vec();
    let target = upstream(vec![no], Duration::ZERO).await;
    let (address, _) = proxy(&target, SourceKind::Exporter, LIMIT);
    let text = String::from_utf8(asked(address, "").await).unwrap();
    assert!(text.starts_with("HTTP/1.1 403"), "{text}");
    let (address, _) = proxy(target.trim_end_matches("/metrics"), SourceKind::Kubelet, LIMIT);
    let text = String::from_utf8(asked(address, "").await).unwrap();
    assert!(text.starts_with("HTTP/1.1 502"), "{text}");
    assert!(text.contains("Forbidden (me)") && text.contains("nodes/metrics"), "{text}");
}

#[tokio::test]
async fn the_first_byte_leaves_before_the_last_one_arrives() {
    let target = upstream(
        vec![b"HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\na 1\n".to_vec(), Vec::new()],
        Duration::from_hours(1),
    )
    .await;
    let (address, _) = proxy(&target, SourceKind::Exporter, LIMIT);
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(b"GET /metrics HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    let mut seen = Vec::new();
    while !seen.ends_with(b"} 1\n\r\n") {
        seen.push(stream.read_u8().await.unwrap());
    }
}
