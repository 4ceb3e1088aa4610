//! The text of all objects of a resource, as it is sent: blocks by family, compressed once.
//!
//! An object is rendered when it changes. What is new of it waits in a draft; a scrape has the blocks that the draft
//! touches made again, all others are sent as they are. Beside the compressed text only a hash is kept for each object
//! and family. A list that is being taken shows when it is complete: until then the last complete set is answered.

mod chunk;
mod draft;
mod ledger;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use exporter_toolkit::memory;
use exporter_toolkit::web::Member;
use tokio::sync::OwnedMutexGuard;

use chunk::{Chunk, Mill};
use draft::Draft;
use ledger::Ledger;

use crate::rendered::Rendered;
use crate::resource::Renderer;

/// A draft of this size is worked in, however small the blocks are.
const DRAFT_BYTES: usize = 8 << 20;
/// A smaller draft is no chunk's worth.
const CHUNK_DRAFT: usize = 1 << 20;
/// A draft may grow to this share of the blocks.
const DRAFT_SHARE: usize = 4;

/// After so many bytes of drafts, free memory between what is kept is given back to the system.
const TRIM_BYTES: usize = 8 << 20;

/// What says which object is meant: its UID, or where it has none its namespace and name.
#[derive(Clone, Copy, Debug)]
pub struct Identity<'a> {
    pub namespace: &'a str,
    pub name: &'a str,
    pub uid: &'a str,
}

/// The metrics of one resource, or of one namespace of it.
pub struct Store {
    renderer: Arc<dyn Renderer>,
    state: Mutex<State>,
    /// Held by whoever works the draft in.
    mill: Arc<tokio::sync::Mutex<Mill>>,
}

struct State {
    ledger: Ledger,
    scratch: Rendered,
    draft: Draft,
    chunks: Vec<Arc<Chunk>>,
    /// What scrapes are answered from.
    shown: Snapshot,
    listing: bool,
    synced: bool,
    bytes: usize,
    broken: u64,
    /// Bytes of drafts since memory was given back.
    worked_in: usize,
}

/// The blocks of a store at one moment.
#[derive(Clone, Debug, Default)]
pub struct Snapshot(Arc<Vec<Arc<Chunk>>>);

impl Snapshot {
    /// The members of a family, the family being one of [`Renderer::families`] by its place.
    pub fn members(&self, family: usize) -> impl Iterator<Item = &Member> {
        let blocks = self.0.iter().filter_map(move |chunk| chunk.blocks.get(family)?.as_ref());
        blocks.map(|block| &block.member)
    }
}

/// A store in numbers.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Size {
    pub objects: usize,
    /// Compressed.
    pub bytes: usize,
    /// Objects that could not be read since the start.
    pub broken: u64,
    /// Whether a list has been complete.
    pub synced: bool,
}

impl Store {
    pub fn new(renderer: Arc<dyn Renderer>) -> Self {
        let ledger = Ledger::new(renderer.families().len());
        let state = State {
            ledger,
            scratch: Rendered::default(),
            draft: Draft::default(),
            chunks: Vec::new(),
            shown: Snapshot::default(),
            listing: false,
            synced: false,
            bytes: 0,
            broken: 0,
            worked_in: 0,
        };
        Self { renderer, state: Mutex::new(state), mill: Arc::default() }
    }

