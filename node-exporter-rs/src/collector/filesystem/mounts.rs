//! The list of mounts: `/proc/1/mountinfo` (Documentation/filesystems/proc.rst, 3.5), read as bytes.
//!
//! Names of mounts are bytes that anybody may choose: whatever they are, they cost no other mount its samples.

use std::ffi::{CStr, CString, OsStr};
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::collector::CollectError;
use crate::host::{Host, KeptFile};

/// A mount's number, which the kernel gives again only after it is gone, and the path under which it is asked.
pub(super) type Key = (u64, Arc<CStr>);

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Mount {
    pub(super) key: Key,
    pub(super) device: String,
    /// The mount point as the host sees it: without the prefix of `--path.rootfs`.
    pub(super) point: String,
    pub(super) fs_type: String,
    pub(super) major: u32,
    pub(super) minor: u32,
    pub(super) read_only: bool,
}

impl Mount {
    /// The labels of most families, in their order.
    pub(super) fn labels<'a>(&'a self, error: &'a str) -> (&'a str, &'a str, &'a str, &'a str) {
        (&self.device, &self.point, &self.fs_type, error)
    }
}

/// How long the kernel's word that no mount has changed is taken for an answer. That a file system became read-only after an
/// error stands in the file, and is no change of a mount. (statfs(2) tells it as well, but for the mount that we have of the
/// host's root, which is itself read-only.)
const TRUSTED: Duration = Duration::from_mins(1);

/// The file and what it held last.
///
/// On a node with many containers the kernel takes longer to write it than all other files together, and it seldom changes.
pub(in crate::collector) struct MountInfo {
    of_init: KeptFile,
    of_self: KeptFile,
    root: PathBuf,
    last: Vec<u8>,
    read_at: Option<Instant>,
    /// The first malformed line of `last`.
    malformed: Option<String>,
}

impl MountInfo {
    pub(in crate::collector) fn new(host: &Host) -> Self {
        Self {
            of_init: host.keep_proc("1/mountinfo").with_long_records(),
            of_self: host.keep_proc("self/mountinfo").with_long_records(),
            root: host.root_path().to_owned(),
            last: Vec::new(),
            read_at: None,
            malformed: None,
        }
    }

    /// Reads the file where it may have changed; true where it is not what it was. Process 1 may be hidden (`hidepid`); then
    /// our own mounts serve.
    pub(in crate::collector) fn read(&mut self) -> Result<bool, CollectError> {
        let trusted = self.read_at.is_some_and(|at| at.elapsed() < TRUSTED);
        // The one that is not open says that it has changed.
        if trusted && !(self.of_init.has_changed() && self.of_self.has_changed()) {
            return Ok(false);
        }
        self.read_at = None;
        let now = match self.of_init.read() {
            Err(CollectError::Read { source, .. }) if is_hidden(&source) => self.of_self.read()?,
            other => other?,
        };
        self.read_at = Some(Instant::now());
        if now == self.last {
            return Ok(false);
        }
        self.last.clear();
        self.last.extend_from_slice(now);
        Ok(true)
    }

    /// What the file held when it was read last.
    pub(in crate::collector) fn text(&self) -> &[u8] {
        &self.last
    }

    /// The mounts in the kernel's order: one that covers another stands behind it.
    pub(super) fn mounts(&mut self) -> Vec<Mount> {
        let mut mounts = Vec::new();
        self.malformed = None;
        for line in self.last.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            match Line::parse(line).and_then(|line| line.mount(&self.root)) {
                Some(mount) => mounts.push(mount),
                None if self.malformed.is_none() => {
                    self.malformed = Some(String::from_utf8_lossy(line).into_owned());
                }
                None => {}
            }
        }
        mounts
    }

    /// An error where a line was malformed; the other lines' mounts are served all the same.
    pub(super) fn verdict(&self) -> Result<(), CollectError> {
        match &self.malformed {
            None => Ok(()),
            Some(line) => Err(CollectError::parse(self.of_init.path(), "not a mount", line)),
        }
    }
}

