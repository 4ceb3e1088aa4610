//! The file of rules: a list as `metric_relabel_configs` has it, or a mapping with that key.

use std::path::{Path, PathBuf};

use exporter_toolkit::files::{FileError, Files};
use exporter_toolkit::yaml::{self, Problem};
use serde::Deserialize;

use super::{Action, Rule, Rules, is_name};
use crate::rewrite::profile::anchored;

/// What is wrong with the file of rules.
#[derive(Debug, thiserror::Error)]
pub enum RulesError {
    #[error(transparent)]
    File(#[from] FileError),
    #[error("{}: {problem} (--relabel-file)", path.display())]
    Yaml { path: PathBuf, problem: Problem },
    /// `number` counts from 1.
    #[error("{}: rule {number}: {problem} (--relabel-file)", path.display())]
    Rule { path: PathBuf, number: usize, problem: String },
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Mapping {
    metric_relabel_configs: Vec<Given>,
}

/// A rule as it is written; what is missing has Prometheus' default.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Given {
    source_labels: Vec<String>,
    separator: String,
    target_label: String,
    regex: String,
    modulus: u64,
    replacement: String,
    action: String,
}

impl Default for Given {
    fn default() -> Self {
        Self {
            source_labels: Vec::new(),
            separator: ";".to_owned(),
            target_label: String::new(),
            regex: "(.*)".to_owned(),
            modulus: 0,
            replacement: "$1".to_owned(),
            action: "replace".to_owned(),
        }
    }
}

/// Reads and checks the rules in a file.
pub(crate) fn read(path: &Path) -> Result<Rules, RulesError> {
    parse(path, &Files::default().text(path)?)
}

pub(super) fn parse(path: &Path, text: &str) -> Result<Rules, RulesError> {
    let given =
        rules(text).map_err(|problem| RulesError::Yaml { path: path.to_owned(), problem })?;
    let rules = given.into_iter().enumerate().map(|(at, given)| {
        checked(given).map_err(|problem| RulesError::Rule {
            path: path.to_owned(),
            number: at + 1,
            problem,
        })
    });
    Ok(Rules(rules.collect::<Result<_, _>>()?))
}

/// A mapping is told by its key, so that an error is about what was meant.
fn rules(text: &str) -> Result<Vec<Given>, Problem> {
    if text.lines().any(|line| line.starts_with("metric_relabel_configs")) {
        yaml::parse::<Mapping>(text).map(|mapping| mapping.metric_relabel_configs)
    } else {
        yaml::parse(text)
    }
}

fn checked(given: Given) -> Result<Rule, String> {
    let regex = anchored(&given.regex).map_err(|error| {
        format!("regex '{}': {}", given.regex, error.to_string().replace('\n', " "))
    })?;
    let action = action(&given)?;
    let sources = given.source_labels.into_iter().map(String::into_bytes).collect();
    Ok(Rule { sources, separator: given.separator.into_bytes(), regex, action })
}

/// Whether all of the sources goes into a label whose name is no pattern.
fn copies(given: &Given) -> bool {
    given.regex == "(.*)" && given.replacement == "$1" && is_name(given.target_label.as_bytes())
}

fn action(given: &Given) -> Result<Action, String> {
    let target = || {
        let text = given.target_label.clone();
        let needs = format!("action {} needs target_label", given.action);
        if text.is_empty() { Err(needs) } else { Ok(text.into_bytes()) }
    };
    let replacement = || given.replacement.clone().into_bytes();
    let action = match given.action.to_ascii_lowercase().as_str() {
        "keep" => Action::Keep,
        "drop" => Action::Drop,
        "keepequal" => Action::KeepEqual(target()?),
        "dropequal" => Action::DropEqual(target()?),
        "replace" if copies(given) => Action::Copy(target()?),
        "replace" => Action::Replace { target: target()?, replacement: replacement() },
        "hashmod" if given.modulus == 0 => return Err("action hashmod needs modulus".to_owned()),
        "hashmod" => Action::HashMod { target: target()?, modulus: given.modulus },
        "lowercase" => Action::Lowercase(target()?),
        "uppercase" => Action::Uppercase(target()?),
        "labeldrop" => Action::LabelDrop,
        "labelkeep" => Action::LabelKeep,
        "labelmap" => Action::LabelMap { replacement: replacement() },
        other => {
            return Err(format!(
                "unknown action '{other}'; known are replace, keep, drop, keepequal, dropequal, hashmod, lowercase, \
                 uppercase, labelmap, labeldrop, labelkeep"
            ));
        }
    };
    Ok(action)
}
