//! Runs jobs that may block for ever, one after another on one thread while they are quick, and past those that hang.
//!
//! A kernel file or a mount point can hold a thread in a system call that no signal ends. A [`Crew`] gives such a call to
//! a worker thread and moves on: when no job has ended for [`Crew::patience`], another worker takes the next one. A job
//! that is still away at the deadline is left behind and comes home in a later round; until then it is not run again, so
//! each job holds one thread at most, and a healthy crew is one thread.

mod nearby;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use nearby::{Nearby, Worker};

/// A piece of work with its own memory, run again and again.
pub trait Job: Send + 'static {
    fn run(&mut self);

    /// Told that the last [`Job::run`] unwound.
    fn panicked(&mut self) {}
}

/// Jobs and the threads that run them.
#[derive(Debug)]
pub struct Crew<J> {
    jobs: Vec<Place<J>>,
    shared: Arc<Shared<J>>,
    limit: usize,
    patience: Duration,
}

/// Where a job is. Its number is its place, which is how it finds home again.
#[derive(Debug)]
enum Place<J> {
    Home(J),
    Away,
    /// Free for the next job.
    Vacant,
}

impl<J> Place<J> {
    fn home(&self) -> Option<&J> {
        match self {
            Self::Home(job) => Some(job),
            Self::Away | Self::Vacant => None,
        }
    }

    /// Sends a job away that is at home and that `prepare` accepts.
    fn send(&mut self, prepare: impl FnOnce(&mut J) -> bool) -> Option<J> {
        if self.home_mut().is_none_or(|job| !prepare(job)) {
            return None;
        }
        match std::mem::replace(self, Self::Away) {
            Self::Home(job) => Some(job),
            Self::Away | Self::Vacant => None,
        }
    }

    fn home_mut(&mut self) -> Option<&mut J> {
        match self {
            Self::Home(job) => Some(job),
            Self::Away | Self::Vacant => None,
        }
    }
}

#[derive(Debug)]
struct Shared<J> {
    name: String,
    state: Mutex<State<J>>,
    work: Condvar,
    /// Told when a round's last job is finished: the one for those who block, the other for those who must not.
    done: Condvar,
    home: Notify,
}

#[derive(Debug)]
struct State<J> {
    queue: VecDeque<(usize, J)>,
    finished: Vec<(usize, J)>,
    /// Counts the rounds, so that a job of an earlier one that ends now is not taken for one of this.
    round: u64,
    /// Jobs of this round that are not finished.
    pending: usize,
    /// Whether who waits for them blocks: [`Crew::round`] and not [`Crew::round_async`].
    blocks: bool,
    workers: usize,
    idle: usize,
    closed: bool,
    nearby: Nearby,
    /// The worker that waits for work, where it is the only one there is.
    alone: Option<Worker>,
}

/// How long a worker that others outnumber waits for work before it ends.
const IDLE: Duration = Duration::from_secs(5);
/// What a worker's stack may grow to; only what is used of it is memory.
const STACK: usize = 512 * 1024;

impl<J: Job> Crew<J> {
    /// `limit` is the number of threads at most; `name` is theirs in `ps -L`.
    pub fn new(name: &str, jobs: Vec<J>, limit: usize) -> Self {
        let count = jobs.len();
        let state = State {
            queue: VecDeque::with_capacity(count),
            finished: Vec::with_capacity(count),
            round: 0,
            pending: 0,
            blocks: false,
            workers: 0,
            idle: 0,
            closed: false,
            nearby: Nearby::new(),
            alone: None,
        };
        Self {
            jobs: jobs.into_iter().map(Place::Home).collect(),
            shared: Arc::new(Shared {
                name: name.to_owned(),
                state: Mutex::new(state),
                work: Condvar::new(),
                done: Condvar::new(),
                home: Notify::new(),
            }),
            limit: limit.max(1),
            patience: Duration::from_millis(25),
        }
    }

