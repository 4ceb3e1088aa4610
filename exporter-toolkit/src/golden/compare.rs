//! Two expositions side by side, as sets of series.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt::{self, Display};

use crate::line::{Keyword, Line, Sample};

/// A report shows this many lines of each kind.
const SHOWN: usize = 40;

/// How values are compared.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Values {
    /// As numbers; `NaN` equals itself.
    #[default]
    Exact,
    /// They may differ by this part of the larger one: 0.01 is one per cent.
    Within(f64),
    Ignored,
}

/// What a comparison looks at.
#[derive(Clone, Copy)]
pub struct Options<'a> {
    pub values: Values,
    /// Leaves out, on both sides, a series written as `name{a="1",b="2"}`, its labels sorted by name.
    pub skip: &'a dyn Fn(&str) -> bool,
}

impl Default for Options<'_> {
    fn default() -> Self {
        Self { values: Values::Exact, skip: &|_| false }
    }
}

/// What two expositions say differently of one thing.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Difference {
    /// A series, or a family.
    pub of: String,
    pub expected: String,
    pub actual: String,
}

/// How two expositions differ; every list is sorted.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Comparison {
    /// How many series both have.
    pub common: usize,
    /// Series that only the expected text has.
    pub missing: Vec<String>,
    /// Series that only the actual text has.
    pub extra: Vec<String>,
    /// Series with another value.
    pub differing: Vec<Difference>,
    /// Families with another type; those of counters by their name with `_total`, whatever the format.
    pub type_mismatch: Vec<Difference>,
    /// Series that one text gives more than once.
    pub duplicates: Vec<String>,
    /// Lines that cannot be read.
    pub malformed: Vec<String>,
}

impl Comparison {
    pub fn is_same(&self) -> bool {
        let lists = [&self.missing, &self.extra, &self.duplicates, &self.malformed];
        let differences = [&self.differing, &self.type_mismatch];
        lists.iter().all(|l| l.is_empty()) && differences.iter().all(|l| l.is_empty())
    }
}

/// Compares series by name and labels, their values, and the types of the families that both have.
///
/// Help texts, the order, timestamps and headers of families without samples do not count. One text may be
/// `OpenMetrics` and the other not: `unknown` is `untyped`, and a counter is named with `_total`.
pub fn compare(expected: &str, actual: &str, options: &Options<'_>) -> Comparison {
    let mut result = Comparison::default();
    let expected = Side::read(expected, options, &mut result);
    let actual = Side::read(actual, options, &mut result);
    for (series, value) in &expected.series {
        match actual.series.get(series) {
            None => result.missing.push(series.clone()),
            Some(other) => {
                result.common += 1;
                if !same(value, other, options.values) {
                    result.differing.push(Difference::new(series, value, other));
                }
            }
        }
    }
    let extra = actual.series.keys().filter(|series| !expected.series.contains_key(*series));
    result.extra.extend(extra.cloned());
    for (family, kind) in &expected.families {
        match actual.families.get(family) {
            Some(other) if kind.word != other.word => {
                result.type_mismatch.push(Difference::new(family, &kind.word, &other.word));
            }
            // Its samples are there, but not under it.
            None if actual.series.contains_key(&kind.first) => {
                result.type_mismatch.push(Difference::new(family, &kind.word, "none"));
            }
            _ => {}
        }
    }
    result
}

/// A sample's identity in a form that can be read: `name{a="1",b="2"}`, labels sorted by name, empty ones left out.
pub(super) fn series(sample: &Sample<'_>) -> String {
    let mut labels: Vec<_> = sample.labels.iter().filter(|(_, value)| !value.is_empty()).collect();
    labels.sort_unstable();
    let mut text = String::from_utf8_lossy(sample.name).into_owned();
    for (i, (name, value)) in labels.iter().enumerate() {
        text.push(if i == 0 { '{' } else { ',' });
        text.push_str(&String::from_utf8_lossy(name));
        text.push_str("=\"");
        text.push_str(&String::from_utf8_lossy(value));
        text.push('"');
    }
    if !labels.is_empty() {
        text.push('}');
    }
    text
}

