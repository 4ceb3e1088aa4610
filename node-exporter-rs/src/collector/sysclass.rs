//! What the readers of `/sys/class` share: a folder opened once, its attributes read beside it with one `read(2)` each,
//! and tables that say which attribute becomes which family.

use std::cell::Cell;
use std::fs::File;
use std::hash::{Hash, Hasher};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use exporter_toolkit::family::TypeMark;
use exporter_toolkit::{Described, Exposition, Family};
use rustix::fs::{FileType, Mode, OFlags, RawDir, SeekFrom};

use super::CollectError;
use crate::host::{Host, KeptOpen};

/// A sysfs attribute is one page at most.
const LIMIT: usize = 4096;

/// An open folder of sysfs: what lies in it is reached without walking its path again.
#[derive(Debug)]
pub(super) struct Folder {
    fd: OwnedFd,
    /// True once it was listed, after which a listing has to go back to the start.
    listed: Cell<bool>,
}

/// What a folder lists.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry<'a> {
    pub name: &'a str,
    /// Sysfs gives every object a number of its own, so a device that went and came back has another one.
    pub inode: u64,
    pub folder: bool,
}

impl Folder {
    pub(super) fn open(path: &Path) -> Result<Self, CollectError> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        match rustix::fs::open(path, flags, Mode::empty()) {
            Ok(fd) => Ok(Self::of(fd)),
            Err(error) => Err(CollectError::Read { path: path.to_owned(), source: error.into() }),
        }
    }

    fn of(fd: OwnedFd) -> Self {
        Self { fd, listed: Cell::new(false) }
    }

    /// A folder in this one; `None` where it is not one or is gone.
    pub(super) fn below(&self, name: &str) -> Option<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        rustix::fs::openat(&self.fd, name, flags, Mode::empty()).ok().map(Self::of)
    }

    /// Sees each entry, in the kernel's order; names that are not UTF-8 are left out.
    pub(super) fn each(&self, mut see: impl FnMut(Entry<'_>)) {
        if self.listed.replace(true) && rustix::fs::seek(&self.fd, SeekFrom::Start(0)).is_err() {
            return;
        }
        let mut memory = [MaybeUninit::uninit(); LIMIT];
        let mut listing = RawDir::new(&self.fd, &mut memory);
        while let Some(Ok(entry)) = listing.next() {
            match entry.file_name().to_str() {
                Ok("." | "..") | Err(_) => {}
                Ok(name) => see(Entry {
                    name,
                    inode: entry.ino(),
                    folder: entry.file_type() == FileType::Directory,
                }),
            }
        }
    }

    /// The names in this folder, sorted.
    pub(super) fn names(&self) -> Vec<String> {
        let mut names = Vec::new();
        self.each(|entry| names.push(entry.name.to_owned()));
        names.sort_unstable();
        names
    }

    /// Names and numbers of all entries, for telling whether anything came or went.
    pub(super) fn fingerprint(&self, hasher: &mut impl Hasher) {
        self.each(|entry| {
            entry.name.hash(hasher);
            entry.inode.hash(hasher);
        });
    }

    /// Reads an attribute with one `read(2)`: some drivers answer a second one with an error.
    pub(super) fn read<T>(&self, name: &str, take: impl FnOnce(&[u8]) -> Option<T>) -> Option<T> {
        let flags = OFlags::RDONLY | OFlags::CLOEXEC;
        let file = rustix::fs::openat(&self.fd, name, flags, Mode::empty()).ok()?;
        let mut buffer = [0; LIMIT];
        let length = rustix::io::read(&file, &mut buffer).ok()?;
        take(&buffer[..length])
    }

    /// An attribute without its surrounding blanks.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        self.read(name, |bytes| Some(text(bytes)))
    }

    /// An attribute that is one whole number.
    pub(super) fn number(&self, name: &str) -> Option<f64> {
        self.read(name, number)
    }
}

/// Bytes from a driver as text: without surrounding blanks, and U+FFFD for what is not UTF-8.
pub(super) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes.trim_ascii()).into_owned()
}

