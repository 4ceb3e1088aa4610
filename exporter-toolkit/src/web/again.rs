//! gzip of a text that is much like the one before it, as an agent's answers are from scrape to scrape.
//!
//! Most lines of an answer are those of the last one, and the others differ in their value alone. So what a compressor
//! searches for, earlier places with the same bytes, is where it was: each line is written as its counterpart was, as
//! far as the two agree, with the distances that are now right. Only lines without a counterpart are searched for. This
//! takes an eighth of the time of a compressor that knows nothing of the last answer.

use bytes::Bytes;
use libdeflater::Crc;

use super::deflate::{Bits, Codes, FARTHEST, Frequencies, LONGEST, SHORTEST};

/// Longer texts are not remembered: their lines would take more memory than the time is worth.
pub(crate) const LONGEST_TEXT: usize = 512 * 1024;

/// A counterpart that is not the next line is looked for among so many.
const LOOK_AHEAD: usize = 64;
/// After so many answers, or when the last was so much larger than a fresh one, everything is searched for again.
const FRESH_FOR: u32 = 1024;
const GROWN: (usize, usize) = (9, 8);

/// The compressor with what it remembers.
#[derive(Default)]
pub(crate) struct Again {
    last: Told,
    now: Told,
    /// Where the lines of the last text are now.
    moved: Vec<Option<u32>>,
    codes: Option<Codes>,
    answers: u32,
    fresh_size: usize,
    size: usize,
}

/// A text, taken apart.
#[derive(Default)]
struct Told {
    text: Bytes,
    lines: Vec<Line>,
    tokens: Vec<Token>,
}

#[derive(Clone, Copy)]
struct Line {
    start: u32,
    first_token: u32,
}

/// Bytes as they are, and then a match with an earlier place, where there is one.
#[derive(Clone, Copy, Default)]
struct Token {
    literals: u16,
    /// 0 where there is none.
    length: u16,
    /// The place lies wholly in this line, as far from its start.
    line: u32,
    offset: u16,
}

impl Told {
    fn start(&self, line: usize) -> usize {
        self.lines.get(line).map_or(self.text.len(), |line| line.start as usize)
    }

    fn line(&self, line: usize) -> &[u8] {
        self.text.get(self.start(line)..self.start(line + 1)).unwrap_or_default()
    }

    fn tokens(&self, line: usize) -> &[Token] {
        let first = |line| self.lines.get(line).map(|line: &Line| line.first_token as usize);
        let end = first(line + 1).unwrap_or(self.tokens.len());
        first(line).and_then(|first| self.tokens.get(first..end)).unwrap_or_default()
    }
}

impl Again {
    /// `text` as one gzip member (RFC 1952, section 2.3); it is at most [`LONGEST_TEXT`] long.
    pub(crate) fn gzip(&mut self, text: Bytes) -> Bytes {
        let grown = self.size * GROWN.1 > self.fresh_size * GROWN.0;
        let fresh = self.codes.is_none() || self.answers >= FRESH_FOR || grown;
        std::mem::swap(&mut self.last, &mut self.now);
        if fresh {
            self.last = Told::default();
        }
        self.take_apart(text);
        self.last.text = Bytes::new();
        let codes = match self.codes.take().filter(|_| !fresh) {
            Some(codes) => codes,
            None => Codes::new(&self.now.frequencies()),
        };
        let mut out = Vec::with_capacity(self.size + self.size / 16 + 64);
        // No name, no time, an unknown system.
        out.extend_from_slice(&[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff]);
        self.now.write(&codes, &mut out);
        let mut crc = Crc::new();
        crc.update(&self.now.text);
        out.extend_from_slice(&crc.sum().to_le_bytes());
        out.extend_from_slice(&u32::try_from(self.now.text.len()).unwrap_or(0).to_le_bytes());
        self.codes = Some(codes);
        self.size = out.len();
        self.answers += 1;
        if fresh {
            (self.fresh_size, self.answers) = (self.size, 0);
        }
        out.into()
    }

    /// Makes the lines and tokens of `text`, from those of the last text as far as they serve.
    fn take_apart(&mut self, text: Bytes) {
        let Self { last, now, moved, .. } = self;
        now.lines.clear();
        now.tokens.clear();
        now.text = text;
        moved.clear();
        moved.resize(last.lines.len(), None);
        let text = now.text.clone();
        let mut search = Search::default();
        let (mut start, mut next) = (0, 0);
        while start < text.len() {
            let rest = &text[start..];
            let end = start + memchr::memchr(b'\n', rest).map_or(rest.len(), |at| at + 1);
            let number = now.lines.len();
            now.lines.push(Line { start: place(start), first_token: place(now.tokens.len()) });
            match counterpart(last, next, &text[start..end]) {
                Some((at, agreed)) => {
                    moved[at] = Some(place(number));
                    next = at + 1;
                    now.retell(last, at, agreed, moved, end);
                }
                None => now.tell(&mut search, end),
            }
            start = end;
        }
    }
}

