//! The short way of a line: one of the family before it, about labels that were met before, written as all of them are.
//!
//! What goes out as it came is copied in runs of many lines. A line that is anything else goes the long way, which gives the
//! same answer.

use memchr::memchr;

use super::blocks::{Blocks, Found, Span};
use super::fate::Fate;
use super::names::{Reason, Verdict};
use super::options::{Noise, Settings, Timestamps};
use super::{LINE_LIMIT, Rewriter, scan};

/// Text of which a part goes out as it is.
struct Run<'t> {
    text: &'t [u8],
    from: usize,
}

impl Run<'_> {
    /// Copies what lies before `to`, and goes on at `next`.
    fn end(&mut self, to: usize, next: usize, out: &mut Vec<u8>) {
        if to > self.from {
            out.extend_from_slice(self.text.get(self.from..to).unwrap_or_default());
        }
        self.from = next;
    }
}

/// Where the parts of a line are in its text.
#[derive(Clone, Copy)]
struct Places {
    start: usize,
    /// Behind the opening brace.
    set: usize,
    /// The closing brace.
    close: usize,
    /// Behind the value.
    value: usize,
    /// The newline.
    end: usize,
}

impl Rewriter {
    /// Works on all whole lines; answers what is left.
    pub(super) fn lines<'t>(&mut self, text: &'t [u8], out: &mut Vec<u8>) -> &'t [u8] {
        let mut run = Run { text, from: 0 };
        let mut at = 0;
        while let Some(rest) = text.get(at..) {
            if let Some(next) = self.quick(at, &mut run, out) {
                at = next;
                continue;
            }
            let Some(end) = memchr(b'\n', rest) else { break };
            run.end(at, at + end + 1, out);
            self.line(rest.get(..end).unwrap_or_default(), out);
            at += end + 1;
        }
        run.end(at, at, out);
        text.get(at..).unwrap_or_default()
    }

    /// Where the next line begins, if this one can go the short way.
    fn quick(&mut self, start: usize, run: &mut Run<'_>, out: &mut Vec<u8>) -> Option<usize> {
        let names = &self.memory.names;
        let line = run.text.get(start..)?;
        let after = line.strip_prefix(names.last.as_slice())?.strip_prefix(b"{")?;
        let verdict = names.verdict;
        if verdict.rules != 0 || self.ended || names.last.is_empty() {
            return None;
        }
        let set = start + names.last.len() + 1;
        if let Some(reason) = verdict.drop {
            let end = set + memchr(b'\n', after)?;
            return self.leave_out(reason, start, end, run, out);
        }
        let found = self.memory.blocks.find(after)?;
        let close = set + found.close;
        let numbers = run.text.get(close + 1..)?.strip_prefix(b" ")?;
        let (value, end) = scan::numbers(numbers)?;
        let places = Places { start, set, close, value: close + 2 + value, end: close + 2 + end };
        self.follow_fate(found, verdict, places, run, out)
    }

    fn leave_out(
        &mut self,
        reason: Reason,
        start: usize,
        end: usize,
        run: &mut Run<'_>,
        out: &mut Vec<u8>,
    ) -> Option<usize> {
        if end - start > LINE_LIMIT {
            return None;
        }
        self.counts.series += 1;
        self.dropped(reason);
        run.end(start, end + 1, out);
        Some(end + 1)
    }

    fn follow_fate(
        &mut self,
        found: Found,
        verdict: Verdict,
        at: Places,
        run: &mut Run<'_>,
        out: &mut Vec<u8>,
    ) -> Option<usize> {
        let set = run.text.get(at.set..)?;
        if at.end - at.start > LINE_LIMIT || !fits(&self.memory.blocks, found, set, &self.settings)?
        {
            return None;
        }
        let (blocks, round) = (&mut self.memory.blocks, self.memory.cache.round);
        blocks.fate_mut(found)?.tell(&self.workshop.shared, round);
        let fate = blocks.fate(found)?;
        if if verdict.network { fate.network_noise } else { fate.noise } {
            return self.leave_out(Reason::Noise, at.start, at.end, run, out);
        }
        let rules = verdict.checks & fate.passed;
        if rules != 0 && drops(&self.settings, rules, blocks, set) {
            return self.leave_out(Reason::Profile, at.start, at.end, run, out);
        }
        self.counts.series += 1;
        self.counts.repaired += u64::from(fate.repaired);
        self.counts.labelled += u64::from(fate.labelled);
        self.counts.unknown += u64::from(fate.unknown);
        if self.headers.is_waiting() {
            run.end(at.start, at.start, out);
            self.headers.write(&self.memory.names.last, out);
        }
        write(fate, blocks, at, run, out);
        if self.settings.timestamps == Timestamps::Drop {
            run.end(at.value, at.end, out);
        }
        Some(at.end + 1)
    }
}

/// Whether the labels that are not of the block leave its fate alone.
fn fits(blocks: &Blocks, found: Found, set: &[u8], settings: &Settings) -> Option<bool> {
    let mixes = blocks.fate(found)?.mixes;
    let empty = || blocks.others.iter().any(|other| other.value(set).is_empty());
    let stays = || !settings.drops(Noise::EmptyLabels) || !empty();
    Some(blocks.others.is_empty() || mixes && stays() && !repeat(&blocks.others, set))
}

/// Whether one is there twice, or so many are that the long way is to tell.
fn repeat(others: &[Span], set: &[u8]) -> bool {
    others.len() > scan::FEW
        || (1..).zip(others).any(|(next, one)| {
            let mut rest = others.get(next..).unwrap_or_default().iter();
            rest.any(|other| other.name(set) == one.name(set))
        })
}

/// Whether one of the rules drops the series, whose tests of the block's labels hold already.
fn drops(settings: &Settings, rules: u64, blocks: &Blocks, set: &[u8]) -> bool {
    let value = |name: &[u8]| {
        let other = blocks.others.iter().find(|other| other.name(set) == name);
        other.map_or(&[][..], |other| other.value(set))
    };
    rules & !settings.looking_at_others != 0
        || settings.any_drops(rules, |rule| rule.holds_for_others(value))
}

/// The labels, of which those of other families are in their places.
fn write(fate: &Fate, blocks: &Blocks, at: Places, run: &mut Run<'_>, out: &mut Vec<u8>) {
    let Some(changed) = &fate.changed else {
        if !fate.added.is_empty() {
            run.end(at.close, at.close, out);
            out.extend_from_slice(&fate.added);
        }
        return;
    };
    run.end(at.set, at.close, out);
    let from = out.len();
    let set = run.text.get(at.set..).unwrap_or_default();
    let mut label = |text: &[u8]| {
        if !text.is_empty() {
            if out.len() > from {
                out.push(b',');
            }
            out.extend_from_slice(text);
        }
    };
    let mut others = blocks.others.iter().peekable();
    for number in 0..=changed.len() {
        while let Some(other) = others.next_if(|other| other.before == number) {
            label(set.get(other.from..other.to).unwrap_or_default());
        }
        label(changed.get(number).map_or(&[], |text| text));
    }
    label(fate.added.strip_prefix(b",").unwrap_or_default());
    if out.len() == from {
        // No label is left, and no brace.
        out.pop();
        run.from = at.close + 1;
    }
}
