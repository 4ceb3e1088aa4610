//! A scrape's samples allocate nothing once the memory has grown: not one allocation for 20,000 samples.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

use exporter_toolkit::name::{LabelName, MetricName};
use exporter_toolkit::{Counter, Exposition, Format, Gauge, Kind, Merger};

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

static SECONDS: Counter<2> = Counter::new("demo_seconds_total", "Seconds.", ["cpu", "mode"]);
static SIZE: Gauge<1> = Gauge::new("demo_size_bytes", "Size.", ["device"]);
static DEVICE: LabelName = LabelName::fixed("device");

fn scrape(
    format: Format,
    parts: &mut [Exposition; 2],
    name: &mut MetricName,
    merger: &mut Merger,
    text: &mut Vec<u8>,
) {
    let [one, two] = parts;
    one.restart(format);
    let mut seconds = one.family(&SECONDS);
    for cpu in 0..1000_u32 {
        for mode in ["user", "system", "idle", "iowait", "irq", "softirq", "steal", "ni\"ce"] {
            seconds.sample((cpu, mode), f64::from(cpu) * 0.37);
        }
    }
    two.restart(format);
    let mut sizes = two.family(&SIZE);
    for device in 0..6000_u64 {
        sizes.sample(format_args!("sd{device}"), device << 20);
    }
    for field in 0..600_u32 {
        name.set(&["demo_", if field % 2 == 0 { "even" } else { "odd(x)" }, "_bytes"]);
        let mut samples = two.dynamic(name, Kind::Gauge, "A field.");
        for device in ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"] {
            samples.sample([(&DEVICE, device)], 1e9);
        }
    }
    text.clear();
    merger.merge(&[&*one, &*two], format, text);
}

#[test]
fn twenty_thousand_samples_allocate_nothing_in_the_steady_state() {
    let mut parts = [Exposition::default(), Exposition::default()];
    let (mut name, mut merger, mut text) = (MetricName::default(), Merger::default(), Vec::new());
    for format in [Format::Text, Format::OpenMetrics] {
        for _ in 0..3 {
            scrape(format, &mut parts, &mut name, &mut merger, &mut text);
        }
        let before = COUNT.load(Ordering::Relaxed);
        for _ in 0..5 {
            scrape(format, &mut parts, &mut name, &mut merger, &mut text);
        }
        assert_eq!(COUNT.load(Ordering::Relaxed) - before, 0, "{format:?}");
        let samples = text.split(|&b| b == b'\n').filter(|l| l.starts_with(b"demo_")).count();
        assert_eq!(samples, 20_000);
    }
}
