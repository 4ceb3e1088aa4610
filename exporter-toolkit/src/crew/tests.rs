use super::*;
use std::sync::mpsc::{Receiver, sync_channel};

struct Count {
    runs: usize,
    panics: usize,
    gate: Option<Receiver<()>>,
    breaks: bool,
}

impl Job for Count {
    fn run(&mut self) {
        if let Some(gate) = &self.gate {
            gate.recv().ok();
        }
        assert!(!self.breaks, "as the test wants it");
        self.runs += 1;
    }

    fn panicked(&mut self) {
        self.panics += 1;
    }
}

fn job(gate: Option<Receiver<()>>) -> Count {
    Count { runs: 0, panics: 0, gate, breaks: false }
}

fn in_ms(ms: u64) -> Instant {
    Instant::now() + Duration::from_millis(ms)
}

fn runs(crew: &Crew<Count>) -> Vec<Option<usize>> {
    crew.jobs().map(|job| job.map(|job| job.runs)).collect()
}

#[test]
fn quick_jobs_all_run_on_one_thread() {
    let mut crew = Crew::new("test", (0..100).map(|_| job(None)).collect(), 8)
        .patience(Duration::from_mins(1));
    crew.round(|_| true, in_ms(60_000));
    crew.round(|_| true, in_ms(60_000));
    assert_eq!(runs(&crew), vec![Some(2); 100]);
    assert_eq!(crew.shared.lock().workers, 1);
}

#[test]
fn a_job_that_hangs_is_left_behind_and_comes_home_later() {
    let (open, gate) = sync_channel(1);
    let jobs = vec![job(None), job(Some(gate)), job(None), job(None)];
    let mut crew = Crew::new("test", jobs, 2).patience(Duration::from_millis(1));
    crew.round(|_| true, in_ms(300));
    assert_eq!(runs(&crew), [Some(1), None, Some(1), Some(1)]);
    // It costs the next rounds nothing: they do not wait for it.
    for _ in 0..50 {
        crew.round(|_| true, in_ms(60_000));
    }
    assert_eq!(runs(&crew), [Some(51), None, Some(51), Some(51)]);
    assert_eq!(crew.shared.lock().workers, 2);
    open.send(()).unwrap();
    while runs(&crew)[1].is_none() {
        crew.round(|_| false, in_ms(60_000));
        thread::yield_now();
    }
    assert_eq!(runs(&crew)[1], Some(1));
}

#[test]
fn a_job_that_panics_is_told_and_runs_again() {
    let mut crew = Crew::new("test", vec![job(None), job(None)], 2);
    crew.round(
        |job| {
            job.breaks = job.panics == 0;
            true
        },
        in_ms(60_000),
    );
    assert_eq!(crew.jobs().map(|j| j.unwrap().panics).collect::<Vec<_>>(), [1, 1]);
    crew.round(
        |job| {
            job.breaks = false;
            true
        },
        in_ms(60_000),
    );
    assert_eq!(runs(&crew), [Some(1), Some(1)]);
}

#[test]
fn a_job_that_is_taken_away_leaves_its_number_to_the_next_while_another_hangs() {
    let (open, gate) = sync_channel(1);
    let jobs = vec![job(None), job(Some(gate)), job(None)];
    let mut crew = Crew::new("test", jobs, 2).patience(Duration::from_millis(1));
    crew.round(|_| true, in_ms(300));
    assert_eq!((crew.len(), crew.away()), (3, 1));
    crew.retain(|job| job.gate.is_some());
    assert_eq!((crew.len(), crew.away()), (1, 1));
    assert_eq!(crew.push(job(None)), 0);
    assert_eq!(crew.push(job(None)), 2);
    assert_eq!(crew.push(job(None)), 3);
    crew.round(|_| true, in_ms(60_000));
    assert_eq!(runs(&crew), [Some(1), None, Some(1), Some(1)]);
    assert_eq!(crew.job(3).map(|job| job.runs), Some(1));
    open.send(()).unwrap();
    while crew.away() > 0 {
        crew.round(|_| false, in_ms(60_000));
        thread::yield_now();
    }
    crew.retain(|job| job.gate.is_none());
    assert_eq!((crew.len(), crew.job(1).is_none()), (3, true));
}

#[test]
fn a_worker_that_waits_is_called_before_another_is_hired() {
    let (open, gate) = sync_channel(1);
    let jobs = vec![job(Some(gate)), job(None)];
    let mut crew = Crew::new("test", jobs, 2).patience(Duration::from_millis(1));
    for _ in 0..3 {
        // The first job holds one of the two threads that the limit allows, so that the second needs the other.
        crew.round(|_| true, in_ms(300));
        assert_eq!(crew.away(), 1);
        open.send(()).unwrap();
        while crew.away() > 0 {
            crew.round(|_| false, in_ms(60_000));
            thread::yield_now();
        }
    }
    assert_eq!(runs(&crew), [Some(3), Some(3)]);
    assert_eq!(crew.shared.lock().workers, 2);
}

#[test]
fn with_every_thread_stuck_the_rest_comes_home_unrun_at_the_deadline() {
    let (_keep, gate) = sync_channel(1);
    let mut crew = Crew::new("test", vec![job(Some(gate)), job(None)], 1);
    crew.round(|_| true, in_ms(100));
    assert_eq!(runs(&crew), [None, Some(0)]);
}
