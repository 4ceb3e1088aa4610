//! Writing a plan: transactions of at most 64 operations, three at a time, and what to do with those that are refused.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::client::{Consul, ConsulError, Transaction};
use super::mirror::{Change, Mirror, Plan, Seen};
use super::wire::{
    MOST_OPERATIONS, NodeOperation, Operation, OperationError, Place, ServiceOperation,
    WrittenNode, WrittenService,
};
use crate::row::Identity;

/// What became of a plan. What is in none of the lists was not tried.
#[derive(Debug, Default)]
pub struct Report {
    pub registered: u64,
    pub deregistered: u64,
    pub transactions: u64,
    /// Rows that Consul will not take, with its reason and the digest that it did not take.
    pub poison: Vec<(Box<str>, u64, String)>,
    /// Rows that the token may not write, likewise.
    pub denied: Vec<(Box<str>, u64, String)>,
    /// Somebody else has written meanwhile: what Consul holds must be read again.
    pub stale: bool,
    /// The newest index of what was written.
    pub index: u64,
    pub failed: Option<ConsulError>,
}

/// What was written, to be noted in the mirror.
type Written = Vec<(Box<str>, Option<Seen>)>;

/// Makes our node, or with its index puts our mark on it again. `false` where it is there already or another one by now: a
/// replica was quicker, or the token cannot read it.
pub async fn make_node(consul: &Consul, owner: &str, index: u64) -> Result<bool, ConsulError> {
    let node = WrittenNode {
        node: &consul.node,
        partition: consul.place().partition,
        address: "127.0.0.1",
        meta: [("external-node", "true"), ("owner", owner)].into(),
        modify_index: index,
    };
    let operation = Operation::Node(NodeOperation { verb: "cas", node });
    match consul.transact(&[operation]).await? {
        Transaction::Done(_) => Ok(true),
        Transaction::Refused(errors) if errors.iter().any(is_denial) => Err(ConsulError::Status {
            address: consul.address(),
            status: http::StatusCode::FORBIDDEN,
            text: format!("the token may not write node {}", consul.node),
        }),
        Transaction::Refused(_) | Transaction::TooLarge => Ok(false),
    }
}

/// Those of these services that the token may not write. Nothing is written: each is tried with an index that no row has.
pub async fn denied(
    consul: &Consul,
    identity: &Identity,
    services: &[String],
) -> Result<Vec<String>, ConsulError> {
    let Place { node, namespace, partition } = consul.place();
    let id = format!("{}/check", identity.owner);
    let mut denied = Vec::new();
    for batch in services.chunks(MOST_OPERATIONS) {
        let operation = |service| {
            let service = WrittenService {
                id: &id,
                service,
                address: None,
                port: None,
                tags: Vec::new(),
                meta: BTreeMap::new(),
                namespace,
                partition,
                modify_index: u64::MAX,
            };
            Operation::Service(ServiceOperation { verb: "cas", node, service })
        };
        let operations: Vec<Operation<'_>> = batch.iter().map(|name| operation(name)).collect();
        if let Transaction::Refused(errors) = consul.transact(&operations).await? {
            let at = errors.iter().filter(|error| is_denial(error)).map(|error| error.op_index);
            denied.extend(at.filter_map(|at| batch.get(at)).cloned());
        }
    }
    Ok(denied)
}

/// Writes the plan; what was done is in the mirror afterwards, also where the rest failed.
pub async fn apply(
    consul: &Consul,
    identity: &Identity,
    plan: &Plan,
    mirror: &mut Mirror,
) -> Report {
    let mut report = Report::default();
    for changes in [&plan.create, &plan.update, &plan.delete] {
        if report.failed.is_some() {
            break;
        }
        let batches: Vec<&[Change]> = changes.chunks(MOST_OPERATIONS).collect();
        let third = batches.len().div_ceil(3).max(1);
        let mut lanes = batches.chunks(third);
        let mut lane = || {
            Lane { consul, identity, report: Report::default(), written: Vec::new() }
                .run(lanes.next().unwrap_or_default())
        };
        let (one, two, three) = (lane(), lane(), lane());
        let done = tokio::join!(one, two, three);
        for (part, written) in [done.0, done.1, done.2] {
            for (id, seen) in written {
                report.index = report.index.max(seen.map_or(0, |seen| seen.index));
                mirror.wrote(&id, seen);
            }
            report.add(part);
        }
    }
    report
}

impl Report {
    fn add(&mut self, other: Self) {
        self.registered += other.registered;
        self.deregistered += other.deregistered;
        self.transactions += other.transactions;
        self.poison.extend(other.poison);
        self.denied.extend(other.denied);
        self.stale |= other.stale;
        self.failed = self.failed.take().or(other.failed);
    }
}

