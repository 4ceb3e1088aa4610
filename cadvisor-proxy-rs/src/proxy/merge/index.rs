//! A body of one target, taken apart into its families; the text itself stays as it came.

use std::borrow::Cow;
use std::ops::Range;

use exporter_toolkit::line::{Header, Keyword, Line, Sample};
use memchr::memchr;
use tokio::task::yield_now;

/// Runs of samples of one family at most: a body has hundreds, and one whose families lie scattered has no more than this.
const RUNS: usize = 100_000;
/// Other clients get their turn after so many bytes.
const TURN_BYTES: usize = 64 * 1024;

/// Which of the two text formats a body is in.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Dialect {
    Text,
    /// Of targets that speak nothing else, whatever they are asked for.
    OpenMetrics,
}

/// Samples of one family that stand together in a body.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Run {
    /// As the text format calls the family, escaped as it came.
    pub(super) family: Box<[u8]>,
    /// The help text, escaped as it came.
    pub(super) help: Option<Range<usize>>,
    /// The type's word in the text format; `None` where nothing or nonsense is said.
    pub(super) kind: Option<&'static str>,
    /// The lines from the first sample to the last.
    pub(super) lines: Range<usize>,
}

/// What is in a body.
#[derive(Debug, Default)]
pub(super) struct Index {
    pub(super) runs: Vec<Run>,
    pub(super) samples: u64,
    /// Lines that are no sample and no comment.
    pub(super) malformed: u64,
}

impl Index {
    /// Of a whole body; the error says why nothing of it may be taken.
    pub(super) async fn of(text: &[u8], dialect: Dialect) -> Result<Self, &'static str> {
        let (mut index, mut open) = (Self::default(), Run::default());
        let (mut at, mut turn, mut ended) = (0, 0, false);
        while at < text.len() && !ended {
            let rest = text.get(at..).unwrap_or_default();
            let line = rest.get(..memchr(b'\n', rest).unwrap_or(rest.len())).unwrap_or_default();
            let place = at..at + line.len();
            match Line::parse(line) {
                Some(Line::Sample(sample)) if sample.number().is_some() => {
                    index.sample(&mut open, &sample, place, dialect)?;
                }
                Some(Line::Header(header)) => index.header(&mut open, &header, text, dialect)?,
                Some(Line::Eof) => ended = dialect == Dialect::OpenMetrics,
                Some(Line::Blank) => {}
                Some(Line::Sample(_)) | None => index.malformed += 1,
            }
            at += line.len() + 1;
            if at - turn > TURN_BYTES {
                turn = at;
                yield_now().await;
            }
        }
        index.close(&mut open)?;
        if dialect == Dialect::OpenMetrics && !ended {
            return Err("its body breaks off: there is no '# EOF'");
        }
        if index.samples == 0 && index.malformed > 0 {
            return Err("its body holds no metrics");
        }
        Ok(index)
    }

    fn header(
        &mut self,
        open: &mut Run,
        header: &Header<'_>,
        text: &[u8],
        dialect: Dialect,
    ) -> Result<(), &'static str> {
        let word = (header.keyword == Keyword::Type).then_some(header.text);
        let (kind, ending) = word.map_or((None, ""), |word| kind(word, dialect));
        // OpenMetrics names the family of `a_total` just `a`, and says its type after its help or before it.
        let base = open.family.strip_suffix(ending_of(open.kind, dialect)).unwrap_or(&open.family);
        if !open.lines.is_empty() || (base != header.family && *open.family != *header.family) {
            self.close(open)?;
            open.family = header.family.into();
        }
        match header.keyword {
            Keyword::Help => open.help = range_of(header.text, text),
            Keyword::Type => {
                open.kind = kind;
                open.family = [header.family, ending.as_bytes()].concat().into();
            }
            Keyword::Unit => {}
        }
        Ok(())
    }

    fn sample(
        &mut self,
        open: &mut Run,
        sample: &Sample<'_>,
        place: Range<usize>,
        dialect: Dialect,
    ) -> Result<(), &'static str> {
        self.samples += 1;
        if !belongs(sample.name, open, dialect) {
            self.close(open)?;
            open.family = sample.name.into();
        }
        if open.lines.is_empty() {
            open.lines.start = place.start;
        }
        open.lines.end = place.end;
        Ok(())
    }

    /// Headers without samples say nothing that is needed.
    fn close(&mut self, open: &mut Run) -> Result<(), &'static str> {
        let run = std::mem::take(open);
        if !run.lines.is_empty() {
            if self.runs.len() == RUNS {
                return Err("the samples of its families do not stand together");
            }
            self.runs.push(run);
        }
        Ok(())
    }
}

/// Where a part of a text stands in it.
fn range_of(part: &[u8], text: &[u8]) -> Option<Range<usize>> {
    let start = (part.as_ptr() as usize).checked_sub(text.as_ptr() as usize)?;
    (start + part.len() <= text.len()).then_some(start..start + part.len())
}

/// A type as the text format has it, and what its families' names end with there.
fn kind(word: &[u8], dialect: Dialect) -> (Option<&'static str>, &'static str) {
    match (word, dialect) {
        (b"counter", Dialect::OpenMetrics) => (Some("counter"), "_total"),
        (b"info", Dialect::OpenMetrics) => (Some("gauge"), "_info"),
        (b"counter", Dialect::Text) => (Some("counter"), ""),
        (b"stateset", Dialect::OpenMetrics) | (b"gauge", _) => (Some("gauge"), ""),
        (b"histogram", _) => (Some("histogram"), ""),
        (b"summary", _) => (Some("summary"), ""),
        (b"unknown" | b"gaugehistogram", Dialect::OpenMetrics) | (b"untyped", Dialect::Text) => {
            (Some("untyped"), "")
        }
        _ => (None, ""),
    }
}

