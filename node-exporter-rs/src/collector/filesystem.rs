//! `node_filesystem_*`: size and use of mounted file systems, from `/proc/1/mountinfo` and statfs(2).
//!
//! statfs(2) of a dead network or FUSE server blocks, and no signal ends it. Each mount is therefore a job of a [`Crew`]:
//! one that does not answer in time is told as `device_error="mountpoint timeout"`, holds its one thread until the call
//! returns, and costs the later scrapes nothing.

pub(super) mod mounts;
mod usage;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use exporter_toolkit::crew::Crew;
use exporter_toolkit::{Exposition, Gauge};

use self::mounts::{Key, Mount, MountInfo};
use self::usage::{Question, StatFs, Usage};
use super::{BuildError, CollectError, Collector, Setup, Spec};
use crate::filter::{Filter, PatternFlag};
use crate::flags::{Flag, FlagError, Flags};

const LABELS: [&str; 4] = ["device", "mountpoint", "fstype", "device_error"];

static SIZE: Gauge<4> = Gauge::new("node_filesystem_size_bytes", "Size of a file system.", LABELS);
static FREE: Gauge<4> = Gauge::new(
    "node_filesystem_free_bytes",
    "Space that is free, with what is set aside for root.",
    LABELS,
);
static AVAILABLE: Gauge<4> = Gauge::new(
    "node_filesystem_avail_bytes",
    "Space that is free for users other than root.",
    LABELS,
);
static FILES: Gauge<4> = Gauge::new(
    "node_filesystem_files",
    "Files (inodes) that a file system can hold; 0 where it has no such limit.",
    LABELS,
);
static FILES_FREE: Gauge<4> = Gauge::new(
    "node_filesystem_files_free",
    "Files (inodes) that a file system can still hold.",
    LABELS,
);
static PURGEABLE: Gauge<4> = Gauge::new(
    "node_filesystem_purgeable_bytes",
    "Space that macOS could free by itself; 0 on Linux.",
    LABELS,
);
static READ_ONLY: Gauge<4> = Gauge::new(
    "node_filesystem_readonly",
    "1 for a file system that cannot be written to, by its mount options or after an error.",
    LABELS,
);
static DEVICE_ERROR: Gauge<4> = Gauge::new(
    "node_filesystem_device_error",
    "1 where a file system did not tell its use; the label device_error says why.",
    LABELS,
);
static MOUNT_INFO: Gauge<4> = Gauge::new(
    "node_filesystem_mount_info",
    "Always 1: the device number of a mounted file system.",
    ["device", "major", "minor", "mountpoint"],
);

static POINTS_EXCLUDE: PatternFlag = Flag::new(
    "collector.filesystem.mount-points-exclude",
    "^/(dev|proc|run/credentials/.+|sys|var/lib/docker/.+|var/lib/containers/storage/.+)($|/)",
    "Mount points to leave out, as a regular expression; excludes mount-points-include.",
);
static POINTS_INCLUDE: PatternFlag = Flag::new(
    "collector.filesystem.mount-points-include",
    "",
    "The only mount points to give, as a regular expression; excludes mount-points-exclude.",
);
static POINTS_IGNORED: PatternFlag = Flag::new(
    "collector.filesystem.ignored-mount-points",
    "",
    "Former name of --collector.filesystem.mount-points-exclude.",
)
.hidden();
static TYPES_EXCLUDE: PatternFlag = Flag::new(
    "collector.filesystem.fs-types-exclude",
    "^(autofs|binfmt_misc|bpf|cgroup2?|configfs|debugfs|devpts|devtmpfs|fusectl|hugetlbfs|iso9660|mqueue|nsfs|overlay|proc|procfs|pstore|rpc_pipefs|securityfs|selinuxfs|squashfs|erofs|sysfs|tracefs)$",
    "File system types to leave out, as a regular expression; excludes fs-types-include.",
);
static TYPES_INCLUDE: PatternFlag = Flag::new(
    "collector.filesystem.fs-types-include",
    "",
    "The only file system types to give, as a regular expression; excludes fs-types-exclude.",
);
static TYPES_IGNORED: PatternFlag = Flag::new(
    "collector.filesystem.ignored-fs-types",
    "",
    "Former name of --collector.filesystem.fs-types-exclude.",
)
.hidden();
static TIMEOUT: Flag<Duration> = Flag::new(
    "collector.filesystem.mount-timeout",
    "5s",
    "How long to wait for a mount's answer; never longer than the scrape lasts.",
)
.hidden();
static WORKERS: Flag<usize> = Flag::new(
    "collector.filesystem.stat-workers",
    "4",
    "Accepted for compatibility: one thread asks all mounts, and one more for each that hangs.",
)
.hidden();

