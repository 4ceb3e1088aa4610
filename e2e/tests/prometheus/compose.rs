//! The compose file for hosts without a cluster: its containers start and are healthy, and Prometheus finds all of them.
//! Grafana and its dashboards apart, for which there is no program here.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use e2e::agent::local;
use e2e::docker::docker;
use e2e::scraper::Scraper;
use e2e::storage::Asked;
use e2e::{Image, agent, dashboards, free_port, servers, wait_until};
use tempfile::TempDir;

use crate::scene::PATIENCE;

/// Ports of the file. A test takes others, as a host has only one of each.
const PORTS: [&str; 9] = ["9100", "4194", "4195", "10243", "8500", "8300", "8301", "9090", "9093"];
const SERVICES: [&str; 6] =
    ["node-exporter", "cadvisor-proxy", "registrar", "consul", "prometheus", "alertmanager"];

/// What Debian's Alertmanager has beside itself.
const TEMPLATES: [&str; 2] = [
    "/usr/share/prometheus/alertmanager/default.tmpl",
    "/usr/share/prometheus/alertmanager/email.tmpl",
];

/// A copy of the file and of what it mounts, on ports of its own; its containers and volumes go with it.
struct Project {
    folder: TempDir,
    name: String,
    ports: Vec<(String, u16)>,
    images: Vec<(&'static str, Image)>,
}

impl Project {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let ports: Vec<_> = PORTS.map(|port| (port.to_owned(), free_port().unwrap())).into();
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        for place in
            ["images/compose", "manifests/prometheus/rules", "manifests/prometheus/alerting"]
        {
            let to = folder.path().join(place);
            std::fs::create_dir_all(&to).unwrap();
            for file in std::fs::read_dir(root.join(place)).unwrap() {
                let file = file.unwrap();
                let text = std::fs::read_to_string(file.path()).unwrap();
                // Mounts that come later are of no interest here, and a machine's root may not pass them on.
                let text = on_ports(&text, &ports).replace(":ro,rslave", ":ro");
                std::fs::write(to.join(file.file_name()), text).unwrap();
            }
        }
        // Whoever a container runs as has to read what is mounted.
        let everybody = ["-R", "a+rX", &folder.path().display().to_string()].map(str::to_owned);
        assert!(Command::new("chmod").args(everybody).status().unwrap().success());
        let name = format!("e2e{}", std::process::id());
        Self { folder, name, ports, images: Vec::new() }
    }

    fn port(&self, port: &str) -> u16 {
        self.ports.iter().find(|(old, _)| old == port).unwrap().1
    }

    fn compose(&self, args: &[&str]) -> Output {
        let mut command = self.command("docker-compose");
        command.args(["--project-name", &self.name, "--profile", "alerting"]).args(args);
        done(&mut command)
    }

    /// The script beside the file, which waits so many seconds for each container's health.
    fn update(&self, seconds: u32) -> Command {
        let mut command = self.command("sh");
        command.arg("update").env("WAIT", seconds.to_string());
        command.env("COMPOSE", format!("docker-compose --project-name {}", self.name));
        command
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.current_dir(self.folder.path().join("images/compose"));
        let group = std::fs::metadata("/var/run/docker.sock").unwrap().gid();
        command.env("DOCKER_GROUP", group.to_string());
        // The agents' images are called e2e/AGENT:PROCESS.
        command.env("PREFIX", "e2e/").env("VERSION", std::process::id().to_string());
        for (variable, image) in &self.images {
            command.env(variable, image.name());
        }
        command
    }

    fn container(&self, service: &str) -> String {
        let id = self.compose(&["ps", "--quiet", service]).stdout;
        String::from_utf8(id).unwrap().trim().to_owned()
    }
}

fn done(command: &mut Command) -> Output {
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {said}");
    output
}

impl Drop for Project {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let logs = self.compose(&["logs", "--no-color", "--tail=40"]);
            eprintln!("{}", String::from_utf8_lossy(&logs.stdout));
        }
        self.compose(&["down", "--volumes", "--timeout=5"]);
    }
}

