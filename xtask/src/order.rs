//! `cargo xtask order`: which functions of the agents run, so that the linker puts these side by side.
//!
//! The kernel maps a program's file 64 KiB around each page that is touched. With what runs spread over all of the code,
//! nearly all of it is resident; in one piece it is a third. The lists are images/order/AGENT, patterns of the sections
//! that hold one function each. One that matches nothing any more is skipped, so an old list costs memory and nothing else.

mod map;
mod profile;
mod work;

use std::collections::HashSet;
use std::fmt::Write as _;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use crate::binary::{self, workspace};
use map::Map;
use profile::Run;

#[derive(clap::Args)]
pub(crate) struct Options {
    /// Agents whose list is written [default: all]
    agents: Vec<String>,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    let known = work::ALL;
    for name in &options.agents {
        let names = known.map(|(name, _)| name);
        ensure!(names.contains(&name.as_str()), "no agent {name}: there are {}", names.join(", "));
    }
    for (name, work) in known {
        if options.agents.is_empty() || options.agents.iter().any(|agent| agent == name) {
            let (program, map) = with_map(name)?;
            let list = list(name, &map, &work(&program)?);
            let path = file(name);
            std::fs::write(&path, list).with_context(|| path.display().to_string())?;
            println!("{}", path.display());
        }
    }
    Ok(())
}

/// The agent as it is shipped, but for its symbols, and which function is in which section.
fn with_map(name: &str) -> Result<(PathBuf, Map)> {
    let file = tempfile::NamedTempFile::new().context("no temporary file")?;
    let flags = ["-Cstrip=none", "-Clink-arg=-Wl,--no-demangle"].map(str::to_owned);
    let map = format!("-Clink-arg=-Wl,-Map={}", file.path().display());
    let program = binary::release(name, &[&flags[..], &[map]].concat())?;
    let text = std::fs::read(file.path()).context("the linker's map")?;
    Ok((program, Map::parse(&String::from_utf8_lossy(&text))))
}

/// Sections by their names: those that the work of the runs needs, then those that only their starts did.
fn list(name: &str, map: &Map, runs: &[Run]) -> String {
    let mut text = format!(
        "# Functions of {name} that run, for the linker: written by `cargo xtask order {name}`.\n"
    );
    let mut seen = HashSet::new();
    let works = runs.iter().map(|run| (run.name, "", &run.work));
    let starts = runs.iter().map(|run| (run.name, ", only its start", &run.start));
    for (run, part, functions) in works.chain(starts) {
        let mut patterns: Vec<_> = functions.iter().flat_map(|name| map.patterns(name)).collect();
        patterns.sort_unstable();
        _ = writeln!(text, "# {run}{part}");
        for pattern in patterns {
            if seen.insert(pattern.clone()) {
                text += &pattern;
                text.push('\n');
            }
        }
    }
    text
}

fn file(name: &str) -> PathBuf {
    workspace().join("images/order").join(name)
}

/// The list as the linker takes it, in a file that has another name when the list is another: cargo then links anew.
pub(crate) fn script(name: &str) -> Result<PathBuf> {
    let path = file(name);
    let list = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    let script = linker_script(&list);
    let mut hash = DefaultHasher::new();
    script.hash(&mut hash);
    let own = std::env::current_exe().context("where is this program?")?;
    let folder = own.parent().unwrap_or(Path::new(".")).join("order");
    let path = folder.join(format!("{name}-{:016x}.ld", hash.finish()));
    std::fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
    std::fs::write(&path, script).with_context(|| path.display().to_string())?;
    Ok(path)
}

/// An output section for them after that of all other code, where the stubs lie by which glibc's functions that have a
/// variant for each CPU are called.
fn linker_script(list: &str) -> String {
    let mut script = "SECTIONS {\n  .text.hot : {\n".to_owned();
    for pattern in list.lines().filter(|line| !line.starts_with('#')) {
        _ = writeln!(script, "    {pattern}");
    }
    script + "  }\n}\nINSERT AFTER .text;\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_work_needs_comes_first_and_nothing_twice() {
        let map = Map::parse(
            "    1 1 10 16         /a.o:(.text.f)\n    1 1 10 1                 f\n\
             \x20   2 2 10 16         /a.o:(.text.g)\n    2 2 10 1                 g\n",
        );
        let set = |functions: &[&str]| functions.iter().map(|&name| name.to_owned()).collect();
        let run =
            |name, work: &[&str], start: &[&str]| Run { name, work: set(work), start: set(start) };
        let runs = [run("one", &["g", "?"], &["f"]), run("two", &[], &["f", "g"])];
        let text = list("agent", &map, &runs);
        let lines: Vec<_> = text.lines().skip(1).collect();
        assert_eq!(
            lines,
            [
                "# one",
                "*(.text.g)",
                "# two",
                "# one, only its start",
                "*(.text.f)",
                "# two, only its start"
            ]
        );
        assert_eq!(
            linker_script(&text),
            "SECTIONS {\n  .text.hot : {\n    *(.text.g)\n    *(.text.f)\n  }\n}\nINSERT AFTER .text;\n"
        );
    }

    #[test]
    fn every_agent_has_a_list() {
        for (name, _) in work::ALL {
            let text = std::fs::read_to_string(file(name)).unwrap();
            assert!(text.lines().any(|line| line.starts_with("*(.text.")), "{name}");
        }
    }
}
