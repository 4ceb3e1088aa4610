//! The text that a scrape answers with, while it is being written.
//!
//! An [`Exposition`] is memory that is reused from scrape to scrape: writing samples to it allocates nothing once it has
//! grown to its size. What several collectors wrote to one each becomes one text by [`crate::Merger`].

use std::fmt::{self, Display, Write as _};
use std::ops::Range;

use crate::family::{Family, Kind, TypeMark};
use crate::labels::{LabelValue, LabelValues, escape, write_pair};
use crate::line::Labels;
use crate::name::{LabelName, MetricName};
use crate::number::Value;

/// The two formats that Prometheus and its relatives scrape.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub enum Format {
    /// The Prometheus text format 0.0.4.
    #[default]
    Text,
    /// `OpenMetrics` 1.0.
    OpenMetrics,
}

impl Format {
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

/// One family's place in the text: its header lines, then its samples.
#[derive(Clone, Debug)]
pub(crate) struct Block {
    pub(crate) kind: Kind,
    pub(crate) name: Range<usize>,
    pub(crate) header: Range<usize>,
    pub(crate) samples: Range<usize>,
}

/// Families and samples as text, in the order in which they were written.
#[derive(Debug, Default)]
pub struct Exposition {
    format: Format,
    text: Vec<u8>,
    blocks: Vec<Block>,
    /// The labels of every sample as they are written, and their names.
    constant: Vec<u8>,
    constant_names: Vec<LabelName>,
}

impl Exposition {
    pub fn new(format: Format) -> Self {
        Self { format, ..Self::default() }
    }

    /// Puts these labels on every sample written from now on. A sample's own label of such a name becomes
    /// `exported_NAME`, as Prometheus renames it where a target has a label that a sample has too: the same name twice
    /// would cost the whole scrape.
    pub fn set_constant_labels(&mut self, labels: &[(LabelName, String)]) {
        self.constant.clear();
        self.constant_names.clear();
        for (name, value) in labels {
            if self.is_constant(name.as_str().as_bytes()) {
                continue;
            }
            self.constant_names.push(name.clone());
            if !self.constant.is_empty() {
                self.constant.push(b',');
            }
            write_pair(name.as_str(), value, &mut self.constant);
        }
    }

    /// Forgets what was written and keeps the memory and the constant labels.
    pub fn restart(&mut self, format: Format) {
        self.format = format;
        self.text.clear();
        self.blocks.clear();
    }

    pub fn format(&self) -> Format {
        self.format
    }

    /// What was written, without the end mark of `OpenMetrics`.
    pub fn text(&self) -> &[u8] {
        &self.text
    }

    pub fn is_empty(&self) -> bool {
        self.blocks.is_empty()
    }

    pub(crate) fn blocks(&self) -> &[Block] {
        &self.blocks
    }

    /// Starts a family. Its header is written with its first sample, so a family without one leaves no trace.
    pub fn family<K: TypeMark, const N: usize>(
        &mut self,
        family: &'static Family<K, N>,
    ) -> Samples<'_, N> {
        let clashes = family.labels.iter().any(|label| self.is_constant(label.as_bytes()));
        Samples {
            out: self,
            clashes,
            kind: K::KIND,
            name: family.name,
            help: family.help,
            labels: &family.labels,
            open: false,
        }
    }

    /// Starts a family whose name or labels are known only at run time.
    pub fn dynamic<'a, H: Display>(
        &'a mut self,
        name: &'a MetricName,
        kind: Kind,
        help: H,
    ) -> DynamicSamples<'a, H> {
        DynamicSamples { out: self, kind, name, help, open: false }
    }

    /// Writes HELP and TYPE. `OpenMetrics` names a counter's family without `_total`, and has no counter without it.
    ///
    /// `help` appends the help text, escaped for the format.
    fn open(&mut self, name: &str, kind: Kind, help: impl FnOnce(Format, &mut Vec<u8>)) {
        let (name, kind, word) = match (self.format, kind) {
            (Format::Text, kind) => (name, kind, kind.word()),
            (Format::OpenMetrics, Kind::Counter) => match name.strip_suffix("_total") {
                Some(stem) => (stem, kind, kind.word()),
                None => (name, Kind::Untyped, Kind::Untyped.open_metrics_word()),
            },
            (Format::OpenMetrics, kind) => (name, kind, kind.open_metrics_word()),
        };
        let start = self.text.len();
        self.text.extend_from_slice(b"# HELP ");
        let name_start = self.text.len();
        self.text.extend_from_slice(name.as_bytes());
        let name_range = name_start..self.text.len();
        self.text.push(b' ');
        help(self.format, &mut self.text);
        self.text.extend_from_slice(b"\n# TYPE ");
        self.text.extend_from_slice(name.as_bytes());
        self.text.push(b' ');
        self.text.extend_from_slice(word.as_bytes());
        self.text.push(b'\n');
        let end = self.text.len();
        self.blocks.push(Block { kind, name: name_range, header: start..end, samples: end..end });
    }

    /// Ends a sample's line whose name and labels are written.
    fn close_sample(&mut self, value: impl Value) {
        self.text.push(b' ');
        value.write(&mut self.text);
        self.text.push(b'\n');
        if let Some(block) = self.blocks.last_mut() {
            block.samples.end = self.text.len();
        }
    }

    fn is_constant(&self, name: &[u8]) -> bool {
        self.constant_names.iter().any(|constant| constant.as_str().as_bytes() == name)
    }

    /// Renames those of a sample's own labels, which begin at `start`, that have the name of a constant one.
    fn rename_own(&mut self, start: usize) {
        let own = self.text.split_off(start);
        let labels = Labels::new(&own);
        for (i, (name, value)) in labels.iter().enumerate() {
            if i > 0 {
                self.text.push(b',');
            }
            let mut name = name.to_vec();
            if self.is_constant(&name) {
                while self.is_constant(&name) || labels.get(&name).is_some() {
                    name.splice(0..0, *b"exported_");
                }
            }
            self.text.extend_from_slice(&name);
            self.text.extend_from_slice(b"=\"");
            self.text.extend_from_slice(value);
            self.text.push(b'"');
        }
    }

    /// Ends a label set that may be empty; `start` is where its opening brace stands.
    fn close_labels(&mut self, start: usize) {
        if !self.constant.is_empty() {
            if self.text.len() > start + 1 {
                self.text.push(b',');
            }
            self.text.extend_from_slice(&self.constant);
        }
        if self.text.len() == start + 1 {
            self.text.truncate(start);
        } else {
            self.text.push(b'}');
        }
    }
}

