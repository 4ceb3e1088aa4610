//! Where the programs are: ours, built on demand, and the peer.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};
use e2e::servers;

use crate::order;

/// Which build of an agent a task needs.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Profile {
    /// Compiles in a minute on a fresh machine.
    Dev,
    /// What is shipped, and the only one worth measuring.
    Release,
}

/// Builds node-exporter-rs and gives its path; `$NODE_EXPORTER_RS` takes its place without a build.
pub(crate) fn node_exporter_rs(profile: Profile) -> Result<PathBuf> {
    agent("node-exporter-rs", profile)
}

/// Builds kube-state-rs and gives its path; `$KUBE_STATE_RS` takes its place without a build.
pub(crate) fn kube_state_rs(profile: Profile) -> Result<PathBuf> {
    agent("kube-state-rs", profile)
}

/// Builds cadvisor-proxy-rs and gives its path; `$CADVISOR_PROXY_RS` takes its place without a build.
pub(crate) fn cadvisor_proxy_rs(profile: Profile) -> Result<PathBuf> {
    agent("cadvisor-proxy-rs", profile)
}

/// Builds consul-registrar and gives its path; `$CONSUL_REGISTRAR` takes its place without a build.
pub(crate) fn consul_registrar(profile: Profile) -> Result<PathBuf> {
    agent("consul-registrar", profile)
}

/// Builds the program that writes man pages and completions.
pub(crate) fn manual(profile: Profile) -> Result<PathBuf> {
    agent("manual", profile)
}

/// The four agents.
pub(crate) struct Programs {
    pub(crate) node: PathBuf,
    pub(crate) kube: PathBuf,
    pub(crate) proxy: PathBuf,
    pub(crate) registrar: PathBuf,
}

/// Builds all agents that no variable names for a try on this machine, with one command: what they share is compiled once.
pub(crate) fn agents() -> Result<Programs> {
    let names = ["node-exporter-rs", "kube-state-rs", "cadvisor-proxy-rs", "consul-registrar"];
    let given = names.map(named);
    let missing: Vec<&str> = names
        .into_iter()
        .zip(&given)
        .filter(|(_, given)| given.is_none())
        .map(|(n, _)| n)
        .collect();
    let messages = if missing.is_empty() { Vec::new() } else { build(&missing)? };
    let path = |(name, given): (&str, Option<PathBuf>)| match given {
        Some(path) => Ok(path),
        None => executable(&messages, name),
    };
    let [node, kube, proxy, registrar] = given;
    let [a, b, c, d] = names;
    Ok(Programs {
        node: path((a, node))?,
        kube: path((b, kube))?,
        proxy: path((c, proxy))?,
        registrar: path((d, registrar))?,
    })
}

fn agent(name: &str, profile: Profile) -> Result<PathBuf> {
    match (named(name), profile) {
        (Some(path), _) => Ok(path),
        (None, Profile::Dev) => executable(&build(&[name])?, name),
        (None, Profile::Release) => release(name, &[]),
    }
}

/// What a variable such as `$NODE_EXPORTER_RS` says.
fn named(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os(name.to_uppercase().replace('-', "_"))?;
    std::path::absolute(path).ok()
}

/// Cargo's messages about a build that is compiled once for all that cargo builds here.
fn build(names: &[&str]) -> Result<Vec<u8>> {
    let mut command = e2e::cargo();
    command.args(["build", MESSAGES]);
    for name in names {
        command.args(["--bin", name]);
    }
    messages(&mut command, &names.join(", "))
}

/// Builds an agent as it is shipped, with its own features and no others', and further flags for its last step.
///
/// It needs more than its profile: glibc inside, so that it runs on any Linux and in an empty image; relocations in their
/// packed form, a fortieth of the others' size; and its functions in their order, whose names hold their types.
pub(crate) fn release(name: &str, more: &[String]) -> Result<PathBuf> {
    let mut command = e2e::cargo();
    command.args(["rustc", MESSAGES, "--release", "--package", name, "--bin", name]);
    let mut last = Vec::new();
    let gnu = cfg!(all(target_os = "linux", target_env = "gnu"));
    if gnu && std::env::var_os("RUSTFLAGS").is_none() {
        // With `--target`, the flags spare build scripts.
        let target = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
        command.args(["--target", &target]).env("RUSTFLAGS", RELEASE_FLAGS);
        last.push(format!("-Clink-arg=-Wl,--script={}", order::script(name)?.display()));
    }
    command.arg("--").args(last).args(more);
    executable(&messages(&mut command, name)?, name)
}

const MESSAGES: &str = "--message-format=json-render-diagnostics";
const RELEASE_FLAGS: &str = "-C target-feature=+crt-static -C link-arg=-Wl,-z,pack-relative-relocs -C symbol-mangling-version=v0";

