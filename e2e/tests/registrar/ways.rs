//! The ways to a Consul, and a source that other tests do not use: this host itself.

use std::path::Path;
use std::process::Command;

use anyhow::ensure;
use e2e::agent::{consul_registrar, local};
use e2e::consul::Consul;
use e2e::{Agent, free_port, servers, wait_until};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use serde_json::json;

use crate::consul::{CLUSTER, CONVERGED, has, targets};

fn registrar(flags: &[String]) -> Agent {
    let address = local(free_port().unwrap());
    let mut command = Command::new(consul_registrar().unwrap());
    command.args(flags).arg("--cluster-name=bj-1");
    Agent::spawn(address, command.arg(format!("--web.listen-address={address}"))).unwrap()
}

#[test]
fn a_unix_socket_and_a_datacenter_that_is_named_lead_to_consul() {
    let Some(program) = servers::need("Consul on a unix socket", "consul") else { return };
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("consul.sock");
    let addresses = json!({"http": format!("127.0.0.1 unix://{}", socket.display())});
    let more = json!({"addresses": addresses, "datacenter": "bj"});
    let consul = Consul::with(&program, &more).unwrap();
    let file = targets(folder.path(), 0..70);
    let flags = |datacenter: &str| {
        vec![
            "static".to_owned(),
            format!("--file={}", file.display()),
            format!("--consul=unix:{}", socket.display()),
            format!("--datacenter={datacenter}"),
        ]
    };
    let agent = registrar(&flags("bj"));
    has(&consul, 0..70);
    targets(folder.path(), 1..71);
    has(&consul, 1..71);
    drop(agent);
    // One that does not exist is said, and nothing is written elsewhere.
    let mut plan = Command::new(consul_registrar().unwrap());
    plan.arg("plan").args(&flags("sh")[1..]).args(["--source=static", "--cluster-name=bj-1"]);
    let output = plan.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && said.contains("No path to datacenter"), "{said}");
}

/// A CA, and what it signed for a server and a client, as PEM files.
fn certificates(folder: &Path) {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    std::fs::write(folder.join("ca.pem"), authority.pem()).unwrap();
    for (name, of) in [("server", "server.dc1.consul"), ("client", "registrar")] {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![of.to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &authority).unwrap().pem();
        std::fs::write(folder.join(format!("{name}.pem")), certificate).unwrap();
        std::fs::write(folder.join(format!("{name}.key")), key.serialize_pem()).unwrap();
    }
}

#[test]
fn a_consul_that_wants_a_certificate_is_given_one_and_believed_by_its_name() {
    let Some(program) = servers::need("Consul with client certificates", "consul") else { return };
    let folder = tempfile::tempdir().unwrap();
    certificates(folder.path());
    let path = |name: &str| folder.path().join(name).display().to_string();
    let port = free_port().unwrap();
    let more = json!({
        "ports": {"https": port}, "verify_incoming_https": true,
        "ca_file": path("ca.pem"), "cert_file": path("server.pem"), "key_file": path("server.key"),
    });
    let consul = Consul::with(&program, &more).unwrap();
    let file = targets(folder.path(), 0..70);
    let flags = vec![
        "static".to_owned(),
        format!("--file={}", file.display()),
        format!("--consul=https://127.0.0.1:{port}"),
        format!("--ca-file={}", path("ca.pem")),
        "--tls-server-name=server.dc1.consul".to_owned(),
        format!("--cert-file={}", path("client.pem")),
        format!("--key-file={}", path("client.key")),
    ];
    let without = registrar(&flags[..5]);
    wait_until("a refusal", CONVERGED, || {
        let settled = without.scrape("/metrics")?;
        let errors = settled.one("consul_registrar_consul_errors_total");
        ensure!(errors.is_some_and(|errors| errors > 0.0), "{errors:?} errors");
        Ok::<_, anyhow::Error>(())
    })
    .unwrap();
    assert_eq!(consul.instances("node-exporter", "bj-1").unwrap(), [""; 0]);
    drop(without);
    let _agent = registrar(&flags);
    has(&consul, 0..70);
}

#[test]
fn a_host_registers_itself_on_a_node_of_its_own_and_leaves_when_it_is_told_to() {
    let Some(program) = servers::need("consul-registrar self", "consul") else { return };
    let consul = Consul::start(&program).unwrap();
    let own = |name: &str, ip: &str, more: &str| {
        registrar(&[
            "self".to_owned(),
            format!("--consul={}", consul.url()),
            format!("--ip={ip}"),
            format!("--node-name={name}"),
            "--port=node-exporter=9100".to_owned(),
            "--port=app=8080".to_owned(),
            more.to_owned(),
        ])
    };
    let stays = own("a", "10.1.0.1", "--on-exit=keep");
    let mut leaves = own("b", "fd00::2", "--on-exit=deregister");
    let expect = |service: &str, wanted: &[&str]| {
        let wanted: Vec<String> = wanted.iter().map(|&place| place.to_owned()).collect();
        consul.expect(service, CLUSTER, &wanted).unwrap();
    };
    expect("node-exporter", &["10.1.0.1:9100", "fd00::2:9100"]);
    expect("app", &["10.1.0.1:8080", "fd00::2:8080"]);
    let list = consul.get("/v1/catalog/node-services/registrar.bj-1.b").unwrap();
    let row = &list["Services"][0];
    assert_eq!(row["ID"], "bj-1/app/[fd00::2]:8080");
    assert_eq!((&row["Meta"]["node"], &row["Meta"]["ip"]), (&json!("b"), &json!("fd00::2")));
    assert!(row["Meta"]["group"].as_str().is_some_and(|group| group.starts_with('g')), "{row}");
    leaves.server.signal(rustix::process::Signal::TERM).unwrap();
    assert!(leaves.server.wait(CONVERGED).unwrap().success());
    drop(stays);
    expect("node-exporter", &["10.1.0.1:9100"]);
}
