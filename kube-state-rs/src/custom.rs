//! Metrics of custom resources, by a configuration in the peer's format (`CustomResourceStateMetrics`).
//!
//! A configuration is read once, to rules ([`Config`]); for each resource that it matches and the API server serves there
//! is a renderer ([`Custom`]). What the rules do is the peer's, to the letter, less what would spoil a scrape: a series is
//! given once for each object, families of one name come under one header, and names of labels are always legal.

mod compile;
mod file;
mod labels;
mod number;
mod path;
mod rule;
#[cfg(test)]
mod tests;
mod unknown;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use exporter_toolkit::yaml;
use serde_json::Value;

use crate::family::Header;
use crate::rendered::{OpenSamples, Rendered};
use crate::resource::Renderer;
use file::{File, Wrong};
use labels::{LabelPaths, Labels};
use rule::{Each, Problem, Sample};

/// Why a configuration cannot be used: where it is wrong, and what.
#[derive(Debug, thiserror::Error)]
pub struct ConfigError {
    /// The file or the flag that holds the configuration.
    pub origin: String,
    /// Line and column, from 1, where they are known.
    pub place: Option<(u64, u64)>,
    pub problem: String,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.origin)?;
        if let Some((line, column)) = self.place {
            write!(f, ":{line}:{column}")?;
        }
        write!(f, ": {}", self.problem)
    }
}

/// A configuration that was read.
#[derive(Debug, Default)]
pub struct Config {
    entries: Vec<Entry>,
}

/// One of `spec.resources`.
#[derive(Debug)]
struct Entry {
    pattern: Pattern,
    common: BTreeMap<String, String>,
    metrics: Vec<Arc<Metric>>,
}

/// Which resources are meant.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Pattern {
    pub group: String,
    /// `None` for all that are served.
    pub version: Option<String>,
    /// `None` for all of the group.
    pub kind: Option<String>,
}

impl Pattern {
    pub fn matches(&self, group: &str, version: &str, kind: &str) -> bool {
        let is = |meant: &Option<String>, one| meant.as_ref().is_none_or(|meant| meant == one);
        self.group == group && is(&self.version, version) && is(&self.kind, kind)
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let any = |meant: &Option<String>| meant.clone().unwrap_or_else(|| "*".to_owned());
        write!(f, "{}/{} {}", self.group, any(&self.version), any(&self.kind))
    }
}

/// One of `metrics`.
#[derive(Debug)]
struct Metric {
    header: Header,
    common: BTreeMap<String, String>,
    /// Relative to the object.
    labels: LabelPaths,
    each: Each,
    /// Whether what its objects lack was said once, or is not to be said.
    said: AtomicBool,
}

impl Config {
    /// Reads a configuration from YAML; `origin` is the file or the flag that holds it, for messages. Fields that mean
    /// nothing are passed over with a warning.
    pub fn read(text: &str, origin: &str) -> Result<Self, ConfigError> {
        let file: File = yaml::parse(text).map_err(|problem| ConfigError {
            origin: origin.to_owned(),
            place: problem.line.zip(problem.column),
            problem: problem.text,
        })?;
        let resources = file.spec.resources;
        let entries = resources.iter().map(compile::entry).collect::<Result<Vec<_>, _>>();
        let entries = entries.map_err(|Wrong { at, problem }| ConfigError {
            origin: origin.to_owned(),
            place: Some((at.line(), at.column())),
            problem,
        })?;
        for (field, at) in unknown::fields(text) {
            let (line, column) = (at.line(), at.column());
            tracing::warn!(config = origin, line, column, field, "a field that means nothing");
        }
        Ok(Self { entries })
    }

    /// What is meant, an entry each, so that it can be said which of them the API server does not serve.
    pub fn patterns(&self) -> impl Iterator<Item = &Pattern> {
        self.entries.iter().map(|entry| &entry.pattern)
    }

    /// Whether objects of this resource are meant.
    pub fn matches(&self, group: &str, version: &str, kind: &str) -> bool {
        self.patterns().any(|pattern| pattern.matches(group, version, kind))
    }

