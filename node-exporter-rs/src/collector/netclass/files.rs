//! The attribute files of one interface, kept open as far as there is room.
//!
//! Reading a file that is open is one system call instead of three and a walk along a path. A file that cannot be read
//! (an interface that is down has no speed, a loopback never has) is left alone until the interface's state changes, and
//! looked at again now and then all the same.

use std::fs::File;
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

use rustix::fs::{Mode, OFlags};

use super::interface::{COUNT, DEV_ID, FILES, IFINDEX, NAME_ASSIGN_TYPE};
use crate::host::{Host, KeptOpen};

/// An attribute is one page at most.
pub(super) const PAGE: usize = 4096;
/// How many scrapes an unreadable file is left alone while nothing changes.
const PATIENCE: u8 = 16;

/// What stays as it is for the life of an interface under one name, and so is read once.
pub(super) const FIXED: [usize; 3] = [DEV_ID, IFINDEX, NAME_ASSIGN_TYPE];

/// What an unreadable attribute depends on: flags, state and the number of carrier changes.
pub(super) type State = (Option<i64>, Vec<u8>, Option<i64>);

/// What reading needs of its collector.
pub(super) struct Reader {
    pub(super) host: Host,
    /// How many files may be kept open yet.
    pub(super) room: usize,
    /// The places whose files are worth it; all where there is none.
    pub(super) worth: Option<&'static [usize]>,
    pub(super) buffer: Vec<u8>,
}

impl Reader {
    pub(super) fn new(host: Host) -> Self {
        Self { host, room: 0, worth: None, buffer: vec![0; PAGE] }
    }

    /// Makes room for half of the files that all collectors together may keep open, less those that are.
    pub(super) fn make_room<'a>(&mut self, files: impl Iterator<Item = &'a Files>) {
        let kept: usize = files.map(Files::kept).sum();
        self.room = (self.host.kept_limit() / 2).saturating_sub(kept);
    }
}

/// The files of one interface.
#[derive(Debug)]
pub(super) struct Files {
    folder: PathBuf,
    /// Made when the first is kept: with many interfaces most have none.
    kept: Option<Box<[Option<KeptOpen>; COUNT]>>,
    /// The folder, open for the length of one scrape.
    opened: Option<OwnedFd>,
    /// One bit for each file that could not be read in the present state.
    unreadable: u32,
    state: State,
    age: u8,
    failed: bool,
    gone: bool,
}

impl Files {
    pub(super) fn new(folder: PathBuf) -> Self {
        Self {
            folder,
            kept: None,
            opened: None,
            unreadable: 0,
            state: State::default(),
            age: 0,
            failed: false,
            gone: false,
        }
    }

    fn kept(&self) -> usize {
        self.kept.iter().flat_map(|kept| kept.iter().flatten()).count()
    }

    /// Closes the files of all other places.
    pub(super) fn keep_only(&mut self, places: &[usize], reader: &mut Reader) {
        let kept = self.kept.iter_mut().flat_map(|kept| kept.iter_mut().enumerate());
        let others = kept.filter(|(place, _)| !places.contains(place));
        reader.room += others.filter_map(|(_, file)| file.take()).count();
    }

    /// True where the interface has vanished.
    pub(super) fn gone(&self) -> bool {
        self.gone
    }

    /// Takes note of the interface's state, once a scrape, before its other attributes are read.
    pub(super) fn note(&mut self, flags: Option<i64>, operstate: &[u8], changes: Option<i64>) {
        self.age = self.age.saturating_add(1);
        let same = self.state.0 == flags && self.state.1 == operstate && self.state.2 == changes;
        if !same {
            self.state = (flags, operstate.to_vec(), changes);
        }
        if !same || self.age > PATIENCE {
            self.unreadable = 0;
            self.age = 0;
        }
    }

    /// Ends a scrape: the folder need not stay open. Where a file failed anew, the interface may have vanished.
    pub(super) fn close(&mut self) {
        self.opened = None;
        if std::mem::take(&mut self.failed) && !self.folder.exists() {
            self.gone = true;
        }
    }

    /// Forgets that the folder could not be opened, until the state changes or some time has passed.
    pub(super) fn look_again(&mut self) {
        self.gone = false;
        self.unreadable = u32::MAX;
    }

