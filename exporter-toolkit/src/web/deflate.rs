//! DEFLATE (RFC 1951) as far as one last block with Huffman codes of its own needs it.

/// Literals and the end of the block, then the lengths of matches.
pub(super) const SYMBOLS: usize = 286;
pub(super) const DISTANCES: usize = 30;
/// A match's length, and how far back it may reach.
pub(super) const SHORTEST: usize = 3;
pub(super) const LONGEST: usize = 258;
pub(super) const FARTHEST: usize = 32 * 1024;

const END_OF_BLOCK: usize = 256;
const LONGEST_CODE: usize = 15;

/// The first length or distance of each symbol and how many further bits tell which it is (RFC 1951, section 3.2.5).
const LENGTH_STEPS: [(u16, u8); 29] = steps(3, 8, 4);
const DISTANCE_STEPS: [(u16, u8); 30] = steps(1, 4, 2);

/// `plain` symbols stand for one value each; from then on each `every` symbols take one bit more.
const fn steps<const N: usize>(first: u16, plain: usize, every: usize) -> [(u16, u8); N] {
    let mut steps = [(0, 0); N];
    let (mut value, mut at, mut bits) = (first, 0, 0);
    while at < N {
        if at >= plain && (at - plain).is_multiple_of(every) {
            bits += 1;
        }
        steps[at] = (value, bits);
        value = value.wrapping_add(1 << bits);
        at += 1;
    }
    if N == 29 {
        // The longest match has a symbol of its own.
        steps[28] = (258, 0);
    }
    steps
}

/// Bits as DEFLATE orders them, the lowest first.
pub(super) struct Bits<'a> {
    out: &'a mut Vec<u8>,
    waiting: u64,
    count: u32,
}

impl<'a> Bits<'a> {
    pub(super) fn new(out: &'a mut Vec<u8>) -> Self {
        Self { out, waiting: 0, count: 0 }
    }

    /// Appends the `count` lowest bits of `bits`, whose others are 0; at most 32.
    #[inline]
    fn put(&mut self, bits: u64, count: u32) {
        self.waiting |= bits << self.count;
        self.count += count;
        if self.count >= 32 {
            let [a, b, c, d, ..] = self.waiting.to_le_bytes();
            self.out.extend_from_slice(&[a, b, c, d]);
            self.waiting >>= 32;
            self.count -= 32;
        }
    }

    /// Fills the last byte up.
    pub(super) fn finish(self) {
        let bytes = self.waiting.to_le_bytes();
        self.out.extend_from_slice(&bytes[..self.count.div_ceil(8) as usize]);
    }
}

/// How often each symbol is to be expected.
pub(super) struct Frequencies {
    symbols: [u32; SYMBOLS],
    distances: [u32; DISTANCES],
}

impl Default for Frequencies {
    /// Every symbol once, so that each has a code and a later text can be written too.
    fn default() -> Self {
        Self { symbols: [1; SYMBOLS], distances: [1; DISTANCES] }
    }
}

impl Frequencies {
    pub(super) fn literal(&mut self, byte: u8) {
        self.symbols[usize::from(byte)] += 8;
    }

    pub(super) fn a_match(&mut self, length: usize, distance: usize) {
        self.symbols[257 + length_symbol(length)] += 8;
        self.distances[distance_symbol(distance)] += 8;
    }
}

/// The place of the last step that is not beyond `value`.
fn place(steps: &[(u16, u8)], value: usize) -> usize {
    steps.partition_point(|&(first, _)| usize::from(first) <= value).saturating_sub(1)
}

fn length_symbol(length: usize) -> usize {
    place(&LENGTH_STEPS, length)
}

fn distance_symbol(distance: usize) -> usize {
    place(&DISTANCE_STEPS, distance)
}

/// A code, or one with the bits that follow it.
#[derive(Clone, Copy, Default)]
struct Code {
    bits: u32,
    count: u8,
}

/// Codes for every symbol, and tables that give them at one look.
pub(super) struct Codes {
    header: Vec<(u16, u8)>,
    symbols: [Code; END_OF_BLOCK + 1],
    /// By the length less [`SHORTEST`], with the further bits.
    lengths: [Code; LONGEST - SHORTEST + 1],
    distances: [Code; DISTANCES],
    /// The symbols of distances below 256, and of others by their multiples of 128, as zlib does it.
    near: [u8; 256],
    far: [u8; 256],
}

