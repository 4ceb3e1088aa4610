//! What udev knows of a block device: the properties (`E:KEY=value`) in its file `bMAJOR:MINOR`, see udevadm(8).

use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use crate::host::{Host, read_text};

/// The properties of one device, as far as they are told. What udev does not know is empty or `None`.
#[derive(Debug, Default)]
pub(super) struct Facts {
    file: PathBuf,
    version: Option<Version>,
    pub(super) told: Told,
}

/// Which version of the file was read: udev replaces it as a whole.
type Version = (u64, i64, i64, u64);

#[derive(Debug, Default, PartialEq)]
pub(super) struct Told {
    pub(super) path: String,
    pub(super) wwn: String,
    pub(super) model: String,
    pub(super) serial: String,
    pub(super) revision: String,
    /// Type, usage, UUID, version.
    pub(super) filesystem: Option<[String; 4]>,
    /// Name, UUID, volume group, logical volume, layer.
    pub(super) mapper: Option<[String; 5]>,
    /// Write cache, write cache enabled, rotations a minute.
    pub(super) ata: [Option<f64>; 3],
}

impl Facts {
    pub(super) fn new(host: &Host, major: u32, minor: u32) -> Self {
        Self { file: host.udev(&format!("b{major}:{minor}")), ..Self::default() }
    }

    /// Reads the file where it is another than last time; true then.
    pub(super) fn refresh(&mut self) -> bool {
        let version = std::fs::metadata(&self.file)
            .ok()
            .map(|file| (file.ino(), file.mtime(), file.mtime_nsec(), file.len()));
        if version == self.version {
            return false;
        }
        self.version = version;
        self.told = read_text(&self.file).map(|text| Told::parse(&text)).unwrap_or_default();
        true
    }

    /// Where there is no udev, nothing is known.
    pub(super) fn forget(&mut self) {
        if self.version.take().is_some() {
            self.told = Told::default();
        }
    }
}

impl Told {
    fn parse(text: &str) -> Self {
        let get = |key: &str| {
            let value = |line: &'_ str| {
                line.strip_prefix("E:")?.strip_prefix(key)?.strip_prefix('=').map(str::to_owned)
            };
            // Where a key stands twice, udev's later word counts.
            text.lines().rev().find_map(value).unwrap_or_default()
        };
        let first = |keys: [&str; 3]| {
            keys.iter().map(|key| get(key)).find(|value| !value.is_empty()).unwrap_or_default()
        };
        let group = |value: &str| !get(value).is_empty();
        let ata = group("ID_ATA");
        Self {
            path: get("ID_PATH"),
            wwn: get("ID_WWN"),
            model: get("ID_MODEL"),
            // The serial that is printed on the disk, else the one that its bus tells; virtio has only the last.
            serial: first(["SCSI_IDENT_SERIAL", "ID_SERIAL_SHORT", "ID_SERIAL"]),
            revision: get("ID_REVISION"),
            filesystem: group("ID_FS_TYPE")
                .then(|| ["ID_FS_TYPE", "ID_FS_USAGE", "ID_FS_UUID", "ID_FS_VERSION"].map(get)),
            mapper: group("DM_NAME").then(|| {
                ["DM_NAME", "DM_UUID", "DM_VG_NAME", "DM_LV_NAME", "DM_LV_LAYER"].map(get)
            }),
            ata: ["ID_ATA_WRITE_CACHE", "ID_ATA_WRITE_CACHE_ENABLED", "ID_ATA_ROTATION_RATE_RPM"]
                .map(|key| get(key).parse().ok().filter(|_| ata)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collector::testing::tree;
    use proptest::prelude::*;

    #[test]
    fn the_serial_on_the_disk_comes_before_the_bus_ones() {
        let serial = |text: &str| Told::parse(text).serial;
        assert_eq!(serial("E:ID_SERIAL=c\nE:ID_SERIAL_SHORT=b\nE:SCSI_IDENT_SERIAL=a\n"), "a");
        assert_eq!(serial("E:ID_SERIAL=c\nE:ID_SERIAL_SHORT=b\n"), "b");
        assert_eq!(serial("E:ID_SERIAL=c\nE:ID_SERIAL_SHORT=\n"), "c");
        assert_eq!(serial("S:ID_SERIAL=c\n"), "");
    }

    #[test]
    fn only_an_ata_disk_has_ata_facts_and_a_value_that_is_no_number_is_missing() {
        let text = "E:ID_ATA_WRITE_CACHE=1\nE:ID_ATA_ROTATION_RATE_RPM=fast\n";
        assert_eq!(Told::parse(text).ata, [None; 3]);
        assert_eq!(Told::parse(&format!("E:ID_ATA=1\n{text}")).ata, [Some(1.0), None, None]);
    }

    #[test]
    fn the_file_is_read_again_after_udev_replaced_it() {
        let folder = tree(&[("udev/b8:0", "E:ID_MODEL=one\n"), ("udev/new", "E:ID_MODEL=two\n")]);
        let mut facts = Facts::new(&Host::below(folder.path()), 8, 0);
        assert!(facts.refresh());
        assert!(!facts.refresh());
        assert_eq!(facts.told.model, "one");
        std::fs::rename(folder.path().join("udev/new"), folder.path().join("udev/b8:0")).unwrap();
        assert!(facts.refresh());
        assert_eq!(facts.told.model, "two");
        std::fs::remove_file(folder.path().join("udev/b8:0")).unwrap();
        assert!(facts.refresh());
        assert_eq!(facts.told, Told::default());
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(text in "(E:(ID_ATA|ID_SERIAL|DM_NAME)?=?\\PC{0,6}\\n){0,5}") {
            let _told = Told::parse(&text);
        }
    }
}
