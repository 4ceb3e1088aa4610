use super::*;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{LazyLock, Mutex};

static ANSWER: Gauge<0> = Gauge::new("test_answer", "What the quick collector gives.", []);
static HELD: Gauge<0> = Gauge::new("test_held", "What the held collector gives.", []);

/// The held collector waits for a message here; a test that uses it holds `TURN`.
static GATE: LazyLock<(SyncSender<()>, Mutex<Receiver<()>>)> = LazyLock::new(|| {
    let (open, gate) = sync_channel(8);
    (open, Mutex::new(gate))
});

struct Test(&'static str);

impl Collector for Test {
    fn collect(&mut self, out: &mut Exposition) -> Result<(), CollectError> {
        match self.0 {
            "held" => {
                GATE.1.lock().unwrap().recv().ok();
                out.family(&HELD).sample((), 1_u8);
            }
            "broken" => {
                out.family(&ANSWER).sample((), 1_u8);
                return Err(CollectError::parse("x".as_ref(), "wrong", "line"));
            }
            "panics" => panic!("as the test wants it"),
            _ => out.family(&ANSWER).sample((), 42_u8),
        }
        Ok(())
    }
}

macro_rules! spec {
    ($name:literal) => {{
        static SPEC: Spec = Spec {
            name: $name,
            enabled: true,
            about: "",
            flags: &[],
            families: &[],
            build: |_| Ok(Box::new(Test($name))),
        };
        &SPEC
    }};
}

fn scrape(scraper: &mut Scraper, wanted: &Selection, ms: u64) -> String {
    let mut text = Vec::new();
    let deadline = Instant::now() + Duration::from_millis(ms);
    let more = Exposition::default();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(scraper.scrape(wanted, Format::Text, deadline, &more, &mut text));
    String::from_utf8(text).unwrap()
}

#[test]
fn a_collector_that_hangs_costs_its_own_samples_and_nothing_else() {
    let specs: &[&Spec] = &[spec!("held"), spec!("quick")];
    let mut scraper = Scraper::new(specs, &Setup::default(), &[]).unwrap();
    for round in 1..=3 {
        let text = scrape(&mut scraper, &Selection::All, if round == 1 { 200 } else { 60_000 });
        assert!(text.contains("test_answer 42\n"), "{text}");
        assert!(!text.contains("test_held"), "{text}");
        assert!(text.contains("node_scrape_collector_success{collector=\"held\"} 0\n"), "{text}");
        assert!(text.contains("node_scrape_collector_success{collector=\"quick\"} 1\n"), "{text}");
        let late = scraper.counts.late.get_or_create(&[("collector", "held")]).get();
        assert_eq!(late, round);
    }
    // One message ends the first run, one lets the run of the scrape that follows through.
    GATE.0.send(()).unwrap();
    GATE.0.send(()).unwrap();
    let mut text = String::new();
    for _ in 0..1000 {
        text = scrape(&mut scraper, &Selection::All, 60_000);
        if text.contains("test_held 1\n") {
            break;
        }
        std::thread::yield_now();
    }
    assert!(text.contains("node_scrape_collector_success{collector=\"held\"} 1\n"), "{text}");
}

#[test]
fn what_a_failing_collector_wrote_before_is_kept() {
    let specs: &[&Spec] = &[spec!("broken")];
    let mut scraper = Scraper::new(specs, &Setup::default(), &[]).unwrap();
    let text = scrape(&mut scraper, &Selection::All, 60_000);
    assert!(text.contains("test_answer 1\n"), "{text}");
    assert!(text.contains("node_scrape_collector_success{collector=\"broken\"} 0\n"), "{text}");
    assert_eq!(scraper.standings()[0].state, State::Failed("x: wrong: \"line\"".into()));
}

#[test]
fn a_panic_is_one_collectors_failure_and_counted() {
    let specs: &[&Spec] = &[spec!("panics"), spec!("quick")];
    let mut scraper = Scraper::new(specs, &Setup::default(), &[]).unwrap();
    for round in 1..=2 {
        let text = scrape(&mut scraper, &Selection::All, 60_000);
        assert!(text.contains("test_answer 42\n"), "{text}");
        let panics = scraper.counts.panics.get_or_create(&[("collector", "panics")]).get();
        assert_eq!(panics, round);
    }
}

#[test]
fn only_what_is_selected_answers() {
    let specs: &[&Spec] = &[spec!("broken"), spec!("quick")];
    let mut scraper = Scraper::new(specs, &Setup::default(), &[]).unwrap();
    scrape(&mut scraper, &Selection::All, 60_000);
    let only = Selection::Only([String::from("quick")].into());
    let text = scrape(&mut scraper, &only, 60_000);
    assert!(text.contains("test_answer 42\n"), "{text}");
    assert!(!text.contains("broken"), "{text}");
}