    pub fn renderer(&self) -> &dyn Renderer {
        &*self.renderer
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn size(&self) -> Size {
        let state = self.state();
        let State { bytes, broken, synced, .. } = *state;
        Size { objects: state.ledger.objects(), bytes, broken, synced }
    }

    /// A list begins: what is applied from now on is shown when [`Store::listed`] is called.
    pub async fn begin(self: &Arc<Self>) {
        self.work_in().await;
        let mut state = self.state();
        state.listing = true;
        state.ledger.begin();
    }

    /// Takes an object's JSON text. One that cannot be read counts as gone, and is the error.
    pub async fn apply(
        self: &Arc<Self>,
        identity: Identity<'_>,
        json: &[u8],
    ) -> Result<(), serde_json::Error> {
        let (result, full) = {
            let mut state = self.state();
            (state.apply(&*self.renderer, identity, json), state.is_full())
        };
        if full {
            // The next draft fills while this one is worked in; who is faster than that waits here.
            let mill = Arc::clone(&self.mill).lock_owned().await;
            let this = Arc::clone(self);
            drop(tokio::task::spawn_blocking(move || this.grind(mill)));
        }
        result
    }

    pub fn delete(&self, identity: Identity<'_>) {
        let mut state = self.state();
        let key = state.key(identity);
        if let Some((slot, families)) = state.ledger.remove(key) {
            state.take_away(slot, &families);
        }
    }

    /// Nothing is there any more, as the API server no longer serves the resource.
    pub fn clear(&self) {
        let mut state = self.state();
        state.ledger.begin();
        state.drop_unmet();
        state.listing = false;
        state.synced = false;
    }

    /// The list is complete: what it did not hold is gone, and what it held is shown.
    pub async fn listed(self: &Arc<Self>) {
        self.state().drop_unmet();
        self.work_in().await;
        let mut state = self.state();
        state.listing = false;
        state.synced = true;
        state.show();
    }

    /// The blocks as the objects are now, or while a list is being taken as they were before it.
    pub async fn snapshot(self: &Arc<Self>) -> Snapshot {
        if !self.state().listing {
            self.work_in().await;
        }
        self.state().shown.clone()
    }

    /// Works the draft in, off the reactor; returns when that is done.
    async fn work_in(self: &Arc<Self>) {
        let mill = Arc::clone(&self.mill).lock_owned().await;
        if self.state().draft.is_empty() {
            return;
        }
        let this = Arc::clone(self);
        let ground = tokio::task::spawn_blocking(move || this.grind(mill)).await;
        if let Err(error) = ground {
            tracing::error!(%error, "blocks of metrics could not be made again");
        }
    }

    /// Makes the blocks again that the draft touches. Updates and scrapes go on meanwhile.
    fn grind(&self, mut mill: OwnedMutexGuard<Mill>) {
        let (mut draft, chunks) = {
            let mut state = self.state();
            (std::mem::take(&mut state.draft), state.chunks.clone())
        };
        draft.sort();
        let families = self.renderer.families().len();
        let nothing = Chunk::default();
        for (number, parts) in draft.by_chunk() {
            let old = chunks.get(number).map_or(&nothing, |chunk| chunk);
            match mill.patched(old, families, &parts) {
                Ok(chunk) => self.state().put(number, chunk),
                Err(error) => {
                    tracing::error!(%error, "objects are missing until they change");
                    let mut state = self.state();
                    state.ledger.forget(number);
                    state.put(number, Chunk::default());
                }
            }
        }
        let mut state = self.state();
        state.worked_in += draft.bytes();
        if state.listing {
            return;
        }
        state.show();
        let much = state.worked_in >= TRIM_BYTES;
        if much {
            state.worked_in = 0;
        }
        drop(state);
        drop((draft, chunks));
        if much {
            memory::trim();
        }
    }
}

impl State {
    fn key(&self, identity: Identity<'_>) -> u64 {
        self.ledger.key(identity.uid, identity.namespace, identity.name)
    }

    fn apply(
        &mut self,
        renderer: &dyn Renderer,
        identity: Identity<'_>,
        json: &[u8],
    ) -> Result<(), serde_json::Error> {
        let key = self.key(identity);
        if let Err(error) = renderer.render(json, &mut self.scratch) {
            self.broken += 1;
            if let Some((slot, families)) = self.ledger.remove(key) {
                self.take_away(slot, &families);
            }
            return Err(error);
        }
        let slot = self.ledger.slot(key);
        self.ledger.meet(slot);
        for (family, text) in self.scratch.families().enumerate() {
            if self.ledger.note(slot, family, text) {
                self.draft.push(slot, family, text);
            }
        }
        Ok(())
    }

    /// Takes away the objects that the list did not hold.
    fn drop_unmet(&mut self) {
        for (slot, families) in self.ledger.end() {
            self.take_away(slot, &families);
        }
    }

    fn take_away(&mut self, slot: u32, families: &[usize]) {
        for &family in families {
            self.draft.push(slot, family, b"");
        }
    }

    /// While a list is taken, a chunk is made as soon as it is full: so it is made once, and little waits. Later, what was
    /// replaced before anybody asked for it makes room first, as the same objects change again and again.
    fn is_full(&mut self) -> bool {
        if self.listing && self.ledger.is_full() && self.draft.bytes() >= CHUNK_DRAFT {
            return true;
        }
        let most = DRAFT_BYTES.max(self.bytes / DRAFT_SHARE);
        if self.draft.bytes() <= most {
            return false;
        }
        self.draft.forget_replaced();
        self.draft.bytes() > most / 2
    }

    fn put(&mut self, number: usize, chunk: Chunk) {
        if self.chunks.len() <= number {
            self.chunks.resize_with(number + 1, Arc::default);
        }
        if let Some(place) = self.chunks.get_mut(number) {
            self.bytes = (self.bytes + chunk.bytes()).saturating_sub(place.bytes());
            *place = Arc::new(chunk);
        }
    }

    fn show(&mut self) {
        self.shown = Snapshot(Arc::new(self.chunks.clone()));
    }
}

#[cfg(test)]
mod tests;
