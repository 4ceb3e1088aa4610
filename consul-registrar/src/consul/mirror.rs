//! What Consul is known to hold of ours, and what must be written so that it holds what is published.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::client::ConsulError;
use super::wire::{ListedService, node_services};
use crate::catalog::{Found, Published};
use crate::row::{Identity, Row, digest};

/// A row of ours as Consul holds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// `ModifyIndex`, for compare-and-set.
    pub index: u64,
    pub digest: u64,
}

/// All rows of ours, by id.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mirror {
    /// Whether our node is there.
    pub node: bool,
    /// The index of our node, where somebody else has taken our mark from it.
    pub unmarked: Option<u64>,
    pub rows: BTreeMap<Box<str>, Seen>,
    /// Ids on our node that belong to somebody else: never touched.
    pub foreign: BTreeSet<Box<str>>,
    /// The owned rows that are not as published, at the last list or since.
    pub found: BTreeMap<Box<str>, Found>,
    /// The service names of `found`, which a deletion must name.
    pub services: BTreeMap<Box<str>, Box<str>>,
}

/// A write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// `index` is 0 where the row is new.
    Set {
        id: Box<str>,
        row: Row,
        index: u64,
    },
    Delete {
        id: Box<str>,
        service: Box<str>,
        index: u64,
    },
}

impl Change {
    pub fn id(&self) -> &str {
        match self {
            Self::Set { id, .. } | Self::Delete { id, .. } => id,
        }
    }
}

/// What makes Consul hold what is published: new rows first, so that a replaced target is never absent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    pub create: Vec<Change>,
    pub update: Vec<Change>,
    pub delete: Vec<Change>,
    /// Ids that somebody else's rows have.
    pub taken: Vec<Box<str>>,
}

impl Plan {
    pub fn is_empty(&self) -> bool {
        self.create.is_empty() && self.update.is_empty() && self.delete.is_empty()
    }

    /// A pure function of its arguments. What is in `left_out` is not written.
    pub fn new(
        identity: &Identity,
        published: &Published,
        mirror: &Mirror,
        left_out: impl Fn(&str, u64) -> bool,
    ) -> Self {
        let mut plan = Self::default();
        for row in &published.rows {
            let id: Box<str> = identity.id(&row.target.key).into();
            let seen = mirror.rows.get(&id);
            if seen.is_some_and(|seen| seen.digest == row.digest) || left_out(&id, row.digest) {
                continue;
            }
            if mirror.foreign.contains(&id) {
                plan.taken.push(id);
                continue;
            }
            let change = Change::Set { id, row: row.clone(), index: seen.map_or(0, |s| s.index) };
            if seen.is_some() { plan.update.push(change) } else { plan.create.push(change) }
        }
        for id in &published.released {
            let (Some(seen), Some(service)) = (mirror.rows.get(id), mirror.service(id, identity))
            else {
                continue;
            };
            if !left_out(id, 0) {
                plan.delete.push(Change::Delete { id: id.clone(), service, index: seen.index });
            }
        }
        plan
    }
}

impl Mirror {
    /// Reads a list. Only what carries our owner mark is ever ours; of what is as published only the index is kept.
    pub fn read(
        body: &[u8],
        node: &str,
        identity: &Identity,
        published: &Published,
    ) -> Result<Self, ReadError> {
        let wanted: BTreeMap<String, u64> =
            published.rows.iter().map(|row| (identity.id(&row.target.key), row.digest)).collect();
        let mut mirror = Self::default();
        let listed = node_services(body, |service| mirror.list(service, identity, &wanted))?;
        // Services without a node are not to be had.
        let Some(listed) = listed else { return Ok(Self::default()) };
        mirror.node = true;
        let owner = listed.meta.get("owner").map(String::as_str);
        // Whoever registers something on a node may write its meta, too. That our rows are there tells that it was ours.
        if owner.is_none() && !mirror.rows.is_empty() {
            mirror.unmarked = Some(listed.modify_index);
        } else if owner != Some(&*identity.owner) {
            let (node, owner) = (node.to_owned(), identity.owner.to_string());
            return Err(ReadError::Foreign(ConsulError::Foreign { node, owner }));
        }
        Ok(mirror)
    }

    /// What somebody else was found to hold, such as files.
    pub fn of(found: &[Found]) -> Self {
        let mut mirror = Self { node: true, ..Self::default() };
        for found in found {
            if let Some(row) = &found.row {
                mirror.rows.insert(found.id.clone(), Seen { index: 0, digest: row.digest });
            }
            mirror.found.insert(found.id.clone(), found.clone());
        }
        mirror
    }

    fn list(
        &mut self,
        service: ListedService<'_>,
        identity: &Identity,
        wanted: &BTreeMap<String, u64>,
    ) {
        let id: Box<str> = (&*service.id).into();
        if service.meta.get("owner").map(|owner| &**owner) != Some(&*identity.owner) {
            self.foreign.insert(id);
            return;
        }
        let seen = Seen { index: service.modify_index, digest: service.digest() };
        if wanted.get(&*id) != Some(&seen.digest) {
            let row = service.row(identity);
            self.services.insert(id.clone(), (&*service.service).into());
            self.found.insert(id.clone(), Found { id: id.clone(), row });
        }
        self.rows.insert(id, seen);
    }

    /// Rows that are as published by now differ from nothing any more.
    pub fn forget_settled(&mut self, identity: &Identity, published: &Published) {
        if self.found.is_empty() {
            return;
        }
        for row in &published.rows {
            let id = identity.id(&row.target.key);
            if self.rows.get(&*id).is_some_and(|seen| seen.digest == row.digest) {
                self.found.remove(&*id);
                self.services.remove(&*id);
            }
        }
    }

    /// What has been written since the list.
    pub fn wrote(&mut self, id: &str, seen: Option<Seen>) {
        self.found.remove(id);
        if let Some(seen) = seen {
            self.rows.insert(id.into(), seen);
        } else {
            self.services.remove(id);
            self.rows.remove(id);
        }
    }

    pub fn found(&self) -> Arc<[Found]> {
        self.found.values().cloned().collect()
    }

    /// The service of a row: as it was listed, or the middle of an id of ours, `OWNER/SERVICE/HOST:PORT`.
    fn service(&self, id: &str, identity: &Identity) -> Option<Box<str>> {
        if let Some(service) = self.services.get(id) {
            return Some(service.clone());
        }
        let rest = id.strip_prefix(&*identity.owner)?.strip_prefix('/')?;
        rest.split_once('/').map(|(service, _)| service.into())
    }
}

/// Why a list is not gone by.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    #[error(transparent)]
    Json(#[from] serde_json::Error),
    #[error(transparent)]
    Foreign(ConsulError),
}

impl ListedService<'_> {
    fn digest(&self) -> u64 {
        // A port that no port is belongs to no row of ours.
        let Ok(port) = u16::try_from(self.port) else { return 0 };
        digest(
            (&self.service, &self.address, port),
            self.tags.iter().map(|tag| &**tag),
            self.meta.iter().map(|(key, value)| (&**key, &**value)),
        )
    }

    /// The row, where it is under the id that this agent would give it.
    fn row(&self, identity: &Identity) -> Option<Row> {
        let port = u16::try_from(self.port).ok()?;
        let meta = self.meta.iter().map(|(key, value)| (&**key, &**value));
        let tags = self.tags.iter().map(|tag| &**tag);
        let row = identity.read_back((&self.service, &self.address, port), tags, meta)?;
        (identity.id(&row.target.key) == *self.id).then_some(row)
    }
}

#[cfg(test)]
mod tests;
