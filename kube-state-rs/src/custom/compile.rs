//! From the configuration's shape to the rules that run.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use exporter_toolkit::name::is_metric_name;
use serde_saphyr::{Location, Spanned};

use super::file::{self, GroupVersionKind, Pairs, Text, Wrong};
use super::labels::{LabelPaths, check_name};
use super::path::Path;
use super::rule::{Each, Rule};
use super::{Entry, Metric, Pattern};
use crate::family::{Header, Type};

/// What comes before the names of metrics where the configuration does not say.
const PREFIX: &str = "kube_customresource";

pub(super) fn entry(resource: &Spanned<file::Resource>) -> Result<Entry, Wrong> {
    let at = resource.referenced;
    let resource = &resource.value;
    let metrics = resource.metrics.iter().map(|one| metric(resource, one).map(Arc::new));
    Ok(Entry {
        pattern: pattern(&resource.group_version_kind, at)?,
        common: common(&resource.common_labels)?,
        metrics: metrics.collect::<Result<_, _>>()?,
    })
}

fn pattern(meant: &GroupVersionKind, at: Location) -> Result<Pattern, Wrong> {
    let Some(group) = &meant.group else {
        return Err(Wrong::new(at, "a resource needs groupVersionKind.group"));
    };
    if group.value.is_empty() || group.value == "*" {
        let problem = "a group has to be named: only version and kind may be '*'";
        return Err(Wrong::new(group.referenced, problem));
    }
    let any = |text: &Option<String>| text.clone().filter(|text| !text.is_empty() && text != "*");
    let (version, kind) = (any(&meant.version), any(&meant.kind));
    Ok(Pattern { group: group.value.clone(), version, kind })
}

fn common(labels: &Pairs<String>) -> Result<BTreeMap<String, String>, Wrong> {
    let pairs = labels.0.iter().map(|(name, value)| Ok((label(name)?, value.clone())));
    pairs.collect()
}

/// The name of a label as it stands: only those of `labelsFromPath` are made legal.
fn label(name: &Text) -> Result<String, Wrong> {
    check_name(&name.value).map_err(|problem| Wrong::new(name.referenced, problem))?;
    Ok(name.value.clone())
}

fn metric(resource: &file::Resource, metric: &Spanned<file::Metric>) -> Result<Metric, Wrong> {
    let at = metric.referenced;
    let metric = &metric.value;
    let name = name(resource.metric_name_prefix.as_deref(), metric.name.as_ref(), at)?;
    let (kind, each) = each(&metric.each, at)?;
    let level = if metric.error_level == 0 { resource.error_level } else { metric.error_level };
    Ok(Metric {
        header: Header { name, help: metric.help.clone().unwrap_or_default(), kind },
        common: common(&metric.common_labels)?,
        labels: LabelPaths::read(&[&resource.labels_from_path, &metric.labels_from_path])?,
        each,
        said: AtomicBool::new(level > 0),
    })
}

fn name(prefix: Option<&str>, name: Option<&Text>, at: Location) -> Result<String, Wrong> {
    let Some(name) = name.filter(|name| !name.value.is_empty()) else {
        return Err(Wrong::new(at, "a metric needs a name"));
    };
    let whole = match prefix.unwrap_or(PREFIX) {
        "" => name.value.clone(),
        prefix => format!("{prefix}_{}", name.value),
    };
    if !is_metric_name(whole.as_bytes()) {
        let problem = format!("'{whole}' is no name of a metric: [a-zA-Z_:][a-zA-Z0-9_:]*");
        return Err(Wrong::new(name.referenced, problem));
    }
    Ok(whole)
}

fn each(each: &file::Each, at: Location) -> Result<(Type, Each), Wrong> {
    let Some(kind) = &each.kind else {
        return Err(Wrong::new(at, "a metric needs each.type: Gauge, Info or StateSet"));
    };
    let missing = |field| {
        let problem = format!("a metric of type {} needs each.{field}", kind.value);
        move || Wrong::new(kind.referenced, problem)
    };
    match kind.value.to_ascii_lowercase().as_str() {
        "gauge" => {
            let gauge = each.gauge.as_ref().ok_or_else(missing("gauge"))?;
            Ok((Type::Gauge, from_gauge(gauge)?))
        }
        "info" => {
            let info = each.info.as_ref().ok_or_else(missing("info"))?;
            Ok((Type::Info, from_info(info)?))
        }
        "stateset" => {
            let set = each.state_set.as_ref().ok_or_else(missing("stateSet"))?;
            Ok((Type::StateSet, from_state_set(set, kind.referenced)?))
        }
        _ => {
            let problem = format!("no type '{}': Gauge, Info or StateSet", kind.value);
            Err(Wrong::new(kind.referenced, problem))
        }
    }
}

fn from_gauge(gauge: &file::Gauge) -> Result<Each, Wrong> {
    Ok(Each {
        path: Path::read(&gauge.path)?,
        labels: LabelPaths::read(&[&gauge.labels_from_path])?,
        rule: Rule::Gauge {
            value_from: Path::read(&gauge.value_from)?,
            key: key(gauge.label_from_key.as_ref())?,
            nil_is_zero: gauge.nil_is_zero,
        },
    })
}

fn from_info(info: &file::Info) -> Result<Each, Wrong> {
    Ok(Each {
        path: Path::read(&info.path)?,
        labels: LabelPaths::read(&[&info.labels_from_path])?,
        rule: Rule::Info { key: key(info.label_from_key.as_ref())? },
    })
}

fn from_state_set(set: &file::StateSet, at: Location) -> Result<Each, Wrong> {
    let Some(name) = &set.label_name else {
        return Err(Wrong::new(at, "a metric of type StateSet needs each.stateSet.labelName"));
    };
    Ok(Each {
        path: Path::read(&set.path)?,
        labels: LabelPaths::read(&[&set.labels_from_path])?,
        rule: Rule::StateSet {
            value_from: Path::read(&set.value_from)?,
            label: label(name)?,
            states: set.list.to_vec(),
        },
    })
}

fn key(name: Option<&Text>) -> Result<Option<String>, Wrong> {
    name.filter(|name| !name.value.is_empty()).map(label).transpose()
}
