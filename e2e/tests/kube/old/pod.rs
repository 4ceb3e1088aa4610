//! kube-state-rs as it runs in a cluster: an image with nothing in it but the program, a service account that may no more
//! than it needs, and the command line of a deployment that was written for version 1.4 of the peer.

use std::process::Command;
use std::time::Duration;

use e2e::agent::{self, local};
use e2e::{Image, Scrape, wait_until};

use crate::checker::Checker;
use crate::subject::{everything, of, ready};
use crate::truth;
use e2e::cluster::Cluster;

const METRICS: u16 = 10241;
const TELEMETRY: u16 = 10242;
const MANIFEST: &str = include_str!("../objects/daemonset.yaml");

/// The roles that the program itself says it needs.
fn roles() -> String {
    let program = agent::kube_state_rs().unwrap();
    let output = Command::new(program).arg("rbac").args(&everything()[..1]).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

fn own() -> Scrape {
    let response = e2e::http::get(local(TELEMETRY), "/metrics").unwrap();
    Scrape::parse(&response.text().unwrap()).unwrap()
}

#[test]
fn in_a_pod_from_an_empty_image_with_its_own_account_it_survives_what_the_control_plane_does() {
    let test = "kube-state-rs in a pod";
    let Some(cluster) = Cluster::old(test) else { return };
    let image = Image::of(&agent::kube_state_rs().unwrap());
    let space = cluster.space("pod");
    let arguments = everything().iter().map(|flag| format!("{flag:?}")).collect::<Vec<_>>();
    let manifest = MANIFEST
        .replace("SPACE", &space.name)
        .replace("IMAGE", image.name())
        .replace("MORE", &arguments.join(", "));
    let roles = roles().replace("name: kube-state-rs\n", &format!("name: {}\n", space.name));
    cluster.apply(&format!("{roles}\n---\n{manifest}"));
    let scrape = || {
        let response = e2e::http::get(local(METRICS), "/metrics")?;
        Scrape::parse(&response.text()?)
    };
    let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        wait_until("pod", Duration::from_mins(2), || ready(local(METRICS))).unwrap();
        // What the checker's first answer has must stay: the server has let go of it, and then kube-state-rs too.
        cluster.rest();
        truth::equal(|| truth::now(&cluster, &everything()), scrape);
        for (series, value) in own().of("kube_state_metrics_resource_available") {
            assert!(value == 1.0 || series.contains("not_served"), "{series} {value}");
        }
        // From here on the control plane is away for a while.
        let checker = Checker::start(local(METRICS), &space.name);
        cluster.stop("kube-apiserver");
        std::thread::sleep(Duration::from_secs(3));
        cluster.up();
        let live = cluster.live("pod-live");
        truth::equal(|| truth::now(&cluster, &everything()), scrape);
        drop(live);
        checker.finish(test);
        assert!(of(&own(), "kube_state_metrics_objects", "pods").unwrap() > 0.0);
    }));
    if outcome.is_err() {
        let log =
            cluster.kubectl(&["logs", "--namespace", &space.name, "--selector=app=kube-state-rs"]);
        eprintln!("{}", String::from_utf8_lossy(&log.unwrap_or_default()));
    }
    let delete = ["delete", "clusterrole,clusterrolebinding", &space.name, "--wait=false"];
    cluster.kubectl(&delete).unwrap();
    // The pod is gone before its image is; its namespace takes a minute more, and nobody waits for it.
    let flags = ["--cascade=foreground", "--timeout=240s", "--namespace", &space.name];
    cluster.kubectl(&[&["delete", "daemonset", "kube-state-rs"], &flags[..]].concat()).unwrap();
    drop((space, image));
    outcome.unwrap();
}