    /// The families of this resource's objects that `wants` takes, of all entries that mean it.
    pub fn renderer(
        &self,
        group: &str,
        version: &str,
        kind: &str,
        wants: impl Fn(&Header) -> bool,
    ) -> Custom {
        let mut custom = Custom::default();
        let meant = |entry: &&Entry| entry.pattern.matches(group, version, kind);
        for entry in self.entries.iter().filter(meant) {
            for metric in entry.metrics.iter().filter(|metric| wants(&metric.header)) {
                let mut common = entry.common.clone();
                for (part, value) in [("group", group), ("version", version), ("kind", kind)] {
                    common.insert(format!("customresource_{part}"), value.to_owned());
                }
                common.extend(metric.common.clone());
                custom.add(Part { metric: Arc::clone(metric), common });
            }
        }
        custom
    }
}

/// Renders the objects of one custom resource.
#[derive(Debug, Default)]
pub struct Custom {
    headers: Vec<Header>,
    /// For each header the metrics that have its name.
    parts: Vec<Vec<Part>>,
    errors: AtomicU64,
}

/// A metric with the labels that all samples of it carry.
#[derive(Debug)]
struct Part {
    metric: Arc<Metric>,
    common: BTreeMap<String, String>,
}

impl Custom {
    /// How many values of objects could not be given, since the start.
    pub fn errors(&self) -> u64 {
        self.errors.load(Ordering::Relaxed)
    }

    /// The first metric of a name says the type and the help.
    fn add(&mut self, part: Part) {
        let header = &part.metric.header;
        if let Some(place) = self.headers.iter().position(|one| one.name == header.name) {
            return self.parts[place].push(part);
        }
        self.headers.push(header.clone());
        self.parts.push(vec![part]);
    }
}

impl Renderer for Custom {
    fn families(&self) -> &[Header] {
        &self.headers
    }

    fn render(&self, json: &[u8], out: &mut Rendered) -> Result<(), serde_json::Error> {
        let object: Value = serde_json::from_slice(json)?;
        out.restart();
        for (header, parts) in self.headers.iter().zip(&self.parts) {
            let mut samples = Vec::new();
            for part in parts {
                part.collect(&object, &mut samples, &self.errors);
            }
            // A value goes before the 0 that stands for a missing one.
            samples.sort_by(|a, b| {
                a.labels.cmp(&b.labels).then(a.amount.assumed.cmp(&b.amount.assumed))
            });
            samples.dedup_by(|next, one| next.labels == one.labels);
            let mut out_samples = OpenSamples::new(out, &header.name);
            for Sample { labels, amount } in &samples {
                out_samples.sample(labels, amount.value);
            }
            out.end_family();
        }
        Ok(())
    }
}

impl Part {
    fn collect<'v>(&'v self, object: &'v Value, samples: &mut Vec<Sample<'v>>, errors: &AtomicU64) {
        let mut base = Labels::new();
        for (name, value) in &self.common {
            base.insert(name.into(), value.into());
        }
        self.metric.labels.put(object, &mut base);
        let found = self.metric.each.collect(object);
        errors.fetch_add(found.problems.len() as u64, Ordering::Relaxed);
        for problem in found.problems {
            self.metric.tell(object, problem);
        }
        samples.extend(found.samples.into_iter().map(|mut sample| {
            for (name, value) in &base {
                sample.labels.entry(name.clone()).or_insert_with(|| value.clone());
            }
            sample
        }));
    }
}

impl Metric {
    /// Logs a problem: the first of a metric as a warning, unless `errorLogV` is above 0, as every object may have it.
    fn tell(&self, object: &Value, problem: Problem<'_>) {
        let (metric, path) = (&self.header.name, &self.each.path);
        let of = |field: &str| object["metadata"][field].as_str().unwrap_or_default().to_owned();
        let (namespace, name) = (of("namespace"), of("name"));
        if self.said.swap(true, Ordering::Relaxed) {
            tracing::debug!(metric, %path, namespace, name, %problem, "no sample of a custom resource");
        } else {
            tracing::warn!(metric, %path, namespace, name, %problem, "no sample of a custom resource; more of this metric is logged as debug");
        }
    }
}