#[expect(clippy::cast_possible_truncation, reason = "a text is at most half a MiB long")]
fn place(at: usize) -> u32 {
    at as u32
}

/// The line of the last text that this one is, or differs from in its end, and how many bytes they agree in.
fn counterpart(last: &Told, next: usize, line: &[u8]) -> Option<(usize, usize)> {
    let agreed = common(last.line(next), line);
    if agreed * 2 > line.len() {
        return Some((next, agreed));
    }
    let range = next + 1..(next + LOOK_AHEAD).min(last.lines.len());
    let found = range.into_iter().find(|&at| last.line(at) == line);
    found.map(|at| (at, line.len()))
}

/// How many bytes two texts have in common at their start.
fn common(a: &[u8], b: &[u8]) -> usize {
    if a == b {
        return a.len();
    }
    let words = |text| <[u8]>::chunks_exact(text, 8);
    let same = words(a).zip(words(b)).take_while(|(a, b)| a == b).count() * 8;
    same + a[same..].iter().zip(&b[same..]).take_while(|(a, b)| a == b).count()
}

impl Told {
    /// Writes the last line, which ends at `end`, with the tokens of its counterpart `at`, as long as they say what it
    /// holds; what is left stays as it is.
    fn retell(&mut self, last: &Self, at: usize, agreed: usize, moved: &[Option<u32>], end: usize) {
        let start = self.start(self.lines.len() - 1);
        let (mut done, mut literals) = (start, 0);
        for token in last.tokens(at) {
            let here = done + literals + usize::from(token.literals);
            let length = usize::from(token.length).min((start + agreed).saturating_sub(here));
            if length < SHORTEST {
                break;
            }
            literals += usize::from(token.literals);
            let from = moved.get(token.line as usize).copied().flatten();
            match from.filter(|&line| self.repeats(line, token.offset, here, length)) {
                Some(line) => {
                    self.push(literals, Token { line, ..*token }, length);
                    (done, literals) = (here + length, 0);
                }
                None => literals += length,
            }
        }
        self.push(end - done, Token::default(), 0);
    }

    /// Whether the bytes at `offset` in that line, and near enough, are those `here`.
    fn repeats(&self, line: u32, offset: u16, here: usize, length: usize) -> bool {
        let from = self.start(line as usize) + usize::from(offset);
        from + length <= here
            && here - from <= FARTHEST
            && self.text.get(from..from + length) == self.text.get(here..here + length)
    }

    fn push(&mut self, mut literals: usize, token: Token, length: usize) {
        let most = usize::from(u16::MAX);
        while literals > most {
            self.tokens.push(Token { literals: u16::MAX, ..Token::default() });
            literals -= most;
        }
        #[expect(clippy::cast_possible_truncation, reason = "bounded above, and by LONGEST")]
        let (literals, length) = (literals as u16, length as u16);
        self.tokens.push(Token { literals, length, ..token });
    }

    /// Writes the last line, which ends at `end`, with matches that are searched for.
    fn tell(&mut self, search: &mut Search, end: usize) {
        let start = self.start(self.lines.len() - 1);
        let text = self.text.clone();
        let (mut done, mut here) = (start, start);
        while here + HASHED <= end {
            search.learn(&text, here);
            match self.longest(search, here, end) {
                Some((token, length)) => {
                    self.push(here - done, token, length);
                    here += length;
                    done = here;
                }
                None => here += 1,
            }
        }
        self.push(end - done, Token::default(), 0);
    }

    /// The longest match that lies in one line and does not run into itself.
    fn longest(&self, search: &Search, here: usize, end: usize) -> Option<(Token, usize)> {
        let mut best = None;
        let mut longest = HASHED - 1;
        for from in search.places(&self.text, here) {
            let most = (here - from).min(end - here).min(LONGEST);
            let length = common(&self.text[from..from + most], &self.text[here..here + most]);
            if length <= longest || here - from > FARTHEST {
                continue;
            }
            let line = self.lines.partition_point(|line| line.start as usize <= from) - 1;
            let length = length.min(self.start(line + 1) - from);
            let Ok(offset) = u16::try_from(from - self.start(line)) else { continue };
            if length > longest {
                longest = length;
                best = Some((Token { line: place(line), offset, ..Token::default() }, length));
            }
        }
        best
    }

    fn frequencies(&self) -> Frequencies {
        let mut frequencies = Frequencies::default();
        self.symbols(|symbol| match symbol {
            Symbol::Literal(byte) => frequencies.literal(byte),
            Symbol::Match { length, distance } => frequencies.a_match(length, distance),
        });
        frequencies
    }

