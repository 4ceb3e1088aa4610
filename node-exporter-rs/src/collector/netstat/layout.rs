//! Which of a header's columns are wanted, and under which names: worked out once for each header.

use crate::pattern::Pattern;
use exporter_toolkit::name::MetricName;
use exporter_toolkit::{Exposition, Kind, Untyped};

use super::names;

/// The layouts of all headers in the order in which the files give them.
pub(super) struct Layouts {
    fields: Pattern,
    known: Vec<Layout>,
    next: usize,
}

/// One header.
pub(super) struct Layout {
    /// The line that it stands on, where it has one of its own: that it is the same is all there is to see.
    line: Option<Box<str>>,
    /// The names, each with its protocol before and a newline after it.
    header: Vec<u8>,
    columns: usize,
    wanted: Vec<(usize, Target)>,
}

/// The family that a column goes to.
enum Target {
    Known(&'static Untyped<0>),
    Other(MetricName, String),
}

impl Layouts {
    pub(super) fn new(fields: Pattern) -> Self {
        Self { fields, known: Vec::new(), next: 0 }
    }

    /// Begins a scrape: the next header is the first.
    pub(super) fn start(&mut self) {
        self.next = 0;
    }

    /// As [`Layouts::next`], for a header that is one line.
    pub(super) fn next_line<'k>(
        &mut self,
        line: &str,
        keys: impl Iterator<Item = (&'k str, &'k str)> + Clone,
    ) -> &Layout {
        let at = self.next;
        if self.known.get(at).is_some_and(|layout| layout.line.as_deref() == Some(line)) {
            self.next += 1;
            return &self.known[at];
        }
        self.next(keys);
        let layout = &mut self.known[at];
        layout.line = Some(line.into());
        layout
    }

    /// The layout of the next header, given as pairs of a protocol and a name. Where it is another than last time, it and
    /// all after it are worked out anew, as a name counts only where it comes first.
    pub(super) fn next<'k>(
        &mut self,
        keys: impl Iterator<Item = (&'k str, &'k str)> + Clone,
    ) -> &Layout {
        let at = self.next;
        self.next += 1;
        if !self.known.get(at).is_some_and(|layout| layout.is_of(keys.clone())) {
            self.known.truncate(at);
            let layout = Layout::new(keys, &self.fields, &self.known);
            self.known.push(layout);
        }
        &self.known[at.min(self.known.len() - 1)]
    }
}

impl Layout {
    fn new<'k>(
        keys: impl Iterator<Item = (&'k str, &'k str)>,
        fields: &Pattern,
        before: &[Self],
    ) -> Self {
        let mut this = Self { line: None, header: Vec::new(), columns: 0, wanted: Vec::new() };
        for (protocol, name) in keys {
            for part in [protocol, " ", name, "\n"] {
                this.header.extend_from_slice(part.as_bytes());
            }
            let key = format!("{protocol}_{name}");
            if fields.is_match(&key) {
                let target = Target::new(protocol, name, &key);
                let taken = before.iter().any(|layout| layout.has(&target));
                if !taken && !this.has(&target) {
                    this.wanted.push((this.columns, target));
                }
            }
            this.columns += 1;
        }
        this
    }

    fn has(&self, target: &Target) -> bool {
        self.wanted.iter().any(|(_, other)| other.name() == target.name())
    }

    fn is_of<'k>(&self, keys: impl Iterator<Item = (&'k str, &'k str)>) -> bool {
        let mut rest = self.header.as_slice();
        for (protocol, name) in keys {
            let (at, length) = (protocol.len(), protocol.len() + 1 + name.len());
            let same = rest.get(length) == Some(&b'\n')
                && rest[at] == b' '
                && rest[at + 1..length] == *name.as_bytes()
                && rest[..at] == *protocol.as_bytes();
            if !same {
                return false;
            }
            rest = &rest[length + 1..];
        }
        rest.is_empty()
    }

    /// Writes the wanted ones of the values; the error says what is wrong, and in which column.
    pub(super) fn write<'v>(
        &self,
        values: impl Iterator<Item = &'v str>,
        out: &mut Exposition,
    ) -> Result<(), (&'static str, usize)> {
        let mut wanted = self.wanted.iter().peekable();
        let mut count = 0;
        for (column, value) in values.enumerate() {
            count += 1;
            if let Some((_, target)) = wanted.next_if(|(wanted, _)| *wanted == column) {
                target.write(number(value).ok_or(("a number expected", column))?, out);
            }
        }
        match count.cmp(&self.columns) {
            std::cmp::Ordering::Less => Err(("fewer values than names", count)),
            std::cmp::Ordering::Greater => Err(("more values than names", count)),
            std::cmp::Ordering::Equal => Ok(()),
        }
    }
}

/// Counters are unsigned; `MaxConn` may be -1.
fn number(text: &str) -> Option<f64> {
    match text.parse::<u64>() {
        Ok(value) => Some(value as f64),
        Err(_) => text.parse::<i64>().ok().map(|value| value as f64),
    }
}

impl Target {
    fn new(protocol: &str, name: &str, key: &str) -> Self {
        let metric = MetricName::sanitize(&["node_netstat_", key]);
        names::known(metric.as_str()).map_or_else(
            || Self::Other(metric, format!("The kernel's counter {name} of {protocol}.")),
            Self::Known,
        )
    }

    fn name(&self) -> &str {
        match self {
            Self::Known(family) => family.name(),
            Self::Other(name, _) => name.as_str(),
        }
    }

    fn write(&self, value: f64, out: &mut Exposition) {
        match self {
            Self::Known(family) => out.family(family).sample((), value),
            Self::Other(name, help) => out.dynamic(name, Kind::Untyped, help).plain(value),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use exporter_toolkit::Format;
    use proptest::prelude::*;

    fn keys(names: &str) -> impl Iterator<Item = (&str, &str)> + Clone {
        names.split(' ').map(|name| ("Tcp", name))
    }

    #[test]
    fn a_header_that_changes_is_worked_out_anew_with_all_after_it() {
        let mut layouts = Layouts::new(Pattern::new("").unwrap());
        layouts.next(keys("A"));
        layouts.next(keys("A B"));
        assert_eq!(layouts.known[1].wanted.len(), 1);
        layouts.start();
        layouts.next(keys("C"));
        assert_eq!(layouts.next(keys("A B")).wanted.len(), 2);
    }

    #[test]
    fn a_header_that_only_grows_is_another() {
        let mut layouts = Layouts::new(Pattern::new("").unwrap());
        layouts.next(keys("A"));
        assert!(layouts.known[0].is_of(keys("A")));
        assert!(!layouts.known[0].is_of(keys("A B")));
        assert!(!layouts.known[0].is_of(keys("AB")));
    }

    proptest! {
        #[test]
        fn no_header_and_no_values_make_it_panic(names in ".*", values in ".*") {
            let mut layouts = Layouts::new(Pattern::new("").unwrap());
            let layout = layouts.next(keys(&names));
            let _verdict = layout.write(values.split(' '), &mut Exposition::new(Format::Text));
        }
    }
}
