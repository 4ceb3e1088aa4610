//! Reads all cgroups at once, when a scrape asks.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Bound;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use super::at::{At, Gone};
use super::hierarchy::{Hierarchies, HierarchyError};
use super::kept::{Access, Root, raise_limit};
use super::labels::{self, Kind};
use super::machine::{Machine, Paths, kilobytes};
use super::options::{CgroupOptions, Enabled};
use super::owners::Owners;
use super::snapshot::{Row, Snapshot};
use super::spec::Spec;
use super::tree::{Discovery, News};
use super::usage::Usage;
use super::{cpu, disk, io, memory, network, pressure, process, spec};
use crate::identity::Directory;

/// Descriptors that are left to connections and the sources of identity.
const SPARED: usize = 256;
/// Names of devices that are remembered.
const DEVICES: usize = 4096;

/// A cgroup from scrape to scrape.
#[derive(Debug)]
struct Member {
    kind: Kind,
    labels: Arc<[u8]>,
    cpu: cpu::Files,
    memory: memory::Files,
    io: io::Files,
    pressure: pressure::Files,
    process: process::Files,
    spec: Option<Spec>,
    /// Its first process, and what was read of it.
    pid: Option<u32>,
    started: Option<u64>,
    open_files: Option<i64>,
}

impl Member {
    fn retry(&mut self) {
        self.cpu.retry();
        self.memory.retry();
        self.io.retry();
        self.pressure.retry();
        self.process.retry();
        (self.spec, self.open_files) = (None, None);
    }
}

/// What the reader says about itself.
#[derive(Debug, Default)]
pub struct Totals {
    pub cgroups: AtomicUsize,
    pub gone: AtomicU64,
    pub refused: AtomicU64,
    pub walks: AtomicU64,
    pub kept: Arc<AtomicUsize>,
    /// 1 where there are more cgroups than may be told of.
    pub full: AtomicUsize,
}

#[derive(Debug)]
pub struct Reader {
    hierarchies: Hierarchies,
    discovery: Discovery,
    access: Access,
    procfs: Root,
    paths: Paths,
    enabled: Enabled,
    root: bool,
    slices: bool,
    tells_nested: bool,
    /// What containers made below their own cgroups, where their processes may be.
    nested: BTreeSet<Box<[u8]>>,
    members: BTreeMap<Box<[u8]>, Member>,
    owners: Owners,
    generation: Option<u64>,
    machine: Arc<Machine>,
    devices: HashMap<(u32, u32), Arc<[u8]>>,
    mounts: disk::Mounts,
    /// What containers have written, where it is measured.
    usage: Option<Arc<Usage>>,
    totals: Arc<Totals>,
}

impl Reader {
    /// Finds the trees; nothing of them is read yet.
    pub fn new(options: &CgroupOptions, paths: Paths) -> Result<Self, HierarchyError> {
        let hierarchies = Hierarchies::find(&paths.cgroup)?;
        let most = options.kept_files.min(raise_limit().saturating_sub(SPARED));
        let access = Access::new(most);
        let totals = Totals { kept: access.count(), ..Totals::default() };
        let discovery = Discovery::new(hierarchies.clone(), options.walk_interval, options.limit);
        Ok(Self {
            hierarchies,
            discovery,
            access,
            procfs: Root::new(&paths.procfs),
            paths,
            enabled: options.enabled(),
            root: options.root,
            slices: options.slices,
            tells_nested: options.nested,
            nested: BTreeSet::new(),
            members: BTreeMap::new(),
            owners: Owners::default(),
            generation: None,
            machine: Arc::default(),
            devices: HashMap::new(),
            mounts: disk::Mounts::default(),
            usage: options.disk_usage.map(|_| Arc::default()),
            totals: Arc::new(totals),
        })
    }

    pub fn totals(&self) -> Arc<Totals> {
        Arc::clone(&self.totals)
    }

    /// What is measured beside the scrapes.
    pub fn usage(&self) -> Option<Arc<Usage>> {
        self.usage.clone()
    }

