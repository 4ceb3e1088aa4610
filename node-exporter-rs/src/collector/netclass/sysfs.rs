//! Interfaces by the files of `/sys/class/net`.

use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::DirEntryExt;

use crate::filter::Filter;

use super::files::{FIXED, Files, Reader};
use super::interface::{
    CARRIER_CHANGES, COUNT, FLAGS, Interface, OPERSTATE, SPEED, bytes_per_second, text,
};
use crate::collector::CollectError;
use crate::host::Host;
use crate::netlink::DeviceName;

/// How many files may stay open, of those that all collectors together may: thirteen interfaces'.
pub(super) const KEPT: usize = 256;

pub(super) struct Sysfs {
    filter: Filter,
    /// True where a speed of -1 is reported.
    invalid_speed: bool,
    reader: Reader,
    devices: Vec<Device>,
}

struct Device {
    /// Of the link in `/sys/class/net`: another one means that the name was given to another interface.
    inode: u64,
    listed: bool,
    files: Files,
    interface: Interface,
}

impl Sysfs {
    pub(super) fn new(host: Host, filter: Filter, invalid_speed: bool) -> Self {
        Self { filter, invalid_speed, reader: Reader::new(host), devices: Vec::new() }
    }

    /// Reads every interface that is there; one that vanishes meanwhile is left out.
    pub(super) fn read(&mut self) -> Result<(), CollectError> {
        self.list()?;
        let kept: usize = self.devices.iter().map(|device| device.files.kept()).sum();
        self.reader.room = KEPT.saturating_sub(kept);
        for device in &mut self.devices {
            device.read(&mut self.reader);
            let speed = &mut device.interface.numbers[SPEED];
            *speed = speed.filter(|&speed| speed >= 0 || self.invalid_speed).map(bytes_per_second);
        }
        self.devices.retain(|device| !device.files.gone());
        Ok(())
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
        }
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