/// The type of a family that has samples.
struct Kind {
    word: String,
    /// One of its series.
    first: String,
}

/// One of the two texts.
#[derive(Default)]
struct Side {
    series: BTreeMap<String, String>,
    families: BTreeMap<String, Kind>,
}

impl Side {
    fn read(text: &str, options: &Options<'_>, result: &mut Comparison) -> Self {
        let open_metrics = super::ends_as_open_metrics(text);
        let mut side = Self::default();
        let mut declared = (String::new(), String::new());
        for line in text.lines() {
            match Line::parse(line.as_bytes()) {
                None => result.malformed.push(line.to_owned()),
                Some(Line::Header(header)) if header.keyword == Keyword::Type => {
                    let name = String::from_utf8_lossy(header.family);
                    declared =
                        canonical(&name, &String::from_utf8_lossy(header.text), open_metrics);
                }
                Some(Line::Sample(sample)) => {
                    let series = series(&sample);
                    if !(options.skip)(&series) {
                        side.add(&sample, series, &declared, result);
                    }
                }
                Some(_) => {}
            }
        }
        side
    }

    fn add(
        &mut self,
        sample: &Sample<'_>,
        series: String,
        (family, word): &(String, String),
        result: &mut Comparison,
    ) {
        let name = String::from_utf8_lossy(sample.name);
        let compound = ["", "_bucket", "_sum", "_count", "_gsum", "_gcount"];
        let suffix = name.strip_prefix(family.as_str()).filter(|_| !family.is_empty());
        let (family, word) = match suffix {
            Some("") => (family.as_str(), word.as_str()),
            Some(suffix) if is_compound(word) && compound.contains(&suffix) => {
                (family.as_str(), word.as_str())
            }
            _ => (&*name, "untyped"),
        };
        if !self.families.contains_key(family) {
            let kind = Kind { word: word.to_owned(), first: series.clone() };
            self.families.insert(family.to_owned(), kind);
        }
        match self.series.entry(series) {
            Entry::Occupied(entry) => result.duplicates.push(entry.key().clone()),
            Entry::Vacant(entry) => {
                entry.insert(String::from_utf8_lossy(sample.value).into_owned());
            }
        }
    }
}

fn is_compound(word: &str) -> bool {
    matches!(word, "histogram" | "summary" | "gaugehistogram")
}

/// Name and type of a family as the text format has them.
fn canonical(name: &str, word: &str, open_metrics: bool) -> (String, String) {
    match word {
        "counter" if open_metrics => (format!("{name}_total"), word.to_owned()),
        "info" => (format!("{name}_info"), "gauge".to_owned()),
        "unknown" => (name.to_owned(), "untyped".to_owned()),
        _ => (name.to_owned(), word.to_owned()),
    }
}

fn same(expected: &str, actual: &str, values: Values) -> bool {
    let (Ok(a), Ok(b)) = (expected.parse::<f64>(), actual.parse::<f64>()) else {
        return expected == actual || values == Values::Ignored;
    };
    #[expect(clippy::float_cmp, reason = "equal is what is asked for")]
    let equal = a == b || (a.is_nan() && b.is_nan());
    match values {
        Values::Ignored => true,
        Values::Exact => equal,
        Values::Within(part) => equal || (a - b).abs() <= part * a.abs().max(b.abs()),
    }
}

impl Difference {
    fn new(of: &str, expected: &str, actual: &str) -> Self {
        Self { of: of.to_owned(), expected: expected.to_owned(), actual: actual.to_owned() }
    }
}

impl Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: expected {}, is {}", self.of, self.expected, self.actual)
    }
}

/// The differences as lists for a reader, each cut where it gets long.
impl Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        list(f, "missing", &self.missing)?;
        list(f, "extra", &self.extra)?;
        list(f, "wrong value", &self.differing)?;
        list(f, "wrong type", &self.type_mismatch)?;
        list(f, "given twice", &self.duplicates)?;
        list(f, "malformed", &self.malformed)
    }
}

