//! MD5 (RFC 1321), by which Prometheus' `hashmod` spreads series. Nothing is secured by it.

const SHIFTS: [[u32; 4]; 4] = [[7, 12, 17, 22], [5, 9, 14, 20], [4, 11, 16, 23], [6, 10, 15, 21]];

/// The digest's last eight bytes as a number, which is what Prometheus divides.
pub(super) fn tail(text: &[u8]) -> u64 {
    let [_, _, c, d] = digest(text);
    u64::from(c.swap_bytes()) << 32 | u64::from(d.swap_bytes())
}

fn digest(text: &[u8]) -> [u32; 4] {
    let mut padded = text.to_vec();
    padded.push(0x80);
    padded.resize(padded.len().next_multiple_of(64), 0);
    if padded.len() - text.len() < 9 {
        padded.resize(padded.len() + 64, 0);
    }
    let at = padded.len() - 8;
    padded.truncate(at);
    padded.extend_from_slice(&(text.len() as u64).wrapping_mul(8).to_le_bytes());
    padded.chunks_exact(64).fold([0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476], block)
}

fn block(state: [u32; 4], block: &[u8]) -> [u32; 4] {
    let mut words = [0_u32; 16];
    for (word, bytes) in words.iter_mut().zip(block.chunks_exact(4)) {
        *word = bytes.iter().rev().fold(0, |sum, byte| sum << 8 | u32::from(*byte));
    }
    let [mut a, mut b, mut c, mut d] = state;
    for step in 0..64_u32 {
        let (mixed, at) = match step / 16 {
            0 => (b & c | !b & d, step),
            1 => (d & b | !d & c, 5 * step + 1),
            2 => (b ^ c ^ d, 3 * step + 5),
            _ => (c ^ (b | !d), 7 * step),
        };
        let word = words.get(at as usize % 16).copied().unwrap_or_default();
        let sum = a.wrapping_add(mixed).wrapping_add(constant(step)).wrapping_add(word);
        let round = SHIFTS.get(step as usize / 16).copied().unwrap_or_default();
        let shift = round.get(step as usize % 4).copied().unwrap_or_default();
        (a, d, c, b) = (d, c, b, b.wrapping_add(sum.rotate_left(shift)));
    }
    let added = [a, b, c, d];
    std::array::from_fn(|at| {
        let of = |words: [u32; 4]| words.get(at).copied().unwrap_or_default();
        of(state).wrapping_add(of(added))
    })
}

/// The RFC's table: the whole part of 2^32 times the sine's absolute value.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "below 2^32")]
fn constant(step: u32) -> u32 {
    (f64::from(step + 1).sin().abs() * 4_294_967_296.0) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_are_those_of_the_rfc() {
        for (text, expected) in [
            ("", "d41d8cd98f00b204e9800998ecf8427e"),
            ("message digest", "f96b697d7cb7938d525a2f31aaf161d0"),
            (
                "12345678901234567890123456789012345678901234567890123456789012345678901234567890",
                "57edf4a22be3c955ac49da2e2107b67a",
            ),
        ] {
            let bytes = digest(text.as_bytes()).map(u32::to_le_bytes).concat();
            let shown: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            assert_eq!(shown.concat(), expected, "{text}");
        }
        for length in 50..70 {
            digest(&vec![b'x'; length]);
        }
    }

    #[test]
    fn the_tail_is_the_second_half_of_the_digest() {
        assert_eq!(tail(b""), 0xe980_0998_ecf8_427e);
    }
}
