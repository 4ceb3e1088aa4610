//! What a list of mounts (`/proc/PID/mountinfo`, proc(5)) says about one path.

use std::path::Path;

/// The text of a `mountinfo`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mounts<'a>(pub(super) &'a str);

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Mount<'a> {
    /// `MAJOR:MINOR`, which all mounts of one file system share.
    pub(super) device: &'a str,
    pub(super) point: &'a str,
    /// True where it learns of mounts that are made below the one it was made from.
    pub(super) follows: bool,
}

impl<'a> Mounts<'a> {
    /// The mount that a path is on: the longest point above it, and of several at one point the last, which covers the
    /// others.
    pub(super) fn around(self, path: &Path) -> Option<Mount<'a>> {
        let mounts = self.0.lines().filter_map(parse);
        mounts
            .filter(|mount| path.starts_with(mount.point))
            .max_by_key(|mount| mount.point.trim_end_matches('/').len())
    }
}

/// `ID PARENT MAJOR:MINOR ROOT POINT OPTIONS [FIELD…] - TYPE SOURCE OPTIONS`.
fn parse(line: &str) -> Option<Mount<'_>> {
    let mut columns = line.split(' ');
    let device = columns.nth(2)?;
    let point = columns.nth(1)?;
    columns.next()?;
    let mut fields = columns.take_while(|column| *column != "-");
    let follows = fields.any(|field| field.starts_with("master:") || field.starts_with("shared:"));
    Some(Mount { device, point, follows })
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINES: &str = "1 0 0:2 / / rw - rootfs rootfs rw\n\
                         2 1 8:1 / / rw shared:1 - ext4 /dev/sda1 rw\n\
                         short\n\
                         3 2 8:1 / /host ro - ext4 /dev/sda1 rw\n\
                         4 2 8:2 / /host/root ro master:1 propagate_from:2 - xfs /dev/sdb1 rw\n";

    #[test]
    fn a_path_is_on_the_nearest_mount_above_it() {
        let device = |path: &str| Mounts(LINES).around(Path::new(path)).unwrap().device;
        assert_eq!((device("/"), device("/hostile"), device("/host/x")), ("8:1", "8:1", "8:1"));
        assert_eq!((device("/host/root"), device("/host/root/etc")), ("8:2", "8:2"));
        assert_eq!(Mounts("").around(Path::new("/")), None);
    }

    #[test]
    fn a_mount_follows_its_master_or_its_peers() {
        let follows = |path: &str| Mounts(LINES).around(Path::new(path)).unwrap().follows;
        assert!(follows("/") && follows("/host/root") && !follows("/host"));
    }
}