    pub fn version(&self) -> &'static str {
        self.hierarchies.version()
    }

    /// All cgroups as they are now. A cgroup that goes meanwhile is left out.
    pub fn read(&mut self, directory: &Directory, snapshot: &mut Snapshot) {
        snapshot.clear();
        let news = self.discovery.look(Instant::now());
        self.follow(news, directory);
        snapshot.machine = Arc::clone(&self.machine);
        snapshot.now = now();
        let mut members = std::mem::take(&mut self.members);
        let mut read: Vec<(&[u8], Option<u32>)> = Vec::with_capacity(members.len());
        for (path, member) in &mut members {
            let bits = self.discovery.bits(path);
            match self.member(path, member, bits, snapshot) {
                Ok(row) => {
                    read.push((path, row.processes.first));
                    snapshot.rows.push(row);
                }
                Err(Gone) => drop(self.totals.gone.fetch_add(1, Relaxed)),
            }
        }
        if self.enabled.network {
            self.networks(&read, directory, snapshot);
        }
        if let Some(usage) = &self.usage {
            let containers = read.iter().filter_map(|(path, pid)| {
                (Kind::of(path) == Kind::Container).then_some(((*path).into(), (*pid)?))
            });
            usage.set_containers(containers.collect());
        }
        drop(read);
        self.members = members;
        self.name_devices(snapshot);
        self.count();
    }

    fn count(&self) {
        self.totals.cgroups.store(self.members.len(), Relaxed);
        self.totals.refused.store(self.access.refused, Relaxed);
        self.totals.walks.store(self.discovery.walks, Relaxed);
        self.totals.full.store(usize::from(self.discovery.full), Relaxed);
    }

    /// Takes over what came and went, and what is known of it by now.
    fn follow(&mut self, news: News, directory: &Directory) {
        let changed = !news.added.is_empty() || !news.removed.is_empty();
        for path in news.removed {
            self.members.remove(&path);
            self.nested.remove(&path);
        }
        for path in news.touched {
            if let Some(member) = self.members.get_mut(&path) {
                member.spec = None;
            }
        }
        for path in news.added {
            self.add(path, directory);
        }
        if news.walked {
            let machine = Machine::read(&self.paths);
            if *self.machine != machine {
                self.machine = Arc::new(machine);
            }
            self.members.values_mut().for_each(Member::retry);
            self.devices.clear();
            self.mounts.forget();
        }
        if self.generation != Some(directory.generation) {
            self.generation = Some(directory.generation);
            for (path, member) in &mut self.members {
                let labels = labels::render(path, member.kind, directory);
                if *member.labels != *labels {
                    member.labels = labels;
                }
            }
            self.owners.forget();
        }
        if changed || news.walked {
            self.owners.forget();
        }
    }

    fn add(&mut self, path: Box<[u8]>, directory: &Directory) {
        let kind = Kind::of(&path);
        if kind == Kind::Nested {
            self.nested.insert(path.clone());
        }
        let wanted = match kind {
            Kind::Root => self.root,
            Kind::Slice => self.slices,
            Kind::Nested => self.tells_nested,
            Kind::Pod | Kind::Container => true,
        };
        if !wanted {
            return;
        }
        let member = Member {
            kind,
            labels: labels::render(&path, kind, directory),
            cpu: cpu::Files::default(),
            memory: memory::Files::default(),
            io: io::Files::default(),
            pressure: pressure::Files::default(),
            process: process::Files::default(),
            spec: None,
            pid: None,
            started: None,
            open_files: None,
        };
        self.members.insert(path, member);
    }

    fn member(
        &mut self,
        path: &[u8],
        member: &mut Member,
        bits: u32,
        snapshot: &mut Snapshot,
    ) -> Result<Row, Gone> {
        let at = At { hierarchies: &self.hierarchies, bits, path };
        let (access, enabled) = (&mut self.access, self.enabled);
        let mut row = Row { labels: Arc::clone(&member.labels), ..Row::default() };
        if enabled.cpu {
            let start = snapshot.cpus.len();
            let by_cpu = enabled.percpu.then_some(&mut snapshot.cpus);
            row.cpu = cpu::read(&mut member.cpu, access, &at, by_cpu)?;
            row.cpus = start..snapshot.cpus.len();
        }
        if enabled.memory || enabled.oom_event {
            row.memory = memory::read(&mut member.memory, access, &at)?;
        }
        if enabled.disk_io {
            let start = snapshot.devices.len();
            io::read(&mut member.io, access, &at, &mut snapshot.devices)?;
            row.devices = start..snapshot.devices.len();
        }
        if enabled.pressure {
            row.pressure = pressure::read(&mut member.pressure, access, &at)?;
        }
        let descriptors = enabled.descriptors.then_some(&self.procfs);
        row.processes = process::read(&mut member.process, access, &at, descriptors)?;
        if member.kind == Kind::Container && row.processes.first.is_none() {
            row.processes.first = self.first_below(path);
        }
        let (access, at) = (&mut self.access, At { hierarchies: &self.hierarchies, bits, path });
        if member.spec.is_none() {
            member.spec = Some(spec::read(access, &at)?);
        }
        row.spec = member.spec.unwrap_or_default();
        if member.kind == Kind::Root {
            self.whole_machine(&mut row, snapshot);
        }
        if let Some(measured) = self.usage.as_ref().and_then(|usage| usage.of(path)) {
            row.filesystems = snapshot.filesystems.len()..snapshot.filesystems.len() + 1;
            snapshot.filesystems.push(measured);
        }
        self.first_process(path, member, bits, &row);
        (row.started, row.open_files) = (member.started, member.open_files);
        Ok(row)
    }

    /// Of a container whose processes are in cgroups of their own, as those of systemd are, and podman's.
    fn first_below(&mut self, path: &[u8]) -> Option<u32> {
        let tree = self.hierarchies.processes()?;
        let after = (Bound::Excluded(path), Bound::Unbounded);
        let below = self.nested.range::<[u8], _>(after);
        let below = below.take_while(|other| other.starts_with(path));
        for nested in below.filter(|other| other.get(path.len()) == Some(&b'/')) {
            let text = self.access.read_once(&tree.root, nested, "cgroup.procs");
            if let Some(pid) = text.ok().and_then(process::first) {
                return Some(pid);
            }
        }
        None
    }

    /// What is told of a container's first process is read once, and its start is the container's.
    fn first_process(&mut self, path: &[u8], member: &mut Member, bits: u32, row: &Row) {
        let pid = row.processes.first;
        let changed = member.pid != pid;
        if changed {
            member.pid = pid;
            member.open_files = None;
            self.owners.forget();
        }
        if member.kind == Kind::Container
            && let Some(pid) = pid
        {
            let folder = format!("/{pid}");
            if member.open_files.is_none() && self.enabled.process {
                let text = self.access.read_once(&self.procfs, folder.as_bytes(), "limits");
                member.open_files = text.ok().and_then(process::open_files_limit);
            }
            if member.started.is_none() {
                let text = self.access.read_once(&self.procfs, folder.as_bytes(), "stat");
                let since_boot = text.ok().and_then(process::start);
                member.started = since_boot.and_then(|time| self.machine.booted?.checked_add(time));
            }
        }
        if member.started.is_none() {
            let at = At { hierarchies: &self.hierarchies, bits, path };
            let made = at.made().map(|time| time.max(self.machine.booted.unwrap_or_default()));
            if member.kind == Kind::Container && pid.is_none() {
                return;
            }
            member.started = made;
        }
    }

    /// The root has no limits of its own and, in v2, no counts of memory: the machine's are meant.
    fn whole_machine(&mut self, row: &mut Row, snapshot: &mut Snapshot) {
        if row.memory.usage.is_none()
            && self.enabled.memory
            && let Ok(text) = self.access.read_once(&self.procfs, b"/", "meminfo")
        {
            let of = |key: &[u8]| kilobytes(text, key);
            row.memory.usage =
                of(b"MemTotal:").zip(of(b"MemFree:")).map(|(all, free)| all - free.min(all));
            row.memory.swap =
                of(b"SwapTotal:").zip(of(b"SwapFree:")).map(|(all, free)| all - free.min(all));
        }
        row.spec.memory = self.machine.memory;
        (row.spec.reservation, row.spec.swap) = (Some(0), Some(0));
        if self.enabled.disk || self.enabled.disk_io {
            let start = snapshot.filesystems.len();
            disk::read(&self.paths, &mut self.mounts, &mut snapshot.filesystems);
            row.filesystems = start..snapshot.filesystems.len();
        }
    }

    /// A network is told once, of the cgroup whose it is.
    fn networks(
        &mut self,
        read: &[(&[u8], Option<u32>)],
        directory: &Directory,
        snapshot: &mut Snapshot,
    ) {
        let paths = || read.iter().map(|(path, pid)| (*path, *pid));
        self.owners.find(&mut self.access, &self.procfs, paths(), directory);
        for ((path, _), row) in read.iter().zip(&mut snapshot.rows) {
            let Some(pid) = self.owners.process_of(path) else { continue };
            let folder = format!("/{pid}/net");
            let start = snapshot.interfaces.len();
            match self.access.read_once(&self.procfs, folder.as_bytes(), "dev") {
                Ok(text) => network::parse(text, &mut snapshot.interfaces),
                // Its process has ended: the next scrape looks for another.
                Err(_) => self.owners.forget(),
            }
            row.interfaces = start..snapshot.interfaces.len();
        }
    }

    fn name_devices(&mut self, snapshot: &mut Snapshot) {
        for device in &snapshot.devices {
            let numbers = (device.major, device.minor);
            if self.devices.len() > DEVICES {
                self.devices.clear();
            }
            let named = || super::machine::device_name(&self.paths, numbers);
            let name = self.devices.entry(numbers).or_insert_with(named);
            snapshot.names.push(Arc::clone(name));
        }
    }
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}
