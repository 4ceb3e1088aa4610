//! Interfaces by the files of `/sys/class/net`, or by what rtnetlink says of them where that is the same.

use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::DirEntryExt;
use std::time::Instant;

use crate::filter::Filter;

use super::files::{FIXED, Files, Reader};
use super::interface::{
    ADDR_ASSIGN_TYPE, CARRIER_CHANGES, COUNT, DUPLEX, FLAGS, IFINDEX, Interface, OPERSTATE, SPEED,
    bytes_per_second, text,
};
use super::link::{Seen, State};
use crate::collector::CollectError;
use crate::host::{self, Host};
use crate::netlink::{DeviceName, Link, Step};

pub(super) struct Sysfs {
    filter: Filter,
    /// True where a speed of -1 is reported.
    invalid_speed: bool,
    reader: Reader,
    devices: Vec<Device>,
    /// The scrapes in a row in which rtnetlink did not stand for files; `None` where it is not asked.
    missed: Option<u8>,
    /// The deadline of the scrape, by which its answer is shared.
    round: Option<Instant>,
    /// Whether these are the kernel's files, not those of a tree that was copied.
    live: bool,
}

/// What rtnetlink does not tell, less what is read once.
const FROM_FILES: [usize; 3] = [ADDR_ASSIGN_TYPE, SPEED, DUPLEX];
/// So many scrapes in a row are not interfaces that come and go: rtnetlink is asked in another network namespace.
const ELSEWHERE: u8 = 10;

struct Device {
    /// Of the link in `/sys/class/net`: another one means that the name was given to another interface.
    inode: u64,
    listed: bool,
    files: Files,
    interface: Interface,
    /// What rtnetlink says of it, where that is asked.
    seen: Option<Box<Seen>>,
    /// The state in which the files said what rtnetlink said.
    agreed: Option<State>,
}

impl Sysfs {
    pub(super) fn new(host: Host, filter: Filter, invalid_speed: bool) -> Self {
        let live = host::is_kernel_folder(&host.sys("class/net"));
        let reader = Reader::new(host);
        let devices = Vec::new();
        Self { filter, invalid_speed, reader, devices, missed: None, round: None, live }
    }

    /// Lets rtnetlink stand for the files where it says the same.
    pub(super) fn ask_links(&mut self, wanted: bool) {
        self.missed = (wanted && self.live).then_some(0);
    }

    pub(super) fn answer_by(&mut self, deadline: Instant) {
        self.round = Some(deadline);
    }

    /// Reads every interface that is there; one that vanishes meanwhile is left out.
    pub(super) fn read(&mut self) -> Result<(), CollectError> {
        self.list()?;
        // Other files are not kept open, and need not be looked at one by one to find that out.
        if self.live {
            self.reader.make_room(self.devices.iter().map(|device| &device.files));
        }
        let linked = self.missed.is_some() && self.read_links();
        self.missed = self.missed.map(|missed| if linked { 0 } else { missed.saturating_add(1) });
        // An interface that comes or goes at this moment: rtnetlink will stand for the files again.
        let passing = self.missed.is_some_and(|missed| (1..ELSEWHERE).contains(&missed));
        for device in &mut self.devices {
            let told = device.seen.as_ref().filter(|_| linked).map(|seen| seen.state());
            if told.is_some() && device.agreed == told {
                device.read_rest(&mut self.reader);
            } else {
                // So it likely will for most files of one that is read for the first time.
                let first = device.interface.numbers[IFINDEX].is_none();
                let seldom = passing || (linked && first);
                self.reader.worth = seldom.then_some(&FROM_FILES);
                device.read(&mut self.reader);
                let agrees = |seen: &Seen| seen.agrees(&device.interface);
                device.agreed = told.filter(|_| device.seen.as_deref().is_some_and(agrees));
            }
            let speed = &mut device.interface.numbers[SPEED];
            *speed = speed.filter(|&speed| speed >= 0 || self.invalid_speed).map(bytes_per_second);
        }
        self.devices.retain(|device| !device.files.gone());
        Ok(())
    }

    /// True where rtnetlink knows all the interfaces that the folder has. Else it is asked in another network namespace,
    /// or one has just come or gone, and the files tell.
    fn read_links(&mut self) -> bool {
        let Self { reader, devices, round, .. } = self;
        let result = reader.host.links().read(round.take(), |step| match step {
            Step::Begin => {
                devices
                    .iter_mut()
                    .flat_map(|device| &mut device.seen)
                    .for_each(|seen| seen.forget());
            }
            Step::Message(body) => {
                let Some(link) = Link::parse(body) else { return };
                let name = link.name();
                let place = devices.binary_search_by(|device| device.interface.name.cmp(&name));
                if let Ok(at) = place {
                    devices[at].seen.get_or_insert_default().take(&link);
                }
            }
        });
        if let Err(error) = &result {
            tracing::debug!(%error, "rtnetlink does not answer, the files of /sys/class/net are read");
        }
        let known = |device: &Device| {
            device.seen.as_ref().is_some_and(|seen| seen.is_of(device.interface.numbers[IFINDEX]))
        };
        result.is_ok() && self.devices.iter().all(known)
    }

