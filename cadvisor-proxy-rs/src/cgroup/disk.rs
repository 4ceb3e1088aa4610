//! File systems of the whole machine: those on block devices, as the root's series have them.

use std::sync::Arc;

use exporter_toolkit::labels::escape;

use super::machine::{Paths, text};
use super::parse::{device, lines, number, words};

/// Mounts that are looked at; a node has some thousand, most of them of containers.
const MOUNTS: usize = 65_536;
/// File systems that are told.
const MOST: usize = 256;
/// Counts of `/proc/diskstats` that are told (Documentation/admin-guide/iostats.rst).
const COLUMNS: usize = 11;

/// One file system, and what its device did.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Filesystem {
    /// `/dev/vda`, escaped.
    pub(super) name: Arc<[u8]>,
    /// Bytes.
    pub(super) limit: Option<u64>,
    pub(super) usage: Option<u64>,
    pub(super) inodes: Option<u64>,
    pub(super) inodes_free: Option<u64>,
    /// Reads, merged, sectors, milliseconds; the same of writes; under way, milliseconds, weighted milliseconds.
    pub(super) disk: Option<[u64; COLUMNS]>,
}

/// A mount of a block device.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Mount {
    numbers: (u32, u32),
    point: String,
    source: Vec<u8>,
}

/// Those that hold files of block devices; others may hang, as a server's may, or are no storage.
fn is_local(kind: &[u8]) -> bool {
    matches!(kind, b"ext2" | b"ext3" | b"ext4" | b"xfs" | b"btrfs" | b"f2fs" | b"vfat")
}

/// The first mount of each device in a text such as `/proc/1/mountinfo`, see `proc_pid_mountinfo(5)`.
fn mounts(text: &[u8]) -> Vec<Mount> {
    let mut found: Vec<Mount> = Vec::new();
    for line in lines(text).take(MOUNTS) {
        let mut columns = words(line);
        let (numbers, point) = (columns.nth(2).and_then(device), columns.nth(1));
        let mut rest = columns.skip_while(|word| *word != b"-").skip(1);
        let (Some(numbers), Some(point), Some(kind), Some(source)) =
            (numbers, point, rest.next(), rest.next())
        else {
            continue;
        };
        let known = |mount: &Mount| mount.source == source;
        if !source.starts_with(b"/dev/") || !is_local(kind) || found.iter().any(known) {
            continue;
        }
        if found.len() < MOST {
            let point = String::from_utf8_lossy(&unescaped(point)).into_owned();
            found.push(Mount { numbers, point, source: unescaped(source) });
        }
    }
    found
}

/// Blanks, tabs, newlines and backslashes stand as `\040`, `\011`, `\012` and `\134`.
fn unescaped(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut left = text;
    while let Some((first, rest)) = left.split_first() {
        let code = rest.first_chunk::<3>().filter(|_| *first == b'\\');
        let byte = code.and_then(|digits| {
            let digit = |at: usize| digits[at].checked_sub(b'0').filter(|digit| *digit < 8);
            digit(0)?.checked_mul(64)?.checked_add(digit(1)? * 8)?.checked_add(digit(2)?)
        });
        out.push(byte.unwrap_or(*first));
        left = if byte.is_some() { rest.get(3..).unwrap_or_default() } else { rest };
    }
    out
}

/// A device's counts in `/proc/diskstats`.
fn counts(diskstats: &[u8], numbers: (u32, u32)) -> Option<[u64; COLUMNS]> {
    let line = lines(diskstats).find(|line| {
        let mut words = words(line).map(number);
        let mut next = || words.next().flatten().and_then(|one| u32::try_from(one).ok());
        next() == Some(numbers.0) && next() == Some(numbers.1)
    })?;
    let mut counts = [0; COLUMNS];
    let mut columns = words(line).skip(3).map(number);
    for count in &mut counts {
        *count = columns.next()??;
    }
    Some(counts)
}

/// The mounts that were found: their list is long where many containers run, and changes little.
#[derive(Debug, Default)]
pub(super) struct Mounts(Option<Vec<Mount>>);

impl Mounts {
    /// They are looked for again.
    pub(super) fn forget(&mut self) {
        self.0 = None;
    }

    /// Those that the host's first process sees.
    fn find(&mut self, paths: &Paths) -> &[Mount] {
        self.0.get_or_insert_with(|| {
            let text = text(&paths.procfs.join("1/mountinfo"));
            text.map(|text| mounts(&text)).unwrap_or_default()
        })
    }
}

/// All file systems of block devices as they are now.
pub(super) fn read(paths: &Paths, known: &mut Mounts, out: &mut Vec<Filesystem>) {
    let diskstats = text(&paths.procfs.join("diskstats")).unwrap_or_default();
    for mount in known.find(paths) {
        let mut name = Vec::new();
        escape(String::from_utf8_lossy(&mount.source).as_bytes(), &mut name);
        let point = paths.root(&mount.point);
        // Where the host's root is not mounted for us, another file system is found there.
        let same = rustix::fs::stat(&point).is_ok_and(|status| {
            (rustix::fs::major(status.st_dev), rustix::fs::minor(status.st_dev)) == mount.numbers
        });
        let status = same.then(|| rustix::fs::statvfs(&point).ok()).flatten();
        let bytes = |blocks: fn(&rustix::fs::StatVfs) -> u64| {
            let status = status.as_ref()?;
            blocks(status).checked_mul(status.f_frsize)
        };
        let free = bytes(|status| status.f_bfree);
        let limit = bytes(|status| status.f_blocks);
        out.push(Filesystem {
            name: name.into(),
            limit,
            usage: limit.and_then(|limit| limit.checked_sub(free?)),
            inodes: status.as_ref().map(|status| status.f_files),
            inodes_free: status.as_ref().map(|status| status.f_ffree),
            disk: counts(&diskstats, mount.numbers),
        });
    }
}

pub(super) fn fuzz(text: &[u8]) {
    for mount in mounts(text) {
        let _counts = counts(text, mount.numbers);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_local_device_is_found_once() {
        let text = b"22 1 254:0 / / rw shared:1 - ext4 /dev/vda rw\n\
            23 22 0:5 / /proc rw - proc proc rw\n\
            24 22 254:16 / /mnt/my\\040disk rw - xfs /dev/vdb rw\n\
            25 22 254:0 /var /var/lib rw - ext4 /dev/vda rw\n\
            26 22 0:44 / /nfs rw - nfs4 server:/x rw\nshort\n";
        let found = mounts(text);
        let points: Vec<&str> = found.iter().map(|mount| mount.point.as_str()).collect();
        assert_eq!(points, ["/", "/mnt/my disk"]);
        assert_eq!(found[1].numbers, (254, 16));
        assert_eq!(unescaped(b"a\\134b\\9\\777\\"), b"a\\b\\9\\777\\");
    }

    #[test]
    fn counts_of_a_device_are_those_of_its_line() {
        let text = b" 254 0 vda 1 2 3 4 5 6 7 8 9 10 11 12 13\n 254 16 vdb 1 2 3\n";
        assert_eq!(counts(text, (254, 0)), Some([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]));
        assert_eq!((counts(text, (254, 16)), counts(text, (8, 0))), (None, None));
    }
}
