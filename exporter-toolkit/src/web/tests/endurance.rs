//! Clients that are slow, many, greedy or gone, and the end of the process.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;

use super::agent::{Agent, Running, exposition, options, start, started};
use super::client::{ask, connect, fetch, get, is_closed, receive};
use crate::web::{WebOptions, serve};

/// Waits until it is so; the test runner's patience is the limit.
async fn until(condition: impl Fn() -> bool) {
    while !condition() {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

fn limited(flags: &[&str], change: impl FnOnce(&mut WebOptions)) -> Running {
    let mut options = options(flags);
    change(&mut options);
    start(options).unwrap()
}

const SHORT: Duration = Duration::from_millis(150);
/// An answer that no socket buffer holds.
const HUGE: &[u8] = b"GET /metrics?do=huge HTTP/1.1\r\nHost: x\r\n\r\n";

#[tokio::test]
async fn a_client_that_does_not_read_is_cut_while_others_are_served() {
    let server = limited(&[], |options| options.limits.stall = SHORT);
    let mut stuck = connect(server.address()).await;
    stuck.write_all(HUGE).await.unwrap();
    until(|| server.stats.in_flight.get() == 1).await;
    assert_eq!(get(server.address(), "/metrics").await.text(), exposition(1));
    until(|| server.stats.timeouts.get() == 1 && server.stats.in_flight.get() == 0).await;
    until(|| server.stats.connections.get() == 0).await;
    assert!(receive(&mut stuck, true).await.is_none(), "the answer is not complete");
}

#[tokio::test]
async fn a_client_that_reads_for_too_long_is_cut() {
    let server = limited(&[], |options| options.limits.answer = SHORT);
    let mut slow = connect(server.address()).await;
    slow.write_all(HUGE).await.unwrap();
    let mut buffer = [0; 64];
    while server.stats.timeouts.get() == 0 {
        assert!(slow.read(&mut buffer).await.unwrap() > 0);
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

#[tokio::test]
async fn a_client_that_asks_too_slowly_is_cut() {
    let server = limited(&[], |options| options.limits.request = SHORT);
    let mut silent = connect(server.address()).await;
    let mut dripping = connect(server.address()).await;
    while dripping.write_all(b"G").await.is_ok() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(is_closed(&mut silent).await);
    assert_eq!(server.stats.timeouts.get(), 2);
}

#[tokio::test]
async fn a_second_request_that_stops_half_way_is_cut() {
    let server = limited(&[], |options| options.limits.request = SHORT);
    let mut stream = connect(server.address()).await;
    assert_eq!(ask(&mut stream, "GET /healthz HTTP/1.1").await.status, 200);
    stream.write_all(b"GET /healthz HT").await.unwrap();
    assert!(is_closed(&mut stream).await);
    assert_eq!(server.stats.timeouts.get(), 1);
}

#[tokio::test]
async fn an_idle_connection_is_closed_after_its_time() {
    let server = limited(&[], |options| options.limits.idle = SHORT);
    let mut stream = connect(server.address()).await;
    assert_eq!(ask(&mut stream, "GET /healthz HTTP/1.1").await.status, 200);
    assert!(is_closed(&mut stream).await);
    assert_eq!(server.stats.timeouts.get(), 0, "to be idle is no fault");
}

#[tokio::test]
async fn at_the_connection_limit_the_longest_idle_one_makes_room() {
    let server = started(&["--web.max-connections=2"]);
    let mut clients = Vec::new();
    for _ in 0..3 {
        let mut stream = connect(server.address()).await;
        assert_eq!(ask(&mut stream, "GET /healthz HTTP/1.1").await.status, 200);
        clients.push(stream);
    }
    assert!(is_closed(&mut clients[0]).await);
    assert_eq!(ask(&mut clients[1], "GET /healthz HTTP/1.1").await.status, 200);
    assert_eq!(server.stats.evicted.get(), 1);
}

#[tokio::test]
async fn while_no_connection_is_idle_a_new_one_waits() {
    let server = started(&["--web.max-connections=1"]);
    let first = tokio::spawn(get(server.address(), "/metrics?do=wait"));
    until(|| server.stats.in_flight.get() == 1).await;
    let second = tokio::spawn(get(server.address(), "/healthz"));
    tokio::time::sleep(SHORT).await;
    assert!(!second.is_finished());
    server.agent.released.notify_one();
    assert_eq!(first.await.unwrap().status, 200);
    assert_eq!(second.await.unwrap().status, 200);
}

#[tokio::test]
async fn a_thousand_connections_are_all_answered() {
    // Only idle connections that leave in time make room here.
    let server = limited(&[], |options| options.limits.request = Duration::from_hours(1));
    let address = server.address();
    let clients: Vec<_> = (0..1000)
        .map(|_| {
            tokio::spawn(async move {
                let mut stream = connect(address).await;
                let answer = ask(&mut stream, "GET /healthz HTTP/1.1").await;
                (answer.status, stream)
            })
        })
        .collect();
    let mut open = Vec::new();
    for client in clients {
        let (status, stream) = client.await.unwrap();
        assert_eq!(status, 200);
        open.push(stream);
    }
    assert!(server.stats.connections.get() <= 512);
    assert_eq!(server.stats.accepted.get(), 1000);
}

#[tokio::test]
async fn a_megabyte_of_headers_is_431_and_the_end() {
    let server = started(&[]);
    let line = format!("X-Long: {}\r\n", "x".repeat(8000));
    let mut stream = connect(server.address()).await;
    let (mut reading, mut writing) = stream.split();
    let send = async {
        writing.write_all(b"GET /metrics HTTP/1.1\r\n").await?;
        for _ in 0..128 {
            writing.write_all(line.as_bytes()).await?;
        }
        Ok::<_, std::io::Error>(())
    };
    let (_sent, answer) = tokio::join!(send, receive(&mut reading, true));
    assert_eq!(answer.unwrap().status, 431);
    assert!(is_closed(&mut reading).await);
}

#[tokio::test]
async fn too_many_headers_are_431() {
    let server = started(&[]);
    let request = format!("GET /metrics HTTP/1.1{}", "\r\nX-A: b".repeat(200));
    assert_eq!(fetch(server.address(), &request).await.status, 431);
}

#[tokio::test]
async fn what_is_not_http_is_400() {
    let server = started(&[]);
    let mut stream = connect(server.address()).await;
    stream.write_all(b"\x16\x03\x01\x02\x00\x01\r\n\r\n").await.unwrap();
    assert_eq!(receive(&mut stream, true).await.unwrap().status, 400);
}

#[tokio::test]
async fn a_client_that_goes_away_takes_its_scrape_with_it() {
    let server = started(&[]);
    let mut stream = connect(server.address()).await;
    stream.write_all(b"GET /metrics?do=never HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    until(|| server.stats.in_flight.get() == 1).await;
    drop(stream);
    until(|| server.stats.in_flight.get() == 0 && server.stats.connections.get() == 0).await;
}

#[tokio::test]
async fn an_open_answer_is_finished_before_the_end() {
    let mut server = started(&[]);
    let mut idle = connect(server.address()).await;
    assert_eq!(ask(&mut idle, "GET /healthz HTTP/1.1").await.status, 200);
    let open = tokio::spawn(get(server.address(), "/metrics?do=wait"));
    until(|| server.stats.in_flight.get() == 1).await;
    server.stop();
    assert!(is_closed(&mut idle).await);
    let address = server.address();
    assert!(tokio::net::TcpStream::connect(address).await.is_err());
    server.agent.released.notify_one();
    assert_eq!(open.await.unwrap().status, 200);
    server.ended().await;
}

#[tokio::test]
async fn an_answer_that_does_not_end_is_cut_at_the_end() {
    let mut server = limited(&[], |options| options.limits.drain = SHORT);
    let mut stream = connect(server.address()).await;
    stream.write_all(b"GET /metrics?do=never HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    until(|| server.stats.in_flight.get() == 1).await;
    server.stop();
    server.ended().await;
    assert!(is_closed(&mut stream).await);
}

#[tokio::test]
async fn a_reload_reaches_the_agent() {
    let server = started(&[]);
    server.reload.request();
    server.agent.reloaded.notified().await;
}

#[tokio::test]
async fn a_unix_socket_is_served() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("agent.sock");
    let mut server = limited(&[], |options| {
        options.listen_addresses = vec![format!("unix:{}", path.display())];
    });
    assert!(server.addresses.is_empty());
    let mut stream = UnixStream::connect(&path).await.unwrap();
    assert_eq!(ask(&mut stream, "GET /metrics HTTP/1.1").await.text(), exposition(1));
    server.stop();
    server.ended().await;
    assert!(!path.exists());
}

#[tokio::test]
async fn a_server_in_one_step_ends_with_its_shutdown() {
    let agent = Arc::new(Agent::default());
    serve(agent, options(&[]), ":0", std::future::ready(())).await.unwrap();
}

#[tokio::test]
async fn several_addresses_are_served() {
    let server = started(&["--web.listen-address=127.0.0.1:0"]);
    assert_eq!(server.addresses.len(), 2);
    for address in &server.addresses {
        assert_eq!(get(*address, "/healthz").await.status, 200);
    }
}
