//! One body made of those of several targets: each family once, its samples labelled with their target.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::ops::Range;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use exporter_toolkit::line::{Keyword, Line, Sample};
use http_body::{Body, Frame};
use memchr::memchr;
use tokio::sync::OwnedSemaphorePermit;

use super::index::{Dialect, Index, Run, time};
use super::{LABEL, OWN_FAMILIES};

/// About what goes out at once.
const PIECE_BYTES: usize = 32 * 1024;

/// The metrics of one target.
#[derive(Debug)]
pub(super) struct Part {
    /// The value of its label, escaped.
    pub(super) name: Vec<u8>,
    pub(super) text: Vec<u8>,
    pub(super) dialect: Dialect,
    pub(super) index: Index,
}

impl Part {
    fn slice(&self, range: Range<usize>) -> &[u8] {
        self.text.get(range).unwrap_or_default()
    }
}

/// A piece of work, in the order in which it is written.
#[derive(Debug)]
enum Step {
    /// Of the first run that has it.
    Help(usize, usize),
    Type(usize, usize, &'static str),
    Samples(usize, usize),
}

/// The merged body, written while it is read. It ends cleanly, as all parts are whole.
#[derive(Debug)]
pub(in crate::proxy) struct Merged {
    own: Vec<u8>,
    parts: Vec<Part>,
    steps: VecDeque<Step>,
    /// Where in the samples of the first step the next line begins.
    at: usize,
    /// Its parts are counted as long as they are held.
    _turn: Option<OwnedSemaphorePermit>,
}

impl Merged {
    /// Also answers how many families' types the targets do not agree on. `own` goes before all others.
    pub(super) fn new(
        own: Vec<u8>,
        parts: Vec<Part>,
        turn: Option<OwnedSemaphorePermit>,
    ) -> (Self, u64) {
        let mut order: Vec<(usize, usize)> = Vec::new();
        for (p, part) in parts.iter().enumerate() {
            order.extend((0..part.index.runs.len()).map(|r| (p, r)));
        }
        let run = |&(p, r): &(usize, usize)| parts.get(p).and_then(|part| part.index.runs.get(r));
        let family = |id: &(usize, usize)| run(id).map_or(&b""[..], |run| &run.family);
        order.retain(|id| !OWN_FAMILIES.contains(&family(id)));
        order.sort_by(|a, b| family(a).cmp(family(b)).then(a.cmp(b)));
        let (mut steps, mut conflicts) = (VecDeque::new(), 0);
        for group in order.chunk_by(|a, b| family(a) == family(b)) {
            let help = group.iter().find(|id| run(id).is_some_and(|run| run.help.is_some()));
            steps.extend(help.map(|&(p, r)| Step::Help(p, r)));
            let mut kinds = group.iter().filter_map(|id| run(id)?.kind.map(|kind| (id, kind)));
            if let Some((&(p, r), kind)) = kinds.next() {
                // A sample says the same whatever its type, and a wrong type misleads: all stay, of no type.
                let agreed = kinds.all(|(_, other)| other == kind);
                conflicts += u64::from(!agreed);
                steps.push_back(Step::Type(p, r, if agreed { kind } else { "untyped" }));
            }
            steps.extend(group.iter().map(|&(p, r)| Step::Samples(p, r)));
        }
        (Self { own, parts, steps, at: 0, _turn: turn }, conflicts)
    }

    /// Does one step, or a part of a long one.
    fn step(&mut self, step: &Step, out: &mut Vec<u8>) -> bool {
        let (Step::Help(p, r) | Step::Type(p, r, _) | Step::Samples(p, r)) = step;
        let Some(part) = self.parts.get(*p) else { return true };
        let Some(run) = part.index.runs.get(*r) else { return true };
        match step {
            Step::Help(..) => {
                let help = run.help.clone().unwrap_or_default();
                write_header(Keyword::Help, &run.family, part.slice(help), out);
            }
            Step::Type(_, _, kind) => {
                write_header(Keyword::Type, &run.family, kind.as_bytes(), out);
            }
            Step::Samples(..) => {
                self.at = write_samples(part, run, self.at.max(run.lines.start), out);
                if self.at < run.lines.end {
                    return false;
                }
                self.at = 0;
            }
        }
        true
    }
}

/// Writes samples from a place on until a piece is full; answers where the next line begins.
fn write_samples(part: &Part, run: &Run, mut at: usize, out: &mut Vec<u8>) -> usize {
    while at < run.lines.end && out.len() < PIECE_BYTES {
        let rest = part.slice(at..run.lines.end);
        let line = rest.get(..memchr(b'\n', rest).unwrap_or(rest.len())).unwrap_or_default();
        if let Some(Line::Sample(sample)) = Line::parse(line) {
            write_sample(&sample, part, out);
        }
        at += line.len() + 1;
    }
    at
}

/// The label tells for sure where a sample comes from: what has one of that name already keeps it as `exported_…`.
fn write_sample(sample: &Sample<'_>, part: &Part, out: &mut Vec<u8>) {
    if is_plain(sample.name) {
        out.extend_from_slice(sample.name);
        out.push(b'{');
    } else {
        out.extend_from_slice(b"{\"");
        out.extend_from_slice(sample.name);
        out.extend_from_slice(b"\",");
    }
    for (name, value) in sample.labels.iter() {
        let quote: &[u8] = if is_plain(name) { b"" } else { b"\"" };
        out.extend_from_slice(quote);
        if name == LABEL {
            out.extend_from_slice(&renamed(sample));
        } else {
            out.extend_from_slice(name);
        }
        out.extend_from_slice(quote);
        out.extend_from_slice(b"=\"");
        out.extend_from_slice(value);
        out.extend_from_slice(b"\",");
    }
    out.extend_from_slice(LABEL);
    out.extend_from_slice(b"=\"");
    out.extend_from_slice(&part.name);
    out.extend_from_slice(b"\"} ");
    out.extend_from_slice(sample.value);
    if let Some(time) = sample.timestamp.and_then(|text| time(text, part.dialect)) {
        out.push(b' ');
        out.extend_from_slice(&time);
    }
    out.push(b'\n');
}

fn renamed(sample: &Sample<'_>) -> Vec<u8> {
    let mut name = [b"exported_", LABEL].concat();
    while sample.labels.get(&name).is_some() {
        name.splice(0..0, *b"exported_");
    }
    name
}

fn write_header(keyword: Keyword, family: &[u8], text: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(if keyword == Keyword::Help { b"# HELP " } else { b"# TYPE " });
    let quote: &[u8] = if is_plain(family) { b"" } else { b"\"" };
    for part in [quote, family, quote, b" ", text, b"\n"] {
        out.extend_from_slice(part);
    }
}

/// A name that needs no quotes.
fn is_plain(name: &[u8]) -> bool {
    name.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b':'))
        && name.first().is_none_or(|first| !first.is_ascii_digit())
}

