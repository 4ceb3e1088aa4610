//! What the units take away from the agents is away, and what node-exporter-rs needs is there.

use std::collections::BTreeSet;

use crate::machine::machine;

/// A scrape of the agent inside, by bash's own sockets: the machine has nothing else.
const SCRAPE: &str = "exec 3<>/dev/tcp/127.0.0.1/9100; \
                      printf 'GET /metrics HTTP/1.0\\r\\n\\r\\n' >&3; cat <&3";

#[test]
fn node_exporter_rs_has_no_rights_and_gives_what_it_gives_without_a_sandbox() {
    let agent = "node-exporter-rs";
    let Some(machine) = machine("sandbox of systemd", &[]) else { return };
    machine.said("systemctl", &["start", agent]).unwrap();
    for (name, value) in [
        ("NoNewPrivs", "1"),
        ("Seccomp", "2"),
        ("CapEff", "0000000000000000"),
        ("CapBnd", "0000000000000000"),
    ] {
        assert_eq!(machine.status(agent, name).unwrap(), value, "{name}");
    }
    let users = machine.status(agent, "Uid").unwrap();
    assert!(!users.split_whitespace().any(|user| user == "0"), "{users}");
    let pid = machine.property(agent, "MainPID").unwrap();
    let mounts = std::fs::read_to_string(machine.path(&format!("/proc/{pid}/mountinfo"))).unwrap();
    let root = mounts.lines().find(|line| line.split(' ').nth(4) == Some("/")).unwrap();
    assert!(root.split(' ').nth(5).unwrap().split(',').any(|option| option == "ro"), "{root}");

    let inside = failed(&machine.said("bash", &["-c", SCRAPE]).unwrap());
    machine.said("systemctl", &["stop", agent]).unwrap();
    // The same program, as the same account, without the unit.
    let program = format!("/usr/local/bin/{agent}");
    let script =
        format!("{program} & until {program} healthcheck; do sleep 1; done; {SCRAPE}; kill %1");
    let account = ["--reuid", agent, "--regid", agent, "--clear-groups", "bash", "-c", &script];
    let outside = failed(&machine.said("setpriv", &account).unwrap());
    assert_eq!(inside, outside, "collectors that fail");
}

/// The collectors without success.
fn failed(text: &str) -> BTreeSet<String> {
    let lines = text.lines().filter_map(|line| line.strip_prefix("node_scrape_collector_success"));
    let lines: Vec<_> = lines.collect();
    assert!(lines.len() > 40, "{text}");
    lines.iter().filter_map(|line| line.strip_suffix(" 0")).map(str::to_owned).collect()
}
