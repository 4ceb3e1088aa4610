//! One textfile: the text format 0.0.4, read into families.

use std::borrow::Cow;
use std::collections::HashMap;

use exporter_toolkit::Kind;
use exporter_toolkit::line::{self, Header, Keyword, Line, Sample};
use exporter_toolkit::name::{LabelName, MetricName, is_label_name, is_metric_name};

use super::family::{Compound, Data, Family, LeftOut, Metric, REPEATED, Role, number};

/// Label names that one family may have.
const LABELS_LIMIT: usize = 256;
/// Label values that a file's metrics may have, those counted that a metric lacks and others of its family have.
const VALUES_LIMIT: usize = 4_000_000;

/// The families of one file, in the order in which it names them.
#[derive(Debug)]
pub(super) struct Parsed {
    pub(super) families: Vec<Family>,
    pub(super) omitted: Option<Omitted>,
}

/// Samples that were left out, and why the first one was.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Omitted {
    pub(super) samples: usize,
    pub(super) first_line: usize,
    pub(super) problem: &'static str,
}

/// Why a file is refused as a whole.
#[derive(Debug, thiserror::Error)]
#[error("line {line}: {problem}: {text:?}")]
pub(super) struct Refused {
    line: usize,
    problem: &'static str,
    text: String,
}

/// Reads a whole file; anything malformed refuses it, as half a file is no measurement.
pub(super) fn parse(text: &[u8]) -> Result<Parsed, Refused> {
    let mut reader = Reader::default();
    for (number, raw) in (1..).zip(text.split_inclusive(|&byte| byte == b'\n')) {
        reader.line(number, raw).map_err(|problem| {
            let shown = String::from_utf8_lossy(raw.trim_ascii()).chars().take(120).collect();
            Refused { line: number, problem, text: shown }
        })?;
    }
    let values = |draft: &Draft| draft.metrics.len() * draft.labels.len();
    if reader.drafts.iter().map(values).sum::<usize>() > VALUES_LIMIT {
        let problem =
            "too many samples for so many different labels, give each family fewer labels";
        return Err(Refused { line: 1, problem, text: String::new() });
    }
    let families = reader.drafts.into_iter().filter_map(Draft::finish).collect();
    Ok(Parsed { families, omitted: reader.omitted })
}

/// A family while its file is being read.
#[derive(Debug, Default)]
struct Draft {
    name: MetricName,
    kind: Option<Kind>,
    help: Option<String>,
    labels: Vec<LabelName>,
    metrics: Vec<Partial>,
    /// Which metric has this label set; for the form of the keys see [`Draft::key`].
    series: HashMap<Box<[u8]>, usize>,
}

#[derive(Debug)]
struct Partial {
    /// Index of the label's name, and its value.
    labels: Vec<(usize, Box<str>)>,
    data: Data,
}

const SUFFIXES: [(&[u8], Role); 3] =
    [(b"_sum", Role::Sum), (b"_count", Role::Count), (b"_bucket", Role::Bucket)];

#[derive(Debug, Default)]
struct Reader {
    drafts: Vec<Draft>,
    by_name: HashMap<Box<[u8]>, usize>,
    omitted: Option<Omitted>,
}

