//! `cargo xtask dashboards`: Grafana's JSON in `manifests/dashboards`, from the tables in `manifests/dashboards/source`.

mod panel;
mod source;

use std::path::PathBuf;

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};

use self::panel::{Place, panel, row};
use self::source::{Dashboard, Shared};
use crate::binary::workspace;
use crate::docs::Document;

/// The form of Grafana 11; later ones read it and move it on.
const SCHEMA: u32 = 41;
/// What all of them carry, so that each can list the others.
const TAG: &str = "monitoring-agents";

/// Every dashboard as a file.
pub(crate) fn documents() -> Result<Vec<Document>> {
    let folder = folder();
    let shared: Shared = read("shared")?;
    let dashboards = names()?.into_iter().map(|name| Ok((read(&name)?, name)));
    let dashboards: Vec<(Dashboard, String)> = dashboards.collect::<Result<_>>()?;
    let uids: Vec<String> = dashboards.iter().map(|(_, name)| uid(name)).collect();
    let documents = dashboards.iter().map(|(dashboard, name)| {
        let value = render(&shared, dashboard, name, &uids).with_context(|| name.clone())?;
        let text = format!("{}\n", serde_json::to_string_pretty(&value)?);
        Ok(Document { path: folder.join(format!("{name}.json")), text })
    });
    documents.collect()
}

fn folder() -> PathBuf {
    workspace().join("manifests/dashboards")
}

fn read<T: serde::de::DeserializeOwned>(name: &str) -> Result<T> {
    let path = folder().join(format!("source/{name}.yaml"));
    let text = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    serde_saphyr::from_str(&text).with_context(|| path.display().to_string())
}

/// Every source but the shared one.
fn names() -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in
        std::fs::read_dir(folder().join("source")).context("manifests/dashboards/source")?
    {
        let path = entry?.path();
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        if name != "shared" {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

fn uid(name: &str) -> String {
    format!("agents-{name}")
}

fn render(shared: &Shared, dashboard: &Dashboard, name: &str, uids: &[String]) -> Result<Value> {
    let mut variables = vec![datasource()];
    for variable in &dashboard.variables {
        variables.push(self::variable(shared, variable)?);
    }
    Ok(json!({
        "uid": uid(name), "title": dashboard.title, "description": dashboard.about, "tags": [TAG],
        "schemaVersion": SCHEMA, "version": 1, "editable": true, "graphTooltip": 1, "refresh": "30s",
        "time": {"from": "now-1h", "to": "now"}, "timezone": "", "annotations": {"list": []},
        "links": [{
            "type": "dashboards", "title": "Monitoring agents", "tags": [TAG], "asDropdown": true,
            "includeVars": true, "keepTime": true, "targetBlank": false, "icon": "external link",
        }],
        "templating": {"list": variables},
        "panels": panels(shared, dashboard, uids)?,
    }))
}

/// Rows one below the other, their panels side by side as far as they fit.
fn panels(shared: &Shared, dashboard: &Dashboard, uids: &[String]) -> Result<Vec<Value>> {
    let mut out = Vec::new();
    let mut place = Place::default();
    for section in &dashboard.rows {
        out.push(row(&section.title, &mut place));
        for source in &section.panels {
            let known = out
                .iter()
                .any(|panel: &Value| panel["title"] == *source.title && panel["type"] != "row");
            ensure!(!known, "two panels are called {:?}", source.title);
            let made = panel(shared, dashboard, source, uids, &mut place);
            out.push(made.with_context(|| source.title.clone())?);
        }
    }
    Ok(out)
}

fn datasource() -> Value {
    json!({
        "name": "datasource", "label": "Source", "type": "datasource", "query": "prometheus", "refresh": 1,
        "hide": 0, "includeAll": false, "multi": false, "regex": "", "options": [], "current": {},
    })
}

/// All is any value, also none: a series without the label is meant too.
fn variable(shared: &Shared, name: &str) -> Result<Value> {
    let Some(variable) = shared.variables.get(name) else { bail!("no variable {name}") };
    let query = shared.filled(&variable.query)?;
    Ok(json!({
        "name": name, "label": variable.title, "type": "query", "datasource": panel::datasource(),
        "definition": query, "query": {"qryType": 1, "query": query, "refId": "PrometheusVariableQueryEditor-VariableQuery"},
        "refresh": 2, "sort": 1, "hide": 0, "regex": "", "options": [], "multi": true, "includeAll": true,
        "allValue": ".*", "current": {"selected": true, "text": ["All"], "value": ["$__all"]},
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_dashboard_is_made_and_every_panel_says_what_it_shows() {
        let documents = documents().unwrap();
        assert_eq!(documents.len(), 7);
        for document in documents {
            let dashboard: Value = serde_json::from_str(&document.text).unwrap();
            for panel in dashboard["panels"].as_array().unwrap() {
                let described =
                    panel["description"].as_str().is_some_and(|text| text.ends_with('.'));
                assert!(described || panel["type"] == "row", "{}", panel["title"]);
            }
        }
    }

    #[test]
    fn panels_do_not_overlap_and_stay_within_the_width() {
        for document in documents().unwrap() {
            let dashboard: Value = serde_json::from_str(&document.text).unwrap();
            let mut taken = std::collections::BTreeSet::new();
            for panel in dashboard["panels"].as_array().unwrap() {
                let number = |key: &str| panel["gridPos"][key].as_u64().unwrap();
                assert!(number("x") + number("w") <= 24, "{}", panel["title"]);
                for x in number("x")..number("x") + number("w") {
                    for y in number("y")..number("y") + number("h") {
                        assert!(taken.insert((x, y)), "{} at {x},{y}", panel["title"]);
                    }
                }
            }
        }
    }
}
