//! `cargo xtask docs`: what is written about collectors, resources and flags comes from their tables.

mod collectors;
mod flags;
mod kube;
pub(crate) mod manual;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::binary::{self, workspace};
use crate::dashboards;

/// A document that is wholly or partly made from the tables.
pub(crate) struct Document {
    pub(crate) path: PathBuf,
    pub(crate) text: String,
}

pub(crate) fn run(check: bool) -> Result<()> {
    let mut documents = documents()?;
    documents.extend(dashboards::documents()?);
    bring(documents, check)
}

/// Writes what is new in these documents, or says what would be.
pub(crate) fn bring(documents: Vec<Document>, check: bool) -> Result<()> {
    let mut stale = Vec::new();
    for document in documents {
        let path =
            document.path.strip_prefix(workspace()).unwrap_or(&document.path).display().to_string();
        if std::fs::read_to_string(&document.path).is_ok_and(|text| text == document.text) {
            continue;
        }
        if check {
            stale.push(path);
        } else {
            write(&document)?;
            println!("{path}");
        }
    }
    if stale.is_empty() {
        return Ok(());
    }
    bail!("not what the tables say: {}; run `cargo xtask docs` and commit", stale.join(", "))
}

fn documents() -> Result<Vec<Document>> {
    let node = workspace().join("node-exporter-rs");
    let readme = node.join("README.md");
    let old = std::fs::read_to_string(&readme).with_context(|| readme.display().to_string())?;
    let table = collectors::overview();
    let state = workspace().join("kube-state-rs");
    let programs = binary::agents()?;
    let families = kube::printed(&programs.kube, &["families"])?;
    let roles = kube::printed(&programs.kube, &["rbac"])?;
    let flags = |name: &str, program: &Path| -> Result<Document> {
        let path = workspace().join(name).join("docs/flags.md");
        Ok(Document { path, text: flags::page(name, program)? })
    };
    let pages = manual::pages()?.into_iter();
    let pages = pages.map(|(path, text)| Document { path, text });
    let tables = vec![
        flags("kube-state-rs", &programs.kube)?,
        flags("cadvisor-proxy-rs", &programs.proxy)?,
        flags("consul-registrar", &programs.registrar)?,
        Document { path: state.join("docs/metrics.md"), text: kube::metrics(&families) },
        Document { path: state.join("docs/rbac.yaml"), text: roles },
        Document { path: node.join("docs/metrics.md"), text: collectors::metrics() },
        Document { path: node.join("docs/flags.md"), text: collectors::flags() },
        Document { text: between_marks(&old, &table).context("README.md")?, path: readme },
    ];
    Ok(tables.into_iter().chain(pages).collect())
}

fn write(document: &Document) -> Result<()> {
    let name = || document.path.display().to_string();
    if let Some(folder) = document.path.parent() {
        std::fs::create_dir_all(folder).with_context(name)?;
    }
    std::fs::write(&document.path, &document.text).with_context(name)
}

/// Puts a text between `<!-- generated -->` and `<!-- end -->`.
fn between_marks(old: &str, new: &str) -> Result<String> {
    const START: &str = "<!-- generated: cargo xtask docs -->\n";
    const END: &str = "<!-- end -->";
    let parts =
        old.split_once(START).and_then(|(before, rest)| Some((before, rest.split_once(END)?.1)));
    let Some((before, after)) = parts else {
        bail!("it lacks the marks {START:?} and {END:?}");
    };
    Ok(format!("{before}{START}{new}{END}{after}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_stands_between_the_marks_is_replaced() {
        let old = "a\n<!-- generated: cargo xtask docs -->\nold\n<!-- end -->\nb\n";
        let new = between_marks(old, "new\n").unwrap();
        assert_eq!(new, old.replace("old", "new"));
        assert!(between_marks("no marks", "").is_err());
    }
}
