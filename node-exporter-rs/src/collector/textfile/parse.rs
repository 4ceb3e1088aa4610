//! One textfile: the text format 0.0.4, read into families.

use std::borrow::Cow;
use std::collections::HashMap;

use exporter_toolkit::Kind;
use exporter_toolkit::line::{self, Header, Keyword, Line, Sample};
use exporter_toolkit::name::{LabelName, MetricName, is_label_name, is_metric_name};
use exporter_toolkit::number::write_float;

/// The families of one file, in the order in which it names them.
#[derive(Debug)]
pub(super) struct Parsed {
    pub(super) families: Vec<Family>,
    pub(super) repeated: Option<Repeated>,
}

/// Samples that give a series a second time; the first one counts.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Repeated {
    pub(super) first_line: usize,
    pub(super) samples: usize,
}

/// A family that has samples.
#[derive(Debug)]
pub(super) struct Family {
    pub(super) name: MetricName,
    pub(super) kind: Kind,
    pub(super) help: Option<String>,
    /// All label names that any of its metrics has, sorted.
    pub(super) labels: Vec<LabelName>,
    pub(super) metrics: Vec<Metric>,
}

/// One value, or one summary or histogram.
#[derive(Debug)]
pub(super) struct Metric {
    /// One for each of the family's labels; empty where the file does not give it.
    pub(super) values: Vec<Box<str>>,
    pub(super) data: Data,
}

#[derive(Debug)]
pub(super) enum Data {
    Value(f64),
    Compound(Compound),
}

/// The parts of a summary or histogram; what the file does not give of sum and count is 0, as the peer has it.
#[derive(Debug, Default)]
pub(super) struct Compound {
    /// Sorted by their bound.
    pub(super) points: Vec<Point>,
    pub(super) sum: Option<f64>,
    pub(super) count: Option<f64>,
}

/// A bucket or a quantile.
#[derive(Debug)]
pub(super) struct Point {
    bound: f64,
    /// The bound as a label's value, in one spelling whatever the file's.
    pub(super) text: Box<str>,
    pub(super) value: f64,
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
    let families = reader.drafts.into_iter().filter_map(Draft::finish).collect();
    Ok(Parsed { families, repeated: reader.repeated })
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

/// What a sample's name says of its place in the family.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Role {
    Bare,
    Sum,
    Count,
    Bucket,
}

const SUFFIXES: [(&[u8], Role); 3] =
    [(b"_sum", Role::Sum), (b"_count", Role::Count), (b"_bucket", Role::Bucket)];

#[derive(Debug, Default)]
struct Reader {
    drafts: Vec<Draft>,
    by_name: HashMap<Box<[u8]>, usize>,
    repeated: Option<Repeated>,
}

