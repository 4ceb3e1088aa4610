//! Names of network interfaces without allocation, and which index has which.

use std::cmp::Ordering;
use std::fmt;
use std::io;
use std::ops::Deref;

use exporter_toolkit::LabelValue;

use super::{Client, Link, Request, Step};

/// `IFNAMSIZ` less its end mark.
const LONGEST: usize = 15;
/// A byte that is not UTF-8 becomes the three of U+FFFD.
const ROOM: usize = LONGEST * 3;

/// An interface's name: at most 15 bytes of the kernel's; those that are not UTF-8 become U+FFFD.
#[derive(Clone, Copy, Eq, PartialEq)]
pub struct DeviceName {
    len: u8,
    bytes: [u8; ROOM],
}

impl DeviceName {
    /// Takes the bytes up to a NUL, which ends a name in netlink.
    pub fn new(raw: &[u8]) -> Self {
        let end = memchr::memchr(0, raw).unwrap_or(raw.len()).min(LONGEST);
        let mut name = Self { len: 0, bytes: [0; ROOM] };
        for chunk in raw[..end].utf8_chunks() {
            name.push(chunk.valid());
            if !chunk.invalid().is_empty() {
                name.push("\u{fffd}");
            }
        }
        name
    }

    fn push(&mut self, text: &str) {
        let start = usize::from(self.len);
        if let Some(place) = self.bytes.get_mut(start..start + text.len()) {
            place.copy_from_slice(text.as_bytes());
            #[expect(clippy::cast_possible_truncation, reason = "ROOM is below 256")]
            let len = (start + text.len()) as u8;
            self.len = len;
        }
    }

    pub fn as_str(&self) -> &str {
        // Only whole texts are pushed, so this is always UTF-8.
        std::str::from_utf8(&self.bytes[..usize::from(self.len)]).unwrap_or_default()
    }

    /// True where replaced bytes may make two names one.
    pub fn is_lossy(&self) -> bool {
        self.contains('\u{fffd}')
    }
}

impl Deref for DeviceName {
    type Target = str;

    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl Ord for DeviceName {
    fn cmp(&self, other: &Self) -> Ordering {
        self.bytes[..usize::from(self.len)].cmp(&other.bytes[..usize::from(other.len)])
    }
}

impl PartialOrd for DeviceName {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Debug for DeviceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl LabelValue for DeviceName {
    fn write(&self, out: &mut Vec<u8>) {
        self.as_str().write(out);
    }
}

/// Which interface has which index; the memory is reused.
#[derive(Clone, Debug, Default)]
pub struct DeviceNames {
    sorted: Vec<(u32, DeviceName)>,
}

impl DeviceNames {
    /// Asks the kernel for all names.
    pub fn read(&mut self, client: &mut Client) -> io::Result<()> {
        client.dump(Request::links(), |step| match step {
            Step::Begin => self.clear(),
            Step::Message(body) => {
                if let Some(link) = Link::parse(body) {
                    self.insert(link.index, link.name());
                }
            }
        })
    }

    pub fn clear(&mut self) {
        self.sorted.clear();
    }

    /// The kernel lists interfaces in the order of their indexes' hash, so the place is found.
    pub fn insert(&mut self, index: u32, name: DeviceName) {
        match self.sorted.binary_search_by_key(&index, |(found, _)| *found) {
            Ok(at) => self.sorted[at].1 = name,
            Err(at) => self.sorted.insert(at, (index, name)),
        }
    }

    pub fn get(&self, index: u32) -> Option<&DeviceName> {
        let at = self.sorted.binary_search_by_key(&index, |(found, _)| *found).ok()?;
        Some(&self.sorted[at].1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_ends_at_its_nul_and_is_always_text() {
        assert_eq!(&*DeviceName::new(b"eth0\0rest"), "eth0");
        assert_eq!(&*DeviceName::new(b"ve\xffth"), "ve\u{fffd}th");
        assert_eq!(&*DeviceName::new(&[0xff; 99]), "\u{fffd}".repeat(15));
        assert_eq!(&*DeviceName::new(b""), "");
        assert!(DeviceName::new(b"\xff").is_lossy() && !DeviceName::new("ü".as_bytes()).is_lossy());
    }

    #[test]
    fn names_are_found_by_index_in_whatever_order_they_came() {
        let mut names = DeviceNames::default();
        for index in [7, 1, 300, 2] {
            names.insert(index, DeviceName::new(format!("eth{index}").as_bytes()));
        }
        names.insert(2, DeviceName::new(b"renamed"));
        assert_eq!(names.get(300).map(|name| &**name), Some("eth300"));
        assert_eq!(names.get(2).map(|name| &**name), Some("renamed"));
        assert!(names.get(3).is_none());
    }
}
