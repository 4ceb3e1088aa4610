//! Rewrites an exposition while it arrives; at most one line is held.
//!
//! No socket, no clock and no task are in it: bytes go in wherever the network cut them, bytes come out.

mod headers;
mod labels;
mod options;
mod profile;
mod rules;
mod scan;
#[cfg(test)]
mod tests;
mod whose;

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::hash::BuildHasherDefault;
use std::sync::{Arc, Mutex, PoisonError};

use exporter_toolkit::line::{Line, unescape};
use memchr::memchr;
use xxhash_rust::xxh3::Xxh3Default;

pub use options::{
    Added, Conflict, Noise, RewriteOptions, Settings, SettingsError, Subject, Timestamps,
};
pub use profile::Profile;
pub use rules::RulesError;

use crate::identity::{Directory, Shared};
use headers::Headers;
use labels::Set;
use rules::{ByName, NAME, escaped};
use scan::{Label, Parts};
use whose::{Cache, Kind, Known};

/// A longer line is dropped, and counted.
pub const LINE_LIMIT: usize = 256 * 1024;
/// Names whose verdict is remembered at most.
const NAMES: usize = 10_000;

/// What became of one body, or of all.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Counts {
    pub bytes_in: u64,
    pub bytes_out: u64,
    /// Series that came.
    pub series: u64,
    pub dropped_profile: u64,
    pub dropped_rules: u64,
    pub dropped_noise: u64,
    /// Lines that are no sample and no comment.
    pub malformed: u64,
    /// Lines beyond the limit.
    pub too_long: u64,
    /// Series that went out with an identity.
    pub labelled: u64,
    /// Series of containers or pods that nobody knows.
    pub unknown: u64,
    /// Series whose lost labels were filled in.
    pub repaired: u64,
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { series, labelled, repaired, unknown, .. } = self;
        let Self { dropped_profile, dropped_rules, dropped_noise, malformed, too_long, .. } = self;
        write!(
            f,
            "{series} series in; dropped: {dropped_profile} by the profile, {dropped_rules} by rules, "
        )?;
        write!(f, "{dropped_noise} as noise, {malformed} unreadable, {too_long} too long; ")?;
        write!(f, "{labelled} labelled, {repaired} repaired, {unknown} of nobody known; ")?;
        write!(f, "{} bytes in, {} out", self.bytes_in, self.bytes_out)
    }
}

impl Counts {
    /// Adds another body's.
    pub fn add(&mut self, other: &Self) {
        self.bytes_in += other.bytes_in;
        self.bytes_out += other.bytes_out;
        self.series += other.series;
        self.dropped_profile += other.dropped_profile;
        self.dropped_rules += other.dropped_rules;
        self.dropped_noise += other.dropped_noise;
        self.malformed += other.malformed;
        self.too_long += other.too_long;
        self.labelled += other.labelled;
        self.unknown += other.unknown;
        self.repaired += other.repaired;
    }
}

/// What the name alone decides about a series.
#[derive(Clone, Copy, Debug, Default)]
struct Verdict {
    drop: Option<Reason>,
    /// The profile's rules that look at labels, a bit each.
    checks: u64,
    rules: bool,
    network: bool,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Reason {
    Profile,
    Rules,
    Noise,
}

type Names = HashMap<Box<[u8]>, Verdict, BuildHasherDefault<Xxh3Default>>;

/// What is remembered from one body to the next.
#[derive(Debug, Default)]
struct Memory {
    cache: Cache,
    names: Names,
    partial: Vec<u8>,
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
        let mut memory = kept.unwrap_or_default();
        let directory = self.shared.load();
        memory.cache.renew(&directory);
        memory.partial.clear();
        Rewriter {
            workshop: Arc::clone(self),
            settings: Arc::clone(&self.settings),
            directory,
            memory,
            headers: Headers::default(),
            labels: Vec::new(),
            joined: Vec::new(),
            last: (Vec::new(), Verdict::default()),
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
    last: (Vec<u8>, Verdict),
    /// Inside of a line that is too long.
    skipping: bool,
    /// `# EOF` has come.
    ended: bool,
    counts: Counts,
}

impl Drop for Rewriter {
    fn drop(&mut self) {
        let memory = std::mem::take(&mut self.memory);
        *self.workshop.memory.lock().unwrap_or_else(PoisonError::into_inner) = Some(memory);
    }
}

impl Rewriter {
    /// Takes the next chunk of the body, wherever the network cut it, and appends what goes out.
    pub fn push(&mut self, mut chunk: &[u8], out: &mut Vec<u8>) {
        let before = out.len();
        self.counts.bytes_in += chunk.len() as u64;
        while let Some(end) = memchr(b'\n', chunk) {
            let (line, rest) = chunk.split_at(end);
            chunk = rest.get(1..).unwrap_or_default();
            if std::mem::take(&mut self.skipping) {
                continue;
            }
            if self.memory.partial.is_empty() {
                self.line(line, out);
            } else {
                self.memory.partial.extend_from_slice(line);
                self.partial(out);
            }
        }
        if !self.skipping {
            self.memory.partial.extend_from_slice(chunk);
            if self.memory.partial.len() > LINE_LIMIT {
                self.counts.too_long += 1;
                self.memory.partial.clear();
                self.skipping = true;
            }
        }
        self.counts.bytes_out += (out.len() - before) as u64;
    }

