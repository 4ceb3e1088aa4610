//! Clients that mean no good, or do not know better.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use e2e::{Agent, wait_until};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::targets::plain;

const REQUEST: &[u8] = b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n";

/// A scrape by somebody else is answered, soon enough for Prometheus.
fn still_serves(node: &Agent) {
    wait_until("scrape", Duration::from_mins(2), || node.scrape("/metrics")).unwrap();
}

/// As many file descriptors as the system lets us have: the usual limit is 1,024.
fn many_files() {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }).unwrap();
}

#[test]
fn clients_that_ask_and_never_read_do_not_stop_the_others() {
    let node = plain();
    let slow: Vec<TcpStream> = (0..50)
        .map(|_| {
            let mut stream = TcpStream::connect(node.address).unwrap();
            // Many requests on one connection: their answers are more than the socket's buffers hold.
            stream.write_all(&REQUEST.repeat(100)).unwrap();
            stream
        })
        .collect();
    still_serves(&node);
    drop(slow);
    still_serves(&node);
}

#[test]
fn a_thousand_silent_connections_do_not_stop_a_scrape() {
    many_files();
    let node = plain();
    let silent: Vec<TcpStream> =
        (0..1000).map_while(|_| TcpStream::connect(node.address).ok()).collect();
    assert!(silent.len() >= 500, "only {} connections", silent.len());
    still_serves(&node);
}

#[test]
fn a_request_with_two_megabytes_of_headers_is_refused_and_the_others_are_answered() {
    let node = plain();
    let mut stream = TcpStream::connect(node.address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let mut request = b"GET /metrics HTTP/1.1\r\n".to_vec();
    for number in 0..2000 {
        request.extend_from_slice(format!("x-{number}: {}\r\n", "a".repeat(1000)).as_bytes());
    }
    request.extend_from_slice(b"\r\n");
    // The server may close before it has read all of it.
    _ = stream.write_all(&request);
    let mut answer = Vec::new();
    match stream.read_to_end(&mut answer) {
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::ConnectionReset => {}
        Err(error) => panic!("{error}"),
    }
    let answer = String::from_utf8_lossy(&answer);
    assert!(!answer.starts_with("HTTP/1.1 200"), "{answer}");
    still_serves(&node);
}
