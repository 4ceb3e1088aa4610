//! Somebody else's answer, and what it lacks: of each family those cgroups that the answer has no sample of, and the
//! families that it does not have, from a snapshot of our own.
//!
//! Lines go through as they come. What is added to a family stands at its end, so that families stay together.

use std::collections::HashMap;

use memchr::{memchr, memmem};

use super::families::{FAMILIES, Family, Samples};
use super::options::Enabled;
use super::snapshot::Snapshot;
use super::write::Lines;
use crate::identity::Cgroup;

/// A line that is longer is passed on without a look at it.
const LINE_LIMIT: usize = 64 << 10;

/// Fills one body.
#[derive(Debug)]
pub struct Filler {
    snapshot: Snapshot,
    enabled: Enabled,
    /// Rows by their `id`, escaped as it stands in the text.
    rows: HashMap<Box<[u8]>, usize>,
    /// For each row the number of its pod.
    pods: Vec<Option<usize>>,
    /// Families by name that came.
    seen: Vec<bool>,
    /// The family that is passing, where it is one of ours, and the rows it has.
    current: Option<usize>,
    name: Vec<u8>,
    present: Vec<bool>,
    partial: Vec<u8>,
}

impl Filler {
    pub fn new(snapshot: Snapshot, enabled: Enabled) -> Self {
        let (mut rows, mut pods) = (HashMap::new(), Vec::new());
        let mut numbers: HashMap<Vec<u8>, usize> = HashMap::new();
        for (number, row) in snapshot.rows.iter().enumerate() {
            let id = id(&row.labels).unwrap_or_default();
            let uid = Cgroup::of(id).pod;
            pods.push(uid.map(|uid| {
                let next = numbers.len();
                *numbers.entry(uid.as_bytes().to_vec()).or_insert(next)
            }));
            rows.insert(id.into(), number);
        }
        let present = vec![false; snapshot.rows.len()];
        let seen = vec![false; FAMILIES.len()];
        let (name, partial) = (Vec::new(), Vec::new());
        Self { snapshot, enabled, rows, pods, seen, current: None, name, present, partial }
    }

    /// Takes the next chunk, wherever it was cut.
    pub fn push(&mut self, mut chunk: &[u8], out: &mut Vec<u8>) {
        while let Some(end) = memchr(b'\n', chunk) {
            let (line, rest) = chunk.split_at(end + 1);
            if self.partial.is_empty() {
                self.line(line, out);
            } else {
                let mut whole = std::mem::take(&mut self.partial);
                whole.extend_from_slice(line);
                self.line(&whole, out);
                whole.clear();
                self.partial = whole;
            }
            chunk = rest;
        }
        self.partial.extend_from_slice(chunk);
        if self.partial.len() > LINE_LIMIT {
            out.append(&mut self.partial);
        }
    }

    /// The body has ended: families that it does not have follow.
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        let mut last = std::mem::take(&mut self.partial);
        if !last.is_empty() {
            last.push(b'\n');
            self.line(&last, out);
        }
        self.close(out);
        for (family, seen) in FAMILIES.iter().zip(&self.seen) {
            if *seen || !self.enabled.has(family.of) {
                continue;
            }
            let mut lines = Lines { out, family, open: &mut false };
            if !lines.once(&self.snapshot) {
                self.snapshot.rows.iter().for_each(|row| lines.row(row, &self.snapshot));
            }
        }
    }

    fn line(&mut self, line: &[u8], out: &mut Vec<u8>) {
        let name = match line.strip_prefix(b"# HELP ").or_else(|| line.strip_prefix(b"# TYPE ")) {
            Some(rest) => word(rest),
            None if line.starts_with(b"#") => return out.extend_from_slice(line),
            None => word(line),
        };
        if *name != *self.name && !name.is_empty() {
            self.close(out);
            self.name.clear();
            self.name.extend_from_slice(name);
            let known = FAMILIES.binary_search_by(|family| family.name.as_bytes().cmp(name));
            self.current = known.ok();
            if let Some(seen) = self.current.and_then(|at| self.seen.get_mut(at)) {
                *seen = true;
            }
        }
        if self.current.is_some()
            && !line.starts_with(b"#")
            && let Some(row) = id(line).and_then(|id| self.rows.get(id))
            && let Some(present) = self.present.get_mut(*row)
        {
            *present = true;
        }
        out.extend_from_slice(line);
    }

    /// At the end of a family: the cgroups that it lacks.
    fn close(&mut self, out: &mut Vec<u8>) {
        let Some(family) = self.current.take().and_then(|at| FAMILIES.get(at)) else { return };
        if self.enabled.has(family.of) {
            self.complete(family, out);
        }
        self.present.fill(false);
    }

    fn complete(&self, family: &Family, out: &mut Vec<u8>) {
        // A pod has one network, whichever of its cgroups it is told of.
        let by_pod = matches!(family.samples, Samples::Interface(_));
        let told = |pod: usize| {
            let mut all = self.pods.iter().zip(&self.present);
            all.any(|(other, present)| *present && *other == Some(pod))
        };
        let mut lines = Lines { out, family, open: &mut true };
        let rows = self.snapshot.rows.iter().zip(&self.present).zip(&self.pods);
        for ((row, present), pod) in rows {
            let there = *present || by_pod && pod.is_some_and(told);
            if !there {
                lines.row(row, &self.snapshot);
            }
        }
    }
}

