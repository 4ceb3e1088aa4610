//! What differs between two exporters of one host, once what moves by itself is taken out.

use std::collections::BTreeMap;
use std::fmt::{self, Display};

use e2e::Scrape;

/// A scrape of ours between two of the peer.
pub(crate) struct Moment {
    pub(crate) before: Scrape,
    pub(crate) ours: Scrape,
    pub(crate) after: Scrape,
}

/// In what way a family differs.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Kind {
    OnlyPeer,
    OnlyOurs,
    Type,
    LabelSetPeer,
    LabelSetOurs,
    Value,
}

impl Kind {
    #[cfg(test)]
    pub(crate) const ALL: &[Self] = &[
        Self::OnlyPeer,
        Self::OnlyOurs,
        Self::Type,
        Self::LabelSetPeer,
        Self::LabelSetOurs,
        Self::Value,
    ];

    /// As in the table of known differences.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::OnlyPeer => "only-peer",
            Self::OnlyOurs => "only-ours",
            Self::Type => "type",
            Self::LabelSetPeer => "label-set-peer",
            Self::LabelSetOurs => "label-set-ours",
            Self::Value => "value",
        }
    }
}

/// One difference: of a family, or of a series of it.
#[derive(Clone, Debug)]
pub(crate) struct Difference {
    pub(crate) kind: Kind,
    pub(crate) family: String,
    /// The family or the series.
    subject: String,
    detail: String,
}

impl Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:14} {}{}", self.kind.word(), self.subject, self.detail)
    }
}

/// Collects the differences of several moments; only those of every moment count.
#[derive(Default)]
pub(crate) struct Tracker {
    moments: usize,
    series: usize,
    seen: BTreeMap<(Kind, String), (usize, Difference)>,
}

impl Tracker {
    pub(crate) fn add(&mut self, moment: &Moment) {
        self.moments += 1;
        self.series = moment.ours.series.len();
        for difference in moment.differences() {
            let key = (difference.kind, difference.subject.clone());
            let entry = self.seen.entry(key).or_insert_with(|| (0, difference.clone()));
            *entry = (entry.0 + 1, difference);
        }
    }

    pub(crate) fn differences(&self) -> Vec<Difference> {
        let always = self.seen.values().filter(|(count, _)| *count == self.moments);
        always.map(|(_, difference)| difference.clone()).collect()
    }

    pub(crate) fn summary(&self) -> String {
        let differences = self.differences();
        let count = |kind| differences.iter().filter(|d| d.kind == kind).count();
        format!(
            "{} series of ours in {} rounds. Families: {} only the peer's, {} only ours, {} of another type. \
             Series of shared families: {} only the peer's, {} only ours, {} of another value.",
            self.series,
            self.moments,
            count(Kind::OnlyPeer),
            count(Kind::OnlyOurs),
            count(Kind::Type),
            count(Kind::LabelSetPeer),
            count(Kind::LabelSetOurs),
            count(Kind::Value),
        )
    }
}

impl Moment {
    fn differences(&self) -> Vec<Difference> {
        let mut found = self.families();
        found.extend(self.series_of_the_peer());
        found.extend(self.series_of_ours());
        found
    }

    fn families(&self) -> Vec<Difference> {
        let of = |kind, family: &String, detail| Difference {
            kind,
            family: family.clone(),
            subject: family.clone(),
            detail,
        };
        let (peer, ours) = (&self.before.types, &self.ours.types);
        let mut found = Vec::new();
        for (family, word) in peer {
            match ours.get(family) {
                None => found.push(of(Kind::OnlyPeer, family, String::new())),
                Some(other) if other != word => {
                    found.push(of(Kind::Type, family, format!(": {word}, ours {other}")));
                }
                Some(_) => {}
            }
        }
        let only = ours.keys().filter(|family| !peer.contains_key(*family));
        found.extend(only.map(|family| of(Kind::OnlyOurs, family, String::new())));
        found
    }

    /// The peer's series that are not ours, or have another value.
    fn series_of_the_peer(&self) -> Vec<Difference> {
        let mut found = Vec::new();
        for (key, before) in &self.before.series {
            let family = self.before.family(key);
            // What came or went in between, and what a missing family says already, is no difference of its own.
            let Some(after) = self.after.series.get(key) else { continue };
            if !self.ours.types.contains_key(family) {
                continue;
            }
            let (kind, detail) = match self.ours.series.get(key) {
                None => (Kind::LabelSetPeer, format!(" {before}")),
                Some(&ours) if is_between(*before, ours, *after) => continue,
                Some(ours) => (Kind::Value, format!(": {before}, ours {ours}, then {after}")),
            };
            found.push(Difference {
                kind,
                family: family.to_owned(),
                subject: key.clone(),
                detail,
            });
        }
        found
    }

    fn series_of_ours(&self) -> Vec<Difference> {
        let theirs = |key: &String| {
            self.before.series.contains_key(key) || self.after.series.contains_key(key)
        };
        let shared =
            |key: &&String| self.before.types.contains_key(self.ours.family(key)) && !theirs(key);
        let only = self.ours.series.keys().filter(shared);
        only.map(|key| Difference {
            kind: Kind::LabelSetOurs,
            family: self.ours.family(key).to_owned(),
            subject: key.clone(),
            detail: String::new(),
        })
        .collect()
    }
}

/// What stood still must be equal; what moved must lie within what the peer saw before and after.
fn is_between(before: f64, ours: f64, after: f64) -> bool {
    let not_a_number = before.is_nan() && ours.is_nan() && after.is_nan();
    not_a_number || (before.min(after) <= ours && ours <= before.max(after))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moment(before: &str, ours: &str, after: &str) -> Moment {
        let [before, ours, after] = [before, ours, after].map(|text| Scrape::parse(text).unwrap());
        Moment { before, ours, after }
    }

    fn said(moments: &[Moment]) -> Vec<String> {
        let mut tracker = Tracker::default();
        for moment in moments {
            tracker.add(moment);
        }
        tracker.differences().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn families_types_label_sets_and_values_are_told_apart() {
        let peer = "# TYPE a gauge\na{x=\"1\"} 1\na{x=\"2\"} 1\n# TYPE b gauge\nb 1\n# TYPE c counter\nc 1\n";
        let ours = "# TYPE a gauge\na{x=\"1\"} 2\na{x=\"3\"} 1\n# TYPE d gauge\nd 1\n# TYPE c gauge\nc 1\n";
        assert_eq!(
            said(&[moment(peer, ours, peer)]),
            [
                "only-peer      b",
                "only-ours      d",
                "type           c: counter, ours gauge",
                "label-set-peer a,x=\"2\" 1",
                "label-set-ours a,x=\"3\"",
                "value          a,x=\"1\": 1, ours 2, then 1",
            ]
        );
    }

    #[test]
    fn what_moves_may_lie_between_and_what_is_not_there_every_time_is_the_moments() {
        let of = |a, ours, b| {
            moment(
                &format!("# TYPE a gauge\na {a}\n"),
                &format!("# TYPE a gauge\na {ours}\n"),
                &format!("# TYPE a gauge\na {b}\n"),
            )
        };
        assert_eq!(said(&[of("1", "2", "3")]), [] as [&str; 0]);
        assert_eq!(said(&[of("NaN", "NaN", "NaN")]), [] as [&str; 0]);
        assert_eq!(said(&[of("1", "4", "3"), of("1", "1", "1")]), [] as [&str; 0]);
        assert_eq!(said(&[of("1", "4", "3"), of("1", "2", "1")]).len(), 1);
    }
}