/// A whole number of up to 64 bits, decimal or hexadecimal with `0x`, as the sample value it becomes.
#[expect(clippy::cast_precision_loss, reason = "a sample's value is a float in both formats")]
pub(super) fn number(bytes: &[u8]) -> Option<f64> {
    integer(bytes).map(|value| value as f64)
}

/// A whole number of up to 64 bits, signed or not, decimal or hexadecimal with `0x`.
pub(super) fn integer(bytes: &[u8]) -> Option<i128> {
    let text = std::str::from_utf8(bytes.trim_ascii()).ok()?;
    let value = match text.strip_prefix("0x") {
        Some(digits) => i128::from(u64::from_str_radix(digits, 16).ok()?),
        None => text.parse().ok()?,
    };
    (i128::from(i64::MIN)..=i128::from(u64::MAX)).contains(&value).then_some(value)
}

/// An attribute that is read at every scrape: its descriptor stays open while there is room, and each reading is one
/// `pread(2)`. A device that is gone answers with an error, upon which the next reading opens the file afresh.
#[derive(Debug)]
pub(super) struct Attribute {
    host: Host,
    path: PathBuf,
    file: Option<KeptOpen>,
}

impl Attribute {
    pub(super) fn new(host: &Host, path: PathBuf) -> Self {
        Self { host: host.clone(), path, file: None }
    }

    pub(super) fn read<T>(&mut self, take: impl FnOnce(&[u8]) -> T) -> io::Result<T> {
        let mut buffer = [0; LIMIT];
        if let Some(file) = &self.file {
            let result = file.read_at(&mut buffer, 0);
            if result.is_err() {
                self.file = None;
            }
            return result.map(|length| take(&buffer[..length]));
        }
        let file = File::open(&self.path)?;
        let length = file.read_at(&mut buffer, 0)?;
        self.file = self.host.keep_open(file).ok();
        Ok(take(&buffer[..length]))
    }

    /// The attribute as one whole number; `None` where it is missing, refused or malformed.
    pub(super) fn number(&mut self) -> Option<f64> {
        self.read(number).ok()?
    }
}

/// What an attribute's number is multiplied or divided by to be in the family's unit.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(super) enum Scale {
    One,
    /// InfiniBand ports count data in words of four bytes.
    Words,
    Tenth,
    Milli,
    Micro,
    Nano,
}

impl Scale {
    /// The same arithmetic as the peer's, so that the last digit is the same too.
    pub(super) fn apply(self, value: f64) -> f64 {
        match self {
            Self::One => value,
            Self::Words => value * 4.0,
            Self::Tenth => value / 10.0,
            Self::Milli => value * 0.001,
            Self::Micro => value / 1e6,
            Self::Nano => value * 1e-9,
        }
    }
}

/// One numeric attribute and the family it becomes.
#[derive(Debug)]
pub(super) struct Column<K, const N: usize> {
    pub file: &'static str,
    pub scale: Scale,
    pub family: Family<K, N>,
}

