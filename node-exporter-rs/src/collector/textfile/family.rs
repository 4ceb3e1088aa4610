//! What a textfile gives: families, their metrics, and the parts of summaries and histograms.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use exporter_toolkit::Kind;
use exporter_toolkit::name::{LabelName, MetricName};
use exporter_toolkit::number::write_float;

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
    pub(super) points: BTreeMap<Bound, Point>,
    pub(super) sum: Option<f64>,
    pub(super) count: Option<f64>,
}

/// A bucket or a quantile.
#[derive(Debug)]
pub(super) struct Point {
    /// The bound as a label's value, in one spelling whatever the file's.
    pub(super) text: Box<str>,
    pub(super) value: f64,
}

/// The upper end of a bucket, or the place of a quantile.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bound(f64);

impl Ord for Bound {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.total_cmp(&other.0)
    }
}

impl PartialOrd for Bound {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Bound {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Bound {}

/// Why a sample is left out of its file, whose other samples stay.
pub(super) type LeftOut = Option<&'static str>;
pub(super) const REPEATED: LeftOut = Some("an earlier line has their name and labels");
const NO_BOUND: LeftOut = Some(
    "a histogram has _bucket with le, _sum and _count, a summary has quantile, _sum and _count",
);

/// What a sample's name says of its place in the family.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Role {
    Bare,
    Sum,
    Count,
    Bucket,
}

impl Compound {
    /// Takes one part. A bare sample with `le` is a bucket, as the peer has it.
    pub(super) fn add(
        &mut self,
        role: Role,
        bound: Option<&[u8]>,
        value: f64,
    ) -> Result<LeftOut, &'static str> {
        let part = match role {
            Role::Sum => &mut self.sum,
            Role::Count => &mut self.count,
            Role::Bare | Role::Bucket => {
                let Some(bound) = bound else { return Ok(NO_BOUND) };
                let number =
                    number(bound).ok_or("the bound of a bucket or quantile is no number")?;
                if self.points.contains_key(&Bound(number)) {
                    return Ok(REPEATED);
                }
                self.add_point(number, value);
                return Ok(None);
            }
        };
        let known = part.is_some();
        part.get_or_insert(value);
        Ok(if known { REPEATED } else { None })
    }

    fn add_point(&mut self, bound: f64, value: f64) {
        let mut text = Vec::new();
        write_float(bound, &mut text);
        let text = String::from_utf8_lossy(&text).into();
        self.points.insert(Bound(bound), Point { text, value });
    }

    /// A histogram has a bucket for all, which is its count.
    pub(super) fn finish(&mut self, kind: Kind) {
        let open = self.points.last_key_value().is_none_or(|(last, _)| last.0 < f64::INFINITY);
        if kind == Kind::Histogram && open {
            self.add_point(f64::INFINITY, self.count.unwrap_or(0.0));
        }
    }
}

/// A number that a float can hold; what is too large for one is no number, as in Go.
pub(super) fn number(text: &[u8]) -> Option<f64> {
    let value: f64 = std::str::from_utf8(text).ok()?.parse().ok()?;
    let overflow = value.is_infinite() && text.iter().any(u8::is_ascii_digit);
    (!overflow).then_some(value)
}
