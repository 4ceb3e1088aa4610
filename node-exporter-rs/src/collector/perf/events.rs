//! The events, each with its profiler's name in the flags and its family (`linux/perf_event.h`).

use exporter_toolkit::{Counter, Described};

/// Where an event comes from.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Source {
    Hardware,
    Software,
    Cache,
}

impl Source {
    /// `PERF_TYPE_…`.
    pub(super) const fn number(self) -> u32 {
        match self {
            Self::Hardware => 0,
            Self::Software => 1,
            Self::Cache => 3,
        }
    }
}

/// `PERF_TYPE_TRACEPOINT`.
pub(super) const TRACEPOINT: u32 = 2;

#[derive(Debug)]
pub(super) struct Event {
    pub source: Source,
    /// What the flags call it.
    pub profiler: &'static str,
    pub config: u64,
    pub family: Counter<1>,
}

const fn hardware(
    profiler: &'static str,
    config: u64,
    family: &'static str,
    help: &'static str,
) -> Event {
    Event {
        source: Source::Hardware,
        profiler,
        config,
        family: Counter::new(family, help, ["cpu"]),
    }
}

const fn software(
    profiler: &'static str,
    config: u64,
    family: &'static str,
    help: &'static str,
) -> Event {
    Event {
        source: Source::Software,
        profiler,
        config,
        family: Counter::new(family, help, ["cpu"]),
    }
}

/// `config` is the cache, what is done with it and how that ends: `PERF_COUNT_HW_CACHE_…`.
const fn cache(
    profiler: &'static str,
    config: [u64; 3],
    family: &'static str,
    help: &'static str,
) -> Event {
    let [cache, operation, result] = config;
    let config = cache | operation << 8 | result << 16;
    Event { source: Source::Cache, profiler, config, family: Counter::new(family, help, ["cpu"]) }
}

const L1D: u64 = 0;
const L1I: u64 = 1;
const LL: u64 = 2;
const DTLB: u64 = 3;
const ITLB: u64 = 4;
const BPU: u64 = 5;
const READ: u64 = 0;
const WRITE: u64 = 1;
const ACCESS: u64 = 0;
const MISS: u64 = 1;

