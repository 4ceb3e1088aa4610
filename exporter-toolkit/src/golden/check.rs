//! What is wrong with one exposition, whatever it says.

use std::collections::HashSet;
use std::fmt;

use crate::Format;
use crate::line::{Header, Keyword, Line, Sample};
use crate::name::{is_label_name, is_metric_name};

use super::compare::series;

/// One thing that is wrong, and where.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Problem {
    /// Counted from 1.
    pub line: usize,
    pub what: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.what)
    }
}

/// Checks a whole exposition.
///
/// Every line can be read; HELP and TYPE stand once, before the samples of their family, and these in one piece; names
/// are legal in the classic character set; no series is given twice; values are numbers; and `OpenMetrics` ends with
/// its mark, names counters without `_total` and their samples with it.
pub fn check(text: &str, format: Format) -> Vec<Problem> {
    let mut checker = Checker { format, ..Checker::default() };
    for line in text.split_inclusive('\n') {
        checker.number += 1;
        if checker.ended {
            checker.report("stands after # EOF".to_owned());
        }
        match line.strip_suffix('\n') {
            None => checker.report("does not end with a newline".to_owned()),
            Some(line) if line.ends_with('\r') => checker.report("ends with CR".to_owned()),
            Some(_) => {}
        }
        match Line::parse(line.as_bytes()) {
            None => checker.report(format!("cannot be read: {}", line.trim_end())),
            Some(Line::Header(header)) => checker.header(&header),
            Some(Line::Sample(sample)) => checker.sample(&sample),
            Some(Line::Blank) => {}
            Some(Line::Eof) => checker.ended = true,
        }
    }
    if format == Format::OpenMetrics && !checker.ended {
        checker.report("# EOF is missing".to_owned());
    }
    checker.problems
}

/// The family whose lines are being read.
#[derive(Default)]
struct Family {
    name: Vec<u8>,
    keywords: Vec<Keyword>,
    word: Vec<u8>,
    sampled: bool,
}

#[derive(Default)]
struct Checker {
    format: Format,
    number: usize,
    ended: bool,
    family: Family,
    families: HashSet<Vec<u8>>,
    series: HashSet<String>,
    problems: Vec<Problem>,
}

impl Checker {
    fn report(&mut self, what: String) {
        self.problems.push(Problem { line: self.number, what });
    }

    /// Goes on to another family where `name` is not the one being read.
    fn enter(&mut self, name: &[u8]) {
        if self.family.name == name {
            return;
        }
        self.family = Family { name: name.to_vec(), ..Family::default() };
        if !self.families.insert(name.to_vec()) {
            self.report(format!("{} is not in one piece", shown(name)));
        }
        if !is_metric_name(name) {
            self.report(format!("{} is no legal metric name", shown(name)));
        }
    }

    fn header(&mut self, header: &Header<'_>) {
        self.enter(header.family);
        let (name, keyword) = (shown(header.family), header.keyword);
        if self.family.sampled {
            self.report(format!("{keyword:?} of {name} stands after its samples"));
        }
        if self.family.keywords.contains(&keyword) {
            self.report(format!("{keyword:?} of {name} is given twice"));
        }
        self.family.keywords.push(keyword);
        if keyword == Keyword::Type {
            self.family.word = header.text.to_vec();
            if !is_type(header.text, self.format) {
                self.report(format!("{} is no type of this format", shown(header.text)));
            }
        }
    }

    fn sample(&mut self, sample: &Sample<'_>) {
        let family = &self.family;
        let belongs = belongs(sample.name, &family.name, &family.word, self.format);
        if !belongs {
            self.enter(sample.name);
        }
        let (name, word) = (shown(sample.name), shown(&self.family.word));
        if !word.is_empty() && !belongs {
            self.report(format!("{name} is no sample name of a {word}"));
        } else if word.is_empty() && !self.family.sampled {
            self.report(format!("{name} stands under no TYPE of its family"));
        }
        self.family.sampled = true;
        self.labels(sample);
        if sample.number().is_none() {
            self.report(format!("{} is no number", shown(sample.value)));
        }
        let series = series(sample);
        if self.series.contains(&series) {
            self.report(format!("{series} is given twice"));
        } else {
            self.series.insert(series);
        }
    }

    fn labels(&mut self, sample: &Sample<'_>) {
        let mut seen = HashSet::new();
        for (name, _) in sample.labels.iter() {
            if !is_label_name(name) || name.starts_with(b"__") {
                self.report(format!("{} is no legal label name", shown(name)));
            }
            if !seen.insert(name) {
                self.report(format!("label {} is given twice", shown(name)));
            }
        }
    }
}

