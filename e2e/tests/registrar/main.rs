//! `consul-registrar` against a real Consul: the invariants, one by one.

#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::float_cmp,
    reason = "support of tests: what fails is to be seen, and what is read is the test's own"
)]

mod away;
mod commands;
mod consul;
mod faults;
mod invariants;
mod old;
mod page;
mod scene;
mod wall;
mod ways;
