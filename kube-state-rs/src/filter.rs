//! Which resources are followed, which families are given of them, and which labels of objects become labels of series.

mod lists;

use std::collections::BTreeMap;

use fancy_regex::Regex;

use crate::family::{About, Given};
use crate::options::{MetricOptions, ObjectOptions};
use crate::resource::{AnyResource, BuiltIn, RESOURCES, find};
use crate::selection::{Keys, Selection};

/// A pattern may go back over a name so often; names are short, so one that does more is broken.
const BACKTRACKS: usize = 100_000;

/// The flags about resources, families and labels, checked.
#[derive(Clone, Debug)]
pub struct Filters {
    resources: Vec<&'static str>,
    families: Families,
    opt_in: Vec<Regex>,
    compat: bool,
    labels: BTreeMap<String, Vec<String>>,
    annotations: BTreeMap<String, Vec<String>>,
}

#[derive(Clone, Debug)]
enum Families {
    Matching(Vec<Regex>),
    NotMatching(Vec<Regex>),
}

/// A flag that cannot be understood.
#[derive(Debug, thiserror::Error)]
pub enum FilterError {
    #[error("--resources: there is no resource '{name}'; there are {}", known())]
    Resource { name: String },
    #[error("--metric-allowlist and --metric-denylist exclude each other: give one of them")]
    AllowAndDeny,
    #[error("--{flag}: '{pattern}' is no regular expression: {problem}")]
    Pattern { flag: &'static str, pattern: String, problem: String },
    #[error("--{flag}: {problem} at '{rest}'; the form is 'pods=[app,team-*],nodes=[*]'")]
    List { flag: &'static str, problem: &'static str, rest: String },
    #[error("--{flag}: '{key}' has more than one *")]
    Stars { flag: &'static str, key: String },
    #[error("--{flag}: there is no resource '{name}'; there are {}", known())]
    ListResource { flag: &'static str, name: String },
}

fn known() -> String {
    RESOURCES.iter().map(|resource| resource.plural()).collect::<Vec<_>>().join(", ")
}

impl Filters {
    /// `custom_only` leaves out all built-in resources.
    pub fn new(
        objects: &ObjectOptions,
        metrics: &MetricOptions,
        custom_only: bool,
    ) -> Result<Self, FilterError> {
        let allow = patterns("metric-allowlist", &metrics.metric_allowlist)?;
        let deny = patterns("metric-denylist", &metrics.metric_denylist)?;
        let families = match (allow.is_empty(), deny.is_empty()) {
            (false, false) => return Err(FilterError::AllowAndDeny),
            (false, true) => Families::Matching(allow),
            (true, _) => Families::NotMatching(deny),
        };
        Ok(Self {
            resources: if custom_only { Vec::new() } else { resources(&objects.resources)? },
            families,
            opt_in: patterns("metric-opt-in-list", &metrics.metric_opt_in_list)?,
            compat: metrics.compat.is_some(),
            labels: lists::parse("metric-labels-allowlist", &metrics.metric_labels_allowlist)?,
            annotations: lists::parse(
                "metric-annotations-allowlist",
                &metrics.metric_annotations_allowlist,
            )?,
        })
    }

    /// The built-in resources that are followed, with the families that are given of each.
    pub fn built_ins(&self) -> Vec<BuiltIn> {
        let resources = self.resources.iter().filter_map(|name| find(name));
        resources.map(|resource| self.built_in(resource)).collect()
    }

    fn built_in(&self, resource: &'static dyn AnyResource) -> BuiltIn {
        let selection = Selection {
            labels: chosen(&self.labels, resource.plural()),
            annotations: chosen(&self.annotations, resource.plural()),
        };
        BuiltIn::new(resource, selection, |about| self.gives(about))
    }

    fn gives(&self, about: &About) -> bool {
        let asked_for = match about.given {
            Given::Always => true,
            Given::OptIn => any(&self.opt_in, about.name),
            Given::Compat => self.compat,
        };
        asked_for && self.takes(about.name)
    }

    /// Whether a family of this name passes the allowlist or the denylist; custom resources' families must, too.
    pub fn takes(&self, family: &str) -> bool {
        match &self.families {
            Families::Matching(patterns) => any(patterns, family),
            Families::NotMatching(patterns) => !any(patterns, family),
        }
    }
}

/// A pattern matches anywhere in the name, as with the peer; one that gives up does not match.
fn any(patterns: &[Regex], name: &str) -> bool {
    patterns.iter().any(|pattern| pattern.is_match(name).unwrap_or(false))
}

fn patterns(flag: &'static str, list: &str) -> Result<Vec<Regex>, FilterError> {
    let compile = |pattern: &str| {
        let built = fancy_regex::RegexBuilder::new(pattern).backtrack_limit(BACKTRACKS).build();
        built.map_err(|error| FilterError::Pattern {
            flag,
            pattern: pattern.to_owned(),
            problem: error.to_string(),
        })
    };
    list.split(',').map(str::trim).filter(|pattern| !pattern.is_empty()).map(compile).collect()
}

/// The names of `--resources`, or those that are followed without it; sorted, none twice.
pub fn resources(list: &str) -> Result<Vec<&'static str>, FilterError> {
    let given: Vec<&str> = list.split(',').map(str::trim).filter(|name| !name.is_empty()).collect();
    if let Some(name) = given.iter().find(|name| find(name).is_none()) {
        return Err(FilterError::Resource { name: (*name).to_owned() });
    }
    let wanted = |resource: &&&dyn AnyResource| {
        if given.is_empty() { resource.default() } else { given.contains(&resource.plural()) }
    };
    Ok(RESOURCES.iter().filter(wanted).map(|resource| resource.plural()).collect())
}

/// The keys for a resource; those of `*` stand for all resources, whatever is said of single ones.
fn chosen(lists: &BTreeMap<String, Vec<String>>, resource: &str) -> Option<Keys> {
    lists
        .get("*")
        .or_else(|| lists.get(resource))
        .filter(|keys| !keys.is_empty())
        .map(|keys| Keys::new(keys))
}

#[cfg(test)]
mod tests;