fn ending_of(kind: Option<&'static str>, dialect: Dialect) -> &'static [u8] {
    match (kind, dialect) {
        (Some("counter"), Dialect::OpenMetrics) => b"_total",
        (Some("gauge"), Dialect::OpenMetrics) => b"_info",
        _ => b"",
    }
}

/// Whether a sample is of a family: by its name, or by the endings that the family's type has.
fn belongs(sample: &[u8], run: &Run, dialect: Dialect) -> bool {
    let Some(ending) = sample.strip_prefix(&*run.family) else { return false };
    match (ending, run.kind) {
        (b"", _)
        | (b"_sum" | b"_count", Some("histogram" | "summary"))
        | (b"_bucket", Some("histogram")) => true,
        (b"_bucket" | b"_gsum" | b"_gcount", Some("untyped")) => dialect == Dialect::OpenMetrics,
        _ => false,
    }
}

/// The time of a sample in milliseconds: `OpenMetrics` has seconds.
pub(super) fn time(text: &[u8], dialect: Dialect) -> Option<Cow<'_, [u8]>> {
    match dialect {
        Dialect::Text => Some(Cow::Borrowed(text)),
        Dialect::OpenMetrics => {
            let seconds: f64 = std::str::from_utf8(text).ok()?.parse().ok()?;
            let rounded = format!("{:.0}", seconds * 1000.0);
            seconds.is_finite().then(|| Cow::Owned(rounded.into_bytes()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn index(text: &str, dialect: Dialect) -> Result<Index, &'static str> {
        Index::of(text.as_bytes(), dialect).await
    }

    fn families(index: &Index) -> Vec<(&str, Option<&str>)> {
        index.runs.iter().map(|run| (std::str::from_utf8(&run.family).unwrap(), run.kind)).collect()
    }

    #[tokio::test]
    async fn samples_stand_with_their_familys_headers() {
        let text = "# HELP h H.\n# TYPE h histogram\nh_bucket{le=\"+Inf\"} 1\nh_sum 2\nh_count 1\n\
                    # a word\nbare 1\nbare{a=\"b\"} 2\n# TYPE g gauge\n# HELP g G.\ng 1\ng_count 3\n# TYPE e gauge\n";
        let found = index(text, Dialect::Text).await.unwrap();
        let wanted =
            [("h", Some("histogram")), ("bare", None), ("g", Some("gauge")), ("g_count", None)];
        assert_eq!(families(&found), wanted);
        assert_eq!((found.samples, found.malformed), (7, 0));
        assert_eq!(text.get(found.runs[0].help.clone().unwrap()), Some("H."));
        assert_eq!(text.get(found.runs[2].help.clone().unwrap()), Some("G."));
    }

    #[tokio::test]
    async fn open_metrics_gets_the_names_and_types_of_the_text_format() {
        let text = "# HELP a A.\n# TYPE a counter\n# UNIT a s\na_total 1 1.5\na_created 1\n# TYPE b info\n# HELP b B.\n\
                    b_info{x=\"y\"} 1\n# TYPE c unknown\nc 1\n# EOF\nd 1\n";
        let found = index(text, Dialect::OpenMetrics).await.unwrap();
        let wanted = [
            ("a_total", Some("counter")),
            ("a_created", None),
            ("b_info", Some("gauge")),
            ("c", Some("untyped")),
        ];
        assert_eq!(families(&found), wanted);
        assert_eq!(text.get(found.runs[0].help.clone().unwrap()), Some("A."));
        assert_eq!(text.get(found.runs[2].help.clone().unwrap()), Some("B."));
        assert_eq!(time(b"1.5", Dialect::OpenMetrics).as_deref(), Some(&b"1500"[..]));
        assert_eq!(time(b"15", Dialect::Text).as_deref(), Some(&b"15"[..]));
        assert!(index("a 1\n", Dialect::OpenMetrics).await.unwrap_err().contains("EOF"));
    }

    #[tokio::test]
    async fn what_is_no_metrics_is_refused_and_what_is_empty_is_not() {
        let page = "<html>\n<p>Please log in.\n";
        assert!(index(page, Dialect::Text).await.unwrap_err().contains("no metrics"));
        assert_eq!(index("", Dialect::Text).await.unwrap().samples, 0);
        let some = index("a 1\nnonsense\nb 1", Dialect::Text).await.unwrap();
        assert_eq!((some.samples, some.malformed), (2, 1));
        let scattered = "a 1\nb 1\n".repeat(RUNS);
        assert!(index(&scattered, Dialect::Text).await.unwrap_err().contains("together"));
    }

    proptest::proptest! {
        #[test]
        fn no_body_makes_it_panic(text in "([ab#{}\"=, \n]|# (HELP|TYPE|EOF) ?|(counter|info|_total)\n?){0,40}") {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            for dialect in [Dialect::Text, Dialect::OpenMetrics] {
                if let Ok(index) = runtime.block_on(Index::of(text.as_bytes(), dialect)) {
                    for run in index.runs {
                        assert!(!run.family.is_empty() && text.get(run.lines).is_some());
                    }
                }
            }
        }
    }
}
