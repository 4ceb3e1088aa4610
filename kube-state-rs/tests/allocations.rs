//! To write a pod's samples allocates nothing once the memory has grown; to read it, one block for each text and list.

#![allow(clippy::unwrap_used, reason = "a test, whose helpers are part of it")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

use kube_state_rs::rendered::Rendered;
use kube_state_rs::resource::{BuiltIn, Renderer as _, find};
use kube_state_rs::selection::Selection;

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

/// The allocations of one rendering, after another one.
fn count(renderer: &BuiltIn) -> usize {
    let pod = include_bytes!("../benches/pod.json");
    let mut out = Rendered::default();
    renderer.render(pod, &mut out).unwrap();
    let before = COUNT.load(Ordering::Relaxed);
    renderer.render(pod, &mut out).unwrap();
    COUNT.load(Ordering::Relaxed) - before
}

#[test]
fn a_pod_is_written_without_an_allocation() {
    let pods = find("pods").unwrap();
    let read = count(&BuiltIn::new(pods, Selection::default(), |_| false));
    assert_eq!(count(&BuiltIn::default_of(pods)), read);
    assert!(read <= 80, "{read} to read it");
}
