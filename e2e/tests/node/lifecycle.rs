//! How node-exporter-rs starts and ends under systemd and Kubernetes.

use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use e2e::agent::{local, node_exporter_rs};
use e2e::http::{self, Error};
use e2e::{Agent, Scrape, free_port, servers, wait_until};
use rustix::process::Signal;

use crate::targets::plain;

#[test]
fn sigterm_lets_the_scrapes_it_meets_end_and_then_exits_with_success() {
    let mut node = plain();
    let (address, complete) = (node.address, AtomicUsize::new(0));
    let stop = AtomicBool::new(false);
    let status = thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    match http::get(address, "/metrics") {
                        Ok(response) => {
                            Scrape::parse(&response.text().unwrap()).unwrap();
                            complete.fetch_add(1, Ordering::Relaxed);
                        }
                        // Turned away before a byte was said: the scraper knows that it has nothing.
                        Err(Error::Connect(..) | Error::NoAnswer(..)) => break,
                        Err(error) => panic!("an answer was begun and not ended: {error}"),
                    }
                }
            });
        }
        let scraped = wait_until("scrapes", Duration::from_mins(2), || {
            if complete.load(Ordering::Relaxed) < 8 { Err("too few") } else { Ok(()) }
        });
        let status = scraped.and_then(|()| {
            node.server.signal(Signal::TERM)?;
            node.server.wait(Duration::from_secs(15))
        });
        stop.store(true, Ordering::Relaxed);
        status
    });
    let status = status.unwrap();
    assert!(status.success(), "{status}");
}

#[test]
fn it_serves_the_socket_that_systemd_opened() {
    let activate = "systemd-socket-activate";
    let Some(activate) = servers::need("socket activation", activate) else { return };
    let address = local(free_port().unwrap());
    let mut command = Command::new(activate);
    command.arg(format!("--listen={address}")).arg(node_exporter_rs().unwrap());
    command.arg("--web.systemd-socket");
    let node = Agent::spawn(address, &mut command).unwrap();
    // The first connection is what starts it.
    let scrape = wait_until("answer", Duration::from_mins(3), || node.scrape("/metrics")).unwrap();
    assert!(scrape.one("node_load1").is_some());
}

#[test]
fn a_port_in_use_and_a_wrong_flag_stop_the_start_with_a_reason() {
    let node = plain();
    let listen = format!("--web.listen-address={}", node.address);
    for (flag, reason) in [(listen.as_str(), "in use"), ("--no-such-flag", "no-such-flag")] {
        let output = Command::new(node_exporter_rs().unwrap()).arg(flag).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success(), "{flag}: {}", output.status);
        assert!(said.contains(reason), "{flag}: {said}");
    }
}
