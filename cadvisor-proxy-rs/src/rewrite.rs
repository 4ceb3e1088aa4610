//! Rewrites an exposition while it arrives; at most one line is held.
//!
//! No socket, no clock and no task are in it: bytes go in wherever the network cut them, bytes come out.

mod blocks;
mod counts;
mod fate;
mod headers;
mod labels;
mod names;
mod noise;
mod options;
mod profile;
mod quick;
mod rules;
mod scan;
#[cfg(test)]
mod tests;
mod whose;
mod write;

use std::borrow::Cow;
use std::sync::{Arc, Mutex, PoisonError};

use exporter_toolkit::line::Line;
use memchr::memchr;

pub use counts::Counts;
pub use options::{
    Added, Conflict, Noise, RewriteOptions, Settings, SettingsError, Subject, Timestamps,
};
pub use profile::Profile;
pub use rules::RulesError;

use crate::identity::{Directory, Shared};
use blocks::Blocks;
use fate::Fate;
use headers::Headers;
use labels::Set;
use names::{Names, Reason, Verdict};
use noise::is_noise;
use rules::{NAME, escaped};
use scan::{Label, Parts};
use whose::{Cache, Known};

/// A longer line is dropped, and counted.
pub const LINE_LIMIT: usize = 256 * 1024;

/// What is remembered from one body to the next.
#[derive(Debug)]
struct Memory {
    cache: Cache,
    names: Names,
    blocks: Blocks,
    partial: Vec<u8>,
}

impl Memory {
    fn new(subject: Subject) -> Self {
        let (cache, names) = (Cache::default(), Names::default());
        Self { cache, names, blocks: Blocks::new(subject), partial: Vec::new() }
    }

    /// Before a body: what another directory said is forgotten.
    fn renew(&mut self, directory: &Directory) {
        if self.cache.renew(directory) {
            self.blocks.clear();
        }
        self.blocks.renew();
        self.partial.clear();
    }
}

/// Makes a [`Rewriter`] for each body.
#[derive(Debug)]
pub struct Workshop {
    settings: Arc<Settings>,
    shared: Arc<Shared>,
    /// Of bodies that are done; one is enough where scrapes come one after another.
    memory: Mutex<Option<Memory>>,
}

impl Workshop {
    pub fn new(settings: Settings, shared: Arc<Shared>) -> Self {
        Self { settings: Arc::new(settings), shared, memory: Mutex::default() }
    }

    /// For one body, with what is known now.
    pub fn rewriter(self: &Arc<Self>) -> Rewriter {
        let kept = self.memory.lock().unwrap_or_else(PoisonError::into_inner).take();
        let mut memory = kept.unwrap_or_else(|| Memory::new(self.settings.subject));
        let directory = self.shared.load();
        memory.renew(&directory);
        Rewriter {
            workshop: Arc::clone(self),
            settings: Arc::clone(&self.settings),
            directory,
            memory,
            headers: Headers::default(),
            labels: Vec::new(),
            joined: Vec::new(),
            skipping: false,
            ended: false,
            counts: Counts::default(),
        }
    }
}

/// Rewrites one body.
#[derive(Debug)]
pub struct Rewriter {
    workshop: Arc<Workshop>,
    settings: Arc<Settings>,
    directory: Arc<Directory>,
    memory: Memory,
    headers: Headers,
    labels: Vec<Label<'static>>,
    joined: Vec<u8>,
    /// Inside of a line that is too long.
    skipping: bool,
    /// `# EOF` has come.
    ended: bool,
    counts: Counts,
}

impl Drop for Rewriter {
    fn drop(&mut self) {
        let memory = std::mem::replace(&mut self.memory, Memory::new(self.settings.subject));
        *self.workshop.memory.lock().unwrap_or_else(PoisonError::into_inner) = Some(memory);
    }
}

impl Rewriter {
    /// Takes the next chunk of the body, wherever the network cut it, and appends what goes out.
    pub fn push(&mut self, chunk: &[u8], out: &mut Vec<u8>) {
        let before = out.len();
        self.counts.bytes_in += chunk.len() as u64;
        if let Some(chunk) = self.begun(chunk, out) {
            let rest = self.lines(chunk, out);
            self.memory.partial.extend_from_slice(rest);
        }
        if self.memory.partial.len() > LINE_LIMIT {
            self.counts.too_long += 1;
            self.memory.partial.clear();
            self.skipping = true;
        }
        self.counts.bytes_out += (out.len() - before) as u64;
    }

