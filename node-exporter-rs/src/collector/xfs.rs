//! `node_xfs_*`: what each mounted XFS did, from `/sys/fs/xfs/DEVICE/stats/stats`.

use std::collections::BTreeMap;

use exporter_toolkit::{Counter, Described, Exposition};

use super::{CollectError, Collector, Spec};
use crate::host::{Host, KeptFile, names};

const FOLDER: &str = "fs/xfs";

/// A family and where its value stands: the line's first word and the number's place behind it, as
/// `xfs_stats_format` in `fs/xfs/xfs_stats.c` prints them. Rows of one line stand together.
struct Column {
    family: Counter<1>,
    line: &'static str,
    place: usize,
}

const fn column(
    name: &'static str,
    help: &'static str,
    line: &'static str,
    place: usize,
) -> Column {
    Column { family: Counter::new(name, help, ["device"]), line, place }
}

#[rustfmt::skip]
static COLUMNS: [Column; 39] = [
    column("node_xfs_extent_allocation_extents_allocated_total", "Extents the allocator handed out.", "extent_alloc", 0),
    column("node_xfs_extent_allocation_blocks_allocated_total", "Blocks in the extents that the allocator handed out.", "extent_alloc", 1),
    column("node_xfs_extent_allocation_extents_freed_total", "Extents given back to the allocator.", "extent_alloc", 2),
    column("node_xfs_extent_allocation_blocks_freed_total", "Blocks in the extents given back to the allocator.", "extent_alloc", 3),
    column("node_xfs_allocation_btree_lookups_total", "Searches in the old free-space B-tree; newer kernels count them elsewhere and show 0 here.", "abt", 0),
    column("node_xfs_allocation_btree_compares_total", "Key comparisons made while searching the old free-space B-tree.", "abt", 1),
    column("node_xfs_allocation_btree_records_inserted_total", "Records put into the old free-space B-tree.", "abt", 2),
    column("node_xfs_allocation_btree_records_deleted_total", "Records taken out of the old free-space B-tree.", "abt", 3),
    column("node_xfs_block_mapping_reads_total", "Lookups of where a file's blocks are, for reading.", "blk_map", 0),
    column("node_xfs_block_mapping_writes_total", "Lookups of where a file's blocks are, for writing.", "blk_map", 1),
    column("node_xfs_block_mapping_unmaps_total", "Removals of blocks from a file's map.", "blk_map", 2),
    column("node_xfs_block_mapping_extent_list_insertions_total", "Extents added to the extent lists of files.", "blk_map", 3),
    column("node_xfs_block_mapping_extent_list_deletions_total", "Extents removed from the extent lists of files.", "blk_map", 4),
    column("node_xfs_block_mapping_extent_list_lookups_total", "Searches in the extent lists of files.", "blk_map", 5),
    column("node_xfs_block_mapping_extent_list_compares_total", "Comparisons made while searching extent lists.", "blk_map", 6),
    column("node_xfs_block_map_btree_lookups_total", "Searches in the old B-tree of a file's extents; newer kernels count them elsewhere and show 0 here.", "bmbt", 0),
    column("node_xfs_block_map_btree_compares_total", "Key comparisons made while searching the old B-tree of a file's extents.", "bmbt", 1),
    column("node_xfs_block_map_btree_records_inserted_total", "Records put into the old B-tree of a file's extents.", "bmbt", 2),
    column("node_xfs_block_map_btree_records_deleted_total", "Records taken out of the old B-tree of a file's extents.", "bmbt", 3),
    column("node_xfs_directory_operation_lookup_total", "Name lookups that the kernel's name cache could not answer.", "dir", 0),
    column("node_xfs_directory_operation_create_total", "Directory entries made.", "dir", 1),
    column("node_xfs_directory_operation_remove_total", "Directory entries removed.", "dir", 2),
    column("node_xfs_directory_operation_getdents_total", "Times a part of a directory was listed.", "dir", 3),
    column("node_xfs_inode_operation_attempts_total", "Searches in the inode cache.", "ig", 0),
    column("node_xfs_inode_operation_found_total", "Searches that found the inode in the cache.", "ig", 1),
    column("node_xfs_inode_operation_recycled_total", "Searches that found an inode just being recycled, and had to try again.", "ig", 2),
    column("node_xfs_inode_operation_missed_total", "Searches that did not find the inode in the cache.", "ig", 3),
    column("node_xfs_inode_operation_duplicates_total", "Times a missed inode was in the cache after all, put there by someone else meanwhile.", "ig", 4),
    column("node_xfs_inode_operation_reclaims_total", "Inodes thrown out of the cache to free memory.", "ig", 5),
    column("node_xfs_inode_operation_attribute_changes_total", "Explicit changes of an inode's attributes, as by chmod.", "ig", 6),
    column("node_xfs_read_calls_total", "Calls of read on files of this file system.", "rw", 1),
    column("node_xfs_write_calls_total", "Calls of write on files of this file system.", "rw", 0),
    column("node_xfs_vnode_active_total", "Inodes in use now.", "vnodes", 0),
    column("node_xfs_vnode_allocate_total", "In-memory inodes allocated.", "vnodes", 1),
    column("node_xfs_vnode_get_total", "Times an in-memory inode was taken from the free list.", "vnodes", 2),
    column("node_xfs_vnode_hold_total", "Times a reference to an in-memory inode was taken.", "vnodes", 3),
    column("node_xfs_vnode_release_total", "Times a reference to an in-memory inode was dropped.", "vnodes", 4),
    column("node_xfs_vnode_reclaim_total", "In-memory inodes reclaimed.", "vnodes", 5),
    column("node_xfs_vnode_remove_total", "In-memory inodes removed.", "vnodes", 6),
];

