//! Keeps a worker on the processor of who waits for its work.
//!
//! The kernel wakes a thread on an idle processor, whose caches know nothing of what the thread is about to touch, while
//! the waker's own falls idle a moment later. A worker that is held where the waker is costs a tenth less. Only a worker
//! that is alone is held, and it is let go when it loses its crew's patience.

use self::system::{Processors, Thread};

/// A worker's thread.
pub(super) type Worker = Thread;

/// Where the crew's threads may run, and the worker that is held to one place of it.
#[derive(Debug)]
pub(super) struct Nearby {
    /// `None` where the system does not tell, or does not let us.
    everywhere: Option<Processors>,
    held: Option<(Worker, usize)>,
}

impl Nearby {
    pub(super) fn new() -> Self {
        Self { everywhere: Processors::of_this_thread(), held: None }
    }

    /// Holds a sleeping worker to the processor that this thread is on.
    pub(super) fn hold(&mut self, worker: Worker) {
        let Some(here) = system::here() else { return };
        if self.held == Some((worker, here)) {
            return;
        }
        let Some(everywhere) = &self.everywhere else { return };
        let Some(only) = everywhere.only(here) else { return self.let_go() };
        if only.limit(worker) {
            self.held = Some((worker, here));
        } else {
            self.everywhere = None;
        }
    }

    /// Lets the worker run wherever there is room.
    pub(super) fn let_go(&mut self) {
        if let (Some(everywhere), Some((worker, _))) = (&self.everywhere, self.held.take()) {
            // A refusal leaves it where it is, which is no worse than before.
            let _accepted = everywhere.limit(worker);
        }
    }

    /// A worker ends: its number may become another thread's.
    pub(super) fn gone(&mut self, worker: Worker) {
        self.held = self.held.filter(|(held, _)| *held != worker);
    }

    /// For a new thread, which begins with its parent's places: it may run wherever the crew may.
    pub(super) fn settle(&self) -> Worker {
        let me = system::this_thread();
        if let Some(everywhere) = &self.everywhere {
            let _accepted = everywhere.limit(me);
        }
        me
    }
}

#[cfg(target_os = "linux")]
mod system {
    #![expect(
        unsafe_code,
        reason = "the safe crate that offers these calls would need one more of its features"
    )]

    use std::fmt;
    use std::mem::size_of;

    pub(super) type Thread = libc::pid_t;

    /// A set of processors (`sched_setaffinity(2)`).
    #[derive(Clone, Copy)]
    pub(super) struct Processors(libc::cpu_set_t);

    impl fmt::Debug for Processors {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("Processors")
        }
    }

    impl Processors {
        fn none() -> Self {
            // SAFETY: the set is an array of numbers, for which all bits 0 is a value.
            Self(unsafe { std::mem::zeroed() })
        }

        /// `None` where there are more processors than the set has room for.
        pub(super) fn of_this_thread() -> Option<Self> {
            let mut set = Self::none();
            // SAFETY: the kernel writes at most the size that it is told.
            let result = unsafe { libc::sched_getaffinity(0, size_of::<Self>(), &raw mut set.0) };
            (result == 0).then_some(set)
        }

        /// One processor of the set.
        pub(super) fn only(&self, processor: usize) -> Option<Self> {
            let mut one = Self::none();
            // SAFETY: both calls look at the set alone; a number beyond it was asked for before.
            unsafe {
                if processor >= size_of::<Self>() * 8 || !libc::CPU_ISSET(processor, &self.0) {
                    return None;
                }
                libc::CPU_SET(processor, &mut one.0);
            }
            Some(one)
        }

        /// Lets a thread of this process run on these processors only; false where that is refused.
        pub(super) fn limit(&self, thread: Thread) -> bool {
            // SAFETY: the kernel reads as much as it is told.
            unsafe { libc::sched_setaffinity(thread, size_of::<Self>(), &raw const self.0) == 0 }
        }

        #[cfg(test)]
        pub(super) fn count(&self) -> usize {
            (0..size_of::<Self>() * 8).filter(|&processor| self.only(processor).is_some()).count()
        }
    }

    /// The processor that this thread is on, which may be another one in a moment.
    pub(super) fn here() -> Option<usize> {
        // SAFETY: the call takes nothing and gives a number.
        usize::try_from(unsafe { libc::sched_getcpu() }).ok()
    }

    pub(super) fn this_thread() -> Thread {
        // SAFETY: the call takes nothing and gives a number.
        unsafe { libc::gettid() }
    }
}

/// Systems whose schedulers are not told anything.
#[cfg(not(target_os = "linux"))]
mod system {
    pub(super) type Thread = ();

    #[derive(Debug)]
    pub(super) struct Processors;

    impl Processors {
        pub(super) fn of_this_thread() -> Option<Self> {
            None
        }

        pub(super) fn only(&self, _processor: usize) -> Option<Self> {
            None
        }

        pub(super) fn limit(&self, _thread: Thread) -> bool {
            false
        }
    }

    pub(super) fn here() -> Option<usize> {
        None
    }

    pub(super) fn this_thread() -> Thread {}
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn a_worker_is_held_here_and_let_go_to_everywhere() {
        let processors = || Processors::of_this_thread().unwrap().count();
        let before = processors();
        let mut nearby = Nearby::new();
        nearby.hold(nearby.settle());
        assert_eq!(processors(), 1);
        nearby.let_go();
        assert_eq!(processors(), before);
    }

    #[test]
    fn a_worker_that_ended_is_not_touched_again() {
        let mut nearby = Nearby::new();
        let me = nearby.settle();
        nearby.hold(me);
        nearby.gone(me);
        nearby.let_go();
        assert_eq!(Processors::of_this_thread().unwrap().count(), 1);
        nearby.settle();
    }
}
