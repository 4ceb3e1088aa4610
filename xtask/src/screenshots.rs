//! `cargo xtask screenshots`: the tests that see pages in a browser take their pictures into the documentation.

use anyhow::{Context, Result, ensure};

use crate::binary::{self, workspace};

/// A test's target, and which of its tests.
const PICTURES: [(&str, &str); 2] = [("demo", "the_page_shows"), ("registrar", "a_person_finds")];

pub(crate) fn run() -> Result<()> {
    let programs = binary::agents()?;
    for (target, test) in PICTURES {
        let mut command = e2e::cargo();
        command.args(["test", "--package", "e2e", "--test", target]);
        command.args(["--", "--test-threads=1", test]);
        command.current_dir(workspace()).env("UPDATE_SCREENSHOTS", "1");
        command
            .env("NODE_EXPORTER_RS", &programs.node)
            .env("KUBE_STATE_RS", &programs.kube)
            .env("CADVISOR_PROXY_RS", &programs.proxy)
            .env("CONSUL_REGISTRAR", &programs.registrar);
        let status = command.status().context("cargo test")?;
        ensure!(status.success(), "the tests of {target} fail, so there is no picture");
    }
    Ok(())
}
