//! What each node pays for the agent all the time.

use e2e::process::held;
use e2e::{Agent, agent, servers};

/// Bytes on a host of a few CPUs: a third of that is the program's own file, in its order (images/order).
const MOST: u64 = 4_000_000;
const FEW: usize = 8;
/// A larger program is not the one that is shipped.
const SHIPPED: u64 = 10_000_000;

#[test]
fn on_a_small_host_it_holds_little_memory() {
    let test = "the memory of node-exporter-rs";
    let program = agent::node_exporter_rs().unwrap();
    if std::fs::metadata(&program).unwrap().len() > SHIPPED {
        return servers::skip(test, "NODE_EXPORTER_RS is not what `cargo xtask build` makes");
    }
    if std::thread::available_parallelism().unwrap().get() > FEW {
        return servers::skip(test, &format!("this host has more than {FEW} CPUs"));
    }
    let agent = Agent::start::<&str>(&program, &[]).unwrap();
    for encoding in ["gzip", "identity"].repeat(15) {
        let request = agent.request("/metrics").header("Accept-Encoding", encoding);
        assert_eq!(request.send().unwrap().status, 200);
    }
    let bytes = held(agent.server.pid(), "VmRSS").unwrap();
    assert!(bytes <= MOST, "{bytes} bytes; `cargo xtask order` brings the order up to date");
}
