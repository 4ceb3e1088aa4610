//! What API servers say of the manifests: all overlays, by server-side apply.

use std::path::Path;
use std::process::Command;

use e2e::cluster::Cluster;
use e2e::servers;

/// Enough of the Prometheus operator for its objects to be taken.
const OPERATOR: &str = include_str!("objects/operator.yaml");

fn takes_every_overlay(cluster: &Cluster) {
    let kubectl = servers::find("kubectl-1.36").unwrap();
    cluster.apply(OPERATOR);
    let check = Path::new(env!("CARGO_MANIFEST_DIR")).join("../manifests/check-server");
    let output = Command::new(check)
        .env("KUBECTL", kubectl)
        .env("KUBECONFIG", &cluster.kubeconfig)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let complained = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && !said.contains("SKIPPED overlays"), "{said}{complained}");
    print!("{said}");
    let delete = ["delete", "crd", "--selector=e2e=operator", "--wait=false"];
    cluster.kubectl(&delete).unwrap();
}

pub(crate) fn the_api_server_of_1_36_takes_every_overlay() {
    let test = "manifests on Kubernetes 1.36";
    if let Some(cluster) = Cluster::empty(test) {
        takes_every_overlay(&cluster);
    }
}

pub(crate) fn the_api_server_of_1_20_takes_every_overlay() {
    let test = "manifests on Kubernetes 1.20";
    if servers::need(test, "kubectl-1.36").is_none() {
        return;
    }
    if let Some(cluster) = Cluster::old(test) {
        takes_every_overlay(&cluster);
    }
}