impl Reader {
    fn line(&mut self, number: usize, raw: &[u8]) -> Result<(), &'static str> {
        let expected = "malformed, expected NAME{LABEL=\"VALUE\",…} NUMBER";
        let line = Line::parse(raw.strip_suffix(b"\n").unwrap_or(raw)).ok_or(expected)?;
        if !raw.ends_with(b"\n") && line != Line::Blank {
            return Err("the file ends within a line, write it whole and rename it into place");
        }
        match line {
            // The text format has no end mark: it is a comment like any other.
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

    fn sample(&mut self, number: usize, sample: &Sample<'_>) -> Result<(), &'static str> {
        if sample.exemplar.is_some() {
            return Err("the text format has no exemplars");
        }
        if sample.timestamp.is_some() {
            return Err("samples with a timestamp are not supported, leave it out");
        }
        if !is_metric_name(sample.name) {
            return Err("not a metric name");
        }
        let value = finite_or_named(sample.value).ok_or("the value is not a number")?;
        let (draft, role) = self.place(sample.name);
        if !draft.add(role, sample, value)? {
            let repeated =
                self.repeated.get_or_insert(Repeated { first_line: number, samples: 0 });
            repeated.samples += 1;
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
    /// Takes a sample; false where the series has that value already.
    fn add(&mut self, role: Role, sample: &Sample<'_>, value: f64) -> Result<bool, &'static str> {
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
            Data::Value(_) => Ok(known.is_none()),
            Data::Compound(compound) => compound.add(kind, role, bound, value),
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

impl Compound {
    /// Takes one part; false where it is there already.
    fn add(
        &mut self,
        kind: Kind,
        role: Role,
        bound: Option<&[u8]>,
        value: f64,
    ) -> Result<bool, &'static str> {
        let part = match (kind, role) {
            (_, Role::Sum) => &mut self.sum,
            (_, Role::Count) => &mut self.count,
            (Kind::Summary, Role::Bare) | (Kind::Histogram, Role::Bucket) => {
                return self.add_point(bound.ok_or("no label that gives its bound")?, value);
            }
            _ => return Err("a histogram has samples named _bucket, _sum and _count only"),
        };
        let is_new = part.is_none();
        part.get_or_insert(value);
        Ok(is_new)
    }

    fn add_point(&mut self, bound: &[u8], value: f64) -> Result<bool, &'static str> {
        let bound = finite_or_named(bound).ok_or("the bound of a bucket or quantile is no number")?;
        let is_new = self.points.iter().all(|point| point.bound.total_cmp(&bound).is_ne());
        if is_new {
            self.points.push(Point::new(bound, value));
        }
        Ok(is_new)
    }

    /// Sorts; a histogram has a bucket for all, which is its count.
    fn finish(&mut self, kind: Kind) {
        self.points.sort_unstable_by(|a, b| a.bound.total_cmp(&b.bound));
        let open = self.points.last().is_none_or(|last| last.bound < f64::INFINITY);
        if kind == Kind::Histogram && open {
            self.points.push(Point::new(f64::INFINITY, self.count.unwrap_or(0.0)));
        }
    }
}

impl Point {
    fn new(bound: f64, value: f64) -> Self {
        let mut text = Vec::new();
        write_float(bound, &mut text);
        Self { bound, text: String::from_utf8_lossy(&text).into(), value }
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

/// A number that a float can hold; what is too large for one is no number, as in Go.
fn finite_or_named(text: &[u8]) -> Option<f64> {
    let value: f64 = std::str::from_utf8(text).ok()?.parse().ok()?;
    let overflow = value.is_infinite() && text.iter().any(u8::is_ascii_digit);
    (!overflow).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn refused(text: &str) -> String {
        parse(text.as_bytes()).unwrap_err().to_string()
    }

    fn values(family: &Family) -> Vec<(Vec<&str>, f64)> {
        let row = |metric: &Metric| match &metric.data {
            Data::Value(value) => *value,
            Data::Compound(compound) => compound.sum.unwrap_or_default(),
        };
        let labels = |m: &'_ Metric| m.values.iter().map(|v| String::from(&**v)).collect::<Vec<_>>();
        let rows = family.metrics.iter();
        rows.map(|m| (labels(m).leak().iter().map(String::as_str).collect(), row(m))).collect()
    }

    #[test]
    fn label_sets_are_padded_and_sorted_by_name() {
        let parsed = parse(b"m{z=\"1\",a=\"2\"} 1\nm{b=\"3\"} 2\n# HELP m Late \\\\ help.\n").unwrap();
        let family = &parsed.families[0];
        let names: Vec<_> = family.labels.iter().map(LabelName::as_str).collect();
        assert_eq!(names, ["a", "b", "z"]);
        assert_eq!(values(family), [(vec!["2", "", "1"], 1.0), (vec!["", "3", ""], 2.0)]);
        assert_eq!((family.kind, family.help.as_deref()), (Kind::Untyped, Some("Late \\ help.")));
    }

    #[test]
    fn a_histogram_without_an_open_bucket_gets_one_from_its_count() {
        let text = b"# TYPE h histogram\nh_bucket{le=\"10.0\"} 2\nh_bucket{le=\"2e-1\"} 1\nh_count 3\n";
        let parsed = parse(text).unwrap();
        let Data::Compound(compound) = &parsed.families[0].metrics[0].data else { panic!() };
        let points: Vec<_> = compound.points.iter().map(|p| (&*p.text, p.value)).collect();
        assert_eq!(points, [("0.2", 1.0), ("10", 2.0), ("+Inf", 3.0)]);
    }

    #[test]
    fn a_family_of_the_exact_name_wins_over_a_summarys_part() {
        let parsed = parse(b"# TYPE s_sum gauge\n# TYPE s summary\ns_sum 4\ns_count 2\n").unwrap();
        let names: Vec<_> = parsed.families.iter().map(|f| f.name.as_str()).collect();
        assert_eq!(names, ["s_sum", "s"]);
        assert_eq!(parsed.families[0].kind, Kind::Gauge);
    }

    #[test]
    fn a_repeated_series_is_counted_and_the_first_stays() {
        let parsed = parse(b"m{a=\"1\",b=\"\"} 1\nm{a=\"1\"} 2\nm{b=\"\",a=\"1\"} 3\n").unwrap();
        assert_eq!(values(&parsed.families[0]), [(vec!["1", ""], 1.0)]);
        assert_eq!(parsed.repeated, Some(Repeated { first_line: 2, samples: 2 }));
    }

    #[test]
    fn headers_without_samples_and_an_empty_help_say_nothing() {
        let parsed = parse(b"# HELP m \n# TYPE n gauge\n# EOF\nm 1\n\n  ").unwrap();
        assert_eq!(parsed.families.len(), 1);
        assert_eq!(parsed.families[0].help, None);
    }

    #[test]
    fn foreign_bytes_in_a_label_become_replacement_characters() {
        let parsed = parse(b"m{a=\"\xff\"} 1\n").unwrap();
        assert_eq!(values(&parsed.families[0]), [(vec!["\u{fffd}"], 1.0)]);
    }

    #[test]
    fn a_malformed_file_is_refused_with_its_line() {
        for (text, problem) in [
            ("a 1\nb 2 1441205977284\n", "line 2: samples with a timestamp"),
            ("a 1 # {x=\"y\"} 1\n", "line 1: the text format has no exemplars"),
            ("a x\n", "line 1: the value is not a number"),
            ("a 1e999\n", "line 1: the value is not a number"),
            ("a 12", "line 1: the file ends within a line"),
            ("a{b=1} 1\n", "line 1: malformed"),
            ("a{b=\"1\",b=\"2\"} 1\n", "line 1: a label stands twice"),
            ("a{__b=\"1\"} 1\n", "line 1: label names that start with __"),
            ("a{b-c=\"1\"} 1\n", "line 1: not a label name"),
            ("a-b 1\n", "line 1: not a metric name"),
            ("# TYPE a-b gauge\n", "line 1: not a metric name"),
            ("# TYPE a info\n", "line 1: unknown type"),
            ("a 1\n# TYPE a gauge\n", "line 2: a second TYPE line"),
            ("# HELP a A.\n# HELP a A.\n", "line 2: a second HELP line"),
            ("# TYPE a histogram\na 1\n", "line 2: a histogram has"),
            ("# TYPE a histogram\na_bucket 1\n", "line 2: no label that gives its bound"),
            ("# TYPE a summary\na{quantile=\"x\"} 1\n", "line 2: the bound"),
        ] {
            assert!(refused(text).starts_with(problem), "{text:?}: {}", refused(text));
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _parsed = parse(&bytes);
        }

        #[test]
        fn no_lines_make_it_panic(lines in proptest::collection::vec(
            "(# TYPE h (histogram|summary)|h(_sum|_count|_bucket)?(\\{(le|quantile|a)=\"(1|x|)\"\\})? [12])\n", 0..12)
        ) {
            let _parsed = parse(lines.concat().as_bytes());
        }
    }
}
