//! A generated node: a tree of cgroups as the kernel shows them, with the files of `/proc` and `/sys` beside it.
//!
//! Every number follows from a container's place, so that a test knows what must be said of it, and none is there twice.

mod facts;
pub mod machine;
mod v1;
mod v2;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use tempfile::TempDir;

pub use facts::{Device, Facts, Network, Pressure};

/// Which files the kernel shows.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Version {
    V1,
    V2,
}

/// Who named the cgroups: `--cgroup-driver` of a kubelet.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Driver {
    Systemd,
    Cgroupfs,
}

/// A node to be generated.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    pub version: Version,
    pub driver: Driver,
    /// Containers, those that only hold a pod's network among them.
    pub containers: usize,
}

/// A generated node, which goes with its guard.
#[derive(Debug)]
pub struct Node {
    folder: TempDir,
    pub containers: Vec<Container>,
}

/// One container, and what must be said of it.
#[derive(Debug)]
pub struct Container {
    /// Its cgroup's path, the `id` of its series.
    pub path: String,
    pub id: String,
    /// The uid of its pod.
    pub pod: String,
    number_of_pod: usize,
    /// The first of each pod holds its network.
    pub pause: bool,
    pub pids: Vec<u32>,
    pub facts: Facts,
}

/// A pause and two that work.
const CONTAINERS_OF_POD: usize = 3;
/// Cgroups that are no containers.
const SERVICES: [&str; 6] =
    ["containerd", "cron", "kubelet", "ssh", "systemd-journald", "systemd-udevd"];

impl Node {
    pub fn generate(shape: Shape) -> Result<Self> {
        let folder = tempfile::tempdir().context("no temporary folder")?;
        let containers = (0..shape.containers).map(|number| Container::new(number, shape.driver));
        let node = Self { folder, containers: containers.collect() };
        machine::write(&node, shape.version)?;
        let (root, whole) = (node.cgroups(), Facts::of(node.containers.len()));
        let write = match shape.version {
            Version::V1 => v1::write,
            Version::V2 => v2::write,
        };
        write(&root, "/", &whole, &[1])?;
        for path in node.slices(shape.driver) {
            write(&root, &path, &whole, &[])?;
        }
        for container in &node.containers {
            write(&root, &container.path, &container.facts, &container.pids)?;
        }
        Ok(node)
    }

    /// Where the agent finds its `/`.
    pub fn root(&self) -> &Path {
        self.folder.path()
    }

    pub fn proc(&self) -> PathBuf {
        self.root().join("proc")
    }

    pub fn sys(&self) -> PathBuf {
        self.root().join("sys")
    }

    pub fn cgroups(&self) -> PathBuf {
        self.root().join("sys/fs/cgroup")
    }

    /// What is around the containers, and beside them.
    fn slices(&self, driver: Driver) -> Vec<String> {
        let mut paths: Vec<String> =
            SERVICES.iter().map(|name| format!("/system.slice/{name}.service")).collect();
        paths.extend(["/system.slice", "/user.slice", "/init.scope"].map(str::to_owned));
        for container in &self.containers {
            let around = Path::new(&container.path).ancestors().skip(1);
            paths.extend(around.map(|path| path.display().to_string()).filter(|path| path != "/"));
        }
        if driver == Driver::Cgroupfs {
            paths.push("/kubepods/besteffort".to_owned());
        }
        paths.sort();
        paths.dedup();
        paths
    }
}

impl Container {
    fn new(number: usize, driver: Driver) -> Self {
        let id = format!("{:064x}", (0xc0ff_ee00_u128 << 64) + number as u128 + 1);
        let number_of_pod = number / CONTAINERS_OF_POD;
        let pod = format!("{0:08x}-0000-4000-8000-{0:012x}", number_of_pod + 1);
        let path = path(driver, number_of_pod, &pod, &id);
        let pause = number.is_multiple_of(CONTAINERS_OF_POD);
        let first = u32::try_from(1000 + number * 10).unwrap_or(u32::MAX);
        let pids = if pause { vec![first] } else { vec![first, first + 1, first + 2] };
        Self { path, id, pod, number_of_pod, pause, pids, facts: Facts::of(number) }
    }
}

/// Pods are burstable, best effort and guaranteed by turns.
fn path(driver: Driver, number: usize, pod: &str, id: &str) -> String {
    let class = ["burstable", "besteffort", ""].get(number % 3).copied().unwrap_or_default();
    let flat = pod.replace('-', "_");
    match (driver, class) {
        (Driver::Systemd, "") => {
            format!("/kubepods.slice/kubepods-pod{flat}.slice/cri-containerd-{id}.scope")
        }
        (Driver::Systemd, class) => format!(
            "/kubepods.slice/kubepods-{class}.slice/kubepods-{class}-pod{flat}.slice/cri-containerd-{id}.scope"
        ),
        (Driver::Cgroupfs, "") => format!("/kubepods/pod{pod}/{id}"),
        (Driver::Cgroupfs, class) => format!("/kubepods/{class}/pod{pod}/{id}"),
    }
}

/// Writes files of a folder, each with a newline at its end.
fn put<T: AsRef<str>>(folder: &Path, files: &[(&str, T)]) -> Result<()> {
    fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    for (name, text) in files {
        let path = folder.join(name);
        let text = text.as_ref();
        let end = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
        fs::write(&path, format!("{text}{end}")).with_context(|| path.display().to_string())?;
    }
    Ok(())
}

fn lines<T: ToString>(values: impl IntoIterator<Item = T>) -> String {
    values.into_iter().map(|value| value.to_string() + "\n").collect()
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "files that the test has made")]
mod tests {
    use super::*;

    #[test]
    fn a_node_has_a_cgroup_for_each_container_and_what_is_around_them() {
        for (version, file) in
            [(Version::V2, "memory.current"), (Version::V1, "memory.usage_in_bytes")]
        {
            for driver in [Driver::Systemd, Driver::Cgroupfs] {
                let node = Node::generate(Shape { version, driver, containers: 7 }).unwrap();
                let hierarchy = match version {
                    Version::V1 => node.cgroups().join("memory"),
                    Version::V2 => node.cgroups(),
                };
                for container in &node.containers {
                    let path = hierarchy.join(container.path.trim_start_matches('/')).join(file);
                    let text = String::from_utf8(fs::read(path).unwrap()).unwrap();
                    assert_eq!(text, format!("{}\n", container.facts.memory));
                    for pid in &container.pids {
                        assert!(node.proc().join(pid.to_string()).join("stat").is_file());
                    }
                }
            }
        }
    }
}