    /// An attribute without its surrounding blanks; `None` where it cannot be read.
    pub(super) fn read<'b>(&mut self, place: usize, reader: &'b mut Reader) -> Option<&'b [u8]> {
        let bit = 1 << place;
        if self.gone || self.unreadable & bit != 0 {
            return None;
        }
        let Some(count) = self.count(place, reader) else {
            self.unreadable |= bit;
            self.failed = true;
            return None;
        };
        Some(reader.buffer[..count].trim_ascii())
    }

    /// Reads into the buffer: from the kept file, else from one that is opened for it.
    fn count(&mut self, place: usize, reader: &mut Reader) -> Option<usize> {
        if let Some(kept) = self.kept.as_mut().map(|kept| &mut kept[place])
            && let Some(file) = kept
        {
            if let Ok(count) = file.read_at(&mut reader.buffer, 0) {
                return Some(count);
            }
            *kept = None;
            reader.room += 1;
        }
        let file = self.open(FILES[place])?;
        let count = file.read_at(&mut reader.buffer, 0).ok()?;
        if reader.room > 0
            && !FIXED.contains(&place)
            && reader.worth.is_none_or(|places| places.contains(&place))
            && let Ok(kept) = reader.host.keep_open(file)
        {
            let all = self.kept.get_or_insert_with(|| Box::new([const { None }; COUNT]));
            all[place] = Some(kept);
            reader.room -= 1;
        }
        Some(count)
    }

    fn open(&mut self, name: &str) -> Option<File> {
        let flags = OFlags::RDONLY | OFlags::CLOEXEC;
        if self.opened.is_none() {
            let flags = flags | OFlags::DIRECTORY;
            self.opened = rustix::fs::open(&self.folder, flags, Mode::empty()).ok();
            self.gone = self.opened.is_none();
        }
        let file = rustix::fs::openat(self.opened.as_ref()?, name, flags, Mode::empty()).ok()?;
        Some(File::from(file))
    }
}

#[cfg(test)]
mod tests {
    use super::super::interface::{MTU, SPEED};
    use super::*;

    fn files(folder: &tempfile::TempDir) -> (Files, Reader) {
        (Files::new(folder.path().to_owned()), Reader::new(Host::below(folder.path())))
    }

    #[test]
    fn an_unreadable_file_is_left_alone_until_the_state_changes() {
        let folder = tempfile::tempdir().unwrap();
        let (mut files, mut reader) = files(&folder);
        files.note(Some(0), b"down", None);
        assert_eq!(files.read(SPEED, &mut reader), None);
        std::fs::write(folder.path().join("speed"), "1000\n").unwrap();
        files.note(Some(0), b"down", None);
        assert_eq!(files.read(SPEED, &mut reader), None);
        files.note(Some(1), b"up", None);
        assert_eq!(files.read(SPEED, &mut reader), Some(b"1000".as_slice()));
    }

    #[test]
    fn an_unreadable_file_is_looked_at_again_after_a_while() {
        let folder = tempfile::tempdir().unwrap();
        let (mut files, mut reader) = files(&folder);
        files.note(None, b"", None);
        assert_eq!(files.read(MTU, &mut reader), None);
        std::fs::write(folder.path().join("mtu"), "9000").unwrap();
        for _ in 0..=PATIENCE {
            files.note(None, b"", None);
        }
        assert_eq!(files.read(MTU, &mut reader), Some(b"9000".as_slice()));
    }

    #[test]
    fn a_folder_that_cannot_be_opened_means_that_the_interface_is_gone() {
        let folder = tempfile::tempdir().unwrap();
        let (_, mut reader) = files(&folder);
        let mut files = Files::new(folder.path().join("vanished"));
        assert_eq!(files.read(MTU, &mut reader), None);
        assert!(files.gone());
    }

    #[test]
    fn a_live_attribute_is_kept_open_where_there_is_room() {
        let mut reader = Reader::new(Host::default());
        let mut files = Files::new("/sys/class/net/lo".into());
        for (room, kept) in [(0, 0), (5, 1)] {
            reader.room = room;
            assert!(files.read(MTU, &mut reader).is_some_and(|mtu| mtu.len() > 2));
            assert_eq!(files.kept(), kept);
        }
        assert_eq!(reader.room, 4);
        assert!(files.read(MTU, &mut reader).is_some());
    }
}