    /// The body has ended; its last line may lack a newline.
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        let before = out.len();
        if !self.memory.partial.is_empty() {
            self.partial(out);
        }
        self.counts.bytes_out += (out.len() - before) as u64;
    }

    pub fn counts(&self) -> Counts {
        self.counts
    }

    fn partial(&mut self, out: &mut Vec<u8>) {
        let mut line = std::mem::take(&mut self.memory.partial);
        self.line(&line, out);
        line.clear();
        self.memory.partial = line;
    }

    fn line(&mut self, line: &[u8], out: &mut Vec<u8>) {
        if line.len() > LINE_LIMIT {
            self.counts.too_long += 1;
            return;
        }
        let line = line.strip_suffix(b"\r").unwrap_or(line).trim_ascii_start();
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
            Some(Line::Header(header)) => self.headers.hold(header.family, line),
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
            && let Some(reason) = self.verdict(name).drop
        {
            return self.dropped(reason);
        }
        let mut labels = recycled(std::mem::take(&mut self.labels));
        let Some(parts) = scan::scan(line, name, &mut labels) else {
            self.counts.malformed += 1;
            self.counts.series -= 1;
            self.labels = recycled(labels);
            return;
        };
        let verdict = self.verdict(parts.name);
        let workshop = &self.workshop;
        let known =
            self.memory.cache.whose(&labels, &self.settings, &self.directory, &workshop.shared);
        let mut set = Set::new(labels);
        match self.decided(verdict, &parts, known.as_deref(), &mut set) {
            Err(reason) => self.dropped(reason),
            Ok(renamed) => {
                let name = renamed.as_deref().unwrap_or(parts.name);
                self.headers.write(name, out);
                self.write(&parts, name, &set, out);
            }
        }
        self.labels = recycled(set.labels);
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
        let repaired = known.is_some_and(|known| known.found && set.repair(known));
        if self.settings.old_labels {
            set.alias();
        }
        if self.is_noise(verdict, known, set) {
            return Err(Reason::Noise);
        }
        self.profile(verdict, set)?;
        if let Some(known) = known {
            set.add(&known.added, self.settings.conflict);
        }
        let renamed = if verdict.rules { self.ruled(parts, set)? } else { None };
        if self.settings.drops(Noise::EmptyLabels) {
            set.drop_empty();
        }
        self.counts.repaired += u64::from(repaired);
        self.counts.labelled += u64::from(known.is_some_and(|known| !known.added.is_empty()));
        self.counts.unknown += u64::from(known.is_some_and(|known| known.unknown));
        Ok(renamed)
    }

    fn is_noise(&self, verdict: Verdict, known: Option<&Known>, set: &Set<'_>) -> bool {
        let settings = &self.settings;
        let Some(known) = known else { return false };
        let drops = |noise| settings.drops(noise);
        drops(Noise::Slices) && known.kind == Kind::Slice
            || drops(Noise::Root) && known.kind == Kind::Root
            || drops(Noise::PodCgroups) && known.kind == Kind::Pod
            || drops(Noise::Dead) && known.dead
            || drops(Noise::HostNetwork) && verdict.network && known.host_network
            || drops(Noise::NoPod)
                && known.kind != Kind::None
                && set.value(b"pod").is_empty()
                && set.value(b"pod_name").is_empty()
            || drops(Noise::Pause)
                && !verdict.network
                && known.kind == Kind::Container
                && is_pause(known, set)
    }

    fn profile(&self, verdict: Verdict, set: &Set<'_>) -> Result<(), Reason> {
        let mut checks = verdict.checks;
        while checks != 0 {
            let rule = self.settings.drops.get(checks.trailing_zeros() as usize);
            if rule.is_some_and(|rule| rule.holds(|label| set.value(label))) {
                return Err(Reason::Profile);
            }
            checks &= checks - 1;
        }
        Ok(())
    }