/// What the peer calls hits are accesses: those that find something and those that do not.
pub(super) static EVENTS: [Event; 30] = [
    hardware(
        "CpuCycles",
        0,
        "node_perf_cpucycles_total",
        "Cycles of the CPU, at whatever frequency it ran.",
    ),
    hardware("CpuInstr", 1, "node_perf_instructions_total", "Instructions that the CPU completed."),
    hardware(
        "CacheRef",
        2,
        "node_perf_cache_refs_total",
        "Uses of the cache, mostly of the last level.",
    ),
    hardware(
        "CacheMisses",
        3,
        "node_perf_cache_misses_total",
        "Uses of the cache, mostly of the last level, that found nothing.",
    ),
    hardware(
        "BranchInstr",
        4,
        "node_perf_branch_instructions_total",
        "Branches that the CPU completed.",
    ),
    hardware(
        "BranchMisses",
        5,
        "node_perf_branch_misses_total",
        "Branches that the CPU had predicted wrongly.",
    ),
    hardware(
        "StalledCyclesBackend",
        8,
        "node_perf_stalled_cycles_backend_total",
        "Cycles in which the CPU waited for results.",
    ),
    hardware(
        "StalledCyclesFrontend",
        7,
        "node_perf_stalled_cycles_frontend_total",
        "Cycles in which the CPU waited for instructions.",
    ),
    hardware(
        "RefCpuCycles",
        9,
        "node_perf_ref_cpucycles_total",
        "Cycles of the CPU, counted at its nominal frequency.",
    ),
    software("PageFault", 2, "node_perf_page_faults_total", "Page faults."),
    software(
        "ContextSwitch",
        3,
        "node_perf_context_switches_total",
        "Switches from one task to another.",
    ),
    software(
        "CpuMigration",
        4,
        "node_perf_cpu_migrations_total",
        "Tasks that came from another CPU.",
    ),
    software("MinorFault", 5, "node_perf_minor_faults_total", "Page faults that needed no disk."),
    software("MajorFault", 6, "node_perf_major_faults_total", "Page faults that needed a disk."),
    cache(
        "L1DataReadHit",
        [L1D, READ, ACCESS],
        "node_perf_cache_l1d_read_hits_total",
        "Reads of the first level's data cache.",
    ),
    cache(
        "L1DataReadMiss",
        [L1D, READ, MISS],
        "node_perf_cache_l1d_read_misses_total",
        "Reads of the first level's data cache that found nothing.",
    ),
    cache(
        "L1DataWriteHit",
        [L1D, WRITE, ACCESS],
        "node_perf_cache_l1d_write_hits_total",
        "Writes to the first level's data cache.",
    ),
    cache(
        "L1InstrReadMiss",
        [L1I, READ, MISS],
        "node_perf_cache_l1_instr_read_misses_total",
        "Reads of the first level's instruction cache that found nothing.",
    ),
    cache(
        "InstrTLBReadHit",
        [ITLB, READ, ACCESS],
        "node_perf_cache_tlb_instr_read_hits_total",
        "Lookups of instructions' addresses (TLB).",
    ),
    cache(
        "InstrTLBReadMiss",
        [ITLB, READ, MISS],
        "node_perf_cache_tlb_instr_read_misses_total",
        "Lookups of instructions' addresses (TLB) that found nothing.",
    ),
    cache(
        "DataTLBReadHit",
        [DTLB, READ, ACCESS],
        "node_perf_cache_tlb_data_read_hits_total",
        "Lookups of addresses (TLB) to read data.",
    ),
    cache(
        "DataTLBReadMiss",
        [DTLB, READ, MISS],
        "node_perf_cache_tlb_data_read_misses_total",
        "Lookups of addresses (TLB) to read data that found nothing.",
    ),
    cache(
        "DataTLBWriteHit",
        [DTLB, WRITE, ACCESS],
        "node_perf_cache_tlb_data_write_hits_total",
        "Lookups of addresses (TLB) to write data.",
    ),
    cache(
        "DataTLBWriteMiss",
        [DTLB, WRITE, MISS],
        "node_perf_cache_tlb_data_write_misses_total",
        "Lookups of addresses (TLB) to write data that found nothing.",
    ),
    cache(
        "LLReadHit",
        [LL, READ, ACCESS],
        "node_perf_cache_ll_read_hits_total",
        "Reads of the last level's cache.",
    ),
    cache(
        "LLReadMiss",
        [LL, READ, MISS],
        "node_perf_cache_ll_read_misses_total",
        "Reads of the last level's cache that found nothing.",
    ),
    cache(
        "LLWriteHit",
        [LL, WRITE, ACCESS],
        "node_perf_cache_ll_write_hits_total",
        "Writes to the last level's cache.",
    ),
    cache(
        "LLWriteMiss",
        [LL, WRITE, MISS],
        "node_perf_cache_ll_write_misses_total",
        "Writes to the last level's cache that found nothing.",
    ),
    cache(
        "BPUReadHit",
        [BPU, READ, ACCESS],
        "node_perf_cache_bpu_read_hits_total",
        "Predictions of branches.",
    ),
    cache(
        "BPUReadMiss",
        [BPU, READ, MISS],
        "node_perf_cache_bpu_read_misses_total",
        "Predictions of branches that found nothing.",
    ),
];

/// For the collector's [`super::SPEC`].
pub(super) static FAMILIES: [&'static dyn Described; 30] = {
    let mut families: [&'static dyn Described; 30] = [&EVENTS[0].family; 30];
    let mut i = 0;
    while i < families.len() {
        families[i] = &EVENTS[i].family;
        i += 1;
    }
    families
};
