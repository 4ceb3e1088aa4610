//! Two answers about the same containers.
//!
//! The peer reads its cgroups now and then and says when; ours are read at the scrape. So ours are asked again and again,
//! and what the peer says must lie between what was so before and after its moment. What stands still has one value.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anyhow::Result;

use super::known::{Known, Rule};
use super::look::{Look, family, label};

/// How far a moment of the peer's may be off: it reads some files before it looks at the clock, others after.
const SLACK: f64 = 0.5;

pub(super) struct Comparison {
    ours: Vec<Look>,
    theirs: Look,
}

/// What is wrong, by series.
pub(super) type Wrong = BTreeMap<String, String>;

/// A family a line, with how many of its series are wrong and one of them.
pub(super) fn told(wrong: &Wrong) -> String {
    let mut families: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for (key, why) in wrong {
        families.entry(family(key)).or_default().push(format!("{key}: {why}"));
    }
    let lines = families.iter().map(|(family, all)| {
        let first = all.first().map(String::as_str).unwrap_or_default();
        format!("\n{family}, {} series, such as {first}", all.len())
    });
    lines.collect()
}

impl Comparison {
    /// Asks us for this long, then the peer, and us a few times more.
    pub(super) fn take(
        before: Duration,
        pause: Duration,
        ours: &dyn Fn() -> Result<String>,
        theirs: &dyn Fn() -> Result<String>,
    ) -> Result<Self> {
        let mut looks = Vec::new();
        let again = |looks: &mut Vec<Look>| -> Result<()> {
            looks.push(Look::take(ours)?);
            std::thread::sleep(pause);
            Ok(())
        };
        let begin = super::look::now();
        while super::look::now() < begin + before.as_secs_f64() {
            again(&mut looks)?;
        }
        let theirs = Look::take(theirs)?;
        let end = super::look::now() + 2.0 * SLACK;
        again(&mut looks)?;
        while looks.last().is_none_or(|look| look.from < end) {
            again(&mut looks)?;
        }
        Ok(Self { ours: looks, theirs })
    }

    /// Of the series that are `about` what is tested, those that differ, and families that the table does not explain.
    pub(super) fn wrong(&self, known: &[Known], about: &dyn Fn(&str) -> bool) -> Wrong {
        let mut wrong = Wrong::new();
        for (key, sample) in self.theirs.series.iter().filter(|(key, _)| about(key)) {
            let within = match rule(known, family(key)) {
                Some(Rule::Theirs) => continue,
                Some(Rule::Zero) if sample.value == 0.0 && self.never(key) => continue,
                Some(Rule::Within(within)) => within,
                Some(Rule::Moves(within)) if self.moves(key) => within,
                Some(_) | None => 0.0,
            };
            if let Some(why) = self.differs(key, sample.value, sample.at, within) {
                wrong.insert(key.clone(), why);
            }
        }
        // What we say all the time and the peer does not.
        let Some(first) = self.ours.first() else { return wrong };
        for key in first.series.keys().filter(|key| about(key)) {
            let always = self.ours.iter().all(|look| look.series.contains_key(key));
            let ours = rule(known, family(key)).is_some_and(|rule| rule == Rule::Ours);
            if always && !ours && !self.theirs.series.contains_key(key) {
                wrong.insert(key.clone(), "the peer does not have it".to_owned());
            }
        }
        wrong
    }

    fn never(&self, key: &str) -> bool {
        self.ours.iter().all(|look| !look.series.contains_key(key))
    }

    /// Whether the container of a series has run at all meanwhile.
    fn moves(&self, key: &str) -> bool {
        let id = label(key, "id").unwrap_or_default();
        let usage = |look: &Look| look.value("container_cpu_usage_seconds_total", &[("id", id)]);
        let (first, last) = self.ours();
        usage(first) != usage(last)
    }

    fn differs(&self, key: &str, theirs: f64, at: Option<f64>, within: f64) -> Option<String> {
        let values: Option<Vec<f64>> = self
            .around(at)
            .iter()
            .map(|look| look.series.get(key).map(|sample| sample.value))
            .collect();
        let Some(values) = values else {
            return Some(format!("we do not have it; the peer says {theirs}"));
        };
        let least = values.iter().copied().fold(f64::INFINITY, f64::min);
        let most = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        // What goes up and down may have been elsewhere between two looks.
        let moved = if is_gauge(key) && least < most { (most - least) + 0.02 * most } else { 0.0 };
        let within = within + moved + 1e-9 * most.abs();
        let fits = theirs >= least - within && theirs <= most + within;
        (!fits).then(|| format!("{theirs}, ours {least} to {most} in {} looks", values.len()))
    }

    /// From the last look before a moment to the first after it.
    fn around(&self, at: Option<f64>) -> &[Look] {
        let Some(at) = at else { return &self.ours };
        let before = self.ours.iter().rposition(|look| look.to < at - SLACK).unwrap_or(0);
        let after = self.ours.iter().position(|look| look.from > at + SLACK);
        &self.ours[before..=after.unwrap_or(self.ours.len() - 1)]
    }

    /// Rows that say more than is so: the table stays true.
    pub(super) fn stale(&self, known: &[Known], about: &dyn Fn(&str) -> bool) -> Vec<String> {
        let families = |look: &Look| -> BTreeSet<String> {
            let keys = look.series.keys().filter(|key| about(key));
            keys.map(|key| family(key).to_owned()).collect()
        };
        let theirs = families(&self.theirs);
        let ours = self.ours.last().map(families).unwrap_or_default();
        let is_stale = |row: &&Known| match row.rule {
            Rule::Theirs => !theirs.contains(row.family) || ours.contains(row.family),
            Rule::Ours => theirs.contains(row.family),
            Rule::Within(_) | Rule::Moves(_) => {
                !theirs.contains(row.family) || !ours.contains(row.family)
            }
            // Where nothing was counted for any container, the peer alone has it.
            Rule::Zero => !theirs.contains(row.family),
        };
        let stale = known.iter().filter(is_stale);
        stale.map(|row| format!("{} {:?}: {}", row.family, row.rule, row.reason)).collect()
    }

    pub(super) fn ours(&self) -> (&Look, &Look) {
        (self.ours.first().unwrap(), self.ours.last().unwrap())
    }
}

fn rule(known: &[Known], family: &str) -> Option<Rule> {
    known.iter().find(|row| row.family == family).map(|row| row.rule)
}

fn is_gauge(key: &str) -> bool {
    !family(key).ends_with("_total")
}

/// What was wrong every time; a moment's disagreement of two that read at their own times is none.
pub(super) fn always(mut rounds: impl Iterator<Item = Wrong>) -> Wrong {
    let first = rounds.next().unwrap_or_default();
    rounds.fold(first, |known, next| {
        known.into_iter().filter(|(key, _)| next.contains_key(key)).collect()
    })
}
