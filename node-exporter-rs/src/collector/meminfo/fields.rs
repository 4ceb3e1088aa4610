//! The fields of `/proc/meminfo` that this build knows, in the order in which fs/proc/meminfo.c prints them.

use exporter_toolkit::{Described, Gauge};

const fn field(
    kernel: &'static str,
    name: &'static str,
    help: &'static str,
) -> (&'static str, Gauge<0>) {
    (kernel, Gauge::new(name, help, []))
}

/// What the kernel calls a field, and the family of its sample.
pub(super) static FIELDS: [(&str, Gauge<0>); 72] = [
    field(
        "MemTotal",
        "node_memory_MemTotal_bytes",
        "Memory that the kernel can use: all of it less what firmware and the kernel's image hold.",
    ),
    field("MemFree", "node_memory_MemFree_bytes", "Memory that nothing uses, not even as a cache."),
    field(
        "MemAvailable",
        "node_memory_MemAvailable_bytes",
        "Memory that new work can get without swapping: free memory and what caches can give back, as the kernel estimates it.",
    ),
    field(
        "Buffers",
        "node_memory_Buffers_bytes",
        "Cache of raw blocks of devices, such as file system metadata.",
    ),
    field(
        "Cached",
        "node_memory_Cached_bytes",
        "Cache of file contents, with shared memory and tmpfs, without the swap cache.",
    ),
    field(
        "SwapCached",
        "node_memory_SwapCached_bytes",
        "Memory that was swapped in again and still has its copy in swap.",
    ),
    field("Active", "node_memory_Active_bytes", "Memory used lately, which is reclaimed last."),
    field(
        "Inactive",
        "node_memory_Inactive_bytes",
        "Memory not used lately, which is reclaimed first.",
    ),
    field(
        "Active(anon)",
        "node_memory_Active_anon_bytes",
        "Memory of processes without a file behind it that was used lately.",
    ),
    field(
        "Inactive(anon)",
        "node_memory_Inactive_anon_bytes",
        "Memory of processes without a file behind it that was not used lately.",
    ),
    field(
        "Active(file)",
        "node_memory_Active_file_bytes",
        "Cached file contents that were used lately.",
    ),
    field(
        "Inactive(file)",
        "node_memory_Inactive_file_bytes",
        "Cached file contents that were not used lately.",
    ),
    field(
        "Unevictable",
        "node_memory_Unevictable_bytes",
        "Memory that cannot be reclaimed, for instance because it is locked.",
    ),
    field("Mlocked", "node_memory_Mlocked_bytes", "Memory that processes locked with mlock(2)."),
    field(
        "HighTotal",
        "node_memory_HighTotal_bytes",
        "Memory beyond what a 32-bit kernel maps at all times.",
    ),
    field(
        "HighFree",
        "node_memory_HighFree_bytes",
        "Free memory beyond what a 32-bit kernel maps at all times.",
    ),
    field(
        "LowTotal",
        "node_memory_LowTotal_bytes",
        "Memory that a 32-bit kernel maps at all times and needs for its own data.",
    ),
    field(
        "LowFree",
        "node_memory_LowFree_bytes",
        "Free memory that a 32-bit kernel maps at all times.",
    ),
    field(
        "MmapCopy",
        "node_memory_MmapCopy_bytes",
        "Memory that holds private file mappings on a machine without an MMU.",
    ),
    ("SwapTotal", Gauge::new("node_memory_SwapTotal_bytes", "Size of all swap areas.", [])),
    ("SwapFree", Gauge::new("node_memory_SwapFree_bytes", "Swap that is not in use.", [])),
    field("Zswap", "node_memory_Zswap_bytes", "Memory that compressed swap pages take in zswap."),
    field(
        "Zswapped",
        "node_memory_Zswapped_bytes",
        "Size, before compression, of the pages that zswap holds.",
    ),
    field("Dirty", "node_memory_Dirty_bytes", "Memory that waits to be written to a device."),
    field(
        "Writeback",
        "node_memory_Writeback_bytes",
        "Memory that is being written to a device now.",
    ),
    field(
        "AnonPages",
        "node_memory_AnonPages_bytes",
        "Memory of processes without a file behind it that is mapped now.",
    ),
    field(
        "Mapped",
        "node_memory_Mapped_bytes",
        "Cached file contents that processes have mapped, such as libraries.",
    ),
    field("Shmem", "node_memory_Shmem_bytes", "Shared memory and the contents of tmpfs."),
    field(
        "KReclaimable",
        "node_memory_KReclaimable_bytes",
        "Kernel memory that can be given back under pressure: reclaimable slab and other caches.",
    ),
    field(
        "Slab",
        "node_memory_Slab_bytes",
        "Memory of the kernel's allocator for its own objects.",
    ),
    field(
        "SReclaimable",
        "node_memory_SReclaimable_bytes",
        "The part of the slab that can be given back, such as caches of inodes and names.",
    ),
    field(
        "SUnreclaim",
        "node_memory_SUnreclaim_bytes",
        "The part of the slab that cannot be given back under pressure.",
    ),
    field(
        "KernelStack",
        "node_memory_KernelStack_bytes",
        "Memory of the kernel's stacks, one for each task.",
    ),
    field(
        "ShadowCallStack",
        "node_memory_ShadowCallStack_bytes",
        "Memory of the stacks that guard return addresses.",
    ),
    field("PageTables", "node_memory_PageTables_bytes", "Memory of the page tables of processes."),
    field(
        "SecPageTables",
        "node_memory_SecPageTables_bytes",
        "Memory of secondary page tables, such as those of virtual machines.",
    ),
    field(
        "Quicklists",
        "node_memory_Quicklists_bytes",
        "Memory kept at hand for page tables; gone since Linux 5.4.",
    ),
    field(
        "NFS_Unstable",
        "node_memory_NFS_Unstable_bytes",
        "Memory sent to an NFS server and not yet confirmed as stored; 0 since Linux 5.8.",
    ),
    field(
        "Bounce",
        "node_memory_Bounce_bytes",
        "Memory of copies for devices that cannot reach all addresses.",
    ),
    field(
        "WritebackTmp",
        "node_memory_WritebackTmp_bytes",
        "Memory that FUSE uses for copies while it writes back.",
    ),
    field(
        "CommitLimit",
        "node_memory_CommitLimit_bytes",
        "Memory that processes may be promised in all where overcommit is refused (vm.overcommit_memory=2).",
    ),
    field(
        "Committed_AS",
        "node_memory_Committed_AS_bytes",
        "Memory that processes were promised in all, used or not.",
    ),
    field(
        "VmallocTotal",
        "node_memory_VmallocTotal_bytes",
        "Size of the kernel's address space for memory that need not be contiguous.",
    ),
    field(
        "VmallocUsed",
        "node_memory_VmallocUsed_bytes",
        "Memory in the kernel's vmalloc address space.",
    ),
    field(
        "VmallocChunk",
        "node_memory_VmallocChunk_bytes",
        "Largest free block of the vmalloc address space; 0 since Linux 4.4.",
    ),
    field(
        "Percpu",
        "node_memory_Percpu_bytes",
        "Memory of the kernel's data that each CPU has a copy of.",
    ),
    field(
        "EarlyMemtestBad",
        "node_memory_EarlyMemtestBad_bytes",
        "Memory that the test at boot found broken.",
    ),
    field(
        "HardwareCorrupted",
        "node_memory_HardwareCorrupted_bytes",
        "Memory that the kernel has taken out of use because the hardware reported it broken.",
    ),
    field(
        "AnonHugePages",
        "node_memory_AnonHugePages_bytes",
        "Memory of processes without a file behind it in transparent huge pages.",
    ),
    field(
        "ShmemHugePages",
        "node_memory_ShmemHugePages_bytes",
        "Shared memory and tmpfs contents in huge pages.",
    ),
    field(
        "ShmemPmdMapped",
        "node_memory_ShmemPmdMapped_bytes",
        "Shared memory that processes have mapped as huge pages.",
    ),
    field(
        "FileHugePages",
        "node_memory_FileHugePages_bytes",
        "Cached file contents in huge pages.",
    ),
    field(
        "FilePmdMapped",
        "node_memory_FilePmdMapped_bytes",
        "Cached file contents that processes have mapped as huge pages.",
    ),
    field(
        "CmaTotal",
        "node_memory_CmaTotal_bytes",
        "Memory set aside for devices that need contiguous memory.",
    ),
    field(
        "CmaFree",
        "node_memory_CmaFree_bytes",
        "Free memory of what is set aside for devices that need contiguous memory.",
    ),
    field(
        "Unaccepted",
        "node_memory_Unaccepted_bytes",
        "Memory that a confidential guest has not yet accepted from its host.",
    ),
    field(
        "Balloon",
        "node_memory_Balloon_bytes",
        "Memory that a balloon driver has given back to the hypervisor.",
    ),
    field(
        "GPUActive",
        "node_memory_GPUActive_bytes",
        "Memory that graphics drivers hold for objects in use.",
    ),
    field(
        "GPUReclaim",
        "node_memory_GPUReclaim_bytes",
        "Memory of graphics drivers that can be given back under pressure.",
    ),
    field(
        "HugePages_Total",
        "node_memory_HugePages_Total",
        "Huge pages in the pool of the default size.",
    ),
    field(
        "HugePages_Free",
        "node_memory_HugePages_Free",
        "Huge pages of the pool that are not allocated.",
    ),
    field(
        "HugePages_Rsvd",
        "node_memory_HugePages_Rsvd",
        "Huge pages that are promised and not yet allocated.",
    ),
    field(
        "HugePages_Surp",
        "node_memory_HugePages_Surp",
        "Huge pages beyond the pool's configured number (vm.nr_overcommit_hugepages).",
    ),
    field(
        "Hugepagesize",
        "node_memory_Hugepagesize_bytes",
        "Size of a huge page of the default size.",
    ),
    field("Hugetlb", "node_memory_Hugetlb_bytes", "Memory of the huge page pools of all sizes."),
    field(
        "DirectMap4k",
        "node_memory_DirectMap4k_bytes",
        "Memory that the kernel maps with pages of 4 KiB.",
    ),
    field(
        "DirectMap64k",
        "node_memory_DirectMap64k_bytes",
        "Memory that the kernel maps with pages of 64 KiB.",
    ),
    field(
        "DirectMap1M",
        "node_memory_DirectMap1M_bytes",
        "Memory that the kernel maps with pages of 1 MiB.",
    ),
    field(
        "DirectMap2M",
        "node_memory_DirectMap2M_bytes",
        "Memory that the kernel maps with pages of 2 MiB.",
    ),
    field(
        "DirectMap4M",
        "node_memory_DirectMap4M_bytes",
        "Memory that the kernel maps with pages of 4 MiB.",
    ),
    field(
        "DirectMap1G",
        "node_memory_DirectMap1G_bytes",
        "Memory that the kernel maps with pages of 1 GiB.",
    ),
    field(
        "DirectMap2G",
        "node_memory_DirectMap2G_bytes",
        "Memory that the kernel maps with pages of 2 GiB.",
    ),
];

pub(super) static DESCRIBED: [&dyn Described; FIELDS.len()] = {
    let mut described: [&dyn Described; FIELDS.len()] = [&FIELDS[0].1; FIELDS.len()];
    let mut i = 0;
    while i < FIELDS.len() {
        described[i] = &FIELDS[i].1;
        i += 1;
    }
    described
};