pub static SPEC: Spec = Spec {
    name: "filesystem",
    enabled: true,
    about: "Size and use of mounted file systems, from /proc/1/mountinfo and statfs(2).",
    flags: &[
        &POINTS_EXCLUDE,
        &POINTS_INCLUDE,
        &POINTS_IGNORED,
        &TYPES_EXCLUDE,
        &TYPES_INCLUDE,
        &TYPES_IGNORED,
        &TIMEOUT,
        &WORKERS,
    ],
    families: &[
        &DEVICE_ERROR,
        &READ_ONLY,
        &SIZE,
        &FREE,
        &AVAILABLE,
        &FILES,
        &FILES_FREE,
        &MOUNT_INFO,
        &PURGEABLE,
    ],
    build: |setup| Ok(Box::new(Filesystem::new(setup, Arc::new(usage::statfs))?)),
};

/// A family of a good answer, and its sample.
type Use = (&'static Gauge<4>, fn(&Usage) -> f64);

const USES: [Use; 6] = [
    (&SIZE, |usage| usage.size),
    (&FREE, |usage| usage.free),
    (&AVAILABLE, |usage| usage.available),
    (&FILES, |usage| usage.files),
    (&FILES_FREE, |usage| usage.files_free),
    (&PURGEABLE, |_| 0.0),
];

/// Threads at most, those that hang included.
const THREADS: usize = 64;
/// With this many mounts hanging, those that answered last time are asked before the doubtful ones.
const CAREFUL_FROM: usize = THREADS / 4;
/// With this many mounts hanging, no mount is asked that did not answer last time: the others need threads too.
const STRICT_FROM: usize = THREADS - THREADS / 4;
/// What stays of a scrape's time to write the answer in.
const MARGIN: Duration = Duration::from_millis(50);

struct Filesystem {
    info: MountInfo,
    filters: Filters,
    timeout: Duration,
    answer_by: Option<Instant>,
    statfs: Arc<StatFs>,
    mounts: Vec<Mounted>,
    crew: Crew<Question>,
}

struct Mounted {
    mount: Mount,
    /// The number of its job in the crew.
    job: usize,
}

/// What a mount answered.
enum Told<'a> {
    Use(&'a Usage),
    Error(&'a str),
}

impl Collector for Filesystem {
    fn answer_by(&mut self, deadline: Instant) {
        self.answer_by = Some(deadline);
    }

    fn collect(&mut self, out: &mut Exposition) -> Result<(), CollectError> {
        let now = Instant::now();
        if self.info.read()? {
            self.list();
        }
        self.forget();
        let scrape_ends = self.answer_by.take().and_then(|end| end.checked_sub(MARGIN));
        let deadline = now + self.timeout;
        self.ask(scrape_ends.map_or(deadline, |end| end.min(deadline)));
        self.write(out);
        self.info.verdict()
    }
}

impl Filesystem {
    fn new(setup: &Setup, statfs: Arc<StatFs>) -> Result<Self, BuildError> {
        let flags = &setup.flags;
        flags.get(&WORKERS)?;
        Ok(Self {
            info: MountInfo::new(&setup.host),
            filters: Filters::from_flags(flags)?,
            timeout: flags.get(&TIMEOUT)?,
            answer_by: None,
            statfs,
            mounts: Vec::new(),
            crew: Crew::new("filesystem", Vec::new(), THREADS),
        })
    }

    /// Makes the list of mounts anew after a change. A mount that stays keeps its job, even while that hangs.
    fn list(&mut self) {
        let mut jobs: HashMap<Key, usize> =
            self.mounts.drain(..).map(|mounted| (mounted.mount.key, mounted.job)).collect();
        // Asked in the kernel's order: what was mounted at boot comes before what a user mounted.
        for mount in self.wanted() {
            let question = || Question::new(mount.key.clone(), Arc::clone(&self.statfs));
            let job = jobs.remove(&mount.key).unwrap_or_else(|| self.crew.push(question()));
            self.mounts.push(Mounted { mount, job });
        }
    }

    /// The mounts that pass the filters; of mounts on one another with the same labels the last, which covers the others.
    fn wanted(&mut self) -> Vec<Mount> {
        let mut mounts = self.info.mounts();
        mounts.retain(|mount| !self.filters.ignore(mount));
        mounts.reverse();
        let mut seen = HashSet::new();
        mounts.retain(|mount| seen.insert((mount.device.clone(), mount.point.clone())));
        mounts.reverse();
        mounts
    }

    /// Takes away the jobs of mounts that are gone, once they are at home.
    fn forget(&mut self) {
        if self.crew.len() > self.mounts.len() {
            let known: HashSet<&Key> = self.mounts.iter().map(|known| &known.mount.key).collect();
            self.crew.retain(|question| known.contains(question.key()));
        }
    }

    /// Asks every mount. Half of the free threads may come to hang in one scrape, so that some are always left.
    fn ask(&mut self, deadline: Instant) {
        let away = self.crew.away();
        self.crew.set_limit(away + (THREADS.saturating_sub(away) / 2).max(1));
        if away < CAREFUL_FROM {
            let all = |question: &mut Question| {
                question.begin();
                true
            };
            return self.crew.round(all, deadline);
        }
        let sound = |question: &mut Question| {
            question.begin();
            !question.is_doubtful()
        };
        self.crew.round(sound, deadline);
        if away < STRICT_FROM {
            self.crew.round(|question| question.is_doubtful(), deadline);
        }
    }

    fn write(&self, out: &mut Exposition) {
        let mut errors = out.family(&DEVICE_ERROR);
        for (mount, told) in self.told() {
            errors.sample(mount.labels(told.error()), told.error() != "");
        }
        let mut read_only = out.family(&READ_ONLY);
        for (mount, told) in self.told() {
            read_only.sample(mount.labels(told.error()), mount.read_only);
        }
        for (family, value) in USES {
            let mut samples = out.family(family);
            for (mount, told) in self.told() {
                samples.maybe(mount.labels(""), told.usage().map(value));
            }
        }
        let mut info = out.family(&MOUNT_INFO);
        for (mount, told) in self.told() {
            if told.usage().is_some() {
                info.sample((&mount.device, mount.major, mount.minor, &mount.point), 1_u8);
            }
        }
    }

    /// Each mount with its answer. One that nobody had a thread to ask is left out: nothing is known of it.
    fn told(&self) -> impl Iterator<Item = (&Mount, Told<'_>)> {
        self.mounts.iter().filter_map(|Mounted { mount, job }| {
            let told = match self.crew.job(*job) {
                None => Told::Error("mountpoint timeout"),
                Some(question) => match question.answer()? {
                    Ok(usage) => Told::Use(usage),
                    Err(error) => Told::Error(error),
                },
            };
            Some((mount, told))
        })
    }
}

impl<'a> Told<'a> {
    fn usage(&self) -> Option<&'a Usage> {
        match self {
            Self::Use(usage) => Some(usage),
            Self::Error(_) => None,
        }
    }

    /// The label `device_error`: empty where there is none.
    fn error(&self) -> &'a str {
        match self {
            Self::Use(_) => "",
            Self::Error(error) => error,
        }
    }
}

/// Which mounts are left out.
struct Filters {
    points: Filter,
    types: Filter,
}

impl Filters {
    fn from_flags(flags: &Flags) -> Result<Self, FlagError> {
        Ok(Self {
            points: filter(flags, &POINTS_INCLUDE, &POINTS_EXCLUDE, &POINTS_IGNORED)?,
            types: filter(flags, &TYPES_INCLUDE, &TYPES_EXCLUDE, &TYPES_IGNORED)?,
        })
    }

    fn ignore(&self, mount: &Mount) -> bool {
        self.points.ignores(&mount.point) || self.types.ignores(&mount.fs_type)
    }
}

/// The exclude pattern may be given under its former name instead.
fn filter(
    flags: &Flags,
    include: &PatternFlag,
    exclude: &PatternFlag,
    former: &PatternFlag,
) -> Result<Filter, FlagError> {
    flags.exclusive(former, exclude)?;
    let exclude = if flags.given(former) { former } else { exclude };
    Filter::from_flags(flags, include, exclude)
}

#[cfg(test)]
mod tests;
