//! The kernel's word that something has changed in a directory. It only says when to look: what has changed is always read
//! from the files themselves, so that a lost event costs time and nothing else.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::inotify::{self, CreateFlags, WatchFlags};
use tokio::net::unix::pipe::Receiver;

/// Names that come and go, and files that are closed after they were written: a half-written file is nothing to read.
const EVENTS: WatchFlags = WatchFlags::CLOSE_WRITE
    .union(WatchFlags::MOVED_TO)
    .union(WatchFlags::MOVED_FROM)
    .union(WatchFlags::CREATE)
    .union(WatchFlags::DELETE)
    .union(WatchFlags::DELETE_SELF)
    .union(WatchFlags::MOVE_SELF);

/// Some directories that are watched.
pub(super) struct Notice {
    /// `None` where the kernel gives no descriptor.
    events: Option<Receiver>,
    folders: BTreeSet<PathBuf>,
}

impl Notice {
    pub(super) fn of(folders: BTreeSet<PathBuf>) -> Self {
        // The descriptor is read as a pipe is (inotify(7)).
        let open = || -> io::Result<Receiver> {
            let events = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)?;
            Receiver::from_owned_fd_unchecked(events)
        };
        let events = open()
            .inspect_err(|error| tracing::debug!(%error, "files are looked at every second"))
            .ok();
        Self { events, folders }
    }

    /// Watches what is there by now; true where that is everything.
    pub(super) fn watch(&self) -> bool {
        let Some(events) = &self.events else { return false };
        // One that is watched already stays so; another one under an old name is watched, too.
        let watched = |folder: &PathBuf| {
            inotify::add_watch(events, folder, EVENTS | WatchFlags::ONLYDIR).is_ok()
        };
        // All of them, whatever becomes of the first.
        self.folders.iter().filter(|folder| !watched(folder)).count() == 0
    }

    /// Waits until something has happened in one of them.
    pub(super) async fn next(&self) {
        let Some(events) = &self.events else { return std::future::pending().await };
        if events.readable().await.is_err() {
            return std::future::pending().await;
        }
        // What happened is not asked for. The end is that there is no more, or an error that a look in time makes good.
        while events.try_read(&mut [0; 4096]).is_ok_and(|count| count > 0) {}
    }
}

/// The directory whose names tell whether a pattern finds something else; `None` where there are several.
pub(super) fn folder(pattern: &str) -> Option<PathBuf> {
    let special = |part: &str| part.contains(['*', '?', '[']);
    let above = Path::new(pattern).parent()?;
    if special(&above.to_string_lossy()) {
        return None;
    }
    Some(if above.as_os_str().is_empty() { PathBuf::from(".") } else { above.to_owned() })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    const LONG: Duration = Duration::from_mins(1);
    const SHORT: Duration = Duration::from_millis(50);

    #[tokio::test]
    async fn what_happens_in_a_directory_is_noticed_and_nothing_else_is() {
        let dir = tempfile::tempdir().unwrap();
        let inner = dir.path().join("inner");
        let notice = Notice::of([inner.clone()].into());
        assert!(!notice.watch(), "there is no such directory");
        std::fs::create_dir(&inner).unwrap();
        assert!(notice.watch() && notice.watch());
        assert!(timeout(SHORT, notice.next()).await.is_err());
        std::fs::write(dir.path().join("elsewhere"), "x").unwrap();
        assert!(timeout(SHORT, notice.next()).await.is_err());
        std::fs::write(inner.join("a"), "x").unwrap();
        timeout(LONG, notice.next()).await.unwrap();
        std::fs::rename(dir.path().join("elsewhere"), inner.join("a")).unwrap();
        timeout(LONG, notice.next()).await.unwrap();
        std::fs::remove_file(inner.join("a")).unwrap();
        timeout(LONG, notice.next()).await.unwrap();
    }

    #[test]
    fn a_pattern_is_watched_where_its_names_are() {
        for (pattern, expected) in [
            ("/etc/registrar/*.yaml", Some("/etc/registrar")),
            ("/etc/registrar/a.yaml", Some("/etc/registrar")),
            ("a.yaml", Some(".")),
            ("/etc/*/a.yaml", None),
        ] {
            assert_eq!(folder(pattern), expected.map(PathBuf::from), "{pattern}");
        }
    }
}
