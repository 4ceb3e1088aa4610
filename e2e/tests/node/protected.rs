//! `--web.config.file` while node-exporter-rs runs.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Result, ensure};
use e2e::{Agent, agent, wait_until};

use crate::targets::{HASH, PASSWORD, USER};

/// bcrypt of `another-word`.
const OTHER_HASH: &str = "$2b$04$2ylHHgvww49t5QaAqfWtgOHdDny/W00DubZ6qLz4a5OurjL0tjr9m";

/// How long a change of the file may take to be noticed.
const NOTICED: Duration = Duration::from_mins(2);

fn users(file: &Path, hash: &str) {
    fs::write(file, format!("basic_auth_users:\n  {USER}: {hash}\n")).unwrap();
}

fn status(node: &Agent, password: &str) -> u16 {
    node.request("/metrics").basic_auth(USER, password).send().unwrap().status
}

fn is(node: &Agent, password: &str, wanted: u16) -> Result<()> {
    let status = status(node, password);
    ensure!(status == wanted, "{password}: {status}, not {wanted}");
    Ok(())
}

#[test]
fn a_new_password_is_taken_without_a_restart_and_a_broken_file_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("web.yml");
    users(&file, HASH);
    let flag = format!("--web.config.file={}", file.display());
    let node = Agent::start(&agent::node_exporter_rs().unwrap(), &[flag]).unwrap();
    assert_eq!((status(&node, PASSWORD), status(&node, "another-word")), (200, 401));
    assert_eq!(node.request("/metrics").send().unwrap().status, 401);

    users(&file, OTHER_HASH);
    wait_until("new password", NOTICED, || is(&node, "another-word", 200)).unwrap();
    is(&node, PASSWORD, 401).unwrap();

    fs::write(&file, "basic_auth_users: [this is no map\n").unwrap();
    wait_until("complaint", NOTICED, || {
        ensure!(node.server.log().contains("web.yml"), "the log does not name the file");
        is(&node, "another-word", 200)
    })
    .unwrap();
    is(&node, "another-word", 200).unwrap();
}

#[test]
fn a_broken_file_stops_the_start_and_names_the_line() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("web.yml");
    for (text, reason) in [
        ("basic_auth_users:\n  a: b\n", "web.yml:2: a: this is no bcrypt hash"),
        ("http_server_config: {}\nno_such_section: {}\n", "web.yml:2: no_such_section"),
    ] {
        fs::write(&file, text).unwrap();
        let output = std::process::Command::new(agent::node_exporter_rs().unwrap())
            .arg(format!("--web.config.file={}", file.display()))
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success(), "{}", output.status);
        assert!(said.contains(reason), "{said}");
    }
}