/// Every number that is one of these ports is replaced.
fn on_ports(text: &str, ports: &[(String, u16)]) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(|c: char| c.is_ascii_digit()) {
        let (before, from) = rest.split_at(at);
        let end = from.find(|c: char| !c.is_ascii_digit()).unwrap_or(from.len());
        let (number, behind) = from.split_at(end);
        let new = ports.iter().find(|(old, _)| old == number).map(|(_, new)| new.to_string());
        out.push_str(before);
        out.push_str(new.as_deref().unwrap_or(number));
        rest = behind;
    }
    out.push_str(rest);
    out
}

fn is_healthy(project: &Project, service: &str) -> Result<()> {
    let state = docker(&["inspect", "--format={{json .State}}", &project.container(service)]);
    let state: serde_json::Value = serde_json::from_str(&state)?;
    ensure!(state["Health"]["Status"] == "healthy", "{service}: {state}");
    Ok(())
}

#[test]
fn a_host_has_its_monitoring_by_one_command() {
    let test = "docker-compose on this host";
    let Some(_) = servers::need(test, "docker-compose") else { return };
    let Some(consul) = servers::need(test, "consul") else { return };
    let Some(program) = servers::need(test, "prometheus-consul") else { return };
    let Some(alertmanager) = servers::need(test, "alertmanager") else { return };
    let known = Command::new("docker").args(["image", "inspect", "testbed/busybox:1"]).output();
    if !known.is_ok_and(|output| output.status.success()) {
        return servers::skip(test, "no docker, or no image of the testbed in it");
    }
    let agents = [agent::node_exporter_rs(), agent::cadvisor_proxy_rs(), agent::consul_registrar()];
    // They outlive the project, whose containers are made of them.
    let _agents = agents.map(|program| Image::of(&program.unwrap()));
    let mut project = Project::new();
    let nobody = "65534:65534";
    project.images = vec![
        ("CONSUL_IMAGE", Image::with_tools(&consul, &[], "/consul/data", "100:1000")),
        ("PROMETHEUS_IMAGE", Image::with_tools(&program, &[], "/prometheus", nobody)),
        (
            "ALERTMANAGER_IMAGE",
            Image::with_tools(&alertmanager, &TEMPLATES, "/alertmanager", nobody),
        ),
    ];
    project.compose(&["config", "--quiet"]);
    let up = ["up", "--detach", "--no-build"];
    project.compose(&[&up[..], &SERVICES[..]].concat());
    for service in SERVICES {
        wait_until(service, PATIENCE, || is_healthy(&project, service)).unwrap();
    }
    let prometheus = Asked(local(project.port("9090")));
    for job in
        ["node-exporter", "cadvisor-proxy", "cadvisor-proxy-self", "consul-registrar", "prometheus"]
    {
        prometheus
            .expect(&format!("sum(up{{job=\"{job}\",cluster_name=\"hosts\"}})"), |up| up == 1.0)
            .unwrap();
    }
    wait_until("Alertmanager by Consul", PATIENCE, || {
        let known = prometheus.get("/api/v1/alertmanagers")?;
        known["data"]["activeAlertmanagers"][0]["url"]
            .as_str()
            .map(str::to_owned)
            .context(known.to_string())
    })
    .unwrap();
    wait_until("data for the panels", PATIENCE, || {
        let answers = dashboards::ask_some(&prometheus, |uid| uid == "agents-docker")?;
        ensure!(answers.missing.is_empty(), "{}", answers.missing.join("\n"));
        Ok::<_, anyhow::Error>(())
    })
    .unwrap();
    loses_no_scrape_in_an_update(&project);
}

fn loses_no_scrape_in_an_update(project: &Project) {
    let agents = ["node-exporter", "cadvisor-proxy", "registrar"];
    let old = agents.map(|agent| project.container(agent));
    let ports = ["9100", "4194", "4195", "10243"].map(|port| local(project.port(port)));
    let scraper = Scraper::start(ports.into(), "# TYPE ", Duration::from_millis(20));
    let refused = project.update(0).output().unwrap();
    let why = "node-exporter: the new container is not healthy";
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(!refused.status.success() && said.contains(why), "{said}");
    assert_eq!(agents.map(|agent| project.container(agent)), old);
    done(&mut project.update(60));
    let answers = scraper.end().unwrap();
    assert!(answers > 100, "{answers} answers");
    for (agent, old) in agents.into_iter().zip(old) {
        let new = project.container(agent);
        assert!(new != old && new.lines().count() == 1, "{agent}: {old} before, {new} now");
        is_healthy(project, agent).unwrap();
    }
}
