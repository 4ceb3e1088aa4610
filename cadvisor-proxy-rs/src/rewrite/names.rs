//! What the name of a series decides alone, worked out once for each name.

use super::profile::Compiled;
use super::rules::ByName;
use super::{Settings, is_plain};
use crate::identity::Map;

/// Names whose verdict is remembered at most.
const LIMIT: usize = 10_000;

/// What the name alone decides about a series.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Verdict {
    pub(super) drop: Option<Reason>,
    /// The profile's rules that look at labels, a bit each.
    pub(super) checks: u64,
    /// Likewise, of the rules of one's own.
    pub(super) rules: u64,
    pub(super) network: bool,
}

/// Why a series goes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Reason {
    Profile,
    Rules,
    Noise,
    /// It has no name that a series can have.
    Malformed,
}

/// Verdicts, and the name that is being read: samples of one name stand together.
#[derive(Debug, Default)]
pub(super) struct Names {
    known: Map<Verdict>,
    pub(super) last: Vec<u8>,
    pub(super) verdict: Verdict,
}

impl Names {
    /// Of a name as it stands before the braces, or `quoted` among the labels.
    pub(super) fn verdict(&mut self, name: &[u8], quoted: bool, settings: &Settings) -> Verdict {
        if quoted {
            return judged(settings, name);
        }
        if self.last == name {
            return self.verdict;
        }
        self.verdict = self.known.get(name).copied().unwrap_or_else(|| {
            let verdict = if is_plain(name) {
                judged(settings, name)
            } else {
                Verdict { drop: Some(Reason::Malformed), ..Verdict::default() }
            };
            if self.known.len() >= LIMIT {
                self.known.clear();
            }
            self.known.insert(name.into(), verdict);
            verdict
        });
        self.last.clear();
        self.last.extend_from_slice(name);
        self.verdict
    }
}

fn judged(settings: &Settings, name: &[u8]) -> Verdict {
    let mut verdict =
        Verdict { network: name.starts_with(b"container_network_"), ..Verdict::default() };
    let about = |(_, rule): &(usize, &Compiled)| rule.is_about(name);
    for (at, rule) in settings.drops.iter().enumerate().filter(about) {
        if rule.tests.is_empty() {
            verdict.drop = Some(Reason::Profile);
        }
        verdict.checks |= 1 << (at % 64);
    }
    if settings.keep.as_ref().is_some_and(|keep| !keep.is_match(name)) {
        verdict.drop = Some(Reason::Profile);
    }
    match settings.rules.by_name(name) {
        ByName::Left(left) => verdict.rules = left,
        ByName::Drop => verdict.drop = verdict.drop.or(Some(Reason::Rules)),
    }
    verdict
}