    /// Ends the line that an earlier chunk began; answers what follows, `None` where all of the chunk belongs to it.
    fn begun<'t>(&mut self, chunk: &'t [u8], out: &mut Vec<u8>) -> Option<&'t [u8]> {
        if self.memory.partial.is_empty() && !self.skipping {
            return Some(chunk);
        }
        let Some(end) = memchr(b'\n', chunk) else {
            if !self.skipping {
                self.memory.partial.extend_from_slice(chunk);
            }
            return None;
        };
        let (line, rest) = chunk.split_at_checked(end + 1)?;
        if !std::mem::take(&mut self.skipping) {
            let mut whole = std::mem::take(&mut self.memory.partial);
            whole.extend_from_slice(line);
            self.lines(&whole, out);
            whole.clear();
            self.memory.partial = whole;
        }
        Some(rest)
    }

    /// The body has ended; its last line may lack a newline.
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        let before = out.len();
        let line = std::mem::take(&mut self.memory.partial);
        self.line(&line, out);
        self.counts.bytes_out += (out.len() - before) as u64;
    }

    pub fn counts(&self) -> Counts {
        self.counts
    }

    fn line(&mut self, line: &[u8], out: &mut Vec<u8>) {
        if line.len() > LINE_LIMIT {
            self.counts.too_long += 1;
            return;
        }
        // All of them, so that a second pass finds none.
        let end = line.iter().rposition(|byte| *byte != b'\r').map_or(0, |last| last + 1);
        let line = line.get(..end).unwrap_or_default().trim_ascii_start();
        match line.first() {
            None => {}
            Some(_) if self.ended => self.counts.malformed += 1,
            Some(b'#') => self.comment(line, out),
            Some(_) => {
                self.counts.series += 1;
                self.sample(line, out);
            }
        }
    }

    fn comment(&mut self, line: &[u8], out: &mut Vec<u8>) {
        match Line::parse(line) {
            Some(Line::Header(header)) => self.headers.hold(header, line),
            Some(Line::Eof) => {
                self.ended = true;
                out.extend_from_slice(b"# EOF\n");
            }
            _ => {}
        }
    }

    fn sample(&mut self, line: &[u8], out: &mut Vec<u8>) {
        let name = scan::name(line);
        if !name.is_empty()
            && let Some(reason) = self.memory.names.verdict(name, false, &self.settings).drop
        {
            return self.dropped(reason);
        }
        let mut labels = recycled(std::mem::take(&mut self.labels));
        let parts = scan::scan(line, name, &mut labels);
        let Some(parts) = parts.filter(|_| !scan::repeats(&labels)) else {
            self.labels = recycled(labels);
            return self.dropped(Reason::Malformed);
        };
        let verdict = self.memory.names.verdict(parts.name, parts.quoted, &self.settings);
        let shared = &self.workshop.shared;
        let known = self.memory.cache.whose(&labels, &self.settings, &self.directory, shared);
        let mut set = Set::new(labels);
        match self.decided(verdict, &parts, known.as_deref(), &mut set) {
            Err(reason) => self.dropped(reason),
            Ok(renamed) => {
                let name = renamed.as_deref().unwrap_or(parts.name);
                self.headers.write(name, out);
                write::sample(&parts, name, &set, self.settings.timestamps, out);
            }
        }
        self.labels = recycled(set.labels);
        if verdict.rules == 0 && !parts.quoted {
            self.learn(line, known);
        }
    }

    /// Remembers what becomes of labels that were met for the first time.
    fn learn(&mut self, line: &[u8], known: Option<Arc<Known>>) {
        let Some((_, text)) = memchr(b'{', line).and_then(|at| line.split_at_checked(at + 1))
        else {
            return;
        };
        let (settings, round) = (&self.settings, self.memory.cache.round);
        self.memory.blocks.learn(text, |labels| Fate::of(settings, known, labels, round));
    }

    /// Changes the labels, or says why the series goes; a new name where the rules gave one.
    fn decided<'a>(
        &mut self,
        verdict: Verdict,
        parts: &Parts<'a>,
        known: Option<&'a Known>,
        set: &mut Set<'a>,
    ) -> Result<Option<Vec<u8>>, Reason> {
        if let Some(reason) = verdict.drop {
            return Err(reason);
        }
        let repaired = set.restore(known, &self.settings);
        if is_noise(&self.settings, verdict.network, known, set) {
            return Err(Reason::Noise);
        }
        self.profile(verdict, set)?;
        let labelled = set.complete(known, &self.settings);
        let renamed =
            if verdict.rules == 0 { None } else { self.ruled(verdict.rules, parts, set)? };
        if self.settings.drops(Noise::EmptyLabels) {
            set.drop_empty();
        }
        self.counts.repaired += u64::from(repaired);
        self.counts.labelled += u64::from(labelled);
        self.counts.unknown += u64::from(known.is_some_and(|known| known.unknown));
        Ok(renamed)
    }

    fn profile(&self, verdict: Verdict, set: &Set<'_>) -> Result<(), Reason> {
        let dropped =
            self.settings.any_drops(verdict.checks, |rule| rule.holds(|label| set.value(label)));
        if dropped { Err(Reason::Profile) } else { Ok(()) }
    }

    fn ruled<'a>(
        &mut self,
        rules: u64,
        parts: &Parts<'a>,
        set: &mut Set<'a>,
    ) -> Result<Option<Vec<u8>>, Reason> {
        let name = if parts.quoted { parts.name.into() } else { escaped(parts.name).into() };
        set.labels.insert(0, Label { name: Cow::Borrowed(NAME), value: name });
        set.changed = true;
        if !self.settings.rules.apply(rules, &mut set.labels, &mut self.joined) {
            return Err(Reason::Rules);
        }
        let at = set.labels.iter().position(|label| *label.name == *NAME);
        let name = at.map(|at| set.labels.remove(at)).ok_or(Reason::Rules)?;
        Ok((*name.value != *parts.name).then(|| name.value.into_owned()))
    }

    fn dropped(&mut self, reason: Reason) {
        match reason {
            Reason::Profile => self.counts.dropped_profile += 1,
            Reason::Rules => self.counts.dropped_rules += 1,
            Reason::Noise => self.counts.dropped_noise += 1,
            Reason::Malformed => {
                self.counts.malformed += 1;
                self.counts.series -= 1;
            }
        }
    }
}

/// A name that needs no quotes.
fn is_plain(name: &[u8]) -> bool {
    name.first().is_some_and(|first| !first.is_ascii_digit())
        && name.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b':'))
}

/// The memory of a list, for labels of another line.
fn recycled<'b>(mut labels: Vec<Label<'_>>) -> Vec<Label<'b>> {
    labels.clear();
    // Nothing is left to convert: the library collects in place, so the memory stays.
    labels
        .into_iter()
        .map(|_| Label { name: Cow::Borrowed(b""), value: Cow::Borrowed(b"") })
        .collect()
}
