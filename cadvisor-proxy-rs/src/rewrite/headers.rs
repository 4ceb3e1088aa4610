//! HELP, TYPE and UNIT, held back until a sample of their family passes.

use exporter_toolkit::line::{Header, Keyword};

/// The family that is being read, and the one whose headers were written last: none of them goes out twice.
#[derive(Debug, Default)]
pub(crate) struct Headers {
    family: Vec<u8>,
    waiting: Vec<u8>,
    /// A bit for each keyword that came.
    held: u8,
    last: Vec<u8>,
    written: u8,
}

impl Headers {
    /// A header line, and what it says; of several that say the same the first counts.
    pub(crate) fn hold(&mut self, header: Header<'_>, line: &[u8]) {
        let bit = match header.keyword {
            Keyword::Help => 1,
            Keyword::Type => 2,
            Keyword::Unit => 4,
        };
        if self.last == header.family && self.written & bit != 0 {
            return;
        }
        if self.family != header.family {
            self.family.clear();
            self.family.extend_from_slice(header.family);
            self.waiting.clear();
            self.held = 0;
        }
        if self.held & bit == 0 {
            self.held |= bit;
            self.waiting.extend_from_slice(line);
            self.waiting.push(b'\n');
        }
    }

    /// Whether some have not been written.
    pub(crate) fn is_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Before a sample is written: its family's headers, where it is the first.
    pub(crate) fn write(&mut self, sample: &[u8], out: &mut Vec<u8>) {
        if !self.waiting.is_empty() && belongs(sample, &self.family) {
            out.extend_from_slice(&self.waiting);
            self.waiting.clear();
            if self.last != self.family {
                self.last.clone_from(&self.family);
                self.written = 0;
            }
            self.written |= self.held;
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
