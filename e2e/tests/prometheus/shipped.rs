//! `manifests/check`: all that is shipped for clusters and for hosts, as far as it can be checked without running it.

use std::path::Path;
use std::process::Command;

use e2e::servers;

#[test]
fn overlays_configurations_rules_and_their_tests_are_right() {
    let test = "manifests/check";
    let newest = servers::find("kubectl-1.36");
    let Some(kubectl) = newest.or_else(|| servers::need(test, "kubectl")) else { return };
    let Some(promtool) = servers::need(test, "promtool") else { return };
    let mut command =
        Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("../manifests/check"));
    command.env("KUBECTL", kubectl).env("PROMTOOL", promtool);
    for (variable, name) in [("AMTOOL", "amtool"), ("COMPOSE", "docker-compose")] {
        let Some(program) = servers::need(test, name) else { return };
        command.env(variable, program);
    }
    // Debian's own Python has yaml, which another one on the path may not have.
    let path = std::env::var("PATH").unwrap_or_default();
    let output = command.env("PATH", format!("/usr/bin:{path}")).output().unwrap();
    let said =
        [output.stdout, output.stderr].map(|said| String::from_utf8_lossy(&said).into_owned());
    assert!(output.status.success(), "{}", said.concat());
}