fn messages(command: &mut Command, what: &str) -> Result<Vec<u8>> {
    command.current_dir(workspace()).stderr(Stdio::inherit());
    let output = command.output().context("cargo")?;
    ensure!(output.status.success(), "{what} does not build");
    Ok(output.stdout)
}

/// Builds the agents as they are shipped and gives their paths; one that is larger than its image may be is an error.
pub(crate) fn shipped() -> Result<Vec<PathBuf>> {
    let paths = limits().map(|(name, limit)| {
        let path = agent(name, Profile::Release)?;
        let size = std::fs::metadata(&path).with_context(|| path.display().to_string())?.len();
        ensure!(size <= limit, "{} has {size} bytes, {limit} are allowed", path.display());
        Ok(path)
    });
    paths.collect()
}

/// Bytes that each agent may have, and its image of nothing else.
fn limits() -> impl Iterator<Item = (&'static str, u64)> {
    let lines = include_str!("../../images/limits.tsv").lines();
    lines.filter_map(|line| {
        let (name, limit) = line.split_once('\t')?;
        Some((name, limit.parse().ok()?))
    })
}

/// The path in cargo's message about the program it has built.
fn executable(messages: &[u8], name: &str) -> Result<PathBuf> {
    messages
        .split(|byte| *byte == b'\n')
        .filter_map(|line| serde_json::from_slice::<serde_json::Value>(line).ok())
        .filter(|message| message["target"]["name"] == name)
        .filter_map(|message| Some(PathBuf::from(message["executable"].as_str()?)))
        .next_back()
        .with_context(|| format!("cargo built no {name}"))
}

/// `node_exporter` from the testbed or the path.
pub(crate) fn node_exporter() -> Result<PathBuf> {
    match servers::find("node_exporter") {
        Some(path) => Ok(path),
        None => bail!(
            "no node_exporter to compare with: put it on the path, or let e2e/testbed/install fetch it (TESTBED is {})",
            servers::testbed().display()
        ),
    }
}

/// What the peer needs so that it runs with the project's own defaults: Debian's package changes some.
pub(crate) const PEER_FLAGS: &[&str] = &[
    "--no-collector.systemd",
    "--collector.filesystem.mount-points-exclude=^/(dev|proc|run/credentials/.+|sys|var/lib/docker/.+|var/lib/containers/storage/.+)($|/)",
    "--collector.textfile.directory=",
];

/// The root of the checkout.
pub(crate) fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("."))
}

/// `node_exporter`'s test data.
pub(crate) fn node_data() -> Result<PathBuf> {
    conformance_data("node_exporter", "fixtures.tar.gz")
}

/// A peer's test data below `$CONFORMANCE_DIR`, or below `shared/conformance` beside the checkout.
pub(crate) fn conformance_data(peer: &str, file: &str) -> Result<PathBuf> {
    let folder = std::env::var_os("CONFORMANCE_DIR")
        .map_or_else(|| workspace().join("../shared/conformance"), PathBuf::from)
        .join(peer);
    ensure!(
        folder.join(file).is_file(),
        "no conformance data in {}: set CONFORMANCE_DIR to the folder that holds {peer}/{file}",
        folder.display()
    );
    folder.canonicalize().with_context(|| folder.display().to_string())
}

/// Unpacks the fixtures: `collector/fixtures/{proc,sys,...}` under a folder of their own.
pub(crate) fn unpack_fixtures() -> Result<tempfile::TempDir> {
    let folder = tempfile::tempdir().context("no temporary folder")?;
    let packed = node_data()?.join("fixtures.tar.gz");
    let file = std::fs::File::open(&packed).with_context(|| packed.display().to_string())?;
    let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(file));
    archive.set_preserve_permissions(true);
    archive.unpack(folder.path()).with_context(|| packed.display().to_string())?;
    Ok(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_agent_has_a_limit() {
        let names: Vec<_> = limits().map(|(name, _)| name).collect();
        assert_eq!(
            names,
            ["node-exporter-rs", "kube-state-rs", "cadvisor-proxy-rs", "consul-registrar"]
        );
    }

    #[test]
    fn a_program_is_found_in_cargos_messages_by_its_name() {
        let messages = b"{\"target\":{\"name\":\"a\"},\"executable\":null}\n\
            {\"target\":{\"name\":\"a\"},\"executable\":\"/t/a\"}\n\
            {\"target\":{\"name\":\"b\"},\"executable\":\"/t/b\"}\nnot json\n";
        assert_eq!(executable(messages, "a").unwrap(), Path::new("/t/a"));
        assert!(executable(messages, "c").is_err());
    }
}
