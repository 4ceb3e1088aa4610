//! Families that several textfiles give: one header, no series twice.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use exporter_toolkit::exposition::DynamicSamples;
use exporter_toolkit::name::{LabelName, MetricName};
use exporter_toolkit::{Exposition, Kind};

use super::family::{Compound, Data, Family, Metric};
use super::parse::Parsed;

static LE: LabelName = LabelName::fixed("le");
static QUANTILE: LabelName = LabelName::fixed("quantile");

/// A file that was read well.
#[derive(Clone, Debug)]
pub(super) struct Good {
    pub(super) path: PathBuf,
    pub(super) parsed: Arc<Parsed>,
}

/// What is written at a scrape, as long as no file changes.
#[derive(Debug, Default)]
pub(super) struct Plan {
    families: Vec<Merged>,
    /// What was left out, and why.
    pub(super) problems: Vec<String>,
}

#[derive(Debug)]
struct Merged {
    name: MetricName,
    kind: Kind,
    help: Option<String>,
    parts: Vec<Part>,
}

/// What one file gives of a family.
#[derive(Debug)]
struct Part {
    file: Good,
    family: usize,
    /// Metrics that an earlier part has, by their index.
    left_out: HashSet<usize>,
}

impl Part {
    fn family(&self) -> &Family {
        &self.file.parsed.families[self.family]
    }
}

impl Plan {
    /// Merges the families of all files; where they contradict each other, the earlier file is right.
    /// Names in `taken` are the collector's own.
    pub(super) fn new(files: &[Good], taken: &[&str]) -> Self {
        let mut merger = Merger::default();
        for file in files {
            merger.note_omitted(file);
            for family in 0..file.parsed.families.len() {
                merger.add(Part { file: file.clone(), family, left_out: HashSet::new() }, taken);
            }
        }
        merger.leave_out_clashes();
        let mut families: Vec<Merged> = merger.found.into_values().map(|one| one.family).collect();
        for family in &mut families {
            family.help.get_or_insert_with(|| files_of(&family.parts));
        }
        Self { families, problems: merger.problems }
    }

    pub(super) fn write(&self, out: &mut Exposition) {
        for family in &self.families {
            let help = family.help.as_deref().unwrap_or_default();
            let mut samples = out.dynamic(&family.name, family.kind, help);
            for part in &family.parts {
                let source = part.family();
                for (i, metric) in source.metrics.iter().enumerate() {
                    if part.left_out.is_empty() || !part.left_out.contains(&i) {
                        write_metric(source, metric, &mut samples);
                    }
                }
            }
        }
    }
}

/// The families so far, and what could not be taken.
#[derive(Default)]
struct Merger {
    found: BTreeMap<String, Merging>,
    problems: Vec<String>,
}

struct Merging {
    family: Merged,
    /// How many families stood before it.
    order: usize,
    /// The label sets that it has, once a second file gives it.
    seen: HashSet<Box<[u8]>>,
}

impl Merger {
    fn note_omitted(&mut self, file: &Good) {
        if let Some(omitted) = file.parsed.omitted {
            self.problems.push(format!(
                "{}: {} samples are left out, the first at line {}: {}",
                file.path.display(),
                omitted.samples,
                omitted.first_line,
                omitted.problem
            ));
        }
    }

    fn add(&mut self, part: Part, taken: &[&str]) {
        let name = part.family().name.as_str().to_owned();
        let file = part.file.path.display().to_string();
        let order = self.found.len();
        let problem = if taken.contains(&name.as_str()) {
            Some("this name is the collector's own, choose another".to_owned())
        } else {
            match self.found.entry(name.clone()) {
                Entry::Occupied(mut earlier) => earlier.get_mut().join(part),
                Entry::Vacant(place) => {
                    place.insert(Merging::new(part, order));
                    None
                }
            }
        };
        if let Some(problem) = problem {
            self.problems.push(format!("{file}: {name} is left out: {problem}"));
        }
    }

    /// A family named like a part of a summary or histogram would give that part's series once more: the later goes.
    fn leave_out_clashes(&mut self) {
        let mut later = Vec::new();
        for (name, one) in &self.found {
            if !matches!(one.family.kind, Kind::Summary | Kind::Histogram) {
                continue;
            }
            for suffix in ["_sum", "_count", "_bucket"] {
                let part = format!("{name}{suffix}");
                if let Some(other) = self.found.get(&part) {
                    let whole_is_later = one.order > other.order;
                    later.push(if whole_is_later {
                        (name.clone(), part)
                    } else {
                        (part, name.clone())
                    });
                }
            }
        }
        for (name, earlier) in later {
            if let Some(one) = self.found.remove(&name) {
                let file = one.family.parts[0].file.path.display().to_string();
                self.problems.push(format!(
                    "{file}: {name} is left out: {earlier}, which comes earlier, has samples of the same name"
                ));
            }
        }
    }
}

impl Merging {
    fn new(part: Part, order: usize) -> Self {
        let family = part.family();
        let (name, kind, help) = (family.name.clone(), family.kind, family.help.clone());
        let family = Merged { name, kind, help, parts: vec![part] };
        Self { family, order, seen: HashSet::new() }
    }

