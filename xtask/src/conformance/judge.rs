//! Found against expected, by collector.

use std::collections::{BTreeMap, BTreeSet};

use e2e::Scrape;

/// The samples that belong to the machine, the moment or the runtime: the peer's own run leaves them out too.
const LEFT_OUT: &[&str] = &[
    "go_",
    "node_exporter_",
    "node_network_receive_bytes_total",
    "node_network_receive_packets_total",
    "node_network_transmit_bytes_total",
    "node_network_transmit_packets_total",
    "node_scrape_collector_duration_seconds",
    "node_textfile_mtime_seconds",
    "node_time_seconds",
    "node_time_zone",
    "process_",
    "promhttp_",
];

/// `families.tsv`: which collector gives a family, and which collectors are on by default.
pub(crate) struct Index {
    collector: BTreeMap<String, String>,
    default: BTreeSet<String>,
}

impl Index {
    pub(crate) fn parse(tsv: &str) -> Self {
        let mut index = Self { collector: BTreeMap::new(), default: BTreeSet::new() };
        for row in tsv.lines().skip(1) {
            let mut columns = row.split('\t');
            let (Some(collector), Some(default), Some(family)) =
                (columns.next(), columns.next(), columns.next())
            else {
                continue;
            };
            index.collector.insert(family.to_owned(), collector.to_owned());
            if default == "enabled" {
                index.default.insert(collector.to_owned());
            }
        }
        index
    }

    /// An index of one collector, which gives all that is expected.
    pub(crate) fn of_one(collector: &str, expected: &Scrape) -> Self {
        let families = expected.series.keys().map(|key| expected.family(key).to_owned());
        let collector = families.map(|family| (family, collector.to_owned())).collect();
        Self { collector, default: BTreeSet::new() }
    }

    pub(crate) fn has(&self, collector: &str) -> bool {
        self.collector.values().any(|name| name == collector)
    }

    /// The collector of a series; the success of a collector counts for `(framework)`.
    fn of<'a>(&'a self, scrape: &Scrape, key: &str) -> &'a str {
        self.collector.get(scrape.family(key)).map_or("(unknown)", String::as_str)
    }
}

/// What was found.
#[derive(Debug, Default)]
pub(crate) struct Verdict {
    /// Found and expected by collector.
    counts: BTreeMap<String, (usize, usize)>,
    pub(crate) problems: Vec<String>,
}

impl Verdict {
    pub(crate) fn add(&mut self, other: Self) {
        self.counts.extend(other.counts);
        self.problems.extend(other.problems);
    }

    /// A row per collector and one for all.
    pub(crate) fn rows(&self) -> Vec<Vec<String>> {
        let all = self.counts.values().fold((0, 0), |sum, n| (sum.0 + n.0, sum.1 + n.1));
        let row = |(name, (found, due)): (&str, &(usize, usize))| {
            vec![name.to_owned(), found.to_string(), "of".to_owned(), due.to_string()]
        };
        let each = self.counts.iter().map(|(name, count)| row((name, count)));
        each.chain([row(("all", &all))]).collect()
    }
}

/// Compares series by name, labels and value, and families by type.
///
/// A collector that the program does not `know` counts only where it is on by default.
pub(crate) fn judge(
    index: &Index,
    expected: &Scrape,
    got: &Scrape,
    knows: impl Fn(&str) -> bool,
) -> Verdict {
    let due = |collector: &str| {
        collector.starts_with('(') || knows(collector) || index.default.contains(collector)
    };
    let mut verdict = Verdict::default();
    for (key, value) in &expected.series {
        let collector = index.of(expected, key);
        if is_left_out(key) || !due(collector) || !due(&success_of(key).unwrap_or("(".into())) {
            continue;
        }
        let count = verdict.counts.entry(collector.to_owned()).or_default();
        count.1 += 1;
        match got.series.get(key) {
            Some(other) if other.to_bits() == value.to_bits() => count.0 += 1,
            Some(other) => {
                verdict.problems.push(format!("{collector}: {key} is {other}, not {value}"));
            }
            None => verdict.problems.push(format!("{collector}: missing: {key} {value}")),
        }
    }
    let extra = got.series.keys().filter(|key| !expected.series.contains_key(*key));
    for key in extra.filter(|key| !is_left_out(key)) {
        verdict.problems.push(format!("{}: more than expected: {key}", index.of(got, key)));
    }
    verdict.problems.extend(types(index, expected, got, due));
    verdict
}

fn types(
    index: &Index,
    expected: &Scrape,
    got: &Scrape,
    due: impl Fn(&str) -> bool,
) -> Vec<String> {
    let runtime =
        |family: &str| ["go_", "process_", "promhttp_"].iter().any(|p| family.starts_with(p));
    let collector = |family: &str| index.collector.get(family).map_or("(unknown)", String::as_str);
    expected
        .types
        .iter()
        .filter(|(family, _)| !runtime(family) && due(collector(family)))
        .filter(|(family, _)| expected_samples(expected, family))
        .filter(|(family, word)| got.types.get(*family) != Some(word))
        .map(|(family, word)| {
            let is = got.types.get(family).map_or("is not there", String::as_str);
            format!("{}: # TYPE {family} {word}: {is}", collector(family))
        })
        .collect()
}

/// A family without a compared sample may lack its header: nothing is lost.
fn expected_samples(expected: &Scrape, family: &str) -> bool {
    expected.series.keys().any(|key| expected.family(key) == family)
}

/// The collector whose success a series tells.
fn success_of(key: &str) -> Option<String> {
    key.starts_with("node_scrape_collector_success,")
        .then(|| e2e::exposition::label(key, "collector"))
        .flatten()
}

fn is_left_out(key: &str) -> bool {
    LEFT_OUT.iter().any(|prefix| key.starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    const INDEX: &str = "collector\tdefault\tfamily\ncpu\tenabled\tnode_c_total\ndrbd\tdisabled\tnode_d\n(framework)\t-\tnode_scrape_collector_success\n";
    const EXPECTED: &str = "# TYPE node_c_total counter\nnode_c_total{cpu=\"0\"} 1\nnode_c_total{cpu=\"1\"} 2\nnode_d 4\n\
                            node_scrape_collector_success{collector=\"cpu\"} 1\nnode_scrape_collector_success{collector=\"drbd\"} 1\n";

    fn problems(got: &str) -> Vec<String> {
        let scrape = |text| Scrape::parse(text).unwrap();
        judge(&Index::parse(INDEX), &scrape(EXPECTED), &scrape(got), |name| name == "cpu").problems
    }

    #[test]
    fn a_collector_that_is_off_by_default_and_unknown_is_no_loss() {
        assert_eq!(problems(&EXPECTED.replace("node_d 4\n", "")), [] as [&str; 0]);
    }

    #[test]
    fn a_missing_series_a_wrong_value_a_wrong_type_and_an_extra_series_are_problems() {
        let got = "# TYPE node_c_total gauge\nnode_c_total{cpu=\"0\"} 3\nnode_c_total{cpu=\"2\"} 2\n\
                   node_scrape_collector_success{collector=\"cpu\"} 1\ngo_x 1\n";
        assert_eq!(
            problems(got),
            [
                "cpu: node_c_total,cpu=\"0\" is 3, not 1",
                "cpu: missing: node_c_total,cpu=\"1\" 2",
                "cpu: more than expected: node_c_total,cpu=\"2\"",
                "cpu: # TYPE node_c_total counter: gauge",
            ]
        );
    }
}
