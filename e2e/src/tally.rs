//! Counts what is in an exposition that is too large to be held as maps.

use std::io::{self, Read};

use flate2::read::MultiGzDecoder;

/// What was counted.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Tally {
    pub bytes: u64,
    /// Lines that are samples.
    pub series: u64,
    /// Samples of one family.
    pub counted: u64,
    family: Vec<u8>,
    /// The line that is not at its end yet, as far as it matters.
    line: Vec<u8>,
}

impl Tally {
    /// Also counts the samples of this family.
    pub fn of(family: &str) -> Self {
        Self { family: format!("{family}{{").into_bytes(), ..Self::default() }
    }

    /// Counts the next bytes, wherever the text was cut.
    pub fn add(&mut self, text: &[u8]) {
        self.bytes += text.len() as u64;
        let mut rest = text;
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            let (line, after) = rest.split_at(end);
            if self.line.is_empty() {
                self.line(line);
            } else {
                self.keep(line);
                let line = std::mem::take(&mut self.line);
                self.line(&line);
            }
            rest = after.get(1..).unwrap_or_default();
        }
        self.keep(rest);
    }

    fn keep(&mut self, part: &[u8]) {
        let wanted = (self.family.len().max(1)).saturating_sub(self.line.len());
        self.line.extend_from_slice(part.get(..wanted).unwrap_or(part));
    }

    fn line(&mut self, line: &[u8]) {
        if line.is_empty() || line.starts_with(b"#") {
            return;
        }
        self.series += 1;
        self.counted += u64::from(line.starts_with(&self.family));
    }

    /// Counts a gzip file, however many members it has.
    pub fn add_gzip(&mut self, body: &[u8]) -> io::Result<()> {
        let (mut decoder, mut part) = (MultiGzDecoder::new(body), vec![0; 64 << 10]);
        loop {
            match decoder.read(&mut part)? {
                0 => return Ok(()),
                count => self.add(part.get(..count).unwrap_or_default()),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_counted_wherever_the_text_is_cut() {
        let text = b"# TYPE a gauge\na{x=\"1\"} 1\nab{} 2\n\na{x=\"2\"} 3\n";
        for cut in 0..text.len() {
            let mut tally = Tally::of("a");
            let (first, second) = text.split_at(cut);
            tally.add(first);
            tally.add(second);
            assert_eq!((tally.series, tally.counted), (3, 2), "{cut}");
        }
    }
}
