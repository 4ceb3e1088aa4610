//! Side by side with `node_exporter` on this host.

use e2e::{agent, servers};

#[test]
fn every_difference_to_node_exporter_is_explained() {
    if servers::need("cargo xtask compare-node", "node_exporter").is_none() {
        return;
    }
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
    let output = e2e::cargo()
        .current_dir(root)
        .args(["run", "--quiet", "--bin", "xtask", "--", "compare-node"])
        .env("NODE_EXPORTER_RS", agent::node_exporter_rs().unwrap())
        .output()
        .unwrap();
    let (said, failed) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{said}{failed}");
}