    pub(super) fn interfaces(&self) -> impl Iterator<Item = &Interface> {
        self.devices.iter().map(|device| &device.interface)
    }

    /// Makes the list of devices that of the folder; those that stay keep their open files.
    fn list(&mut self) -> Result<(), CollectError> {
        for device in &mut self.devices {
            device.listed = false;
        }
        let folder = self.reader.host.sys("class/net");
        let entries = std::fs::read_dir(&folder)
            .map_err(|source| CollectError::Read { path: folder, source })?;
        for entry in entries.flatten() {
            // A regular file there is no interface: bonding_masters.
            if entry.file_type().is_ok_and(|kind| kind.is_file()) {
                continue;
            }
            self.take(&entry);
        }
        self.devices.retain(|device| device.listed);
        Ok(())
    }

    /// Marks the device of that name as listed; devices are sorted by name.
    fn take(&mut self, entry: &std::fs::DirEntry) {
        let name = DeviceName::new(entry.file_name().as_bytes());
        if self.filter.ignores(&name) {
            return;
        }
        let place = self.devices.binary_search_by(|device| device.interface.name.cmp(&name));
        let at = match place {
            Ok(at) => at,
            Err(at) => return self.devices.insert(at, Device::new(name, entry)),
        };
        let device = &mut self.devices[at];
        if device.inode == entry.ino() {
            device.listed = true;
        } else if !device.listed {
            *device = Device::new(name, entry);
        }
        // Else two names are one after bytes were replaced: the first stays.
    }
}

impl Device {
    fn new(name: DeviceName, entry: &std::fs::DirEntry) -> Self {
        Self {
            inode: entry.ino(),
            listed: true,
            files: Files::new(entry.path()),
            interface: Interface::new(name),
            seen: None,
            agreed: None,
        }
    }

    /// Reads what rtnetlink has not told.
    fn read_rest(&mut self, reader: &mut Reader) {
        let Self { files, interface, seen, .. } = self;
        if let Some(seen) = seen {
            seen.tell(interface);
        }
        files.keep_only(&FROM_FILES, reader);
        let (numbers, texts) = (&interface.numbers, &interface.texts);
        files.note(numbers[FLAGS], &texts[text::OPERSTATE], numbers[CARRIER_CHANGES]);
        for place in FROM_FILES {
            interface.set(place, files.read(place, reader));
        }
        files.close();
    }

    fn read(&mut self, reader: &mut Reader) {
        const FIRST: [usize; 3] = [FLAGS, OPERSTATE, CARRIER_CHANGES];
        let Self { files, interface, .. } = self;
        for place in FIRST {
            interface.set(place, files.read(place, reader));
        }
        let (numbers, texts) = (&interface.numbers, &interface.texts);
        files.note(numbers[FLAGS], &texts[text::OPERSTATE], numbers[CARRIER_CHANGES]);
        for place in (0..COUNT).filter(|place| !FIRST.contains(place)) {
            let known = FIXED.contains(&place) && interface.numbers[place].is_some();
            if !known {
                interface.set(place, files.read(place, reader));
            }
        }
        files.close();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pattern::Pattern;

    fn asking_links() -> (Host, Sysfs) {
        let host = Host::default();
        let all = Filter::excluding(Pattern::new("^$").unwrap());
        let mut sysfs = Sysfs::new(host.clone(), all, true);
        sysfs.ask_links(true);
        (host, sysfs)
    }

    #[test]
    fn files_whose_content_rtnetlink_tells_do_not_stay_open() {
        let (host, mut sysfs) = asking_links();
        for _scrape in 0..2 {
            sysfs.answer_by(Instant::now());
            sysfs.read().unwrap();
            // Kernels before 6.0 do not tell all, and an interface may just have changed.
            if sysfs.devices.iter().all(|device| device.agreed.is_some()) {
                assert!(host.kept_open() <= FROM_FILES.len() * sysfs.devices.len());
            }
        }
        assert!(host.kept_open() > 0, "nothing stays open");
    }

    #[test]
    fn only_where_rtnetlink_keeps_telling_of_others_do_all_files_stay_open() {
        let (host, mut sysfs) = asking_links();
        sysfs.read().unwrap();
        // As if the kernel's answer were about another one: no interface has this index.
        sysfs.devices[0].interface.numbers[IFINDEX] = Some(-1);
        sysfs.missed = Some(0);
        for scrape in 1..=ELSEWHERE {
            sysfs.read().unwrap();
            let few = FROM_FILES.len() * sysfs.devices.len();
            assert_eq!(host.kept_open() > few, scrape == ELSEWHERE, "scrape {scrape}");
        }
    }
}