/// Takes the samples of one family with `N` labels.
#[derive(Debug)]
pub struct Samples<'a, const N: usize> {
    out: &'a mut Exposition,
    kind: Kind,
    name: &'static str,
    help: &'static str,
    labels: &'static [&'static str; N],
    /// True where a label of the family has the name of a constant one.
    clashes: bool,
    open: bool,
}

impl<const N: usize> Samples<'_, N> {
    /// Writes one sample: `()` or a value or a tuple of values for the labels, in the family's order.
    pub fn sample(&mut self, labels: impl LabelValues<N>, value: impl Value) {
        if !self.open {
            // The compiler has seen that it holds nothing to escape.
            let help = |_, text: &mut Vec<u8>| text.extend_from_slice(self.help.as_bytes());
            self.out.open(self.name, self.kind, help);
            self.open = true;
        }
        let text = &mut self.out.text;
        text.extend_from_slice(self.name.as_bytes());
        let start = text.len();
        if N > 0 || !self.out.constant.is_empty() {
            text.push(b'{');
            labels.write(self.labels, text);
            if self.clashes {
                self.out.rename_own(start + 1);
            }
            self.out.close_labels(start);
        }
        self.out.close_sample(value);
    }

    /// Writes one sample where there is a value: a missing value is a missing sample.
    pub fn maybe(&mut self, labels: impl LabelValues<N>, value: Option<impl Value>) {
        if let Some(value) = value {
            self.sample(labels, value);
        }
    }
}

/// Takes the samples of a family whose name or labels are known only at run time.
#[derive(Debug)]
pub struct DynamicSamples<'a, H: Display> {
    out: &'a mut Exposition,
    kind: Kind,
    name: &'a MetricName,
    help: H,
    open: bool,
}

impl<H: Display> DynamicSamples<'_, H> {
    /// Writes one sample with these labels.
    pub fn sample<'l, V: LabelValue>(
        &mut self,
        labels: impl IntoIterator<Item = (&'l LabelName, V)>,
        value: impl Value,
    ) {
        self.suffixed("", labels, value);
    }

    /// Writes one sample of a compound family: `_bucket`, `_sum`, `_count`.
    pub fn suffixed<'l, V: LabelValue>(
        &mut self,
        suffix: &str,
        labels: impl IntoIterator<Item = (&'l LabelName, V)>,
        value: impl Value,
    ) {
        if !self.open {
            let help = |format, out: &mut Vec<u8>| {
                let quotes = format == Format::OpenMetrics;
                // Writing to memory cannot fail.
                let _done = write!(EscapedHelp { out, quotes }, "{}", self.help);
            };
            self.out.open(self.name.as_str(), self.kind, help);
            self.open = true;
        }
        let text = &mut self.out.text;
        text.extend_from_slice(self.name.as_str().as_bytes());
        text.extend_from_slice(suffix.as_bytes());
        let start = text.len();
        text.push(b'{');
        let mut clashes = false;
        for (i, (name, value)) in labels.into_iter().enumerate() {
            clashes |= self.out.is_constant(name.as_str().as_bytes());
            let text = &mut self.out.text;
            if i > 0 {
                text.push(b',');
            }
            write_pair(name.as_str(), &value, text);
        }
        if clashes {
            self.out.rename_own(start + 1);
        }
        self.out.close_labels(start);
        self.out.close_sample(value);
    }

    /// Writes the sample of a family without labels.
    pub fn plain(&mut self, value: impl Value) {
        self.sample(std::iter::empty::<(&LabelName, &str)>(), value);
    }
}