/// What stands before a brace, a blank or the end.
fn word(text: &[u8]) -> &[u8] {
    let end = text.iter().position(|byte| matches!(byte, b'{' | b' ' | b'\t' | b'\n'));
    text.get(..end.unwrap_or(text.len())).unwrap_or_default()
}

/// The value of the label `id`, as it stands in the text.
fn id(text: &[u8]) -> Option<&[u8]> {
    let mut from = 0;
    loop {
        let at = from + memmem::find(text.get(from..)?, b"id=\"")?;
        let before = at.checked_sub(1).and_then(|before| text.get(before));
        let value = text.get(at + 4..)?;
        // Not the end of another label's name, such as `machine_id`.
        if matches!(before, None | Some(b'{' | b',' | b' ')) {
            // A cgroup's name may hold a quote, which is escaped.
            let mut end = 0;
            loop {
                end += memchr(b'"', value.get(end..)?)?;
                let escapes = value.get(..end)?.iter().rev().take_while(|b| **b == b'\\').count();
                if escapes % 2 == 0 {
                    return value.get(..end);
                }
                end += 1;
            }
        }
        from = at + 4;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cgroup::memory::Memory;
    use crate::cgroup::network::{Interface, parse};
    use crate::cgroup::options::tests::all;
    use crate::cgroup::snapshot::Row;

    const UID: &str = "1a3f2a72-fed5-43c2-99f6-2113ae0b3286";

    fn snapshot() -> Snapshot {
        let ids = ["/", "/a", &format!("/kubepods/pod{UID}"), &format!("/kubepods/pod{UID}/x")];
        let row = |id: &&str| Row {
            labels: format!("id=\"{id}\",name=\"\"").into_bytes().into(),
            memory: Memory { usage: Some(7), cache: Some(8), ..Memory::default() },
            ..Row::default()
        };
        let mut rows: Vec<Row> = ids.iter().map(row).collect();
        let mut interfaces: Vec<Interface> = Vec::new();
        parse(b"\n1\n2\neth0: 1 2 3 4 0 0 0 0 5 6 7 8\n", &mut interfaces);
        rows[2].interfaces = 0..interfaces.len();
        Snapshot { rows, interfaces, now: 5, ..Snapshot::default() }
    }

    fn filled(body: &str, piece: usize) -> String {
        let mut filler = Filler::new(snapshot(), all());
        let mut out = Vec::new();
        body.as_bytes().chunks(piece).for_each(|chunk| filler.push(chunk, &mut out));
        filler.finish(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn cgroups_that_a_family_lacks_stand_at_its_end() {
        let body = "# HELP container_memory_cache C.\n# TYPE container_memory_cache gauge\n\
                    container_memory_cache{container=\"\",id=\"/a\"} 1 1700000000000\n\
                    # HELP other O.\nother{id=\"/\"} 1";
        let text = filled(body, 7);
        assert_eq!(text, filled(body, 1000));
        let cache: Vec<&str> =
            text.lines().filter(|line| line.starts_with("container_memory_cache{")).collect();
        assert_eq!(cache.len(), 4);
        assert!(cache[0].ends_with("1 1700000000000") && cache[1].ends_with(" 8"), "{text}");
        let at = |text_of: &str| text.find(text_of).unwrap();
        assert!(at(cache[3]) < at("# HELP other"), "{text}");
        assert!(at("other{") < at("# HELP container_memory_usage_bytes"), "{text}");
        assert_eq!(text.matches("# TYPE container_memory_cache ").count(), 1);
        assert_eq!(text.matches("container_memory_usage_bytes{").count(), 4);
    }

    #[test]
    fn a_pods_network_is_told_once_whichever_cgroup_has_it() {
        let line = format!(
            "container_network_receive_bytes_total{{id=\"/kubepods/pod{UID}/x\",interface=\"eth0\"}} 9\n"
        );
        let text = filled(&line, 1000);
        assert_eq!(text.matches("container_network_receive_bytes_total{").count(), 1);
        assert_eq!(text.matches("container_network_transmit_bytes_total{").count(), 1);
    }

    #[test]
    fn an_id_is_found_whatever_stands_around_it() {
        assert_eq!(id(br#"a{machine_id="x",id="/b\"c",name=""} 1"#), Some(&br#"/b\"c"#[..]));
        assert_eq!(id(br#"id="/""#), Some(&b"/"[..]));
        assert_eq!(id(br#"a{machine_id="x"} 1"#), None);
        assert_eq!(id(br#"a{id="x"#), None);
    }

    proptest::proptest! {
        #[test]
        fn no_body_makes_it_panic_and_none_of_it_is_lost(body in "((# (HELP|TYPE) )?(container_last_seen|container_memory_rss|x)[{]?(id=\")?/?a?[\"}\\\\]{0,3} ?1?\n?){0,8}") {
            let text = filled(&body, 3);
            for line in body.lines() {
                proptest::prop_assert!(text.contains(line));
            }
        }
    }
}