impl Body for Merged {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let mut out = std::mem::take(&mut self.own);
        while out.len() < PIECE_BYTES {
            let Some(step) = self.steps.pop_front() else { break };
            if !self.step(&step, &mut out) {
                self.steps.push_front(step);
            }
        }
        Poll::Ready((!out.is_empty()).then(|| Ok(Frame::data(out.into()))))
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt as _;

    use super::*;

    async fn part(name: &str, text: &str) -> Part {
        let (dialect, text) = match text.strip_prefix("OM\n") {
            Some(text) => (Dialect::OpenMetrics, text.as_bytes().to_vec()),
            None => (Dialect::Text, text.as_bytes().to_vec()),
        };
        let index = Index::of(&text, dialect).await.unwrap();
        Part { name: name.as_bytes().to_vec(), text, dialect, index }
    }

    async fn merged(texts: &[&str]) -> (String, u64) {
        let mut parts = Vec::new();
        for (name, text) in ["a", "b", "c"].iter().zip(texts) {
            parts.push(part(name, text).await);
        }
        let (body, conflicts) = Merged::new(b"own 1\n".to_vec(), parts, None);
        let text = body.collect().await.unwrap().to_bytes();
        (String::from_utf8(text.to_vec()).unwrap(), conflicts)
    }

    #[tokio::test]
    async fn families_of_all_targets_are_grouped_under_one_header() {
        let one = "# HELP m M.\n# TYPE m counter\nm{x=\"1\"} 1 5\n# TYPE z gauge\nz 2\n";
        let two = "# TYPE b gauge\nb 1\n# HELP m Other.\n# TYPE m counter\nm 3\n";
        let (text, conflicts) = merged(&[one, two]).await;
        assert_eq!(
            text,
            "own 1\n# TYPE b gauge\nb{exporter=\"b\"} 1\n# HELP m M.\n# TYPE m counter\nm{x=\"1\",exporter=\"a\"} 1 5\n\
             m{exporter=\"b\"} 3\n# TYPE z gauge\nz{exporter=\"a\"} 2\n"
        );
        assert_eq!(conflicts, 0);
    }

    #[tokio::test]
    async fn a_family_whose_type_is_in_dispute_has_none_and_keeps_all_samples() {
        let (text, conflicts) =
            merged(&["# TYPE m counter\nm 1\n", "# TYPE m gauge\nm 2\n", "m 3\n"]).await;
        let wanted = "own 1\n# TYPE m untyped\nm{exporter=\"a\"} 1\nm{exporter=\"b\"} 2\nm{exporter=\"c\"} 3\n";
        assert_eq!((text.as_str(), conflicts), (wanted, 1));
    }

    #[tokio::test]
    async fn a_label_of_that_name_is_renamed_and_our_own_families_are_nobody_elses() {
        let one = "m{exporter=\"x\",exported_exporter=\"y\",} 1\n{\"q.r\",\"s t\"=\"u\",exporter=\"z\"} 2\ncadvisor_proxy_target_up 0\n";
        let (text, _) = merged(&[one]).await;
        let wanted = "own 1\nm{exported_exported_exporter=\"x\",exported_exporter=\"y\",exporter=\"a\"} 1\n\
                      {\"q.r\",\"s t\"=\"u\",exported_exporter=\"z\",exporter=\"a\"} 2\n";
        assert_eq!(text, wanted);
    }

    #[tokio::test]
    async fn open_metrics_becomes_text() {
        let open = "OM\n# TYPE n counter\nn_total 4 1.25 # {t=\"}\"} 1\n# EOF\n";
        let (text, conflicts) = merged(&[open, "# TYPE n_total counter\nn_total 5\n"]).await;
        let wanted = "own 1\n# TYPE n_total counter\nn_total{exporter=\"a\"} 4 1250\nn_total{exporter=\"b\"} 5\n";
        assert_eq!((text.as_str(), conflicts), (wanted, 0));
    }

    #[tokio::test]
    async fn a_long_run_comes_in_pieces_and_whole() {
        let lines = |mark: &str| -> String {
            let lines = (0..5000).map(|n| format!("m{{n=\"{n}\"{mark}}} {n}\n"));
            lines.collect::<Vec<_>>().concat()
        };
        let (text, _) = merged(&[&lines("")]).await;
        assert_eq!(text, format!("own 1\n{}", lines(",exporter=\"a\"")));
    }
}