static FAMILIES: [&dyn Described; COLUMNS.len()] = {
    let mut families: [&dyn Described; COLUMNS.len()] = [&COLUMNS[0].family; COLUMNS.len()];
    let mut i = 1;
    while i < COLUMNS.len() {
        families[i] = &COLUMNS[i].family;
        i += 1;
    }
    families
};

pub static SPEC: Spec = Spec {
    name: "xfs",
    enabled: true,
    about: "Operations of each XFS, from /sys/fs/xfs.",
    flags: &[],
    families: &FAMILIES,
    build: |setup| Ok(Box::new(Xfs { host: setup.host.clone(), devices: BTreeMap::new() })),
};

struct Xfs {
    host: Host,
    devices: BTreeMap<String, Device>,
}

struct Device {
    file: KeptFile,
    values: Values,
}

type Values = [Option<u64>; COLUMNS.len()];

impl Collector for Xfs {
    fn collect(&mut self, out: &mut Exposition) -> Result<(), CollectError> {
        if !self.list()? {
            return Ok(());
        }
        for device in self.devices.values_mut() {
            // A file system that is unmounted meanwhile has no samples.
            device.values = device.file.read().map_or([None; COLUMNS.len()], parse);
        }
        for (i, column) in COLUMNS.iter().enumerate() {
            let mut family = out.family(&column.family);
            for (name, device) in &self.devices {
                family.maybe(name, device.values[i]);
            }
        }
        Ok(())
    }
}

impl Xfs {
    /// Brings the devices up to date; false where the kernel has no XFS, which the peer takes for none mounted.
    fn list(&mut self) -> Result<bool, CollectError> {
        let mut found = match names(&self.host.sys(FOLDER)) {
            Ok(found) => found,
            Err(error) if error.is_no_data() => return Ok(false),
            Err(error) => return Err(error),
        };
        // The sums of all file systems, and switches for developers.
        found.retain(|name| name != "stats" && name != "debug");
        self.devices.retain(|name, _| found.binary_search(name).is_ok());
        for name in found {
            self.devices.entry(name).or_insert_with_key(|name| Device {
                file: self.host.keep_sys(&format!("{FOLDER}/{name}/stats/stats")),
                values: [None; COLUMNS.len()],
            });
        }
        Ok(true)
    }
}

/// The numbers of all columns; what a kernel does not print is missing.
fn parse(text: &[u8]) -> Values {
    let mut values = [None; COLUMNS.len()];
    for line in text.split(|&byte| byte == b'\n') {
        let mut words = line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
        let Some(name) = words.next() else { continue };
        let Some(first) = COLUMNS.iter().position(|c| c.line.as_bytes() == name) else { continue };
        for (place, word) in words.enumerate() {
            let row = COLUMNS[first..].iter().take_while(|c| c.line.as_bytes() == name);
            if let Some(offset) = row.clone().position(|c| c.place == place) {
                values[first + offset] =
                    std::str::from_utf8(word).ok().and_then(|w| w.parse().ok());
            }
        }
    }
    values
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collector::testing::{collect, tree};
    use proptest::prelude::*;

    fn value(text: &str, name: &str) -> Option<u64> {
        let at = COLUMNS.iter().position(|c| c.family.name() == name).unwrap();
        parse(text.as_bytes())[at]
    }

    #[test]
    fn each_column_is_found_by_its_lines_name_and_place() {
        let text = "rw 28 7\nblk_map 1 2\nig 5 x 3\nxpc 1 2 3\n";
        assert_eq!(value(text, "node_xfs_write_calls_total"), Some(28));
        assert_eq!(value(text, "node_xfs_read_calls_total"), Some(7));
        assert_eq!(value(text, "node_xfs_block_mapping_writes_total"), Some(2));
        assert_eq!(value(text, "node_xfs_block_mapping_unmaps_total"), None);
        assert_eq!(value(text, "node_xfs_inode_operation_found_total"), None);
        assert_eq!(value(text, "node_xfs_inode_operation_recycled_total"), Some(3));
    }

    #[test]
    fn columns_of_one_line_stand_together() {
        for (i, column) in COLUMNS.iter().enumerate() {
            let first = COLUMNS.iter().position(|c| c.line == column.line).unwrap();
            assert!(COLUMNS[first..=i].iter().all(|c| c.line == column.line), "{}", column.line);
        }
    }

    #[test]
    fn without_xfs_there_are_no_samples_and_no_error() {
        let (samples, result) = collect(&SPEC, tree(&[]).path(), &[]);
        assert!(samples.is_empty() && result.is_ok());
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            parse(&[b"rw ", bytes.as_slice()].concat());
        }
    }
}