fn is_hidden(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied)
}

/// The columns of a line that matter, as they stand in it.
#[derive(Debug, PartialEq)]
struct Line<'a> {
    id: u64,
    major: u32,
    minor: u32,
    point: &'a [u8],
    options: &'a [u8],
    fs_type: &'a [u8],
    source: &'a [u8],
    super_options: &'a [u8],
}

impl<'a> Line<'a> {
    /// `36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue`: the columns before the dash vary
    /// in number, and a device's name may be empty, which makes two blanks in a row.
    fn parse(line: &'a [u8]) -> Option<Self> {
        let mut columns = line.split(|byte| *byte == b' ');
        let id = number(columns.next()?)?;
        let device = columns.nth(1)?;
        let colon = device.iter().position(|byte| *byte == b':')?;
        let (major, minor) = (number(&device[..colon])?, number(&device[colon + 1..])?);
        let point = columns.nth(1)?;
        let options = columns.next()?;
        columns.by_ref().find(|column| *column == b"-")?;
        Some(Self {
            id,
            major,
            minor,
            point,
            options,
            fs_type: columns.next()?,
            source: columns.next()?,
            super_options: columns.next()?,
        })
    }

    fn mount(&self, root: &Path) -> Option<Mount> {
        let point = strip(self.point, root.as_os_str().as_bytes());
        let label = unescape(point, |byte| matches!(byte, b' ' | b'\t'));
        let path = unescape(point, |_| true);
        let below = path.iter().position(|byte| *byte != b'/').map_or(&[][..], |at| &path[at..]);
        let path = CString::new(root.join(OsStr::from_bytes(below)).into_os_string().into_vec());
        Some(Mount {
            key: (self.id, Arc::from(path.ok()?)),
            device: lossy(self.source),
            point: lossy(&label),
            fs_type: lossy(self.fs_type),
            major: self.major,
            minor: self.minor,
            read_only: self.is_read_only(),
        })
    }

    /// Read-only by the mount's or the file system's option, or since ext4 met an error (`emergency_ro`).
    fn is_read_only(&self) -> bool {
        let has = |options: &[u8], word: &[u8]| options.split(|b| *b == b',').any(|o| o == word);
        has(self.options, b"ro")
            || has(self.super_options, b"ro")
            || has(self.super_options, b"emergency_ro")
    }
}

fn number<T: std::str::FromStr>(text: &[u8]) -> Option<T> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The mount point below `root`; one that lies elsewhere stays as it is.
fn strip<'a>(point: &'a [u8], root: &[u8]) -> &'a [u8] {
    let root = root.strip_suffix(b"/").unwrap_or(root);
    match point.strip_prefix(root) {
        Some(b"") => b"/",
        Some(rest) if rest.first() == Some(&b'/') => rest,
        _ => point,
    }
}

/// Replaces `\ooo`, as the kernel writes blanks, tabs, newlines and backslashes, for the bytes that `wanted` accepts.
fn unescape(text: &[u8], wanted: impl Fn(u8) -> bool) -> Vec<u8> {
    let mut plain = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&first, tail)) = rest.split_first() {
        let byte = escaped(rest).filter(|byte| wanted(*byte));
        plain.push(byte.unwrap_or(first));
        rest = if byte.is_some() { &rest[4..] } else { tail };
    }
    plain
}

