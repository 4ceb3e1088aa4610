//! Families that several textfiles give: one header, no series twice.

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use exporter_toolkit::exposition::DynamicSamples;
use exporter_toolkit::name::{LabelName, MetricName};
use exporter_toolkit::{Exposition, Kind};

use super::parse::{Compound, Data, Family, Metric, Parsed};

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
        let mut plan = Self::default();
        let mut merged = BTreeMap::<String, Merged>::new();
        for file in files {
            plan.note_repeated(file);
            for at in 0..file.parsed.families.len() {
                let part = Part { file: file.clone(), family: at, left_out: HashSet::new() };
                let name = part.family().name.as_str().to_owned();
                let problem = if taken.contains(&name.as_str()) {
                    Some("this name is the collector's own, choose another")
                } else if let Some(earlier) = merged.get_mut(&name) {
                    earlier.join(part, &mut plan.problems)
                } else {
                    merged.insert(name.clone(), Merged::new(part));
                    None
                };
                if let Some(problem) = problem {
                    plan.problems.push(format!(
                        "{}: {name} is left out: {problem}",
                        file.path.display()
                    ));
                }
            }
        }
        plan.leave_out_clashes(&mut merged);
        plan.families = merged.into_values().collect();
        for family in &mut plan.families {
            family.help.get_or_insert_with(|| files_of(&family.parts));
        }
        plan
    }

    fn note_repeated(&mut self, file: &Good) {
        if let Some(repeated) = file.parsed.repeated {
            self.problems.push(format!(
                "{}: {} samples are left out, from line {} on: an earlier line has their name and labels",
                file.path.display(),
                repeated.samples,
                repeated.first_line
            ));
        }
    }

    /// A family named like a part of a summary or histogram would give that part's series once more.
    fn leave_out_clashes(&mut self, merged: &mut BTreeMap<String, Merged>) {
        let compound = |family: &&Merged| matches!(family.kind, Kind::Summary | Kind::Histogram);
        let parts: Vec<String> = merged
            .values()
            .filter(compound)
            .flat_map(|family| ["_sum", "_count", "_bucket"].map(|s| family.name.as_str().to_owned() + s))
            .collect();
        for name in parts {
            if let Some(family) = merged.remove(&name) {
                let file = family.parts[0].file.path.display().to_string();
                self.problems.push(format!(
                    "{file}: {name} is left out: a summary or histogram has samples of this name"
                ));
            }
        }
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

impl Merged {
    fn new(part: Part) -> Self {
        let family = part.family();
        let (name, kind, help) = (family.name.clone(), family.kind, family.help.clone());
        Self { name, kind, help, parts: vec![part] }
    }

    /// Takes the same family of a later file, or says why it cannot be taken.
    fn join(&mut self, mut part: Part, problems: &mut Vec<String>) -> Option<&'static str> {
        let family = part.family();
        if family.kind != self.kind {
            return Some("an earlier file gives it with another TYPE, make them equal");
        }
        match (&self.help, &family.help) {
            (Some(earlier), Some(help)) if earlier != help => {
                return Some("an earlier file gives it with another HELP, make them equal");
            }
            (None, Some(help)) => self.help = Some(help.clone()),
            _ => {}
        }
        let seen: HashSet<_> =
            self.parts.iter().map(Part::family).flat_map(|f| f.metrics.iter().map(|m| key(f, m))).collect();
        let metrics = family.metrics.iter().enumerate();
        let left_out: HashSet<usize> =
            metrics.filter(|(_, metric)| seen.contains(&key(family, metric))).map(|(i, _)| i).collect();
        if !left_out.is_empty() {
            problems.push(format!(
                "{}: {} series of {} are left out: an earlier file gives them",
                part.file.path.display(),
                left_out.len(),
                self.name.as_str()
            ));
        }
        part.left_out = left_out;
        self.parts.push(part);
        None
    }
}

/// The labels that have a value; the names are sorted.
fn key<'a>(family: &'a Family, metric: &'a Metric) -> Vec<(&'a str, &'a str)> {
    let pairs = family.labels.iter().map(LabelName::as_str).zip(metric.values.iter().map(|v| &**v));
    pairs.filter(|(_, value)| !value.is_empty()).collect()
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
            for point in points {
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
        assert!(problems[0].starts_with("1.prom: m is left out: an earlier file gives it with another HELP"));
        assert!(problems[1].starts_with("2.prom: m is left out: an earlier file gives it with another TYPE"));
    }

    #[test]
    fn a_series_that_two_files_give_is_written_once() {
        let (text, problems) = merged(&["m{a=\"\",b=\"1\"} 1\n", "m{b=\"1\"} 2\nm{b=\"2\"} 3\n"]);
        assert!(text.ends_with("m{a=\"\",b=\"1\"} 1\nm{b=\"2\"} 3\n"), "{text}");
        assert_eq!(problems, ["1.prom: 1 series of m are left out: an earlier file gives them"]);
    }

    #[test]
    fn names_of_the_collector_and_of_a_summarys_parts_are_left_out() {
        let (text, problems) = merged(&["# TYPE s summary\ns_sum 1\n", "own 1\ns_count 7\n"]);
        assert!(text.ends_with("# TYPE s summary\ns_sum 1\ns_count 0\n"), "{text}");
        assert_eq!(problems.len(), 2);
    }
}
