//! Which cgroups there are: a walk at the start and now and then, and what inotify tells in between, read when a scrape
//! begins. At rest nothing runs.

use std::collections::{BTreeSet, HashMap};
use std::mem::MaybeUninit;
use std::time::{Duration, Instant};

use rustix::fd::OwnedFd;
use rustix::fs::inotify::{self, CreateFlags, ReadFlags, WatchFlags};
use rustix::fs::{Dir, FileType, Mode, OFlags, open, stat};
use rustix::io::Errno;

use super::hierarchy::{Hierarchies, bit};
use super::kept::Root;

/// A deeper tree is not followed: the kernel's own limit is far above any use.
const DEPTH: usize = 32;
/// Where inotify is not to be had, a walk at most so often.
const WITHOUT_EVENTS: Duration = Duration::from_secs(1);

/// What became of the cgroups since the last look.
#[derive(Debug, Default)]
pub(super) struct News {
    pub(super) added: Vec<Box<[u8]>>,
    pub(super) removed: Vec<Box<[u8]>>,
    /// Files of limits that were written to, by the cgroup they are in.
    pub(super) touched: BTreeSet<Box<[u8]>>,
    /// All of the tree was looked at.
    pub(super) walked: bool,
}

/// The cgroups, and how their coming and going is seen.
#[derive(Debug)]
pub(super) struct Discovery {
    hierarchies: Hierarchies,
    /// A bit for each tree that stands aside: it is asked about the cgroups of the others.
    aside: u32,
    /// By path, with a bit for each tree that has it.
    known: HashMap<Box<[u8]>, u32>,
    events: Option<OwnedFd>,
    /// By the number of a watch: the tree and the path.
    watches: HashMap<i32, (usize, Box<[u8]>)>,
    interval: Duration,
    walked: Option<Instant>,
    most: usize,
    /// There are more than may be known.
    pub(super) full: bool,
    pub(super) walks: u64,
}

impl Discovery {
    pub(super) fn new(hierarchies: Hierarchies, interval: Duration, most: usize) -> Self {
        // A test's tree is looked at anew each time.
        let kernel = hierarchies.trees().iter().all(|tree| tree.root.kernel);
        let flags = CreateFlags::NONBLOCK | CreateFlags::CLOEXEC;
        let events = kernel.then(|| inotify::init(flags).ok()).flatten();
        let aside = hierarchies.bits(|tree| tree.aside);
        let (known, watches) = (HashMap::new(), HashMap::new());
        let (walked, full, walks) = (None, false, 0);
        Self { hierarchies, aside, known, events, watches, interval, walked, most, full, walks }
    }

    /// What has changed; the first time all there is.
    pub(super) fn look(&mut self, now: Instant) -> News {
        let mut news = News::default();
        let age = self.walked.map(|then| now.saturating_duration_since(then));
        let due = if self.events.is_some() { self.interval } else { WITHOUT_EVENTS };
        let complete = self.heed(&mut news);
        if !complete || age.is_none_or(|age| age >= due) {
            self.walk(&mut news);
            self.walked = Some(now);
        }
        news
    }

    /// A bit for each tree that has a cgroup.
    pub(super) fn bits(&self, path: &[u8]) -> u32 {
        self.known.get(path).copied().unwrap_or_default()
    }

    /// All trees, whatever is known.
    fn walk(&mut self, news: &mut News) {
        news.walked = true;
        self.walks += 1;
        self.full = false;
        let mut found: HashMap<Box<[u8]>, u32> = HashMap::with_capacity(self.known.len());
        for number in 0..self.hierarchies.trees().len() {
            if self.aside & bit(number) == 0 {
                self.below(number, b"/", &mut |path, bit| {
                    *found.entry(path.into()).or_default() |= bit;
                });
            }
        }
        let gone: Vec<Box<[u8]>> =
            self.known.keys().filter(|path| !found.contains_key(*path)).cloned().collect();
        for path in gone {
            self.forget(&path, u32::MAX, news);
        }
        for (path, bits) in found {
            self.remember(&path, bits, news);
        }
    }

    fn remember(&mut self, path: &[u8], bits: u32, news: &mut News) {
        let aside = self.aside(path);
        if let Some(known) = self.known.get_mut(path) {
            *known = *known & !self.aside | bits | aside;
        } else if self.known.len() < self.most {
            self.known.insert(path.into(), bits | aside);
            news.added.push(path.into());
        } else {
            self.full = true;
        }
    }

    /// Of the trees that are neither walked nor watched, the bits of those that have it.
    fn aside(&self, path: &[u8]) -> u32 {
        self.hierarchies.bits(|tree| tree.aside && stat(full(&tree.root, path)).is_ok())
    }

    fn forget(&mut self, path: &[u8], bits: u32, news: &mut News) {
        let Some(known) = self.known.get_mut(path) else { return };
        *known &= !bits;
        if *known & !self.aside == 0 {
            self.known.remove(path);
            news.removed.push(path.into());
        }
    }

