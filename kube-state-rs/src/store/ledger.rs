//! Which objects there are, where their text stands, and a hash of what each gave last.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, BuildHasherDefault, Hasher, RandomState};

use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::chunk::OBJECTS;

/// A chunk takes no further object once its text is this long: what one change makes again stays small.
const CHUNK_BYTES: usize = 2 << 20;

/// The place of an object: the number of its chunk times [`OBJECTS`], plus its place in there.
pub(super) type Slot = u32;

#[derive(Debug)]
pub(super) struct Ledger {
    seed: u64,
    slots: HashMap<u64, Slot, BuildHasherDefault<AlreadyHashed>>,
    free: Vec<Slot>,
    sheets: Vec<Sheet>,
    families: usize,
    /// A bit for each slot: met in the list that is being taken.
    met: Vec<u128>,
}

/// What is known of a chunk's objects.
#[derive(Debug, Default)]
struct Sheet {
    /// By family and place; 0 stands for no text.
    hashes: Vec<Option<Box<[u64; OBJECTS]>>>,
    used: usize,
    bytes: usize,
}

impl Ledger {
    pub(super) fn new(families: usize) -> Self {
        Self {
            // Names are chosen by users of the cluster: with a secret seed nobody can make two of them collide.
            seed: RandomState::new().hash_one(0),
            slots: HashMap::default(),
            free: Vec::new(),
            sheets: Vec::new(),
            families,
            met: Vec::new(),
        }
    }

    pub(super) fn objects(&self) -> usize {
        self.slots.len()
    }

    /// The key of an object: of its UID, or where it has none of its namespace and name.
    pub(super) fn key(&self, uid: &str, namespace: &str, name: &str) -> u64 {
        if uid.is_empty() {
            let namespace = xxh3_64_with_seed(namespace.as_bytes(), self.seed);
            return xxh3_64_with_seed(name.as_bytes(), namespace);
        }
        xxh3_64_with_seed(uid.as_bytes(), self.seed)
    }

    /// Whether the next object that is not known starts a chunk of its own.
    pub(super) fn is_full(&self) -> bool {
        let full = |sheet: &Sheet| sheet.used == OBJECTS || sheet.bytes >= CHUNK_BYTES;
        self.free.is_empty() && self.sheets.last().is_none_or(full)
    }

    /// The object's slot, which is a new one where it was not known.
    pub(super) fn slot(&mut self, key: u64) -> Slot {
        if let Some(&slot) = self.slots.get(&key) {
            return slot;
        }
        let slot = self.free.pop().unwrap_or_else(|| self.next());
        self.slots.insert(key, slot);
        slot
    }

    fn next(&mut self) -> Slot {
        if self.is_full() {
            let hashes = vec![None; self.families];
            self.sheets.push(Sheet { hashes, used: 0, bytes: 0 });
            self.met.push(0);
        }
        let number = self.sheets.len() - 1;
        let place = self.sheets.last_mut().map_or(0, |sheet| {
            sheet.used += 1;
            sheet.used - 1
        });
        Slot::try_from(number * OBJECTS + place).unwrap_or(Slot::MAX)
    }

    /// Notes what an object gives in a family; true where it is not what it gave before.
    pub(super) fn note(&mut self, slot: Slot, family: usize, text: &[u8]) -> bool {
        let (number, place) = place_of(slot);
        let hash = match text {
            [] => 0,
            text => xxh3_64_with_seed(text, self.seed).max(1),
        };
        let Some(sheet) = self.sheets.get_mut(number) else { return false };
        let Some(column) = sheet.hashes.get_mut(family) else { return false };
        let known = column.as_ref().map_or(0, |column| column[place]);
        if known == hash {
            return false;
        }
        if known == 0 {
            sheet.bytes += text.len();
        }
        column.get_or_insert_with(|| Box::new([0; OBJECTS]))[place] = hash;
        true
    }

    /// Forgets an object. Returns its slot and the families in which it has text, which must be taken away.
    pub(super) fn remove(&mut self, key: u64) -> Option<(Slot, Vec<usize>)> {
        let slot = self.slots.remove(&key)?;
        self.free.push(slot);
        Some((slot, self.cleared(slot)))
    }