    fn write(&self, codes: &Codes, out: &mut Vec<u8>) {
        let mut bits = Bits::new(out);
        codes.begin(&mut bits);
        self.symbols(|symbol| match symbol {
            Symbol::Literal(byte) => codes.literal(byte, &mut bits),
            Symbol::Match { length, distance } => codes.a_match(length, distance, &mut bits),
        });
        codes.end(&mut bits);
        bits.finish();
    }

    fn symbols(&self, mut each: impl FnMut(Symbol)) {
        let mut here = 0;
        for token in &self.tokens {
            let until = here + usize::from(token.literals);
            for byte in &self.text[here..until] {
                each(Symbol::Literal(*byte));
            }
            here = until;
            if token.length > 0 {
                let from = self.start(token.line as usize) + usize::from(token.offset);
                each(Symbol::Match { length: token.length.into(), distance: here - from });
                here += usize::from(token.length);
            }
        }
    }
}

/// What DEFLATE has a code for.
enum Symbol {
    Literal(u8),
    Match { length: usize, distance: usize },
}

/// Matches that are searched for have this many bytes at least, by which they are found.
const HASHED: usize = 4;
const BUCKETS: usize = 1 << 12;
const PLACES: usize = 4;

/// Where bytes were seen in the text; made when the first line has no counterpart.
#[derive(Default)]
struct Search {
    /// The latest places by the hash of what begins there, each plus 1.
    places: Vec<[u32; PLACES]>,
    learnt: usize,
}

impl Search {
    /// Takes note of every place before `here`.
    fn learn(&mut self, text: &[u8], here: usize) {
        if self.places.is_empty() {
            self.places = vec![[0; PLACES]; BUCKETS];
        }
        for at in self.learnt..here {
            let places = &mut self.places[hash(&text[at..])];
            places.copy_within(..PLACES - 1, 1);
            places[0] = place(at + 1);
        }
        self.learnt = self.learnt.max(here);
    }

    /// The latest places where the bytes `here` may have been, the nearest first.
    fn places(&self, text: &[u8], here: usize) -> impl Iterator<Item = usize> {
        let places = self.places[hash(&text[here..])];
        places.into_iter().filter(|at| *at > 0).map(|at| at as usize - 1)
    }
}

fn hash(text: &[u8]) -> usize {
    let word = text.first_chunk().map_or(0, |word| u32::from_le_bytes(*word));
    (word.wrapping_mul(2_654_435_761) >> (32 - BUCKETS.trailing_zeros())) as usize
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use proptest::prelude::*;

    use super::*;

    fn inflated(member: &[u8]) -> Vec<u8> {
        let mut text = Vec::new();
        flate2::read::GzDecoder::new(member).read_to_end(&mut text).unwrap();
        text
    }

    fn answer(turn: u64, devices: u64) -> Vec<u8> {
        let mut lines = Vec::new();
        for family in 0..60 {
            let name = format!("node_family_{family}_bytes_total");
            lines.push(format!("# HELP {name} What the kernel counts of kind {family}.\n"));
            lines.push(format!("# TYPE {name} counter\n"));
            for device in 0..devices {
                let value = if family % 3 == 0 { 7 } else { turn * 12_345 + device * family };
                lines.push(format!("{name}{{device=\"eth{device}\"}} {value}\n"));
            }
        }
        lines.concat().into_bytes()
    }

    #[test]
    fn each_answer_reads_back_and_stays_small() {
        let mut again = Again::default();
        let fresh = again.gzip(answer(0, 5).into()).len();
        for turn in 1..50 {
            // Devices come and go.
            let text = answer(turn, 5 + turn % 4);
            let member = again.gzip(text.clone().into());
            assert!(inflated(&member) == text);
            assert!(
                member.len() < fresh * 2 && member.len() * 5 < text.len(),
                "{} {fresh}",
                member.len()
            );
        }
    }

    #[test]
    fn the_edges_read_back() {
        let mut again = Again::default();
        let long = [vec![b'x'; 70_000], b"\n".to_vec(), vec![b'y'; 3]].concat();
        for text in [b"".as_slice(), b"\n", b"a", &long, &long[1..], b"a\n", &[0, 255, 10, 10]] {
            assert!(inflated(&again.gzip(Bytes::copy_from_slice(text))) == text);
        }
    }

    #[test]
    fn what_is_too_far_back_is_not_referred_to() {
        let mut again = Again::default();
        let line = b"# HELP a_long_line_that_stands_twice in this text\n";
        for gap in [100, 40_000, 33_000, 10] {
            let text = [line.as_slice(), &vec![b'.'; gap], b"\n", line].concat();
            assert!(inflated(&again.gzip(text.clone().into())) == text);
        }
    }

    proptest! {
        #[test]
        fn any_texts_read_back(texts in proptest::collection::vec("([ab]{0,9}[0-9]{0,3}\n){0,40}[ab]{0,3}", 1..8)) {
            let mut again = Again::default();
            for text in texts {
                prop_assert_eq!(inflated(&again.gzip(text.clone().into())), text.into_bytes());
            }
        }
    }
}