/// The byte that `\ooo` at the start of `text` stands for.
fn escaped(text: &[u8]) -> Option<u8> {
    let [b'\\', digits @ ..] = text.get(..4)? else { return None };
    digits.iter().try_fold(0_u8, |byte, digit| match digit {
        b'0'..=b'7' => byte.checked_mul(8)?.checked_add(digit - b'0'),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn mount(line: &[u8], root: &str) -> Mount {
        Line::parse(line).unwrap().mount(Path::new(root)).unwrap()
    }

    #[test]
    fn a_blank_in_a_name_is_read_and_other_escapes_stay_in_the_label() {
        let mount = mount(br"36 35 98:7 / /mnt/a\040b\134c rw - ext4 /dev/x\040y rw", "/");
        assert_eq!(mount.point, r"/mnt/a b\134c");
        assert_eq!(mount.key, (36, Arc::from(c"/mnt/a b\\c")));
        assert_eq!((mount.device.as_str(), mount.major, mount.minor), (r"/dev/x\040y", 98, 7));
    }

    #[test]
    fn a_name_that_is_not_utf_8_keeps_its_bytes_on_the_way_to_the_kernel() {
        let mount = mount(b"36 35 98:7 / /mnt/\xff rw master:1 - ext4 \xfe rw", "/host/root");
        assert_eq!((mount.point.as_str(), mount.device.as_str()), ("/mnt/\u{fffd}", "\u{fffd}"));
        assert_eq!(mount.key.1.to_bytes(), b"/host/root/mnt/\xff");
    }

    #[test]
    fn the_root_prefix_is_taken_off_at_a_folders_end() {
        for (point, label) in [
            ("/host/root", "/"),
            ("/host/root/var", "/var"),
            ("/host/rootless", "/host/rootless"),
            ("/", "/"),
        ] {
            let line = format!("36 35 98:7 / {point} rw - ext4 /dev/x rw");
            assert_eq!(mount(line.as_bytes(), "/host/root").point, label);
            assert_eq!(mount(line.as_bytes(), "/").point, point);
        }
        let below = mount(b"36 35 98:7 / /host/root/var rw - ext4 /dev/x rw", "/host/root");
        assert_eq!(below.key.1.as_ref(), c"/host/root/var");
    }

    #[test]
    fn a_device_may_have_no_name() {
        let mount = mount(b"36 35 0:7 / /x rw shared:2 master:3 - tmpfs  rw,size=1k", "/");
        assert_eq!((mount.device.as_str(), mount.fs_type.as_str()), ("", "tmpfs"));
    }

    #[test]
    fn read_only_is_a_whole_option() {
        for (options, super_options, expected) in [
            ("rw", "rw", false),
            ("ro,noatime", "rw", true),
            ("rw", "ro", true),
            ("rw", "rw,emergency_ro", true),
            ("rw,root", "rw,errors=remount-ro", false),
        ] {
            let line = format!("36 35 98:7 / /x {options} - ext4 /dev/x {super_options}");
            assert_eq!(mount(line.as_bytes(), "/").read_only, expected, "{line}");
        }
    }

    #[test]
    fn the_kernel_is_asked_for_the_list_only_after_a_change() {
        let mut info = MountInfo::new(&Host::default());
        assert!(info.read().unwrap());
        info.last.clear();
        assert!(!info.read().unwrap(), "read again though nothing has changed");
        info.read_at = Instant::now().checked_sub(TRUSTED);
        assert!(info.read().unwrap(), "not read again after a long time");
    }

    #[test]
    fn a_list_that_is_no_kernel_file_is_always_read() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(folder.path().join("proc/1")).unwrap();
        let mut info = MountInfo::new(&Host::below(folder.path()));
        for (point, changed) in [("a", true), ("b", true), ("b", false)] {
            let line = format!("36 35 98:0 / /{point} rw - ext4 /dev/x rw\n");
            std::fs::write(folder.path().join("proc/1/mountinfo"), line).unwrap();
            assert_eq!(info.read().unwrap(), changed);
        }
    }

    #[test]
    fn a_short_line_is_no_mount() {
        for line in
            ["", "36 35 98 / /x rw - ext4 d rw", "36 35 98:7 / /x rw ext4 d rw", "36 35 98:7"]
        {
            assert_eq!(Line::parse(line.as_bytes()), None, "{line}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(line in proptest::collection::vec(any::<u8>(), 0..60), point in "[/\\\\0-9a]{0,20}") {
            let _line = Line::parse(&line);
            let line = format!("1 1 1:1 / {point} rw - a b c");
            let _mount = Line::parse(line.as_bytes()).unwrap().mount(Path::new("/r"));
        }
    }
}
