//! prometheus-adapter's configuration, asked as the adapter asks: which metrics of pods it finds on a Prometheus.
#![expect(clippy::disallowed_methods, reason = "it reads the project's own files")]

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use regex_lite::Regex;
use serde_json::Value;

use crate::storage::{Asked, value};

const CONFIG: &str = "../manifests/prometheus/adapter/config.yaml";

/// The metrics that the adapter would offer for pods of a namespace: by name and pod.
pub fn metrics(
    prometheus: &Asked,
    namespace: &str,
) -> Result<BTreeMap<String, BTreeMap<String, f64>>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(CONFIG);
    let config: Value = serde_saphyr::from_str(&std::fs::read_to_string(path)?)?;
    let mut out = BTreeMap::new();
    for rule in config["rules"].as_array().context("no rules")? {
        let before = out.len();
        add(prometheus, rule, namespace, &mut out)
            .with_context(|| rule["seriesQuery"].to_string())?;
        ensure!(out.len() > before, "no metric by {}", rule["seriesQuery"]);
    }
    Ok(out)
}

fn add(
    prometheus: &Asked,
    rule: &Value,
    namespace: &str,
    out: &mut BTreeMap<String, BTreeMap<String, f64>>,
) -> Result<()> {
    let text = |value: &Value| value.as_str().map(str::to_owned).context("a text is missing");
    let matches = Regex::new(&text(&rule["name"]["matches"])?)?;
    let shown_as = text(&rule["name"]["as"])?;
    let (space, pod) = (label(rule, "namespace")?, label(rule, "pod")?);
    for series in prometheus.label_values(&text(&rule["seriesQuery"])?, "__name__")? {
        if !matches.is_match(&series) {
            continue;
        }
        let name = matches.replace(&series, shown_as.as_str()).into_owned();
        let labels = format!("{space}=\"{namespace}\",{pod}=~\".+\"");
        let query = text(&rule["metricsQuery"])?
            .replace("<<.Series>>", &series)
            .replace("<<.LabelMatchers>>", &labels)
            .replace("<<.GroupBy>>", &pod);
        let mut pods = BTreeMap::new();
        for row in prometheus.series(&query)? {
            let name = row["metric"][&pod].as_str().with_context(|| row.to_string())?;
            pods.insert(name.to_owned(), value(&row)?);
        }
        if !pods.is_empty() && out.insert(name.clone(), pods).is_some() {
            bail!("{name} is made of two series");
        }
    }
    Ok(())
}

/// The label that stands for a resource.
fn label(rule: &Value, resource: &str) -> Result<String> {
    let labels = rule["resources"]["overrides"].as_object().context("no overrides")?;
    let label = labels.iter().find(|(_, value)| value["resource"] == resource);
    label.map(|(label, _)| label.clone()).with_context(|| format!("no label for a {resource}"))
}