    /// A folder of a tree and all below it: each is watched before it is listed, so that nothing comes unseen.
    fn below(&mut self, number: usize, path: &[u8], found: &mut dyn FnMut(&[u8], u32)) {
        let Some(tree) = self.hierarchies.trees().get(number) else { return };
        let root = tree.root.clone();
        let mut left: Vec<(Vec<u8>, usize)> = vec![(path.to_vec(), 0)];
        while let Some((path, depth)) = left.pop() {
            self.watch(number, &root, &path);
            let Some(names) = folders(&full(&root, &path)) else { continue };
            found(&path, bit(number));
            if depth < DEPTH && left.len() <= self.most {
                left.extend(names.into_iter().map(|name| (joined(&path, &name), depth + 1)));
            }
        }
    }

    fn watch(&mut self, number: usize, root: &Root, path: &[u8]) {
        let Some(events) = &self.events else { return };
        let flags =
            WatchFlags::CREATE | WatchFlags::DELETE | WatchFlags::MODIFY | WatchFlags::ONLYDIR;
        match inotify::add_watch(events, full(root, path).as_slice(), flags) {
            Ok(watch) => drop(self.watches.insert(watch, (number, path.into()))),
            Err(Errno::NOENT) => {}
            Err(error) => {
                tracing::warn!(
                    %error,
                    "cgroups cannot be watched: they are looked for at each scrape; raise fs.inotify.max_user_watches"
                );
                self.events = None;
                self.watches.clear();
            }
        }
    }

    /// Takes the events that wait; false where some were lost.
    fn heed(&mut self, news: &mut News) -> bool {
        let mut waiting: Vec<(i32, ReadFlags, Box<[u8]>)> = Vec::new();
        {
            let Some(events) = &self.events else { return true };
            let mut buffer = [MaybeUninit::uninit(); 4096];
            let mut reader = inotify::Reader::new(events, &mut buffer);
            // Until the kernel's own queue is empty, whose length is bounded.
            while let Ok(event) = reader.next() {
                if event.events().contains(ReadFlags::QUEUE_OVERFLOW) {
                    return false;
                }
                let name = event.file_name().map_or(&b""[..], |name| name.to_bytes());
                waiting.push((event.wd(), event.events(), name.into()));
            }
        }
        for (watch, flags, name) in waiting {
            self.event(watch, flags, &name, news);
        }
        true
    }

    fn event(&mut self, watch: i32, flags: ReadFlags, name: &[u8], news: &mut News) {
        if flags.contains(ReadFlags::IGNORED) {
            self.watches.remove(&watch);
            return;
        }
        let Some((number, folder)) = self.watches.get(&watch).cloned() else { return };
        if !flags.contains(ReadFlags::ISDIR) {
            if flags.contains(ReadFlags::MODIFY) && is_of_limits(name) {
                news.touched.insert(folder);
            }
            return;
        }
        let path = joined(&folder, name);
        if flags.contains(ReadFlags::CREATE) {
            let mut found = Vec::new();
            self.below(number, &path, &mut |path, bit| found.push((path.to_vec(), bit)));
            for (path, bit) in found {
                self.remember(&path, bit, news);
            }
        } else if flags.contains(ReadFlags::DELETE) {
            self.forget(&path, bit(number), news);
        }
    }
}

/// All cgroups of a tree, as many as may be, once.
pub(super) fn folders_below(root: &Root, most: usize) -> Vec<Vec<u8>> {
    let (mut found, mut left) = (Vec::new(), vec![(b"/".to_vec(), 0)]);
    while let Some((path, depth)) = left.pop() {
        let Some(names) = folders(&full(root, &path)) else { continue };
        if depth < DEPTH && found.len() + left.len() < most {
            left.extend(names.into_iter().map(|name| (joined(&path, &name), depth + 1)));
        }
        found.push(path);
    }
    found
}

/// Files that tell what a cgroup may use.
fn is_of_limits(name: &[u8]) -> bool {
    matches!(
        name,
        b"cpu.max"
            | b"cpu.weight"
            | b"cpu.shares"
            | b"cpu.cfs_quota_us"
            | b"cpu.cfs_period_us"
            | b"memory.max"
            | b"memory.min"
            | b"memory.swap.max"
            | b"memory.limit_in_bytes"
            | b"memory.soft_limit_in_bytes"
            | b"memory.memsw.limit_in_bytes"
            | b"pids.max"
    )
}

fn joined(folder: &[u8], name: &[u8]) -> Vec<u8> {
    let folder = folder.strip_suffix(b"/").unwrap_or(folder);
    [folder, b"/", name].concat()
}

fn full(root: &Root, path: &[u8]) -> Vec<u8> {
    [&root.path, path.strip_suffix(b"/").unwrap_or(path)].concat()
}