impl Codes {
    pub(super) fn new(frequencies: &Frequencies) -> Self {
        let symbol_lengths = code_lengths(&frequencies.symbols, LONGEST_CODE);
        let distance_lengths = code_lengths(&frequencies.distances, LONGEST_CODE);
        let symbols = canonical(&symbol_lengths);
        let with_further = |length: usize| {
            let at = length_symbol(length);
            let (first, count) = LENGTH_STEPS[at];
            let code = symbols[257 + at];
            let further = u32::try_from(length).unwrap_or(0) - u32::from(first);
            Code { bits: code.bits | further << code.count, count: code.count + count }
        };
        Self {
            header: header(&symbol_lengths, &distance_lengths),
            symbols: std::array::from_fn(|at| symbols[at]),
            lengths: std::array::from_fn(|at| with_further(at + SHORTEST)),
            distances: canonical(&distance_lengths),
            near: std::array::from_fn(|at| symbol_of(at.max(1))),
            far: std::array::from_fn(|at| symbol_of((at * 128 + 1).max(256))),
        }
    }

    /// Begins the last block of a stream.
    pub(super) fn begin(&self, bits: &mut Bits<'_>) {
        // BFINAL, and BTYPE of dynamic codes.
        bits.put(0b101, 3);
        for &(value, count) in &self.header {
            bits.put(value.into(), count.into());
        }
    }

    #[inline]
    pub(super) fn literal(&self, byte: u8, bits: &mut Bits<'_>) {
        let code = self.symbols[usize::from(byte)];
        bits.put(code.bits.into(), code.count.into());
    }

    /// Writes a match of 3 to 258 bytes, 1 to 32,768 bytes back.
    #[inline]
    pub(super) fn a_match(&self, length: usize, distance: usize, bits: &mut Bits<'_>) {
        let code = self.lengths[length - SHORTEST];
        bits.put(code.bits.into(), code.count.into());
        let at = if distance < 256 { self.near[distance] } else { self.far[(distance - 1) >> 7] };
        let at = usize::from(at);
        let (first, count) = DISTANCE_STEPS[at];
        let code = self.distances[at];
        let further = (distance - usize::from(first)) as u64;
        bits.put(u64::from(code.bits) | further << code.count, u32::from(code.count + count));
    }

    pub(super) fn end(&self, bits: &mut Bits<'_>) {
        let code = self.symbols[END_OF_BLOCK];
        bits.put(code.bits.into(), code.count.into());
    }
}

#[expect(clippy::cast_possible_truncation, reason = "there are thirty symbols")]
fn symbol_of(distance: usize) -> u8 {
    distance_symbol(distance) as u8
}

/// What comes before the symbols of a block: the lengths of their codes, themselves in a code (section 3.2.7).
fn header(symbols: &[u8; SYMBOLS], distances: &[u8; DISTANCES]) -> Vec<(u16, u8)> {
    const ORDER: [usize; 19] = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];
    /// "The length before, 3 to 6 times", which two further bits tell.
    const AGAIN: u8 = 16;
    let lengths: Vec<u8> = symbols.iter().chain(distances).copied().collect();
    let mut words: Vec<(u8, u16)> = Vec::with_capacity(lengths.len());
    for run in lengths.chunk_by(|a, b| a == b) {
        words.push((run[0], 0));
        let mut left = run.len() - 1;
        while left >= 3 {
            let count = left.min(6);
            words.push((AGAIN, u16::try_from(count - 3).unwrap_or(0)));
            left -= count;
        }
        words.extend(std::iter::repeat_n((run[0], 0), left));
    }
    let mut frequencies = [0; 19];
    for (word, _) in &words {
        frequencies[usize::from(*word)] += 1;
    }
    let word_lengths = code_lengths(&frequencies, 7);
    let codes: [Code; 19] = canonical(&word_lengths);
    // HLIT, HDIST and HCLEN are all at their highest.
    let mut header = vec![(29, 5), (29, 5), (15, 4)];
    header.extend(ORDER.map(|at| (word_lengths[at].into(), 3)));
    for (word, further) in words {
        let code = codes[usize::from(word)];
        header.push((u16::try_from(code.bits).unwrap_or(0), code.count));
        if word == AGAIN {
            header.push((further, 2));
        }
    }
    header
}

/// Lengths of Huffman codes of at most `longest` bits, for symbols that occur; at least two must.
fn code_lengths<const N: usize>(frequencies: &[u32; N], longest: usize) -> [u8; N] {
    let mut rising: Vec<usize> = (0..N).filter(|&at| frequencies[at] > 0).collect();
    rising.sort_unstable_by_key(|&at| frequencies[at]);
    let mut counts = depths(rising.iter().map(|&at| frequencies[at].into()).collect());
    limit(&mut counts, longest);
    let mut lengths = [0; N];
    let mut symbols = rising.into_iter();
    // The rarest get the longest codes.
    for (length, &count) in counts.iter().enumerate().rev() {
        for at in symbols.by_ref().take(count) {
            lengths[at] = u8::try_from(length).unwrap_or(0);
        }
    }
    lengths
}

