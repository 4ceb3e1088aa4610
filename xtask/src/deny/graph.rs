//! The dependencies as cargo resolves them for one target.

use std::collections::BTreeSet;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

use crate::binary::workspace;

/// The packages that are compiled for the target.
pub(crate) struct Graph {
    pub(crate) packages: Vec<Package>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Package {
    id: String,
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) license: Option<String>,
    /// Absent for crates of the workspace.
    pub(crate) source: Option<String>,
    pub(crate) dependencies: Vec<Dependency>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Dependency {
    pub(crate) name: String,
    pub(crate) req: String,
    /// Absent for the default registry.
    pub(crate) registry: Option<String>,
    pub(crate) path: Option<String>,
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
    resolve: Resolve,
}

#[derive(Deserialize)]
struct Resolve {
    nodes: Vec<Node>,
}

#[derive(Deserialize)]
struct Node {
    id: String,
}

impl Graph {
    pub(crate) fn of(target: &str) -> Result<Self> {
        let output = e2e::cargo()
            .args(["metadata", "--offline", "--locked", "--format-version=1", "--filter-platform"])
            .arg(target)
            .current_dir(workspace())
            .output()
            .context("cargo metadata")?;
        let error = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "cargo metadata for {target}: {error}");
        let Metadata { mut packages, resolve } =
            serde_json::from_slice(&output.stdout).context("cargo metadata")?;
        let used: BTreeSet<&str> = resolve.nodes.iter().map(|node| node.id.as_str()).collect();
        packages.retain(|package| used.contains(package.id.as_str()));
        Ok(Self { packages })
    }
}
