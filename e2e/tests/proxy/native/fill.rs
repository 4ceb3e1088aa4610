//! What a cAdvisor lacks is added by the native reader, and what it says stays.

use e2e::servers;

use super::loads::{IDLE, Loads, PING};
use super::look::{Look, label};
use super::{all_there, ask, cadvisor, has_docker};
use crate::subject::proxy;

#[test]
fn a_cadvisor_that_leaves_things_out_is_completed() {
    let test = "cadvisor-proxy-rs completes a cAdvisor's answer";
    let Some(program) = servers::need(test, "cadvisor") else { return };
    if !has_docker(test) {
        return;
    }
    let mut loads = Loads::new("fill");
    let talks = loads.start("net", &[], PING);
    let idle = loads.start("idle", &["--memory=40m"], IDLE);
    let (_cadvisor, port) = cadvisor(&program, ",network,process");
    let target = format!("--target=http://127.0.0.1:{port}");
    let flags = ["--source=cadvisor", &target, "--fill-from=cgroup", "--identity=docker"];
    let (agent, _own) = proxy(&flags);
    let filled = || agent.text("/metrics");
    all_there("containers in cAdvisor", &loads, &|| ask(port));
    all_there("containers in the filled answer", &loads, &filled);
    let theirs = Look::take(|| ask(port)).unwrap();
    // A series that is there twice would be an error here already.
    let both = Look::take(filled).unwrap();
    let is_of = |key: &str, name: &str| label(key, "name") == Some(name);
    for name in [&talks, &idle] {
        let lost: Vec<_> = theirs
            .series
            .keys()
            .filter(|key| is_of(key, name) && !both.series.contains_key(*key))
            .collect();
        assert!(lost.is_empty(), "{lost:?}");
        for family in ["container_processes", "container_threads", "container_oom_events_total"] {
            let labels = [("name", name.as_str())];
            assert!(theirs.value(family, &labels).is_none(), "{family} is no proof");
            assert!(both.value(family, &labels).is_some(), "no {family} of {name}");
        }
    }
    let sent = |look: &Look, name: &str| {
        look.value("container_network_transmit_packets_total", &[("name", name)])
    };
    assert_eq!(sent(&theirs, &talks), None);
    assert!(sent(&both, &talks) > Some(0.0));
    assert!(sent(&both, &idle).is_some());
}
