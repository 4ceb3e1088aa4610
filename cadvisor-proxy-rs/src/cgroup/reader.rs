//! Reads all cgroups at once, when a scrape asks.

use std::collections::{BTreeMap, HashMap};
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
use super::{cpu, disk, io, memory, network, parse, pressure, process, spec};
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
    members: BTreeMap<Box<[u8]>, Member>,
    owners: Owners,
    generation: Option<u64>,
    machine: Arc<Machine>,
    devices: HashMap<(u32, u32), Arc<[u8]>>,
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
            members: BTreeMap::new(),
            owners: Owners::default(),
            generation: None,
            machine: Arc::default(),
            devices: HashMap::new(),
            totals: Arc::new(totals),
        })
    }

    pub fn totals(&self) -> Arc<Totals> {
        Arc::clone(&self.totals)
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
        let wanted = match kind {
            Kind::Root => self.root,
            Kind::Slice => self.slices,
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
        if member.spec.is_none() {
            member.spec = Some(spec::read(access, &at)?);
        }
        row.spec = member.spec.unwrap_or_default();
        if member.kind == Kind::Root {
            self.whole_machine(&mut row, snapshot);
        }
        self.first_process(path, member, bits, &row);
        (row.started, row.open_files) = (member.started, member.open_files);
        Ok(row)
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
        if self.enabled.disk {
            let start = snapshot.filesystems.len();
            disk::read(&self.paths, &mut snapshot.filesystems);
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
            if let Ok(text) = self.access.read_once(&self.procfs, folder.as_bytes(), "dev") {
                network::parse(text, &mut snapshot.interfaces);
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
            let name = self.devices.entry(numbers).or_insert_with(|| {
                let file = format!("dev/block/{}:{}/uevent", numbers.0, numbers.1);
                let text = super::machine::text(&self.paths.sysfs.join(file)).unwrap_or_default();
                let name = parse::lines(&text).find_map(|line| line.strip_prefix(b"DEVNAME="));
                let mut out = Vec::new();
                if let Some(name) = name {
                    out.extend_from_slice(b"/dev/");
                    let name = String::from_utf8_lossy(name);
                    exporter_toolkit::labels::escape(name.as_bytes(), &mut out);
                }
                out.into()
            });
            snapshot.names.push(Arc::clone(name));
        }
    }
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}