/// How many leaves of the Huffman tree over these rising weights have which depth. The tree is built by two queues: the
/// leaves that are left, and the inner nodes, which come into being in rising order.
fn depths(leaves: Vec<u64>) -> Vec<usize> {
    let mut nodes: Vec<(u64, usize, usize)> = Vec::with_capacity(leaves.len());
    let (mut leaf, mut inner) = (0, 0);
    // An inner node is its number beyond the leaves'.
    let mut lightest = |nodes: &[(u64, usize, usize)]| {
        let first = nodes.get(inner).map(|node| node.0);
        match (leaves.get(leaf), first) {
            (Some(&weight), node) if node.is_none_or(|node| weight <= node) => {
                leaf += 1;
                (weight, leaf - 1)
            }
            (_, node) => {
                inner += 1;
                (node.unwrap_or(0), leaves.len() + inner - 1)
            }
        }
    };
    for _ in 1..leaves.len() {
        let (a, b) = (lightest(&nodes), lightest(&nodes));
        nodes.push((a.0 + b.0, a.1, b.1));
    }
    let mut depth = vec![0; nodes.len()];
    let mut counts = vec![0; 65];
    for at in (0..nodes.len()).rev() {
        for child in [nodes[at].1, nodes[at].2] {
            match child.checked_sub(leaves.len()) {
                Some(node) => depth[node] = depth[at] + 1,
                None => counts[(depth[at] + 1_usize).min(64)] += 1,
            }
        }
    }
    counts
}

/// Shortens codes that are too long: each leaf that comes up makes another one's code longer by a bit, until Kraft's sum
/// is 1 again.
fn limit(counts: &mut Vec<usize>, longest: usize) {
    let beyond: usize = counts.drain(longest + 1..).sum();
    counts[longest] += beyond;
    let mut sum: usize =
        counts.iter().enumerate().skip(1).map(|(length, n)| n << (longest - length)).sum();
    while sum > 1 << longest {
        counts[longest] -= 1;
        if let Some(length) = (1..longest).rev().find(|&length| counts[length] > 0) {
            counts[length] -= 1;
            counts[length + 1] += 2;
        }
        sum -= 1;
    }
}

/// The codes of these lengths (section 3.2.2), with their bits turned round, as the first is to be read first.
fn canonical<const N: usize>(lengths: &[u8; N]) -> [Code; N] {
    let mut next = [0_u32; LONGEST_CODE + 2];
    for &length in lengths.iter().filter(|length| **length > 0) {
        next[usize::from(length) + 1] += 1;
    }
    for length in 1..next.len() {
        next[length] = (next[length] + next[length - 1]) << 1;
    }
    lengths.map(|count| {
        if count == 0 {
            return Code::default();
        }
        let bits = next[usize::from(count)];
        next[usize::from(count)] += 1;
        Code { bits: bits.reverse_bits() >> (32 - u32::from(count)), count }
    })
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    fn inflated(bytes: &[u8]) -> Vec<u8> {
        let mut text = Vec::new();
        flate2::read::DeflateDecoder::new(bytes).read_to_end(&mut text).unwrap();
        text
    }

    #[test]
    fn the_steps_are_those_of_the_rfc() {
        assert_eq!(
            (LENGTH_STEPS[8], LENGTH_STEPS[27], LENGTH_STEPS[28]),
            ((11, 1), (227, 5), (258, 0))
        );
        assert_eq!((DISTANCE_STEPS[4], DISTANCE_STEPS[29]), ((5, 1), (24577, 13)));
    }

    #[test]
    fn every_length_and_every_distance_reads_back() {
        let mut state = 1_u64;
        let noise: Vec<u8> = std::iter::repeat_with(|| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            state.to_be_bytes()[0]
        })
        .take(FARTHEST)
        .collect();
        let codes = Codes::new(&Frequencies::default());
        let (mut packed, mut text) = (Vec::new(), noise.clone());
        let mut bits = Bits::new(&mut packed);
        codes.begin(&mut bits);
        for &byte in &noise {
            codes.literal(byte, &mut bits);
        }
        for (turn, distance) in (1..=FARTHEST).enumerate() {
            let length = SHORTEST + turn % (LONGEST - SHORTEST + 1);
            codes.a_match(length, distance, &mut bits);
            for _ in 0..length {
                text.push(text[text.len() - distance]);
            }
        }
        codes.end(&mut bits);
        bits.finish();
        assert!(inflated(&packed) == text);
    }

    #[test]
    fn codes_of_very_uneven_frequencies_stay_short_enough() {
        let mut frequencies = Frequencies::default();
        for at in 0..40 {
            frequencies.symbols[at] = 1 << (at % 31);
        }
        let codes = Codes::new(&frequencies);
        let text: Vec<u8> = (0..=255).collect();
        let mut packed = Vec::new();
        let mut bits = Bits::new(&mut packed);
        codes.begin(&mut bits);
        for &byte in &text {
            codes.literal(byte, &mut bits);
        }
        codes.end(&mut bits);
        bits.finish();
        assert_eq!(inflated(&packed), text);
    }
}
