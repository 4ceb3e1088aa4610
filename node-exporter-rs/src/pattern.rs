//! Regular expressions from the command line.

use std::cell::RefCell;
use std::collections::HashMap;

/// Verdicts remembered per pattern; more names than this and it starts afresh.
const REMEMBERED: usize = 8192;

/// An unanchored pattern in the syntax that the peer's users know (RE2): `\d`, `\w` and `\s` are ASCII, as they are there.
///
/// Device names come back at every scrape, so a verdict is remembered: the engine is the small one, and runs once a name.
#[derive(Clone, Debug)]
pub struct Pattern {
    engine: regex_lite::Regex,
    known: RefCell<HashMap<Box<str>, bool>>,
}

impl Pattern {
    /// The error says what is wrong in the pattern.
    pub fn new(text: &str) -> Result<Self, String> {
        match regex_lite::Regex::new(text) {
            Ok(engine) => Ok(Self { engine, known: RefCell::default() }),
            Err(error) => Err(format!("not a regular expression: {error}")),
        }
    }

    pub fn is_match(&self, name: &str) -> bool {
        let mut known = self.known.borrow_mut();
        if let Some(verdict) = known.get(name) {
            return *verdict;
        }
        // A copy of the engine has its own working memory, which is worth keeping for nobody.
        let verdict = self.engine.clone().is_match(name);
        if known.len() >= REMEMBERED {
            known.clear();
        }
        known.insert(name.into(), verdict);
        verdict
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_verdict_that_is_remembered_is_the_same() {
        let pattern = Pattern::new("^(veth.*|[a-f0-9]{15})$").unwrap();
        for _ in 0..2 {
            assert!(pattern.is_match("veth1a2b"));
            assert!(pattern.is_match("0123456789abcde"));
            assert!(!pattern.is_match("eth0"));
        }
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let pattern = Pattern::new("9$").unwrap();
        for number in 0..REMEMBERED * 2 + 10 {
            assert_eq!(pattern.is_match(&number.to_string()), number % 10 == 9);
        }
        assert!(pattern.known.borrow().len() <= REMEMBERED);
    }

    #[test]
    fn a_digit_is_an_ascii_digit_as_in_the_peers_patterns() {
        assert!(!Pattern::new(r"^\d$").unwrap().is_match("٣"));
    }
}