impl Reader {
    fn line(&mut self, number: usize, raw: &[u8]) -> Result<(), &'static str> {
        let line = match (Line::parse(raw), raw.trim_ascii_start().strip_prefix(b"#")) {
            // The text format has no end mark: it is a comment like any other.
            (Some(Line::Eof) | None, Some(_)) => Line::Blank,
            // The peer wants no blank behind the hash of a header.
            (Some(Line::Blank), Some(rest))
                if rest.starts_with(b"TYPE") || rest.starts_with(b"HELP") =>
            {
                return self.line(number, &[b"# ", rest].concat());
            }
            (Some(line), _) => line,
            (None, None) => return Err("malformed, expected NAME{LABEL=\"VALUE\",…} NUMBER"),
        };
        if !raw.ends_with(b"\n") && line != Line::Blank {
            return Err("the file ends within a line, write it whole and rename it into place");
        }
        match line {
            Line::Blank | Line::Eof => Ok(()),
            Line::Header(header) => self.header(&header),
            Line::Sample(sample) => self.sample(number, &sample),
        }
    }

    fn header(&mut self, header: &Header<'_>) -> Result<(), &'static str> {
        if header.keyword == Keyword::Unit {
            return Ok(());
        }
        if !is_metric_name(header.family) {
            return Err("not a metric name");
        }
        if header.text.is_empty() {
            return Ok(());
        }
        let draft = self.draft(header.family);
        if header.keyword == Keyword::Help {
            if draft.help.is_some() {
                return Err("a second HELP line for this metric");
            }
            draft.help = Some(text(header.text));
            return Ok(());
        }
        if draft.kind.is_some() {
            return Err("a second TYPE line for this metric, or one after its first sample");
        }
        draft.kind = Some(kind(header.text).ok_or(
            "unknown type, the text format has counter, gauge, histogram, summary and untyped",
        )?);
        Ok(())
    }

    fn sample(&mut self, line: usize, sample: &Sample<'_>) -> Result<(), &'static str> {
        if sample.exemplar.is_some() {
            return Err("the text format has no exemplars");
        }
        if sample.timestamp.is_some() {
            return Err("samples with a timestamp are not supported, leave it out");
        }
        if !is_metric_name(sample.name) {
            return Err("not a metric name");
        }
        let value = number(sample.value).ok_or("the value is not a number")?;
        let (draft, role) = self.place(sample.name);
        if let Some(problem) = draft.add(role, sample, value)? {
            let first = Omitted { samples: 0, first_line: line, problem };
            self.omitted.get_or_insert(first).samples += 1;
        }
        Ok(())
    }

    /// The family of exactly this name, else the summary or histogram that it is a part of, else a new one.
    fn place(&mut self, name: &[u8]) -> (&mut Draft, Role) {
        let part_of = |(suffix, role): &(&[u8], Role)| {
            let at = *self.by_name.get(name.strip_suffix(*suffix)?)?;
            let whole = match self.drafts[at].kind? {
                Kind::Histogram => true,
                Kind::Summary => *role != Role::Bucket,
                _ => false,
            };
            whole.then_some((at, *role))
        };
        let exact = self.by_name.get(name).map(|&at| (at, Role::Bare));
        match exact.or_else(|| SUFFIXES.iter().find_map(part_of)) {
            Some((at, role)) => (&mut self.drafts[at], role),
            None => (self.draft(name), Role::Bare),
        }
    }

    fn draft(&mut self, name: &[u8]) -> &mut Draft {
        let at = self.by_name.get(name).copied().unwrap_or(self.drafts.len());
        if at == self.drafts.len() {
            self.by_name.insert(name.into(), at);
            let name = MetricName::sanitize(&[&String::from_utf8_lossy(name)]);
            self.drafts.push(Draft { name, ..Draft::default() });
        }
        &mut self.drafts[at]
    }
}

impl Draft {
    /// Takes a sample, or says why it is left out.
    fn add(
        &mut self,
        role: Role,
        sample: &Sample<'_>,
        value: f64,
    ) -> Result<LeftOut, &'static str> {
        let kind = *self.kind.get_or_insert(Kind::Untyped);
        let point_label: &[u8] = match kind {
            Kind::Summary => b"quantile",
            Kind::Histogram => b"le",
            _ => b"",
        };
        let (labels, bound) = self.labels(sample, point_label)?;
        let key = Self::key(&labels);
        let known = self.series.get(&key).copied();
        let at = known.unwrap_or(self.metrics.len());
        if known.is_none() {
            let data = if point_label.is_empty() {
                Data::Value(value)
            } else {
                Data::Compound(Compound::default())
            };
            self.series.insert(key, at);
            self.metrics.push(Partial { labels, data });
        }
        match &mut self.metrics[at].data {
            Data::Value(_) => Ok(known.and(REPEATED)),
            Data::Compound(compound) => compound.add(role, bound, value),
        }
    }

    /// The sample's labels but for the bound of a bucket or quantile, which comes as text.
    #[expect(clippy::type_complexity, reason = "a label set and the bound taken out of it")]
    fn labels<'a>(
        &mut self,
        sample: &Sample<'a>,
        point_label: &[u8],
    ) -> Result<(Vec<(usize, Box<str>)>, Option<&'a [u8]>), &'static str> {
        let (mut labels, mut bound) = (Vec::<(usize, Box<str>)>::new(), None);
        for (name, value) in sample.labels.iter() {
            if name == point_label {
                bound = Some(value);
                continue;
            }
            if !is_label_name(name) {
                return Err("not a label name");
            }
            if name.starts_with(b"__") {
                return Err("label names that start with __ belong to Prometheus");
            }
            let at = self.label_index(name);
            if at >= LABELS_LIMIT {
                return Err("more than 256 different label names in one family");
            }
            if labels.iter().any(|(other, _)| *other == at) {
                return Err("a label stands twice");
            }
            labels.push((at, text(value).into()));
        }
        labels.sort_unstable_by_key(|(at, _)| *at);
        Ok((labels, bound))
    }

    fn label_index(&mut self, name: &[u8]) -> usize {
        let known = self.labels.iter().position(|label| label.as_str().as_bytes() == name);
        known.unwrap_or_else(|| {
            self.labels.push(LabelName::sanitize(&String::from_utf8_lossy(name)));
            self.labels.len() - 1
        })
    }

    /// A label set as bytes; an empty value is no label, and the byte that ends a value is none of UTF-8.
    fn key(labels: &[(usize, Box<str>)]) -> Box<[u8]> {
        let mut key = Vec::new();
        for (at, value) in labels.iter().filter(|(_, value)| !value.is_empty()) {
            key.extend_from_slice(&at.to_le_bytes());
            key.extend_from_slice(value.as_bytes());
            key.push(0xff);
        }
        key.into()
    }

    /// Sorts the labels and gives every metric all of them; a family without a metric is none.
    fn finish(self) -> Option<Family> {
        let kind = self.kind?;
        if self.metrics.is_empty() {
            return None;
        }
        let mut order: Vec<usize> = (0..self.labels.len()).collect();
        order.sort_unstable_by_key(|&at| &self.labels[at]);
        let finish = |mut metric: Partial| {
            if let Data::Compound(compound) = &mut metric.data {
                compound.finish(kind);
            }
            let mut value = |at: &usize| {
                let found = metric.labels.iter_mut().find(|(label, _)| label == at);
                found.map(|(_, value)| std::mem::take(value)).unwrap_or_default()
            };
            Metric { values: order.iter().map(&mut value).collect(), data: metric.data }
        };
        let metrics = self.metrics.into_iter().map(finish).collect();
        let labels = order.iter().map(|&at| self.labels[at].clone()).collect();
        Some(Family { name: self.name, kind, help: self.help, labels, metrics })
    }
}

/// Text without its escaping; bytes that are not UTF-8 become U+FFFD.
fn text(raw: &[u8]) -> String {
    match line::unescape(raw) {
        Cow::Borrowed(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        Cow::Owned(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
    }
}

fn kind(word: &[u8]) -> Option<Kind> {
    let kinds = [Kind::Counter, Kind::Gauge, Kind::Untyped, Kind::Summary, Kind::Histogram];
    kinds.into_iter().find(|kind| word.eq_ignore_ascii_case(kind.word().as_bytes()))
}

#[cfg(test)]
mod tests;