/// The names of folders in a folder; `None` where it cannot be read.
fn folders(path: &[u8]) -> Option<Vec<Vec<u8>>> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    let directory = Dir::new(open(path, flags, Mode::empty()).ok()?).ok()?;
    let folders = directory.filter_map(Result::ok).filter(|entry| {
        let name = entry.file_name().to_bytes();
        entry.file_type() == FileType::Directory && name != b"." && name != b".."
    });
    Some(folders.map(|entry| entry.file_name().to_bytes().to_vec()).collect())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;

    const ALWAYS: Duration = Duration::ZERO;

    fn names(paths: &[Box<[u8]>]) -> Vec<&str> {
        let mut names: Vec<&str> =
            paths.iter().map(|path| std::str::from_utf8(path).unwrap()).collect();
        names.sort_unstable();
        names
    }

    fn discovery(folder: &Path, most: usize) -> Discovery {
        Discovery::new(Hierarchies::find(folder).unwrap(), ALWAYS, most)
    }

    #[test]
    fn a_cgroup_is_there_as_long_as_one_tree_has_it() {
        let folder = tempfile::tempdir().unwrap();
        for path in ["memory/docker/a", "pids/docker/a", "pids/docker/b"] {
            fs::create_dir_all(folder.path().join(path)).unwrap();
        }
        let mut discovery = discovery(folder.path(), 100);
        let start = Instant::now();
        let news = discovery.look(start);
        assert_eq!(names(&news.added), ["/", "/docker", "/docker/a", "/docker/b"]);
        fs::remove_dir(folder.path().join("memory/docker/a")).unwrap();
        fs::remove_dir(folder.path().join("pids/docker/b")).unwrap();
        fs::create_dir_all(folder.path().join("pids/docker/c/d")).unwrap();
        let news = discovery.look(start + WITHOUT_EVENTS);
        assert_eq!(names(&news.added), ["/docker/c", "/docker/c/d"]);
        assert_eq!(names(&news.removed), ["/docker/b"]);
        let news = discovery.look(start + WITHOUT_EVENTS);
        assert!(!news.walked && news.added.is_empty() && news.removed.is_empty());
    }

    #[test]
    fn what_a_hybrids_pressure_tree_alone_has_is_nobodys() {
        let folder = tempfile::tempdir().unwrap();
        for path in ["memory/a", "memory/b", "pids/b", "unified/a", "unified/b", "unified/left"] {
            fs::create_dir_all(folder.path().join(path)).unwrap();
        }
        fs::write(folder.path().join("unified/cgroup.controllers"), "").unwrap();
        let mut discovery = discovery(folder.path(), 100);
        let start = Instant::now();
        assert_eq!(names(&discovery.look(start).added), ["/", "/a", "/b"]);
        assert_eq!(["/a", "/b"].map(|path| discovery.bits(path.as_bytes()).count_ones()), [2, 3]);
        fs::remove_dir(folder.path().join("memory/a")).unwrap();
        fs::create_dir_all(folder.path().join("memory/left")).unwrap();
        fs::remove_dir(folder.path().join("unified/b")).unwrap();
        let news = discovery.look(start + WITHOUT_EVENTS);
        assert_eq!((names(&news.added), names(&news.removed)), (vec!["/left"], vec!["/a"]));
        assert_eq!(
            ["/a", "/b", "/left"].map(|path| discovery.bits(path.as_bytes()).count_ones()),
            [0, 2, 2]
        );
    }

    #[test]
    fn events_tell_what_comes_and_goes() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join("memory/a")).unwrap();
        fs::write(folder.path().join("memory/a/memory.limit_in_bytes"), "1").unwrap();
        let mut discovery = discovery(folder.path(), 100);
        discovery.events =
            Some(inotify::init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC).unwrap());
        discovery.interval = Duration::from_hours(1);
        let now = Instant::now();
        assert!(discovery.look(now).walked);
        fs::write(folder.path().join("memory/a/memory.limit_in_bytes"), "2").unwrap();
        fs::create_dir_all(folder.path().join("memory/b/c")).unwrap();
        let news = discovery.look(now);
        assert_eq!(names(&news.added), ["/b", "/b/c"]);
        assert!(!news.walked && news.touched.contains(&b"/a"[..]));
        fs::create_dir(folder.path().join("memory/b/c/d")).unwrap();
        fs::remove_dir(folder.path().join("memory/b/c/d")).unwrap();
        fs::remove_dir(folder.path().join("memory/b/c")).unwrap();
        assert_eq!(names(&discovery.look(now).removed), ["/b/c"]);
        assert_eq!(discovery.walks, 1);
    }

    #[test]
    fn more_than_may_be_known_are_left_out() {
        let folder = tempfile::tempdir().unwrap();
        for name in 0..20 {
            fs::create_dir_all(folder.path().join(format!("memory/{name}"))).unwrap();
        }
        let mut discovery = discovery(folder.path(), 5);
        assert_eq!(discovery.look(Instant::now()).added.len(), 5);
        assert!(discovery.full);
    }
}
