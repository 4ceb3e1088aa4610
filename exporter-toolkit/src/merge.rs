//! One text out of what several collectors wrote: families sorted by name, each with one header.

use std::collections::HashSet;

use crate::exposition::{Block, Exposition, Format};
use crate::line::{self, Line};

/// What a merge left out.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Dropped {
    /// Families of a name that an earlier part gave with another type.
    pub families: usize,
    /// Samples whose name and labels an earlier part gave too.
    pub samples: usize,
}

/// Merges expositions; reused from scrape to scrape, it allocates nothing once it has grown.
#[derive(Debug, Default)]
pub struct Merger {
    /// Part and family, in the order of the families' names.
    order: Vec<(usize, usize)>,
    /// How many families each part had that this order is of, and now has.
    sizes: Vec<usize>,
    sizes_now: Vec<usize>,
}

impl Merger {
    /// Appends the families of all `parts` to `out`, sorted by name, and the end mark where the format has one.
    ///
    /// All parts have the same format. Where two parts give a family of one name, the first decides its type and help
    /// text; a repeated series of a later part is left out, as Prometheus would refuse its value.
    pub fn merge(&mut self, parts: &[&Exposition], format: Format, out: &mut Vec<u8>) -> Dropped {
        let of = |&(p, b): &(usize, usize)| (parts[p], &parts[p].blocks()[b]);
        let before =
            |a: &(usize, usize), b: &(usize, usize)| name(of(a)).cmp(name(of(b))).then(a.cmp(b));
        self.sizes_now.clear();
        self.sizes_now.extend(parts.iter().map(|part| part.blocks().len()));
        // Most scrapes have the families of the one before, whose order is then theirs too.
        let same = self.sizes_now == self.sizes;
        if !same || !self.order.is_sorted_by(|a, b| before(a, b).is_lt()) {
            self.sizes.clone_from(&self.sizes_now);
            self.order.clear();
            for (p, count) in self.sizes.iter().enumerate() {
                self.order.extend((0..*count).map(|b| (p, b)));
            }
            self.order.sort_unstable_by(before);
        }
        out.reserve(parts.iter().map(|part| part.text().len()).sum());
        let mut dropped = Dropped::default();
        for group in self.order.chunk_by(|a, b| name(of(a)) == name(of(b))) {
            write_family(group, of, out, &mut dropped);
        }
        if format == Format::OpenMetrics {
            out.extend_from_slice(b"# EOF\n");
        }
        dropped
    }
}

type Part<'a> = (&'a Exposition, &'a Block);

fn name((part, block): Part<'_>) -> &[u8] {
    &part.text()[block.name.clone()]
}

fn samples((part, block): Part<'_>) -> &[u8] {
    &part.text()[block.samples.clone()]
}

fn write_family<'a>(
    group: &[(usize, usize)],
    of: impl Fn(&(usize, usize)) -> Part<'a>,
    out: &mut Vec<u8>,
    dropped: &mut Dropped,
) {
    let first = of(&group[0]);
    out.extend_from_slice(&first.0.text()[first.1.header.clone()]);
    let several_parts = group.iter().any(|id| id.0 != group[0].0);
    let mut seen = several_parts.then(HashSet::new);
    for id in group {
        let block = of(id);
        if block.1.kind != first.1.kind {
            dropped.families += 1;
            continue;
        }
        match &mut seen {
            None => out.extend_from_slice(samples(block)),
            Some(seen) => dropped.samples += write_new(samples(block), seen, out),
        }
    }
}

/// Copies the samples whose series was not seen before; returns how many were.
fn write_new(samples: &[u8], seen: &mut HashSet<Vec<u8>>, out: &mut Vec<u8>) -> usize {
    let mut repeated = 0;
    for text in samples.split_inclusive(|&b| b == b'\n') {
        let line = text.strip_suffix(b"\n").unwrap_or(text);
        match Line::parse(line) {
            Some(Line::Sample(sample)) if !seen.insert(line::series_key(&sample)) => repeated += 1,
            _ => out.extend_from_slice(text),
        }
    }
    repeated
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::name::{LabelName, MetricName};
    use crate::{Gauge, Kind};

    static B: Gauge<1> = Gauge::new("b", "B.", ["x"]);
    static A: Gauge<0> = Gauge::new("a", "A.", []);

    fn merged(parts: &[&Exposition], format: Format) -> (String, Dropped) {
        let mut out = Vec::new();
        let dropped = Merger::default().merge(parts, format, &mut out);
        (String::from_utf8(out).unwrap(), dropped)
    }

    #[test]
    fn families_are_sorted_and_get_one_header() {
        let mut one = Exposition::default();
        one.family(&B).sample("1", 1_u8);
        one.family(&A).sample((), 2_u8);
        one.family(&B).sample("2", 3_u8);
        let (text, dropped) = merged(&[&one], Format::Text);
        assert_eq!(
            text,
            "# HELP a A.\n# TYPE a gauge\na 2\n# HELP b B.\n# TYPE b gauge\nb{x=\"1\"} 1\nb{x=\"2\"} 3\n"
        );
        assert_eq!(dropped, Dropped::default());
    }

    #[test]
    fn a_series_that_two_parts_give_is_written_once() {
        let (mut one, mut two) = (Exposition::default(), Exposition::default());
        one.family(&B).sample("1", 1_u8);
        let x = LabelName::fixed("x");
        let name = MetricName::sanitize(&["b"]);
        let mut again = two.dynamic(&name, Kind::Gauge, "Other.");
        again.sample([(&x, "1")], 9_u8);
        again.sample([(&x, "2")], 2_u8);
        let (text, dropped) = merged(&[&one, &two], Format::Text);
        assert_eq!(text, "# HELP b B.\n# TYPE b gauge\nb{x=\"1\"} 1\nb{x=\"2\"} 2\n");
        assert_eq!(dropped, Dropped { families: 0, samples: 1 });
    }

    #[test]
    fn a_merger_that_is_used_again_sorts_what_has_changed() {
        let (mut one, mut merger) = (Exposition::default(), Merger::default());
        for turn in [false, false, true, false] {
            one.restart(Format::Text);
            if turn {
                one.family(&B).sample("1", 1_u8);
                one.family(&A).sample((), 2_u8);
            } else {
                one.family(&A).sample((), 2_u8);
                one.family(&B).sample("1", 1_u8);
            }
            let mut out = Vec::new();
            merger.merge(&[&one], Format::Text, &mut out);
            assert!(out.starts_with(b"# HELP a ") && out.ends_with(b"b{x=\"1\"} 1\n"));
        }
    }

    #[test]
    fn a_family_of_another_type_is_left_out() {
        let (mut one, mut two) = (Exposition::default(), Exposition::default());
        one.family(&A).sample((), 1_u8);
        let name = MetricName::sanitize(&["a"]);
        two.dynamic(&name, Kind::Counter, "Other.").plain(9_u8);
        let (text, dropped) = merged(&[&one, &two], Format::OpenMetrics);
        assert!(text.starts_with("# HELP a A.\n# TYPE a gauge\na 1\n"), "{text}");
        assert!(text.ends_with("# EOF\n"));
        // Without `_total` it is no counter in OpenMetrics but of unknown type, which is another type all the same.
        assert_eq!(dropped, Dropped { families: 1, samples: 0 });
    }
}