    /// How long the crew waits for any job to end before another worker takes the next.
    #[must_use]
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Changes the number of threads at most, from the next hiring on. Those that hang count.
    pub fn set_limit(&mut self, limit: usize) {
        self.limit = limit.max(1);
    }

    /// The jobs in their order; `None` for one that has not come home yet.
    pub fn jobs(&self) -> impl Iterator<Item = Option<&J>> {
        self.jobs.iter().filter(|place| !matches!(place, Place::Vacant)).map(Place::home)
    }

    /// The job of this number; `None` where it has not come home yet, or was taken away.
    pub fn job(&self, number: usize) -> Option<&J> {
        self.jobs.get(number).and_then(Place::home)
    }

    /// How many jobs there are, at home or not.
    pub fn len(&self) -> usize {
        self.jobs.iter().filter(|place| !matches!(place, Place::Vacant)).count()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many jobs have not come home as far as was seen: each of them may hold a thread.
    pub fn away(&self) -> usize {
        self.jobs.iter().filter(|place| matches!(place, Place::Away)).count()
    }

    /// Adds a job and gives its number, which stays its own until [`Crew::retain`] takes it away.
    pub fn push(&mut self, job: J) -> usize {
        let vacant = self.jobs.iter().position(|place| matches!(place, Place::Vacant));
        let number = vacant.unwrap_or(self.jobs.len());
        if vacant.is_none() {
            self.jobs.push(Place::Vacant);
        }
        self.jobs[number] = Place::Home(job);
        number
    }

    /// Takes away the jobs at home that `keep` refuses; their numbers are given to later ones. Those that are away stay.
    pub fn retain(&mut self, mut keep: impl FnMut(&J) -> bool) {
        self.collect_finished();
        for place in &mut self.jobs {
            if place.home().is_some_and(|job| !keep(job)) {
                *place = Place::Vacant;
            }
        }
    }

    /// Runs every job at home that `prepare` accepts. Returns when all of them are back, or at the deadline; then a job
    /// that was not begun is home again without having run, and one that hangs stays away.
    pub fn round(&mut self, prepare: impl FnMut(&mut J) -> bool, deadline: Instant) {
        self.begin(prepare, true);
        let shared = Arc::clone(&self.shared);
        let mut state = shared.lock();
        while let Some(time) = self.turn(&mut state, deadline) {
            let before = state.pending;
            state = shared
                .done
                .wait_timeout_while(state, time, |state| state.pending > 0)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
            self.encourage(state, before);
            state = shared.lock();
        }
        drop(state);
        self.collect_finished();
    }

    /// As [`Crew::round`], for a caller that must not block. Where its future is dropped, what was begun comes home in a
    /// later round.
    pub async fn round_async(&mut self, prepare: impl FnMut(&mut J) -> bool, deadline: Instant) {
        self.begin(prepare, false);
        let shared = Arc::clone(&self.shared);
        loop {
            let (time, before) = {
                let mut state = shared.lock();
                let Some(time) = self.turn(&mut state, deadline) else { break };
                (time, state.pending)
            };
            // Whether it was told or lost its patience, the state says.
            let _told = tokio::time::timeout(time, shared.home.notified()).await;
            self.encourage(shared.lock(), before);
        }
        self.collect_finished();
    }

    /// Puts the jobs in line and calls for a worker.
    fn begin(&mut self, mut prepare: impl FnMut(&mut J) -> bool, blocks: bool) {
        let shared = Arc::clone(&self.shared);
        let mut state = shared.lock();
        self.recall(&mut state);
        for (id, job) in state.finished.drain(..) {
            self.jobs[id] = Place::Home(job);
        }
        // Each of these holds a worker that cannot take part.
        let stuck = self.away();
        state.round += 1;
        state.blocks = blocks;
        for (id, place) in self.jobs.iter_mut().enumerate() {
            if let Some(job) = place.send(&mut prepare) {
                state.queue.push_back((id, job));
            }
        }
        state.pending = state.queue.len();
        if state.pending == 0 || (state.idle == 0 && state.workers > stuck) {
            return;
        }
        match state.alone {
            Some(worker) if state.idle == 1 && state.workers == 1 => state.nearby.hold(worker),
            _ => state.nearby.let_go(),
        }
        self.call(state);
    }

    /// How long to wait for this round's jobs; `None` where they are all finished, or the deadline passed and what no
    /// worker has begun is home again.
    fn turn(&mut self, state: &mut State<J>, deadline: Instant) -> Option<Duration> {
        if state.pending == 0 {
            return None;
        }
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            self.recall(state);
            return None;
        }
        Some(left.min(self.patience))
    }