    fn cleared(&mut self, slot: Slot) -> Vec<usize> {
        let (number, place) = place_of(slot);
        let Some(sheet) = self.sheets.get_mut(number) else { return Vec::new() };
        let columns = sheet.hashes.iter_mut().enumerate();
        let texts = columns.filter_map(|(family, column)| {
            let hash = column.as_mut()?.get_mut(place)?;
            (std::mem::take(hash) != 0).then_some(family)
        });
        texts.collect()
    }

    /// A list begins: no object was met yet.
    pub(super) fn begin(&mut self) {
        self.met.fill(0);
    }

    pub(super) fn meet(&mut self, slot: Slot) {
        let (number, place) = place_of(slot);
        if let Some(bits) = self.met.get_mut(number) {
            *bits |= 1 << place;
        }
    }

    /// Forgets the objects that the list did not hold; see [`Ledger::remove`].
    pub(super) fn end(&mut self) -> Vec<(Slot, Vec<usize>)> {
        let met = |slot: Slot| {
            let (number, place) = place_of(slot);
            self.met.get(number).is_some_and(|bits| bits >> place & 1 == 1)
        };
        let gone: Vec<u64> =
            self.slots.iter().filter(|(_, slot)| !met(**slot)).map(|(key, _)| *key).collect();
        gone.into_iter().filter_map(|key| self.remove(key)).collect()
    }

    /// Forgets what the objects of a chunk gave, so that whatever they give next counts as new.
    pub(super) fn forget(&mut self, number: usize) {
        if let Some(sheet) = self.sheets.get_mut(number) {
            sheet.hashes.fill(None);
        }
    }
}

fn place_of(slot: Slot) -> (usize, usize) {
    (slot as usize / OBJECTS, slot as usize % OBJECTS)
}

/// Keys are hashes already.
#[derive(Debug, Default)]
struct AlreadyHashed(u64);

impl Hasher for AlreadyHashed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, key: u64) {
        self.0 = key;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_text_that_differs_is_news() {
        let mut ledger = Ledger::new(2);
        let slot = ledger.slot(7);
        assert!(ledger.note(slot, 0, b"a 1\n"));
        assert!(!ledger.note(slot, 0, b"a 1\n"));
        assert!(ledger.note(slot, 0, b"a 2\n"));
        assert!(!ledger.note(slot, 1, b""));
        assert_eq!(ledger.remove(7), Some((slot, vec![0])));
        assert_eq!(ledger.remove(7), None);
    }

    #[test]
    fn what_a_list_does_not_hold_is_gone() {
        let mut ledger = Ledger::new(1);
        let slots: Vec<Slot> = (0..300).map(|key| ledger.slot(key)).collect();
        for &slot in &slots {
            assert!(ledger.note(slot, 0, b"x 1\n"));
        }
        ledger.begin();
        for key in 10..300 {
            let slot = ledger.slot(key);
            ledger.meet(slot);
        }
        let mut gone: Vec<Slot> = ledger.end().into_iter().map(|(slot, _)| slot).collect();
        gone.sort_unstable();
        assert_eq!(gone, slots[..10]);
        assert_eq!(ledger.objects(), 290);
        assert!(slots[..10].contains(&ledger.slot(1000)), "a free slot is used again");
    }

    #[test]
    fn a_chunk_with_much_text_takes_no_further_object() {
        let mut ledger = Ledger::new(1);
        let first = ledger.slot(1);
        ledger.note(first, 0, &vec![b'x'; CHUNK_BYTES]);
        assert_eq!(place_of(ledger.slot(2)), (1, 0));
    }

    #[test]
    fn objects_without_uid_are_told_apart_by_namespace_and_name() {
        let ledger = Ledger::new(1);
        assert_ne!(ledger.key("", "a", "bc"), ledger.key("", "ab", "c"));
        assert_eq!(ledger.key("u", "a", "b"), ledger.key("u", "c", "d"));
    }
}
