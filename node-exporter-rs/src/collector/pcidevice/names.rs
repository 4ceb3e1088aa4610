//! What PCI ids are called, from a `pci.ids` file (pci.ids(5)).

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;

use super::device::{Device, Ids};
use crate::host::{Host, read_text};

/// Where distributions put the file.
const USUAL: [&str; 2] = ["/usr/share/misc/pci.ids", "/usr/share/hwdata/pci.ids"];

/// What a line of the file names.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
enum Key {
    Vendor(u32),
    Device(u32, u32),
    /// Vendor and device, then those of the board that it sits on.
    Subsystem(u32, u32, u32, u32),
    Class(u32),
    Subclass(u32, u32),
    Interface(u32, u32, u32),
}

/// The names of the devices that were seen. The file holds tens of thousands, of which a host needs few, so it is read
/// when a device is new, and only what that one needs stays.
#[derive(Debug)]
pub(super) struct Names {
    files: Vec<PathBuf>,
    asked: HashSet<Ids>,
    found: HashMap<Key, String>,
}

impl Names {
    /// The host's files come before our own container's.
    pub(super) fn new(host: &Host, given: &str) -> Self {
        let files = if given.is_empty() {
            let of_host = USUAL.iter().map(|path| host.root(path));
            of_host.chain(USUAL.iter().map(PathBuf::from)).collect()
        } else {
            vec![PathBuf::from(given)]
        };
        Self { files, asked: HashSet::new(), found: HashMap::new() }
    }

    /// Reads the file where one of the devices was not seen before. Without a file, ids stand for names.
    pub(super) fn learn(&mut self, devices: &[Device]) {
        let before = self.asked.len();
        self.asked.extend(devices.iter().map(|device| device.ids));
        if self.asked.len() == before {
            return;
        }
        let Some(text) = self.files.iter().find_map(|path| read_text(path).ok()) else {
            tracing::debug!(files = ?self.files, "no pci.ids file can be read");
            return;
        };
        let wanted = self.asked.iter().flat_map(keys).collect();
        self.found = parse(&text, &wanted);
    }

    /// Names of vendor, device, the board's vendor, the board and the class. What has no name has its number.
    pub(super) fn of(&self, ids: &Ids) -> [String; 5] {
        let [vendor, device, subsystem_vendor, subsystem, class, subclass, interface] = keys(ids);
        let name = |key: Key, number: u32| {
            self.found.get(&key).cloned().unwrap_or_else(|| format!("{number:04x}"))
        };
        let class = [interface, subclass, class].iter().find_map(|key| self.found.get(key));
        [
            name(vendor, ids.vendor),
            name(device, ids.device),
            name(subsystem_vendor, ids.subsystem_vendor),
            name(subsystem, ids.subsystem_device),
            class.cloned().unwrap_or_else(|| format!("Unknown class ({:06x})", ids.class)),
        ]
    }
}

fn keys(ids: &Ids) -> [Key; 7] {
    let [class, subclass, interface] =
        [ids.class >> 16 & 0xff, ids.class >> 8 & 0xff, ids.class & 0xff];
    [
        Key::Vendor(ids.vendor),
        Key::Device(ids.vendor, ids.device),
        Key::Vendor(ids.subsystem_vendor),
        Key::Subsystem(ids.vendor, ids.device, ids.subsystem_vendor, ids.subsystem_device),
        Key::Class(class),
        Key::Subclass(class, subclass),
        Key::Interface(class, subclass, interface),
    ]
}

/// Takes the wanted names out of the file. A line is a number, two blanks and a name; what it belongs to stands above it,
/// with one tab less. Classes begin with `C `, vendors with their number.
fn parse(text: &str, wanted: &HashSet<Key>) -> HashMap<Key, String> {
    let mut names = HashMap::new();
    let (mut is_class, mut first, mut second) = (false, None, None);
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let Some((number, name)) = line.trim_start_matches('\t').split_once("  ") else { continue };
        let depth = line.bytes().take_while(|&byte| byte == b'\t').count();
        let key = match depth {
            0 => {
                let class = number.strip_prefix("C ");
                is_class = class.is_some();
                first = hexadecimal(class.unwrap_or(number));
                second = None;
                first.map(if is_class { Key::Class } else { Key::Vendor })
            }
            1 => {
                second = hexadecimal(number);
                let key = if is_class { Key::Subclass } else { Key::Device };
                first.zip(second).map(|(first, second)| key(first, second))
            }
            2 => {
                first.zip(second).and_then(|(first, second)| third(is_class, first, second, number))
            }
            _ => None,
        };
        if let Some(key) = key.filter(|key| wanted.contains(key)) {
            names.insert(key, name.trim().to_owned());
        }
    }
    names
}

fn third(is_class: bool, first: u32, second: u32, number: &str) -> Option<Key> {
    if is_class {
        return Some(Key::Interface(first, second, hexadecimal(number)?));
    }
    let (vendor, device) = number.split_once(' ')?;
    Some(Key::Subsystem(first, second, hexadecimal(vendor)?, hexadecimal(device)?))
}

fn hexadecimal(text: &str) -> Option<u32> {
    u32::from_str_radix(text, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const FILE: &str = "# Comment  with blanks\n\
                        1a03  ASPEED Technology, Inc.\n\
                        \t1150  AST1150 PCI-to-PCI Bridge\n\
                        \t\t15d9 0832  X10SRL-F\n\
                        15d9  Super Micro\n\
                        C 06  Bridge\n\
                        \t04  PCI bridge\n\
                        \t\t01  Subtractive decode\n";

    fn names(ids: Ids) -> [String; 5] {
        let mut names = Names { files: Vec::new(), asked: HashSet::new(), found: HashMap::new() };
        names.found = parse(FILE, &keys(&ids).into());
        names.of(&ids)
    }

    const BRIDGE: Ids = Ids {
        class: 0x06_0400,
        vendor: 0x1a03,
        device: 0x1150,
        subsystem_vendor: 0x15d9,
        subsystem_device: 0x0832,
    };

    #[test]
    fn every_part_has_its_name() {
        let due = [
            "ASPEED Technology, Inc.",
            "AST1150 PCI-to-PCI Bridge",
            "Super Micro",
            "X10SRL-F",
            "PCI bridge",
        ];
        assert_eq!(names(BRIDGE), due);
        assert_eq!(names(Ids { class: 0x06_0401, ..BRIDGE })[4], "Subtractive decode");
        assert_eq!(names(Ids { class: 0x06_0300, ..BRIDGE })[4], "Bridge");
    }

    #[test]
    fn what_has_no_name_has_its_number() {
        let ids = Ids { class: 0xff_0000, device: 0x99, subsystem_device: 0x1, ..BRIDGE };
        let due =
            ["ASPEED Technology, Inc.", "0099", "Super Micro", "0001", "Unknown class (ff0000)"];
        assert_eq!(names(ids), due);
    }

    proptest! {
        #[test]
        fn no_file_makes_it_panic(text in "(\t{0,3}(C )?[0-9a-fx]{0,5}  ?[a-z]{0,3}\n){0,9}") {
            let wanted = keys(&BRIDGE).into();
            prop_assert!(parse(&text, &wanted).len() <= 7);
        }
    }
}