    /// Calls for one more worker where no job ended for as long as patience lasted.
    fn encourage(&self, mut state: MutexGuard<'_, State<J>>, before: usize) {
        if state.pending != before {
            return;
        }
        state.nearby.let_go();
        if !state.queue.is_empty() {
            self.call(state);
        }
    }

    /// Takes home the jobs that no worker has begun.
    fn recall(&mut self, state: &mut State<J>) {
        while let Some((id, job)) = state.queue.pop_front() {
            self.jobs[id] = Place::Home(job);
        }
    }

    /// Wakes a worker that waits for work, or hires one more where none does and the limit allows.
    fn call(&self, mut state: MutexGuard<'_, State<J>>) {
        if state.idle > 0 {
            // Who is woken wants the lock at once.
            drop(state);
            return self.shared.work.notify_one();
        }
        if state.workers >= self.limit {
            return;
        }
        let shared = Arc::clone(&self.shared);
        let thread = thread::Builder::new().name(self.shared.name.clone()).stack_size(STACK);
        match thread.spawn(move || shared.work()) {
            Ok(_detached) => state.workers += 1,
            Err(error) => tracing::warn!(%error, "no thread for a worker"),
        }
    }

    fn collect_finished(&mut self) {
        for (id, job) in self.shared.lock().finished.drain(..) {
            self.jobs[id] = Place::Home(job);
        }
    }
}

impl<J> Drop for Crew<J> {
    fn drop(&mut self) {
        self.shared.lock().closed = true;
        self.shared.work.notify_all();
    }
}

impl<J> Shared<J> {
    /// A panic never happens while the lock is held, so a poisoned lock guards sound state.
    fn lock(&self) -> MutexGuard<'_, State<J>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<J: Job> Shared<J> {
    /// A worker's life: take a job, run it, bring it home.
    fn work(&self) {
        let me = self.lock().nearby.settle();
        while let Some((round, id, mut job)) = self.next(me) {
            if catch_unwind(AssertUnwindSafe(|| job.run())).is_err() {
                job.panicked();
            }
            let mut state = self.lock();
            state.finished.push((id, job));
            if state.round != round {
                continue;
            }
            state.pending = state.pending.saturating_sub(1);
            if state.pending == 0 {
                // Who is woken wants the lock at once.
                let blocks = state.blocks;
                drop(state);
                if blocks { self.done.notify_one() } else { self.home.notify_one() }
            }
        }
    }

    /// The next job with its round and number; `None` when this worker is not needed any more.
    fn next(&self, me: Worker) -> Option<(u64, usize, J)> {
        let mut state = self.lock();
        loop {
            if let Some((id, job)) = state.queue.pop_front() {
                return Some((state.round, id, job));
            }
            if state.closed {
                state.workers -= 1;
                state.nearby.gone(me);
                return None;
            }
            state.idle += 1;
            let alone = state.workers == 1;
            state.alone = alone.then_some(me);
            let time = if alone { Duration::MAX } else { IDLE };
            let (guard, timeout) =
                self.work.wait_timeout(state, time).unwrap_or_else(PoisonError::into_inner);
            state = guard;
            state.idle -= 1;
            if timeout.timed_out() && state.queue.is_empty() && state.workers > 1 {
                state.workers -= 1;
                state.nearby.gone(me);
                return None;
            }
        }
    }
}
