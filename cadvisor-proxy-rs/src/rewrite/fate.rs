//! What becomes of series with one block of labels, worked out once.

use std::sync::Arc;

use super::blocks::is_of_block;
use super::labels::Set;
use super::noise::is_noise;
use super::options::{Noise, Settings};
use super::scan::Label;
use super::whose::Known;
use crate::identity::Shared;

/// All that can be said of a series without its name and its other labels.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub(super) struct Fate {
    known: Option<Arc<Known>>,
    /// The body in which the sources were last told that nobody knows it.
    told: u32,
    /// The profile's rules whose tests of these labels hold, a bit each.
    pub(super) passed: u64,
    pub(super) noise: bool,
    /// Likewise, of a series of a network.
    pub(super) network_noise: bool,
    pub(super) repaired: bool,
    pub(super) labelled: bool,
    pub(super) unknown: bool,
    /// What stands for each label where one is another; an empty one goes.
    pub(super) changed: Option<Box<[Box<[u8]>]>>,
    /// What comes behind all labels, each with a comma before it.
    pub(super) added: Box<[u8]>,
    /// No label that is added can be there already among those that are not of a block.
    pub(super) mixes: bool,
}

impl Fate {
    /// Of a block's labels, in the order of the body; `round` is the body's number.
    pub(super) fn of(
        settings: &Settings,
        known: Option<Arc<Known>>,
        labels: Vec<Label<'_>>,
        round: u32,
    ) -> Self {
        let about = known.as_deref();
        let mut set = Set::new(labels);
        let repaired = set.restore(about, settings);
        let rules = settings.drops.iter().enumerate();
        let passing = rules.filter(|(_, rule)| rule.holds_for_block(|label| set.value(label)));
        let passed = passing.fold(0, |bits, (at, _)| bits | 1 << (at % 64));
        let noise = is_noise(settings, false, about, &set);
        let network_noise = is_noise(settings, true, about, &set);
        let labelled = set.complete(about, settings);
        let (there, new) = set.labels.split_at(set.original);
        let goes = |label: &Label<'_>| settings.drops(Noise::EmptyLabels) && label.value.is_empty();
        let changed = set.changed || there.iter().any(goes);
        let texts = || there.iter().map(|l| if goes(l) { Box::default() } else { text(l) });
        let added = new.iter().filter(|label| !goes(label));
        Self {
            told: round,
            passed,
            noise,
            network_noise,
            repaired,
            labelled,
            unknown: about.is_some_and(|known| known.unknown),
            changed: changed.then(|| texts().collect()),
            added: added.flat_map(|label| [b",", &*text(label)].concat()).collect(),
            mixes: new.iter().all(|label| is_of_block(&label.name, settings.subject)),
            known,
        }
    }

    /// Bytes that it holds.
    pub(super) fn bytes(&self) -> usize {
        let changed = self.changed.iter().flatten().map(|text| text.len() + size_of_val(text));
        self.added.len() + changed.sum::<usize>()
    }

    /// In each body once, the sources are told of what nobody knows.
    pub(super) fn tell(&mut self, shared: &Shared, round: u32) {
        if self.told != round {
            self.told = round;
            if let Some(known) = &self.known {
                known.tell(shared);
            }
        }
    }
}

fn text(label: &Label<'_>) -> Box<[u8]> {
    [&*label.name, b"=\"", &*label.value, b"\""].concat().into()
}