fn list(f: &mut fmt::Formatter<'_>, title: &str, items: &[impl Display]) -> fmt::Result {
    if items.is_empty() {
        return Ok(());
    }
    writeln!(f, "  {title}: {}", items.len())?;
    items.iter().take(SHOWN).try_for_each(|item| writeln!(f, "    {item}"))?;
    match items.len().saturating_sub(SHOWN) {
        0 => Ok(()),
        more => writeln!(f, "    … and {more} more"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn differences(expected: &str, actual: &str) -> Comparison {
        compare(expected, actual, &Options::default())
    }

    #[test]
    fn order_help_and_spelling_of_numbers_do_not_count() {
        let one = "# HELP a A.\n# TYPE a gauge\na{x=\"1\",y=\"2\"} 1e6\n# TYPE b gauge\nb NaN\n";
        let two =
            "# TYPE b gauge\nb nan\n# HELP a Other.\n# TYPE a gauge\na{y=\"2\",x=\"1\"} 1000000\n";
        let comparison = differences(one, two);
        assert!(comparison.is_same(), "{comparison}");
        assert_eq!(comparison.common, 2);
    }

    #[test]
    fn what_differs_is_listed_by_kind() {
        let one = "# TYPE a gauge\na{x=\"1\"} 1\na{x=\"2\"} 2\n# TYPE c counter\nc 1\n";
        let two =
            "# TYPE a gauge\na{x=\"2\"} 3\na{x=\"3\"} 3\na{x=\"3\"} 4\n# TYPE c untyped\nc 1\n?\n";
        assert_eq!(
            differences(one, two).to_string(),
            "  missing: 1\n    a{x=\"1\"}\n  extra: 1\n    a{x=\"3\"}\n\
             \x20 wrong value: 1\n    a{x=\"2\"}: expected 2, is 3\n\
             \x20 wrong type: 1\n    c: expected counter, is untyped\n\
             \x20 given twice: 1\n    a{x=\"3\"}\n  malformed: 1\n    ?\n"
        );
    }

    #[test]
    fn headers_without_samples_do_not_count() {
        assert!(
            differences("# TYPE a gauge\n# TYPE b gauge\nb 1\n", "# TYPE b gauge\nb 1\n").is_same()
        );
    }

    #[test]
    fn the_two_formats_can_be_compared() {
        let text = "# TYPE a_total counter\na_total 1\n# TYPE u untyped\nu 1\n# TYPE h histogram\n\
                    h_bucket{le=\"+Inf\"} 1\nh_sum 1\nh_count 1\n";
        let open_metrics = "# TYPE a counter\na_total 1\n# TYPE u unknown\nu 1\n# TYPE h histogram\n\
                    h_bucket{le=\"+Inf\"} 1\nh_sum 1\nh_count 1\n# EOF\n";
        let comparison = differences(text, open_metrics);
        assert!(comparison.is_same(), "{comparison}");
    }

    #[test]
    fn samples_that_stand_under_no_type_are_of_another_type() {
        let one = "# TYPE h histogram\nh_sum 1\n# TYPE c counter\nc 1\n";
        let comparison = differences(one, "h_sum 1\nc 1\n");
        let found = comparison.type_mismatch.iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(found, ["c: expected counter, is untyped", "h: expected histogram, is none"]);
    }

    #[test]
    fn values_can_be_near_or_of_no_account() {
        let near = |a: &str, b: &str, values| {
            compare(a, b, &Options { values, ..Options::default() }).is_same()
        };
        assert!(near("a 100\n", "a 100.9\n", Values::Within(0.01)));
        assert!(!near("a 100\n", "a 102\n", Values::Within(0.01)));
        assert!(near("a 0\n", "a 0\n", Values::Within(0.01)));
        assert!(near("a 1\n", "a 2\n", Values::Ignored));
        assert!(!near("a 1\n", "a 2\n", Values::Exact));
    }

    #[test]
    fn skipped_series_count_on_neither_side() {
        let skip = |series: &str| series.starts_with("b{");
        let options = Options { skip: &skip, ..Options::default() };
        let comparison = compare("a 1\nb{x=\"1\"} 1\n", "a 1\nb{x=\"2\"} 1\n", &options);
        assert!(comparison.is_same(), "{comparison}");
    }
}
