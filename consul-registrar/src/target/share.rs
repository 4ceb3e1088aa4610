//! One copy of each text that many targets have: services, nodes, paths, labels.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

/// Texts that are in use, and some that were.
#[derive(Debug)]
struct Shared {
    texts: Option<HashSet<Arc<str>>>,
    /// With so many those that nobody uses any more are looked for.
    sweep_at: usize,
}

const FIRST_SWEEP: usize = 1024;

static SHARED: Mutex<Shared> = Mutex::new(Shared { texts: None, sweep_at: FIRST_SWEEP });

/// The text, in the one copy of it that there is.
pub(crate) fn share(text: &str) -> Arc<str> {
    SHARED.lock().unwrap_or_else(PoisonError::into_inner).share(text)
}

impl Shared {
    fn share(&mut self, text: &str) -> Arc<str> {
        let texts = self.texts.get_or_insert_default();
        if let Some(known) = texts.get(text) {
            return Arc::clone(known);
        }
        if texts.len() >= self.sweep_at {
            texts.retain(|text| Arc::strong_count(text) > 1);
            texts.shrink_to_fit();
            self.sweep_at = (texts.len() * 2).max(FIRST_SWEEP);
        }
        let text: Arc<str> = text.into();
        texts.insert(Arc::clone(&text));
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_texts_are_one_and_forgotten_ones_cost_nothing_for_long() {
        let mut shared = Shared { texts: None, sweep_at: 2 };
        let kept = shared.share("a");
        assert!(Arc::ptr_eq(&kept, &shared.share("a")));
        for n in 0..10_000 {
            shared.share(&n.to_string());
        }
        assert!(shared.texts.as_ref().unwrap().len() <= FIRST_SWEEP);
        assert!(Arc::ptr_eq(&kept, &shared.share("a")));
    }
}
