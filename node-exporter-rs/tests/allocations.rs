//! The hot collectors allocate nothing in the steady state: what they read, they read into memory that they keep.
//!
//! Reads this very host. A collector that this host gives no data says that it was skipped.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use exporter_toolkit::{Exposition, Format};
use node_exporter_rs::collector::{COLLECTORS, Setup};

thread_local! {
    static COUNT: Cell<usize> = const { Cell::new(0) };
}

struct Counting;

#[expect(unsafe_code, reason = "counting allocations needs an allocator, which is an unsafe trait")]
// SAFETY: every call is passed on to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        COUNT.with(|count| count.set(count.get() + 1));
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        COUNT.with(|count| count.set(count.get() + 1));
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Those that read every host at every scrape and the most of it.
const HOT: &[&str] = &[
    "conntrack",
    "cpu",
    "diskstats",
    "entropy",
    "filefd",
    "loadavg",
    "meminfo",
    "netdev",
    "netstat",
    "pressure",
    "schedstat",
    "sockstat",
    "softnet",
    "stat",
    "udp_queues",
    "vmstat",
];

/// Allocations of the collector's fifth run; `None` where this host gives it no data.
fn allocations(name: &str) -> Option<usize> {
    let spec = COLLECTORS.iter().find(|spec| spec.name == name)?;
    let mut collector = (spec.build)(&Setup::default()).ok()?;
    let mut out = Exposition::new(Format::Text);
    let mut count = 0;
    for _ in 0..5 {
        out.restart(Format::Text);
        let before = COUNT.with(Cell::get);
        let result = collector.collect(&mut out);
        count = COUNT.with(Cell::get) - before;
        if let Err(error) = result {
            eprintln!("skipped: {name}: {error}");
            return None;
        }
    }
    Some(count)
}

#[test]
fn hot_collectors_allocate_nothing_in_the_steady_state() {
    let found: Vec<_> = HOT.iter().map(|name| (*name, allocations(name))).collect();
    let wrong: Vec<_> = found.iter().filter(|(_, count)| count.is_some_and(|n| n > 0)).collect();
    assert!(wrong.is_empty(), "allocations in a scrape: {wrong:?}");
    assert!(found.iter().any(|(_, count)| count.is_some()), "no collector gave data");
}