fn shown(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn is_type(word: &[u8], format: Format) -> bool {
    match word {
        b"counter" | b"gauge" | b"histogram" | b"summary" => true,
        b"untyped" => format == Format::Text,
        b"unknown" | b"info" | b"stateset" | b"gaugehistogram" => format == Format::OpenMetrics,
        _ => false,
    }
}

/// True where a sample of this name may stand under the family.
fn belongs(sample: &[u8], family: &[u8], word: &[u8], format: Format) -> bool {
    let Some(suffix) = sample.strip_prefix(family) else { return false };
    let open_metrics = format == Format::OpenMetrics;
    match (word, suffix) {
        (b"counter", b"_total") | (b"counter" | b"histogram" | b"summary", b"_created") => {
            open_metrics
        }
        (b"counter", b"") => !open_metrics,
        (b"histogram" | b"gaugehistogram", b"_bucket")
        | (b"histogram" | b"summary", b"_sum" | b"_count")
        | (b"gaugehistogram", b"_gsum" | b"_gcount")
        | (b"info", b"_info") => true,
        (b"histogram" | b"gaugehistogram" | b"info", b"") => false,
        (_, suffix) => suffix.is_empty(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn problems(text: &str, format: Format) -> Vec<String> {
        check(text, format).iter().map(ToString::to_string).collect()
    }

    fn in_text(text: &str) -> Vec<String> {
        problems(text, Format::Text)
    }

    #[test]
    fn a_sound_text_has_no_problem() {
        let text = "# HELP a A.\n# TYPE a counter\na{x=\"1\"} 1\na{x=\"2\"} NaN\n# just a word\n\
                    # TYPE h histogram\nh_bucket{le=\"+Inf\"} 1\nh_sum 2\nh_count 1\n\
                    # TYPE a_b untyped\na_b +Inf 1700000000000\n";
        assert_eq!(in_text(text), [""; 0]);
        let text = "# TYPE a counter\n# UNIT a s\na_total 1 # {} 1\n# TYPE i info\ni_info{v=\"1\"} 1\n# EOF\n";
        assert_eq!(problems(text, Format::OpenMetrics), [""; 0]);
    }

    #[test]
    fn headers_stand_once_and_before_their_samples() {
        let text = "# TYPE a gauge\n# TYPE a gauge\na 1\n# HELP a A.\n";
        assert_eq!(
            in_text(text),
            ["line 2: Type of a is given twice", "line 4: Help of a stands after its samples"]
        );
    }

    #[test]
    fn a_family_is_in_one_piece_under_its_type() {
        let text = "# TYPE a gauge\na 1\n# TYPE b gauge\nb 1\na{x=\"1\"} 1\nc 1\nc{x=\"1\"} 1\n";
        assert_eq!(
            in_text(text),
            [
                "line 5: a is not in one piece",
                "line 5: a stands under no TYPE of its family",
                "line 6: c stands under no TYPE of its family",
            ]
        );
    }

    #[test]
    fn a_series_is_given_once_whatever_the_order_of_its_labels() {
        let text =
            "# TYPE a gauge\na{x=\"1\",y=\"2\"} 1\na{y=\"2\",x=\"1\"} 2\na{x=\"1\",x=\"2\"} 3\n";
        assert_eq!(
            in_text(text),
            ["line 3: a{x=\"1\",y=\"2\"} is given twice", "line 4: label x is given twice"]
        );
    }

    #[test]
    fn names_types_values_and_lines_are_legal() {
        let text = "# TYPE a nonsense\na{__x=\"1\"} one\n{\"b.c\"} 1\na{\n# TYPE c unknown\nc 1";
        assert_eq!(
            in_text(text),
            [
                "line 1: nonsense is no type of this format",
                "line 2: __x is no legal label name",
                "line 2: one is no number",
                "line 3: b.c is no legal metric name",
                "line 3: b.c stands under no TYPE of its family",
                "line 4: cannot be read: a{",
                "line 5: unknown is no type of this format",
                "line 6: does not end with a newline",
            ]
        );
    }

    #[test]
    fn open_metrics_ends_with_its_mark_and_names_counters_its_way() {
        assert_eq!(
            problems("# TYPE a_total counter\na_total 1\n", Format::OpenMetrics),
            ["line 2: a_total is no sample name of a counter", "line 2: # EOF is missing"]
        );
        let text = "# TYPE a gauge\na 1\n# EOF\na{x=\"1\"} 2\n";
        assert_eq!(problems(text, Format::OpenMetrics), ["line 4: stands after # EOF"]);
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "(# (TYPE|HELP) )?[a-c{}=\", \n0-9\u{e9}]{0,60}") {
            check(&text, Format::Text);
            check(&text, Format::OpenMetrics);
        }
    }
}
