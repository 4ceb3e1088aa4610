//! Base64 with the standard alphabet (RFC 4648, section 4), as `Authorization` carries it.

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// With padding.
pub fn encode(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let mut four = [0; 4];
        four[1..=group.len()].copy_from_slice(group);
        let bits = u32::from_be_bytes(four);
        for place in 0..4 {
            let digit = bits >> (18 - 6 * place) & 63;
            text.push(if place > group.len() { '=' } else { char::from(ALPHABET[digit as usize]) });
        }
    }
    text
}

/// `None` where a character is foreign or the length is impossible. Padding may be missing.
pub fn decode(text: &str) -> Option<Vec<u8>> {
    let text = text.trim_end_matches('=').as_bytes();
    if text.len() % 4 == 1 {
        return None;
    }
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3 + 2);
    for group in text.chunks(4) {
        let mut bits = 0_u32;
        for &character in group {
            bits = bits << 6 | u32::from(value(character)?);
        }
        // A short group has fewer bytes; its bits are moved to the top of 24.
        let bits = bits << (6 * (4 - group.len()));
        let [_, three @ ..] = bits.to_be_bytes();
        bytes.extend_from_slice(three.get(..group.len() - 1)?);
    }
    Some(bytes)
}

fn value(character: u8) -> Option<u8> {
    match character {
        b'A'..=b'Z' => Some(character - b'A'),
        b'a'..=b'z' => Some(character - b'a' + 26),
        b'0'..=b'9' => Some(character - b'0' + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_test_vectors_of_the_rfc_pass_both_ways() {
        for (text, bytes) in [
            ("", &b""[..]),
            ("Zg==", b"f"),
            ("Zm8=", b"fo"),
            ("Zm9v", b"foo"),
            ("Zm9vYg==", b"foob"),
            ("Zm9vYmE=", b"fooba"),
            ("Zm9vYmFy", b"foobar"),
            ("/+8", b"\xff\xef"),
        ] {
            assert_eq!(decode(text).as_deref(), Some(bytes), "{text}");
            if text.len() % 4 == 0 {
                assert_eq!(encode(bytes), text);
            }
        }
    }

    #[test]
    fn what_is_not_base64_is_none() {
        for text in ["Z", "Zm9vY", "Zm 9v", "Zm9-", "Zm=9v"] {
            assert_eq!(decode(text), None, "{text}");
        }
    }
}
