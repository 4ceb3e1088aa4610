//! What it costs to turn one object into samples: `cargo bench -p kube-state-rs --bench render`.
//!
//! `pod.json` is a pod as an API server sends it: two containers, 7.2 kB, 50 samples. Time is the best of some rounds,
//! as other programs only ever make it longer; allocations are counted exactly.

#![allow(clippy::unwrap_used, reason = "a bench, which may end with a message")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::hint::black_box;
use std::io::{self, Write as _};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use kube_state_rs::rendered::Rendered;
use kube_state_rs::resource::{BuiltIn, Renderer as _, find};
use kube_state_rs::selection::Selection;

const POD: &[u8] = include_bytes!("pod.json");
const ROUNDS: u32 = 40;
const OBJECTS: u32 = 2000;

static COUNT: AtomicUsize = AtomicUsize::new(0);

struct Counting;

#[expect(unsafe_code, reason = "counting allocations needs an allocator, which is an unsafe trait")]
// SAFETY: every call is passed on to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        COUNT.fetch_add(1, Ordering::Relaxed);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        COUNT.fetch_add(1, Ordering::Relaxed);
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn main() -> io::Result<()> {
    let pods = find("pods").unwrap();
    let read = measure(&BuiltIn::new(pods, Selection::default(), |_| false));
    let both = measure(&BuiltIn::default_of(pods));
    let mut out = io::stdout();
    writeln!(out, "a pod: {} bytes of JSON, {} bytes of samples", POD.len(), both.bytes)?;
    writeln!(out, "{:<10} {:>9} {:>12}", "", "ns/pod", "allocations")?;
    writeln!(out, "{:<10} {:>9} {:>12}", "read", read.time.as_nanos(), read.allocations)?;
    let (time, allocations) =
        (both.time.saturating_sub(read.time), both.allocations - read.allocations);
    writeln!(out, "{:<10} {:>9} {:>12}", "write", time.as_nanos(), allocations)?;
    writeln!(out, "{:<10} {:>9} {:>12}", "both", both.time.as_nanos(), both.allocations)
}

struct Cost {
    bytes: usize,
    time: Duration,
    allocations: usize,
}

fn measure(renderer: &BuiltIn) -> Cost {
    let mut out = Rendered::default();
    let mut time = Duration::MAX;
    for _ in 0..ROUNDS {
        let start = Instant::now();
        for _ in 0..OBJECTS {
            renderer.render(black_box(POD), &mut out).unwrap();
        }
        time = time.min(start.elapsed() / OBJECTS);
    }
    let before = COUNT.load(Ordering::Relaxed);
    renderer.render(POD, &mut out).unwrap();
    let allocations = COUNT.load(Ordering::Relaxed) - before;
    Cost { bytes: out.text().len(), time, allocations }
}
