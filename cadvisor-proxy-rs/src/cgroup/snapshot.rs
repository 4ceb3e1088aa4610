//! What one scrape has read, before it is text: a row for each cgroup.

use std::ops::Range;
use std::sync::Arc;

use super::cpu::Cpu;
use super::disk::Filesystem;
use super::io::Device;
use super::machine::Machine;
use super::memory::Memory;
use super::network::Interface;
use super::pressure::Pressure;
use super::process::Processes;
use super::spec::Spec;

/// One cgroup at one moment. What is not known is `None`, and gives no sample.
#[derive(Debug, Default)]
pub(super) struct Row {
    /// `id="…",image="…",name="…"`, escaped.
    pub(super) labels: Arc<[u8]>,
    pub(super) cpu: Cpu,
    pub(super) memory: Memory,
    pub(super) pressure: Pressure,
    pub(super) processes: Processes,
    pub(super) spec: Spec,
    /// The soft limit of open files of its first process.
    pub(super) open_files: Option<i64>,
    /// Seconds since 1970.
    pub(super) started: Option<u64>,
    pub(super) cpus: Range<usize>,
    pub(super) devices: Range<usize>,
    pub(super) interfaces: Range<usize>,
    pub(super) filesystems: Range<usize>,
}

/// All cgroups at one moment.
#[derive(Debug, Default)]
pub struct Snapshot {
    pub(super) rows: Vec<Row>,
    pub(super) cpus: Vec<u64>,
    pub(super) devices: Vec<Device>,
    /// Of each device in `devices`: `/dev/vda`, escaped; empty where the host does not tell.
    pub(super) names: Vec<Arc<[u8]>>,
    pub(super) interfaces: Vec<Interface>,
    pub(super) filesystems: Vec<Filesystem>,
    pub(super) machine: Arc<Machine>,
    /// Seconds since 1970.
    pub(super) now: u64,
}

impl Snapshot {
    pub(super) fn clear(&mut self) {
        self.rows.clear();
        self.cpus.clear();
        self.devices.clear();
        self.names.clear();
        self.interfaces.clear();
        self.filesystems.clear();
    }

    pub(super) fn devices(&self, row: &Row) -> impl Iterator<Item = (&Device, &[u8])> {
        let devices = self.devices.get(row.devices.clone()).unwrap_or_default();
        let names = self.names.get(row.devices.clone()).unwrap_or_default();
        devices.iter().zip(names.iter().map(AsRef::as_ref))
    }

    /// Those whose device is not among the row's devices already.
    pub(super) fn filesystems<'s>(&'s self, row: &'s Row) -> impl Iterator<Item = &'s Filesystem> {
        let all = self.filesystems.get(row.filesystems.clone()).unwrap_or_default();
        all.iter()
    }
}
