//! An exposition read into maps, so that two can be compared.

use std::collections::BTreeMap;

use anyhow::{Result, bail};
use exporter_toolkit::line::{self, Keyword, Line};

/// What one answer says: every series with its value, every family with its type.
#[derive(Clone, Debug, Default)]
pub struct Scrape {
    /// By name and sorted labels, as `name,label="value",...`.
    pub series: BTreeMap<String, f64>,
    /// By family, as in the `# TYPE` lines.
    pub types: BTreeMap<String, String>,
}

impl Scrape {
    /// Reads a text; a malformed line, a number that is none, and a repeated series are errors.
    pub fn parse(text: &str) -> Result<Self> {
        let mut scrape = Self::default();
        for (number, text) in (1..).zip(text.lines()) {
            match Line::parse(text.as_bytes()) {
                Some(Line::Sample(sample)) => {
                    let key = String::from_utf8_lossy(&line::series_key(&sample)).into_owned();
                    let Some(value) = sample.number() else {
                        bail!("line {number}: no number: {text}");
                    };
                    if scrape.series.insert(key, value).is_some() {
                        bail!("line {number}: the series is there twice: {text}");
                    }
                }
                Some(Line::Header(header)) if header.keyword == Keyword::Type => {
                    scrape.types.insert(lossy(header.family), lossy(header.text));
                }
                Some(Line::Eof) => break,
                Some(_) => {}
                None => bail!("line {number}: malformed: {text}"),
            }
        }
        Ok(scrape)
    }

    /// The family that a series belongs to: its name, less the suffix of a histogram's or summary's parts.
    pub fn family<'a>(&self, key: &'a str) -> &'a str {
        let name = name(key);
        ["_bucket", "_sum", "_count"]
            .into_iter()
            .filter_map(|suffix| name.strip_suffix(suffix))
            .find(|base| {
                self.types.get(*base).is_some_and(|kind| kind == "histogram" || kind == "summary")
            })
            .unwrap_or(name)
    }

    /// The series about the host: without the exporter's own telemetry, which depends on what it was asked before.
    pub fn about_the_host(&self) -> impl Iterator<Item = &str> {
        let about = |key: &&str| key.starts_with("node_") && !key.starts_with("node_exporter_");
        self.series.keys().map(String::as_str).filter(about)
    }

    /// The value of the only series of a name.
    pub fn one(&self, name: &str) -> Option<f64> {
        let mut found = self.of(name);
        found.next().filter(|_| found.next().is_none()).map(|(_, value)| value)
    }

    /// The series of a name.
    pub fn of<'a>(&'a self, wanted: &'a str) -> impl Iterator<Item = (&'a str, f64)> {
        self.series
            .range(wanted.to_owned()..)
            .take_while(move |(key, _)| key.starts_with(wanted))
            .filter(move |(key, _)| name(key) == wanted)
            .map(|(key, value)| (key.as_str(), *value))
    }
}

/// The name in a series' key.
pub fn name(key: &str) -> &str {
    key.split(',').next().unwrap_or(key)
}

/// The value of a label in a series' key, its escaping taken back.
pub fn label(key: &str, wanted: &str) -> Option<String> {
    let (name, labels) = key.split_once(',')?;
    let text = format!("{name}{{{labels}}} 0");
    match Line::parse(text.as_bytes()) {
        Some(Line::Sample(sample)) => {
            sample.labels.get(wanted.as_bytes()).map(|value| lossy(&line::unescape(value)))
        }
        _ => None,
    }
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn series_are_found_by_name_label_and_family() {
        let text =
            "# TYPE a summary\na_sum 3\na_count 2\n# TYPE a_b gauge\na_b{y=\"2\",x=\"q\\\"\"} 1\n";
        let scrape = Scrape::parse(text).unwrap();
        assert_eq!(scrape.one("a_count"), Some(2.0));
        assert_eq!(scrape.one("a"), None);
        let (key, value) = scrape.of("a_b").next().unwrap();
        assert_eq!((label(key, "x").as_deref(), value), (Some("q\""), 1.0));
        assert_eq!(scrape.family("a_sum"), "a");
        assert_eq!(scrape.family(key), "a_b");
    }

    #[test]
    fn a_repeated_series_is_an_error_whatever_the_order_of_its_labels() {
        let error = Scrape::parse("m{a=\"1\",b=\"2\"} 1\nm{b=\"2\",a=\"1\"} 1\n").unwrap_err();
        assert!(error.to_string().starts_with("line 2: the series is there twice"), "{error}");
    }
}
