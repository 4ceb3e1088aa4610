//! Grafana's dashboards of `manifests/dashboards`, asked as Grafana asks: every panel's queries with the variables
//! filled in, on a real Prometheus.
#![expect(clippy::disallowed_methods, reason = "it reads the project's own files")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use crate::storage::Asked;

/// What has no data where nothing is wrong: dashboard, panel, reason, with a tab between them.
const WITHOUT_DATA: &str = include_str!("dashboards/without-data.tsv");

/// What has to run in the namespace SPACE so that all other panels have data.
pub const APPLICATION: &str = include_str!("dashboards/application.yaml");

/// A page, with what it needs to be asked.
#[derive(Debug)]
pub struct Dashboard {
    /// The last part of its address, as `agents-node`.
    pub uid: String,
    /// Names with the queries for their values, each narrowed by those before it.
    pub variables: Vec<(String, String)>,
    pub panels: Vec<Panel>,
}

#[derive(Debug)]
pub struct Panel {
    pub title: String,
    /// As they stand in the file, with `$variable`s.
    pub queries: Vec<String>,
}

/// What a Prometheus had to say.
#[derive(Debug, Default)]
pub struct Answers {
    pub panels: usize,
    pub queries: usize,
    /// Queries that gave nothing or an error, by dashboard and panel, and that have no excuse.
    pub missing: Vec<String>,
    /// Panels that gave nothing and have an excuse.
    pub excused: Vec<String>,
}

/// The dashboards as they are committed.
pub fn all() -> Result<Vec<Dashboard>> {
    let folder = folder();
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(&folder).with_context(|| folder.display().to_string())? {
        let path = entry?.path();
        if path.extension().is_some_and(|end| end == "json") {
            paths.push(path);
        }
    }
    paths.sort();
    paths.iter().map(|path| read(path).with_context(|| path.display().to_string())).collect()
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../manifests/dashboards")
}

fn read(path: &Path) -> Result<Dashboard> {
    let value: Value = serde_json::from_str(&std::fs::read_to_string(path)?)?;
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let text = |value: &Value| value.as_str().map(str::to_owned).context("a text is missing");
    let mut variables = Vec::new();
    for variable in list(&value["templating"]["list"]) {
        if variable["type"] == "query" {
            variables.push((text(&variable["name"])?, text(&variable["query"]["query"])?));
        }
    }
    let mut panels = Vec::new();
    for panel in list(&value["panels"]) {
        let queries: Result<Vec<_>> =
            list(&panel["targets"]).iter().map(|target| text(&target["expr"])).collect();
        let queries = queries?;
        if panel["type"] != "row" {
            let title = text(&panel["title"])?;
            ensure!(!queries.is_empty(), "{title} asks nothing");
            panels.push(Panel { title, queries });
        }
    }
    Ok(Dashboard { uid: text(&value["uid"])?, variables, panels })
}

/// The panels that need not have data, with the reason.
pub fn without_data() -> Result<BTreeMap<(String, String), String>> {
    let rows = WITHOUT_DATA.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    let rows = rows.map(|line| match line.split('\t').collect::<Vec<_>>()[..] {
        [uid, title, reason] => Ok(((uid.to_owned(), title.to_owned()), reason.to_owned())),
        _ => bail!("without-data.tsv: not three columns: {line:?}"),
    });
    rows.collect()
}

/// Asks a Prometheus every query of every panel twice: as a page asks that has just been opened, where each variable is
/// All, and with the values that the page offers, all of them chosen.
pub fn ask(prometheus: &Asked) -> Result<Answers> {
    ask_some(prometheus, |_| true)
}

/// As [`ask`], of the pages with these addresses alone.
pub fn ask_some(prometheus: &Asked, wanted: impl Fn(&str) -> bool) -> Result<Answers> {
    let excuses = without_data()?;
    let mut answers = Answers::default();
    for dashboard in all()?.into_iter().filter(|dashboard| wanted(&dashboard.uid)) {
        let opened: BTreeMap<_, _> =
            dashboard.variables.iter().map(|(name, _)| (name.clone(), ".*".to_owned())).collect();
        let chosen =
            chosen(prometheus, &dashboard.variables).with_context(|| dashboard.uid.clone())?;
        for panel in &dashboard.panels {
            answers.panels += 1;
            let mut silent = Vec::new();
            for query in &panel.queries {
                for (what, values) in [("all", &opened), ("chosen", &chosen)] {
                    answers.queries += 1;
                    if let Err(error) = asked(prometheus, &filled(query, values)) {
                        silent.push(format!(
                            "{} / {} ({what}): {error:#}",
                            dashboard.uid, panel.title
                        ));
                    }
                }
            }
            match excuses.get(&(dashboard.uid.clone(), panel.title.clone())) {
                Some(reason) if !silent.is_empty() => {
                    answers.excused.push(format!("{} / {}: {reason}", dashboard.uid, panel.title));
                }
                _ => answers.missing.extend(silent),
            }
        }
    }
    Ok(answers)
}

fn asked(prometheus: &Asked, query: &str) -> Result<()> {
    let number = |series: &Value| series["value"][1].as_str().is_some_and(|value| value != "NaN");
    ensure!(prometheus.series(query)?.iter().any(number), "no data for {query}");
    Ok(())
}

/// The values of each variable, as one regular expression.
fn chosen(prometheus: &Asked, variables: &[(String, String)]) -> Result<BTreeMap<String, String>> {
    let mut known = BTreeMap::new();
    for (name, query) in variables {
        let query = filled(query, &known);
        let inner = query.strip_prefix("label_values(").and_then(|rest| rest.strip_suffix(')'));
        let (series, label) =
            inner.and_then(|inner| inner.rsplit_once(", ")).context(query.clone())?;
        let values = prometheus.label_values(series, label)?;
        ensure!(!values.is_empty(), "${name} offers nothing: {query}");
        let values: Vec<String> = values.iter().map(|value| literal(value)).collect();
        known.insert(name.clone(), format!("({})", values.join("|")));
    }
    Ok(known)
}

/// A value as Grafana writes it into a regular expression within a PromQL string.
fn literal(value: &str) -> String {
    let special = |c: char| r"\^$*+?.()|[]{}".contains(c);
    value.chars().map(|c| if special(c) { format!(r"\\{c}") } else { c.to_string() }).collect()
}

/// A query with its variables' values. Names that begin alike are told apart as the longer ones go first.
fn filled(query: &str, values: &BTreeMap<String, String>) -> String {
    let mut out = query.replace("$__rate_interval", "2m");
    for (name, value) in values.iter().rev() {
        out = out.replace(&format!("${name}"), value);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_excuse_is_for_a_panel_that_is_there() {
        let dashboards = all().unwrap();
        for (uid, title) in without_data().unwrap().keys() {
            let page = dashboards.iter().find(|dashboard| dashboard.uid == *uid).unwrap();
            assert!(page.panels.iter().any(|panel| panel.title == *title), "{uid} / {title}");
        }
    }

    #[test]
    fn longer_names_are_not_taken_for_shorter_ones() {
        let values = [("pod", "a"), ("pod_ip", "b"), ("pod_name", "c")];
        let values = values.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        assert_eq!(filled("$pod_name $pod $pod_ip[$__rate_interval]", &values), "c a b[2m]");
        assert_eq!(literal("10.0.0.1"), r"10\\.0\\.0\\.1");
    }
}
