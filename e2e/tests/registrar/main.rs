//! `consul-registrar` against a real Consul: the invariants, one by one.

#![expect(clippy::unwrap_used, reason = "support of tests: what fails is to be seen")]

mod consul;
mod invariants;
