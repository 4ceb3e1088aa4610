//! Two requests to glibc's allocator, so that an agent holds little more memory than it uses.
//!
//! With another C library or another system both do nothing.

/// Makes all threads allocate from one heap. Call it before the first thread is started.
///
/// By default glibc gives each thread a heap of its own, and what start-up freed in the first is lost to the others. The
/// agents allocate next to nothing in the steady state, so nobody waits for the one heap's lock.
pub fn share_one_heap() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    glibc::mallopt_arena_max(1);
}

/// Gives free memory back to the kernel: after start-up, and after work that needed much for a while.
pub fn give_back() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    glibc::malloc_trim();
}

#[cfg(all(target_os = "linux", target_env = "gnu"))]
mod glibc {
    #![expect(unsafe_code, reason = "no safe crate offers these two calls of glibc")]

    /// `mallopt(3)`. A refusal changes nothing, so it is not looked at.
    pub(super) fn mallopt_arena_max(count: libc::c_int) {
        // SAFETY: the call takes two numbers and sets a number of the allocator's own under its lock.
        let _accepted = unsafe { libc::mallopt(libc::M_ARENA_MAX, count) };
    }

    /// `malloc_trim(3)` without padding.
    pub(super) fn malloc_trim() {
        // SAFETY: the call takes a number and touches only memory that the allocator knows to be free.
        let _released = unsafe { libc::malloc_trim(0) };
    }
}
