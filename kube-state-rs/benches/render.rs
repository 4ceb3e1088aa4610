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
const ROUNDS: u32 = 1000;
const OBJECTS: u32 = 100;

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
    let nothing = BuiltIn::new(pods, Selection::default(), |_| false);
    let [read, both] = measure([nothing, BuiltIn::default_of(pods)]);
    let write = Cost {
        time: both.time.saturating_sub(read.time),
        allocations: both.allocations - read.allocations,
        bytes: both.bytes,
    };
    let mut out = io::stdout();
    writeln!(out, "a pod: {} bytes of JSON, {} bytes of samples", POD.len(), both.bytes)?;
    writeln!(out, "{:<6} {:>8} {:>12}", "", "ns/pod", "allocations")?;
    for (name, cost) in [("read", read), ("write", write), ("both", both)] {
        writeln!(out, "{name:<6} {:>8} {:>12}", cost.time.as_nanos(), cost.allocations)?;
    }
    Ok(())
}

struct Cost {
    bytes: usize,
    time: Duration,
    allocations: usize,
}

/// What one object costs each of the renderers; they take turns, so that all meet the same noise.
fn measure<const N: usize>(renderers: [BuiltIn; N]) -> [Cost; N] {
    let mut out = Rendered::default();
    let mut times = [Duration::MAX; N];
    for _ in 0..ROUNDS {
        for (renderer, time) in renderers.iter().zip(&mut times) {
            let start = Instant::now();
            for _ in 0..OBJECTS {
                renderer.render(black_box(POD), &mut out).unwrap();
            }
            *time = (*time).min(start.elapsed() / OBJECTS);
        }
    }
    let mut times = times.into_iter();
    renderers.map(|renderer| {
        let before = COUNT.load(Ordering::Relaxed);
        renderer.render(POD, &mut out).unwrap();
        let allocations = COUNT.load(Ordering::Relaxed) - before;
        Cost { bytes: out.text().len(), time: times.next().unwrap_or_default(), allocations }
    })
}