    /// Takes the same family of a later file, or says what of it cannot be taken.
    fn join(&mut self, mut part: Part) -> Option<String> {
        let family = part.family();
        if family.kind != self.family.kind {
            return Some("an earlier file gives it with another TYPE, make them equal".to_owned());
        }
        match (&self.family.help, &family.help) {
            (Some(earlier), Some(help)) if earlier != help => {
                return Some(
                    "an earlier file gives it with another HELP, make them equal".to_owned(),
                );
            }
            (None, Some(help)) => self.family.help = Some(help.clone()),
            _ => {}
        }
        if self.seen.is_empty() {
            let first = self.family.parts[0].family();
            self.seen.extend(first.metrics.iter().map(|metric| key(first, metric)));
        }
        let metrics = family.metrics.iter().enumerate();
        let repeated = metrics.filter(|(_, metric)| !self.seen.insert(key(family, metric)));
        let left_out: HashSet<usize> = repeated.map(|(i, _)| i).collect();
        let count = left_out.len();
        part.left_out = left_out;
        self.family.parts.push(part);
        (count > 0).then(|| format!("{count} series of it, which an earlier file gives"))
    }
}

/// The labels that have a value, sorted as they are; the byte that ends a value is none of UTF-8.
fn key(family: &Family, metric: &Metric) -> Box<[u8]> {
    let mut key = Vec::new();
    for (name, value) in family.labels.iter().zip(&metric.values) {
        if !value.is_empty() {
            for text in [name.as_str(), value] {
                key.extend_from_slice(text.as_bytes());
                key.push(0xff);
            }
        }
    }
    key.into()
}

/// The help text of a family whose files give none: the peer's words, as dashboards show them.
fn files_of(parts: &[Part]) -> String {
    let path = |part: &Part| Path::display(&part.file.path).to_string();
    format!("Metric read from {}", parts.iter().map(path).collect::<Vec<_>>().join(", "))
}

fn write_metric(family: &Family, metric: &Metric, samples: &mut DynamicSamples<'_, &str>) {
    let labels = || family.labels.iter().zip(metric.values.iter().map(|value| &**value));
    match &metric.data {
        Data::Value(value) => samples.sample(labels(), *value),
        Data::Compound(Compound { points, sum, count }) => {
            let (suffix, name) = match family.kind {
                Kind::Histogram => ("_bucket", &LE),
                _ => ("", &QUANTILE),
            };
            for point in points.values() {
                samples.suffixed(suffix, labels().chain([(name, &*point.text)]), point.value);
            }
            samples.suffixed("_sum", labels(), sum.unwrap_or(0.0));
            samples.suffixed("_count", labels(), count.unwrap_or(0.0));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collector::textfile::parse::parse;
    use exporter_toolkit::Format;

    fn merged(texts: &[&str]) -> (String, Vec<String>) {
        let file = |(i, text): (usize, &&str)| Good {
            path: format!("{i}.prom").into(),
            parsed: Arc::new(parse(text.as_bytes()).unwrap()),
        };
        let files: Vec<Good> = texts.iter().enumerate().map(file).collect();
        let plan = Plan::new(&files, &["own"]);
        let mut out = Exposition::new(Format::Text);
        plan.write(&mut out);
        (String::from_utf8(out.text().to_vec()).unwrap(), plan.problems)
    }

    #[test]
    fn a_missing_help_text_takes_the_other_files() {
        let (text, problems) = merged(&["m{f=\"0\"} 1\n", "# HELP m Words.\nm{f=\"1\"} 2\n"]);
        assert_eq!(text, "# HELP m Words.\n# TYPE m untyped\nm{f=\"0\"} 1\nm{f=\"1\"} 2\n");
        assert!(problems.is_empty());
    }

    #[test]
    fn without_any_help_text_all_files_are_named() {
        let (text, _) = merged(&["m{f=\"0\"} 1\n", "n 1\n", "m{f=\"1\"} 2\n"]);
        assert!(text.starts_with("# HELP m Metric read from 0.prom, 2.prom\n"), "{text}");
    }

    #[test]
    fn a_file_that_contradicts_an_earlier_one_loses_that_family_only() {
        let (text, problems) =
            merged(&["# HELP m A.\nm 1\n", "# HELP m B.\nm 2\n", "# TYPE m gauge\nm 3\nn 4\n"]);
        assert!(text.contains("\nm 1\n") && text.contains("\nn 4\n"), "{text}");
        assert!(!text.contains("\nm 2") && !text.contains("\nm 3"), "{text}");
        assert_eq!(problems.len(), 2);
        assert!(
            problems[0]
                .starts_with("1.prom: m is left out: an earlier file gives it with another HELP")
        );
        assert!(
            problems[1]
                .starts_with("2.prom: m is left out: an earlier file gives it with another TYPE")
        );
    }

    #[test]
    fn a_series_that_two_files_give_is_written_once() {
        let (text, problems) = merged(&["m{a=\"\",b=\"1\"} 1\n", "m{b=\"1\"} 2\nm{b=\"2\"} 3\n"]);
        assert!(text.ends_with("m{a=\"\",b=\"1\"} 1\nm{b=\"2\"} 3\n"), "{text}");
        assert_eq!(
            problems,
            ["1.prom: m is left out: 1 series of it, which an earlier file gives"]
        );
    }

    #[test]
    fn names_of_the_collector_and_of_a_summarys_parts_are_left_out() {
        let (text, problems) = merged(&["# TYPE s summary\ns_sum 1\n", "own 1\ns_count 7\n"]);
        assert!(text.ends_with("# TYPE s summary\ns_sum 1\ns_count 0\n"), "{text}");
        assert_eq!(problems.len(), 2);
        let (text, problems) = merged(&["s_count 7\n", "# TYPE s summary\ns_sum 1\n"]);
        assert!(text.ends_with("# TYPE s_count untyped\ns_count 7\n"), "{text}");
        assert_eq!(problems.len(), 1);
    }
}
