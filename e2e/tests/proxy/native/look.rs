//! What an exposition said, and when.

use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail};
use exporter_toolkit::line::{Line, unescape};

/// Labels that we add to what the peers say.
const OURS: [&str; 2] = ["pod_ip", "pod_name"];

/// One answer, and between which moments it was given; in seconds.
pub(super) struct Look {
    pub(super) from: f64,
    pub(super) to: f64,
    pub(super) series: BTreeMap<String, Sample>,
}

pub(super) struct Sample {
    pub(super) value: f64,
    /// When it was read, where that is not now.
    pub(super) at: Option<f64>,
}

impl Look {
    pub(super) fn take(ask: impl FnOnce() -> Result<String>) -> Result<Self> {
        let from = now();
        let text = ask()?;
        Ok(Self { from, to: now(), series: parse(&text)? })
    }

    pub(super) fn value(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let mut found = self.series.iter().filter(|(key, _)| {
            family(key) == name
                && labels.iter().all(|(label, value)| self::label(key, label) == Some(*value))
        });
        let first = found.next();
        found.next().is_none().then_some(first?.1.value)
    }
}

/// By name and labels that are not empty, sorted; a series that is there twice is an error.
pub(super) fn parse(text: &str) -> Result<BTreeMap<String, Sample>> {
    let mut series = BTreeMap::new();
    for line in text.lines() {
        let sample = match Line::parse(line.as_bytes()) {
            Some(Line::Sample(sample)) => sample,
            Some(_) => continue,
            None => bail!("malformed: {line}"),
        };
        let mut labels: Vec<String> = sample
            .labels
            .iter()
            .map(|(name, value)| (String::from_utf8_lossy(name), unescape(value)))
            .filter(|(name, value)| !value.is_empty() && !OURS.contains(&name.as_ref()))
            .map(|(name, value)| format!(",{name}=\"{}\"", String::from_utf8_lossy(&value)))
            .collect();
        labels.sort();
        let key = String::from_utf8_lossy(sample.name).into_owned() + &labels.concat();
        let value = sample.number().with_context(|| format!("no number: {line}"))?;
        let at = match sample.timestamp.map(std::str::from_utf8) {
            Some(text) => Some(text?.parse::<f64>()? / 1000.0),
            None => None,
        };
        if series.insert(key, Sample { value, at }).is_some() {
            bail!("the series is there twice: {line}");
        }
    }
    Ok(series)
}

pub(super) use crate::subject::label;

pub(super) fn family(key: &str) -> &str {
    e2e::exposition::name(key)
}

pub(super) fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs_f64()
}

/// A number of the kernel's, as a sample has it.
#[expect(clippy::float_cmp, reason = "a whole number of less than 53 bits is exact")]
pub(super) fn is(value: f64, wanted: u64) -> bool {
    value == wanted as f64
}
