//! What is said of file systems that cannot be asked, as on a test's tree.

use super::*;
use crate::collector::testing::{collect, tree};

#[test]
fn without_btrfs_there_are_no_samples_and_no_error() {
    let (samples, result) = collect(&SPEC, tree(&[]).path(), &[]);
    assert!(samples.is_empty() && result.is_ok());
    let folder = tree(&[("sys/fs/btrfs/features/raid56", "1\n")]);
    let (samples, result) = collect(&SPEC, folder.path(), &[]);
    assert!(samples.is_empty() && result.is_ok());
}

#[test]
fn a_clone_with_the_same_metadata_uuid_is_shown_under_its_own() {
    let folder = tree(&[
        ("sys/fs/btrfs/a-1/metadata_uuid", "a-1\n"),
        ("sys/fs/btrfs/b-2/metadata_uuid", "a-1\n"),
    ]);
    let (samples, _) = collect(&SPEC, folder.path(), &[]);
    let info =
        ["a-1", "b-2"].map(|uuid| format!("node_btrfs_info{{uuid=\"{uuid}\",label=\"\"}} 1"));
    assert_eq!(samples[..2], info);
}

#[test]
fn parity_needs_more_devices_than_it_takes() {
    assert_eq!(ratio("raid6", 6), Some(1.5));
    assert_eq!(ratio("raid5", 1), None);
    assert_eq!(ratio("raid6", 1), None);
    assert_eq!(ratio("raid99", 3), None);
}

#[test]
fn commit_stats_that_are_malformed_are_missing() {
    let commits = Commits::parse("commits 3\nlast_commit_ms x\nmax_commit_ms 7\n");
    assert_eq!(commits, Commits([Some(3), None, Some(7), None]));
}

#[test]
fn a_mount_point_stands_below_the_hosts_root_once() {
    let host = Host::new("/proc", "/sys", "/host", "/run/udev/data");
    for mount in ["/data", "/host/data"] {
        assert_eq!(below_root(&host, mount.as_bytes()), Path::new("/host/data"));
    }
    assert_eq!(below_root(&Host::default(), b"/data"), Path::new("/data"));
    assert_eq!(below_root(&host, b"/"), Path::new("/host/"));
}

#[test]
fn a_uuid_is_shown_with_its_dashes() {
    let uuid = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15];
    assert_eq!(dashed(&uuid), "00010203-0405-0607-0809-0a0b0c0d0e0f");
}
