//! Long-lived counters and histograms of `prometheus-client`, written like any other family.
//!
//! That crate writes `OpenMetrics` alone; its text is read back line by line and written in the format of the scrape.

use std::borrow::Cow;

use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;

use crate::line::{Header, Keyword, Line, Sample, unescape};
use crate::name::{LabelName, MetricName};
use crate::{Exposition, Kind};

/// Writes the families of `registry` that have samples; `text` is memory to work in.
pub(super) fn write(registry: &Registry, text: &mut String, out: &mut Exposition) {
    text.clear();
    if let Err(error) = encode(text, registry) {
        tracing::warn!(%error, "own counters could not be encoded");
        return;
    }
    let mut rest = text.as_str();
    while let Some((family, after)) = next_family(rest) {
        write_family(family, out);
        rest = after;
    }
}

/// The text from one HELP line to the next, and what follows.
fn next_family(text: &str) -> Option<(&str, &str)> {
    let start = text.find("# HELP ")?;
    let text = text.get(start..)?;
    let end = text.find("\n# HELP ").map_or(text.len(), |end| end + 1);
    text.split_at_checked(end)
}

fn write_family(text: &str, out: &mut Exposition) {
    let mut lines = text.lines().filter_map(|line| Line::parse(line.as_bytes()));
    let (Some(help), Some(word)) =
        (header(lines.next(), Keyword::Help), header(lines.next(), Keyword::Type))
    else {
        return;
    };
    let (kind, suffix) = kind(word.text);
    let name = MetricName::sanitize(&[&String::from_utf8_lossy(help.family), suffix]);
    let mut samples = out.dynamic(&name, kind, help_text(help.text));
    for line in lines {
        let Line::Sample(sample) = line else { continue };
        let suffix = sample.name.strip_prefix(name.as_str().as_bytes()).map(str::from_utf8);
        if let (Some(Ok(suffix)), Some(value)) = (suffix, sample.number()) {
            let labels = labels(&sample);
            samples.suffixed(suffix, labels.iter().map(|(name, value)| (name, &**value)), value);
        }
    }
}

fn header(line: Option<Line<'_>>, keyword: Keyword) -> Option<Header<'_>> {
    match line {
        Some(Line::Header(header)) if header.keyword == keyword => Some(header),
        _ => None,
    }
}

/// The type, and what `OpenMetrics` leaves out of the family's name.
fn kind(word: &[u8]) -> (Kind, &'static str) {
    match word {
        b"counter" => (Kind::Counter, "_total"),
        b"gauge" => (Kind::Gauge, ""),
        b"histogram" => (Kind::Histogram, ""),
        b"summary" => (Kind::Summary, ""),
        b"info" => (Kind::Gauge, "_info"),
        _ => (Kind::Untyped, ""),
    }
}

/// The crate puts a full stop after every help text, also after one that has it.
fn help_text(text: &[u8]) -> Cow<'_, str> {
    let text =
        if text.ends_with(b"..") { text.split_last().map_or(text, |(_, t)| t) } else { text };
    String::from_utf8_lossy(text)
}

fn labels<'a>(sample: &Sample<'a>) -> Vec<(LabelName, Cow<'a, [u8]>)> {
    let pairs = sample.labels.iter();
    pairs
        .map(|(name, value)| (LabelName::sanitize(&String::from_utf8_lossy(name)), unescape(value)))
        .collect()
}
