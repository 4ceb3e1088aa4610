//! What each agent does while it is watched: its main job on this machine, on real servers, and then what fewer hosts need.

use std::net::SocketAddr;
use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use e2e::cgroups::{Driver, Node, Shape, Version};
use e2e::cluster::Cluster;
use e2e::http::{Connection, Request};
use e2e::{Agent, Consul, agent, free_port, servers};

use super::profile::{Run, run};
use crate::binary::unpack_fixtures;

type Work = fn(&Path) -> Result<Vec<Run>>;

pub(super) const ALL: [(&str, Work); 4] = [
    ("node-exporter-rs", node),
    ("kube-state-rs", kube),
    ("cadvisor-proxy-rs", proxy),
    ("consul-registrar", registrar),
];

/// Any answer under valgrind.
const PATIENCE: Duration = Duration::from_mins(1);
/// What follows a cluster's changes has been done after this.
const CHANGED: Duration = Duration::from_secs(20);
/// Containers of a generated node.
const CONTAINERS: usize = 20;

fn node(program: &Path) -> Result<Vec<Run>> {
    let own = run("this host", program, &[], |agent| scrape(agent.address))?;
    let fixtures = unpack_fixtures()?;
    let folder = fixtures.path().join("collector/fixtures");
    let path = |name: &str, below: &str| format!("--path.{name}={}", folder.join(below).display());
    let paths = [
        path("rootfs", ""),
        path("procfs", "proc"),
        path("sysfs", "sys"),
        path("udev.data", "udev/data"),
    ];
    let others = "the hosts of the conformance data";
    Ok(vec![own, run(others, program, &paths, |agent| scrape(agent.address))?])
}

fn kube(program: &Path) -> Result<Vec<Run>> {
    let cluster = cluster()?;
    let own = agent::local(free_port()?);
    let flags = [
        format!("--kubeconfig={}", cluster.kubeconfig.display()),
        "--telemetry-host=127.0.0.1".to_owned(),
        format!("--telemetry-port={}", own.port()),
    ];
    let run = run("a cluster in which objects come and go", program, &flags, |agent| {
        scrape(agent.address)?;
        changes(&cluster);
        scrape(agent.address)?;
        scrape(own)
    })?;
    Ok(vec![run])
}

fn proxy(program: &Path) -> Result<Vec<Run>> {
    let cluster = cluster()?;
    let own = agent::local(free_port()?);
    let telemetry = format!("--telemetry.listen-address={own}");
    let mut flags = cluster.kubelet();
    flags.extend([telemetry.clone(), "--profile=kube-prometheus-stack".to_owned()]);
    let both = |agent: &Agent| {
        scrape(agent.address)?;
        scrape(own)
    };
    let mut runs = vec![run("a kubelet", program, &flags, both)?];
    let cgroups = |name, more: &[String]| {
        let flags = [&[telemetry.clone(), "--source=cgroup".to_owned()], more].concat();
        run(name, program, &flags, both)
    };
    runs.push(cgroups("this host's cgroups, named by docker", &[])?);
    for (name, version) in [("cgroups of v1", Version::V1), ("cgroups of v2", Version::V2)] {
        let node =
            Node::generate(Shape { version, driver: Driver::Systemd, containers: CONTAINERS })?;
        let paths = [
            format!("--path.procfs={}", node.proc().display()),
            format!("--path.sysfs={}", node.sys().display()),
            format!("--path.rootfs={}", node.root().display()),
        ];
        runs.push(cgroups(name, &paths)?);
    }
    Ok(runs)
}

fn registrar(program: &Path) -> Result<Vec<Run>> {
    let cluster = cluster()?;
    let server = servers::find("consul")
        .context("no consul: put it on the path, or let e2e/testbed/install fetch it")?;
    let consul = Consul::start(&server)?;
    let folder = tempfile::tempdir().context("no temporary folder")?;
    let flags = [
        "kubernetes".to_owned(),
        "--cluster-name=order".to_owned(),
        format!("--kubeconfig={}", cluster.kubeconfig.display()),
        format!("--consul={}", consul.url()),
        format!("--sink=file={}", folder.path().join("targets.json").display()),
    ];
    let name = "a cluster in which objects come and go, into Consul and a file";
    let run = run(name, program, &flags, |agent| {
        changes(&cluster);
        scrape(agent.address)
    })?;
    Ok(vec![run])
}

/// The testbed's own.
fn cluster() -> Result<Cluster> {
    Cluster::old("cargo xtask order")
        .context("the testbed's cluster (e2e/testbed/install, as root)")
}

/// An object of every resource comes, and goes again.
fn changes(cluster: &Cluster) {
    let live = cluster.live("order");
    sleep(CHANGED);
    drop(live);
    sleep(CHANGED);
}

/// What Prometheus 3 says that it takes.
const ACCEPT: &str = "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,\
    application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,\
    text/plain;version=0.0.4;q=0.3,*/*;q=0.2";

/// As Prometheus asks, and as people do; more than once, since the first answer does more.
fn scrape(address: SocketAddr) -> Result<()> {
    let mut connection = Connection::default();
    for (accept, encoding) in
        [(ACCEPT, "gzip"), (ACCEPT, "gzip"), ("*/*", "identity"), ("*/*", "identity")]
    {
        let request = Request::new(address, "/metrics")
            .header("Accept", accept)
            .header("Accept-Encoding", encoding)
            .header("X-Prometheus-Scrape-Timeout-Seconds", "60");
        let answer = connection.send(&request.timeout(PATIENCE))?;
        ensure!(answer.status == 200, "status {}", answer.status);
    }
    Ok(())
}
