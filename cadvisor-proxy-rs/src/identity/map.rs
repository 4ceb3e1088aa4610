//! Maps that a scrape asks for each line, by borrowed bytes.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use xxhash_rust::xxh3::xxh3_64_with_seed;

/// By the bytes of an id or a name: `get(&[u8])` allocates nothing.
pub type Map<V> = HashMap<Box<[u8]>, V, BuildHasherDefault<Quick>>;

/// XXH3 of the bytes at once. The keys come from the cluster's own servers, and they are few.
#[derive(Clone, Copy, Debug, Default)]
pub struct Quick(u64);

impl Hasher for Quick {
    fn write(&mut self, bytes: &[u8]) {
        self.0 = xxh3_64_with_seed(bytes, self.0);
    }

    fn write_usize(&mut self, length: usize) {
        self.0 ^= length as u64;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}
