//! HELP, TYPE and UNIT, held back until a sample of their family passes.

/// Header lines of one family at most: its help, its type, its unit.
const LIMIT: usize = 4;

/// The family that is being read.
#[derive(Debug, Default)]
pub(crate) struct Headers {
    family: Vec<u8>,
    waiting: Vec<u8>,
    lines: usize,
}

impl Headers {
    /// A header line, with its family.
    pub(crate) fn hold(&mut self, family: &[u8], line: &[u8]) {
        if self.family != family || self.lines >= LIMIT {
            self.family.clear();
            self.family.extend_from_slice(family);
            self.waiting.clear();
            self.lines = 0;
        }
        self.lines += 1;
        self.waiting.extend_from_slice(line);
        self.waiting.push(b'\n');
    }

    /// Before a sample is written: its family's headers, where it is the first.
    pub(crate) fn write(&mut self, sample: &[u8], out: &mut Vec<u8>) {
        if !self.waiting.is_empty() && belongs(sample, &self.family) {
            out.extend_from_slice(&self.waiting);
            self.waiting.clear();
        }
    }
}

/// Whether a sample has its family's name, or that with an ending of histograms, summaries and `OpenMetrics`.
fn belongs(sample: &[u8], family: &[u8]) -> bool {
    let Some(ending) = sample.strip_prefix(family) else { return false };
    matches!(
        ending,
        b"" | b"_total"
            | b"_bucket"
            | b"_sum"
            | b"_count"
            | b"_created"
            | b"_info"
            | b"_gsum"
            | b"_gcount"
    )
}
