//! What this machine has to be shown.

use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;

use e2e::servers;

/// Where dockerd listens.
const DOCKER: &str = "/var/run/docker.sock";
/// The first Prometheus that knows `http_sd`.
const HTTP_SD: (u32, u32) = (2, 28);

pub(crate) struct Found {
    /// Whether dockerd answers, or why not.
    pub(crate) docker: Result<(), String>,
    pub(crate) cgroups: bool,
    pub(crate) cluster: Objects,
    /// What is known of a Prometheus: its program and version, or why there is none.
    pub(crate) prometheus: Result<(PathBuf, String), String>,
}

/// Where Kubernetes objects come from.
pub(crate) enum Objects {
    /// A file that was asked for.
    File(PathBuf),
    Kubeconfig(PathBuf),
    Nothing,
}

impl Found {
    pub(crate) fn look(objects: Option<&Path>) -> Self {
        let cluster = match (objects, kubeconfig()) {
            (Some(file), _) => Objects::File(file.to_owned()),
            (None, Some(file)) => Objects::Kubeconfig(file),
            (None, None) => Objects::Nothing,
        };
        Self {
            docker: docker(),
            cgroups: Path::new("/sys/fs/cgroup").is_dir()
                && Path::new("/proc/self/cgroup").exists(),
            cluster,
            prometheus: prometheus(),
        }
    }
}

fn docker() -> Result<(), String> {
    match UnixStream::connect(DOCKER) {
        Ok(_) => Ok(()),
        Err(error) => Err(format!("{DOCKER}: {error}")),
    }
}

/// As kubectl finds it.
fn kubeconfig() -> Option<PathBuf> {
    let named = std::env::var_os("KUBECONFIG").filter(|text| !text.is_empty());
    let home = || Some(PathBuf::from(std::env::var_os("HOME")?).join(".kube/config"));
    let files = match &named {
        Some(list) => std::env::split_paths(list).collect(),
        None => Vec::from_iter(home()),
    };
    files.into_iter().find(|file| file.is_file())
}

fn prometheus() -> Result<(PathBuf, String), String> {
    let program = servers::find("prometheus").ok_or("none is on the path")?;
    let output = Command::new(&program).arg("--version").output();
    let said = output.map_err(|error| format!("{}: {error}", program.display()))?;
    let text = String::from_utf8_lossy(&said.stdout).into_owned();
    let version = version(&text).ok_or_else(|| format!("{} says no version", program.display()))?;
    match numbers(version) {
        Some(numbers) if numbers < HTTP_SD => {
            Err(format!("{} is {version}; http_sd came with 2.28", program.display()))
        }
        _ => Ok((program.clone(), version.to_owned())),
    }
}

/// From `prometheus, version 3.5.3 (branch: ...)`.
fn version(text: &str) -> Option<&str> {
    text.split_once("version ")?.1.split([' ', '+', ',', '\n']).next()
}

fn numbers(version: &str) -> Option<(u32, u32)> {
    let mut parts = version.split('.').map(|part| part.parse().ok());
    Some((parts.next()??, parts.next()??))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_read_from_what_prometheus_prints() {
        let text = "prometheus, version 2.24.1+ds (branch: debian/sid, revision: 2.24.1)\n";
        assert_eq!(version(text), Some("2.24.1"));
        assert!(numbers("2.24.1") < Some(HTTP_SD) && numbers("3.5.3") > Some(HTTP_SD));
        assert_eq!((version("something else"), numbers("x")), (None, None));
    }
}