/// Transactions one after another on one connection.
struct Lane<'a> {
    consul: &'a Consul,
    identity: &'a Identity,
    report: Report,
    written: Written,
}

impl Lane<'_> {
    async fn run(mut self, batches: &[&[Change]]) -> (Report, Written) {
        for batch in batches {
            if let Err(error) = self.batch(batch.iter().collect()).await {
                self.report.failed = Some(error);
                break;
            }
        }
        (self.report, self.written)
    }

    /// Each round does the batch, or takes out of it what is in the way.
    async fn batch(&mut self, batch: Vec<&Change>) -> Result<(), ConsulError> {
        let mut waiting = vec![batch];
        while let Some(batch) = waiting.pop() {
            if batch.is_empty() {
                continue;
            }
            let place = self.consul.place();
            let operations: Vec<Operation<'_>> =
                batch.iter().map(|change| operation(place, self.identity, change)).collect();
            self.report.transactions += 1;
            match self.consul.transact(&operations).await? {
                Transaction::Done(outcome) => self.done(&batch, &outcome.results),
                Transaction::Refused(errors) => waiting.push(self.refused(batch, &errors)),
                Transaction::TooLarge => {
                    if let [one] = *batch {
                        self.poisoned(one, "it is larger than Consul takes");
                    } else {
                        let (half, other) = batch.split_at(batch.len() / 2);
                        waiting.extend([other.to_vec(), half.to_vec()]);
                    }
                }
            }
        }
        Ok(())
    }

    fn done(&mut self, batch: &[&Change], results: &[super::wire::OperationResult]) {
        let services = results.iter().filter_map(|result| result.service.as_ref());
        let indexes: BTreeMap<&str, u64> =
            services.map(|service| (&*service.id, service.modify_index)).collect();
        for change in batch {
            match change {
                Change::Set { id, row, .. } => {
                    self.report.registered += 1;
                    let index = indexes.get(&**id).copied().unwrap_or(0);
                    self.written.push((id.clone(), Some(Seen { index, digest: row.digest })));
                }
                Change::Delete { id, .. } => {
                    self.report.deregistered += 1;
                    self.written.push((id.clone(), None));
                }
            }
        }
    }

    /// The rest of the batch, which is to be done again without what was refused.
    fn refused<'c>(
        &mut self,
        batch: Vec<&'c Change>,
        errors: &[OperationError],
    ) -> Vec<&'c Change> {
        let refused: BTreeMap<usize, &OperationError> =
            errors.iter().map(|error| (error.op_index, error)).collect();
        // An error that names no operation of ours would be met for ever.
        if refused.keys().all(|at| *at >= batch.len()) {
            self.report.stale = true;
            return Vec::new();
        }
        let mut rest = Vec::with_capacity(batch.len());
        for (at, change) in batch.into_iter().enumerate() {
            match refused.get(&at) {
                None => rest.push(change),
                Some(error) if is_stale(error) => self.report.stale = true,
                Some(error) if is_denial(error) => {
                    let what = "the token may not write this service".to_owned();
                    self.report.denied.push((change.id().into(), change.digest(), what));
                }
                Some(error) => self.poisoned(change, &error.what),
            }
        }
        rest
    }

    fn poisoned(&mut self, change: &Change, why: &str) {
        self.report.poison.push((change.id().into(), change.digest(), why.to_owned()));
    }
}

/// What a change is in a transaction.
pub fn operation<'a>(
    place: Place<'a>,
    identity: &'a Identity,
    change: &'a Change,
) -> Operation<'a> {
    let Place { node, namespace, partition } = place;
    let (verb, service) = match change {
        Change::Set { id, row, index } => {
            let service = WrittenService {
                id,
                service: &row.target.key.service,
                address: Some(row.target.key.address.to_string()),
                port: Some(row.target.key.port),
                tags: identity.tags(row),
                meta: identity.meta(row),
                namespace,
                partition,
                modify_index: *index,
            };
            ("cas", service)
        }
        Change::Delete { id, service, index } => {
            let service = WrittenService {
                id,
                service,
                address: None,
                port: None,
                tags: Vec::<Cow<'_, str>>::new(),
                meta: BTreeMap::new(),
                namespace,
                partition,
                modify_index: *index,
            };
            ("delete-cas", service)
        }
    };
    Operation::Service(ServiceOperation { verb, node, service })
}

impl Change {
    /// A deletion has 0.
    pub fn digest(&self) -> u64 {
        match self {
            Self::Set { row, .. } => row.digest,
            Self::Delete { .. } => 0,
        }
    }
}

fn is_stale(error: &OperationError) -> bool {
    error.what.contains("index is stale") || error.what.contains("Missing node registration")
}

fn is_denial(error: &OperationError) -> bool {
    error.what.contains("ermission denied")
}