/// HELP texts escape backslash and newline, and in `OpenMetrics` the double quote.
struct EscapedHelp<'a> {
    out: &'a mut Vec<u8>,
    quotes: bool,
}

impl fmt::Write for EscapedHelp<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if self.quotes {
            escape(text.as_bytes(), self.out);
            return Ok(());
        }
        let mut rest = text.as_bytes();
        while let Some(at) = memchr::memchr2(b'\\', b'\n', rest) {
            self.out.extend_from_slice(&rest[..at]);
            self.out.extend_from_slice(if rest[at] == b'\n' { br"\n" } else { br"\\" });
            rest = &rest[at + 1..];
        }
        self.out.extend_from_slice(rest);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Counter, Gauge, Untyped};

    static SEEN: Counter<1> = Counter::new("demo_seen_total", "Things seen.", ["kind"]);
    static SIZE: Gauge<0> = Gauge::new("demo_size_bytes", "Size of it.", []);
    static MEMORY: Gauge<2> = Gauge::new("demo_memory", "Memory.", ["node", "kind"]);
    static RAW: Untyped<2> = Untyped::new("demo_raw", "As the kernel says.", ["a", "b"]);

    fn written(format: Format, write: impl FnOnce(&mut Exposition)) -> String {
        let mut out = Exposition::new(format);
        write(&mut out);
        String::from_utf8(out.text().to_vec()).unwrap()
    }

    fn three_families(out: &mut Exposition) {
        out.family(&SEEN).sample("a\"b", 3_u64);
        out.family(&SIZE).sample((), 1e6);
        out.family(&RAW).sample(("x", 7_u32), 0.5);
    }

    #[test]
    fn the_text_format_names_a_counter_with_its_suffix() {
        assert_eq!(
            written(Format::Text, three_families),
            "# HELP demo_seen_total Things seen.\n# TYPE demo_seen_total counter\n\
             demo_seen_total{kind=\"a\\\"b\"} 3\n\
             # HELP demo_size_bytes Size of it.\n# TYPE demo_size_bytes gauge\ndemo_size_bytes 1e+06\n\
             # HELP demo_raw As the kernel says.\n# TYPE demo_raw untyped\ndemo_raw{a=\"x\",b=\"7\"} 0.5\n"
        );
    }

    #[test]
    fn open_metrics_names_a_counter_without_its_suffix_and_knows_no_untyped() {
        let text = written(Format::OpenMetrics, three_families);
        assert!(text.contains("# TYPE demo_seen counter\ndemo_seen_total{"), "{text}");
        assert!(text.contains("# TYPE demo_raw unknown\n"), "{text}");
    }

    #[test]
    fn a_counter_without_total_is_unknown_to_open_metrics() {
        let text = written(Format::OpenMetrics, |out| {
            let name = MetricName::sanitize(&["from-a-file"]);
            out.dynamic(&name, Kind::Counter, "Of a \"file\".\\").plain(1_u8);
        });
        assert_eq!(
            text,
            "# HELP from_a_file Of a \\\"file\\\".\\\\\n# TYPE from_a_file unknown\nfrom_a_file 1\n"
        );
    }

    #[test]
    fn a_family_without_a_sample_leaves_no_trace() {
        assert_eq!(written(Format::Text, |out| _ = out.family(&SIZE)), "");
    }

    #[test]
    fn constant_labels_follow_the_familys_own() {
        let text = written(Format::Text, |out| {
            out.set_constant_labels(&[(LabelName::fixed("node"), "n\"1".to_owned())]);
            three_families(out);
        });
        assert!(text.contains("demo_seen_total{kind=\"a\\\"b\",node=\"n\\\"1\"} 3\n"), "{text}");
        assert!(text.contains("demo_size_bytes{node=\"n\\\"1\"} 1e+06\n"), "{text}");
    }

    #[test]
    fn a_samples_own_label_of_a_constant_ones_name_is_exported() {
        let node = |out: &mut Exposition| {
            let names = ["node", "exported_node"].map(LabelName::sanitize);
            out.set_constant_labels(&[(names[0].clone(), "host".to_owned())]);
            out.family(&MEMORY).sample(("0", "free"), 1_u8);
            let name = MetricName::sanitize(&["from_a_file"]);
            let mut samples = out.dynamic(&name, Kind::Gauge, "Of a file.");
            samples.sample([(&names[0], "a\"b"), (&names[1], "c")], 2_u8);
            samples.sample([(&names[1], "c")], 3_u8);
        };
        let text = written(Format::Text, node);
        let samples: Vec<_> = text.lines().filter(|line| !line.starts_with('#')).collect();
        assert_eq!(
            samples,
            [
                "demo_memory{exported_node=\"0\",kind=\"free\",node=\"host\"} 1",
                "from_a_file{exported_exported_node=\"a\\\"b\",exported_node=\"c\",node=\"host\"} 2",
                "from_a_file{exported_node=\"c\",node=\"host\"} 3",
            ]
        );
    }
}
