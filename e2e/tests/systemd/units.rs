//! Each unit starts, is ready when systemd says so, is started again after a crash, and ends in order.

use std::time::Duration;

use e2e::wait_until;

use crate::machine::{AGENTS, Machine, machine};

const PATIENCE: Duration = Duration::from_mins(3);

/// Settings with which an agent starts although nothing of what it asks is there.
const SETTINGS: [(&str, &str); 3] = [
    ("kube-state-rs", "KUBE_STATE_APISERVER=http://127.0.0.1:1\n"),
    ("cadvisor-proxy-rs", "CADVISOR_PROXY_SOURCE=cadvisor\n"),
    (
        "consul-registrar",
        "REGISTRAR_CLUSTER_NAME=c\nREGISTRAR_IP=192.0.2.7\nREGISTRAR_SERVICE=node\nREGISTRAR_PORT=9100\n",
    ),
];

/// The agents with the ports of their sockets and the prefix of their variables.
const SOCKETS: [(&str, &str, &str); 4] = [
    ("node-exporter-rs", "9100", "NODE_EXPORTER"),
    ("kube-state-rs", "10241", "KUBE_STATE"),
    ("cadvisor-proxy-rs", "4194", "CADVISOR_PROXY"),
    ("consul-registrar", "10243", "REGISTRAR"),
];

fn started(machine: &Machine, agent: &str) {
    if let Err(error) = machine.said("systemctl", &["start", agent]) {
        let status = machine.run("systemctl", &["status", "--no-pager", agent]).unwrap();
        panic!("{error:#}\n{}", String::from_utf8_lossy(&status.stdout));
    }
}

#[test]
fn every_unit_starts_is_healthy_comes_back_after_a_crash_and_ends_in_order() {
    let Some(machine) = machine("units of systemd", &SETTINGS) else { return };
    for agent in AGENTS {
        started(&machine, agent);
        let program = format!("/usr/local/bin/{agent}");
        machine.said(&program, &["healthcheck"]).unwrap();
        machine.said("systemctl", &["reload", agent]).unwrap();
        let first = machine.property(agent, "MainPID").unwrap();
        machine.said("systemctl", &["kill", "--signal=KILL", agent]).unwrap();
        wait_until("another process", PATIENCE, || {
            let pid = machine.property(agent, "MainPID")?;
            let state = machine.property(agent, "ActiveState")?;
            anyhow::ensure!(state == "active" && pid != first && pid != "0", "{state} {pid}");
            Ok::<_, anyhow::Error>(())
        })
        .unwrap();
        assert_eq!(machine.property(agent, "NRestarts").unwrap(), "1", "{agent}");
        machine.said("systemctl", &["stop", agent]).unwrap();
        assert_eq!(machine.property(agent, "Result").unwrap(), "success", "{agent}");
    }
}

#[test]
fn the_first_scrape_of_its_socket_starts_node_exporter_rs() {
    let settings = [("node-exporter-rs", "NODE_EXPORTER_WEB_SYSTEMD_SOCKET=true\n")];
    let Some(machine) = machine("socket unit of systemd", &settings) else { return };
    machine.said("systemctl", &["start", "node-exporter-rs.socket"]).unwrap();
    assert_eq!(machine.property("node-exporter-rs", "ActiveState").unwrap(), "inactive");
    let check = ["healthcheck", "--healthcheck.timeout=3m"];
    machine.said("/usr/local/bin/node-exporter-rs", &check).unwrap();
    assert_eq!(machine.property("node-exporter-rs", "ActiveState").unwrap(), "active");
}

/// Asks until it is told to end, on a connection each time, and says how often; without an answer it fails.
const ASK: &str = "until [ -e /tmp/enough-PORT ]; do \
                   exec 3<>/dev/tcp/127.0.0.1/PORT || exit 1; \
                   printf 'GET /healthz HTTP/1.0\\r\\n\\r\\n' >&3; read -r line <&3; \
                   [[ $line = *\" 200 \"* ]] || { echo \"after $((n)): $line\"; exit 1; }; \
                   exec 3>&-; n=$((n + 1)); done; echo $n";

#[test]
fn a_restart_behind_its_socket_loses_no_scrape_of_any_agent() {
    let settings = SOCKETS.map(|(agent, _, variable)| {
        let others =
            SETTINGS.iter().find(|(other, _)| *other == agent).map_or("", |(_, text)| text);
        (agent, format!("{others}{variable}_WEB_SYSTEMD_SOCKET=true\n"))
    });
    let settings = settings.each_ref().map(|(agent, text)| (*agent, text.as_str()));
    let Some(machine) = machine("restarts behind sockets of systemd", &settings) else { return };
    for (agent, port, _) in SOCKETS {
        machine.said("systemctl", &["start", &format!("{agent}.socket")]).unwrap();
        started(&machine, agent);
        let ask = ASK.replace("PORT", port);
        std::thread::scope(|scope| {
            let asked = scope.spawn(|| machine.said("bash", &["-c", &ask]));
            let restarted: Vec<_> =
                (0..3).map(|_| machine.said("systemctl", &["restart", agent])).collect();
            machine.said("touch", &[&format!("/tmp/enough-{port}")]).unwrap();
            let answers: usize = asked.join().unwrap().unwrap().parse().unwrap();
            assert!(answers > 3 && restarted.iter().all(Result::is_ok), "{answers} {restarted:?}");
        });
    }
}

#[test]
fn systemd_finds_nothing_wrong_with_the_units_and_little_exposed() {
    let Some(machine) = machine("systemd-analyze", &[]) else { return };
    // Ten times the exposure that images/README.md states, and one.
    for (agent, most) in AGENTS.iter().zip(["24", "16", "18", "16"]) {
        let unit = format!("/etc/systemd/system/{agent}.service");
        let found = machine.run("systemd-analyze", &["verify", "--man=no", &unit]).unwrap();
        let problems = String::from_utf8_lossy(&found.stderr);
        assert!(found.status.success() && !problems.contains(agent), "{problems}");
        let threshold = format!("--threshold={most}");
        let args = ["security", "--no-pager", "--offline=true", &threshold, &unit];
        machine.said("systemd-analyze", &args).unwrap();
    }
}