    fn ruled<'a>(
        &mut self,
        parts: &Parts<'a>,
        set: &mut Set<'a>,
    ) -> Result<Option<Vec<u8>>, Reason> {
        let name = if parts.quoted { parts.name.into() } else { escaped(parts.name).into() };
        set.labels.insert(0, Label { name: Cow::Borrowed(NAME), value: name });
        set.changed = true;
        if !self.settings.rules.apply(&mut set.labels, &mut self.joined) {
            return Err(Reason::Rules);
        }
        let at = set.labels.iter().position(|label| *label.name == *NAME);
        let name = at.map(|at| set.labels.remove(at)).ok_or(Reason::Rules)?;
        Ok((*name.value != *parts.name).then(|| unescape(&name.value).into_owned()))
    }

    /// Name and labels; where they are as they came but for new ones, their text is copied.
    fn write(&self, parts: &Parts<'_>, name: &[u8], set: &Set<'_>, out: &mut Vec<u8>) {
        let quoted = parts.quoted || !is_plain(name);
        if quoted {
            out.push(b'{');
        } else {
            out.extend_from_slice(name);
            if set.labels.is_empty() {
                return self.write_rest(parts.rest, out);
            }
            out.push(b'{');
        }
        let new = if set.changed {
            if quoted {
                out.push(b'"');
                out.extend_from_slice(name);
                out.push(b'"');
            }
            set.labels.as_slice()
        } else {
            let text = parts.set.trim_ascii();
            out.extend_from_slice(text.strip_suffix(b",").unwrap_or(text));
            set.labels.get(set.original..).unwrap_or_default()
        };
        for label in new {
            if out.last() != Some(&b'{') {
                out.push(b',');
            }
            out.extend_from_slice(&label.name);
            out.extend_from_slice(b"=\"");
            out.extend_from_slice(&label.value);
            out.push(b'"');
        }
        out.push(b'}');
        self.write_rest(parts.rest, out);
    }

    fn write_rest(&self, rest: &[u8], out: &mut Vec<u8>) {
        out.push(b' ');
        if self.settings.timestamps == Timestamps::Drop {
            let (value, exemplar) = scan::without_timestamp(rest);
            out.extend_from_slice(value);
            out.extend_from_slice(exemplar);
        } else {
            out.extend_from_slice(rest);
        }
        out.push(b'\n');
    }

    fn dropped(&mut self, reason: Reason) {
        match reason {
            Reason::Profile => self.counts.dropped_profile += 1,
            Reason::Rules => self.counts.dropped_rules += 1,
            Reason::Noise => self.counts.dropped_noise += 1,
        }
    }

    /// Samples of one name stand together, so the last verdict is mostly the right one.
    fn verdict(&mut self, name: &[u8]) -> Verdict {
        if self.last.0 == name {
            return self.last.1;
        }
        let found = self.memory.names.get(name).copied();
        let verdict = found.unwrap_or_else(|| {
            let names = &mut self.memory.names;
            if names.len() >= NAMES {
                names.clear();
            }
            *names.entry(name.into()).or_insert_with(|| judged(&self.settings, name))
        });
        self.last.0.clear();
        self.last.0.extend_from_slice(name);
        self.last.1 = verdict;
        verdict
    }
}

fn judged(settings: &Settings, name: &[u8]) -> Verdict {
    let mut verdict =
        Verdict { network: name.starts_with(b"container_network_"), ..Verdict::default() };
    let about = settings.drops.iter().enumerate().filter(|(_, rule)| rule.is_about(name));
    for (at, rule) in about {
        if rule.tests.is_empty() {
            verdict.drop = Some(Reason::Profile);
        }
        verdict.checks |= 1 << (at % 64);
    }
    if settings.keep.as_ref().is_some_and(|keep| !keep.is_match(name)) {
        verdict.drop = Some(Reason::Profile);
    }
    match settings.rules.by_name(name) {
        ByName::Keep => {}
        ByName::Labels => verdict.rules = true,
        ByName::Drop => verdict.drop = verdict.drop.or(Some(Reason::Rules)),
    }
    verdict
}

/// With docker and CRI-O a sandbox is called `POD`; with containerd its image tells.
fn is_pause(known: &Known, set: &Set<'_>) -> bool {
    let image = || memchr::memmem::find(set.value(b"image"), b"pause").is_some();
    known.sandbox
        || set.value(b"container") == b"POD"
        || set.value(b"container").is_empty() && image()
}

/// A name that needs no quotes.
fn is_plain(name: &[u8]) -> bool {
    name.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b':'))
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