impl<K: TypeMark, const N: usize> Column<K, N> {
    pub(super) const fn new(
        file: &'static str,
        scale: Scale,
        family: &'static str,
        labels: [&'static str; N],
        help: &'static str,
    ) -> Self {
        Self { file, scale, family: Family::new(family, help, labels) }
    }
}

/// The families of a table after some others, for [`super::Spec`].
pub(super) const fn families<K: TypeMark + 'static, const N: usize, const M: usize>(
    others: &[&'static dyn Described],
    columns: &'static [Column<K, N>],
) -> [&'static dyn Described; M] {
    assert!(others.len() + columns.len() == M, "the list is as long as its parts");
    let mut all: [&'static dyn Described; M] = [&columns[0].family; M];
    let mut i = 0;
    while i < M {
        all[i] = if i < others.len() { others[i] } else { &columns[i - others.len()].family };
        i += 1;
    }
    all
}

/// One device: the values of its labels and of a table's columns.
#[derive(Debug)]
pub(super) struct Row<const N: usize, const M: usize> {
    pub labels: [String; N],
    pub values: [Option<f64>; M],
}

/// Reads a table's attributes, each whether it is there or not: for few attributes that most devices have.
pub(super) fn read_columns<K, const N: usize, const M: usize>(
    folder: &Folder,
    columns: &[Column<K, N>; M],
) -> [Option<f64>; M] {
    columns.each_ref().map(|column| Some(column.scale.apply(folder.number(column.file)?)))
}

/// Reads those of a table's attributes that the folder lists: for many attributes of which a device has some.
pub(super) fn read_listed<K, const N: usize, const M: usize>(
    folder: &Folder,
    columns: &[Column<K, N>; M],
) -> [Option<f64>; M] {
    let mut values = [None; M];
    folder.each(|entry| {
        if let Some(i) = columns.iter().position(|column| column.file == entry.name) {
            values[i] = folder.number(entry.name).map(|value| columns[i].scale.apply(value));
        }
    });
    values
}

/// Writes a table family by family.
pub(super) fn write<K: TypeMark, const N: usize, const M: usize>(
    out: &mut Exposition,
    columns: &'static [Column<K, N>; M],
    rows: &[Row<N, M>],
) {
    for (i, column) in columns.iter().enumerate() {
        let mut samples = out.family(&column.family);
        for row in rows {
            samples.maybe(&row.labels, row.values[i]);
        }
    }
}

/// One device whose attributes are read at every scrape.
#[derive(Debug)]
pub(super) struct KeptRow<const N: usize, const M: usize> {
    pub labels: [String; N],
    pub values: [Attribute; M],
}

/// Reads and writes a table family by family.
pub(super) fn write_kept<K: TypeMark, const N: usize, const M: usize>(
    out: &mut Exposition,
    columns: &'static [Column<K, N>; M],
    rows: &mut [KeptRow<N, M>],
) {
    for (i, column) in columns.iter().enumerate() {
        let mut samples = out.family(&column.family);
        for row in &mut *rows {
            let value = row.values[i].number().map(|value| column.scale.apply(value));
            samples.maybe(&row.labels, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collector::testing::tree;

    #[test]
    fn a_number_is_decimal_or_hexadecimal_and_has_64_bits() {
        assert_eq!(integer(b" 42\n"), Some(42));
        assert_eq!(integer(b"-1\n"), Some(-1));
        assert_eq!(integer(b"0xffffffffffffffff"), Some(i128::from(u64::MAX)));
        for wrong in [&b""[..], b"0x", b"N/A (no PMA)", b"18446744073709551616", b"1.5", b"\xff"] {
            assert_eq!(integer(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn an_attribute_that_vanishes_is_a_missing_value() {
        let folder = tree(&[("sys/a", "7\n")]);
        let mut attribute =
            Attribute::new(&Host::below(folder.path()), folder.path().join("sys/a"));
        assert_eq!(attribute.number(), Some(7.0));
        std::fs::remove_file(folder.path().join("sys/a")).unwrap();
        assert_eq!(attribute.number(), None);
    }

    #[test]
    fn a_live_attribute_stays_open_and_its_room_is_given_back() {
        let host = Host::default();
        let mut attribute =
            Attribute::new(&host, host.sys("kernel/mm/transparent_hugepage/enabled"));
        let mut other = Attribute::new(&host, host.proc("sys/kernel/threads-max"));
        assert!(attribute.read(|_| ()).is_err() || attribute.file.is_some());
        assert!(other.number().is_some() && other.file.is_some());
        assert!(other.number().is_some());
        assert!(host.kept_open() >= 1);
        drop((attribute, other));
        assert_eq!(host.kept_open(), 0);
    }

    #[test]
    fn a_folder_that_changes_has_another_fingerprint() {
        let folder = tree(&[("x/a", "1"), ("x/b", "2")]);
        let print = || {
            let mut hasher = std::hash::DefaultHasher::new();
            Folder::open(&folder.path().join("x")).unwrap().fingerprint(&mut hasher);
            hasher.finish()
        };
        let first = print();
        assert_eq!(first, print());
        let open = Folder::open(&folder.path().join("x")).unwrap();
        assert_eq!((open.names(), open.names().len()), (vec!["a".to_owned(), "b".to_owned()], 2));
        std::fs::write(folder.path().join("x/c"), "3").unwrap();
        assert_ne!(first, print());
    }
}
